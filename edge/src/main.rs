//! `lsr-edge`: parse, run, report.

mod cli;
mod keep_args;
mod label_args;
mod scan_args;
mod scan_run;
mod serve_args;
mod serve_run;
mod session_args;
mod session_run;
mod stage_args;
mod stage_run;

use clap::Parser;
use cli::{Bench, Cli, Command, Inspect, Network, Segment};
use lsr_edge::{
    BenchOptions, Error, Interrupt, Model, Options, PipelineOptions, Segmenter, Tiling, describe, one_line, parse_isa, segment_all,
};
use std::io::{Write, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Segment(flags) => segment(&flags),
        Command::Inspect(flags) => inspect(&flags),
        Command::SelfTest => self_tested(),
        Command::Bench(flags) => bench(flags),
        Command::Stage(flags) => return ended(|interrupt| stage_run::run(&flags, interrupt)),
        Command::Serve(flags) => return told(serve_run::run(&flags, &interruptible())),
        Command::Session(flags) => session_run::run(&flags).map(|()| ExitCode::SUCCESS),
        Command::Scan(flags) => return ended(|interrupt| scan_run::run(&flags, interrupt)),
    };
    result.unwrap_or_else(|error| {
        print(stderr(), &format!("error: {}\n", one_line(&error)));
        ExitCode::FAILURE
    })
}

fn segment(flags: &Segment) -> Result<ExitCode, Error> {
    let Segment { um_per_px, um_per_px_if_missing, shard, overwrite, .. } = *flags;
    let (labels, prior) = (flags.labels.read()?, Some(flags.prior.read()?));
    let tissue = flags.tissue.clone();
    let options = Options { um_per_px, um_per_px_if_missing, tissue, shard, overwrite, labels, prior, ..Options::default() };
    let segmenter = segmenter(&flags.network, &flags.output, options, &interruptible())?;
    let report = segment_all(&segmenter, &flags.inputs, &|text| print(stderr(), &format!("{text}\n")))?;
    print(
        stderr(),
        &report.flagged.iter().chain(&report.unfit).chain(&report.disagreeing).map(|line| format!("{line}\n")).collect::<String>(),
    );
    print(stdout(), &format!("{} -> {}\n", report.summary(), flags.output.display()));
    print(stderr(), &report.failure_lines().into_iter().map(|line| line + "\n").collect::<String>());
    Ok(match (report.interrupted, report.failures.is_empty()) {
        (true, _) => ExitCode::from(130),
        (false, true) => ExitCode::SUCCESS,
        (false, false) => ExitCode::FAILURE,
    })
}

fn inspect(flags: &Inspect) -> Result<ExitCode, Error> {
    let model = load(flags.model.as_ref())?;
    let json = || serde_json::to_string_pretty(model.card()).map(|text| text + "\n").unwrap_or_default();
    print(stdout(), &if flags.json { json() } else { describe(model.card()) });
    Ok(ExitCode::SUCCESS)
}

fn self_tested() -> Result<ExitCode, Error> {
    let passed = lsr_edge::self_test()?;
    let each = |(isa, time): &(&str, std::time::Duration)| format!("{isa} {:.1} ms", 1000.0 * time.as_secs_f64());
    let sets = passed.passed.iter().map(each).collect::<Vec<_>>().join(", ");
    print(stdout(), &format!("self-test passed: embedded network {}: {sets}\n", passed.model_sha256));
    Ok(ExitCode::SUCCESS)
}

fn bench(flags: Bench) -> Result<ExitCode, Error> {
    let Bench { model, sizes, threads, isa, seconds, profile, json, here, pipeline, rate, um_per_px, store } = flags;
    if pipeline {
        let report = lsr_edge::bench_pipeline(&PipelineOptions { model, sizes, um_per_px, rate, seconds, store })?;
        print(stdout(), &if json { report.json() } else { report.table() });
        return Ok(ExitCode::SUCCESS);
    }
    let options = BenchOptions { model, sizes, threads, isa, seconds, profile };
    let report = if here { lsr_edge::bench_here(&options)? } else { lsr_edge::bench(&options)? };
    print(stdout(), &if json { report.json() } else { report.table() });
    Ok(ExitCode::SUCCESS)
}

/// Runs what a controller takes part in.
fn ended<E: std::error::Error>(run: impl FnOnce(&Interrupt) -> Result<(), E>) -> ExitCode {
    let interrupt = interruptible();
    match run(&interrupt) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print(stderr(), &format!("error: {}\n", one_line(&error)));
            ExitCode::from(if interrupt.is_set() { 130 } else { 1 })
        }
    }
}

/// What was asked to stop has done what it should.
fn told<E: std::error::Error>(result: Result<(), E>) -> ExitCode {
    if let Err(error) = &result {
        print(stderr(), &format!("error: {}\n", one_line(error)));
    }
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Set by Ctrl-C. Without a handler Ctrl-C ends the process at once: no half-written file stays under a final name then either, and a controller
/// stops by itself when it misses the heartbeat.
fn interruptible() -> Interrupt {
    let interrupt = Interrupt::default();
    let on_signal = interrupt.clone();
    let _ = ctrlc::set_handler(move || on_signal.set());
    interrupt
}

/// What segments images as these flags say, and otherwise as the options do.
fn segmenter(flags: &Network, output: &Path, options: Options, interrupt: &Interrupt) -> Result<Segmenter, Error> {
    let tiling = Tiling { max_tile: flags.tile, overlap: flags.overlap };
    let options = Options { threshold: flags.threshold, tiling, ..options };
    let mut model = load(flags.model.as_ref())?;
    if let Some(name) = &flags.isa {
        model.use_isa(parse_isa(name)?)?;
    }
    Segmenter::new(model, output, &options, interrupt.clone())
}

fn load(path: Option<&PathBuf>) -> Result<Model, Error> {
    path.map_or_else(Model::embedded, |path| Model::open(path))
}

/// A reader that has gone away (`| head`) is no reason to panic.
fn print(mut to: impl Write, text: &str) {
    let _ = to.write_all(text.as_bytes()).and_then(|()| to.flush());
}
