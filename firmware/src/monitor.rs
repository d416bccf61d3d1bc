//! Carries out the host's requests with core: integer sums become a count, and the count is held against the prior.

use crate::wire::{Answer, Command, Consistency, ErrorCode, Event, FieldSummary, LabelMoments, Outcome, SummedField};
use lsr_core::{BlockMoments, CountPrior, Error, Monitor, MonitorConfig, U8Sums};

/// Major, minor and patch version of this crate, as [`Identity`](crate::wire::Identity) states it.
pub const FIRMWARE_VERSION: [u16; 3] =
    [number(env!("CARGO_PKG_VERSION_MAJOR")), number(env!("CARGO_PKG_VERSION_MINOR")), number(env!("CARGO_PKG_VERSION_PATCH"))];

/// Cargo gives nothing but digits; a number that does not fit is cut to the largest.
const fn number(digits: &str) -> u16 {
    match u16::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => u16::MAX,
    }
}

/// Watches up to `Z` labels, 255 at most, in f32 and fixed memory.
///
/// ```
/// use lsr_core::{CountPrior, MonitorConfig, U8Sums};
/// use lsr_firmware::FieldMonitor;
/// use lsr_firmware::wire::{Answer, Command, FieldSummary};
/// let prior = CountPrior::<f32, 10, 2>::table_1();
/// let mut monitor = FieldMonitor::<10>::new(&prior, 1, MonitorConfig::default()).unwrap();
/// // A field of label 9 (70 +- 5 % cancer) of which the network says 70 % with certainty.
/// let mut sums = U8Sums::default();
/// sums.push_row(&[255; 70]);
/// sums.push_row(&[0; 30]);
/// let outcome = monitor.carry_out(&Command::Field(FieldSummary::new(9, sums)));
/// let Some(Ok(Answer::Consistency(found))) = outcome else { panic!() };
/// assert!(found.z_score.abs() < 1e-4 && found.alarm.is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldMonitor<const Z: usize> {
    monitor: Monitor<f32, Z>,
    labels: u8,
    /// Labels whose alarm the host has been told of.
    told: [bool; Z],
    /// The field whose rows are coming.
    open: Option<(u8, U8Sums)>,
}

impl<const Z: usize> FieldMonitor<Z> {
    /// A monitor for one high-resolution class of a prior.
    ///
    /// # Errors
    /// Those of [`Monitor::new`]; [`Error::TooMany`] for more than 255 labels, which a message could not name.
    pub fn new<const ZP: usize, const LP: usize>(
        prior: &CountPrior<f32, ZP, LP>,
        class: usize,
        config: MonitorConfig<f32>,
    ) -> Result<Self, Error> {
        let found = prior.labels();
        let labels = u8::try_from(found).map_err(|_| Error::TooMany { name: "labels", capacity: usize::from(u8::MAX), found })?;
        Ok(Self { monitor: Monitor::new(prior, class, config)?, labels, told: [false; Z], open: None })
    }

    /// Carries out a command of the monitor; `None` if it is none.
    pub fn carry_out(&mut self, command: &Command) -> Option<Outcome> {
        Some(match command {
            Command::Field(field) => self.observe(field).map(Answer::Consistency),
            Command::BeginField { label } => self.begin_field(*label).map(|()| Answer::Done),
            Command::FieldRow(row) => self.push_row(row.as_slice()).map(|pixels| Answer::RowTaken { pixels }),
            Command::EndField { pixels } => self.end_field(*pixels).map(Answer::Summed),
            Command::Moments { label } => self.moments(*label).map(Answer::Moments),
            Command::AcknowledgeAlarm { label } => self.acknowledge(*label).map(|()| Answer::Done),
            _ => return None,
        })
    }

    /// Number of labels that it watches.
    pub const fn labels(&self) -> u8 {
        self.labels
    }

    /// A field of this label follows row by row; one that was begun before is forgotten.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownLabel`]; then no field is open.
    pub fn begin_field(&mut self, label: u8) -> Result<(), ErrorCode> {
        self.open = None;
        self.monitor.alarm(usize::from(label))?;
        self.open = Some((label, U8Sums::default()));
        Ok(())
    }

    /// Adds pixels to the open field; returns how many it has.
    ///
    /// # Errors
    /// [`ErrorCode::NoOpenField`].
    pub fn push_row(&mut self, pixels: &[u8]) -> Result<u32, ErrorCode> {
        let (_, sums) = self.open.as_mut().ok_or(ErrorCode::NoOpenField)?;
        sums.push_row(pixels);
        Ok(sums.pixels)
    }

    /// Takes in the open field, which must have so many pixels; it is closed in any case.
    ///
    /// # Errors
    /// [`ErrorCode::NoOpenField`], [`ErrorCode::PixelsMissing`], and those of [`observe`](Self::observe).
    pub fn end_field(&mut self, pixels: u32) -> Result<SummedField, ErrorCode> {
        let (label, sums) = self.open.take().ok_or(ErrorCode::NoOpenField)?;
        if sums.pixels != pixels {
            return Err(ErrorCode::PixelsMissing { expected: pixels, found: sums.pixels });
        }
        let summary = FieldSummary::new(label, sums);
        Ok(SummedField { summary, consistency: self.observe(&summary)? })
    }

    /// Forgets the open field: its host is gone.
    pub const fn forget_field(&mut self) {
        self.open = None;
    }

    /// Takes in a field. One that is refused changes nothing.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownLabel`], [`ErrorCode::EmptyField`], [`ErrorCode::TooManyPixels`], [`ErrorCode::ImpossibleSums`], [`ErrorCode::NotFinite`].
    pub fn observe(&mut self, field: &FieldSummary) -> Result<Consistency, ErrorCode> {
        let block = BlockMoments::from_u8_sums(field.sums())?;
        let observation = self.monitor.observe(usize::from(field.label), &block)?;
        Ok(Consistency { z_score: observation.z_score, alarm: observation.alarm.map(Into::into) })
    }

    /// The moments of all fields of a label so far.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownLabel`].
    pub fn moments(&self, label: u8) -> Result<LabelMoments, ErrorCode> {
        Ok(LabelMoments::new(label, &self.monitor.moments(usize::from(label))?))
    }

    /// Ends the alarm of a label.
    ///
    /// # Errors
    /// [`ErrorCode::UnknownLabel`].
    pub fn acknowledge(&mut self, label: u8) -> Result<(), ErrorCode> {
        self.monitor.acknowledge(usize::from(label))?;
        if let Some(told) = self.told.get_mut(usize::from(label)) {
            *told = false;
        }
        Ok(())
    }

    /// Whether any label has an alarm: what an [`AlarmLamp`](crate::AlarmLamp) shows.
    pub fn alarm(&self) -> bool {
        (0..self.labels).any(|label| matches!(self.monitor.alarm(usize::from(label)), Ok(Some(_))))
    }

    /// The next alarm that the host has not been told of. To be called after every field, until there is none.
    pub fn next_event(&mut self) -> Option<Event> {
        for (label, told) in (0..self.labels).zip(&mut self.told) {
            if let (false, Ok(Some(drift))) = (*told, self.monitor.alarm(usize::from(label))) {
                *told = true;
                return Some(Event::Alarm { label, direction: drift.into() });
            }
        }
        None
    }
}
