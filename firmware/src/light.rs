//! The lamps that light the field: PWM with a ceiling for each channel, ramps, and darkness on every fault.

use embedded_hal::pwm::SetDutyCycle;

/// Full scale of a level: the light's own maximum is 1000.
pub const FULL_PERMILLE: u16 = 1000;

/// Longest ramp.
pub const MAX_RAMP_MS: u32 = 60_000;

/// Why a level is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum LightError {
    /// There is no such channel.
    NoSuchChannel {
        /// Channels there are, numbered from 0.
        channels: u8,
        /// The one asked for.
        found: u8,
    },
    /// Brighter than the channel may ever be.
    AboveCeiling {
        /// The channel's ceiling, permille.
        ceiling: u16,
        /// What was asked for, permille.
        found: u16,
    },
    /// A ramp longer than [`MAX_RAMP_MS`].
    RampTooLong {
        /// What was asked for, milliseconds.
        found: u32,
    },
    /// A ceiling above [`FULL_PERMILLE`].
    CeilingAboveFull {
        /// What was asked for, permille.
        found: u16,
    },
    /// The PWM peripheral refused.
    Pwm {
        /// Its channel.
        channel: u8,
    },
}

impl core::fmt::Display for LightError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::NoSuchChannel { channels, found } => {
                write!(f, "light channel: expected 0 to {}, found {found}", channels.saturating_sub(1))
            }
            Self::AboveCeiling { ceiling, found } => write!(f, "light level: expected at most {ceiling} permille, found {found}"),
            Self::RampTooLong { found } => write!(f, "light ramp: expected at most {MAX_RAMP_MS} ms, found {found}"),
            Self::CeilingAboveFull { found } => write!(f, "light ceiling: expected at most {FULL_PERMILLE} permille, found {found}"),
            Self::Pwm { channel } => write!(f, "the PWM of light {channel} refused"),
        }
    }
}

impl core::error::Error for LightError {}

/// A level that moves linearly from one value to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
struct Ramp {
    from: u16,
    to: u16,
    /// Microseconds since power-on.
    start: u64,
    /// Microseconds.
    length: u64,
}

impl Ramp {
    fn at(&self, now: u64) -> u16 {
        let passed = now.saturating_sub(self.start);
        if passed >= self.length {
            return self.to;
        }
        // Both are below 2^26, so the product stays far below 2^64.
        let way = u64::from(self.from.abs_diff(self.to));
        let gone = (way * passed).checked_div(self.length).unwrap_or(way);
        let gone = u16::try_from(gone).unwrap_or(u16::MAX);
        if self.to >= self.from { self.from.saturating_add(gone) } else { self.from.saturating_sub(gone) }
    }
}

/// One channel: a PWM output with a ceiling. Dark from the start.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Channel<P> {
    pwm: P,
    number: u8,
    ceiling: u16,
    ramp: Ramp,
    shown: u16,
}

impl<P: SetDutyCycle> Channel<P> {
    /// A dark channel that never goes above `ceiling` permille. Its number is its place among the [`Lights`].
    ///
    /// # Errors
    /// [`LightError::CeilingAboveFull`], [`LightError::Pwm`].
    pub fn new(pwm: P, ceiling: u16) -> Result<Self, LightError> {
        if ceiling > FULL_PERMILLE {
            return Err(LightError::CeilingAboveFull { found: ceiling });
        }
        let mut channel = Self { pwm, number: 0, ceiling, ramp: Ramp { from: 0, to: 0, start: 0, length: 0 }, shown: 0 };
        channel.put(0)?;
        Ok(channel)
    }

    /// Starts to move to a level over so many milliseconds.
    ///
    /// # Errors
    /// [`LightError::AboveCeiling`], [`LightError::RampTooLong`]; nothing changes then.
    pub fn set(&mut self, now: u64, permille: u16, ramp_ms: u32) -> Result<(), LightError> {
        if permille > self.ceiling {
            return Err(LightError::AboveCeiling { ceiling: self.ceiling, found: permille });
        }
        if ramp_ms > MAX_RAMP_MS {
            return Err(LightError::RampTooLong { found: ramp_ms });
        }
        self.ramp = Ramp { from: self.shown, to: permille, start: now, length: u64::from(ramp_ms) * 1000 };
        self.poll(now)
    }

    /// Shows what the ramp has come to.
    ///
    /// # Errors
    /// [`LightError::Pwm`].
    pub fn poll(&mut self, now: u64) -> Result<(), LightError> {
        let level = self.ramp.at(now);
        if level == self.shown { Ok(()) } else { self.put(level) }
    }

    /// Dark at once, and dark it stays. The output is written even where it was dark already: a disturbed peripheral is put right.
    ///
    /// # Errors
    /// [`LightError::Pwm`].
    pub fn off(&mut self) -> Result<(), LightError> {
        self.ramp = Ramp { from: 0, to: 0, start: 0, length: 0 };
        self.put(0)
    }

    /// Level that is shown, permille.
    pub fn level(&self) -> u16 {
        self.shown
    }

    /// Whether a ramp still goes on.
    pub fn ramping(&self) -> bool {
        self.shown != self.ramp.to
    }

    fn put(&mut self, permille: u16) -> Result<(), LightError> {
        let written =
            if permille == 0 { self.pwm.set_duty_cycle_fully_off() } else { self.pwm.set_duty_cycle_fraction(permille, FULL_PERMILLE) };
        written.map_err(|_| LightError::Pwm { channel: self.number })?;
        self.shown = permille;
        Ok(())
    }
}

/// All channels of a microscope.
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Lights<P, const N: usize> {
    channels: [Channel<P>; N],
}

impl<P: SetDutyCycle, const N: usize> Lights<P, N> {
    /// Channels, numbered in this order.
    pub fn new(channels: [Channel<P>; N]) -> Self {
        let mut lights = Self { channels };
        for (number, channel) in (0..).zip(&mut lights.channels) {
            channel.number = number;
        }
        lights
    }

    /// See [`Channel::set`].
    ///
    /// # Errors
    /// Those of [`Channel::set`], and [`LightError::NoSuchChannel`].
    pub fn set(&mut self, now: u64, channel: u8, permille: u16, ramp_ms: u32) -> Result<(), LightError> {
        let channels = u8::try_from(N).unwrap_or(u8::MAX);
        let chosen = self.channels.get_mut(usize::from(channel)).ok_or(LightError::NoSuchChannel { channels, found: channel })?;
        chosen.set(now, permille, ramp_ms)
    }

    /// Moves all ramps on.
    ///
    /// # Errors
    /// [`LightError::Pwm`]; the other channels have moved on nevertheless.
    pub fn poll(&mut self, now: u64) -> Result<(), LightError> {
        all(&mut self.channels, |channel| channel.poll(now))
    }

    /// All dark at once.
    ///
    /// # Errors
    /// [`LightError::Pwm`]; the other channels are dark nevertheless.
    #[inline(never)]
    pub fn off(&mut self) -> Result<(), LightError> {
        all(&mut self.channels, Channel::off)
    }

    /// Level of each channel, permille.
    pub fn levels(&self) -> [u16; N] {
        core::array::from_fn(|channel| self.channels.get(channel).map_or(0, Channel::level))
    }
}

/// Does the same to every channel, also behind one that refuses.
fn all<P>(channels: &mut [Channel<P>], mut each: impl FnMut(&mut Channel<P>) -> Result<(), LightError>) -> Result<(), LightError> {
    channels.iter_mut().map(&mut each).fold(Ok(()), Result::and)
}
