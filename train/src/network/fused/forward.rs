//! The forward pass: every layer's convolution output, and how it is normalised.

use super::blocked::{Blocked, FeatureMemory};
use super::convolve::Convolve;
use super::normalise::{Moments, Normalised, StripMoments};
use super::plan::{LayerPlan, Plan};
use super::scratch::with_scratch;
use super::view::{Activations, ImageStrip, Map};
use super::weights::InputChannels;
use rayon::prelude::*;
use std::ops::Range;

/// Bytes of a strip's input that stay in a core's cache.
const STRIP_BYTES: usize = 256 << 10;

/// Parameters of a layer, as they are trained.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerParameters<'a> {
    /// `[outputs][inputs][3][3]`.
    pub(super) weights: &'a [f32],
    pub(super) gamma: &'a [f32],
    pub(super) beta: &'a [f32],
}

/// Mean and variance of every layer's channels, as running statistics keep them.
#[derive(Debug, Clone)]
pub(super) struct Statistics {
    pub(super) mean: Vec<f64>,
    pub(super) variance: Vec<f64>,
}

/// What the backward pass needs of a layer.
#[derive(Debug)]
pub(super) struct LayerOutput {
    /// The convolution's output.
    pub(super) values: Vec<f32>,
    pub(super) normalised: Normalised,
}

/// A batch on its way through a network.
pub(super) struct Batch<'a> {
    pub(super) plan: &'a Plan,
    /// `[images][3][height][width]`.
    pub(super) input: &'a [f32],
    /// Images, height, width.
    pub(super) size: [usize; 3],
}

impl Batch<'_> {
    pub(super) fn shape(&self, layer: usize) -> Blocked {
        self.plan.shape(layer, self.size)
    }

    pub(super) fn channels(&self, layer: &LayerPlan) -> InputChannels {
        InputChannels::new(layer.sources.iter().map(|source| source.channels), self.plan.lanes)
    }

    /// Rows of a layer's strips: an even number, so that no 2x2 pixels are torn apart.
    pub(super) fn strip_rows(&self, layer: usize) -> usize {
        let (shape, plan) = (self.shape(layer), &self.plan.layers[layer]);
        let groups: usize = plan.sources.iter().map(|source| self.plan.groups(source.channels)).sum();
        let line = groups.max(shape.groups) * (shape.width + 2) * shape.lanes * size_of::<f32>();
        (STRIP_BYTES / line).saturating_sub(2).clamp(4, shape.height.max(4)).next_multiple_of(2)
    }

    /// Length of a strip of so many rows of all of a layer's inputs.
    pub(super) fn input_strip(&self, layer: usize, rows: usize) -> usize {
        let sources = &self.plan.layers[layer].sources;
        sources.iter().map(|source| self.plan.groups(source.channels)).sum::<usize>() * self.padded(layer, rows)
    }

    /// Length of a group's strip with its border.
    pub(super) fn padded(&self, layer: usize, rows: usize) -> usize {
        let shape = self.shape(layer);
        (rows + 2) * (shape.width + 2) * shape.lanes
    }

    /// One image's map of an earlier layer.
    pub(super) fn map<'b>(&self, layers: &'b [Option<LayerOutput>], layer: usize, image: usize) -> Option<Map<'b>> {
        let (shape, output) = (self.shape(layer), layers[layer].as_ref()?);
        let values = &output.values[image * shape.image()..][..shape.image()];
        Some(Map { values, height: shape.height, width: shape.width, affine: &output.normalised.affine })
    }

    /// Writes a strip of what a layer sees.
    pub(super) fn see(&self, layers: &[Option<LayerOutput>], layer: usize, image: usize, rows: Range<usize>, strip: &mut [f32]) {
        let [_, height, width] = self.size;
        let mut rest = strip;
        for source in &self.plan.layers[layer].sources {
            let length = self.plan.groups(source.channels) * self.padded(layer, rows.len());
            let (strip, others) = rest.split_at_mut(length);
            rest = others;
            match source.layer {
                Some(from) => {
                    if let Some(map) = self.map(layers, from, image) {
                        self.plan.arch.dispatch(Activations { map, view: source.view, rows: rows.clone(), strip });
                    }
                }
                None => {
                    let image = &self.input[image * 3 * height * width..][..3 * height * width];
                    ImageStrip { image, height, width, rows: rows.clone(), lanes: self.plan.lanes, strip }.write();
                }
            }
        }
    }

    /// Runs a layer. With `known` statistics the moments are not taken.
    pub(super) fn layer(
        &self,
        layers: &[Option<LayerOutput>],
        layer: usize,
        parameters: LayerParameters,
        known: Option<&Statistics>,
        sum: &(dyn Fn(&mut [f64]) + Sync),
        memory: &FeatureMemory,
    ) -> (LayerOutput, Statistics) {
        let (shape, plan, rows) = (self.shape(layer), &self.plan.layers[layer], self.strip_rows(layer));
        let channels = self.channels(plan);
        let weights = channels.pack(parameters.weights, plan.channels);
        let mut values = memory.take(shape.len());
        let moments: Vec<Option<Moments>> = shape
            .strips(&mut values, rows)
            .into_par_iter()
            .enumerate()
            .map(|(index, mut output)| {
                let (image, rows) = shape.strip(index, rows);
                let count = rows.len();
                with_scratch(self.input_strip(layer, count), |strip| {
                    self.see(layers, layer, image, rows, strip);
                    let (counts, width) = (&channels.counts, shape.width);
                    self.plan.arch.dispatch(Convolve { input: strip, counts, weights: &weights, rows: count, width, output: &mut output });
                });
                known.is_none().then(|| self.plan.arch.dispatch(StripMoments { strip: &output, width: shape.width }))
            })
            .collect();
        let (count, statistics) = match known {
            Some(known) => (0.0, known.clone()),
            None => merged(moments.into_iter().flatten(), shape.groups * shape.lanes, sum),
        };
        let LayerParameters { gamma, beta, .. } = parameters;
        let padded = shape.groups * shape.lanes;
        let normalised = Normalised::new(count, &statistics.mean, &statistics.variance, gamma, beta, plan.epsilon, padded);
        (LayerOutput { values, normalised }, statistics)
    }
}

/// Statistics over all strips, in all processes.
fn merged(moments: impl Iterator<Item = Moments>, channels: usize, sum: &(dyn Fn(&mut [f64]) + Sync)) -> (f64, Statistics) {
    let mut own = Moments::none(channels);
    moments.for_each(|strip| own.merge(&strip));
    let mut total: Vec<f64> = own.mean.iter().map(|mean| own.count * mean).chain([own.count]).collect();
    sum(&mut total);
    let count = total.pop().unwrap_or(own.count);
    let mean: Vec<f64> = total.iter().map(|sum| sum / count).collect();
    let apart = own.mean.iter().zip(&mean).map(|(own, mean)| (own - mean) * (own - mean));
    let mut variance: Vec<f64> = own.squares.iter().zip(apart).map(|(squares, apart)| squares + own.count * apart).collect();
    sum(&mut variance);
    variance.iter_mut().for_each(|variance| *variance /= count);
    (count, Statistics { mean, variance })
}
