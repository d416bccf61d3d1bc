//! A straight line of up to three axes: the axis with the most steps leads, the others step with it.

use crate::motion::axis::{Axis, PerAxis};
use crate::motion::profile::{MAX_RAMP, Profile, Rate};
use crate::motion::queue::StepEvent;
use crate::motion::scale::div_up;
use crate::units::Ticks;

/// The steps of a straight line from rest to rest, one event after the other.
///
/// The leader's profile keeps every axis within its own speed and acceleration. Another axis, with `n` steps on the leader's `N`, has made
/// `round(n i / N)` steps after the leader's step `i`: it is never more than half a step off the line, and its steps lie within half a step of a
/// motion that obeys its own bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Line {
    start: Ticks,
    profile: Profile,
    /// Steps of the leader that were given out, and when the next one is due.
    done: u32,
    due: Ticks,
    direction: u8,
    /// Steps of each axis over the whole line, and those of the leader.
    steps: PerAxis<u32>,
    leader: u32,
    /// Bresenham's remainders, of the leader's steps.
    remainder: PerAxis<u32>,
}

impl Line {
    /// The line by so many steps of each axis (2^30 at most), with its first step a ramp's first interval after `start`. Axes that do not move keep
    /// their bit of `direction`, so that their pin need not change.
    pub fn new(by: PerAxis<i32>, rates: &PerAxis<Rate>, start: Ticks, direction: u8) -> Self {
        let steps = PerAxis::from_fn(|axis| by.get(axis).unsigned_abs());
        let leader = steps.x.max(steps.y).max(steps.z);
        let direction = Axis::ALL.into_iter().fold(direction, |mask, axis| match *by.get(axis) {
            1.. => mask | axis.bit(),
            0 => mask,
            _ => mask & !axis.bit(),
        });
        let profile = Profile::new(leader, leader_rate(&steps, leader, rates));
        let due = start.saturating_add(profile.time(1));
        Self { start, profile, done: 0, due, direction, steps, leader, remainder: PerAxis::splat(leader / 2) }
    }

    /// The direction of every axis, as in its events.
    pub fn direction(&self) -> u8 {
        self.direction
    }

    /// Whether it moves an axis.
    pub fn moves(&self, axis: Axis) -> bool {
        *self.steps.get(axis) > 0
    }

    /// When its last step is due.
    pub fn end(&self) -> Ticks {
        self.start.saturating_add(self.profile.end())
    }

    /// When the next step is due, if there is one.
    pub fn next_at(&self) -> Option<Ticks> {
        (self.remaining() > 0).then_some(self.due)
    }

    /// Steps of the leader that are still to come.
    pub fn remaining(&self) -> u32 {
        self.profile.steps().saturating_sub(self.done)
    }

    /// Ends the line earlier, by the ramp, on the line. Events that were given out stand.
    pub fn stop(&mut self) {
        self.profile.stop_after(self.done);
        self.find_due();
    }

    fn find_due(&mut self) {
        self.due = self.start.saturating_add(self.profile.time(self.done.saturating_add(1)));
    }
}

impl Iterator for Line {
    type Item = StepEvent;

    fn next(&mut self) -> Option<StepEvent> {
        if self.remaining() == 0 {
            return None;
        }
        let at = self.due;
        self.done += 1;
        self.find_due();
        let mut axes = 0;
        for axis in Axis::ALL {
            let remainder = self.remainder.get_mut(axis);
            // Less than the leader's and at most the leader's 2^31 steps.
            *remainder += *self.steps.get(axis);
            if *remainder >= self.leader {
                *remainder -= self.leader;
                axes |= axis.bit();
            }
        }
        Some(StepEvent { at, axes, direction: self.direction })
    }
}

/// The fastest rate of the leader at which every axis keeps its own.
fn leader_rate(steps: &PerAxis<u32>, leader: u32, rates: &PerAxis<Rate>) -> Rate {
    // An axis with n of N steps at its shortest interval: the leader's interval is that times n / N.
    let scaled = PerAxis::from_fn(|axis| scale_up(rates.get(axis).interval(), *steps.get(axis), leader));
    let interval = scaled.x.max(scaled.y).max(scaled.z);
    // Its speed is then scaled / interval of its own highest, and takes that part of its own ramp to reach.
    let coarse = (interval >> 20).max(1);
    let mut ramp = 0;
    for axis in Axis::ALL {
        if *steps.get(axis) > 0 {
            let own = rates.get(axis).ramp();
            let part = div_up(u64::from(own) * ((scaled.get(axis) >> 20) + 1), coarse);
            ramp = part.min(own.into()).max(ramp);
        }
    }
    Rate::new(interval, ramp.min(MAX_RAMP.into()) as u32)
}

/// interval * n / of, rounded up, for n <= of <= 2^30 and an interval below 2^61; 0 for an axis that does not move.
fn scale_up(interval: u64, n: u32, of: u32) -> u64 {
    if n == 0 {
        return 0;
    }
    if n == of {
        return interval;
    }
    let ratio = div_up(u64::from(n) << 32, of.into());
    let (whole, fraction) = (interval >> 32, interval & 0xffff_ffff);
    whole * ratio + ((fraction * ratio) >> 32) + 1
}
