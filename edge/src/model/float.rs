//! Runs a network in tract's own float arithmetic: RGB bytes in, cancer probabilities out.
//!
//! tract plans memory and packs weights for one image size at a time (some tens of milliseconds), so plans are kept, a few of them.

use super::metadata::Metadata;
use super::network::expected_logits;
use super::qdq::reader;
use crate::error::ModelError;
use crate::guard::guarded;
use std::sync::{Arc, Mutex, PoisonError};
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::{
    Datum, Framework, InferenceFact, InferenceModel, InferenceModelExt, IntoRunnable, IntoTValue, Tensor, TractError, TypedModel,
    TypedRunnableModel, tvec,
};

/// Plans kept. A plan holds its own packed copy of the weights; a folder of images has few sizes.
const PLANS: usize = 4;

/// Largest single activation for each pixel of the image: 4,096 channels at full resolution. A U-Net of width 64 needs a twentieth of it.
const MAX_PIXEL_BYTES: u64 = 16 << 10;

/// Largest single activation whatever the image.
const MAX_ACTIVATION_BYTES: u64 = 4 << 30;

/// What is allowed for the smallest images.
const MIN_ACTIVATION_BYTES: u64 = 64 << 20;

type Plan = Arc<TypedRunnableModel>;

/// A network that the runtime has accepted. `&self` runs from any number of threads.
pub(super) struct FloatNetwork {
    model: InferenceModel,
    channels: usize,
    mask_class: usize,
    /// Normalised value of each 8-bit level, per colour channel.
    levels: Box<[[f32; 256]; 3]>,
    plans: Mutex<Vec<([usize; 2], Plan)>>,
}

impl FloatNetwork {
    /// Hands a checked file to tract and proves that it accepts two different sizes and gives the agreed output.
    pub(super) fn new(proto: &ModelProto, metadata: &Metadata) -> Result<Self, ModelError> {
        let step = metadata.alignment as usize;
        let model = guarded(|| reader(false).model_for_proto_model(proto))
            .and_then(|result| result.map_err(reason))
            .map_err(|reason| ModelError::Prepare { width: step, height: step, reason })?;
        let levels = std::array::from_fn(|channel| {
            std::array::from_fn(|level| (level as f32 - metadata.pixel_mean[channel]) / metadata.pixel_std[channel])
        });
        let mut network = Self { model, channels: 0, mask_class: metadata.mask_class(), levels: Box::new(levels), plans: Mutex::default() };
        network.channels = network.output_channels([step, step], metadata.class_names.len())?;
        network.output_channels([2 * step, 3 * step], metadata.class_names.len())?;
        Ok(network)
    }

    /// Probabilities of the mask's class for an image of `height` rows of RGB bytes; both sides must be multiples of the alignment.
    pub(super) fn probabilities(&self, rgb: &[u8], [height, width]: [usize; 2]) -> Result<Vec<f32>, ModelError> {
        let plan = self.plan([height, width])?;
        let area = height * width;
        let mut planes = vec![0_f32; 3 * area];
        for (channel, plane) in planes.chunks_exact_mut(area.max(1)).enumerate() {
            let levels = &self.levels[channel];
            for (value, pixel) in plane.iter_mut().zip(rgb.chunks_exact(3)) {
                *value = levels[usize::from(pixel[channel])];
            }
        }
        let run = || -> Result<Vec<f32>, TractError> {
            let image = Tensor::from_shape(&[1, 3, height, width], &planes)?;
            drop(planes);
            let logits = plan.run(tvec!(image.into_tvalue()))?.remove(0);
            Ok(logits.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
        };
        let logits = guarded(run).and_then(|result| result.map_err(reason)).map_err(|reason| ModelError::Run { width, height, reason })?;
        if logits.len() != self.channels * area {
            let reason = format!("expected {} logits, found {}", self.channels * area, logits.len());
            return Err(ModelError::Run { width, height, reason });
        }
        if let Some(at) = logits.iter().position(|logit| !logit.is_finite()) {
            return Err(ModelError::NotFinite { class: at / area, row: at % area / width, column: at % width, value: logits[at] });
        }
        Ok(class_probabilities(logits, self.channels, self.mask_class))
    }

    /// The plan for a size: kept, or made now. Threads that need the same new plan wait for one of them to make it.
    fn plan(&self, size: [usize; 2]) -> Result<Plan, ModelError> {
        // A panic in here is caught by `guarded`, and the list is changed only by whole steps: a poisoned lock is still good.
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = plans.iter().position(|(kept, _)| *kept == size) {
            let entry = plans.remove(at);
            let plan = Arc::clone(&entry.1);
            plans.push(entry);
            return Ok(plan);
        }
        if plans.len() >= PLANS {
            plans.remove(0);
        }
        let [height, width] = size;
        let typed = self.typed(size)?;
        let plan = guarded(|| typed.into_optimized()?.into_runnable())
            .and_then(|result| result.map_err(reason))
            .map_err(|reason| ModelError::Prepare { width, height, reason })?;
        plans.push((size, Arc::clone(&plan)));
        Ok(plan)
    }

    /// The network with all shapes known, checked against the memory bound before anything is allocated.
    fn typed(&self, [height, width]: [usize; 2]) -> Result<TypedModel, ModelError> {
        let shaped = || -> Result<TypedModel, TractError> {
            self.model.clone().with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), [1, 3, height, width]))?.into_typed()
        };
        let typed =
            guarded(shaped).and_then(|result| result.map_err(reason)).map_err(|reason| ModelError::Prepare { width, height, reason })?;
        let max = (MAX_PIXEL_BYTES * (height * width) as u64).clamp(MIN_ACTIVATION_BYTES, MAX_ACTIVATION_BYTES);
        for node in typed.nodes() {
            for outlet in &node.outputs {
                let numbers = outlet.fact.shape.as_concrete().map(|dims| dims.iter().fold(1_u64, |n, &dim| n.saturating_mul(dim as u64)));
                let bytes = numbers.unwrap_or(u64::MAX).saturating_mul(outlet.fact.datum_type.size_of() as u64);
                if bytes > max {
                    return Err(ModelError::Memory { node: node.name.clone(), width, height, bytes, max });
                }
            }
        }
        Ok(typed)
    }

    /// All activations of an image together, of which the runtime gives some back before the last is made.
    pub(super) fn activation_bytes(&self, size: [usize; 2]) -> Result<u64, ModelError> {
        let typed = self.typed(size)?;
        let outlets = typed.nodes().iter().flat_map(|node| &node.outputs);
        let numbers = |dims: &[usize]| dims.iter().map(|&dim| dim as u64).product::<u64>();
        Ok(outlets.map(|outlet| 4 * outlet.fact.shape.as_concrete().map_or(0, numbers)).sum())
    }

    /// Number of output channels for a size, as the runtime infers it; any other shape than the input's is refused.
    fn output_channels(&self, [height, width]: [usize; 2], classes: usize) -> Result<usize, ModelError> {
        let typed = self.typed([height, width])?;
        let shape = typed.output_fact(0).ok().and_then(|fact| fact.shape.as_concrete()).map(<[usize]>::to_vec).unwrap_or_default();
        match shape.as_slice() {
            &[1, channels, h, w] if h == height && w == width && (channels == classes || (channels == 1 && classes == 2)) => Ok(channels),
            _ => Err(expected_logits(classes, format!("{shape:?} for {height} x {width} px"))),
        }
    }
}

/// Sigmoid of a single channel, or softmax over several, of one class.
fn class_probabilities(mut logits: Vec<f32>, channels: usize, class: usize) -> Vec<f32> {
    if channels == 1 {
        // A single channel speaks for the second of two classes.
        let sign = if class == 1 { 1.0 } else { -1.0 };
        logits.iter_mut().for_each(|logit| *logit = 1.0 / (1.0 + (-sign * *logit).exp()));
        return logits;
    }
    let area = logits.len() / channels;
    let own = &logits[class * area..][..area];
    let mut sums = vec![0_f32; area];
    for plane in logits.chunks_exact(area) {
        // p_c = 1 / sum_l exp(x_l - x_c): an overflow to infinity gives the right 0.
        sums.iter_mut().zip(plane.iter().zip(own)).for_each(|(sum, (other, own))| *sum += (other - own).exp());
    }
    sums.iter_mut().for_each(|sum| *sum = 1.0 / *sum);
    sums
}

/// tract's error as one line: its causes from the outside in, cut where it dumps whole graphs.
pub(super) fn reason(error: TractError) -> String {
    let line = error.chain().map(ToString::to_string).collect::<Vec<_>>().join(": ");
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 400 { line.chars().take(400).chain("...".chars()).collect() } else { line }
}

#[cfg(test)]
mod tests {
    use super::class_probabilities;

    #[test]
    fn sigmoid_and_softmax() {
        let third = 3.0_f32.ln();
        assert_eq!(class_probabilities(vec![0.0, 1e4, -1e4], 1, 1), [0.5, 1.0, 0.0]);
        assert_eq!(class_probabilities(vec![0.0, 1e4, -1e4], 1, 0), [0.5, 0.0, 1.0]);
        // Two pixels, three classes: weights 1 : 3 : 1 and one class far ahead.
        let logits = vec![0.0, 0.0, third, 3e38, 0.0, -3e38];
        let probabilities = class_probabilities(logits.clone(), 3, 1);
        assert!((probabilities[0] - 0.6).abs() < 1e-6 && probabilities[1] == 1.0, "{probabilities:?}");
        assert_eq!(class_probabilities(logits, 3, 2)[1], 0.0);
    }
}
