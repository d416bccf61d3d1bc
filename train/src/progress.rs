//! Training as a person at the terminal sees it.

use indicatif::{ProgressBar, ProgressStyle};
use lsr_train::{
    Architecture, LabelStatistics, Observer, Processes, QuantizeObserver, ReproduceProgress, RunConfig, SYSTEMS, StepReport,
    ValidationReport, statistics_table,
};
use std::time::{Duration, Instant};

/// Lines are printed this often where no terminal shows a bar.
const LINE_EVERY: Duration = Duration::from_secs(30);

/// A progress bar on standard error; hidden where that is no terminal.
pub(crate) fn bar(length: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::new(length);
    // The template is a constant; if indicatif ever refuses it, its default style serves.
    if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} [{elapsed} < {eta}] {msg}") {
        bar.set_style(style);
    }
    bar.set_prefix(what.to_owned());
    bar
}

/// Shows a bar with the loss and the latest group against its prior; the labels' table at every checkpoint; warnings.
pub(crate) struct TerminalObserver {
    bar: ProgressBar,
    steps: usize,
    last_line: Instant,
}

impl Default for TerminalObserver {
    fn default() -> Self {
        Self { bar: ProgressBar::hidden(), steps: 0, last_line: Instant::now() }
    }
}

impl TerminalObserver {
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn say(&self, text: &str) {
        if self.bar.is_hidden() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }
}

impl Observer for TerminalObserver {
    fn start(&mut self, config: &RunConfig, step: usize) {
        self.bar = bar(config.steps as u64, "training");
        self.bar.set_position(step as u64);
        self.bar.reset_eta();
        self.steps = config.steps;
        let network = match config.network.architecture {
            Architecture::Unet => "U-Net",
            Architecture::FullResolution => "full-resolution net",
        };
        let batch = match config.window {
            0 => format!("{} groups of {} blocks", config.groups, config.group),
            side => format!("{} windows of {side} px", config.groups),
        };
        self.say(&format!(
            "{}, {batch}, {network} of width {} and depth {}, on {}, from step {step}",
            config.loss_name(),
            config.network.width,
            config.network.depth,
            config.device
        ));
        if config.variance == lsr_core::VarianceModel::BernoulliMean {
            self.warn("this preset takes Eq. 3 as printed: its between-block term cancels out (see the errata of lsr-core)");
        }
    }

    fn caching(&mut self, done: usize, blocks: usize) {
        self.bar.set_message(format!("caching blocks: {done} of {blocks}"));
        self.bar.tick();
    }

    fn step(&mut self, report: &StepReport, waited: f64) {
        let latest: Vec<String> =
            report.groups.iter().map(|g| format!("z{} {:.2}±{:.2} for {:.2}±{:.2}", g.z, g.mean, g.spread, g.eta, g.rho)).collect();
        let text = format!("loss {:.4}  {}  waited {:.1} %", report.loss, latest.join("  "), 100.0 * waited);
        self.bar.set_position(report.step as u64);
        self.bar.set_message(text.clone());
        if self.bar.is_hidden() && self.last_line.elapsed() > LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("step {}/{}  {text}", report.step, self.steps);
        }
    }

    fn labels(&mut self, step: usize, statistics: &[LabelStatistics]) {
        self.say(&format!("step {step}: predicted counts of cancer\n{}", statistics_table(statistics).trim_end()));
    }

    fn validation(&mut self, report: &ValidationReport) {
        let dice = report.masked_dice.map_or(String::new(), |dice| format!(", masked Dice {dice:.4}"));
        self.say(&format!("step {}: validation: counts are {:.5} from the prior{dice}", report.step, report.count_mismatch));
    }

    fn warn(&mut self, text: &str) {
        self.say(&format!("warning: {text}"));
    }
}

/// One of several processes that is not the first: it has nothing to show but warnings.
pub(crate) struct QuietObserver(pub(crate) Processes);

impl Observer for QuietObserver {
    fn warn(&mut self, text: &str) {
        eprintln!("warning: {}: {text}", self.0);
    }
}

/// One line a part of a reproduction, and a bar over the steps of the one that runs.
pub(crate) struct ReproduceObserver {
    bar: ProgressBar,
    started: Instant,
    parts: usize,
    all: usize,
}

impl ReproduceObserver {
    pub(crate) fn new(seeds: u64) -> Self {
        // Classifier, labels and prior of each seed, then its systems.
        Self { bar: ProgressBar::hidden(), started: Instant::now(), parts: 0, all: seeds as usize * (SYSTEMS.len() + 3) }
    }

    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Observer for ReproduceObserver {
    fn start(&mut self, config: &RunConfig, step: usize) {
        self.bar = bar(config.steps as u64, "  training");
        self.bar.set_position(step as u64);
        self.bar.reset_eta();
    }

    fn step(&mut self, report: &StepReport, _waited: f64) {
        self.bar.set_position(report.step as u64);
        self.bar.set_message(format!("loss {:.4}", report.loss));
    }

    fn warn(&mut self, text: &str) {
        self.note(&format!("  warning: {text}"));
    }
}

impl ReproduceProgress for ReproduceObserver {
    fn stage(&mut self, text: &str) {
        self.bar.finish_and_clear();
        self.parts += 1;
        self.note(&format!("[{}/{}, {:.0} s] {text}", self.parts, self.all, self.started.elapsed().as_secs_f64()));
    }

    fn note(&mut self, text: &str) {
        if self.bar.is_hidden() || self.bar.is_finished() {
            eprintln!("{text}");
        } else {
            self.bar.println(text);
        }
    }
}

/// A bar over the steps of the stage that runs; lines where no terminal shows it.
pub(crate) struct StageObserver {
    bar: ProgressBar,
    stage: String,
    last_line: Instant,
}

impl Default for StageObserver {
    fn default() -> Self {
        Self { bar: ProgressBar::hidden(), stage: String::new(), last_line: Instant::now() }
    }
}

impl StageObserver {
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl QuantizeObserver for StageObserver {
    fn stage(&mut self, what: &str, steps: usize) {
        self.bar.finish_and_clear();
        self.bar = bar(steps as u64, what);
        what.clone_into(&mut self.stage);
    }

    fn step(&mut self) {
        self.bar.inc(1);
        if self.bar.is_hidden() && self.last_line.elapsed() > LINE_EVERY {
            self.last_line = Instant::now();
            eprintln!("{} {}/{}", self.stage, self.bar.position(), self.bar.length().unwrap_or_default());
        }
    }

    fn warn(&mut self, text: &str) {
        self.bar.suspend(|| eprintln!("warning: {text}"));
    }
}
