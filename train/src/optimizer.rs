//! RMSprop as the paper used it: decay 0.9, no momentum, epsilon 1e-8 outside the root (Hinton 2012).

use crate::per_parameter::PerParameter;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::store::RecordError;
use burn::tensor::{Bytes, Tensor};

/// RMSprop: `s <- decay s + (1 - decay) g^2`, `w <- w - rate g / (sqrt s + epsilon)`.
#[derive(Debug)]
pub struct RmsProp {
    decay: f64,
    epsilon: f64,
    clip_norm: Option<f64>,
    square_average: PerParameter,
}

impl RmsProp {
    /// The paper's constants; gradients are scaled down to a norm of `clip_norm` over all parameters where that is given.
    pub fn new(clip_norm: Option<f64>) -> Self {
        Self { decay: 0.9, epsilon: 1e-8, clip_norm, square_average: PerParameter::new() }
    }

    /// Moves every parameter that has a gradient.
    pub fn step<M: Module>(&mut self, model: M, mut gradients: GradientsParams, learning_rate: f64) -> M {
        // Stays on the device: reading the norm would make the host wait for the whole backward pass.
        let scale = self.clip_norm.and_then(|limit| Some(global_norm(&model, &gradients)?.recip().mul_scalar(limit).clamp_max(1.0)));
        model.map(&mut Step { optimizer: self, gradients: &mut gradients, scale, learning_rate })
    }

    /// The state as bytes.
    ///
    /// # Errors
    /// When the record cannot be written.
    pub fn to_bytes<M: Module>(&self, model: &M) -> Result<Bytes, RecordError> {
        self.square_average.to_bytes(model)
    }

    /// Takes the state back.
    ///
    /// # Errors
    /// When the bytes are no record of this model.
    pub fn load<M: Module>(&mut self, model: &M, bytes: Bytes) -> Result<(), RecordError> {
        self.square_average = PerParameter::from_bytes(model, bytes)?;
        Ok(())
    }
}

/// Norm over all parameters, `[1]`; none where nothing has a gradient.
fn global_norm<M: Module>(model: &M, gradients: &GradientsParams) -> Option<Tensor<1>> {
    struct Norm<'a> {
        gradients: &'a GradientsParams,
        squares: Option<Tensor<1>>,
    }
    impl ModuleVisitor for Norm<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = self.gradients.get::<D>(param.id) {
                let square = gradient.square().sum();
                self.squares = Some(match self.squares.take() {
                    Some(squares) => squares + square,
                    None => square,
                });
            }
        }
    }
    let mut norm = Norm { gradients, squares: None };
    model.visit(&mut norm);
    norm.squares.map(Tensor::sqrt)
}

struct Step<'a> {
    optimizer: &'a mut RmsProp,
    gradients: &'a mut GradientsParams,
    /// Of all gradients, `[1]`.
    scale: Option<Tensor<1>>,
    learning_rate: f64,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(gradient) = self.gradients.remove::<D>(param.id) else { return param };
        let RmsProp { decay, epsilon, square_average, .. } = &mut *self.optimizer;
        let (id, weight, mapper) = param.consume();
        let gradient = match &self.scale {
            Some(scale) => gradient * scale.clone().reshape([1; D]),
            None => gradient,
        };
        let fresh = gradient.clone().square().mul_scalar(1.0 - *decay);
        let average = match square_average.take::<D>(id) {
            Some(old) => old.mul_scalar(*decay) + fresh,
            None => fresh,
        };
        square_average.put(id, average.clone());
        let step = gradient / average.sqrt().add_scalar(*epsilon);
        let strategy = weight.gradient_checkpointing_strategy();
        let moved = (weight.inner() - step.mul_scalar(self.learning_rate)).autodiff();
        // Tensors of one operation must agree on what is kept for the backward pass and what is computed again.
        let moved = match strategy {
            Some(strategy) => moved.with_gradient_checkpointing_strategy(strategy),
            None => moved,
        };
        Param::from_mapped_value(id, moved.require_grad(), mapper)
    }
}
