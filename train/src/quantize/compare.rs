//! How far an int8 network is from its float network on the calibration images.

use super::int8::{Int8Network, Simulation};
use super::progress::{Progress, values};
use super::tiles::Tiles;
use crate::error::Result;
use crate::network::{FoldedNetwork, probabilities};
use burn::tensor::{Device, Tensor};
use serde::Serialize;

/// Differences between two networks over the same pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Difference {
    /// Pixels compared.
    pub pixels: u64,
    /// Share of pixels of the same class.
    pub pixel_agreement: f64,
    /// Mean absolute difference of those logits of the float network that lie within the int8 network's range: beyond it the probability hardly
    /// changes.
    pub logit_error: f64,
    /// Largest of these differences.
    pub largest_logit_error: f64,
    /// Root of the mean squared difference of probabilities.
    pub probability_error: f64,
    /// Mean difference of probabilities, int8 less float (of the last class): what a block's predicted count is off by.
    pub probability_bias: f64,
}

/// Compares each int8 network with `float` over all tiles.
///
/// # Errors
/// An image that cannot be read; an interruption.
pub(crate) fn compare(
    float: &FoldedNetwork,
    networks: &[Int8Network],
    threshold: f64,
    tiles: &Tiles,
    progress: &mut Progress,
) -> Result<Vec<Difference>> {
    let device = Device::flex();
    let weights = float.tensors(&device);
    let mut pairs: Vec<(Simulation, Sums)> = networks.iter().map(|network| (network.simulation(), Sums::new(network))).collect();
    progress.stage("comparing", tiles.len());
    for tile in 0..tiles.len() {
        let image = tiles.input(tile, &device)?;
        let expected = Output::of(float.run(image.clone(), |layer, x| Ok(float.layer(layer, x, &weights[layer])))?)?;
        for (simulation, sums) in &mut pairs {
            sums.add(&expected, &Output::of(simulation.forward(image.clone())?)?, threshold);
        }
        progress.step()?;
    }
    Ok(pairs.into_iter().map(|(_, sums)| sums.difference()).collect())
}

/// Logits and probabilities of one tile, output by output.
struct Output {
    logits: Vec<f32>,
    probabilities: Vec<f32>,
    outputs: usize,
}

impl Output {
    fn of(logits: Tensor<4>) -> Result<Self> {
        let outputs = logits.dims()[1];
        Ok(Self { probabilities: values(probabilities(logits.clone()))?, logits: values(logits)?, outputs })
    }

    fn classes(&self, threshold: f64) -> Vec<u8> {
        let pixels = self.probabilities.len() / self.outputs;
        let maps: Vec<&[f32]> = self.probabilities.chunks_exact(pixels).collect();
        crate::evaluate::classes_of(&maps, threshold)
    }
}

/// Sums over pixels.
struct Sums {
    /// Limits of the int8 network's logits.
    limits: (f64, f64),
    pixels: u64,
    same: u64,
    compared: u64,
    logit: f64,
    largest: f64,
    squares: f64,
    bias: f64,
    probabilities: u64,
}

impl Sums {
    fn new(network: &Int8Network) -> Self {
        let limits = network.grids[network.float.steps.len()].limits();
        Self { limits, pixels: 0, same: 0, compared: 0, logit: 0.0, largest: 0.0, squares: 0.0, bias: 0.0, probabilities: 0 }
    }

    fn add(&mut self, expected: &Output, found: &Output, threshold: f64) {
        let (classes, others) = (expected.classes(threshold), found.classes(threshold));
        self.pixels += classes.len() as u64;
        self.same += classes.iter().zip(&others).filter(|(a, b)| a == b).count() as u64;
        for (&a, &b) in expected.logits.iter().zip(&found.logits) {
            if (self.limits.0..=self.limits.1).contains(&f64::from(a)) {
                let error = f64::from(b - a).abs();
                self.compared += 1;
                self.logit += error;
                self.largest = self.largest.max(error);
            }
        }
        for (&a, &b) in expected.probabilities.iter().zip(&found.probabilities) {
            self.squares += f64::from(b - a).powi(2);
        }
        let last = expected.probabilities.len() - classes.len();
        self.bias += expected.probabilities[last..].iter().zip(&found.probabilities[last..]).map(|(&a, &b)| f64::from(b - a)).sum::<f64>();
        self.probabilities += expected.probabilities.len() as u64;
    }

    fn difference(&self) -> Difference {
        let mean = |sum: f64, count: u64| sum / count.max(1) as f64;
        Difference {
            pixels: self.pixels,
            pixel_agreement: mean(self.same as f64, self.pixels),
            logit_error: mean(self.logit, self.compared),
            largest_logit_error: self.largest,
            probability_error: mean(self.squares, self.probabilities).sqrt(),
            probability_bias: mean(self.bias, self.pixels),
        }
    }
}
