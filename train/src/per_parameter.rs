//! One tensor beside every parameter of a network: what an optimiser or a moving average remembers.
//!
//! In files it is a record of the network's own shape, keyed by parameter path, so that it is restored without touching any device but the
//! network's, and the same state always has the same bytes.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::store::{ModuleRecord, RecordError};
use burn::tensor::{Bytes, Tensor};

/// The tensors, by parameter.
#[derive(Debug)]
pub(crate) struct PerParameter(GradientsParams);

impl PerParameter {
    /// Nothing for any parameter.
    pub(crate) fn new() -> Self {
        Self(GradientsParams::new())
    }

    /// What every parameter of the network is.
    pub(crate) fn parameters_of<M: Module>(model: &M) -> Self {
        let mut state = Self::new();
        model.visit(&mut Collect { state: &mut state });
        state
    }

    pub(crate) fn get<const D: usize>(&self, id: ParamId) -> Option<Tensor<D>> {
        self.0.get::<D>(id)
    }

    pub(crate) fn take<const D: usize>(&mut self, id: ParamId) -> Option<Tensor<D>> {
        self.0.remove::<D>(id)
    }

    pub(crate) fn put<const D: usize>(&mut self, id: ParamId, value: Tensor<D>) {
        self.0.register(id, value);
    }

    /// The network, without autodiff, with these tensors in the parameters' places; `missing` where there is none.
    pub(crate) fn applied_to<M: Module>(&self, model: &M, missing: Missing) -> M {
        // `valid` gives BatchNorm's running statistics storage of their own; a mere clone shares it, and mapping would overwrite the model's.
        model.valid().map(&mut Replace { state: self, missing })
    }

    /// As bytes.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub(crate) fn to_bytes<M: Module>(&self, model: &M) -> Result<Bytes, RecordError> {
        self.applied_to(model, Missing::Zero).into_record().into_bytes()
    }

    /// Takes the bytes back.
    ///
    /// # Errors
    /// When the bytes are no record of this network.
    pub(crate) fn from_bytes<M: Module>(model: &M, bytes: Bytes) -> Result<Self, RecordError> {
        Ok(Self::parameters_of(&model.valid().try_load_record(ModuleRecord::from_bytes(bytes)?)?))
    }
}

/// What stands in for a parameter of which nothing is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Missing {
    /// Zeros.
    Zero,
    /// The parameter itself.
    Keep,
}

struct Replace<'a> {
    state: &'a PerParameter,
    missing: Missing,
}

impl ModuleMapper for Replace<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, weight, mapper) = param.consume();
        let value = self.state.get::<D>(id).unwrap_or_else(|| match self.missing {
            Missing::Zero => weight.clone().inner().zeros_like(),
            Missing::Keep => weight.clone().inner(),
        });
        Param::from_mapped_value(id, value, mapper)
    }
}

struct Collect<'a> {
    state: &'a mut PerParameter,
}

impl ModuleVisitor for Collect<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.state.put(param.id, param.val().inner());
    }
}
