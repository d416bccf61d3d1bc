//! Runs one network in one runtime, one field each time it is asked, so that `compare.py` can time many runtimes in turns.
//!
//! ```text
//! compare-worker describe MODEL                                         the model's card as JSON
//! compare-worker time RUNTIME MODEL FIELD SIDE THREADS [ISA]            RUNTIME: lsr, tract or rten
//! compare-worker logits MODEL FIELD HEIGHT WIDTH SCALE ZERO OUT [ISA]   lsr's logits, one byte each, pixel by pixel
//! ```
//!
//! FIELD is a file of bare numbers: RGB bytes pixel by pixel for lsr, normalised little-endian f32 in the order [3, SIDE, SIDE] for the others.
//!
//! `time` says `ready BYTES DETAIL` (memory before the model was opened) after a first field, and then answers lines:
//!
//! ```text
//! go            runs a field                             WALL CPU    milliseconds; CPU is that of the whole process
//! output PATH   writes what the last field gave          done        lsr: probability bytes; the others: f32 logits [channels, SIDE, SIDE]
//! end           ends                                     BYTES       most memory that the process held
//! ```

mod lsr;
mod process;
mod rten_runtime;
mod tract_runtime;

use anyhow::{Context, Result, bail, ensure};
use process::{cpu_ms, status_bytes};
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

/// A network, ready for fields of one size.
trait Runtime {
    /// What it runs with.
    fn detail(&self) -> String;

    /// Runs the field from its input to its output.
    fn field(&mut self) -> Result<()>;

    /// Bytes of the last output.
    fn output(&self) -> Result<Vec<u8>>;
}

fn main() -> Result<()> {
    let args = std::env::args().skip(1).collect::<Vec<_>>();
    let args = args.iter().map(String::as_str).collect::<Vec<_>>();
    match *args.as_slice() {
        ["describe", model] => {
            let model = lsr_edge::Model::open(Path::new(model))?;
            let mask_class = model.metadata().mask_class();
            println!("{}", serde_json::json!({ "lsr_edge": lsr_edge::VERSION, "mask_class": mask_class, "card": model.card() }));
            Ok(())
        }
        ["time", runtime, model, field, side, threads, ref isa @ ..] => {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build()?;
            let isa = isa.first().copied();
            pool.install(|| time(runtime, Path::new(model), Path::new(field), side.parse()?, threads.parse()?, isa))
        }
        ["logits", model, field, height, width, scale, zero, out, ref isa @ ..] => {
            let size = [height.parse()?, width.parse()?];
            let logits = lsr::logits(Path::new(model), Path::new(field), size, (scale.parse()?, zero.parse()?), isa.first().copied())?;
            std::fs::write(out, logits).with_context(|| out.to_owned())
        }
        _ => bail!("unknown arguments {args:?}; the head of main.rs lists them"),
    }
}

fn time(runtime: &str, model: &Path, field: &Path, side: usize, threads: usize, isa: Option<&str>) -> Result<()> {
    let field = std::fs::read(field).with_context(|| field.display().to_string())?;
    let before = status_bytes("VmRSS:");
    let mut runtime: Box<dyn Runtime> = match runtime {
        "lsr" => Box::new(lsr::Lsr::new(model, field, side, isa)?),
        "tract" => Box::new(tract_runtime::Tract::new(model, &field, side, threads)?),
        "rten" => Box::new(rten_runtime::Rten::new(model, &field, side, threads)?),
        other => bail!("no runtime {other}"),
    };
    // The first field takes the memory.
    runtime.field()?;
    let mut answers = std::io::stdout().lock();
    writeln!(answers, "ready {before} {}", runtime.detail())?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        match line.split_once(' ').unwrap_or((line.as_str(), "")) {
            ("go", _) => {
                let (cpu, start) = (cpu_ms(), Instant::now());
                runtime.field()?;
                let wall = start.elapsed().as_secs_f64() * 1e3;
                writeln!(answers, "{wall} {}", cpu_ms() - cpu)?;
            }
            ("output", path) => {
                std::fs::write(path, runtime.output()?).with_context(|| path.to_owned())?;
                writeln!(answers, "done")?;
            }
            ("end", _) => {
                writeln!(answers, "{}", status_bytes("VmHWM:"))?;
                break;
            }
            other => bail!("no command {other:?}"),
        }
        answers.flush()?;
    }
    Ok(())
}

/// Numbers of a field of 3 x side x side.
fn floats(bytes: &[u8], side: usize) -> Result<Vec<f32>> {
    ensure!(bytes.len() == 12 * side * side, "{} bytes, expected 3 x {side} x {side} f32", bytes.len());
    Ok(bytes.as_chunks().0.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
}

/// Their bytes.
fn bytes(floats: &[f32]) -> Vec<u8> {
    floats.iter().flat_map(|float| float.to_le_bytes()).collect()
}
