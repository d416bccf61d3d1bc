//! What the forward pass of a part gives: the loss to go back from, and what is to be told of it.

use crate::error::{Error, Result};
use crate::queue::PastBlock;
use burn::tensor::Tensor;

/// The loss of a part, and its blocks' moments. All of it stays on the device until the whole step is queued there.
pub(super) struct Outcome {
    /// What is differentiated, `[1]`: this process's part of the loss, whose gradients add up to the gradient of the loss.
    pub(super) total: Tensor<1>,
    /// The loss over all processes, `[1]`, without gradient.
    pub(super) loss: Tensor<1>,
    /// Its cross-entropy over all processes, `[1]`, without gradient, where any pixel's class was known.
    pub(super) cross_entropy: Option<Tensor<1>>,
    /// Predicted counts of the blocks of all processes, `[groups, blocks, classes]`, without gradient.
    pub(super) counts: Tensor<3>,
    /// Mean of p(1-p) of the same blocks.
    pub(super) bernoulli: Tensor<3>,
    /// Valid pixels of the same blocks.
    pub(super) pixels: Vec<u32>,
}

/// The same as numbers.
pub(super) struct Numbers {
    pub(super) loss: f64,
    pub(super) cross_entropy: Option<f64>,
    /// The moments of each class of every block.
    pub(super) moments: Vec<Vec<PastBlock>>,
}

/// Parts of an outcome that are read.
pub(super) struct Told {
    values: Tensor<1>,
    cross_entropy: bool,
    classes: usize,
    pixels: Vec<u32>,
}

impl Outcome {
    /// What is read later, in one tensor, and the loss to go back from.
    pub(super) fn split(self) -> (Tensor<1>, Told) {
        let classes = self.counts.dims()[2];
        let cross_entropy = self.cross_entropy.is_some();
        let mut all = vec![self.loss];
        all.extend(self.cross_entropy);
        all.extend([self.counts.flatten(0, 2), self.bernoulli.flatten(0, 2)]);
        let all = all.into_iter().map(Tensor::inner).collect();
        (self.total, Told { values: Tensor::cat(all, 0), cross_entropy, classes, pixels: self.pixels })
    }
}

/// Reads what a step's parts have to tell: once, after everything else of the step is queued, so that the device need not wait.
pub(super) fn read(told: Vec<Told>, step: usize) -> Result<Vec<Numbers>> {
    let values = Tensor::cat(told.iter().map(|told| told.values.clone()).collect(), 0);
    let values =
        values.try_into_vec_as::<f32>().map_err(|error| Error::Training { step, reason: format!("reading the loss: {error:?}") })?;
    let mut values = values.into_iter();
    let numbers = told.into_iter().map(|told| {
        let mut next = |count: usize| values.by_ref().take(count).collect::<Vec<f32>>();
        let head = next(1 + usize::from(told.cross_entropy));
        let (counts, bernoulli) = (next(told.pixels.len() * told.classes), next(told.pixels.len() * told.classes));
        let blocks = counts.chunks_exact(told.classes).zip(bernoulli.chunks_exact(told.classes)).zip(told.pixels);
        let block = |((counts, bernoulli), pixels): ((&[f32], &[f32]), u32)| {
            counts.iter().zip(bernoulli).map(|(&mean, &bernoulli)| PastBlock { pixels, mean, bernoulli }).collect()
        };
        let wide = |value: Option<&f32>| value.map(|&value| f64::from(value));
        Numbers { loss: wide(head.first()).unwrap_or(f64::NAN), cross_entropy: wide(head.get(1)), moments: blocks.map(block).collect() }
    });
    Ok(numbers.collect())
}
