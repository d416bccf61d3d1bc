//! What judging a field costs on a Raspberry Pi Pico: pins are high while it computes, to be read in an emulator, by a logic analyser or an oscilloscope.
//!
//! | GPIO | is high while |
//! |---|---|
//! | 2 | nothing is done: what raising and lowering a pin takes |
//! | 3 | a row of 240 pixels is summed ([`workload::ROWS`] times) |
//! | 4 | a field's sums become a z-score and an alarm (once for each label) |
#![no_std]
#![no_main]

use core::hint::black_box;
use cortex_m_rt::entry;
use embedded_hal::digital::OutputPin;
use lsr_boards::workload;
use lsr_core::{BlockMoments, CountPrior, Monitor, MonitorConfig, U8Sums};
use rp2040_hal as hal;

const CRYSTAL_HZ: u32 = 12_000_000;

#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2_FIRMWARE: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    rest()
}

fn rest() -> ! {
    loop {
        cortex_m::asm::wfe();
    }
}

/// Holds a pin high while something is done.
fn timed<T>(pin: &mut impl OutputPin, work: impl FnOnce() -> T) {
    let _ = pin.set_high();
    black_box(work());
    let _ = pin.set_low();
}

#[entry]
fn main() -> ! {
    let Some(mut pac) = hal::pac::Peripherals::take() else { rest() };
    let mut watchdog = hal::Watchdog::new(pac.WATCHDOG);
    let clocks =
        hal::clocks::init_clocks_and_plls(CRYSTAL_HZ, pac.XOSC, pac.CLOCKS, pac.PLL_SYS, pac.PLL_USB, &mut pac.RESETS, &mut watchdog);
    let Ok(_) = clocks else { rest() };
    let sio = hal::Sio::new(pac.SIO);
    let pins = hal::gpio::Pins::new(pac.IO_BANK0, pac.PADS_BANK0, sio.gpio_bank0, &mut pac.RESETS);
    let mut nothing = pins.gpio2.into_push_pull_output();
    let mut row = pins.gpio3.into_push_pull_output();
    let mut score = pins.gpio4.into_push_pull_output();
    let Ok(mut monitor) = Monitor::<f32, 10>::new(&CountPrior::<f32, 10, 2>::table_1(), 1, MonitorConfig::default()) else { rest() };

    let image = workload::image();
    let mut sums = U8Sums::default();
    for start in 0..workload::ROWS {
        timed(&mut nothing, || ());
        let pixels = black_box(workload::row(&image, start));
        timed(&mut row, || sums.push_row(pixels));
    }
    let sums = black_box(sums);
    for label in 0..10 {
        timed(&mut score, || BlockMoments::from_u8_sums(sums).and_then(|field| monitor.observe(label, &field)));
    }
    rest()
}
