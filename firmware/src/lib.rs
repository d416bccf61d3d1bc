//! The controller's side of a label-super-resolution microscope: the host's messages, and the judgement on the spot whether the fields it sees
//! are still consistent with the count prior. Generic over embedded-hal, without allocator; a board's program brings pins and clocks.
//!
//! ```text
//! host: field ─► u8 probabilities ─► n, sum q, sum q^2, z ──┐
//!                                                           link ─► FieldMonitor (lsr-core, f32) ─► z-score, alarm ─► link ─► host
//!                                                                                                     └► AlarmLamp ─► pin
//! ```
//!
//! The messages, and the sessions that carry each of them out once, are in [`wire`].
//!
//! Nothing here panics.
//!
//! Feature `defmt`: `Format` for every public type.
#![no_std]
#![forbid(unsafe_code)]

mod controller;
mod guard;
mod lamp;
mod light;
mod monitor;
mod motion;
mod scan;
mod trigger;
mod units;
pub mod wire;

pub use controller::{Controller, Parts};
pub use guard::{Guard, HEARTBEAT_DEFAULT_MS, HEARTBEAT_RANGE_MS, HeartbeatOutOfRange};
pub use lamp::AlarmLamp;
pub use light::{Channel, FULL_PERMILLE, LightError, Lights, MAX_RAMP_MS};
pub use monitor::{FIRMWARE_VERSION, FieldMonitor};
pub use motion::{
    Axes, Axis, AxisConfig, AxisDriver, AxisPins, ConfigError, ConfigField, DriverTiming, Encoder, Homing, Line, MotionError, MotionEvent,
    MotionFault, MotionShared, NoEncoder, NoPin, Outcome, PerAxis, PinFailed, Polarity, Profile, Rate, Retraction, Side, Stage,
    StageConfig, StageState, StageStatus, StepEvent, StepExecutor, StepQueue, StepReceiver, StepSender, SwitchHoming,
};
pub use scan::{REPEATS, Scan, Visit};
pub use trigger::{MAX_TRIGGER_US, Pulse, PulseTime, Trigger, TriggerError, Triggered};
pub use units::{TICKS_PER_SECOND, Ticks, Um};
