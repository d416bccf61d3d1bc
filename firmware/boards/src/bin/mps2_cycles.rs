//! What judging a field costs on a Cortex-M4F, by its SysTick counter, in cycles of 40 ns: one line of text a figure on UART 0, then `end`.
//!
//! | line | is the time of |
//! |---|---|
//! | `nothing N` | reading the counter twice |
//! | `row N` | summing a row of 240 pixels |
//! | `score N` | making a field's sums a z-score and an alarm |
#![no_std]
#![no_main]

use core::fmt::{self, Write};
use core::hint::black_box;
use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use cortex_m_rt::entry;
use lsr_boards::mps2::{interrupt, uart};
use lsr_boards::workload;
use lsr_core::{BlockMoments, CountPrior, Monitor, MonitorConfig, U8Sums};

const BAUD: u32 = 115_200;
/// The counter has 24 bits and counts down.
const FULL: u32 = 0x00ff_ffff;

/// No interrupt is used.
#[unsafe(link_section = ".vector_table.interrupts")]
#[unsafe(no_mangle)]
static __INTERRUPTS: [Option<unsafe extern "C" fn()>; interrupt::COUNT] = [None; interrupt::COUNT];

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    rest()
}

fn rest() -> ! {
    loop {
        cortex_m::asm::nop();
    }
}

struct Line;

impl Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            while !uart::send(byte) {}
        }
        Ok(())
    }
}

/// Says how long something takes.
fn timed<T>(name: &str, work: impl FnOnce() -> T) {
    let before = SYST::get_current();
    black_box(work());
    let after = SYST::get_current();
    let _ = writeln!(Line, "{name} {}", before.wrapping_sub(after) & FULL);
}

#[entry]
fn main() -> ! {
    let Some(mut core) = cortex_m::Peripherals::take() else { rest() };
    uart::start(BAUD);
    core.SYST.set_clock_source(SystClkSource::Core);
    core.SYST.set_reload(FULL);
    core.SYST.clear_current();
    core.SYST.enable_counter();
    let Ok(mut monitor) = Monitor::<f32, 10>::new(&CountPrior::<f32, 10, 2>::table_1(), 1, MonitorConfig::default()) else { rest() };

    let image = workload::image();
    let mut sums = U8Sums::default();
    for start in 0..workload::ROWS {
        timed("nothing", || ());
        let pixels = black_box(workload::row(&image, start));
        timed("row", || sums.push_row(pixels));
    }
    let sums = black_box(sums);
    for label in 0..10 {
        timed("score", || BlockMoments::from_u8_sums(sums).and_then(|field| monitor.observe(label, &field)));
    }
    let _ = writeln!(Line, "end");
    rest()
}
