//! What values the activations take on the calibration images.

use super::histogram::Histogram;
use super::progress::{Progress, values};
use super::tiles::Tiles;
use crate::error::{Error, Result};
use crate::network::FoldedNetwork;
use burn::tensor::Device;

/// Pixels whose logits are kept.
const KEPT_PIXELS: u64 = 1 << 16;

/// What was seen.
pub(crate) struct Observed {
    /// Of each layer's output, behind its ReLU.
    pub(crate) histograms: Vec<Histogram>,
    /// Of pixels spread evenly over the images, the logits of one after the other.
    pub(crate) logits: Vec<f32>,
}

/// Runs the network in f32 over all tiles.
///
/// # Errors
/// An image that cannot be read; a layer whose output is no number, or the same everywhere; an interruption.
pub(crate) fn observe(network: &FoldedNetwork, tiles: &Tiles, progress: &mut Progress) -> Result<Observed> {
    let device = Device::flex();
    let weights = network.tensors(&device);
    let mut histograms = vec![Histogram::new(); network.layers.len()];
    let mut logits = Vec::new();
    let every = tiles.pixels().div_ceil(KEPT_PIXELS) as usize;
    let mut passed = 0;
    progress.stage("calibrating", tiles.len());
    for tile in 0..tiles.len() {
        let output = network.run(tiles.input(tile, &device)?, |layer, x| {
            let made = network.layer(layer, x, &weights[layer]);
            histograms[layer]
                .push(&values(made.clone())?)
                .map_err(|bad| Error::setting("calibration", format!("finite activations in layer {}", network.layers[layer].name), bad))?;
            Ok(made)
        })?;
        let [_, outputs, height, width] = output.dims();
        let found = values(output)?;
        let pixels = height * width;
        let first = (every - passed % every) % every;
        for pixel in (first..pixels).step_by(every) {
            logits.extend((0..outputs).map(|output| found[output * pixels + pixel]));
        }
        passed += pixels;
        progress.step()?;
    }
    for (layer, histogram) in network.layers.iter().zip(&histograms) {
        let (least, most) = histogram.range();
        if least == most {
            let expected = format!("images on which layer {} takes more than one value", layer.name);
            return Err(Error::setting("calibration", expected, format!("{least} everywhere")));
        }
    }
    Ok(Observed { histograms, logits })
}
