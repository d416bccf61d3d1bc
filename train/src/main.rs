//! `lsr-train`: parse, run, and one clear line when something is wrong.

mod cli;
mod commands;
mod progress;

use clap::Parser;
use cli::{Cli, Command};
use lsr_train::Error;
use std::process::ExitCode;

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Synth(args) => commands::synth(&args),
        Command::Label(args) => commands::label(&args),
        Command::Prior(args) => commands::prior(&args),
        Command::Fit(args) => commands::fit(*args),
        Command::Evaluate(args) => commands::evaluate(&args),
        Command::Export(args) => commands::export(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lsr-train: {error}");
            // 130: ended by a signal, as shells count it.
            ExitCode::from(if matches!(error, Error::Interrupted { .. }) { 130 } else { 1 })
        }
    }
}
