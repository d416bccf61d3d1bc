//! Bias correction (Nagel et al. 2019, section 4.2, with means that are measured).
//!
//! Rounding is not zero on average: what a channel's weights lose or gain, times the mean of what they read, shifts the channel everywhere,
//! and on the way to the logits such shifts become more cancer or less. So the mean of every channel over some crops is brought back to the float
//! network's, layer after layer, each behind the corrected ones before it.

use super::int8::Int8Network;
use super::progress::{Progress, values};
use super::settings::QuantizeSettings;
use super::tiles::Tiles;
use crate::error::Result;
use crate::network::FoldedNetwork;
use burn::tensor::{Device, Tensor};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Crops whose means are taken: 800,000 pixels, 50 MB for each 16 channels at the image's resolution.
const CROPS: usize = 48;
/// Largest side of a crop in pixels.
const CROP_PX: u32 = 128;

/// The network with biases corrected towards the means of the float network that it was rounded from.
///
/// # Errors
/// An image that cannot be read; an interruption; a bias that 32 bits cannot hold.
pub(crate) fn corrected(network: &Int8Network, tiles: &Tiles, settings: &QuantizeSettings, progress: &mut Progress) -> Result<Int8Network> {
    let device = Device::flex();
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    progress.stage("correcting biases", 2);
    let image = tiles.crops(CROPS, CROP_PX, &mut random, &device)?;
    let expected = means(&network.float, image.clone())?;
    progress.step()?;
    let mut float = network.float.clone();
    let simulation = network.simulation();
    simulation.run(image, |layer, sums| {
        let [_, outputs, _, _] = sums.dims();
        let rounded = &network.layers[layer];
        let found = values(channel_means(sums.clone()))?;
        let mut steps = Vec::with_capacity(outputs);
        for (channel, (expected, found)) in expected[layer].iter().zip(found).enumerate() {
            let scale = rounded.bias_scale[channel];
            // In whole steps of the bias: what is written is what is simulated here.
            let step = (expected / scale - found).round_ties_even();
            float.layers[layer].bias[channel] = (f64::from(rounded.bias[channel]) + f64::from(step)) * f64::from(scale);
            steps.push(step);
        }
        Ok(sums + Tensor::<1>::from_floats(steps.as_slice(), &device).reshape([1, outputs, 1, 1]))
    })?;
    progress.step()?;
    Int8Network::new(float, network.grids.clone())
}

/// Means of every layer's channels before the ReLU.
fn means(network: &FoldedNetwork, image: Tensor<4>) -> Result<Vec<Vec<f32>>> {
    let weights = network.tensors(&image.device());
    let mut means = vec![Vec::new(); network.layers.len()];
    network.run(image, |layer, x| {
        let (weight, bias) = weights[layer].clone();
        let sums = network.layers[layer].apply(x, weight, bias);
        means[layer] = values(channel_means(sums.clone()))?;
        Ok(if network.layers[layer].rectified { burn::tensor::activation::relu(sums) } else { sums })
    })?;
    Ok(means)
}

/// `[n, c, h, w]` to `[c]`; over rows first, so that f32 does not have to add up a million numbers one by one.
fn channel_means(x: Tensor<4>) -> Tensor<1> {
    let channels = x.dims()[1];
    x.mean_dim(3).mean_dim(2).mean_dim(0).reshape([channels])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Dataset;
    use crate::quantize::tests::{Silent, network, shapes};
    use crate::quantize::{Grid, observe, range};
    use std::sync::atomic::AtomicBool;

    #[test]
    fn every_channel_has_the_float_networks_mean_again() {
        let folder = crate::data::tests::folder(&[("a", 64, 64), ("b", 64, 48)]);
        let data = Dataset::open(&[folder.path().to_owned()]).unwrap();
        let (settings, stop) = (QuantizeSettings::default(), AtomicBool::new(false));
        let progress = &mut Progress { observer: &mut Silent, stop: &stop };
        for config in shapes() {
            let tiles = Tiles::choose(&data, 8, 0, config.alignment()).unwrap();
            let float = network(&config);
            let observed = observe::observe(&float, &tiles, progress).unwrap();
            let mut off = float.clone();
            // Biases that are off, as rounded weights make them.
            off.layers.iter_mut().for_each(|layer| layer.bias.iter_mut().for_each(|bias| *bias += 0.03));
            let grids: Vec<Grid> = range::grids(&float, &observed, &settings);
            let mut network = Int8Network::new(off, grids.clone()).unwrap();
            network.float = float.clone();
            let found = corrected(&network, &tiles, &settings, progress).unwrap();
            let image = tiles.crops(CROPS, CROP_PX, &mut ChaCha8Rng::seed_from_u64(0), &Device::flex()).unwrap();
            let mean = |network: &Int8Network| {
                let logits = network.simulation().forward(image.clone()).unwrap();
                values(channel_means(logits)).unwrap()
            };
            let expected = means(&float, image.clone()).unwrap().pop().unwrap();
            let step = grids[float.steps.len()].scale;
            let worst = |found: Vec<f32>| found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            let (before, after) = (worst(mean(&network)), worst(mean(&found)));
            // The last rounding is not corrected any more.
            assert!(after < 0.5 * before.max(step), "{config:?}: {before} to {after}, step {step}");
        }
    }
}
