//! Registers of Arm's MPS2 board with FPGA image AN386 (a Cortex-M4F and the peripherals of the Cortex-M System Design Kit, Arm DDI 0479; Application
//! Note 386): no more than the programs use.

use core::cell::Cell;
use core::convert::Infallible;
use critical_section::Mutex;
use embedded_hal::digital::{ErrorType, InputPin, OutputPin};

/// Clock of the core and of its peripherals.
pub const CLOCK_HZ: u32 = 25_000_000;

/// Cycles of a microsecond.
pub const CYCLES_PER_US: u32 = CLOCK_HZ / 1_000_000;

/// Numbers of the interrupts that the programs use.
pub mod interrupt {
    /// Interrupts of the FPGA image.
    pub const COUNT: usize = 32;
    /// UART 0 has received a byte.
    pub const UART_0_RECEIVED: usize = 0;
    /// Timer 0 has reached zero.
    pub const TIMER_0: usize = 8;

    /// One of them, for the NVIC.
    #[derive(Clone, Copy)]
    pub struct Number(pub u16);

    // SAFETY: the number is what the NVIC counts from 0; it does not change.
    unsafe impl cortex_m::interrupt::InterruptNumber for Number {
        fn number(self) -> u16 {
            self.0
        }
    }
}

/// A 32-bit register.
#[derive(Clone, Copy)]
struct Register(usize);

impl Register {
    fn read(self) -> u32 {
        // SAFETY: only constants of this file are made into registers: aligned addresses of devices, where reading takes nothing from anyone.
        unsafe { (self.0 as *const u32).read_volatile() }
    }

    fn write(self, value: u32) {
        // SAFETY: as above; a device's register is no memory of the program.
        unsafe { (self.0 as *mut u32).write_volatile(value) }
    }
}

const TIMER_0: usize = 0x4000_0000;
const UART_0: usize = 0x4000_4000;
const WATCHDOG: usize = 0x4000_8000;
const GPIO_0: usize = 0x4001_0000;
const FPGA_LEDS: Register = Register(0x4002_8000);
const FPGA_COUNTER: Register = Register(0x4002_8018);
const FPGA_PRESCALER: Register = Register(0x4002_801c);

/// The FPGA's free-running counter, in microseconds.
pub mod clock {
    use super::{CYCLES_PER_US, Cell, FPGA_COUNTER, FPGA_PRESCALER, Mutex};

    /// The counter when it was read last, and how often it has begun anew.
    static SEEN: Mutex<Cell<(u32, u32)>> = Mutex::new(Cell::new((0, 0)));

    /// Lets the counter run at 1 MHz from 0.
    pub fn start() {
        FPGA_PRESCALER.write(CYCLES_PER_US - 1);
        FPGA_COUNTER.write(0);
    }

    /// Microseconds since [`start`], provided that someone asks once in 71 minutes: the counter has 32 bits.
    pub fn micros() -> u64 {
        critical_section::with(|cs| {
            let (before, mut turns) = SEEN.borrow(cs).get();
            let low = FPGA_COUNTER.read();
            if low < before {
                turns = turns.wrapping_add(1);
            }
            SEEN.borrow(cs).set((low, turns));
            u64::from(turns) << 32 | u64::from(low)
        })
    }
}

/// Timer 0, which rings once.
pub mod alarm {
    use super::{CYCLES_PER_US, Register, TIMER_0};

    const CONTROL: Register = Register(TIMER_0);
    const VALUE: Register = Register(TIMER_0 + 4);
    const RELOAD: Register = Register(TIMER_0 + 8);
    const INTERRUPT_CLEAR: Register = Register(TIMER_0 + 12);
    const ENABLE_WITH_INTERRUPT: u32 = 0b1001;

    /// Switches the timer on; it rings when it is asked to.
    pub fn start() {
        // Without a value to begin anew from, the timer stops at zero.
        RELOAD.write(0);
        CONTROL.write(ENABLE_WITH_INTERRUPT);
    }

    /// Takes back the interrupt.
    pub fn taken() {
        INTERRUPT_CLEAR.write(1);
    }

    /// Rings in so many microseconds; at once for 0.
    pub fn ring_in(micros: u32) {
        VALUE.write(micros.saturating_mul(CYCLES_PER_US).max(1));
    }
}

/// UART 0. It holds one byte in each direction, so that what comes must be fetched at once.
pub mod uart {
    use super::{CLOCK_HZ, Register, UART_0};

    const DATA: Register = Register(UART_0);
    const STATE: Register = Register(UART_0 + 4);
    const CONTROL: Register = Register(UART_0 + 8);
    const INTERRUPT_CLEAR: Register = Register(UART_0 + 12);
    const BAUD_DIVIDER: Register = Register(UART_0 + 16);
    const TRANSMIT_FULL: u32 = 0b01;
    const RECEIVE_FULL: u32 = 0b10;
    const RECEIVED: u32 = 0b10;
    /// Transmitter, receiver, and the receiver's interrupt.
    const ENABLE: u32 = 0b1011;

    /// Opens the line, 8N1.
    pub fn start(baud: u32) {
        BAUD_DIVIDER.write(CLOCK_HZ.checked_div(baud).unwrap_or(u32::MAX));
        CONTROL.write(ENABLE);
    }

    /// The byte that has come. Takes the interrupt back first, so that a byte which comes meanwhile raises it again.
    pub fn receive() -> Option<u8> {
        INTERRUPT_CLEAR.write(RECEIVED);
        (STATE.read() & RECEIVE_FULL != 0).then(|| DATA.read() as u8)
    }

    /// Sends a byte if there is room.
    pub fn send(byte: u8) -> bool {
        let room = STATE.read() & TRANSMIT_FULL == 0;
        if room {
            DATA.write(u32::from(byte));
        }
        room
    }
}

/// The watchdog: interrupts (NMI) when it has not been fed for its time, and resets the board when the same time has passed again.
pub mod watchdog {
    use super::{CYCLES_PER_US, Register, WATCHDOG};

    const LOAD: Register = Register(WATCHDOG);
    const CONTROL: Register = Register(WATCHDOG + 8);
    const INTERRUPT_CLEAR: Register = Register(WATCHDOG + 12);
    const LOCK: Register = Register(WATCHDOG + 0xc00);
    const UNLOCK: u32 = 0x1acc_e551;
    const INTERRUPT_AND_RESET: u32 = 0b11;

    /// Starts it with the time until its interrupt.
    pub fn start(micros: u32) {
        LOCK.write(UNLOCK);
        LOAD.write(micros.saturating_mul(CYCLES_PER_US));
        CONTROL.write(INTERRUPT_AND_RESET);
    }

    /// Begins its time anew.
    pub fn feed() {
        INTERRUPT_CLEAR.write(1);
    }
}

/// A pin of GPIO 0. Reading and writing concern it alone, so that interrupts and main loop share the port without a lock.
#[derive(Clone, Copy)]
pub struct Pin(u8);

impl Pin {
    const OUTPUT_SET: Register = Register(GPIO_0 + 0x10);
    const OUTPUT_CLEAR: Register = Register(GPIO_0 + 0x14);

    /// Pin `number`, up to 15, as an input.
    pub fn input(number: u8) -> Self {
        let pin = Self(number & 15);
        Self::OUTPUT_CLEAR.write(pin.bit());
        pin
    }

    /// Pin `number`, up to 15, as an output of this level.
    pub fn output(number: u8, high: bool) -> Self {
        let pin = Self(number & 15);
        pin.put(high);
        Self::OUTPUT_SET.write(pin.bit());
        pin
    }

    const fn bit(self) -> u32 {
        1 << self.0
    }

    /// Where this pin is the only one of its byte: the address says which bits are meant.
    const fn alone(self) -> Register {
        let byte = self.0 as usize / 8;
        Register(GPIO_0 + 0x400 + 0x400 * byte + (4 << (self.0 % 8)))
    }

    fn put(self, high: bool) {
        self.alone().write(if high { self.bit() } else { 0 });
    }

    fn level(self) -> bool {
        self.alone().read() & self.bit() != 0
    }
}

impl ErrorType for Pin {
    type Error = Infallible;
}

impl OutputPin for Pin {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.put(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.put(true);
        Ok(())
    }
}

impl InputPin for Pin {
    fn is_high(&mut self) -> Result<bool, Infallible> {
        Ok(self.level())
    }

    fn is_low(&mut self) -> Result<bool, Infallible> {
        Ok(!self.level())
    }
}

/// A user LED of the board, 0 or 1: an output that is lit while it is high.
#[derive(Clone, Copy)]
pub struct Led(pub u8);

impl Led {
    fn put(self, lit: bool) {
        critical_section::with(|_| {
            let (others, bit) = (FPGA_LEDS.read() & !(1 << (self.0 & 1)), u32::from(lit) << (self.0 & 1));
            FPGA_LEDS.write(others | bit);
        });
    }
}

impl ErrorType for Led {
    type Error = Infallible;
}

impl OutputPin for Led {
    fn set_low(&mut self) -> Result<(), Infallible> {
        self.put(false);
        Ok(())
    }

    fn set_high(&mut self) -> Result<(), Infallible> {
        self.put(true);
        Ok(())
    }
}

impl embedded_hal::pwm::ErrorType for Led {
    type Error = Infallible;
}

/// It cannot be dimmed: any level above 0 lights it.
impl embedded_hal::pwm::SetDutyCycle for Led {
    fn max_duty_cycle(&self) -> u16 {
        1_000
    }

    fn set_duty_cycle(&mut self, duty: u16) -> Result<(), Infallible> {
        self.put(duty > 0);
        Ok(())
    }
}
