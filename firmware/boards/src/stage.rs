//! The stage that the board programs move: change it to yours.

use lsr_firmware::{AxisConfig, DriverTiming, Homing, PerAxis, Side, StageConfig, SwitchHoming, Um};

/// What the drivers need, and how long interrupts may be off.
pub const TIMING: DriverTiming = DriverTiming { pulse_us: 3, direction_setup_us: 20, enable_us: 2_000, debounce_us: 20, latency_us: 100 };

/// M6 x 1 screws, 200 steps, 16 microsteps: 0.3125 um a step, 12,800 steps/s at full speed.
const fn axis(length_mm: i32, speed_um_per_s: u32) -> AxisConfig {
    AxisConfig {
        full_steps_per_turn: 200,
        microsteps: 16,
        travel_per_turn: um(1_000),
        min: um(0),
        max: um(length_mm * 1_000),
        max_speed_um_per_s: speed_um_per_s,
        acceleration_um_per_s2: 20_000,
        sudden_stop_um_per_s: 500,
        backlash: um(0),
        approach: Side::Positive,
        homing: Homing::Switch(SwitchHoming {
            side: Side::Negative,
            switch_at: um(-100),
            fast_um_per_s: 2_000,
            slow_um_per_s: 100,
            back_off: um(200),
            search: um(length_mm * 1_000 + 2_000),
            timeout_ms: 120_000,
        }),
        encoder_tolerance: None,
    }
}

const fn um(um: i32) -> Um {
    Um::from_nm(um * 1_000)
}

/// Travel of 75, 50 and 10 mm, a switch at the negative end of each.
pub const STAGE: StageConfig =
    StageConfig { axes: PerAxis { x: axis(75, 4_000), y: axis(50, 4_000), z: axis(10, 2_000) }, retraction: None };
