//! tract as it comes: its own QuantizeLinear and DequantizeLinear, its own optimised plan.

use crate::Runtime;
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::sync::Arc;
use tract_onnx::prelude::{
    Datum, Framework, InferenceFact, InferenceModelExt, IntoRunnable, IntoTValue, TValue, Tensor, TypedRunnableModel, tvec,
};

pub(crate) struct Tract {
    plan: Arc<TypedRunnableModel>,
    input: TValue,
    output: Option<TValue>,
}

impl Tract {
    pub(crate) fn new(path: &Path, field: &[u8], side: usize, threads: usize) -> Result<Self> {
        ensure!(threads == 1, "tract runs a network on one thread");
        let shape = [1, 3, side, side];
        let model = tract_onnx::onnx().model_for_path(path)?.with_input_fact(0, InferenceFact::dt_shape(f32::datum_type(), shape))?;
        let plan = model.into_optimized()?.into_runnable()?;
        let input = Tensor::from_shape(&shape, &crate::floats(field, side)?)?.into_tvalue();
        Ok(Self { plan, input, output: None })
    }
}

impl Runtime for Tract {
    fn detail(&self) -> String {
        String::new()
    }

    fn field(&mut self) -> Result<()> {
        self.output = self.plan.run(tvec!(self.input.clone()))?.into_iter().next();
        Ok(())
    }

    fn output(&self) -> Result<Vec<u8>> {
        let output = self.output.as_ref().context("tract gave no output")?;
        Ok(crate::bytes(output.try_as_plain_ram()?.as_slice::<f32>()?))
    }
}
