//! Proves that nothing in `lsr-firmware` can panic on a board: a panic would call a function that does not exist, so that this program would
//! not link. It is never run. Its pins come from memory that the compiler knows nothing about.
#![no_std]
#![no_main]

use core::convert::Infallible;
use core::ptr::read_volatile;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin, PinState};
use embedded_hal::pwm::SetDutyCycle;
use lsr_core::{CountPrior, MonitorConfig};
use lsr_firmware::wire::ResetReason;
use lsr_firmware::{
    AlarmLamp, AxisConfig, AxisPins, Channel, Controller, DriverTiming, Encoder, FieldMonitor, Homing, Lights, MotionShared, Parts,
    PerAxis, Polarity, Side, Stage, StageConfig, StepExecutor, StepQueue, SwitchHoming, Trigger, Um,
};

unsafe extern "C" {
    fn lsr_firmware_can_panic() -> !;
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    // SAFETY: there is no such function: where this is reachable, the linker says so.
    unsafe { lsr_firmware_can_panic() }
}

/// Whatever is in memory.
fn anything() -> u32 {
    // SAFETY: this program is never run.
    unsafe { read_volatile(0x4000_0000 as *const u32) }
}

struct Pin;

impl ErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        anything();
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        anything();
        Ok(())
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(anything() > 0)
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(anything() == 0)
    }
}

impl embedded_hal::pwm::ErrorType for Pin {
    type Error = Infallible;
}

impl SetDutyCycle for Pin {
    fn max_duty_cycle(&self) -> u16 {
        6_249
    }

    fn set_duty_cycle(&mut self, _: u16) -> Result<(), Infallible> {
        anything();
        Ok(())
    }
}

impl Encoder for Pin {
    fn position(&mut self) -> Option<Um> {
        (anything() > 0).then(|| Um::from_nm(anything() as i32))
    }
}

static SHARED: MotionShared = MotionShared::new();
static QUEUE: StepQueue = StepQueue::new();

fn um() -> Um {
    Um::from_nm(anything() as i32)
}

fn axis() -> AxisConfig {
    let side = if anything() > 0 { Side::Negative } else { Side::Positive };
    let homing = SwitchHoming {
        side,
        switch_at: um(),
        fast_um_per_s: anything(),
        slow_um_per_s: anything(),
        back_off: um(),
        search: um(),
        timeout_ms: anything(),
    };
    AxisConfig {
        full_steps_per_turn: anything() as u16,
        microsteps: anything() as u16,
        travel_per_turn: um(),
        min: um(),
        max: um(),
        max_speed_um_per_s: anything(),
        acceleration_um_per_s2: anything(),
        sudden_stop_um_per_s: anything(),
        backlash: um(),
        approach: side,
        homing: if anything() > 0 { Homing::Switch(homing) } else { Homing::Here { position: um() } },
        encoder_tolerance: (anything() > 0).then(um),
    }
}

fn pins() -> AxisPins<Pin, Pin, Pin, Pin, Pin> {
    AxisPins {
        step: Pin,
        direction: Pin,
        enable: Some(Pin),
        negative_limit: Some(Pin),
        positive_limit: Some(Pin),
        polarity: Polarity::default(),
    }
}

#[unsafe(no_mangle)]
extern "C" fn lsr_firmware_everything() {
    let timing = DriverTiming::default();
    let Some((sender, receiver)) = QUEUE.split() else { return };
    let Ok(mut executor) = StepExecutor::new(timing, &SHARED, receiver, (pins(), pins(), pins())) else { return };
    let config = StageConfig { axes: PerAxis { x: axis(), y: axis(), z: axis() }, retraction: None };
    let Ok(stage) = Stage::new(config, timing, &SHARED, sender, PerAxis { x: Some(Pin), y: None, z: Some(Pin) }) else { return };
    let (Ok(light), Ok(trigger), Ok(lamp)) =
        (Channel::new(Pin, anything() as u16), Trigger::new(Pin, PinState::High), AlarmLamp::new(Pin, PinState::High))
    else {
        return;
    };
    let mut controller: Controller<'static, Pin, Pin, Pin, Pin, 1, 10, 16> = Controller::new(Parts {
        stage,
        shared: &SHARED,
        lights: Lights::new([light]),
        trigger,
        monitor: FieldMonitor::new(&CountPrior::<f32, 10, 2>::table_1(), 1, MonitorConfig::default()).ok(),
        lamp: Some(lamp),
        settle_ms: anything() as u16,
        reset_reason: ResetReason::Unknown,
    });
    loop {
        let now = u64::from(anything()) << 32 | u64::from(anything());
        controller.receive(anything() as u8, now);
        controller.button(anything() > 0);
        controller.poll(now);
        let length = controller.transmit(now).len();
        controller.transmitted(length.min(anything() as usize));
        executor.on_timer(now);
    }
}
