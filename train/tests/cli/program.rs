//! The real `lsr-train` binary in a folder of its own, with a small set of synthetic tissue.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

pub(crate) struct Workshop {
    folder: tempfile::TempDir,
}

impl Workshop {
    /// An empty folder.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// Six images of 96 px, blocks of 32 px and their prior.
    pub(crate) fn with_data() -> Self {
        let shop = Self::empty();
        shop.succeeds(&["synth", "--output", "data", "--images", "6", "--size", "96", "--seed", "3"]);
        shop.succeeds(&["label", "--data", "data", "--from-masks", "--block", "32", "--output", "blocks.csv"]);
        shop.succeeds(&["prior", "estimate", "--data", "data", "--blocks", "blocks.csv", "--annotated", "4", "--output", "prior.csv"]);
        shop
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), bytes).unwrap();
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lsr-train"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Runs and expects exit code 0; gives back (standard output, standard error).
    pub(crate) fn succeeds(&self, arguments: &[&str]) -> (String, String) {
        let output = self.run(arguments);
        let (out, err) = text_of(&output);
        assert!(output.status.success(), "{arguments:?}: {err}");
        (out, err)
    }

    /// Runs and expects exit code 1, one line that names all of `parts`, and no panic.
    pub(crate) fn refuses(&self, arguments: &[&str], parts: &[&str]) {
        assert_refused(&self.run(arguments), parts, &format!("{arguments:?}"));
    }

    /// `fit` on the small data with a small network and further flags.
    pub(crate) fn fit<'a>(&self, output: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
        let mut arguments = vec!["fit", "--data", "data", "--blocks", "blocks.csv", "--prior", "prior.csv", "--output", output];
        arguments.extend(["--width", "2", "--depth", "2", "--group", "4", "--distance", "wasserstein2"]);
        arguments.extend(flags);
        arguments
    }

    /// Replaces the masks of six images of 96 px by noise.
    pub(crate) fn scramble_masks(&self, folder: &str) {
        for name in 0..6 {
            let noise = image::GrayImage::from_fn(96, 96, |x, y| image::Luma([if (x * 7 + y * 13 + name) % 5 < 2 { 255 } else { 0 }]));
            noise.save(self.path(&format!("{folder}/{name:04}.png"))).unwrap();
        }
    }

    /// Files under a folder that a finished or failed command must not leave.
    pub(crate) fn leftovers(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        collect(self.folder.path(), &mut found);
        found
    }
}

fn collect(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "tmp") {
            found.push(path);
        } else if path.is_dir() {
            collect(&path, found);
        }
    }
}

pub(crate) fn text_of(output: &Output) -> (String, String) {
    (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned())
}

pub(crate) fn assert_refused(output: &Output, parts: &[&str], what: &str) {
    let (_, error) = text_of(output);
    assert_eq!(output.status.code(), Some(1), "{what}: {error}");
    assert!(!error.contains("panicked"), "{what}: {error}");
    let last = error.trim_end().lines().last().unwrap_or_default();
    assert!(last.starts_with("lsr-train: "), "{what}: {error}");
    for part in parts {
        assert!(last.contains(part), "{what}: expected '{part}' in: {last}");
    }
}
