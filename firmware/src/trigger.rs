//! The camera's trigger: a pulse of known width, after the stage has settled, with a number that never comes twice.

use embedded_hal::digital::{OutputPin, PinState};

/// Longest pulse and longest delay, microseconds.
pub const MAX_TRIGGER_US: u32 = 10_000_000;

/// Shape of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Pulse {
    /// Before the pulse, microseconds: for a light that needs time.
    pub delay_before_us: u32,
    /// Width, microseconds; at least 1.
    pub width_us: u32,
    /// After the pulse, before anything else happens, microseconds: for an exposure that is longer than the pulse.
    pub delay_after_us: u32,
}

impl Pulse {
    /// Refuses times that cannot be.
    ///
    /// # Errors
    /// [`TriggerError::BadPulse`].
    pub fn check(&self) -> Result<(), TriggerError> {
        let times = [
            (PulseTime::Width, self.width_us, 1),
            (PulseTime::Before, self.delay_before_us, 0),
            (PulseTime::After, self.delay_after_us, 0),
        ];
        for (time, found, least) in times {
            if !(least..=MAX_TRIGGER_US).contains(&found) {
                return Err(TriggerError::BadPulse { time, found });
            }
        }
        Ok(())
    }
}

/// A time of a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum PulseTime {
    /// Rest after a move.
    Settle,
    /// Before the pulse.
    Before,
    /// Its width.
    Width,
    /// After it.
    After,
}

impl core::fmt::Display for PulseTime {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Settle => "settling time",
            Self::Before => "delay before",
            Self::Width => "width",
            Self::After => "delay after",
        })
    }
}

/// Why a trigger is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum TriggerError {
    /// The stage moves.
    Moving,
    /// The trigger before is not over.
    Busy,
    /// A width of 0, or a time above [`MAX_TRIGGER_US`].
    BadPulse {
        /// Which time.
        time: PulseTime,
        /// Its value, microseconds.
        found: u32,
    },
    /// All numbers of this power cycle are used: 2^32 triggers.
    NoMoreNumbers,
    /// The pin refused.
    Pin,
}

impl core::fmt::Display for TriggerError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Moving => f.write_str("no trigger while the stage moves"),
            Self::Busy => f.write_str("the trigger before is not over"),
            Self::BadPulse { time, found } => {
                write!(f, "trigger's {time}: expected at most {MAX_TRIGGER_US} us (and a width above 0), found {found}")
            }
            Self::NoMoreNumbers => f.write_str("all trigger numbers of this power cycle are used"),
            Self::Pin => f.write_str("the trigger's pin refused"),
        }
    }
}

impl core::error::Error for TriggerError {}

/// What has happened to a trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Triggered {
    /// Number of the trigger.
    pub id: u32,
    /// When the pulse rose, microseconds since power-on.
    pub at: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
enum Phase {
    Idle,
    /// Waits for the stage to settle and for the delay.
    Armed {
        from: u64,
    },
    High {
        rose: u64,
    },
    After {
        rose: u64,
        fell: u64,
    },
}

/// A trigger output. Low (or its inactive level) from the start.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Trigger<P> {
    pin: P,
    active_high: bool,
    /// Microseconds without motion before the pulse.
    settle_us: u32,
    pulse: Pulse,
    phase: Phase,
    id: u32,
    /// Number of the next one; none left after 2^32.
    next: Option<u32>,
    /// Since when the stage has been seen still; none while it moves.
    still_since: Option<u64>,
}

impl<P: OutputPin> Trigger<P> {
    /// A trigger that is active at the given level.
    ///
    /// # Errors
    /// [`TriggerError::Pin`].
    pub fn new(pin: P, active: PinState) -> Result<Self, TriggerError> {
        let pulse = Pulse { delay_before_us: 0, width_us: 1, delay_after_us: 0 };
        let active_high = active == PinState::High;
        let mut trigger = Self { pin, active_high, settle_us: 0, pulse, phase: Phase::Idle, id: 0, next: Some(1), still_since: Some(0) };
        trigger.put(false)?;
        Ok(trigger)
    }

    /// Arms a trigger: its pulse follows when the stage has been still for `settle_us` microseconds and `delay_before_us` has passed. Gives its
    /// number, the first of which is 1.
    ///
    /// # Errors
    /// [`TriggerError`]; nothing changes then.
    pub fn fire(&mut self, now: u64, pulse: Pulse, settle_us: u32, moving: bool) -> Result<u32, TriggerError> {
        if moving {
            return Err(TriggerError::Moving);
        }
        if self.phase != Phase::Idle {
            return Err(TriggerError::Busy);
        }
        pulse.check()?;
        if settle_us > MAX_TRIGGER_US {
            return Err(TriggerError::BadPulse { time: PulseTime::Settle, found: settle_us });
        }
        let id = self.next.ok_or(TriggerError::NoMoreNumbers)?;
        self.next = id.checked_add(1);
        self.id = id;
        (self.pulse, self.settle_us) = (pulse, settle_us);
        self.phase = Phase::Armed { from: now };
        Ok(id)
    }

    /// Goes on with the trigger. Gives it back once, when it is over, its last delay included.
    ///
    /// A stage that moves while a trigger is armed keeps it waiting; one that moves during the pulse cannot take it back.
    ///
    /// # Errors
    /// [`TriggerError::Pin`].
    pub fn poll(&mut self, now: u64, moving: bool) -> Result<Option<Triggered>, TriggerError> {
        // A step may still come after the stage was last seen moving, so it rests from when it is first seen still.
        self.still_since = if moving { None } else { self.still_since.or(Some(now)) };
        match self.phase {
            Phase::Idle => Ok(None),
            Phase::Armed { .. } => {
                if self.due().is_some_and(|due| now >= due) {
                    self.put(true)?;
                    self.phase = Phase::High { rose: now };
                }
                Ok(None)
            }
            Phase::High { rose } => {
                if now >= rose.saturating_add(self.pulse.width_us.into()) {
                    self.put(false)?;
                    self.phase = Phase::After { rose, fell: now };
                }
                Ok(None)
            }
            Phase::After { rose, fell } => {
                if now < fell.saturating_add(self.pulse.delay_after_us.into()) {
                    return Ok(None);
                }
                self.phase = Phase::Idle;
                Ok(Some(Triggered { id: self.id, at: rose }))
            }
        }
    }

    /// When [`Trigger::poll`] has something to do next, if the stage stays as it is; nothing while it moves before a pulse.
    pub fn due(&self) -> Option<u64> {
        match self.phase {
            Phase::Idle => None,
            Phase::Armed { from } => {
                let settled = self.still_since?.saturating_add(self.settle_us.into());
                Some(settled.max(from).saturating_add(self.pulse.delay_before_us.into()))
            }
            Phase::High { rose } => Some(rose.saturating_add(self.pulse.width_us.into())),
            Phase::After { fell, .. } => Some(fell.saturating_add(self.pulse.delay_after_us.into())),
        }
    }

    /// Takes a trigger back whose pulse has not begun, and ends one that has. Its number is not used again.
    ///
    /// # Errors
    /// [`TriggerError::Pin`].
    pub fn cancel(&mut self) -> Result<(), TriggerError> {
        self.phase = Phase::Idle;
        self.put(false)
    }

    /// Whether a trigger is under way.
    pub fn busy(&self) -> bool {
        self.phase != Phase::Idle
    }

    /// Number of the latest trigger; 0 before the first.
    pub fn last_id(&self) -> u32 {
        self.id
    }

    fn put(&mut self, active: bool) -> Result<(), TriggerError> {
        self.pin.set_state(PinState::from(active == self.active_high)).map_err(|_| TriggerError::Pin)
    }
}
