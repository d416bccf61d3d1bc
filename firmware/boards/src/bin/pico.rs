//! Raspberry Pi Pico (RP2040): STEP/DIR drivers such as TMC2209 or A4988 on three axes, two lights, a camera, a UART to the host.
//!
//! | GPIO | what |
//! |---|---|
//! | 0, 1 | UART 0, TX and RX, 230,400 baud, 8N1: the host, unless (feature `usb`) a program has the serial port at USB open |
//! | 2, 3, 4 | x: STEP, DIR, limit switch at the negative end |
//! | 5, 6, 7 | y: STEP, DIR, limit switch at the negative end |
//! | 8, 9, 10 | z: STEP, DIR, limit switch at the negative end |
//! | 11 | ENABLE of all drivers, active low |
//! | 14, 15 | lights 0 and 1, PWM of 20 kHz |
//! | 16 | the camera's trigger, active high |
//! | 17 | alarm lamp, active high |
//! | 22 | emergency button, normally closed to ground |
//!
//! Switches are normally closed to ground, so that a broken wire reads as a hit switch; the chip pulls them up. Lights, trigger and ENABLE need a
//! pull resistor to their safe side outside the chip: while it is being reset, its pins float.
#![no_std]
#![no_main]

use core::cell::RefCell;
use cortex_m_rt::entry;
use critical_section::Mutex;
#[cfg(feature = "log")]
use defmt_rtt as _;
use embedded_hal::digital::{InputPin, PinState};
use fugit::{ExtU32, RateExtU32};
use hal::Clock;
use hal::gpio::bank0::{Gpio2, Gpio3, Gpio4, Gpio5, Gpio6, Gpio7, Gpio8, Gpio9, Gpio10, Gpio11};
use hal::gpio::{FunctionSio, Pin, PullDown, PullUp, SioInput, SioOutput};
use hal::pac::interrupt;
use hal::timer::{Alarm, Alarm0, Instant};
use lsr_boards::host_line::{HostLine, PACKET};
use lsr_boards::{STAGE, TIMING};
use lsr_core::{CountPrior, MonitorConfig};
use lsr_firmware::wire::ResetReason;
use lsr_firmware::{
    AlarmLamp, AxisPins, Channel, Controller, FieldMonitor, Lights, MotionShared, NoEncoder, NoPin, Parts, PerAxis, Polarity, Stage,
    StepExecutor, StepQueue, Trigger,
};
use rp2040_hal as hal;

type Out<I> = Pin<I, FunctionSio<SioOutput>, PullDown>;
type In<I> = Pin<I, FunctionSio<SioInput>, PullUp>;
type X = AxisPins<Out<Gpio2>, Out<Gpio3>, Out<Gpio11>, In<Gpio4>, NoPin>;
type Y = AxisPins<Out<Gpio5>, Out<Gpio6>, NoPin, In<Gpio7>, NoPin>;
type Z = AxisPins<Out<Gpio8>, Out<Gpio9>, NoPin, In<Gpio10>, NoPin>;

const CRYSTAL_HZ: u32 = 12_000_000;
const BAUD: u32 = 230_400;
/// 125 MHz / 20 kHz.
const PWM_TOP: u16 = 6_249;
/// Level that a light never exceeds, permille.
const LIGHT_CEILING: u16 = 1_000;
/// Rest after a move before a trigger, until the host sets another.
const SETTLE_MS: u16 = 50;
/// The main loop takes some hundred microseconds.
const WATCHDOG_MS: u32 = 100;
/// In scratch register 0: the reset that follows is a panic's.
const PANICKED: u32 = 0x4c53_5250;

static SHARED: MotionShared = MotionShared::new();
static QUEUE: StepQueue = StepQueue::new();
static STEPPER: Mutex<RefCell<Option<Stepper>>> = Mutex::new(RefCell::new(None));

struct Stepper {
    executor: StepExecutor<'static, X, Y, Z>,
    timer: hal::Timer,
    alarm: Alarm0,
    /// What the alarm was set to.
    wanted: u64,
}

#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2_FIRMWARE: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

#[cfg(feature = "log")]
defmt::timestamp!("{=u64:us}", micros());

#[cfg(feature = "log")]
fn micros() -> u64 {
    // The raw counter needs no lock and no owner; high, low, high again.
    let timer = hal::pac::TIMER::ptr();
    loop {
        // SAFETY: reading the raw time registers has no side effect.
        let (high, low, again) =
            unsafe { ((*timer).timerawh().read().bits(), (*timer).timerawl().read().bits(), (*timer).timerawh().read().bits()) };
        if high == again {
            return u64::from(high) << 32 | u64::from(low);
        }
    }
}

/// Begins anew: pins float to their safe side, nothing is homed, and the host is told why.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    cortex_m::interrupt::disable();
    let watchdog = hal::pac::WATCHDOG::ptr();
    // SAFETY: nothing else runs any more.
    unsafe {
        (*watchdog).scratch0().write(|w| w.bits(PANICKED));
        (*watchdog).ctrl().modify(|_, w| w.trigger().set_bit());
    }
    loop {
        cortex_m::asm::nop();
    }
}

/// A board that cannot start does not start: the watchdog tries again.
fn halt() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}

#[interrupt]
fn TIMER_IRQ_0() {
    critical_section::with(|cs| {
        if let Some(Stepper { executor, timer, alarm, wanted }) = STEPPER.borrow_ref_mut(cs).as_mut() {
            alarm.clear_interrupt();
            let mut now = timer.get_counter().ticks();
            // An alarm that rings within the tick before its own would only be set again, and the step would be late by that.
            while now + 1 == *wanted {
                now = timer.get_counter().ticks();
            }
            *wanted = executor.on_timer(now);
            // At most a millisecond ahead; a time that has passed rings at once.
            let _ = alarm.schedule_at(Instant::from_ticks(*wanted));
        }
    });
    cortex_m::asm::sev();
}

#[entry]
fn main() -> ! {
    let Some(mut pac) = hal::pac::Peripherals::take() else { halt() };
    let by_timer = pac.WATCHDOG.reason().read().timer().bit_is_set();
    let panicked = pac.WATCHDOG.scratch0().read().bits() == PANICKED;
    let powered = pac.VREG_AND_CHIP_RESET.chip_reset().read().had_por().bit_is_set();
    let reset_reason = match (panicked, by_timer, powered) {
        (true, ..) => ResetReason::Panic,
        (false, true, _) => ResetReason::Watchdog,
        (false, false, true) => ResetReason::PowerOn,
        (false, false, false) => ResetReason::External,
    };
    let mut watchdog = hal::Watchdog::new(pac.WATCHDOG);
    watchdog.write_scratch(hal::watchdog::ScratchRegister::Scratch0, 0);
    let clocks =
        hal::clocks::init_clocks_and_plls(CRYSTAL_HZ, pac.XOSC, pac.CLOCKS, pac.PLL_SYS, pac.PLL_USB, &mut pac.RESETS, &mut watchdog);
    let Ok(clocks) = clocks else { halt() };
    watchdog.start(WATCHDOG_MS.millis());
    let sio = hal::Sio::new(pac.SIO);
    let pins = hal::gpio::Pins::new(pac.IO_BANK0, pac.PADS_BANK0, sio.gpio_bank0, &mut pac.RESETS);
    let mut timer = hal::Timer::new(pac.TIMER, &mut pac.RESETS, &clocks);

    let format = hal::uart::UartConfig::new(BAUD.Hz(), hal::uart::DataBits::Eight, None, hal::uart::StopBits::One);
    let lines = (pins.gpio0.into_function::<hal::gpio::FunctionUart>(), pins.gpio1.into_function::<hal::gpio::FunctionUart>());
    let uart = hal::uart::UartPeripheral::new(pac.UART0, lines, &mut pac.RESETS).enable(format, clocks.peripheral_clock.freq());
    let Ok(uart) = uart else { halt() };

    #[cfg(feature = "usb")]
    let usb = hal::usb::UsbBus::new(pac.USBCTRL_REGS, pac.USBCTRL_DPRAM, clocks.usb_clock, true, &mut pac.RESETS);
    #[cfg(feature = "usb")]
    let usb = usb_device::bus::UsbBusAllocator::new(usb);
    #[cfg(feature = "usb")]
    let Some(mut line) = HostLine::new(uart, &usb) else { halt() };
    #[cfg(not(feature = "usb"))]
    let mut line = HostLine::new(uart);

    let polarity = Polarity::default();
    let x = AxisPins {
        step: pins.gpio2.into_push_pull_output(),
        direction: pins.gpio3.into_push_pull_output(),
        enable: Some(pins.gpio11.into_push_pull_output()),
        negative_limit: Some(pins.gpio4.into_pull_up_input()),
        positive_limit: None,
        polarity,
    };
    let y = AxisPins {
        step: pins.gpio5.into_push_pull_output(),
        direction: pins.gpio6.into_push_pull_output(),
        enable: None,
        negative_limit: Some(pins.gpio7.into_pull_up_input()),
        positive_limit: None,
        polarity,
    };
    let z = AxisPins {
        step: pins.gpio8.into_push_pull_output(),
        direction: pins.gpio9.into_push_pull_output(),
        enable: None,
        negative_limit: Some(pins.gpio10.into_pull_up_input()),
        positive_limit: None,
        polarity,
    };
    let Some((sender, receiver)) = QUEUE.split() else { halt() };
    let Ok(executor) = StepExecutor::new(TIMING, &SHARED, receiver, (x, y, z)) else { halt() };
    let Ok(stage) = Stage::<NoEncoder>::new(STAGE, TIMING, &SHARED, sender, PerAxis { x: None, y: None, z: None }) else { halt() };

    let slices = hal::pwm::Slices::new(pac.PWM, &mut pac.RESETS);
    let mut pwm = slices.pwm7;
    pwm.set_top(PWM_TOP);
    pwm.enable();
    let (mut first, mut second) = (pwm.channel_a, pwm.channel_b);
    first.output_to(pins.gpio14);
    second.output_to(pins.gpio15);
    let lights = (Channel::new(Light::A(first), LIGHT_CEILING), Channel::new(Light::B(second), LIGHT_CEILING));
    let (Ok(first), Ok(second)) = lights else { halt() };
    let Ok(trigger) = Trigger::new(pins.gpio16.into_push_pull_output(), PinState::High) else { halt() };
    let Ok(lamp) = AlarmLamp::new(pins.gpio17.into_push_pull_output(), PinState::High);
    let mut button = pins.gpio22.into_pull_up_input();
    let monitor = FieldMonitor::new(&CountPrior::<f32, 10, 2>::table_1(), 1, MonitorConfig::default()).ok();

    let mut controller: Controller<'static, Light, _, _, NoEncoder, 2, 10, 16> = Controller::new(Parts {
        stage,
        shared: &SHARED,
        lights: Lights::new([first, second]),
        trigger,
        monitor,
        lamp: Some(lamp),
        settle_ms: SETTLE_MS,
        reset_reason,
    });

    let Some(mut alarm) = timer.alarm_0() else { halt() };
    alarm.enable_interrupt();
    critical_section::with(|cs| STEPPER.borrow_ref_mut(cs).replace(Stepper { executor, timer, alarm, wanted: 0 }));
    // SAFETY: the handler shares nothing but what the critical section guards.
    unsafe { cortex_m::peripheral::NVIC::unmask(hal::pac::Interrupt::TIMER_IRQ_0) };
    cortex_m::peripheral::NVIC::pend(hal::pac::Interrupt::TIMER_IRQ_0);
    #[cfg(feature = "log")]
    defmt::info!("lsr-firmware is up: {}", reset_reason);

    let mut calls = SHARED.executor_calls();
    loop {
        let now = timer.get_counter().ticks();
        let mut bytes = [0; PACKET];
        let count = line.read(&mut bytes);
        bytes.iter().take(count).for_each(|&byte| controller.receive(byte, now));
        controller.button(button.is_high().unwrap_or(true));
        controller.poll(now);
        let waiting = controller.transmit(now);
        if !waiting.is_empty() {
            let written = line.write(waiting);
            controller.transmitted(written);
        }
        // Fed only from here, and only while the step interrupt lives too.
        if SHARED.executor_calls() != calls {
            calls = SHARED.executor_calls();
            watchdog.feed();
        }
        // Until the next interrupt, a millisecond at most.
        cortex_m::asm::wfe();
    }
}

/// A channel of the lights' PWM slice.
enum Light {
    A(hal::pwm::Channel<hal::pwm::Slice<hal::pwm::Pwm7, hal::pwm::FreeRunning>, hal::pwm::A>),
    B(hal::pwm::Channel<hal::pwm::Slice<hal::pwm::Pwm7, hal::pwm::FreeRunning>, hal::pwm::B>),
}

impl embedded_hal::pwm::ErrorType for Light {
    type Error = core::convert::Infallible;
}

impl embedded_hal::pwm::SetDutyCycle for Light {
    fn max_duty_cycle(&self) -> u16 {
        match self {
            Self::A(channel) => channel.max_duty_cycle(),
            Self::B(channel) => channel.max_duty_cycle(),
        }
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Self::Error> {
        match self {
            Self::A(channel) => channel.set_duty_cycle(duty),
            Self::B(channel) => channel.set_duty_cycle(duty),
        }
    }
}
