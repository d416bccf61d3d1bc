//! `lsr-train fit`.

use crate::cli::FitArgs;
use crate::progress::{QuietObserver, TerminalObserver};
use crate::signals::stop_flag;
use lsr_train::{Connection, FitOptions, Observer, Processes, Result, Run, RunFolder, Summary};

pub(crate) fn fit(args: FitArgs) -> Result<()> {
    let connection = Connection::open()?;
    let processes = connection.processes();
    match fit_among(args, processes) {
        // All processes stop together; one of them says so.
        Err(error) if error.is_interruption() && !processes.is_first() => Ok(()),
        // The others would wait for this one for ever.
        Err(error) if !error.is_interruption() && !processes.alone() => {
            eprintln!("lsr-train: {processes}: {error}");
            connection.abort(1)
        }
        result => result,
    }
}

fn fit_among(args: FitArgs, processes: Processes) -> Result<()> {
    let from_file = args.config.as_deref().map(FitOptions::read).transpose()?.unwrap_or_default();
    let options = args.options.clone().or(from_file);
    let run = run(&args, options, processes)?.among(processes)?;
    if !processes.is_first() {
        train(&run, &mut QuietObserver(processes))?;
        return Ok(());
    }
    let mut observer = TerminalObserver::default();
    let summary = train(&run, &mut observer)?;
    observer.finish();
    drop(run);
    let folder = RunFolder::open(&args.output)?;
    lsr_train::write_run_report(&folder, &folder.path("report.html"), |text| eprintln!("warning: {text}"))?;
    eprintln!("{} steps done; run in {}, report in {}", summary.steps, args.output.display(), folder.path("report.html").display());
    Ok(())
}

/// The run of all processes: the first one makes its folder or takes it up again, then the others join.
fn run(args: &FitArgs, options: FitOptions, processes: Processes) -> Result<Run> {
    if !processes.is_first() {
        processes.wait();
        return Run::join(args.resume, options.device, &args.output);
    }
    let run = if args.resume { Run::resume(options, &args.output)? } else { Run::create(options, &args.output)? };
    processes.wait();
    Ok(run)
}

fn train(run: &Run, observer: &mut dyn Observer) -> Result<Summary> {
    lsr_train::train(run, observer, &*stop_flag()?)
}
