//! A training run that nobody watches.

use lsr_train::{Observer, ReproduceProgress};

/// Prints warnings and nothing else.
pub struct Silent;

impl Observer for Silent {
    fn warn(&mut self, text: &str) {
        println!("warning: {text}");
    }
}

impl ReproduceProgress for Silent {
    fn stage(&mut self, _: &str) {}

    fn note(&mut self, text: &str) {
        println!("{text}");
    }
}
