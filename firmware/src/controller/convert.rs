//! Refusals and faults of the parts, in the words of the link.

use crate::light::{FULL_PERMILLE, LightError, MAX_RAMP_MS};
use crate::motion::{MotionError, MotionFault, PerAxis, StageState};
use crate::trigger::{MAX_TRIGGER_US, Pulse, PulseTime, TriggerError};
use crate::units::Um;
use crate::wire::{ErrorCode, Fault, Part, Setting, StopSource, TriggerPulse};

/// A fault of the stage, which stands at `position`.
pub(super) fn motion_fault(fault: MotionFault, source: StopSource, position: &PerAxis<Um>) -> Fault {
    match fault {
        MotionFault::EmergencyStop => Fault::EmergencyStop { source },
        // The controller gives the permission once and never takes it back.
        MotionFault::Forbidden => Fault::Internal,
        MotionFault::Limit { axis, side } => Fault::LimitHit { axis, side },
        MotionFault::LostSteps { axis, found, .. } => {
            let expected = *position.get(axis);
            Fault::LostSteps { axis, expected, found: expected.checked_add(found).unwrap_or(expected) }
        }
        MotionFault::EncoderSilent { axis } => Fault::EncoderSilent { axis },
        MotionFault::Late { late_us } => Fault::StepsLate { late_us: late_us.into() },
        MotionFault::HomingTimeout { axis, timeout_ms } => Fault::HomingTimeout { axis, timeout_ms },
        MotionFault::SwitchNotFound { axis, .. } => Fault::SwitchNotFound { axis },
        MotionFault::SwitchStuck { axis, side } => Fault::SwitchStuck { axis, side },
        MotionFault::Pin { axis } => Fault::Pin { part: Part::Axis(axis) },
    }
}

/// Why the stage refuses; `fault` is what the controller has latched.
#[inline(never)]
pub(super) fn motion_error(error: MotionError, state: StageState, fault: Option<Fault>) -> ErrorCode {
    match error {
        MotionError::NotHomed { axis } => ErrorCode::NotHomed { axis },
        MotionError::OutsideLimits { axis, min, max, asked } => ErrorCode::OutsideLimits { axis, minimum: min, maximum: max, asked },
        MotionError::Busy => ErrorCode::Busy { state },
        MotionError::Faulted { .. } => fault.map_or(ErrorCode::Internal, |fault| ErrorCode::Faulted { fault }),
        MotionError::Forbidden => ErrorCode::Internal,
        MotionError::NoAxis => ErrorCode::NoAxis,
        MotionError::NoSwitch { axis, side } => ErrorCode::NoSwitch { axis, side },
        MotionError::NoEncoder { axis } => ErrorCode::NoEncoder { axis },
        MotionError::NoFault => ErrorCode::NoFault,
        MotionError::Config { error } => ErrorCode::Configuration { error },
    }
}

/// Why a light refuses.
#[inline(never)]
pub(super) fn light_error(error: LightError, channel: u8) -> ErrorCode {
    match error {
        LightError::NoSuchChannel { channels, found } => ErrorCode::UnknownLight { channels, found },
        LightError::AboveCeiling { ceiling, found } => ErrorCode::LightAboveCeiling { channel, ceiling, asked: found },
        LightError::RampTooLong { found } => out_of_range(Setting::LightRamp, 0, MAX_RAMP_MS, found),
        LightError::CeilingAboveFull { found } => out_of_range(Setting::LightLevel, 0, FULL_PERMILLE.into(), found.into()),
        LightError::Pwm { .. } => ErrorCode::Internal,
    }
}

/// Why the trigger refuses.
#[inline(never)]
pub(super) fn trigger_error(error: TriggerError, state: StageState) -> ErrorCode {
    match error {
        TriggerError::Moving => ErrorCode::Busy { state },
        TriggerError::Busy => ErrorCode::TriggerPending,
        TriggerError::BadPulse { time, found } => {
            let (setting, least) = match time {
                PulseTime::Settle => (Setting::Settle, 0),
                PulseTime::Before => (Setting::TriggerDelayBefore, 0),
                PulseTime::Width => (Setting::TriggerWidth, 1),
                PulseTime::After => (Setting::TriggerDelayAfter, 0),
            };
            out_of_range(setting, least, MAX_TRIGGER_US, found)
        }
        TriggerError::NoMoreNumbers | TriggerError::Pin => ErrorCode::Internal,
    }
}

/// A refused value.
#[inline(never)]
pub(super) fn out_of_range(setting: Setting, least: u32, most: u32, found: u32) -> ErrorCode {
    let cut = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
    ErrorCode::OutOfRange { setting, minimum: cut(least), maximum: cut(most), found: cut(found) }
}

/// A pulse as the host asked for it.
pub(super) fn pulse(asked: &TriggerPulse) -> Pulse {
    let TriggerPulse { width_us, delay_before_us, delay_after_us } = *asked;
    Pulse { delay_before_us, width_us, delay_after_us }
}
