//! Why a description of a network is refused.

use alloc::string::String;

/// What is wrong with a network, by the name of the layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetworkError {
    /// The layer.
    pub layer: String,
    /// What is wrong with it.
    pub problem: String,
}

impl core::fmt::Display for NetworkError {
    fn fmt(&self, to: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(to, "layer '{}': {}", self.layer, self.problem)
    }
}

impl core::error::Error for NetworkError {}
