//! The Pico's lines to the host: USB while a program there has the port open, the UART otherwise.

use rp2040_hal::gpio::bank0::{Gpio0, Gpio1};
use rp2040_hal::gpio::{FunctionUart, Pin, PullDown};
use rp2040_hal::pac::UART0;
use rp2040_hal::uart::{Enabled, UartPeripheral};
#[cfg(feature = "usb")]
use {
    rp2040_hal::usb::UsbBus,
    usb_device::bus::UsbBusAllocator,
    usb_device::device::{StringDescriptors, UsbDevice, UsbDeviceBuilder, UsbVidPid},
    usbd_serial::CdcAcmClass,
};

/// Most bytes that come at a time: a packet of USB at full speed.
pub const PACKET: usize = 64;

/// The number that serial ports of hobby devices share (V-USB's list); whoever sells boards needs one of their own.
#[cfg(feature = "usb")]
const USB_ID: UsbVidPid = UsbVidPid(0x16c0, 0x27dd);

/// The UART that is line 0.
pub type Uart = UartPeripheral<Enabled, UART0, (Pin<Gpio0, FunctionUart, PullDown>, Pin<Gpio1, FunctionUart, PullDown>)>;

/// Both lines.
pub struct HostLine<'b> {
    uart: Uart,
    #[cfg(feature = "usb")]
    usb: Usb<'b>,
    #[cfg(not(feature = "usb"))]
    usb: core::marker::PhantomData<&'b ()>,
}

#[cfg(feature = "usb")]
struct Usb<'b> {
    device: UsbDevice<'b, UsbBus>,
    serial: CdcAcmClass<'b, UsbBus>,
    /// A program has the port open (DTR).
    open: bool,
}

#[cfg(not(feature = "usb"))]
impl HostLine<'_> {
    /// The UART alone.
    pub fn new(uart: Uart) -> Self {
        Self { uart, usb: core::marker::PhantomData }
    }

    /// Bytes that have come.
    pub fn read(&mut self, bytes: &mut [u8; PACKET]) -> usize {
        self.uart.read_raw(bytes).unwrap_or(0)
    }

    /// Sends what there is room for; returns how much that was.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        self.uart.write_raw(bytes).map_or(0, |rest| bytes.len() - rest.len())
    }
}

#[cfg(feature = "usb")]
impl<'b> HostLine<'b> {
    /// The UART and a serial port at USB; nothing where the USB device is refused.
    pub fn new(uart: Uart, bus: &'b UsbBusAllocator<UsbBus>) -> Option<Self> {
        let serial = CdcAcmClass::new(bus, PACKET as u16);
        let names = StringDescriptors::default().manufacturer("lsr").product("lsr microscope controller");
        let device = UsbDeviceBuilder::new(bus, USB_ID).device_class(usbd_serial::USB_CLASS_CDC).strings(&[names]).ok()?;
        let device = device.max_packet_size_0(PACKET as u8).ok()?.build();
        Some(Self { uart, usb: Usb { device, serial, open: false } })
    }

    /// Bytes that have come. Where the line is another one than before there is one, a zero: half a frame of the one line is no part of the other's.
    /// To be called every few milliseconds, or the USB host takes the port for dead.
    #[inline(never)]
    pub fn read(&mut self, bytes: &mut [u8; PACKET]) -> usize {
        let Usb { device, serial, open } = &mut self.usb;
        device.poll(&mut [serial]);
        if *open != serial.dtr() {
            *open = !*open;
            bytes[0] = 0;
            return 1;
        }
        if *open { serial.read_packet(bytes).unwrap_or(0) } else { self.uart.read_raw(bytes).unwrap_or(0) }
    }

    /// Sends what there is room for; returns how much that was.
    pub fn write(&mut self, bytes: &[u8]) -> usize {
        if self.usb.open {
            // A packet that is not full ends a transfer: none has to be ended by an empty one.
            let packet = bytes.get(..PACKET - 1).unwrap_or(bytes);
            self.usb.serial.write_packet(packet).unwrap_or(0)
        } else {
            self.uart.write_raw(bytes).map_or(0, |rest| bytes.len() - rest.len())
        }
    }
}
