//! What host and controller say to each other, and the two ends that see to it that it is said once. Both sides use this module unchanged; it knows
//! neither clock nor line: bytes and the time (us) are arguments.
//!
//! ```text
//! bytes ─ FrameReader ─► Frame (checksum right) ─ ToController::read ─► message ─ Server ─► Handler::carry_out, once
//!                                                                                   └► Reply, EventMessage ─► bytes ─► Client ─► Notice
//! ```
//!
//! # Frames
//!
//! `COBS(kind u8 | payload | CRC-32/ISO-HDLC of both, little endian) 0x00`. The payload is one [postcard](https://postcard.jamesmunns.com) message. A
//! zero ends a frame whatever was lost before it. What is no frame, or no message of this direction, is counted and dropped, never answered.
//!
//! | direction | longest payload | longest frame |
//! |---|---|---|
//! | to the controller | 253 bytes | 261 bytes |
//! | to the host | 139 bytes | 146 bytes |
//!
//! | kind | message | payload | longest |
//! |---|---|---|---|
//! | 0x01 | [`Hello`] | nonce, protocol | 8 |
//! | 0x02 | [`Request`] | session, sequence, command | 253 |
//! | 0x03 | [`EventTaken`] | session, sequence | 10 |
//! | 0x04 | [`EmergencyStop`] | nonce | 5 |
//! | 0x05 | [`Beat`] | session | 5 |
//! | 0x81 | [`HelloReply`] | nonce, session or refusal | 41 |
//! | 0x82 | [`Reply`] | session, sequence, answer or refusal | 139 |
//! | 0x83 | [`EventMessage`] | session, sequence, event | 63 |
//! | 0x84 | [`EmergencyStopped`] | nonce | 5 |
//! | 0x85 | [`BeatAnswer`] | session, whether it is known | 6 |
//!
//! # Exactly once
//!
//! - A host draws a nonce and says `Hello` until it is answered. The controller makes the session's number of nonce and time. The same `Hello` again is
//!   answered again; one of an earlier session is dropped. So no frame of an earlier session, or of a time before a reset, is ever taken for one of
//!   this session.
//! - Requests count from 0. The next one is carried out, and its reply kept; the same one again gets that reply again; an earlier one is dropped; a
//!   later one is refused with `OutOfOrder`. A host sends one request at a time, again after 100 ms, ten times; then it gives the session up and says
//!   that nobody knows whether this one was carried out ([`Failure::Unknown`]).
//! - Events count from power-on. The oldest one is sent, again after a time, until it is taken; the next host is told what this one has not taken. A full
//!   queue loses the newest event and counts it in `Status`.
//! - What takes time is started by its answer `Started` and ends with the event `Finished` of the same operation.
//! - `EmergencyStop` as a frame needs no session and no turn; once for each nonce.
//! - Every good frame of the session, `Beat` too, says that the host is there ([`Server::last_heard`]).
//!
//! # Commands
//!
//! Sizes are the longest of what follows the request's head of 10 bytes and the command's number of 1. All but `Ping`, `Status`, `AxisSettings` and
//! `StageSettings` may change something; those that move anything are refused with `Faulted` until the fault is acknowledged.
//!
//! | command | bytes | answer | refused with |
//! |---|---|---|---|
//! | `Ping` | 0 | `Pong`: [`Identity`] | |
//! | `Status` | 0 | `Status`: [`Status`] | |
//! | `AxisSettings` (axis) | 1 | `AxisSettings` | `UnknownAxis` |
//! | `ConfigureAxis` ([`AxisSettings`]) | 64 | `Done` | `Configuration`, `NoEncoder`, `Busy` |
//! | `StageSettings` | 0 | `StageSettings` | |
//! | `ConfigureStage` ([`StageSettings`]) | 15 | `Done` | `Configuration`, `OutOfRange`, `Busy` |
//! | `SetHeartbeat` (ms) | 3 | `Done` | `OutOfRange` |
//! | `Home` (axes) | 3 | `Started` | `NoAxis`, `NoSwitch`, `NotHomed` (z, which retracts first), `Busy`, `TriggerPending`, `ScanRunning` |
//! | `MoveTo` (x, y, z) | 18 | `Started` | `NoAxis`, `NotHomed`, `OutsideLimits`, `Busy`, `TriggerPending`, `ScanRunning` |
//! | `MoveBy` (x, y, z) | 18 | `Started` | as `MoveTo` |
//! | `Stop` | 0 | `Done`; the operation ends with `Stopped` | |
//! | `EmergencyStop` | 0 | `Done`; then event `Faulted` | |
//! | `AcknowledgeFault` | 0 | `Done` | `FaultPersists`, `NoFault` |
//! | `Light` (channel, permille, ramp ms) | 7 | `Done` | `UnknownLight`, `LightAboveCeiling`, `OutOfRange` |
//! | `Trigger` ([`TriggerPulse`]) | 15 | `TriggerStarted` | `OutOfRange`, `Busy`, `TriggerPending`, `ScanRunning` |
//! | `Scan` ([`ScanPlan`]) | 61 | `Started` | as `MoveTo`, `Trigger` and `Light`; `UnknownField` (first visit) |
//! | `PauseScan` | 0 | `Done`; then event `ScanPaused` | `NoScan` |
//! | `ResumeScan` | 0 | `Done` | `NoScan`, `ScanNotPaused` |
//! | `AbortScan` | 0 | `Done`; the scan ends with `Stopped` | `NoScan` |
//! | `RepeatField` (field) | 5 | `Done` | `NoScan`, `UnknownField`, `OutOfRange` |
//! | `Field` ([`FieldSummary`]) | 26 | `Consistency`: [`Consistency`] | `UnknownLabel`, `EmptyField`, `TooManyPixels`, `ImpossibleSums`, `NotFinite` |
//! | `BeginField` (label) | 1 | `Done` | `UnknownLabel` |
//! | `FieldRow` (up to 240 pixels) | 242 | `RowTaken` | `NoOpenField` |
//! | `EndField` (pixels) | 5 | `Summed`: [`SummedField`] | `NoOpenField`, `PixelsMissing`, and as `Field` |
//! | `Moments` (label) | 1 | `Moments`: [`LabelMoments`], mergeable with another device's | `UnknownLabel` |
//! | `AcknowledgeAlarm` (label) | 1 | `Done` | `UnknownLabel` |
//! | `Goodbye` | 0 | `Done`; the session is over, lights are off | `Busy`, `ScanRunning` |
//!
//! A board without monitor or light refuses their commands with `NotOnThisBoard`. `NoSession`, `OutOfOrder` and `ProtocolVersion` are the session's
//! own refusals; `Internal` is a defect. Every refusal has changed nothing.
//!
//! # Events
//!
//! | event | bytes | says |
//! |---|---|---|
//! | `Finished` | 33 | an operation is over: `Done`, `Stopped`, or by a [`Fault`]; where the stage stands |
//! | `Exposed` | 47 | the camera got the pulse of a `Trigger`: [`Exposure`] |
//! | `FieldExposed` | 52 | the camera got the pulse of a field of a scan |
//! | `ScanPaused` | 10 | a scan has halted |
//! | `Faulted` | 12 | a fault has latched |
//! | `Alarm` | 2 | the counts of a label no longer agree with the prior |
//!
//! # Faults
//!
//! `HostLost`, `EmergencyStop`, `LimitHit`, `HomingTimeout`, `SwitchNotFound`, `SwitchStuck`, `LostSteps`, `EncoderSilent`, `StepsLate`, `Pin`, `ExecutorSilent`,
//! `Internal`: see [`Fault`]. Each puts the lights out, ends motion, and stays until `AcknowledgeFault`.

mod answer;
mod client;
mod command;
mod crc;
mod decode;
mod encode;
mod error_code;
mod event;
mod fault;
mod field;
mod frame;
mod message;
mod outbox;
mod scan;
mod server;
mod settings;
mod status;

pub use crate::motion::{Axis, PerAxis, Side, StageState};
pub use answer::{Answer, Identity, Outcome};
pub use client::{Client, ClientTiming, Failure, Lost, Notice, SubmitError};
pub use command::Command;
pub use error_code::ErrorCode;
pub use event::{Ending, Event};
pub use fault::{Fault, Part, StopSource};
pub use field::{Consistency, Direction, FieldSummary, LabelMoments, ROW_PIXELS, RowPixels, SummedField};
pub use frame::{Frame, FrameError, FrameReader, content_size, encode_frame, frame_size};
pub use message::{
    Beat, BeatAnswer, EmergencyStop, EmergencyStopped, EventMessage, EventTaken, Hello, HelloReply, Message, MessageError, Reply, Request,
    ToController, ToHost, Welcome,
};
pub use scan::{Exposure, LIGHT_CHANNELS, LightLevel, ScanOrder, ScanPlan, ScanProgress, TriggerPulse};
pub use server::{Handler, Server};
pub use settings::{AxisSettings, Setting, StageSettings};
pub use status::{LinkStatistics, ResetReason, Status};

/// Version of the messages. Raised with every change of their encoding; a controller begins no session with another version.
pub const PROTOCOL_VERSION: u16 = 2;
