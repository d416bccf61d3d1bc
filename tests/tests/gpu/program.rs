//! `lsr-train` in a folder with a little synthetic tissue.

use serde_json::Value;
use std::env;
use std::path::PathBuf;
use std::process::Command;

pub(crate) struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    /// Six images of 128 px, blocks of 32 px and their prior.
    pub(crate) fn with_data() -> Self {
        let shop = Self { folder: tempfile::tempdir().unwrap() };
        shop.run("synth --output data --images 6 --size 128 --seed 3");
        shop.run("label --data data --from-masks --block 32 --output blocks.csv");
        shop.run("prior estimate --data data --blocks blocks.csv --annotated 4 --output prior.csv");
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs a command of words without blanks, and gives what it wrote to standard output.
    pub(crate) fn run(&self, words: &str) -> String {
        let output = Command::new(binary()).args(words.split_whitespace()).current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "lsr-train {words}: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// `fit` of a small network, whose losses it gives back.
    pub(crate) fn fit(&self, run: &str, device: &str, steps: usize) -> Vec<f64> {
        self.run(&format!(
            "fit --data data --blocks blocks.csv --prior prior.csv --output {run} --device {device} --steps {steps} --width 4 --depth 2 \
             --group 4 --distance wasserstein2 --seed 5"
        ));
        self.losses(run)
    }

    /// Goes on with a run, and gives all of its losses back.
    pub(crate) fn resume(&self, run: &str, device: &str, steps: usize) -> Vec<f64> {
        self.run(&format!("fit --resume --output {run} --device {device} --steps {steps}"));
        self.losses(run)
    }

    /// A second run with the files of the first.
    pub(crate) fn copy(&self, run: &str, to: &str) {
        assert!(Command::new("cp").arg("-r").args([self.path(run), self.path(to)]).status().unwrap().success());
    }

    fn losses(&self, run: &str) -> Vec<f64> {
        let text = std::fs::read_to_string(self.path(run).join("metrics.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["loss"].as_f64().unwrap()).collect()
    }
}

/// The program: named by `LSR_TRAIN_BIN`, beside this test, or where cargo puts it.
fn binary() -> PathBuf {
    if let Some(named) = env::var_os("LSR_TRAIN_BIN") {
        return PathBuf::from(named);
    }
    let test = env::current_exe().unwrap();
    let places: Vec<PathBuf> = test.ancestors().skip(1).take(2).map(|folder| folder.join("lsr-train")).collect();
    let found = places.iter().find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("no lsr-train at {places:?}: build it, or name it by LSR_TRAIN_BIN")).clone()
}
