//! The controller's side of a label-super-resolution microscope: the host's messages, and the judgement on the spot whether the fields it sees
//! are still consistent with the count prior. Generic over embedded-hal, without allocator; a board's program brings pins and clocks.
//!
//! ```text
//! host: field ─► u8 probabilities ─► n, sum q, sum q^2, z ──┐
//!                                                           link ─► FieldMonitor (lsr-core, f32) ─► z-score, alarm ─► link ─► host
//!                                                                                                     └► AlarmLamp ─► pin
//! ```
//!
//! # Messages
//!
//! Each is one [postcard](https://postcard.jamesmunns.com) message. Its largest size is known when compiling ([`Wire::MAX_SIZE`]).
//!
//! | request | answer | refused with |
//! |---|---|---|
//! | `Ping` | `Pong` with protocol and firmware version | |
//! | `Field` (label z, n, sum q, sum q^2) | `Consistency` (z-score, alarm) | `UnknownLabel`, `EmptyField`, `TooManyPixels`, `ImpossibleSums`, `NotFinite` |
//! | `Moments` (label z) | `Moments`: all fields of the label so far, mergeable with another device's | `UnknownLabel` |
//! | `Acknowledge` (label z) | `Acknowledged`: the alarm is over | `UnknownLabel` |
//!
//! A reply carries its request's sequence number. An event is sent unasked and has a sequence number of its own: `Alarm`, once, when a label's
//! alarm begins. Several alarms lead to several events.
//!
//! Nothing here panics. Framing, checksums and retransmission are not part of this crate yet: whoever moves the bytes must see to it that a
//! `Field` arrives once, since a field that arrives twice counts twice.
//!
//! Feature `defmt`: `Format` for every public type.
#![no_std]
#![forbid(unsafe_code)]

mod guard;
mod lamp;
mod light;
mod link;
mod monitor;
mod trigger;
mod motion;
mod units;

pub use guard::{Guard, HEARTBEAT_DEFAULT_MS, HEARTBEAT_RANGE_MS, HeartbeatOutOfRange};
pub use lamp::AlarmLamp;
pub use light::{Channel, FULL_PERMILLE, LightError, Lights, MAX_RAMP_MS};
pub use link::{
    Answer, Command, Consistency, Direction, ErrorCode, Event, EventKind, FieldSummary, LabelMoments, LinkError, PROTOCOL_VERSION, Reply,
    Request, ToHost, Version, Wire,
};
pub use monitor::FieldMonitor;
pub use trigger::{MAX_TRIGGER_US, Pulse, Trigger, TriggerError, Triggered};
pub use motion::{
    Axes, Axis, AxisConfig, AxisDriver, AxisPins, ConfigError, ConfigField, DriverTiming, Encoder, Homing, Line, MotionError, MotionEvent,
    MotionFault, MotionShared, NoEncoder, NoPin, Outcome, PerAxis, PinFailed, Polarity, Profile, Rate, Retraction, Side, Stage,
    StageConfig, StageState, StageStatus, StepEvent, StepExecutor, StepQueue, StepReceiver, StepSender, SwitchHoming,
};
pub use units::{TICKS_PER_SECOND, Ticks, Um};
