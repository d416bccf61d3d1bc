//! Pulses: their times, their numbers, and that none comes while the stage moves.

use embedded_hal::digital::{ErrorType, OutputPin, PinState};
use lsr_firmware::{MAX_TRIGGER_US, Pulse, PulseTime, Trigger, TriggerError, Triggered};
use proptest::prelude::*;
use std::cell::RefCell;
use std::convert::Infallible;
use std::rc::Rc;

/// A pin that writes down its levels.
#[derive(Debug, Clone, Default)]
struct Pin(Rc<RefCell<Vec<bool>>>);

impl ErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.0.borrow_mut().push(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.0.borrow_mut().push(true);
        Ok(())
    }
}

impl Pin {
    fn high(&self) -> bool {
        *self.0.borrow().last().unwrap()
    }
}

const PULSE: Pulse = Pulse { delay_before_us: 20, width_us: 50, delay_after_us: 30 };

#[test]
fn the_pulse_has_its_times_and_waits_for_the_stage() {
    let pin = Pin::default();
    let mut trigger = Trigger::new(pin.clone(), PinState::High).unwrap();
    assert!(!pin.high());
    assert_eq!(trigger.fire(0, PULSE, 200, true), Err(TriggerError::Moving));
    // The stage stops at 1000 us.
    for now in 0..=1000 {
        trigger.poll(now, true).unwrap();
    }
    assert_eq!(trigger.fire(1001, PULSE, 200, false), Ok(1));
    assert_eq!(trigger.fire(1001, PULSE, 200, false), Err(TriggerError::Busy));
    let mut edges = Vec::new();
    let mut done = None;
    for now in 1001..2000 {
        let before = pin.high();
        if let Some(triggered) = trigger.poll(now, false).unwrap() {
            done = Some((now, triggered));
        }
        if pin.high() != before {
            edges.push(now);
        }
    }
    // Seen still at 1001 + settling 200 + 20; 50 later; the end another 30 later.
    assert_eq!(edges, [1221, 1271]);
    assert_eq!(done, Some((1301, Triggered { id: 1, at: 1221 })));
}

#[test]
fn a_stage_that_moves_again_keeps_an_armed_trigger_waiting() {
    let pin = Pin::default();
    let mut trigger = Trigger::new(pin.clone(), PinState::Low).unwrap();
    assert!(pin.high(), "active low: inactive is high");
    trigger.fire(0, PULSE, 100, false).unwrap();
    for now in 0..500 {
        trigger.poll(now, true).unwrap();
        assert!(pin.high());
    }
    assert_eq!(trigger.due(), None);
    trigger.poll(500, false).unwrap();
    assert_eq!(trigger.due(), Some(500 + 100 + 20));
    trigger.poll(619, false).unwrap();
    assert!(pin.high());
    trigger.poll(620, false).unwrap();
    assert!(!pin.high());
    trigger.cancel().unwrap();
    assert!(pin.high() && !trigger.busy(), "a fault ends the pulse");
    assert_eq!(trigger.fire(700, PULSE, 100, false), Ok(2), "its number is used up");
}

#[test]
fn pulses_that_cannot_be_are_refused_by_name() {
    let mut trigger = Trigger::new(Pin::default(), PinState::High).unwrap();
    for (pulse, time, found) in [
        (Pulse { width_us: 0, ..PULSE }, PulseTime::Width, 0),
        (Pulse { width_us: MAX_TRIGGER_US + 1, ..PULSE }, PulseTime::Width, MAX_TRIGGER_US + 1),
        (Pulse { delay_before_us: MAX_TRIGGER_US + 1, ..PULSE }, PulseTime::Before, MAX_TRIGGER_US + 1),
        (Pulse { delay_after_us: u32::MAX, ..PULSE }, PulseTime::After, u32::MAX),
    ] {
        assert_eq!(trigger.fire(0, pulse, 0, false), Err(TriggerError::BadPulse { time, found }));
    }
    assert_eq!(trigger.last_id(), 0, "a refused trigger takes no number");
    let found = MAX_TRIGGER_US + 1;
    assert_eq!(trigger.fire(0, PULSE, found, false), Err(TriggerError::BadPulse { time: PulseTime::Settle, found }));
}

proptest! {
    #[test]
    fn however_it_is_polled_no_pulse_is_shorter_or_too_early_and_numbers_grow_by_one(
        settle in 0_u32..500, before in 0_u32..300, width in 1_u32..300, after in 0_u32..300,
        steps in prop::collection::vec((1_u64..400, any::<bool>(), any::<bool>()), 1..200)
    ) {
        let pin = Pin::default();
        let mut trigger = Trigger::new(pin.clone(), PinState::High).unwrap();
        let pulse = Pulse { delay_before_us: before, width_us: width, delay_after_us: after };
        let (mut now, mut last_moved, mut rose, mut given, mut ended) = (0_u64, None, None, 0_u32, 0_u32);
        for (step, moves, fires) in steps {
            now += step;
            if moves {
                last_moved = Some(now);
            }
            if fires && let Ok(id) = trigger.fire(now, pulse, settle, moves) {
                given += 1;
                prop_assert_eq!(id, given);
                prop_assert!(!moves);
            }
            let was = pin.high();
            let done = trigger.poll(now, moves).unwrap();
            if pin.high() && !was {
                prop_assert!(!moves, "a pulse began while the stage moved");
                prop_assert!(last_moved.is_none_or(|moved| now - moved >= u64::from(settle)));
                rose = Some(now);
            }
            if was && !pin.high() {
                prop_assert!(now - rose.unwrap() >= u64::from(width));
            }
            if let Some(done) = done {
                ended += 1;
                prop_assert_eq!((done.id, Some(done.at)), (ended, rose));
            }
        }
        prop_assert!(given - ended <= 1);
    }
}
