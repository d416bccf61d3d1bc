//! Training in several processes (MPI on this machine) against one process: the same losses, and an end of all when one of them is gone.

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests: an unexpected error is a failure")]

use lsr_tests::{skip, workspace_root};
use lsr_train::{Dataset, LabelSettings, Prior, StepReport};
use std::env;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Largest difference of a loss, relative to 1 or to the loss where that is larger. The network's sums are taken in another order.
const TOLERANCE: f64 = 1e-5;

/// Steps that are compared.
const STEPS: usize = 20;

/// Until all processes have ended after one of them was killed.
const END: Duration = Duration::from_secs(30);

/// lsr-train with MPI, and blocks of tissue to train on.
struct Workshop {
    binary: PathBuf,
    folder: tempfile::TempDir,
}

impl Workshop {
    fn open() -> Option<Self> {
        let Some(binary) = env::var_os("LSR_MPI").map(|path| workspace_root().join(path)) else {
            skip("mpi", "LSR_MPI does not name an lsr-train with MPI (.ci/mpi.sh builds it)");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        lsr_train::write_synthetic(&data, 6, 96, 1.0, 3, |_| {}).unwrap();
        let settings = LabelSettings { block_px: 32, stride_px: 16, noise: 0.0, seed: 0 };
        let blocks = lsr_train::label_from_masks(&Dataset::open(std::slice::from_ref(&data)).unwrap(), settings).unwrap();
        lsr_train::write_blocks(&folder.path().join("blocks.csv"), &blocks).unwrap();
        Prior::table_1().write(&folder.path().join("prior.csv")).unwrap();
        Some(Self { binary, folder })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The command that trains a run in so many processes; one alone needs no launcher.
    fn command(&self, processes: usize, run: &str) -> Command {
        let mut command = if processes == 1 {
            Command::new(&self.binary)
        } else {
            let mut mpirun = Command::new("mpirun");
            // Open MPI's own condition for root, and more processes than cores.
            mpirun.env("OMPI_ALLOW_RUN_AS_ROOT", "1").env("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1");
            mpirun.args(["--oversubscribe", "-n", &processes.to_string()]).arg(&self.binary);
            mpirun
        };
        command.arg("fit").arg("--output").arg(self.path(run));
        command
    }

    /// A run of groups of 15 blocks, which no number of processes divides.
    fn fit(&self, processes: usize, run: &str, flags: &str) -> Command {
        self.fit_groups(processes, run, "--group 15 --groups 2", flags)
    }

    fn fit_groups(&self, processes: usize, run: &str, groups: &str, flags: &str) -> Command {
        let mut command = self.command(processes, run);
        for (flag, name) in [("--data", "data"), ("--blocks", "blocks.csv"), ("--prior", "prior.csv")] {
            command.arg(flag).arg(self.path(name));
        }
        for flags in [groups, "--width 4 --depth 2 --seed 5 --workers 1", flags] {
            command.args(flags.split_whitespace());
        }
        command
    }

    fn reports(&self, run: &str) -> Vec<StepReport> {
        let text = std::fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap_or_default();
        text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Waits until a run has done so many steps.
    fn wait_for(&self, run: &str, steps: usize, child: &mut Child) {
        let started = Instant::now();
        while self.reports(run).len() < steps {
            assert!(child.try_wait().unwrap().is_none(), "the run ended before step {steps}");
            assert!(started.elapsed() < Duration::from_secs(120), "step {steps} was not reached");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

fn succeed(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    output
}

/// Largest difference of two runs' losses.
fn difference(ours: &[StepReport], theirs: &[StepReport]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let mut largest: f64 = 0.0;
    for (a, b) in ours.iter().zip(theirs) {
        assert_eq!((a.step, a.groups.len()), (b.step, b.groups.len()));
        let mut pairs = vec![(a.loss, b.loss)];
        pairs.extend(a.cross_entropy.zip(b.cross_entropy));
        assert_eq!(a.cross_entropy.is_some(), b.cross_entropy.is_some());
        for (a, b) in a.groups.iter().zip(&b.groups) {
            assert_eq!((a.z, a.eta, a.rho), (b.z, b.eta, b.rho));
            pairs.extend([(a.mean, b.mean), (a.spread, b.spread)]);
        }
        largest = pairs.into_iter().map(|(a, b)| (a - b).abs() / a.abs().max(1.0)).fold(largest, f64::max);
    }
    largest
}

/// Trains with some flags in one process and in several, and compares.
fn compare(shop: &Workshop, name: &str, processes: &[usize], flags: &str) {
    let flags = format!("--steps {STEPS} {flags}");
    let alone = format!("{name}-1");
    succeed(shop.fit(1, &alone, &flags));
    let alone = shop.reports(&alone);
    assert_eq!(alone.len(), STEPS);
    let losses: Vec<f64> = alone.iter().map(|report| report.loss).collect();
    assert!(losses.iter().any(|loss| (loss - losses[0]).abs() > 1e-3), "the network does not learn: {losses:?}");
    for &count in processes {
        let run = format!("{name}-{count}");
        succeed(shop.fit(count, &run, &flags));
        let largest = difference(&alone, &shop.reports(&run));
        println!("{name}: {count} processes differ from one by {largest:.1e} at most over {STEPS} steps");
        assert!(largest < TOLERANCE, "{name}, {count} processes: {largest}");
    }
}

#[test]
fn two_and_four_processes_follow_the_steps_of_one() {
    let Some(shop) = Workshop::open() else { return };
    compare(&shop, "paper", &[2, 4], "");
}

#[test]
fn so_they_do_on_burn_s_operations_with_everything_else_switched_on() {
    let Some(shop) = Workshop::open() else { return };
    // Transposed convolutions are not fused: BatchNorm is merged by a sum that the gradient goes back through, in single precision, whose
    // rounding Eq. 9 magnifies without bound. A bounded distance and small steps let the tolerance tell it from a mistake.
    let calm = "--distance wasserstein2 --learning-rate 3e-5";
    let all = "--groups-at-once 1 --clip-norm 1 --queue 30 --ema 0.9 --label-weights 0:2,9:0.5";
    compare(&shop, "composed", &[3], &format!("{calm} {all} --up transposed"));
    compare(&shop, "checkpointing", &[2], &format!("{calm} --gradient-checkpointing true --mask-fraction 0.6"));
    compare(&shop, "intra", &[2], &format!("{calm} --scheme intra --norm group --network full_resolution"));
    compare(&shop, "fused", &[3], &format!("{all} --scheme inter --mask-fraction 0.6 --schedule cosine"));
}

#[test]
fn early_stopping_is_decided_for_all() {
    let Some(shop) = Workshop::open() else { return };
    let flags = "--steps 40 --validation 0005 --validate-every 2 --patience 1 --learning-rate 1e-9";
    for (processes, run) in [(1, "alone"), (3, "three")] {
        succeed(shop.fit(processes, run, flags));
    }
    let (alone, three) = (shop.reports("alone"), shop.reports("three"));
    assert!(alone.len() < 40, "the run should have stopped early, and did {} steps", alone.len());
    assert!(difference(&alone, &three) < TOLERANCE);
}

/// The processes that mpirun has started: pid by rank.
fn ranks(mpirun: u32) -> Vec<(u32, usize)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // After the name, which may hold spaces: state, parent.
        let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        if parent != Some(mpirun) {
            continue;
        }
        let environment = std::fs::read(entry.path().join("environ")).unwrap_or_default();
        let rank = String::from_utf8_lossy(&environment)
            .split('\0')
            .find_map(|variable| variable.strip_prefix("OMPI_COMM_WORLD_RANK=").and_then(|rank| rank.parse().ok()));
        found.extend(rank.map(|rank| (pid, rank)));
    }
    found.sort_by_key(|&(_, rank)| rank);
    found
}

/// Whether a process has ended; one that nobody has asked for its exit status yet has ended too.
fn gone(pid: u32) -> bool {
    let started = Instant::now();
    while started.elapsed() < END {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        if stat.rsplit(')').next().is_none_or(|rest| rest.trim().is_empty() || rest.trim().starts_with('Z')) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    false
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args([name, &pid.to_string()]).status().unwrap().success());
}

/// Waits for the end of all processes, within the bound.
fn wait_for_end(mut child: Child) -> Output {
    let started = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if started.elapsed() > END {
            let _ = child.kill();
            panic!("the processes were still there after {END:?}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("all ended {:.2} s after the signal", started.elapsed().as_secs_f64());
    child.wait_with_output().unwrap()
}

#[test]
fn when_one_is_killed_all_end_and_the_run_goes_on_from_its_checkpoint() {
    let Some(shop) = Workshop::open() else { return };
    let flags = "--steps 60 --checkpoint-every 5";
    succeed(shop.fit(2, "whole", flags));
    let whole = shop.reports("whole");
    for (victim, run) in [(1, "second-killed"), (0, "first-killed")] {
        let mut child = shop.fit(2, run, flags).stderr(Stdio::piped()).spawn().unwrap();
        shop.wait_for(run, 13, &mut child);
        let all = ranks(child.id());
        assert_eq!(all.len(), 2, "{all:?}");
        signal("-KILL", all[victim].0);
        let output = wait_for_end(child);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success());
        assert!(text.contains("signal 9 (Killed)"), "{text}");
        assert!(all.iter().all(|&(pid, _)| gone(pid)), "a process is left");

        let mut again = shop.command(2, run);
        again.arg("--resume");
        succeed(again);
        assert_eq!(shop.reports(run), whole, "not the losses of the run that was never interrupted");
    }
    // One process alone can go on with what two have begun.
    succeed(shop.fit(2, "begun", "--steps 20"));
    let mut alone = shop.command(1, "begun");
    alone.args(["--resume", "--steps", "40"]);
    succeed(alone);
    assert!(difference(&shop.reports("begun"), &whole[..40]) < TOLERANCE);
}

#[test]
fn a_signal_to_any_of_them_stops_all_with_a_checkpoint() {
    let Some(shop) = Workshop::open() else { return };
    let mut child = shop.fit(2, "stopped", "--steps 100000").stderr(Stdio::piped()).spawn().unwrap();
    shop.wait_for("stopped", 3, &mut child);
    signal("-TERM", ranks(child.id())[1].0);
    let output = wait_for_end(child);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(130), "{text}");
    assert_eq!(text.matches("interrupted at step").count(), 1, "{text}");
    let done = shop.reports("stopped").len();
    let mut again = shop.command(2, "stopped");
    again.args(["--resume", "--steps", &(done + 2).to_string()]);
    succeed(again);
    assert_eq!(shop.reports("stopped").len(), done + 2);
}

#[test]
fn what_stops_one_is_said_once_and_ends_all() {
    let Some(shop) = Workshop::open() else { return };
    // More processes than blocks that go through at once.
    let output = shop.fit_groups(3, "few", "--group 2 --groups 1", "").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("processes: expected at most the 2 blocks"), "{text}");

    // An image that is cut off in its middle: whoever reads it first says so.
    let image = shop.path("data/images").read_dir().unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&image).unwrap();
    std::fs::write(&image, &bytes[..bytes.len() / 2]).unwrap();
    let child = shop.fit(2, "damaged", "--steps 100000").stderr(Stdio::piped()).spawn().unwrap();
    let output = wait_for_end(child);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains(&*image.file_name().unwrap().to_string_lossy()), "{text}");

    // A run that is there already.
    let output = shop.fit(2, "damaged", "").output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.matches("already holds a run").count() == 1, "{text}");
}
