//! Levels, ceilings, ramps, darkness.

use embedded_hal::pwm::{ErrorKind, ErrorType, SetDutyCycle};
use lsr_firmware::{Channel, LightError, Lights, MAX_RAMP_MS};
use proptest::prelude::*;
use std::cell::RefCell;
use std::rc::Rc;

/// A PWM that writes down every duty cycle, and can be broken.
#[derive(Debug, Clone, Default)]
struct Pwm {
    written: Rc<RefCell<Vec<u16>>>,
    broken: Rc<RefCell<bool>>,
}

/// Of its full duty cycle.
const MAX: u16 = 6250;

#[derive(Debug)]
struct Broken;

impl embedded_hal::pwm::Error for Broken {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

impl ErrorType for Pwm {
    type Error = Broken;
}

impl SetDutyCycle for Pwm {
    fn max_duty_cycle(&self) -> u16 {
        MAX
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Broken> {
        if *self.broken.borrow() {
            return Err(Broken);
        }
        self.written.borrow_mut().push(duty);
        Ok(())
    }
}

impl Pwm {
    fn last(&self) -> u16 {
        *self.written.borrow().last().unwrap()
    }
}

#[test]
fn a_channel_is_dark_until_it_is_asked_and_never_above_its_ceiling() {
    let pwm = Pwm::default();
    let mut channel = Channel::new(pwm.clone(), 600).unwrap();
    assert_eq!(*pwm.written.borrow(), [0], "dark is written, not assumed");
    channel.set(0, 600, 0).unwrap();
    assert_eq!(pwm.last(), 3750);
    assert_eq!(channel.set(0, 601, 0), Err(LightError::AboveCeiling { ceiling: 600, found: 601 }));
    assert_eq!(channel.set(0, 1, MAX_RAMP_MS + 1), Err(LightError::RampTooLong { found: MAX_RAMP_MS + 1 }));
    assert_eq!((pwm.last(), channel.level()), (3750, 600), "a refused level changes nothing");
    assert_eq!(Channel::new(Pwm::default(), 1001).unwrap_err(), LightError::CeilingAboveFull { found: 1001 });
}

#[test]
fn off_is_at_once_in_the_middle_of_a_ramp_and_in_all_channels() {
    let pwms = [Pwm::default(), Pwm::default(), Pwm::default()];
    let mut lights = Lights::new(pwms.clone().map(|pwm| Channel::new(pwm, 1000).unwrap()));
    for channel in 0..3 {
        lights.set(0, channel, 1000, 100).unwrap();
    }
    lights.poll(50_000).unwrap();
    assert_eq!(lights.levels(), [500; 3]);
    *pwms[0].broken.borrow_mut() = true;
    assert_eq!(lights.off(), Err(LightError::Pwm { channel: 0 }), "the broken one is reported");
    assert_eq!((pwms[1].last(), pwms[2].last()), (0, 0), "and does not keep the others alight");
    *pwms[0].broken.borrow_mut() = false;
    lights.off().unwrap();
    lights.poll(99_000).unwrap();
    assert_eq!(lights.levels(), [0; 3], "a ramp does not go on after the fault");
    assert_eq!(lights.set(0, 3, 1, 0), Err(LightError::NoSuchChannel { channels: 3, found: 3 }));
}

proptest! {
    #[test]
    fn a_ramp_is_monotonic_stays_between_its_ends_and_arrives(
        from in 0_u16..=800, to in 0_u16..=800, ramp_ms in 0_u32..=5_000, mut times in prop::collection::vec(0_u64..6_000_000, 1..40)
    ) {
        let mut channel = Channel::new(Pwm::default(), 800).unwrap();
        channel.set(0, from, 0).unwrap();
        channel.set(1_000, to, ramp_ms).unwrap();
        times.sort_unstable();
        let mut before = from;
        for time in times {
            channel.poll(1_000 + time).unwrap();
            let level = channel.level();
            prop_assert!(if to >= from { (before..=to).contains(&level) } else { (to..=before).contains(&level) }, "{before} {level} {to}");
            // Half way in time is half way in level, to a permille.
            let share = (time as f64 / (f64::from(ramp_ms) * 1e3).max(1e-9)).min(1.0);
            let ideal = f64::from(from) + (f64::from(to) - f64::from(from)) * share;
            prop_assert!((f64::from(level) - ideal).abs() <= 1.0, "{level} {ideal}");
            before = level;
        }
        channel.poll(1_000 + 5_000_000).unwrap();
        prop_assert_eq!(channel.level(), to);
        prop_assert!(!channel.ramping());
    }
}
