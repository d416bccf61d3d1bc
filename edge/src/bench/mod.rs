//! Times a model on this machine: fields of several sizes, on several threads, with several instruction sets.

mod pipeline;

pub use pipeline::{Pipeline, PipelineOptions, PipelineTimes, bench_pipeline};

use crate::error::Error;
use crate::int8::{DEFAULT_ARENA_BYTES, Isa, Rgb, Session};
use crate::model::Model;
use crate::threads::Threads;
use serde::{Deserialize, Serialize};
use std::fmt::Write;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Fields timed at least, however long they take.
const LEAST_FIELDS: usize = 10;

/// What to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct BenchOptions {
    /// The model; the embedded one without.
    pub model: Option<PathBuf>,
    /// Sides of square fields, pixels; rounded up to the model's alignment.
    pub sizes: Vec<u32>,
    /// Numbers of threads.
    pub threads: Vec<usize>,
    /// Names of instruction sets; none is the fastest, `all` is all of this processor.
    pub isa: Vec<String>,
    /// Seconds for each combination, at least.
    pub seconds: f64,
    /// Time of each layer too.
    pub profile: bool,
}

/// What was measured, and of what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bench {
    /// Version of this program.
    pub lsr_edge: String,
    /// The model's file, or "embedded".
    pub model: String,
    /// SHA-256 of the model.
    pub model_sha256: String,
    /// One for each combination.
    pub results: Vec<Measured>,
}

/// One combination. Times are milliseconds of a field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Side of the square field, pixels.
    pub size: u32,
    /// Threads.
    pub threads: usize,
    /// Kernels: an instruction set, or `tract` for a float network.
    pub isa: String,
    /// Fields timed.
    pub fields: usize,
    /// Median.
    pub median_ms: f64,
    /// 95 % take no longer.
    pub p95_ms: f64,
    /// 99 % take no longer.
    pub p99_ms: f64,
    /// The longest.
    pub max_ms: f64,
    /// Processor time of the process for a field, median.
    pub cpu_ms: f64,
    /// Fields each second, at the median.
    pub fields_per_s: f64,
    /// Tissue each second, square millimetres, at the median.
    pub mm2_per_s: f64,
    /// Most memory that the process held, megabytes (10^6 bytes); 0 where the system does not say.
    pub peak_rss_mb: f64,
    /// Products of a weight and a pixel, as the network is defined; 0 for a float network.
    pub macs: u64,
    /// Products that are really formed.
    pub executed_macs: u64,
    /// 10^9 products a second that one thread reaches on registers alone; 0 for a float network and for scalar kernels.
    pub int8_peak_gmacs: f64,
    /// `macs` against the peak of all threads, at the median.
    pub peak_share: f64,
    /// `executed_macs` against the same.
    pub executed_share: f64,
    /// Time of each layer, where it was asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub layers: Vec<LayerTime>,
}

/// One layer's share.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LayerTime {
    /// The layer; `image` takes the pixels in, `probabilities` gives them out.
    pub layer: String,
    /// Mean, milliseconds of a field.
    pub mean_ms: f64,
}

/// An instruction set by its name.
///
/// # Errors
/// [`Error::Isa`]: there is none of this name, or not on this processor.
pub fn parse_isa(name: &str) -> Result<Isa, Error> {
    let available = Isa::available();
    available.iter().copied().find(|isa| isa.name() == name).ok_or_else(|| {
        let names = available.iter().map(|isa| isa.name()).collect::<Vec<_>>().join(", ");
        Error::Isa { name: name.to_owned(), available: names }
    })
}

/// Measures every combination in a process of its own, one after the other: then the peak memory of each is its own.
///
/// # Errors
/// Options outside their range; what the child processes say.
pub fn bench(options: &BenchOptions) -> Result<Bench, Error> {
    let names = check(options)?;
    // A model that cannot be used is refused here, once.
    let model = load(options)?;
    let mut report = Bench::of(&model);
    let failed = |reason: String| Error::Bench { reason };
    let program = std::env::current_exe().map_err(|error| failed(format!("this program's own file is not known: {error}")))?;
    for &size in &options.sizes {
        for &threads in &options.threads {
            for name in &names {
                let mut command = Command::new(&program);
                command.args(["bench", "--here", "--json", "--sizes", &size.to_string(), "--threads", &threads.to_string()]);
                command.args(["--seconds", &options.seconds.to_string()]);
                if let Some(path) = &options.model {
                    command.arg("--model").arg(path);
                }
                if let Some(name) = name {
                    command.args(["--isa", name]);
                }
                if options.profile {
                    command.arg("--profile");
                }
                let output = command.output().map_err(|error| failed(format!("cannot start {}: {error}", program.display())))?;
                if !output.status.success() {
                    return Err(failed(String::from_utf8_lossy(&output.stderr).trim().trim_start_matches("error: ").to_owned()));
                }
                let one: Bench =
                    serde_json::from_slice(&output.stdout).map_err(|error| failed(format!("a measurement gave no JSON: {error}")))?;
                report.results.extend(one.results);
            }
        }
    }
    Ok(report)
}

/// Measures the combinations in this process.
///
/// # Errors
/// As [`bench()`].
pub fn bench_here(options: &BenchOptions) -> Result<Bench, Error> {
    let names = check(options)?;
    let mut model = load(options)?;
    let mut report = Bench::of(&model);
    for name in names {
        if let Some(name) = name {
            model.use_isa(parse_isa(&name)?)?;
        }
        for &threads in &options.threads {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            let pool = pool.map_err(|error| Error::Bench { reason: format!("{threads} threads: {error}") })?;
            for &size in &options.sizes {
                report.results.push(pool.install(|| measure(&model, size, threads, options))?);
            }
        }
    }
    Ok(report)
}

/// Checks the options; gives the instruction sets.
fn check(options: &BenchOptions) -> Result<Vec<Option<String>>, Error> {
    let flag = |flag, value, expected| Err(Error::Flag { flag, value, expected });
    if let Some(&size) = options.sizes.iter().find(|&&size| size == 0 || size > 16_384) {
        return flag("--sizes", f64::from(size), "pixels from 1 to 16384");
    }
    if let Some(&threads) = options.threads.iter().find(|&&threads| threads == 0 || threads > 1024) {
        return flag("--threads", threads as f64, "a number from 1 to 1024");
    }
    if !(options.seconds > 0.0 && options.seconds <= 3600.0) {
        return flag("--seconds", options.seconds, "a number in (0, 3600]");
    }
    if options.isa.iter().any(|name| name == "all") {
        return Ok(Isa::available().iter().map(|isa| Some(isa.name().to_owned())).collect());
    }
    options.isa.iter().try_for_each(|name| parse_isa(name).map(drop))?;
    Ok(if options.isa.is_empty() { vec![None] } else { options.isa.iter().cloned().map(Some).collect() })
}

fn load(options: &BenchOptions) -> Result<Model, Error> {
    options.model.as_ref().map_or_else(Model::embedded, |path| Model::open(path))
}

fn measure(model: &Model, size: u32, threads: usize, options: &BenchOptions) -> Result<Measured, Error> {
    let side = size.next_multiple_of(model.metadata().alignment) as usize;
    let pixels = noise(3 * side * side);
    let image = Rgb { pixels: &pixels, width: side, origin: [0, 0] };
    let split = Threads::of_pool();
    let mut bytes = vec![0; side * side];
    let mut field = || match model.program() {
        Some(_) => model.probability_bytes(image, [side; 2], &mut bytes, &split, &mut |_| true).map(drop),
        None => model.probabilities(&pixels, side as u32, side as u32).map(drop),
    };
    // The first field takes the memory.
    field()?;
    let (mut times, mut cpu) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while start.elapsed().as_secs_f64() < options.seconds || times.len() < LEAST_FIELDS {
        let (before, began) = (cpu_time(), Instant::now());
        field()?;
        times.push(began.elapsed().as_secs_f64() * 1e3);
        cpu.push((cpu_time() - before).as_secs_f64() * 1e3);
    }
    let peak_rss_mb = peak_memory();
    times.sort_by(f64::total_cmp);
    cpu.sort_by(f64::total_cmp);
    let at = |share: f64| times[((times.len() as f64 * share).ceil() as usize).clamp(1, times.len()) - 1];
    let median_ms = at(0.5);
    let program = model.program();
    let (macs, executed_macs) = program.map_or((0, 0), |p| (p.network().macs(side, side), p.network().executed_macs(side, side)));
    let int8_peak_gmacs = program.map_or(0.0, |program| peak_gmacs(program.isa()));
    let share = |macs: u64| if int8_peak_gmacs > 0.0 { macs as f64 / median_ms / 1e6 / int8_peak_gmacs / threads as f64 } else { 0.0 };
    let side_mm = side as f64 * model.metadata().um_per_px / 1e3;
    Ok(Measured {
        size: side as u32,
        threads,
        isa: program.map_or("tract", |program| program.isa().name()).to_owned(),
        fields: times.len(),
        median_ms,
        p95_ms: at(0.95),
        p99_ms: at(0.99),
        max_ms: at(1.0),
        cpu_ms: cpu[cpu.len() / 2],
        fields_per_s: 1e3 / median_ms,
        mm2_per_s: side_mm * side_mm * 1e3 / median_ms,
        peak_rss_mb,
        macs,
        executed_macs,
        int8_peak_gmacs,
        peak_share: share(macs),
        executed_share: share(executed_macs),
        layers: if options.profile { profile(model, image, side, &split)? } else { Vec::new() },
    })
}

/// Mean time of each layer over some fields.
fn profile(model: &Model, image: Rgb<'_>, side: usize, split: &Threads) -> Result<Vec<LayerTime>, Error> {
    let Some(program) = model.program() else { return Ok(Vec::new()) };
    let failed = |error: crate::int8::NetworkError| Error::Bench { reason: error.to_string() };
    let plan = program.plan([side; 2], DEFAULT_ARENA_BYTES, crate::int8::Split::threads(split)).map_err(failed)?;
    let mut session = Session::new(Arc::new(program.clone()), plan);
    let layers = &program.network().layers;
    let names = layers.iter().map(|layer| layer.name.as_str()).chain(["image", "probabilities"]);
    let mut seconds = vec![0.0; layers.len() + 2];
    let mut out = vec![0; side * side];
    for _ in 0..LEAST_FIELDS {
        let mut last = Instant::now();
        session.run(image, &mut out, split, &mut |layer| {
            let now = Instant::now();
            seconds[layer] += (now - std::mem::replace(&mut last, now)).as_secs_f64();
            true
        });
    }
    let mean = |(layer, seconds): (&str, f64)| LayerTime { layer: layer.to_owned(), mean_ms: seconds * 1e3 / LEAST_FIELDS as f64 };
    Ok(names.zip(seconds).map(mean).collect())
}

/// The best of some short runs, since a processor needs a moment to reach its clock.
fn peak_gmacs(isa: Isa) -> f64 {
    let run = |_| {
        let start = Instant::now();
        isa.multiply_and_add(400_000) as f64 / start.elapsed().as_secs_f64() / 1e9
    };
    (0..20).map(run).fold(0.0, f64::max)
}

fn noise(count: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 56) as u8
    };
    (0..count).map(|_| next()).collect()
}

#[cfg(unix)]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(not(unix))]
fn cpu_time() -> Duration {
    Duration::ZERO
}

/// The high-water mark of resident memory, as Linux keeps it.
fn peak_memory() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(0.0, |kib| kib * 1024.0 / 1e6)
}

impl Bench {
    fn of(model: &Model) -> Self {
        let card = model.card();
        Self { lsr_edge: crate::VERSION.to_owned(), model: card.name.clone(), model_sha256: card.sha256.clone(), results: Vec::new() }
    }

    /// One JSON object.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// A table for people.
    pub fn table(&self) -> String {
        let mut text = format!("model {}, SHA-256 {}\n", self.model, self.model_sha256);
        let head = "  size threads        isa   median      p95      p99      max   CPU/field  fields/s    mm2/s   peak MB  of int8 peak";
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{head}");
        for m in &self.results {
            let _ = writeln!(
                text,
                "{:6} {:7} {:>10} {:8.2} {:8.2} {:8.2} {:8.2} {:8.2} ms {:9.1} {:8.3} {:9.1} {:12.0} %",
                m.size,
                m.threads,
                m.isa,
                m.median_ms,
                m.p95_ms,
                m.p99_ms,
                m.max_ms,
                m.cpu_ms,
                m.fields_per_s,
                m.mm2_per_s,
                m.peak_rss_mb,
                100.0 * m.peak_share
            );
            for LayerTime { layer, mean_ms } in &m.layers {
                let _ = writeln!(text, "{mean_ms:28.3} ms  {layer}");
            }
        }
        text
    }
}
