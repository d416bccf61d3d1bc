//! The backward pass, layer by layer from the last: sums for BatchNorm, then strip by strip the gradients of weights and inputs.

use super::blocked::{Blocked, FeatureMemory};
use super::convolve::Convolve;
use super::forward::{Batch, LayerOutput, LayerParameters};
use super::normalise::{ImageSums, InputGradient, Sums};
use super::plan::Source;
use super::scratch::with_scratch;
use super::view::{OutputGradient, ViewGradient};
use super::weight_gradient::WeightGradient;
use rayon::prelude::*;

/// Partial sums of a weight gradient: a fixed number, so that the result does not depend on the number of threads. A strip is summed in f32
/// and strips in f64: which strips one process has, and which another, then changes no bit but for the rarest rounding.
const PARTS: usize = 32;
/// Bytes that they may take.
const PARTS_BYTES: usize = 128 << 20;

/// Gradients of a layer's parameters, over all processes.
pub(super) struct LayerGradients {
    /// `[outputs][inputs][3][3]`.
    pub(super) weights: Vec<f32>,
    pub(super) gamma: Vec<f32>,
    pub(super) beta: Vec<f32>,
}

/// A strip of a layer, and where its input's gradient goes: for each source, the rows of every group.
struct Strip<'a> {
    index: usize,
    to: Vec<Vec<&'a mut [f32]>>,
}

/// The gradient of a layer's activation.
struct Above<'a> {
    gradient: &'a [f32],
    formula: &'a InputGradient,
    output: &'a LayerOutput,
}

impl Batch<'_> {
    /// Goes back through a layer: `activations[layer]` is taken, and what its sources get is added to theirs.
    pub(super) fn layer_backward(
        &self,
        layers: &mut [Option<LayerOutput>],
        activations: &mut [Option<Vec<f32>>],
        layer: usize,
        parameters: LayerParameters,
        sum: &(dyn Fn(&mut [f64]) + Sync),
        memory: &FeatureMemory,
    ) -> Option<LayerGradients> {
        let plan = &self.plan.layers[layer];
        let (gradient, output) = (activations[layer].take()?, layers[layer].take()?);
        let (sums, formula) = self.formula(layer, &gradient, &output, sum);
        let channels = self.channels(plan);

        // A layer is never its own source, so the gradients of the sources can be borrowed one after the other.
        let mut targets: Vec<(Source, bool, Vec<f32>)> = Vec::new();
        for source in plan.sources.iter().filter(|source| source.layer.is_some()) {
            let from = source.layer?;
            let kept = activations[from].take();
            targets.push((*source, kept.is_none(), kept.unwrap_or_else(|| memory.take(self.shape(from).len()))));
        }
        let rows = self.strip_rows(layer);
        let first: Vec<bool> = targets.iter().map(|(_, first, _)| *first).collect();
        let mut strips = self.strips(layer, &mut targets, rows);
        let above = Above { gradient: &gradient, formula: &formula, output: &output };
        let reversed = if first.is_empty() { Vec::new() } else { channels.pack_reversed(parameters.weights, plan.channels) };

        let length = channels.packed_len(plan.channels);
        let parts = PARTS.min((PARTS_BYTES / (length * size_of::<f64>())).max(4));
        let per_part = strips.len().div_ceil(parts);
        let partial: Vec<Vec<f64>> = strips
            .par_chunks_mut(per_part)
            .map(|strips| {
                let mut weights = vec![0.0; length];
                for strip in strips {
                    with_scratch(length, |own| {
                        self.strip_backward(layers, layer, &above, strip, &first, &reversed, own);
                        weights.iter_mut().zip(own).for_each(|(total, own)| *total += f64::from(*own));
                    });
                }
                weights
            })
            .collect();
        drop(strips);
        for (source, _, target) in targets {
            activations[source.layer?] = Some(target);
        }
        memory.give(gradient);
        memory.give(output.values);

        let mut weights = vec![0.0_f64; length];
        for part in &partial {
            weights.par_chunks_mut(1 << 16).zip(part.par_chunks(1 << 16)).for_each(|(total, part)| {
                total.iter_mut().zip(part).for_each(|(total, part)| *total += part);
            });
        }
        sum(&mut weights);
        let single = |values: &[f64]| values.iter().take(plan.channels).map(|&v| v as f32).collect();
        let weights: Vec<f32> = weights.into_iter().map(|weight| weight as f32).collect();
        let weights = channels.unpack(&weights, plan.channels);
        Some(LayerGradients { weights, gamma: single(&sums.by_value), beta: single(&sums.plain) })
    }

    /// The sums over all processes, and from them how the convolution's output gets its gradient.
    fn formula(&self, layer: usize, gradient: &[f32], output: &LayerOutput, sum: &(dyn Fn(&mut [f64]) + Sync)) -> (Sums, InputGradient) {
        let shape = self.shape(layer);
        let images: Vec<Sums> = output
            .values
            .par_chunks_exact(shape.image())
            .zip(gradient.par_chunks_exact(shape.image()))
            .map(|(values, gradient)| {
                let Blocked { width, height, .. } = shape;
                self.plan.arch.dispatch(ImageSums { values, gradient, normalised: &output.normalised, width, height })
            })
            .collect();
        let mut own = Sums::none(shape.groups * shape.lanes);
        images.iter().for_each(|image| own.add(image));
        let mut both = [own.plain.clone(), own.by_value.clone()].concat();
        sum(&mut both);
        let by_value = both.split_off(own.plain.len());
        let sums = Sums { plain: both, by_value };
        let formula = output.normalised.backward(&sums);
        (sums, formula)
    }

    /// The strips of a layer with the rows that their sources' gradients go to.
    fn strips<'a>(&self, layer: usize, targets: &'a mut [(Source, bool, Vec<f32>)], rows: usize) -> Vec<Strip<'a>> {
        let shape = self.shape(layer);
        let count = shape.images * shape.height.div_ceil(rows);
        let mut strips: Vec<Strip<'a>> = (0..count).map(|index| Strip { index, to: Vec::new() }).collect();
        for (source, _, target) in targets {
            let Some(from) = source.layer else { continue };
            let map = self.shape(from);
            // The view's rows in the map's own resolution.
            let rows = rows * map.height / shape.height;
            for (strip, to) in strips.iter_mut().zip(map.strips(target, rows)) {
                strip.to.push(to);
            }
        }
        strips
    }

    #[expect(clippy::too_many_arguments, reason = "one strip's part of a layer")]
    fn strip_backward(
        &self,
        layers: &[Option<LayerOutput>],
        layer: usize,
        above: &Above,
        strip: &mut Strip,
        first: &[bool],
        reversed: &[f32],
        weights: &mut [f32],
    ) {
        let (shape, plan, arch) = (self.shape(layer), &self.plan.layers[layer], self.plan.arch);
        let (image, rows) = shape.strip(strip.index, self.strip_rows(layer));
        let (count, width) = (rows.len(), shape.width);
        with_scratch(shape.groups * self.padded(layer, count), |dz| {
            let of_image = image * shape.image()..(image + 1) * shape.image();
            let map = super::view::Map {
                values: &above.output.values[of_image.clone()],
                height: shape.height,
                width,
                affine: &above.output.normalised.affine,
            };
            let gradient = &above.gradient[of_image];
            arch.dispatch(OutputGradient { map, gradient, formula: above.formula, rows: rows.clone(), strip: dz });
            with_scratch(self.input_strip(layer, count), |input| {
                self.see(layers, layer, image, rows.clone(), input);
                let input_groups = input.len() / self.padded(layer, count);
                arch.dispatch(WeightGradient { input, input_groups, output_gradient: dz, rows: count, width, gradient: weights });
            });
            if strip.to.is_empty() {
                return;
            }
            let (plane, lanes) = (count * shape.row(), shape.lanes);
            let groups = plan.sources.iter().map(|source| self.plan.groups(source.channels)).sum::<usize>();
            with_scratch(groups * plane, |dx| {
                let counts: Vec<usize> = (0..plan.channels).step_by(lanes).map(|from| lanes.min(plan.channels - from)).collect();
                let mut output: Vec<&mut [f32]> = dx.chunks_exact_mut(plane).collect();
                arch.dispatch(Convolve { input: dz, counts: &counts, weights: reversed, rows: count, width, output: &mut output });
                let mut rest: &[f32] = dx;
                // A layer reads either the image or other layers, so these are all of its sources.
                for ((source, to), &first) in plan.sources.iter().zip(&mut strip.to).zip(first) {
                    let (part, others) = rest.split_at(self.plan.groups(source.channels) * plane);
                    rest = others;
                    let Some(map) = source.layer.and_then(|from| self.map(layers, from, image)) else { continue };
                    arch.dispatch(ViewGradient { map, view: source.view, rows: rows.clone(), strip: part, to, first });
                }
            });
        });
    }
}
