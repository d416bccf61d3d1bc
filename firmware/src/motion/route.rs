//! The straight lines that a move consists of: z out of the way, past the target against the approach, then to it.

use crate::motion::axis::{Axes, Axis, PerAxis, Side};
use crate::motion::kinematics::Kinematics;

/// A move, leg by leg. Positions are steps from the axis' zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub(crate) struct Route {
    target: PerAxis<i32>,
    /// Axes that are to reach their target.
    axes: Axes,
    /// Where z is to be before x and y move, if it must not move together with them.
    retract: Option<i32>,
    leg: u8,
}

/// How far the motor has to turn in the direction of approach until the play is taken up.
pub(crate) fn slack_after(slack: i32, moved: i32, kinematics: &Kinematics) -> i32 {
    let forward = kinematics.approach.signed(moved);
    slack.saturating_sub(forward).max(0).min(kinematics.backlash)
}

impl Route {
    pub(crate) fn new(target: PerAxis<i32>, axes: Axes, retract: Option<i32>) -> Self {
        Self { target, axes, retract, leg: 0 }
    }

    /// The next leg from a position, as a displacement; `None` when the target is reached. Legs of no length are left out.
    pub(crate) fn next_leg(&mut self, position: &PerAxis<i32>, slack: &PerAxis<i32>, axes: &PerAxis<Kinematics>) -> Option<PerAxis<i32>> {
        loop {
            let leg = self.leg;
            self.leg = leg.saturating_add(1);
            let to = match (self.retract, leg) {
                (Some(retract), 0) => PerAxis { z: retract, ..*position },
                (None, 0) | (Some(_), 1 | 3) => {
                    let group = self.group(leg);
                    PerAxis::from_fn(|axis| match group.contains(axis) {
                        true => before(*self.target.get(axis), *position.get(axis), *slack.get(axis), axes.get(axis)),
                        false => *position.get(axis),
                    })
                }
                (None, 1) | (Some(_), 2 | 4) => {
                    let group = self.group(leg);
                    PerAxis::from_fn(|axis| if group.contains(axis) { *self.target.get(axis) } else { *position.get(axis) })
                }
                _ => return None,
            };
            let by = PerAxis::from_fn(|axis| to.get(axis).wrapping_sub(*position.get(axis)));
            if by != PerAxis::splat(0) {
                return Some(by);
            }
        }
    }

    /// Axes that move in a leg: all together, or with retraction x and y before z.
    fn group(&self, leg: u8) -> Axes {
        match (self.retract, leg) {
            (None, _) => self.axes,
            (Some(_), 1 | 2) => self.axes.without(Axis::Z),
            (Some(_), _) => self.axes.without(Axis::X).without(Axis::Y),
        }
    }
}

/// Where an axis goes before its approach: the target itself when getting there takes up the play anyway. Within the limits even if the target is
/// too close to one, which it can be when z only comes back to where it was stopped.
fn before(target: i32, position: i32, slack: i32, kinematics: &Kinematics) -> i32 {
    let forward = kinematics.approach.signed(target.wrapping_sub(position));
    let past = if forward >= slack { target } else { target.wrapping_sub(kinematics.approach.signed(kinematics.backlash)) };
    past.max(kinematics.min).min(kinematics.max)
}

/// Whether z at a position is out of the way.
pub(crate) fn is_retracted(position: i32, retract: i32, side: Side) -> bool {
    side.signed(position.wrapping_sub(retract)) >= 0
}
