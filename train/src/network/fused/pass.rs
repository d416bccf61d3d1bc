//! A whole pass through the network, forward and backward.

use super::blocked::FeatureMemory;
use super::forward::{Batch, LayerOutput, LayerParameters, Statistics};
use super::head::{Logits, LogitsGradient};
use super::plan::Plan;
use rayon::prelude::*;

/// All parameters, one after the other: for each layer weights, gamma and beta; then weights and bias of the head.
#[derive(Debug)]
pub(super) struct Parameters<'a> {
    layers: Vec<LayerParameters<'a>>,
    /// `[outputs][groups][lanes]`, padded with zeros.
    head: Vec<f32>,
    bias: &'a [f32],
}

impl<'a> Parameters<'a> {
    /// None where the length is not that of the plan's parameters.
    pub(super) fn new(plan: &Plan, flat: &'a [f32]) -> Option<Self> {
        let mut rest = flat;
        let mut next = |length: usize| {
            let (part, others) = rest.split_at_checked(length)?;
            rest = others;
            Some(part)
        };
        let mut layers = Vec::new();
        for layer in &plan.layers {
            let weights = next(layer.channels * layer.inputs() * 9)?;
            layers.push(LayerParameters { weights, gamma: next(layer.channels)?, beta: next(layer.channels)? });
        }
        let channels = plan.layers.last()?.channels;
        let padded = plan.groups(channels) * plan.lanes;
        let fill = |row: &[f32]| row.iter().copied().chain(std::iter::repeat(0.0)).take(padded).collect::<Vec<_>>();
        let head = next(plan.outputs * channels)?.chunks_exact(channels).flat_map(fill).collect();
        let bias = next(plan.outputs)?;
        rest.is_empty().then_some(Self { layers, head, bias })
    }
}

/// Adds up over all processes.
type Sum<'a> = &'a (dyn Fn(&mut [f64]) + Sync);

/// What a forward pass gives.
pub(super) struct Forwarded {
    /// `[images][outputs][height][width]`.
    pub(super) logits: Vec<f32>,
    /// What the backward pass needs.
    pub(super) layers: Vec<Option<LayerOutput>>,
    /// Every layer's, as they were taken.
    pub(super) statistics: Vec<Statistics>,
}

impl Batch<'_> {
    /// Forward. With `known` statistics nothing is kept for a way back.
    pub(super) fn forward(
        &self,
        parameters: &Parameters,
        known: Option<&[Statistics]>,
        sum: Sum,
        memory: &FeatureMemory,
    ) -> Option<Forwarded> {
        let mut layers: Vec<Option<LayerOutput>> = Vec::new();
        let mut all = Vec::new();
        for (layer, parameters) in parameters.layers.iter().enumerate() {
            let known = known.map(|known| &known[layer]);
            let (output, statistics) = self.layer(&layers, layer, *parameters, known, sum, memory);
            layers.push(Some(output));
            all.push(statistics);
            if known.is_some() {
                self.free(&mut layers, layer, memory);
            }
        }
        let [images, height, width] = self.size;
        let (last, image_len) = (layers.len() - 1, self.plan.outputs * height * width);
        let mut logits = vec![0.0; images * image_len];
        logits.par_chunks_exact_mut(image_len).enumerate().for_each(|(image, logits)| {
            if let Some(map) = self.map(&layers, last, image) {
                self.plan.arch.dispatch(Logits { map, weights: &parameters.head, bias: parameters.bias, logits });
            }
        });
        if known.is_some() {
            layers.drain(..).flatten().for_each(|output| memory.give(output.values));
        }
        Some(Forwarded { logits, layers, statistics: all })
    }

    /// Gives back the maps that no layer after this one reads.
    fn free(&self, layers: &mut [Option<LayerOutput>], done: usize, memory: &FeatureMemory) {
        let later = &self.plan.layers[done + 1..];
        for (number, output) in layers.iter_mut().enumerate().take(done) {
            if !later.iter().flat_map(|layer| &layer.sources).any(|source| source.layer == Some(number))
                && let Some(output) = output.take()
            {
                memory.give(output.values);
            }
        }
    }

    /// Gradients of all parameters, in their order, from that of the logits; over all processes.
    pub(super) fn backward(
        &self,
        parameters: &Parameters,
        mut layers: Vec<Option<LayerOutput>>,
        logits: &[f32],
        sum: Sum,
        memory: &FeatureMemory,
    ) -> Option<Vec<f32>> {
        let last = layers.len().checked_sub(1)?;
        let (shape, [_, height, width]) = (self.shape(last), self.size);
        let mut gradient = memory.take(shape.len());
        let per_image: Vec<Option<(Vec<f64>, Vec<f64>)>> = gradient
            .par_chunks_exact_mut(shape.image())
            .zip(logits.par_chunks_exact(self.plan.outputs * height * width))
            .enumerate()
            .map(|(image, (gradient, logits))| {
                let map = self.map(&layers, last, image)?;
                Some(self.plan.arch.dispatch(LogitsGradient { map, weights: &parameters.head, logits, gradient }))
            })
            .collect();
        let (mut head, mut bias) = (vec![0.0; parameters.head.len()], vec![0.0; self.plan.outputs]);
        for (of_head, of_bias) in per_image.into_iter().flatten() {
            head.iter_mut().zip(of_head).for_each(|(total, part)| *total += part);
            bias.iter_mut().zip(of_bias).for_each(|(total, part)| *total += part);
        }
        sum(&mut head);
        sum(&mut bias);
        let mut activations: Vec<Option<Vec<f32>>> = layers.iter().map(|_| None).collect();
        activations[last] = Some(gradient);
        let mut backwards = Vec::new();
        for (layer, parameters) in parameters.layers.iter().enumerate().rev() {
            backwards.push(self.layer_backward(&mut layers, &mut activations, layer, *parameters, sum, memory)?);
        }
        let mut all = Vec::new();
        for layer in backwards.into_iter().rev() {
            all.extend(layer.weights);
            all.extend(layer.gamma);
            all.extend(layer.beta);
        }
        let channels = self.plan.layers[last].channels;
        let padded = shape.groups * shape.lanes;
        all.extend(head.chunks_exact(padded).flat_map(|row| &row[..channels]).map(|&v| v as f32));
        all.extend(bias.iter().map(|&v| v as f32));
        Some(all)
    }
}
