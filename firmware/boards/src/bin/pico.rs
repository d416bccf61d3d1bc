//! Raspberry Pi Pico (RP2040).
#![no_std]
#![no_main]

use cortex_m_rt::entry;
use defmt_rtt as _;
use embedded_hal::digital::OutputPin;
use embedded_io::{Read, ReadReady, Write};
use fugit::RateExtU32;
use rp2040_hal as hal;
use hal::Clock;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo) -> ! {
    cortex_m::interrupt::disable();
    loop {
        cortex_m::asm::nop();
    }
}

defmt::timestamp!("{=u64:us}", 0);

#[unsafe(link_section = ".boot2")]
#[used]
static BOOT2_FIRMWARE: [u8; 256] = rp2040_boot2::BOOT_LOADER_W25Q080;

#[entry]
fn main() -> ! {
    let Some(mut pac) = hal::pac::Peripherals::take() else { loop {} };
    let mut watchdog = hal::Watchdog::new(pac.WATCHDOG);
    let Ok(clocks) = hal::clocks::init_clocks_and_plls(12_000_000, pac.XOSC, pac.CLOCKS, pac.PLL_SYS, pac.PLL_USB, &mut pac.RESETS, &mut watchdog) else { loop {} };
    let sio = hal::Sio::new(pac.SIO);
    let pins = hal::gpio::Pins::new(pac.IO_BANK0, pac.PADS_BANK0, sio.gpio_bank0, &mut pac.RESETS);
    let timer = hal::Timer::new(pac.TIMER, &mut pac.RESETS, &clocks);
    let uart = hal::uart::UartPeripheral::new(pac.UART0, (pins.gpio0.into_function(), pins.gpio1.into_function()), &mut pac.RESETS)
        .enable(hal::uart::UartConfig::new(460_800.Hz(), hal::uart::DataBits::Eight, None, hal::uart::StopBits::One), clocks.peripheral_clock.freq());
    let Ok(mut uart) = uart else { loop {} };
    let mut led = pins.gpio25.into_push_pull_output();
    defmt::info!("up at {}", timer.get_counter().ticks());
    loop {
        if uart.read_ready().unwrap_or(false) {
            let mut byte = [0];
            if uart.read(&mut byte).is_ok() {
                let _ = uart.write_all(&[byte[0].wrapping_add(1)]);
                let _ = led.set_high();
            }
        }
    }
}
