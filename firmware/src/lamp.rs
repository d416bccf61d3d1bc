//! A lamp, buzzer or relay beside the eyepiece that says: what you see no longer agrees with the prior.

use embedded_hal::digital::{OutputPin, PinState};

/// An output pin that follows the monitor's alarm. Dark from the start.
///
/// ```
/// # use embedded_hal::digital::{ErrorType, OutputPin, PinState};
/// # struct Pin(bool);
/// # impl ErrorType for Pin { type Error = core::convert::Infallible; }
/// # impl OutputPin for Pin {
/// #     fn set_low(&mut self) -> Result<(), Self::Error> { self.0 = false; Ok(()) }
/// #     fn set_high(&mut self) -> Result<(), Self::Error> { self.0 = true; Ok(()) }
/// # }
/// # let pin = Pin(false);
/// use lsr_firmware::AlarmLamp;
/// let mut lamp = AlarmLamp::new(pin, PinState::High)?;
/// lamp.show(true)?;
/// assert!(lamp.release().0);
/// # Ok::<(), core::convert::Infallible>(())
/// ```
#[derive(Debug)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct AlarmLamp<P> {
    pin: P,
    lit_when_high: bool,
}

impl<P: OutputPin> AlarmLamp<P> {
    /// A lamp that is lit while its pin is at the level `lit`; it is switched off.
    ///
    /// # Errors
    /// The pin's own.
    pub fn new(pin: P, lit: PinState) -> Result<Self, P::Error> {
        let mut lamp = Self { pin, lit_when_high: lit == PinState::High };
        lamp.show(false)?;
        Ok(lamp)
    }

    /// Lit with an alarm, dark without. The pin is set every time, so that a disturbed one is put right by the next field.
    ///
    /// # Errors
    /// The pin's own.
    pub fn show(&mut self, alarm: bool) -> Result<(), P::Error> {
        self.pin.set_state(PinState::from(alarm == self.lit_when_high))
    }

    /// The pin, as it stands.
    pub fn release(self) -> P {
        self.pin
    }
}
