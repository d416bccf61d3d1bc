//! Homing as a state machine: each state is one leg of the same planner, and what the switch says after it decides on the next.

use crate::motion::axis::{Axes, Axis, Side};
use crate::motion::error::MotionFault;
use crate::motion::kinematics::{HomingSteps, Kinematics};
use crate::motion::profile::Rate;
use crate::units::Ticks;

/// Ticks at rest after a leg, before the switch is asked: it has stopped bouncing and is debounced.
pub(crate) const DWELL: Ticks = 20_000;

/// Axes that are being homed: z first, then x, then y.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct HomeRun {
    waiting: Axes,
    axis: Axis,
    phase: Phase,
    started: Ticks,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    /// Not begun, or between two axes.
    Ready,
    /// z is leaving the sample, on behalf of x or y.
    Retract,
    /// Off a switch that was active at the start.
    Release,
    /// To the switch.
    Fast,
    /// Off it.
    BackOff,
    /// To it again.
    Slow,
    /// Off it again, to where the axis ends.
    Leave,
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// z goes out of the way if it has to.
    Retract,
    /// A leg of the axis.
    Leg { by: i32, rate: Rate },
    /// The axis is where it is; then a leg to `home`.
    Zero { at: i32, home: i32, rate: Rate },
    /// The axis is at this position: homed without a move.
    Here { at: i32 },
    /// The axis is homed.
    Homed,
    /// It failed.
    Fault(MotionFault),
}

impl HomeRun {
    pub(crate) fn new(axes: Axes) -> Self {
        Self { waiting: axes, axis: Axis::Z, phase: Phase::Ready, started: 0 }
    }

    /// The axis whose turn it is.
    pub(crate) fn axis(&self) -> Axis {
        self.axis
    }

    /// Whether the next axis is to be chosen.
    pub(crate) fn is_between_axes(&self) -> bool {
        self.phase == Phase::Ready
    }

    /// Whether a hit of this switch is what the leg is for.
    pub(crate) fn expects(&self, axis: Axis, side: Side, kinematics: &Kinematics) -> bool {
        let HomingSteps::Switch { side: end, .. } = kinematics.homing else { return false };
        matches!(self.phase, Phase::Fast | Phase::Slow) && axis == self.axis && side == end
    }

    /// Whether the axis has taken too long.
    pub(crate) fn timeout(&self, now: Ticks, kinematics: &Kinematics) -> Option<MotionFault> {
        let HomingSteps::Switch { timeout_ms, .. } = kinematics.homing else { return None };
        let late = !matches!(self.phase, Phase::Ready | Phase::Retract) && now.saturating_sub(self.started) > u64::from(timeout_ms) * 1_000;
        late.then_some(MotionFault::HomingTimeout { axis: self.axis, timeout_ms })
    }

    /// Turns to the next axis; `false` when there is none.
    pub(crate) fn next_axis(&mut self) -> bool {
        for axis in [Axis::Z, Axis::X, Axis::Y] {
            if self.waiting.contains(axis) {
                self.waiting = self.waiting.without(axis);
                self.axis = axis;
                return true;
            }
        }
        false
    }

    /// What comes after a leg, given whether the leg ended at the switch, and whether the switch is active now. In state `Ready` the axis has just
    /// been chosen.
    pub(crate) fn advance(&mut self, now: Ticks, hit: bool, active: bool, retracts: bool, kinematics: &Kinematics) -> Next {
        let axis = self.axis;
        let (side, switch_at, fast, slow, back_off, search, home) = match kinematics.homing {
            HomingSteps::Here { position } => return Next::Here { at: position },
            HomingSteps::Switch { side, switch_at, fast, slow, back_off, search, home, .. } => {
                (side, switch_at, fast, slow, back_off, search, home)
            }
        };
        let away = side.opposite();
        let stuck = Next::Fault(MotionFault::SwitchStuck { axis, side });
        let not_found = Next::Fault(MotionFault::SwitchNotFound { axis, side });
        let (phase, next) = match self.phase {
            Phase::Ready if retracts => (Phase::Retract, Next::Retract),
            Phase::Ready | Phase::Retract => {
                self.started = now;
                if active {
                    (Phase::Release, Next::Leg { by: away.signed(back_off), rate: fast })
                } else {
                    (Phase::Fast, Next::Leg { by: side.signed(search), rate: fast })
                }
            }
            Phase::Release if active => (Phase::Ready, stuck),
            Phase::Release => (Phase::Fast, Next::Leg { by: side.signed(search), rate: fast }),
            Phase::Fast if !hit => (Phase::Ready, not_found),
            Phase::Fast => (Phase::BackOff, Next::Leg { by: away.signed(back_off), rate: fast }),
            Phase::BackOff if active => (Phase::Ready, stuck),
            Phase::BackOff => (Phase::Slow, Next::Leg { by: side.signed(back_off.saturating_mul(2)), rate: slow }),
            Phase::Slow if !hit => (Phase::Ready, not_found),
            Phase::Slow => (Phase::Leave, Next::Zero { at: switch_at, home, rate: fast }),
            Phase::Leave if active => (Phase::Ready, stuck),
            Phase::Leave => (Phase::Ready, Next::Homed),
        };
        self.phase = phase;
        next
    }
}
