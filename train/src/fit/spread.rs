//! The loss of groups that are spread over processes, and the gradients of all of them.
//!
//! The loss of a group is no sum over its blocks, so gradients of separate losses cannot simply be averaged. A loss needs nothing of a block
//! but its moments, though, two numbers a class: every process tells its blocks' moments to all others, evaluates the loss of whole groups,
//! and differentiates it by the moments. Going back from `sum stop_gradient(dL/dmoment) moment` of its own blocks then gives this process's
//! part of the very gradient that one process would have; the parts are added up. A process alone does the same without telling anybody,
//! so that its numbers are those of several to the last bit, but for the order of sums over blocks.

use crate::error::{Error, Result};
use crate::loss::{BatchMoments, ValidPixels};
use crate::network::Network;
use crate::processes::Processes;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use std::ops::Range;

/// What this process knows of a part after its forward pass.
pub(super) struct Own {
    /// Moments of its blocks, `[1, blocks, classes]`.
    pub(super) moments: BatchMoments,
    /// Valid pixels of its blocks.
    pub(super) pixels: Vec<u32>,
    /// Sum of the cross-entropy over its pixels of known class, and their number.
    pub(super) cross_entropy: Option<(Tensor<1>, f64)>,
}

/// What all processes know then, alike; without gradient.
pub(super) struct All {
    /// Counts and mean p(1-p), `[groups, blocks, classes]`.
    pub(super) counts: Tensor<3>,
    pub(super) bernoulli: Tensor<3>,
    /// Valid pixels of the blocks.
    pub(super) pixels: Vec<u32>,
    /// Sum of the cross-entropy over the pixels of known class, and their number.
    pub(super) cross_entropy: Option<(Tensor<1>, f64)>,
}

/// Shape of a part's moments, and which of its blocks are this process's.
pub(super) struct Blocks {
    /// Groups, blocks of each, classes.
    pub(super) shape: [usize; 3],
    pub(super) own: Range<usize>,
    /// Pixels of a block.
    pub(super) pixels: usize,
}

impl Own {
    /// Brings the moments of all processes together.
    ///
    /// # Errors
    /// A device that cannot be read.
    pub(super) fn among(&self, processes: Processes, blocks: &Blocks, device: &Device) -> Result<All> {
        if processes.alone() {
            let moments = |own: &Tensor<3>| own.clone().detach().reshape(blocks.shape);
            return Ok(All {
                counts: moments(&self.moments.counts),
                bernoulli: moments(&self.moments.bernoulli),
                pixels: self.pixels.clone(),
                cross_entropy: self.cross_entropy.clone().map(|(sum, known)| (sum.detach(), known)),
            });
        }
        let [groups, size, classes] = blocks.shape;
        let (count, per_block) = (groups * size, 2 * classes + 1);
        // A block's numbers are 0 in all processes but its own: the sums are the numbers themselves, exactly.
        let mut table = vec![0.0_f64; count * per_block + 2];
        let mut told = vec![self.moments.counts.clone().flatten(0, 2), self.moments.bernoulli.clone().flatten(0, 2)];
        told.extend(self.cross_entropy.iter().map(|(sum, _)| sum.clone()));
        let told = Tensor::cat(told.into_iter().map(Tensor::inner).collect(), 0).try_into_vec_as::<f32>();
        let told = told.map_err(|error| Error::Training { step: 0, reason: format!("reading the counts: {error:?}") })?;
        let length = blocks.own.len() * classes;
        let rows = table.chunks_exact_mut(per_block).skip(blocks.own.start).take(blocks.own.len());
        for (i, (row, &pixels)) in rows.zip(&self.pixels).enumerate() {
            for class in 0..classes {
                row[class] = f64::from(told[i * classes + class]);
                row[classes + class] = f64::from(told[length + i * classes + class]);
            }
            row[2 * classes] = f64::from(pixels);
        }
        if let (Some((_, known)), Some(&sum)) = (&self.cross_entropy, told.get(2 * length)) {
            table[count * per_block..].copy_from_slice(&[f64::from(sum), *known]);
        }
        processes.sum(&mut table);

        let rows = || table.chunks_exact(per_block).take(count);
        let column = |from: usize| {
            let values: Vec<f32> = rows().flat_map(|row| &row[from..from + classes]).map(|&value| value as f32).collect();
            Tensor::<3>::from_data(TensorData::new(values, blocks.shape), device)
        };
        let (sum, known) = (table[count * per_block], table[count * per_block + 1]);
        Ok(All {
            counts: column(0),
            bernoulli: column(classes),
            pixels: rows().map(|row| row[2 * classes] as u32).collect(),
            cross_entropy: (known > 0.0).then(|| (Tensor::from_floats([sum as f32], device), known)),
        })
    }
}

impl All {
    /// The loss of the counts, `[1]`, without gradient; and what goes back into this process's network as the loss would.
    pub(super) fn loss(
        &self,
        own: &Own,
        blocks: &Blocks,
        loss: impl FnOnce(&BatchMoments) -> Tensor<1>,
        device: &Device,
    ) -> [Tensor<1>; 2] {
        let [groups, size, classes] = blocks.shape;
        let pixels = if self.pixels.iter().all(|&n| n as usize == blocks.pixels) {
            ValidPixels::All(blocks.pixels)
        } else {
            let each: Vec<f32> = self.pixels.iter().map(|&n| n as f32).collect();
            ValidPixels::Each(Tensor::from_data(TensorData::new(each, [groups, size, 1]), device))
        };
        let (counts, bernoulli) = (self.counts.clone().require_grad(), self.bernoulli.clone().require_grad());
        let moments = BatchMoments { counts: counts.clone(), bernoulli: bernoulli.clone(), pixels };
        let loss = loss(&moments);
        let gradients = loss.backward();
        let back = |leaf: &Tensor<3>, own: &Tensor<3>| {
            let all = leaf.grad(&gradients)?.reshape([1, groups * size, classes]);
            let gradient = all.narrow(1, blocks.own.start, blocks.own.len()).autodiff();
            // Tensors of one operation must agree on what is kept for the backward pass and what is computed again.
            Some(
                own.clone()
                    * match own.gradient_checkpointing_strategy() {
                        Some(strategy) => gradient.with_gradient_checkpointing_strategy(strategy),
                        None => gradient,
                    },
            )
        };
        // Some distances depend on one of the two alone.
        let terms = [back(&counts, &own.moments.counts), back(&bernoulli, &own.moments.bernoulli)];
        let surrogate = terms.into_iter().flatten().reduce(|a, b| a + b);
        let surrogate = surrogate.map_or_else(|| own.moments.counts.clone().sum().mul_scalar(0.0), Tensor::sum);
        [loss.detach(), surrogate]
    }
}

/// The gradients added up over all processes.
///
/// # Errors
/// A device that cannot be read.
pub(super) fn sum_gradients(processes: Processes, model: &Network, gradients: GradientsParams) -> Result<GradientsParams> {
    if processes.alone() {
        return Ok(gradients);
    }
    let mut flat = Flat { gradients, tensors: Vec::new() };
    model.visit(&mut flat);
    let Flat { gradients, tensors } = flat;
    let Some(device) = tensors.first().map(Tensor::device) else { return Ok(gradients) };
    let own = Tensor::cat(tensors, 0).try_into_vec_as::<f32>();
    let mut values = own.map_err(|error| Error::Training { step: 0, reason: format!("reading the gradients: {error:?}") })?;
    processes.sum_single(&mut values);
    let length = values.len();
    let mut put = Put { gradients, total: Tensor::from_data(TensorData::new(values, [length]), &device), from: 0 };
    model.visit(&mut put);
    Ok(put.gradients)
}

/// All gradients one after the other.
struct Flat {
    gradients: GradientsParams,
    tensors: Vec<Tensor<1>>,
}

impl ModuleVisitor for Flat {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.val().dims();
        // A parameter that none of this process's blocks has moved may have moved with another's.
        let gradient = self.gradients.get::<D>(param.id).unwrap_or_else(|| Tensor::zeros(shape, &param.val().inner().device()));
        self.tensors.push(gradient.reshape([shape.iter().product::<usize>()]));
    }
}

/// Puts the sums in their places.
struct Put {
    gradients: GradientsParams,
    total: Tensor<1>,
    from: usize,
}

impl ModuleVisitor for Put {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let shape = param.val().dims();
        let length: usize = shape.iter().product();
        let gradient = self.total.clone().narrow(0, self.from, length).reshape(shape);
        self.from += length;
        self.gradients.remove::<D>(param.id);
        self.gradients.register(param.id, gradient);
    }
}
