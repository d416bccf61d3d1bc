//! What this device is called.

/// The host's name, which stores and brokers know it by unless it is given another.
pub fn device_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
