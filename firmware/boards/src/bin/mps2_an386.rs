//! Arm's MPS2 with FPGA image AN386 (Cortex-M4F at 25 MHz), which QEMU knows as `mps2-an386`: three axes, a light, a camera, a UART to the host.
//!
//! | where | what | in QEMU |
//! |---|---|---|
//! | UART 0 | 115,200 baud, 8N1: the host | the first serial port |
//! | GPIO 0, pins 0, 1, 2 | x: STEP, DIR, limit switch at the negative end | the port is not modelled: what is written is ignored (and logged, `-d unimp`), every pin reads low |
//! | GPIO 0, pins 3, 4, 5 | y: STEP, DIR, limit switch at the negative end | the same: no switch is ever hit |
//! | GPIO 0, pins 6, 7, 8 | z: STEP, DIR, limit switch at the negative end | the same |
//! | GPIO 0, pin 9 | ENABLE of all drivers, active low | the same |
//! | GPIO 0, pin 10 | the camera's trigger, active high | the same |
//! | GPIO 0, pin 11 | emergency button, normally closed to ground | the same: it is never pressed |
//! | LED 0 | alarm lamp | modelled (traced, `led_change_intensity`) |
//! | LED 1 | light 0, which cannot be dimmed: lit at any level above 0 | the same |
//! | FPGA counter, timer 0, watchdog | time, steps, restart | modelled |
//!
//! Switches and button need a pull-up, ENABLE, light and trigger a resistor to their safe side outside the board: the FPGA has none.
#![no_std]
#![no_main]

use core::cell::RefCell;
use core::mem::MaybeUninit;
use core::ptr::addr_of_mut;
use core::sync::atomic::{AtomicBool, Ordering};
use cortex_m::peripheral::NVIC;
use cortex_m_rt::{entry, exception};
use critical_section::Mutex;
#[cfg(feature = "log")]
use defmt_rtt as _;
use embedded_hal::digital::{InputPin, PinState};
use heapless::Deque;
use lsr_boards::mps2::{Led, Pin, alarm, clock, interrupt, uart, watchdog};
use lsr_boards::{STAGE, TIMING};
use lsr_core::{CountPrior, MonitorConfig};
use lsr_firmware::wire::ResetReason;
use lsr_firmware::{
    AlarmLamp, AxisPins, Channel, Controller, FieldMonitor, Lights, MotionShared, NoEncoder, NoPin, Parts, PerAxis, Polarity, Stage,
    StepExecutor, StepQueue, Trigger,
};

type AxisOfPins = AxisPins<Pin, Pin, Pin, Pin, NoPin>;

const BAUD: u32 = 115_200;
/// Level that the light never exceeds, permille.
const LIGHT_CEILING: u16 = 1_000;
/// Rest after a move before a trigger, until the host sets another.
const SETTLE_MS: u16 = 50;
/// Half of what a stuck board lasts: the watchdog interrupts first, which ends all steps, and resets then.
const WATCHDOG_US: u32 = 50_000;

static SHARED: MotionShared = MotionShared::new();
static QUEUE: StepQueue = StepQueue::new();
static STEPPER: Mutex<RefCell<Option<StepExecutor<'static, AxisOfPins, AxisOfPins, AxisOfPins>>>> = Mutex::new(RefCell::new(None));
/// Bytes that the main loop has not seen yet: 22 ms of the line, of which a turn of the main loop takes less than one.
static RECEIVED: Mutex<RefCell<Deque<u8, 256>>> = Mutex::new(RefCell::new(Deque::new()));
/// An interrupt has come since the main loop began its turn.
static AWAKE: AtomicBool = AtomicBool::new(false);

#[cfg(feature = "log")]
defmt::timestamp!("{=u64:us}", clock::micros());

/// Why the last run ended, in memory that a reset leaves alone; power-on leaves anything there.
mod last_run {
    use super::{MaybeUninit, ResetReason, addr_of_mut};

    const RUNNING: u32 = 0x4c53_5201;
    const PANICKED: u32 = 0x4c53_5202;
    const STUCK: u32 = 0x4c53_5203;

    #[unsafe(link_section = ".uninit.last_run")]
    static mut END: MaybeUninit<u32> = MaybeUninit::uninit();

    fn note(end: u32) {
        // SAFETY: volatile, by pointer, and whole; whoever writes last (panic, watchdog) has ended everything else.
        unsafe { addr_of_mut!(END).cast::<u32>().write_volatile(end) }
    }

    /// From here on, a reset that nobody explains comes from outside.
    pub(crate) fn begin() -> ResetReason {
        // SAFETY: any bits are a u32, and volatile reading takes them as they are.
        let before = unsafe { addr_of_mut!(END).cast::<u32>().read_volatile() };
        note(RUNNING);
        match before {
            PANICKED => ResetReason::Panic,
            STUCK => ResetReason::Watchdog,
            RUNNING => ResetReason::External,
            _ => ResetReason::PowerOn,
        }
    }

    pub(crate) fn panicked() {
        note(PANICKED);
    }

    pub(crate) fn stuck() {
        note(STUCK);
    }
}

/// Begins anew: nothing is homed, and the host is told why.
#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    cortex_m::interrupt::disable();
    last_run::panicked();
    cortex_m::peripheral::SCB::sys_reset()
}

/// The watchdog has not been fed: no step comes any more, and it resets the board.
#[exception]
unsafe fn NonMaskableInt() -> ! {
    last_run::stuck();
    halt()
}

/// A board that cannot start does not start: the watchdog tries again.
fn halt() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}

/// Where the core looks for its handlers, behind its own exceptions.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [Option<unsafe extern "C" fn()>; interrupt::COUNT] = {
    let mut handlers: [Option<unsafe extern "C" fn()>; interrupt::COUNT] = [None; interrupt::COUNT];
    handlers[interrupt::UART_0_RECEIVED] = Some(on_byte);
    handlers[interrupt::TIMER_0] = Some(on_timer);
    handlers
};

unsafe extern "C" fn on_byte() {
    critical_section::with(|cs| {
        while let Some(byte) = uart::receive() {
            // Without room the frame is damaged; its checksum says so, and the host repeats it.
            let _ = RECEIVED.borrow_ref_mut(cs).push_back(byte);
        }
    });
    AWAKE.store(true, Ordering::Release);
}

unsafe extern "C" fn on_timer() {
    critical_section::with(|cs| {
        if let Some(executor) = STEPPER.borrow_ref_mut(cs).as_mut() {
            alarm::taken();
            let next = executor.on_timer(clock::micros());
            // At most a millisecond ahead; a time that has passed rings at once.
            alarm::ring_in(u32::try_from(next.saturating_sub(clock::micros())).unwrap_or(u32::MAX));
        }
    });
    AWAKE.store(true, Ordering::Release);
}

#[entry]
fn main() -> ! {
    let reset_reason = last_run::begin();
    clock::start();
    watchdog::start(WATCHDOG_US);
    uart::start(BAUD);

    let enable = Pin::output(9, true);
    let axis = |first: u8, enable: Option<Pin>| AxisPins {
        step: Pin::output(first, false),
        direction: Pin::output(first + 1, false),
        enable,
        negative_limit: Some(Pin::input(first + 2)),
        positive_limit: None,
        polarity: Polarity::default(),
    };
    let Some((sender, receiver)) = QUEUE.split() else { halt() };
    let axes = (axis(0, Some(enable)), axis(3, None), axis(6, None));
    let Ok(executor) = StepExecutor::new(TIMING, &SHARED, receiver, axes) else { halt() };
    let Ok(stage) = Stage::<NoEncoder>::new(STAGE, TIMING, &SHARED, sender, PerAxis { x: None, y: None, z: None }) else { halt() };
    let Ok(light) = Channel::new(Led(1), LIGHT_CEILING) else { halt() };
    let Ok(trigger) = Trigger::new(Pin::output(10, false), PinState::High) else { halt() };
    let Ok(lamp) = AlarmLamp::new(Led(0), PinState::High);
    let mut button = Pin::input(11);
    let monitor = FieldMonitor::new(&CountPrior::<f32, 10, 2>::table_1(), 1, MonitorConfig::default()).ok();

    let mut controller: Controller<'static, Led, _, _, NoEncoder, 1, 10, 16> = Controller::new(Parts {
        stage,
        shared: &SHARED,
        lights: Lights::new([light]),
        trigger,
        monitor,
        lamp: Some(lamp),
        settle_ms: SETTLE_MS,
        reset_reason,
    });

    critical_section::with(|cs| STEPPER.borrow_ref_mut(cs).replace(executor));
    alarm::start();
    let [received, rings] = [interrupt::UART_0_RECEIVED, interrupt::TIMER_0].map(|number| interrupt::Number(number as u16));
    // SAFETY: the handlers share nothing but what critical sections guard.
    unsafe {
        NVIC::unmask(received);
        NVIC::unmask(rings);
    }
    NVIC::pend(rings);
    #[cfg(feature = "log")]
    defmt::info!("lsr-firmware is up: {}", reset_reason);

    let mut calls = SHARED.executor_calls();
    loop {
        let now = clock::micros();
        while let Some(byte) = critical_section::with(|cs| RECEIVED.borrow_ref_mut(cs).pop_front()) {
            controller.receive(byte, now);
        }
        let Ok(pressed) = button.is_high();
        controller.button(pressed);
        controller.poll(now);
        let waiting = controller.transmit(now);
        let written = waiting.iter().take_while(|&&byte| uart::send(byte)).count();
        let more = written < waiting.len();
        controller.transmitted(written);
        // Fed only from here, and only while the step interrupt lives too.
        if SHARED.executor_calls() != calls {
            calls = SHARED.executor_calls();
            watchdog::feed();
        }
        // Until the next interrupt, a millisecond at most. An interrupt before the sleep leaves an event that ends it at once; other events do not.
        while !more && !AWAKE.swap(false, Ordering::Acquire) {
            cortex_m::asm::wfe();
        }
    }
}
