//! The controller judges as core does, refuses by code, tells of an alarm once, and shows it on a pin.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

use embedded_hal::digital::{ErrorKind, ErrorType, OutputPin, PinState};
use lsr_core::{BlockMoments, Count, CountPrior, Error, GroupMoments, Monitor, MonitorConfig, U8Sums, VarianceModel};
use lsr_firmware::wire::{Answer, Command, Consistency, Direction, ErrorCode, Event, FieldSummary, ROW_PIXELS, RowPixels, SummedField};
use lsr_firmware::{AlarmLamp, FIRMWARE_VERSION, FieldMonitor};
use proptest::collection::vec;
use proptest::prelude::*;

fn prior() -> CountPrior<f32, 10, 2> {
    CountPrior::table_1()
}

fn monitor() -> FieldMonitor<10> {
    FieldMonitor::new(&prior(), 1, MonitorConfig::default()).unwrap()
}

/// A field of 1,000 certain pixels of which so many are cancer.
fn field(label: u8, cancer: u32) -> FieldSummary {
    let q = u64::from(cancer);
    FieldSummary { label, pixels: 1_000, sum: 255 * q, sum_of_squares: 65_025 * q }
}

fn ask(monitor: &mut FieldMonitor<10>, command: Command) -> Result<Answer, ErrorCode> {
    monitor.carry_out(&command).unwrap()
}

fn consistency(monitor: &mut FieldMonitor<10>, field: FieldSummary) -> Consistency {
    match ask(monitor, Command::Field(field)) {
        Ok(Answer::Consistency(consistency)) => consistency,
        other => panic!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(500) })]

    /// The same bits as core's monitor on the same bytes, and the same moments after them.
    #[test]
    fn the_controller_is_core(fields in vec((0..10_u8, vec(any::<u8>(), 1..50)), 1..30)) {
        let mut core = Monitor::<f32, 10>::new(&prior(), 1, MonitorConfig::default()).unwrap();
        let mut controller = monitor();
        for (label, bytes) in &fields {
            let mut sums = U8Sums::default();
            sums.push_row(bytes);
            let expected = core.observe(usize::from(*label), &BlockMoments::from_u8(bytes).unwrap()).unwrap();
            let found = consistency(&mut controller, FieldSummary::new(*label, sums));
            prop_assert_eq!(found.z_score.to_bits(), expected.z_score.to_bits());
            prop_assert_eq!(found.alarm, expected.alarm.map(Direction::from));
        }
        for label in 0..10_u8 {
            let Ok(Answer::Moments(moments)) = ask(&mut controller, Command::Moments { label }) else { panic!() };
            let (sent, expected) = (moments.group().unwrap(), core.moments(usize::from(label)).unwrap());
            prop_assert_eq!((moments.label, sent.blocks()), (label, expected.blocks()));
            // Divided by N when sent, multiplied when read: two roundings of 2^-24.
            let near = |a: f32, b: f32| (a - b).abs() <= 2.4e-7 * b.abs();
            prop_assert!(near(sent.mean(), expected.mean()) && near(sent.between_variance(), expected.between_variance()));
            for model in [VarianceModel::CountFraction, VarianceModel::BernoulliMean] {
                prop_assert!(near(sent.within_variance(model), expected.within_variance(model)));
            }
        }
    }

    /// Any request: an answer of finite numbers or a code that says what was wrong with it, never the code for a defect.
    #[test]
    fn no_request_panics_or_finds_a_defect(requests in vec(any::<(u8, u8, u32, u64, u64)>(), 1..20)) {
        let mut controller = monitor();
        for (kind, label, pixels, sum, sum_of_squares) in requests {
            let command = match kind % 8 {
                0 => Command::BeginField { label },
                5 => Command::FieldRow(RowPixels::new(&[label; ROW_PIXELS]).unwrap()),
                6 => Command::EndField { pixels: pixels % 3 * ROW_PIXELS as u32 },
                1 => Command::Moments { label },
                2 => Command::AcknowledgeAlarm { label },
                3 => Command::Field(FieldSummary { label, pixels, sum, sum_of_squares }),
                _ => Command::Field(field(label % 12, pixels % 1_001)),
            };
            match ask(&mut controller, command) {
                Ok(Answer::Consistency(found)) => prop_assert!(found.z_score.is_finite()),
                Ok(Answer::Moments(moments)) => prop_assert!(moments.group().is_ok()),
                Ok(Answer::Summed(found)) => prop_assert!(found.consistency.z_score.is_finite()),
                Ok(Answer::Done | Answer::RowTaken { .. }) => {}
                Ok(other) => prop_assert!(false, "{:?}", other),
                Err(code) => prop_assert_ne!(code, ErrorCode::Internal),
            }
            while controller.next_event().is_some() {}
        }
    }
}

#[test]
fn it_says_its_version_and_leaves_other_commands_alone() {
    assert_eq!(FIRMWARE_VERSION.map(|n| n.to_string()).join("."), env!("CARGO_PKG_VERSION"));
    assert_eq!(monitor().labels(), 10);
    for command in [Command::Ping, Command::Stop, Command::AcknowledgeFault] {
        assert_eq!(monitor().carry_out(&command), None);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    /// Pixels in rows of any length are the field that a host would have summed.
    #[test]
    fn rows_add_up_to_the_field(rows in vec(vec(any::<u8>(), 0..=ROW_PIXELS), 1..20)) {
        let pixels: Vec<u8> = rows.concat();
        let (mut by_rows, mut by_sums) = (monitor(), monitor());
        let count = pixels.len() as u32;
        prop_assert_eq!(ask(&mut by_rows, Command::BeginField { label: 3 }), Ok(Answer::Done));
        let mut so_far = 0;
        for row in &rows {
            so_far += row.len() as u32;
            prop_assert_eq!(ask(&mut by_rows, Command::FieldRow(RowPixels::new(row).unwrap())), Ok(Answer::RowTaken { pixels: so_far }));
        }
        let mut sums = U8Sums::default();
        sums.push_row(&pixels);
        let summary = FieldSummary::new(3, sums);
        let expected = by_sums.observe(&summary).map(|consistency| Answer::Summed(SummedField { summary, consistency }));
        prop_assert_eq!(ask(&mut by_rows, Command::EndField { pixels: count }), expected);
        prop_assert_eq!(by_rows, by_sums);
    }
}

/// A field that did not come whole is not counted, and does not stay open.
#[test]
fn a_field_with_missing_rows_is_refused() {
    let mut controller = monitor();
    let before = controller.clone();
    let row = || Command::FieldRow(RowPixels::new(&[255; 100]).unwrap());
    assert_eq!(ask(&mut controller, row()), Err(ErrorCode::NoOpenField));
    assert_eq!(ask(&mut controller, Command::BeginField { label: 10 }), Err(ErrorCode::UnknownLabel { labels: 10, found: 10 }));
    assert_eq!(ask(&mut controller, Command::EndField { pixels: 0 }), Err(ErrorCode::NoOpenField));
    for _ in 0..2 {
        assert_eq!(ask(&mut controller, Command::BeginField { label: 9 }), Ok(Answer::Done));
        assert_eq!(ask(&mut controller, row()), Ok(Answer::RowTaken { pixels: 100 }));
    }
    assert_eq!(ask(&mut controller, Command::EndField { pixels: 200 }), Err(ErrorCode::PixelsMissing { expected: 200, found: 100 }));
    assert_eq!(ask(&mut controller, Command::EndField { pixels: 100 }), Err(ErrorCode::NoOpenField));
    assert_eq!(ask(&mut controller, Command::BeginField { label: 9 }), Ok(Answer::Done));
    controller.forget_field();
    assert_eq!(controller, before);
    assert!(RowPixels::new(&[0; ROW_PIXELS + 1]).is_none());
}

/// Every code by a request, and none of them changes what is known.
#[test]
fn what_is_refused_has_a_code_and_changes_nothing() {
    let mut controller = monitor();
    let before = controller.clone();
    let sums = |pixels, sum, sum_of_squares| Command::Field(FieldSummary { label: 9, pixels, sum, sum_of_squares });
    for (command, code) in [
        (Command::Moments { label: 10 }, ErrorCode::UnknownLabel { labels: 10, found: 10 }),
        (Command::AcknowledgeAlarm { label: 255 }, ErrorCode::UnknownLabel { labels: 10, found: 255 }),
        (Command::Field(field(10, 500)), ErrorCode::UnknownLabel { labels: 10, found: 10 }),
        (sums(0, 0, 0), ErrorCode::EmptyField),
        (sums(u32::MAX, 1, 1), ErrorCode::TooManyPixels),
        (sums(10, 2_551, 650_250), ErrorCode::ImpossibleSums),
        (sums(10, 100, 99), ErrorCode::ImpossibleSums),
        (sums(10, u64::MAX, u64::MAX), ErrorCode::ImpossibleSums),
    ] {
        assert_eq!(ask(&mut controller, command), Err(code));
        assert!(!code.to_string().is_empty());
    }
    assert_eq!(controller, before);
    // A prior so narrow that its variance is 0 in f32.
    let narrow = CountPrior::<f32, 1, 1>::new(&[[Count { mean: 0.25, std: 1e-30 }]], 0.0, 0.0).unwrap();
    let mut controller = FieldMonitor::<1>::new(&narrow, 0, MonitorConfig::default()).unwrap();
    assert_eq!(controller.observe(&field(0, 0)), Err(ErrorCode::NotFinite));
    // A code for every error of core that can reach the link; what cannot is a defect.
    assert_eq!(ErrorCode::from(Error::PriorRowSum { label: 0, sum: 2.0, tolerance: 0.0 }), ErrorCode::Internal);
}

#[test]
fn a_prior_that_messages_cannot_name_is_refused() {
    let row = [Count { mean: 0.5_f32, std: 0.1 }];
    let large = CountPrior::<f32, 256, 1>::new(&[row; 256], 0.0, 0.0).unwrap();
    let error = FieldMonitor::<256>::new(&large, 0, MonitorConfig::default()).unwrap_err();
    assert_eq!(error.to_string(), "labels: at most 255 fit, found 256");
    let most = CountPrior::<f32, 256, 1>::new(&[row; 255], 0.0, 0.0).unwrap();
    assert!(FieldMonitor::<255>::new(&most, 0, MonitorConfig::default()).is_ok());
    assert!(FieldMonitor::<9>::new(&prior(), 1, MonitorConfig::default()).is_err());
}

/// Moments of two controllers merge to those of one that saw all fields: to a few roundings of 2^-24 of [0, 1].
#[test]
fn moments_of_two_controllers_merge() {
    let (mut one, mut other, mut all) = (monitor(), monitor(), monitor());
    for k in 0..60 {
        let field = field(9, 600 + 5 * k);
        consistency(if k % 4 == 0 { &mut one } else { &mut other }, field);
        consistency(&mut all, field);
    }
    let moments = |monitor: &FieldMonitor<10>| -> GroupMoments<f32> { monitor.moments(9).unwrap().group().unwrap() };
    let (merged, whole) = (moments(&one).merge(moments(&other)), moments(&all));
    assert_eq!(merged.blocks(), 60);
    assert!((merged.mean() - whole.mean()).abs() < 5e-7 && (merged.between_variance() - whole.between_variance()).abs() < 5e-7);
}

/// A drift: the alarm stays, its event comes once, the lamp follows, and acknowledging ends all of it. Then it may come again.
#[test]
fn an_alarm_is_told_once_shown_and_acknowledged() {
    let mut controller = monitor();
    let mut lamp = AlarmLamp::new(Pin::default(), PinState::High).unwrap();
    for _ in 0..2 {
        assert!(!controller.alarm());
        let fields = (1..20).find(|_| consistency(&mut controller, field(9, 550)).alarm == Some(Direction::Below)).unwrap();
        assert!((2..6).contains(&fields), "a shift of three standard deviations was found after {fields} fields");
        assert_eq!(controller.next_event(), Some(Event::Alarm { label: 9, direction: Direction::Below }));
        assert_eq!(controller.next_event(), None);
        assert_eq!(consistency(&mut controller, field(9, 700)).alarm, Some(Direction::Below));
        assert_eq!(controller.next_event(), None, "the host knows");
        lamp.show(controller.alarm()).unwrap();
        assert_eq!(ask(&mut controller, Command::AcknowledgeAlarm { label: 9 }), Ok(Answer::Done));
        lamp.show(controller.alarm()).unwrap();
    }
    assert_eq!(lamp.release().levels, [false, true, false, true, false]);
}

/// Two labels in alarm are two events.
#[test]
fn every_label_has_its_own_event() {
    let mut controller = monitor();
    for _ in 0..30 {
        consistency(&mut controller, field(9, 900));
        consistency(&mut controller, field(8, 20));
    }
    let kinds: Vec<Event> = std::iter::from_fn(|| controller.next_event()).collect();
    let alarm = |label, direction| Event::Alarm { label, direction };
    assert_eq!(kinds, [alarm(8, Direction::Below), alarm(9, Direction::Above)]);
}

#[test]
fn a_lamp_between_supply_and_pin_is_lit_by_a_low_level() {
    let mut lamp = AlarmLamp::new(Pin::default(), PinState::Low).unwrap();
    lamp.show(true).unwrap();
    assert_eq!(lamp.release().levels, [true, false]);
}

#[test]
fn a_pin_that_fails_is_reported() {
    let pin = Pin { broken: true, ..Pin::default() };
    assert_eq!(AlarmLamp::new(pin, PinState::High).unwrap_err(), ErrorKind::Other);
    let mut lamp = AlarmLamp::new(Pin::default(), PinState::High).unwrap();
    assert!(lamp.show(true).is_ok());
}

/// A pin that writes down its levels.
#[derive(Debug, Default)]
struct Pin {
    levels: Vec<bool>,
    broken: bool,
}

impl ErrorType for Pin {
    type Error = ErrorKind;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), ErrorKind> {
        self.set_state(PinState::Low)
    }

    fn set_high(&mut self) -> Result<(), ErrorKind> {
        self.set_state(PinState::High)
    }

    fn set_state(&mut self, state: PinState) -> Result<(), ErrorKind> {
        if self.broken {
            return Err(ErrorKind::Other);
        }
        self.levels.push(state == PinState::High);
        Ok(())
    }
}
