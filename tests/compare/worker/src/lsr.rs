//! lsr-edge through its library, from RGB bytes to probability bytes.

use crate::Runtime;
use anyhow::{Context, Result, ensure};
use lsr_edge::int8::{DEFAULT_ARENA_BYTES, InputTable, OneThread, Output, Rgb, Session};
use lsr_edge::{Model, Threads, parse_isa};
use std::path::Path;
use std::sync::Arc;

pub(crate) struct Lsr {
    model: Model,
    pixels: Vec<u8>,
    side: usize,
    probabilities: Vec<u8>,
    threads: Threads,
}

impl Lsr {
    /// Runs on the threads of the pool that this is called on.
    pub(crate) fn new(path: &Path, pixels: Vec<u8>, side: usize, isa: Option<&str>) -> Result<Self> {
        let model = open(path, isa)?;
        Ok(Self { model, pixels, side, probabilities: vec![0; side * side], threads: Threads::of_pool() })
    }
}

impl Runtime for Lsr {
    fn detail(&self) -> String {
        self.model.program().map_or_else(String::new, |program| program.isa().name().to_owned())
    }

    fn field(&mut self) -> Result<()> {
        let image = Rgb { pixels: &self.pixels, width: self.side, origin: [0, 0] };
        let finished = self.model.probability_bytes(image, [self.side; 2], &mut self.probabilities, &self.threads, &mut |_| true)?;
        ensure!(finished, "the field was broken off");
        Ok(())
    }

    fn output(&self) -> Result<Vec<u8>> {
        Ok(self.probabilities.clone())
    }
}

/// Bytes of the logits of an image; `input` is scale and zero point of the quantised image.
pub(crate) fn logits(path: &Path, field: &Path, size: [usize; 2], input: (f32, u8), isa: Option<&str>) -> Result<Vec<u8>> {
    let model = open(path, isa)?;
    let pixels = std::fs::read(field).with_context(|| field.display().to_string())?;
    let [height, width] = size;
    ensure!(pixels.len() == 3 * height * width, "{} bytes, expected 3 for each of {width} x {height} px", pixels.len());
    let metadata = model.metadata();
    let table = InputTable::new(metadata.pixel_mean, metadata.pixel_std, input.0, input.1);
    let program = model.program().context("the network is not run in integers")?.with_tables(table, Output::Logits)?;
    let plan = program.plan(size, DEFAULT_ARENA_BYTES, 1)?;
    let mut logits = vec![0; height * width * program.output_channels()];
    Session::new(Arc::new(program), plan).run(Rgb { pixels: &pixels, width, origin: [0, 0] }, &mut logits, &OneThread, &mut |_| true);
    Ok(logits)
}

/// A network in integers; any other would not be what is compared.
fn open(path: &Path, isa: Option<&str>) -> Result<Model> {
    let mut model = Model::open(path)?;
    let refusals = &model.card().execution.not_integer;
    ensure!(model.program().is_some(), "{} is not run in integers: {refusals:?}", path.display());
    if let Some(isa) = isa {
        model.use_isa(parse_isa(isa)?)?;
    }
    Ok(model)
}
