//! Fields of many devices, told to one MQTT broker: each at least once, however long the broker was away.
//!
//! A field waits in its store's outbox until the broker has acknowledged it (quality of service 1). One is on its way at a time, in the order in which they were
//! kept. What was sent and not acknowledged is sent again, so a field may come twice: `id` says which one it is.

#[cfg(feature = "mqtt")]
mod broker;
#[cfg(not(feature = "mqtt"))]
mod without;

#[cfg(feature = "mqtt")]
pub use broker::Broker;
#[cfg(not(feature = "mqtt"))]
pub use without::Broker;
