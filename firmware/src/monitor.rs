//! Carries out the host's requests with core: integer sums become a count, and the count is held against the prior.

use crate::link::{
    Answer, Command, Consistency, ErrorCode, Event, EventKind, FieldSummary, LabelMoments, PROTOCOL_VERSION, Reply, Request, Version,
};
use lsr_core::{BlockMoments, CountPrior, Error, Monitor, MonitorConfig};

/// Major, minor and patch version of this crate.
const FIRMWARE_VERSION: [u16; 3] =
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
/// use lsr_firmware::{Answer, Command, FieldMonitor, FieldSummary, Request};
/// let prior = CountPrior::<f32, 10, 2>::table_1();
/// let mut monitor = FieldMonitor::<10>::new(&prior, 1, MonitorConfig::default()).unwrap();
/// // A field of label 9 (70 +- 5 % cancer) of which the network says 70 % with certainty.
/// let mut sums = U8Sums::default();
/// sums.push_row(&[255; 70]);
/// sums.push_row(&[0; 30]);
/// let reply = monitor.answer(Request { sequence: 1, command: Command::Field(FieldSummary::new(9, sums)) });
/// let Ok(Answer::Consistency(found)) = reply.result else { panic!() };
/// assert!(found.z_score.abs() < 1e-4 && found.alarm.is_none());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct FieldMonitor<const Z: usize> {
    monitor: Monitor<f32, Z>,
    labels: u8,
    /// Labels whose alarm the host has been told of.
    told: [bool; Z],
    events: u32,
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
        Ok(Self { monitor: Monitor::new(prior, class, config)?, labels, told: [false; Z], events: 0 })
    }

    /// Carries out a request.
    pub fn answer(&mut self, request: Request) -> Reply {
        let result = match request.command {
            Command::Ping => Ok(Answer::Pong(self.version())),
            Command::Field(field) => self.observe(&field).map(Answer::Consistency),
            Command::Moments { label } => self.moments(label).map(Answer::Moments),
            Command::Acknowledge { label } => self.acknowledge(label).map(|()| Answer::Acknowledged),
        };
        Reply { sequence: request.sequence, result }
    }

    /// Who this is.
    pub fn version(&self) -> Version {
        Version { protocol: PROTOCOL_VERSION, firmware: FIRMWARE_VERSION, labels: self.labels }
    }

    /// Takes in a field. One that is refused changes nothing.
    ///
    /// # Errors
    /// All of [`ErrorCode`] but `Internal`.
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
                let sequence = self.events;
                self.events = self.events.wrapping_add(1);
                return Some(Event { sequence, kind: EventKind::Alarm { label, direction: drift.into() } });
            }
        }
        None
    }
}
