//! rten, with weights packed before the first field.

use crate::Runtime;
use anyhow::{Context, Result};
use rten::{Model, ModelOptions, RunOptions, ThreadPool};
use rten_tensor::prelude::*;
use rten_tensor::{NdTensor, Tensor};
use std::path::Path;
use std::sync::Arc;

pub(crate) struct Rten {
    model: Model,
    options: RunOptions,
    input: NdTensor<f32, 4>,
    output: Option<Tensor<f32>>,
}

impl Rten {
    pub(crate) fn new(path: &Path, field: &[u8], side: usize, threads: usize) -> Result<Self> {
        let model = ModelOptions::with_all_ops().prepack_weights(true).load_file(path)?;
        let options = RunOptions::default().with_thread_pool(Some(Arc::new(ThreadPool::with_num_threads(threads))));
        let input = NdTensor::from_data([1, 3, side, side], crate::floats(field, side)?);
        Ok(Self { model, options, input, output: None })
    }
}

impl Runtime for Rten {
    fn detail(&self) -> String {
        String::new()
    }

    fn field(&mut self) -> Result<()> {
        let value = self.model.run_one(self.input.view().into(), Some(self.options.clone()))?;
        self.output = Some(value.try_into()?);
        Ok(())
    }

    fn output(&self) -> Result<Vec<u8>> {
        let output = self.output.as_ref().context("rten gave no output")?;
        Ok(crate::bytes(&output.to_vec()))
    }
}
