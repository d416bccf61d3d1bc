//! What the stage can be told to do, and when it refuses.

use crate::motion::axis::{Axes, Axis, PerAxis};
use crate::motion::config::{Homing, Retraction};
use crate::motion::encoder::Encoder;
use crate::motion::error::{MotionError, MotionFault};
use crate::motion::homing::HomeRun;
use crate::motion::kinematics::HomingSteps;
use crate::motion::route::{Route, is_retracted};
use crate::motion::stage::{Activity, Stage};
use crate::units::Um;

impl<E: Encoder> Stage<'_, E> {
    /// Begins to home axes: z first, and out of the way of x and y if the configuration has it retract. They are not homed until it has ended.
    ///
    /// # Errors
    /// [`MotionError::Faulted`], [`MotionError::Busy`], [`MotionError::Forbidden`], [`MotionError::NoAxis`], [`MotionError::NoSwitch`];
    /// [`MotionError::NotHomed`] of z, if it has to retract and is not among the axes.
    pub fn home(&mut self, axes: Axes) -> Result<(), MotionError> {
        self.check_ready()?;
        if axes.is_empty() {
            return Err(MotionError::NoAxis);
        }
        for axis in Axis::ALL {
            let Homing::Switch(switch) = self.config().axes.get(axis).homing else { continue };
            if !axes.contains(axis) {
                continue;
            }
            if !self.shared.has_switch(axis, switch.side) {
                return Err(MotionError::NoSwitch { axis, side: switch.side });
            }
            if self.retracts_for(axis) && !(self.homed.contains(Axis::Z) || axes.contains(Axis::Z)) {
                return Err(MotionError::NotHomed { axis: Axis::Z });
            }
        }
        for axis in Axis::ALL {
            if axes.contains(axis) {
                self.homed = self.homed.without(axis);
                *self.sent.get_mut(axis) = None;
            }
        }
        self.begin(Activity::Home(HomeRun::new(axes)));
        Ok(())
    }

    /// Begins to move axes to positions, together on straight lines. Axes without one stay.
    ///
    /// # Errors
    /// [`MotionError::Faulted`], [`MotionError::Busy`], [`MotionError::Forbidden`], [`MotionError::NoAxis`], [`MotionError::NotHomed`],
    /// [`MotionError::OutsideLimits`].
    pub fn move_to(&mut self, target: PerAxis<Option<Um>>) -> Result<(), MotionError> {
        self.check_ready()?;
        self.check_homed(&target)?;
        self.go(target)
    }

    /// Begins to move axes by distances from where they were sent last (or from where they are, if they did not get there).
    ///
    /// # Errors
    /// As [`Stage::move_to`].
    pub fn move_by(&mut self, distance: PerAxis<Option<Um>>) -> Result<(), MotionError> {
        self.check_ready()?;
        self.check_homed(&distance)?;
        let position = self.position();
        self.go(PerAxis::from_fn(|axis| {
            let from = self.sent.get(axis).unwrap_or(*position.get(axis));
            // Cut to the longest: beyond every soft limit.
            distance.get(axis).map(|by| Um::saturating_from_nm(i64::from(from.nm()) + i64::from(by.nm())))
        }))
    }

    /// Ends the move or the homing by the ramp. The position stays true. Nothing happens at rest.
    pub fn stop(&mut self) {
        if !matches!(self.activity, Activity::Idle) {
            self.stopping = true;
            self.slow_down();
            self.log();
        }
    }

    /// Stops everything at once ([`MotionShared::emergency_stop`](crate::MotionShared::emergency_stop)): a fault.
    pub fn emergency_stop(&mut self) {
        self.shared.emergency_stop();
    }

    /// Ends a fault, when everything rests.
    ///
    /// # Errors
    /// [`MotionError::NoFault`]; [`MotionError::Busy`] as long as something moves or the executor has not been called since.
    pub fn acknowledge(&mut self) -> Result<(), MotionError> {
        let fault = self.fault.ok_or(MotionError::NoFault)?;
        let stop_is_known = fault == MotionFault::EmergencyStop || self.own_stop;
        if self.is_moving() || (stop_is_known && !self.halt_seen) {
            return Err(MotionError::Busy);
        }
        if stop_is_known {
            self.shared.clear_emergency();
        }
        if self.halt_seen {
            self.resume();
        }
        self.own_stop = false;
        self.fault = None;
        self.fault_told = false;
        self.log();
        Ok(())
    }

    fn check_ready(&self) -> Result<(), MotionError> {
        if let Some(fault) = self.fault {
            return Err(MotionError::Faulted { fault });
        }
        self.check_idle()?;
        if self.shared.is_permitted() { Ok(()) } else { Err(MotionError::Forbidden) }
    }

    fn check_homed(&self, asked: &PerAxis<Option<Um>>) -> Result<(), MotionError> {
        let mut none = true;
        for axis in Axis::ALL {
            if asked.get(axis).is_some() {
                none = false;
                if !self.homed.contains(axis) {
                    return Err(MotionError::NotHomed { axis });
                }
            }
        }
        if none { Err(MotionError::NoAxis) } else { Ok(()) }
    }

    fn go(&mut self, target: PerAxis<Option<Um>>) -> Result<(), MotionError> {
        let mut steps = self.steps();
        let mut moving = Axes::NONE;
        for axis in Axis::ALL {
            let Some(asked) = *target.get(axis) else { continue };
            let (min, max) = self.range(axis);
            if asked < min || asked > max {
                return Err(MotionError::OutsideLimits { axis, min, max, asked });
            }
            *steps.get_mut(axis) = self.axes.get(axis).steps(asked);
            moving = moving.with(axis);
        }
        let retract = self.retraction_of(&target)?;
        let mut sent = target;
        if retract.is_some_and(|z| z != self.steps().z) && !moving.contains(Axis::Z) {
            // z goes out of the way and comes back.
            moving = moving.with(Axis::Z);
            sent.z = self.sent.z;
        }
        for axis in Axis::ALL {
            if moving.contains(axis) {
                *self.sent.get_mut(axis) = None;
            }
        }
        self.begin(Activity::Move(Route::new(steps, moving, retract), sent));
        Ok(())
    }

    /// Where z has to be before x and y move, if their way is long.
    fn retraction_of(&self, target: &PerAxis<Option<Um>>) -> Result<Option<i32>, MotionError> {
        let Some(Retraction { over, to, side }) = self.config().retraction else { return Ok(None) };
        let position = self.position();
        // Below 2^32 each: the sum of two squares may have 65 bits.
        let square = |axis| {
            let distance = target.get(axis).map_or(0, |asked| u64::from(asked.distance_nm(*position.get(axis))));
            distance * distance
        };
        let over = u64::from(over.nm().unsigned_abs());
        if square(Axis::X).saturating_add(square(Axis::Y)) <= over * over {
            return Ok(None);
        }
        if !self.homed.contains(Axis::Z) {
            return Err(MotionError::NotHomed { axis: Axis::Z });
        }
        let (z, retract) = (self.steps().z, self.axes.z.steps(to));
        Ok(Some(if is_retracted(z, retract, side) { z } else { retract }))
    }

    fn begin(&mut self, activity: Activity) {
        self.hit = false;
        self.activity = activity;
        self.log();
    }

    /// Whether z has to be out of the way when an axis is homed.
    pub(crate) fn retracts_for(&self, axis: Axis) -> bool {
        axis != Axis::Z && self.config().retraction.is_some() && matches!(self.axes.get(axis).homing, HomingSteps::Switch { .. })
    }

    /// How far z has to go to be out of the way.
    pub(crate) fn retraction(&self) -> Option<i32> {
        let Retraction { to, side, .. } = self.config().retraction?;
        let (z, retract) = (self.steps().z, self.axes.z.steps(to));
        (!is_retracted(z, retract, side)).then_some(retract.wrapping_sub(z))
    }
}
