//! A microscope's controller: stage, light, camera trigger, scans, and the judgement on the spot whether the fields it sees are still
//! consistent with the count prior. Generic over embedded-hal, without allocator; a board's program brings pins and clocks.
//!
//! ```text
//! bytes ─ wire::Server ─► command ─ Controller ─┬► Stage ─ StepQueue ─► StepExecutor (timer interrupt) ─► STEP, DIR, ENABLE, switches
//!    ▲                                          ├► Lights ─► PWM        Guard: is the host still there?
//!    │                                          ├► Trigger ─► camera    Scan: which field is next?
//!    └── replies, events ◄──────────────────────┴► FieldMonitor (lsr-core, f32) ─► z-score, alarm ─► AlarmLamp
//! ```
//!
//! Read in this order: [`wire`] (what is said, and how it is said once), [`Controller`] (what stops when, as a table), [`Stage`] and [`StepExecutor`]
//! (the two halves of motion, which share no lock), [`Lights`], [`Trigger`], [`FieldMonitor`].
//!
//! Positions are [`Um`], micrometres in fixed point; times are `u64` microseconds since power-on and always arguments: nothing here reads a
//! clock. Nothing here panics, and nothing is unsafe.
//!
//! Feature `defmt`: `Format` for every public type, and (`DEFMT_LOG=info` at build time) a line for every session, command, event and change of the stage's state;
//! with `DEFMT_LOG=debug` for every field and row of pixels, too.
#![no_std]
#![forbid(unsafe_code)]

/// A line of the log, where there is one.
macro_rules! log {
    ($level:ident, $format:literal $(, $value:expr)*) => {{
        #[cfg(feature = "defmt")]
        defmt::$level!($format $(, $value)*);
        // Used, as far as the compiler asks, and never computed.
        #[cfg(not(feature = "defmt"))]
        if false { $(let _ = &$value;)* }
    }};
}

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
