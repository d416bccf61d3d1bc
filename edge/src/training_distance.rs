//! How far a field is from what the network has learned from, for records and people.

use crate::error::Error;
use lsr_core::reference::{FEATURE_NAMES, FEATURES};
use lsr_core::{FieldView, Judgement, Reference};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Features that are named.
const NAMED: usize = 3;

/// How far a field is from the training images.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct TrainingDistance {
    /// Mean distance of its tiles from the nearest training tile each, in standard deviations of all features together; null where there is too
    /// little tissue to speak of.
    pub distance: Option<f64>,
    /// Distance beyond which a field is flagged.
    pub limit: f64,
    /// Whether the network has learned from nothing like it, so that its mask is a guess.
    pub flagged: bool,
    /// Tiles that it was cut into.
    pub tiles: u32,
    /// Of these, those with enough tissue.
    pub judged_tiles: u32,
    /// Of these, those beyond the limit.
    pub tiles_beyond_limit: u32,
    /// Share of its pixels that are tissue.
    pub tissue: f64,
    /// What differs most, in words.
    pub furthest: Vec<String>,
}

impl TrainingDistance {
    /// Measures a field of `width` x `height` px at the model's pixel size: RGB bytes, and probabilities as bytes.
    ///
    /// # Errors
    /// [`Error::Moments`] for bytes that do not fill the field.
    pub fn of(reference: &Reference, rgb: &[u8], probabilities: &[u8], width: u32, height: u32) -> Result<Self, Error> {
        let (width, height) = (width as usize, height as usize);
        let view = FieldView::new(rgb, probabilities, width, height)?;
        let side = usize::from(reference.parts().tile_px);
        let mut scratch = vec![0; side.min(width) * side.min(height)];
        let judgement = reference.judge(&view, &mut scratch)?;
        Ok(Self {
            distance: judgement.distance.map(rounded),
            limit: rounded(reference.parts().limit),
            flagged: judgement.flagged,
            tiles: judgement.tiles,
            judged_tiles: judgement.judged,
            tiles_beyond_limit: judgement.beyond,
            tissue: rounded(judgement.tissue),
            furthest: furthest(&judgement),
        })
    }

    /// Of windows that were measured one by one: the mean over their tiles.
    ///
    /// - `counts`: tiles; of these, those with enough tissue; of these, those beyond the limit
    pub(crate) fn of_tiles(distance: Option<f64>, limit: f32, [tiles, judged_tiles, tiles_beyond_limit]: [u32; 3], tissue: f64) -> Self {
        let round = |value: f64| (value * 1e4).round() / 1e4;
        let (distance, limit) = (distance.map(round), rounded(limit));
        let flagged = distance.is_none_or(|distance| distance > limit);
        let furthest = vec![format!("{tiles_beyond_limit} of {judged_tiles} tiles are beyond it")];
        Self { distance, limit, flagged, tiles, judged_tiles, tiles_beyond_limit, tissue: round(tissue), furthest }
    }

    /// One line for a flagged field; none for another.
    pub fn warning(&self, name: &str) -> Option<String> {
        let distance = self.distance.map_or("no distance".to_owned(), |distance| format!("distance {distance:.2}"));
        let what = self.furthest.join("; ");
        self.flagged
            .then(|| format!("flagged: {name}: unlike what the network has learned from: {distance}, limit {:.2} ({what})", self.limit))
    }
}

/// To four digits after the point: more are not meant, and an f32 printed as f64 has many.
fn rounded(value: f32) -> f64 {
    (f64::from(value) * 1e4).round() / 1e4
}

/// The features that differ most from the nearest training tiles.
fn furthest(judgement: &Judgement) -> Vec<String> {
    if judgement.judged == 0 {
        return vec![format!("tissue on {:.1} % of it, too little to judge", 100.0 * judgement.tissue)];
    }
    let mut order: Vec<usize> = (0..FEATURES).collect();
    order.sort_by(|&a, &b| judgement.difference[b].abs().total_cmp(&judgement.difference[a].abs()));
    let words = |at: usize| {
        let (difference, side) = (judgement.difference[at], if judgement.difference[at] < 0.0 { "below" } else { "above" });
        format!("{}: {:.1} standard deviations {side} the nearest training tile", FEATURE_NAMES[at], difference.abs())
    };
    order.into_iter().take(NAMED).map(words).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_differences_are_named_first() {
        let mut difference = [0.0; FEATURES];
        (difference[6], difference[1], difference[9]) = (-4.14, 2.0, 9.96);
        let judgement = Judgement {
            tiles: 4,
            judged: 3,
            beyond: 2,
            tissue: 0.5,
            distance: Some(11.0),
            features: [0.0; FEATURES],
            difference,
            flagged: true,
        };
        let words = furthest(&judgement);
        assert_eq!(words[0], "entropy of the prediction: 10.0 standard deviations above the nearest training tile");
        assert_eq!(words[1], "texture at 1 px: 4.1 standard deviations below the nearest training tile");
        assert!(words[2].starts_with("eosin: 2.0"));
        assert_eq!(furthest(&Judgement { judged: 0, tissue: 0.012, ..judgement }), ["tissue on 1.2 % of it, too little to judge"]);
    }
}
