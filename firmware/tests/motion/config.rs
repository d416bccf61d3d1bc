//! Every bad field is refused by its name, with what was expected and what was found; nothing is put right.

use crate::sim::{axis, stage_config, um};
use lsr_firmware::{
    Axis, AxisConfig, ConfigError, ConfigField, DriverTiming, Homing, PerAxis, Retraction, Side, StageConfig, SwitchHoming, Um,
};

fn refused(config: &StageConfig) -> ConfigError {
    config.validate(&DriverTiming::default()).unwrap_err()
}

/// Field, range and value of a configuration of y that was changed.
fn bad_axis(change: impl FnOnce(&mut AxisConfig)) -> (ConfigField, i32, i32, i32) {
    let mut config = stage_config();
    change(&mut config.axes.y);
    match refused(&config) {
        ConfigError::OutOfRange { axis: Some(Axis::Y), field, min, max, found } => (field, min, max, found),
        other => panic!("{other}"),
    }
}

fn bad_homing(change: impl FnOnce(&mut SwitchHoming)) -> (ConfigField, i32, i32, i32) {
    bad_axis(|config| {
        let Homing::Switch(homing) = &mut config.homing else { panic!() };
        change(homing);
    })
}

#[test]
fn a_good_one_is_accepted() {
    stage_config().validate(&DriverTiming::default()).unwrap();
}

#[test]
fn mechanics() {
    use ConfigField::{FullStepsPerTurn, Microsteps, TravelPerTurn};
    assert_eq!(bad_axis(|config| config.full_steps_per_turn = 0), (FullStepsPerTurn, 1, 4_096, 0));
    assert_eq!(bad_axis(|config| config.full_steps_per_turn = 4_097), (FullStepsPerTurn, 1, 4_096, 4_097));
    assert_eq!(bad_axis(|config| config.microsteps = 0), (Microsteps, 1, 256, 0));
    assert_eq!(bad_axis(|config| config.microsteps = 512), (Microsteps, 1, 256, 512));
    // A step of less than a nanometre, none at all, and one backwards.
    assert_eq!(bad_axis(|config| config.travel_per_turn = Um::from_nm(3_199)), (TravelPerTurn, 3_200, 2_147_483_647, 3_199));
    // No step is longer than a metre.
    let metres = bad_axis(|config| (config.full_steps_per_turn, config.microsteps, config.travel_per_turn) = (2, 1, Um::MAX));
    assert_eq!(metres, (TravelPerTurn, 2, 2_000_000_000, i32::MAX));
    assert_eq!(bad_axis(|config| config.travel_per_turn = Um::ZERO), (TravelPerTurn, 3_200, 2_147_483_647, 0));
    assert_eq!(bad_axis(|config| config.travel_per_turn = um(-800)), (TravelPerTurn, 3_200, 2_147_483_647, -800_000));

    let mut config = stage_config();
    config.axes.z.microsteps = 24;
    let error = ConfigError::NotAPowerOfTwo { axis: Axis::Z, field: Microsteps, found: 24 };
    assert_eq!(refused(&config), error);
    assert_eq!(error.to_string(), "axis z: microsteps: expected a power of two, found 24");
}

#[test]
fn limits_are_not_swapped() {
    use ConfigField::{Max, Min};
    let swapped = bad_axis(|config| (config.min, config.max) = (um(4_000), um(0)));
    assert_eq!(swapped, (Max, 4_000_501, i32::MAX, 0));
    assert_eq!(bad_axis(|config| config.max = config.min), (Max, 501, 2_147_483_647, 0));
    assert_eq!(bad_axis(|config| config.min = Um::MIN), (Min, -2_147_483_647, 2_147_483_647 - 501, -2_147_483_648));
    // With steps of a nanometre positions end at 2^29 of them.
    assert_eq!(
        bad_axis(|config| {
            config.travel_per_turn = Um::from_nm(3_200);
            config.max_speed_um_per_s = 20;
            config.max = Um::from_nm(536_870_913);
        }),
        (Max, 3, 536_870_912, 536_870_913)
    );
}

#[test]
fn speeds() {
    use ConfigField::{Acceleration, MaxSpeed, SuddenStop};
    // 3 us of pulse, 20 of debouncing and one between: 24 ticks for 0.25 um are 10,416 um/s.
    assert_eq!(bad_axis(|config| config.max_speed_um_per_s = 0), (MaxSpeed, 1, 10_416, 0));
    assert_eq!(bad_axis(|config| config.max_speed_um_per_s = 10_417), (MaxSpeed, 1, 10_416, 10_417));
    // From rest to full speed in 100 s.
    assert_eq!(bad_axis(|config| config.acceleration_um_per_s2 = 0), (Acceleration, 50, i32::MAX, 0));
    assert_eq!(bad_axis(|config| config.acceleration_um_per_s2 = 49), (Acceleration, 50, i32::MAX, 49));
    assert_eq!(bad_axis(|config| config.sudden_stop_um_per_s = 0), (SuddenStop, 1, i32::MAX, 0));
}

#[test]
fn backlash_and_encoder() {
    use ConfigField::{Backlash, EncoderTolerance};
    assert_eq!(bad_axis(|config| config.backlash = Um::from_nm(-1)), (Backlash, 0, 4_000_000 - 501, -1));
    assert_eq!(bad_axis(|config| config.backlash = um(4_000)), (Backlash, 0, 4_000_000 - 501, 4_000_000));
    assert_eq!(
        bad_axis(|config| {
            config.backlash = um(5);
            config.encoder_tolerance = Some(um(5));
        }),
        (EncoderTolerance, 5_501, 2_147_483_647, 5_000)
    );
}

#[test]
fn homing() {
    use ConfigField::{HomingBackOff, HomingFast, HomingPosition, HomingSearch, HomingSlow, HomingSwitchAt, HomingTimeout};
    // A switch inside the soft limits would be run into.
    assert_eq!(bad_homing(|homing| homing.switch_at = Um::from_nm(1)), (HomingSwitchAt, -2_147_483_647, 0, 1));
    assert_eq!(bad_homing(|homing| homing.side = Side::Positive), (HomingSwitchAt, 4_000_000, 2_147_483_647, -50_000));
    assert_eq!(bad_homing(|homing| homing.fast_um_per_s = 0), (HomingFast, 1, 5_000, 0));
    assert_eq!(bad_homing(|homing| homing.fast_um_per_s = 5_001), (HomingFast, 1, 5_000, 5_001));
    assert_eq!(bad_homing(|homing| homing.slow_um_per_s = 501), (HomingSlow, 1, 500, 501));
    assert_eq!(bad_homing(|homing| (homing.fast_um_per_s, homing.slow_um_per_s) = (50, 51)), (HomingSlow, 1, 50, 51));
    // It ends where it can be asked to go: within 0 to 4,000 um, the switch being at -50.
    assert_eq!(bad_homing(|homing| homing.back_off = Um::from_nm(49_999)), (HomingBackOff, 50_000, 4_050_000, 49_999));
    assert_eq!(bad_homing(|homing| homing.back_off = um(4_051)), (HomingBackOff, 50_000, 4_050_000, 4_051_000));
    // With a backlash it takes up that, too.
    assert_eq!(
        bad_axis(|config| {
            config.backlash = um(120);
        }),
        (HomingBackOff, 170_000, 4_050_000, 150_000)
    );
    assert_eq!(bad_homing(|homing| homing.search = um(4_049)), (HomingSearch, 4_050_000, 2_147_483_647, 4_049_000));
    assert_eq!(bad_homing(|homing| homing.timeout_ms = 0), (HomingTimeout, 1, 3_600_000, 0));
    assert_eq!(bad_homing(|homing| homing.timeout_ms = 3_600_001), (HomingTimeout, 1, 3_600_000, 3_600_001));
    let here = |position| Homing::Here { position };
    assert_eq!(bad_axis(|config| config.homing = here(um(4_001))), (HomingPosition, 0, 4_000_000, 4_001_000));
    assert_eq!(
        bad_axis(|config| {
            config.homing = here(um(9));
            config.backlash = um(10);
        }),
        (HomingPosition, 10_000, 4_000_000, 9_000)
    );
    // At the positive end everything is mirrored.
    let mut config = stage_config();
    let Homing::Switch(homing) = axis().homing else { panic!() };
    let homing = SwitchHoming { side: Side::Positive, switch_at: um(4_050), ..homing };
    config.axes = PerAxis::splat(AxisConfig { homing: Homing::Switch(homing), ..axis() });
    config.validate(&DriverTiming::default()).unwrap();
    config.axes.x.homing = Homing::Switch(SwitchHoming { back_off: um(49), ..homing });
    let expected = ConfigError::OutOfRange { axis: Some(Axis::X), field: HomingBackOff, min: 50_000, max: 4_050_000, found: 49_000 };
    assert_eq!(refused(&config), expected);
    assert_eq!(expected.to_string(), "axis x: homing.back_off (nm): expected 50000 to 4050000, found 49000");
}

#[test]
fn retraction() {
    use ConfigField::{RetractionOver, RetractionTo};
    let with = |over, to| StageConfig { retraction: Some(Retraction { over, to, side: Side::Negative }), ..stage_config() };
    with(Um::ZERO, um(4_000)).validate(&DriverTiming::default()).unwrap();
    let error = |field, min, max, found| ConfigError::OutOfRange { axis: None, field, min, max, found };
    assert_eq!(refused(&with(um(-1), um(0))), error(RetractionOver, 0, 2_147_483_647, -1_000));
    assert_eq!(refused(&with(um(1), um(-1))), error(RetractionTo, 0, 4_000_000, -1_000));
    assert_eq!(refused(&with(um(1), um(4_001))), error(RetractionTo, 0, 4_000_000, 4_001_000));
}

#[test]
fn timing() {
    use ConfigField::{Debounce, DirectionSetup, Enable, Latency, MaxSpeed, Pulse};
    let good = DriverTiming::default();
    let error = |field, min, max, found| ConfigError::OutOfRange { axis: None, field, min, max, found };
    let cases = [
        (DriverTiming { pulse_us: 0, ..good }, error(Pulse, 1, 1_000, 0)),
        (DriverTiming { pulse_us: 1_001, ..good }, error(Pulse, 1, 1_000, 1_001)),
        (DriverTiming { direction_setup_us: 0, ..good }, error(DirectionSetup, 1, 10_000, 0)),
        (DriverTiming { enable_us: 1_000_001, ..good }, error(Enable, 0, 1_000_000, 1_000_001)),
        (DriverTiming { debounce_us: 10_001, ..good }, error(Debounce, 0, 10_000, 10_001)),
        (DriverTiming { latency_us: 0, ..good }, error(Latency, 1, 10_000, 0)),
    ];
    for (timing, expected) in cases {
        assert_eq!(timing.validate(), Err(expected));
        assert_eq!(stage_config().validate(&timing), Err(expected));
    }
    // A window that is longer than the interval at full speed (50 us here) would let steps pass before a hit is known.
    let slow = DriverTiming { debounce_us: 47, ..good };
    let expected = ConfigError::OutOfRange { axis: Some(Axis::X), field: MaxSpeed, min: 1, max: 4_901, found: 5_000 };
    assert_eq!(stage_config().validate(&slow), Err(expected));
    stage_config().validate(&DriverTiming { debounce_us: 46, ..good }).unwrap();
}
