//! Which fields are still to be visited, in the order of the controller's own scan.

use super::error::ScanError;
use lsr_firmware::Scan;
use lsr_firmware::wire::ScanPlan;
use std::ops::Range;

/// Most fields of a scan.
const MOST_FIELDS: u32 = 1_000_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    Taken,
    Failed,
}

/// What has become of each visit.
#[derive(Debug)]
pub(super) struct Visits {
    /// Fields by visit.
    order: Vec<u32>,
    /// Visits by field.
    place: Vec<u32>,
    /// By visit.
    state: Vec<State>,
    /// Pulses that a field got in vain, by field.
    vain: Vec<u32>,
    /// Fields that were looked at and are to be looked at once more.
    again: Vec<bool>,
    most: u32,
}

impl Visits {
    /// All fields of a plan, each of which may be visited `repeats` times more than once.
    ///
    /// # Errors
    /// [`ScanError::Plan`].
    pub(super) fn new(plan: &ScanPlan, repeats: u32) -> Result<Self, ScanError> {
        if plan.fields() > MOST_FIELDS {
            return Err(ScanError::TooManyFields { found: plan.fields(), most: MOST_FIELDS });
        }
        // The controller's own scan gives the order, so there is no second one that could differ.
        let mut scan = Scan::new(0, *plan, plan.z.unwrap_or_default()).map_err(ScanError::Plan)?;
        let mut order = Vec::new();
        while let Some(visit) = scan.next_visit() {
            order.push(visit.field);
            scan.exposed();
        }
        let mut place = vec![0; order.len()];
        for (visit, &field) in (0..).zip(&order) {
            if let Some(place) = place.get_mut(field as usize) {
                *place = visit;
            }
        }
        Ok(Self {
            state: vec![State::Missing; order.len()],
            vain: vec![0; order.len()],
            again: vec![false; order.len()],
            order,
            place,
            most: repeats,
        })
    }

    /// The field of a visit.
    pub(super) fn field(&self, visit: u32) -> Option<u32> {
        self.order.get(visit as usize).copied()
    }

    /// The next visits without a frame, as far as they follow each other.
    pub(super) fn next_run(&self) -> Option<Range<u32>> {
        let start = self.state.iter().position(|&state| state == State::Missing)?;
        let length = self.state.iter().skip(start).take_while(|&&state| state == State::Missing).count();
        Some(start as u32..(start + length) as u32)
    }

    /// A field has its frame.
    pub(super) fn take(&mut self, field: u32) {
        self.set(field, State::Taken);
    }

    /// A pulse of a field was in vain. Returns whether the field has failed by that.
    pub(super) fn doubt(&mut self, field: u32) -> bool {
        let Some(vain) = self.vain.get_mut(field as usize) else { return false };
        *vain += 1;
        let failed = *vain > self.most;
        self.set(field, if failed { State::Failed } else { State::Missing });
        failed
    }

    /// A field that has its frame is to be looked at once more.
    pub(super) fn again(&mut self, field: u32) {
        if let Some(again) = self.again.get_mut(field as usize) {
            *again = true;
            self.set(field, State::Missing);
        }
    }

    /// How often a field was visited, if its last visit was not in vain.
    pub(super) fn count(&self, field: u32) -> u32 {
        let again = self.again.get(field as usize).copied().unwrap_or(false);
        self.vain.get(field as usize).map_or(1, |vain| vain + 1 + u32::from(again))
    }

    /// Pulses that were in vain.
    pub(super) fn vain(&self) -> u32 {
        self.vain.iter().sum()
    }

    fn set(&mut self, field: u32, state: State) {
        let place = self.place.get(field as usize).map(|&visit| visit as usize);
        if let Some(found) = place.and_then(|visit| self.state.get_mut(visit)) {
            *found = state;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsr_firmware::Um;
    use lsr_firmware::wire::{ScanOrder, TriggerPulse};

    fn plan() -> ScanPlan {
        ScanPlan {
            x: Um::ZERO,
            y: Um::ZERO,
            z: None,
            columns: 3,
            rows: 2,
            pitch_x: Um::from_nm(1),
            pitch_y: Um::from_nm(1),
            order: ScanOrder::Snake,
            first_visit: 0,
            settle_ms: 0,
            trigger: TriggerPulse { width_us: 1, delay_before_us: 0, delay_after_us: 0 },
            light: None,
        }
    }

    #[test]
    fn holes_are_visited_until_they_fail() {
        let mut visits = Visits::new(&plan(), 1).unwrap();
        assert_eq!((0..7).map_while(|visit| visits.field(visit)).collect::<Vec<_>>(), [0, 1, 2, 5, 4, 3]);
        for field in [0, 1, 5] {
            visits.take(field);
        }
        assert_eq!(visits.next_run(), Some(2..3));
        assert!(!visits.doubt(2) && !visits.doubt(5));
        assert_eq!((visits.next_run(), visits.count(2)), (Some(2..6), 2), "a frame that is taken back is a hole");
        assert!(visits.doubt(2));
        assert_eq!(visits.next_run(), Some(3..6));
        for field in [5, 4, 3] {
            visits.take(field);
        }
        assert_eq!((visits.next_run(), visits.vain()), (None, 3));
        visits.again(0);
        assert_eq!((visits.next_run(), visits.count(0), visits.vain()), (Some(0..1), 2, 3), "looked at once more, which is not in vain");
    }

    #[test]
    fn a_plan_that_cannot_be_is_refused() {
        assert!(matches!(Visits::new(&ScanPlan { columns: 0, ..plan() }, 1), Err(ScanError::Plan(_))));
        assert!(matches!(Visits::new(&ScanPlan { columns: 2_000, rows: 2_000, ..plan() }, 1), Err(ScanError::TooManyFields { .. })));
    }
}
