//! What a network has learned from, as its file says.

use crate::error::ModelError;
use lsr_core::Reference;
use serde::{Serialize, Serializer};

/// Longest value of the key that is read; 200 tiles take some 20 kB.
const MAX_BYTES: usize = 100_000;
/// Longest problem that is told: a file's own words may be in it.
const MAX_PROBLEM: usize = 200;

/// The checked value of `lsr.reference`. Records show what it is, and not its numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedFrom(Box<Reference>);

impl LearnedFrom {
    /// Reads the JSON of the key.
    ///
    /// # Errors
    /// [`ModelError::Reference`], with what is wrong.
    pub(super) fn parse(text: &str) -> Result<Self, ModelError> {
        if text.len() > MAX_BYTES {
            return Err(ModelError::Reference { problem: format!("{} bytes, more than the {MAX_BYTES} that are read", text.len()) });
        }
        let problem = |error: serde_json::Error| error.to_string().chars().take(MAX_PROBLEM).collect();
        serde_json::from_str(text)
            .map(|reference| Self(Box::new(reference)))
            .map_err(|error| ModelError::Reference { problem: problem(error) })
    }

    /// The tiles, and the limit.
    pub fn reference(&self) -> &Reference {
        &self.0
    }

    /// For people.
    pub(crate) fn describe(&self) -> String {
        let parts = self.0.parts();
        format!(
            "{} tiles of {} px; a field beyond distance {:.2} from them is flagged ({} % of them are within it)",
            parts.vectors.len(),
            parts.tile_px,
            parts.limit,
            (1000.0 * parts.quantile).round() / 10.0
        )
    }
}

#[derive(Serialize)]
struct Summary {
    tiles: usize,
    tile_px: u16,
    limit: f32,
    quantile: f32,
}

impl Serialize for LearnedFrom {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let parts = self.0.parts();
        let summary = Summary { tiles: parts.vectors.len(), tile_px: parts.tile_px, limit: parts.limit, quantile: parts.quantile };
        summary.serialize(serializer)
    }
}
