//! What there is instead where the feature `mqtt` is off.

use crate::error::Error;
use crate::interrupt::Interrupt;
use std::path::Path;

/// There is none.
#[derive(Debug)]
pub enum Broker {}

impl Broker {
    /// Says that there is none.
    ///
    /// # Errors
    /// [`Error::Source`].
    pub fn new(address: &str, _topic: String) -> Result<Self, Error> {
        let reason = "lsr-edge without the feature 'mqtt' knows no broker (cargo build --features mqtt)".to_owned();
        Err(Error::Source { source_name: format!("--mqtt {address}"), reason })
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub fn tell_fields(self, _folder: &Path, _interrupt: &Interrupt, _tell: &dyn Fn(&str)) -> Result<(), Error> {
        match self {}
    }
}
