//! Where the controller is, and the bytes to and from there.

use super::error::StageError;
use std::fmt;
use std::io::{self, Read, Write};
use std::net::TcpStream;
#[cfg(unix)]
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// Baud rate of a serial port unless another is given; USB serial ports do not care.
pub const DEFAULT_BAUD: u32 = 115_200;

/// A read that brings nothing returns after this time, so that a thread can end.
const READ_TIMEOUT: Duration = Duration::from_millis(20);
/// A line that takes nothing for so long is dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(1);

/// A way to a controller.
///
/// ```
/// use lsr_edge::stage::Port;
/// let port: Port = "tcp:localhost:4000".parse()?;
/// assert_eq!(port, Port::Tcp { address: "localhost:4000".into() });
/// assert_eq!("/dev/ttyACM0@9600".parse::<Port>()?.to_string(), "/dev/ttyACM0@9600");
/// assert!("tcp:localhost".parse::<Port>().is_err());
/// # Ok::<(), lsr_edge::stage::StageError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// A serial device; `DEVICE` or `DEVICE@BAUD`.
    Serial {
        /// Its name.
        device: String,
        /// Baud rate.
        baud: u32,
    },
    /// `tcp:HOST:PORT`, for controllers behind a bridge and for emulators.
    Tcp {
        /// `HOST:PORT`.
        address: String,
    },
    /// `unix:PATH`, for emulators.
    Unix {
        /// The socket.
        path: PathBuf,
    },
}

/// Both halves of an open line.
pub(super) struct Halves {
    pub(super) reader: Box<dyn Read + Send>,
    pub(super) writer: Box<dyn Write + Send>,
}

impl Port {
    /// Opens the line.
    pub(super) fn open(&self) -> Result<Halves, StageError> {
        self.halves().map_err(|source| StageError::Open { port: self.to_string(), source })
    }

    fn halves(&self) -> io::Result<Halves> {
        match self {
            Self::Serial { device, baud } => {
                let writer = serialport::new(device, *baud).timeout(READ_TIMEOUT).open().map_err(|error| busy(device, error.into()))?;
                let reader = writer.try_clone()?;
                // What came before this program is of no interest.
                writer.clear(serialport::ClearBuffer::All)?;
                Ok(Halves { reader: Box::new(reader), writer: Box::new(writer) })
            }
            Self::Tcp { address } => {
                let writer = TcpStream::connect(address)?;
                writer.set_nodelay(true)?;
                writer.set_read_timeout(Some(READ_TIMEOUT))?;
                writer.set_write_timeout(Some(WRITE_TIMEOUT))?;
                Ok(Halves { reader: Box::new(writer.try_clone()?), writer: Box::new(writer) })
            }
            #[cfg(unix)]
            Self::Unix { path } => {
                let writer = UnixStream::connect(path)?;
                writer.set_read_timeout(Some(READ_TIMEOUT))?;
                writer.set_write_timeout(Some(WRITE_TIMEOUT))?;
                Ok(Halves { reader: Box::new(writer.try_clone()?), writer: Box::new(writer) })
            }
            #[cfg(not(unix))]
            Self::Unix { .. } => Err(io::Error::new(io::ErrorKind::Unsupported, "no Unix sockets on this system")),
        }
    }
}

/// A device that another program has locked is "no device" to serialport.
fn busy(device: &str, error: io::Error) -> io::Error {
    let there = error.kind() == io::ErrorKind::NotFound && Path::new(device).exists();
    if there { io::Error::new(io::ErrorKind::ResourceBusy, error) } else { error }
}

impl FromStr for Port {
    type Err = StageError;

    fn from_str(text: &str) -> Result<Self, StageError> {
        let bad = |problem| StageError::Port { text: text.to_owned(), problem };
        if let Some(address) = text.strip_prefix("tcp:") {
            let (host, port) = address.rsplit_once(':').ok_or_else(|| bad("no port number"))?;
            if host.is_empty() {
                return Err(bad("no host"));
            }
            port.parse::<u16>().map_err(|_| bad("no port number"))?;
            return Ok(Self::Tcp { address: address.to_owned() });
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return if path.is_empty() { Err(bad("no path")) } else { Ok(Self::Unix { path: path.into() }) };
        }
        let (device, baud) = match text.rsplit_once('@') {
            Some((device, baud)) => (device, baud.parse().ok().filter(|&baud| baud > 0).ok_or_else(|| bad("no baud rate behind '@'"))?),
            None => (text, DEFAULT_BAUD),
        };
        if device.is_empty() { Err(bad("it is empty")) } else { Ok(Self::Serial { device: device.to_owned(), baud }) }
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { device, baud: DEFAULT_BAUD } => f.write_str(device),
            Self::Serial { device, baud } => write!(f, "{device}@{baud}"),
            Self::Tcp { address } => write!(f, "tcp:{address}"),
            Self::Unix { path } => write!(f, "unix:{}", path.display()),
        }
    }
}
