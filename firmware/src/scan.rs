//! The order of a scan: which field is next, which are to be seen once more. What moves and what triggers is the controller's.

use crate::motion::{Axis, PerAxis};
use crate::units::Um;
use crate::wire::{ErrorCode, ScanOrder, ScanPlan, ScanProgress, Setting};
use heapless::Deque;

/// Fields that can wait to be visited once more.
pub const REPEATS: usize = 16;

/// A visit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Visit {
    /// Number of the field in its plan.
    pub field: u32,
    /// Where it lies.
    pub target: PerAxis<Option<Um>>,
    /// Whether it is seen once more, out of turn.
    pub repeated: bool,
}

/// A scan under way.
#[derive(Debug, Clone)]
pub struct Scan {
    operation: u32,
    plan: ScanPlan,
    /// Visits done, in the plan's order.
    visited: u32,
    repeats: Deque<u32, REPEATS>,
    pausing: bool,
    current: Option<Visit>,
}

#[cfg(feature = "defmt")]
impl defmt::Format for Scan {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Scan {{ operation: {}, visited: {}, pausing: {} }}", self.operation, self.visited, self.pausing);
    }
}

impl Scan {
    /// A scan of a plan; `z` is where the stage stands, for a plan that names no z.
    ///
    /// # Errors
    /// [`ErrorCode::OutOfRange`] for a plan without fields, or one that reaches beyond what [`Um`] holds; [`ErrorCode::UnknownField`] for a first
    /// visit beyond its end.
    pub fn new(operation: u32, plan: ScanPlan, z: Um) -> Result<Self, ErrorCode> {
        for (setting, found) in [(Setting::ScanColumns, plan.columns), (Setting::ScanRows, plan.rows)] {
            if found == 0 {
                return Err(ErrorCode::OutOfRange { setting, minimum: 1, maximum: u16::MAX.into(), found: 0 });
            }
        }
        if plan.first_visit >= plan.fields() {
            return Err(ErrorCode::UnknownField { fields: plan.fields(), found: plan.first_visit });
        }
        for (setting, from, pitch, count) in
            [(Setting::ScanPitchX, plan.x, plan.pitch_x, plan.columns), (Setting::ScanPitchY, plan.y, plan.pitch_y, plan.rows)]
        {
            let steps = i64::from(count) - 1;
            let last = i64::from(from.nm()) + i64::from(pitch.nm()) * steps;
            if i32::try_from(last).is_err() {
                let most = |end: i32| i32::try_from((i64::from(end) - i64::from(from.nm())) / steps.max(1)).unwrap_or(end);
                return Err(ErrorCode::OutOfRange { setting, minimum: most(i32::MIN), maximum: most(i32::MAX), found: pitch.nm() });
            }
        }
        let plan = ScanPlan { z: Some(plan.z.unwrap_or(z)), ..plan };
        Ok(Self { operation, visited: plan.first_visit, plan, repeats: Deque::new(), pausing: false, current: None })
    }

    /// Its plan, with z filled in.
    pub const fn plan(&self) -> &ScanPlan {
        &self.plan
    }

    /// Number of its operation.
    pub const fn operation(&self) -> u32 {
        self.operation
    }

    /// The ends of its grid on an axis: when they can be reached, every field can.
    pub fn ends(&self, axis: Axis) -> [Um; 2] {
        let plan = &self.plan;
        match axis {
            Axis::X => [plan.x, at(plan.x, plan.pitch_x, u32::from(plan.columns) - 1)],
            Axis::Y => [plan.y, at(plan.y, plan.pitch_y, u32::from(plan.rows) - 1)],
            Axis::Z => [plan.z.unwrap_or_default(); 2],
        }
    }

    /// The field that the scan is in.
    pub const fn current(&self) -> Option<Visit> {
        self.current
    }

    /// Goes on to the next field: one that is to be seen once more, or the next of the order. `None` at the end, and while it pauses.
    pub fn next_visit(&mut self) -> Option<Visit> {
        if self.pausing {
            return None;
        }
        let (field, repeated) = match self.repeats.pop_front() {
            Some(field) => (field, true),
            None if self.visited < self.plan.fields() => (self.field(self.visited), false),
            None => return None,
        };
        let columns = u32::from(self.plan.columns).max(1);
        let visit = Visit { field, target: self.target(field % columns, field / columns), repeated };
        self.current = Some(visit);
        Some(visit)
    }

    /// The camera has got its pulse in the current field.
    pub fn exposed(&mut self) {
        if let Some(visit) = self.current.take()
            && !visit.repeated
        {
            self.visited += 1;
        }
    }

    /// Halts after the field that it is in.
    pub fn pause(&mut self) {
        self.pausing = true;
    }

    /// Goes on.
    ///
    /// # Errors
    /// [`ErrorCode::ScanNotPaused`].
    pub fn resume(&mut self) -> Result<(), ErrorCode> {
        if !self.pausing {
            return Err(ErrorCode::ScanNotPaused);
        }
        self.pausing = false;
        Ok(())
    }

    /// Visits a field once more, before the next one.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownField`]; [`ErrorCode::OutOfRange`] where [`REPEATS`] fields wait already.
    pub fn repeat(&mut self, field: u32) -> Result<(), ErrorCode> {
        if field >= self.plan.fields() {
            return Err(ErrorCode::UnknownField { fields: self.plan.fields(), found: field });
        }
        let full = ErrorCode::OutOfRange { setting: Setting::ScanRepeats, minimum: 0, maximum: REPEATS as i32, found: REPEATS as i32 + 1 };
        self.repeats.push_back(field).map_err(|_| full)
    }

    /// Whether it waits for [`Scan::resume`], at rest.
    pub fn is_paused(&self) -> bool {
        self.pausing && self.current.is_none()
    }

    /// Whether every field has been visited and none waits.
    pub fn is_over(&self) -> bool {
        self.current.is_none() && self.repeats.is_empty() && self.visited >= self.plan.fields()
    }

    /// How far it is.
    pub fn progress(&self) -> ScanProgress {
        ScanProgress { operation: self.operation, visited: self.visited, fields: self.plan.fields(), paused: self.is_paused() }
    }

    /// The field of a visit.
    fn field(&self, visit: u32) -> u32 {
        let columns = u32::from(self.plan.columns).max(1);
        let (row, column) = (visit / columns, visit % columns);
        let backwards = self.plan.order == ScanOrder::Snake && row % 2 == 1;
        row * columns + if backwards { columns - 1 - column } else { column }
    }

    fn target(&self, column: u32, row: u32) -> PerAxis<Option<Um>> {
        let (x, y) = (at(self.plan.x, self.plan.pitch_x, column), at(self.plan.y, self.plan.pitch_y, row));
        PerAxis { x: Some(x), y: Some(y), z: self.plan.z }
    }
}

/// So many pitches on. The far end fits, so every field between does.
fn at(from: Um, pitch: Um, count: u32) -> Um {
    Um::saturating_from_nm(i64::from(from.nm()) + i64::from(pitch.nm()) * i64::from(count))
}
