//! A moving average of the weights: smoother than the last step's, at no cost when masks are drawn.

use crate::per_parameter::{Missing, PerParameter};
use burn::module::{Module, ModuleVisitor, Param};
use burn::store::RecordError;
use burn::tensor::{Bytes, Tensor};

/// `average <- d average + (1 - d) weight` after every step, with `d = min(decay, (1 + step) / (10 + step))`: a young average forgets the
/// random start quickly. BatchNorm's running statistics are the network's own (they are a moving average already).
#[derive(Debug)]
pub(crate) struct Ema {
    decay: f64,
    average: PerParameter,
}

impl Ema {
    /// An average that starts at the network's weights.
    pub(crate) fn new<M: Module>(decay: f64, model: &M) -> Self {
        Self { decay, average: PerParameter::parameters_of(model) }
    }

    /// Takes in the weights after step number `step` (from 1).
    pub(crate) fn update<M: Module>(&mut self, model: &M, step: usize) {
        let young = (1.0 + step as f64) / (10.0 + step as f64);
        model.visit(&mut Update { average: &mut self.average, decay: self.decay.min(young) });
    }

    /// The network with averaged weights, without autodiff.
    pub(crate) fn network<M: Module>(&self, model: &M) -> M {
        self.average.applied_to(model, Missing::Keep)
    }

    /// As bytes.
    pub(crate) fn to_bytes<M: Module>(&self, model: &M) -> Result<Bytes, RecordError> {
        self.average.to_bytes(model)
    }

    /// Takes the bytes back.
    pub(crate) fn from_bytes<M: Module>(decay: f64, model: &M, bytes: Bytes) -> Result<Self, RecordError> {
        Ok(Self { decay, average: PerParameter::from_bytes(model, bytes)? })
    }
}

struct Update<'a> {
    average: &'a mut PerParameter,
    decay: f64,
}

impl ModuleVisitor for Update<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let weight = param.val().inner();
        let average = match self.average.take::<D>(param.id) {
            Some(old) => old.mul_scalar(self.decay) + weight.mul_scalar(1.0 - self.decay),
            None => weight,
        };
        self.average.put(param.id, average);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Architecture, Network, NetworkConfig, NormKind, UpSampling};
    use burn::tensor::Device;

    fn network(seed: u64) -> Network {
        let config = NetworkConfig {
            architecture: Architecture::FullResolution,
            width: 2,
            depth: 1,
            norm: NormKind::Batch,
            up: UpSampling::Nearest,
            outputs: 1,
        };
        config.init(seed, &Device::flex().autodiff())
    }

    fn head(network: &Network) -> Vec<f32> {
        let Network::FullResolution(net) = network else { panic!("the other architecture") };
        net.head.weight.val().inner().try_into_vec_as::<f32>().unwrap()
    }

    #[test]
    fn the_average_follows_the_formula_and_comes_back_from_bytes() {
        let (first, second) = (network(1), network(2));
        let mut ema = Ema::new(0.9, &first);
        ema.update(&second, 1);
        ema.update(&second, 1000);
        // d = min(0.9, 2/11), then 0.9.
        let share = 2.0 / 11.0 * 0.9;
        let expected: Vec<f64> =
            head(&first).iter().zip(head(&second)).map(|(&a, b)| share * f64::from(a) + (1.0 - share) * f64::from(b)).collect();
        let averaged = head(&ema.network(&second));
        assert!(averaged.iter().zip(&expected).all(|(&a, &b)| (f64::from(a) - b).abs() < 1e-6), "{averaged:?} {expected:?}");
        assert_ne!(averaged, head(&second));
        let again = Ema::from_bytes(0.9, &second, ema.to_bytes(&second).unwrap()).unwrap();
        assert_eq!(head(&again.network(&second)), averaged);
    }
}
