//! `lsr-train`: parse, run, and one clear line when something is wrong.

mod cli;
mod commands;
mod progress;
mod signals;

use clap::Parser;
use cli::{Cli, Command};
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Synth(args) => commands::synth(&args),
        Command::Rescale(args) => commands::rescale(&args),
        Command::Label(args) => commands::label(&args),
        Command::Classify(args) => commands::classify(args.command),
        Command::Prior(args) => commands::prior(&args),
        Command::Fit(args) => commands::fit(*args),
        Command::Report(args) => commands::report(&args),
        Command::Evaluate(args) => commands::evaluate(&args),
        Command::Rejection(args) => commands::rejection(&args),
        Command::Export(args) => commands::export(&args),
        Command::Quantize(args) => commands::quantize(&args),
        Command::Recipe(args) => commands::recipe(&args),
        Command::Doctor(args) => commands::doctor(&args),
        Command::Bench(args) => commands::bench(&args),
        Command::Reproduce(args) => commands::reproduce(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lsr-train: {error}");
            // 130: ended by a signal, as shells count it.
            ExitCode::from(if error.is_interruption() { 130 } else { 1 })
        }
    }
}
