//! Who is told how far quantisation is, and who may stop it.

use crate::error::{Error, Result};
use burn::tensor::Tensor;
use std::sync::atomic::{AtomicBool, Ordering};

/// Who is told what happens.
pub trait QuantizeObserver {
    /// A part of so many steps begins.
    fn stage(&mut self, what: &str, steps: usize);
    /// A step is done.
    fn step(&mut self);
    /// Something is not as it should be.
    fn warn(&mut self, text: &str);
}

/// The observer and the flag that stops.
pub(crate) struct Progress<'a> {
    pub(crate) observer: &'a mut dyn QuantizeObserver,
    pub(crate) stop: &'a AtomicBool,
}

impl Progress<'_> {
    pub(crate) fn stage(&mut self, what: &str, steps: usize) {
        self.observer.stage(what, steps);
    }

    /// Counts a step.
    ///
    /// # Errors
    /// [`Error::Stopped`] where the flag is set.
    pub(crate) fn step(&mut self) -> Result<()> {
        self.observer.step();
        if self.stop.load(Ordering::Relaxed) {
            return Err(Error::Stopped { again: "run the same command again (nothing was written)".to_owned() });
        }
        Ok(())
    }
}

/// A tensor's numbers.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.try_into_vec_as::<f32>().map_err(|error| Error::setting("device", "numbers that can be read back", format!("{error:?}")))
}
