//! One network in, the int8 network that is nearest to it out.

use super::bias;
use super::compare::{Difference, compare};
use super::equalise::equalised;
use super::fine_tune::fine_tuned;
use super::int8::Int8Network;
use super::observe::observe;
use super::progress::Progress;
use super::range::grids;
use super::report::FineTuning;
use super::settings::{Equalise, QuantizeSettings};
use super::tiles::Tiles;
use crate::error::{Error, Result};
use crate::network::FoldedNetwork;

/// What is quantised, on what, and how.
pub(super) struct Calibration<'a> {
    pub(super) float: &'a FoldedNetwork,
    pub(super) threshold: f64,
    pub(super) tiles: &'a Tiles,
    pub(super) settings: &'a QuantizeSettings,
}

/// An int8 network and how far it is from the float network.
pub(super) struct Candidate {
    pub(super) network: Int8Network,
    pub(super) equalised: bool,
    pub(super) difference: Difference,
}

impl Calibration<'_> {
    /// The int8 networks that the settings allow: as trained, equalised, or both.
    ///
    /// # Errors
    /// An image that cannot be read, a network that integers cannot stand for, an interruption.
    pub(super) fn candidates(&self, progress: &mut Progress) -> Result<Vec<Candidate>> {
        let variants: &[bool] = match self.settings.equalise {
            Equalise::Off => &[false],
            Equalise::On => &[true],
            Equalise::Auto => &[false, true],
        };
        let mut networks = Vec::new();
        for &equalise in variants {
            let network = if equalise { equalised(self.float.clone()) } else { self.float.clone() };
            let grids = grids(&network, &observe(&network, self.tiles, progress)?, self.settings);
            networks.push(bias::corrected(&Int8Network::new(network, grids)?, self.tiles, self.settings, progress)?);
        }
        let differences = compare(self.float, &networks, self.threshold, self.tiles, progress)?;
        let all = networks.into_iter().zip(variants).zip(differences);
        Ok(all.map(|((network, &equalised), difference)| Candidate { network, equalised, difference }).collect())
    }

    /// Fine-tunes a candidate, and keeps what comes out only where it is nearer to the float network.
    ///
    /// # Errors
    /// As [`Calibration::candidates`]; a loss that is no number.
    pub(super) fn fine_tune(&self, from: Candidate, progress: &mut Progress) -> Result<(Candidate, FineTuning)> {
        let grids = from.network.grids.clone();
        let tuned = fine_tuned(&from.network.float, &grids, self.float, self.tiles, self.settings, progress)?;
        let network = Int8Network::new(tuned, grids)?;
        let networks = [network];
        let after = only(compare(self.float, &networks, self.threshold, self.tiles, progress)?)?;
        let [network] = networks;
        let before = from.difference;
        let kept = after.probability_error < before.probability_error;
        let about = FineTuning { steps: self.settings.fine_tune, learning_rate: self.settings.learning_rate, before, after, kept };
        if kept {
            return Ok((Candidate { network, difference: after, ..from }, about));
        }
        progress.observer.warn("fine-tuning took the network further from the float network: its weights are as before");
        Ok((from, about))
    }
}

/// The candidate whose probabilities are nearest to the float network's.
///
/// # Errors
/// None to choose from.
pub(super) fn nearest(candidates: Vec<Candidate>) -> Result<Candidate> {
    only(candidates.into_iter().min_by(|a, b| a.difference.probability_error.total_cmp(&b.difference.probability_error)))
}

fn only<T>(found: impl IntoIterator<Item = T>) -> Result<T> {
    found.into_iter().next().ok_or_else(|| Error::setting("--equalise", "auto, on or off", "nothing to compare"))
}
