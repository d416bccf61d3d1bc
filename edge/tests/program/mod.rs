//! Runs the real binary and makes images for it.

#![allow(dead_code)] // each test file uses its part

use image::{Rgb, RgbImage};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What the program said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Said {
    /// Exit code and words on standard error, checked together.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, words: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            assert!(self.stderr.contains(word), "expected '{word}' in {self:?}");
        }
        assert!(!self.stderr.contains("panicked") && !self.stderr.contains("RUST_BACKTRACE"), "{self:?}");
    }
}

pub(crate) fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_lsr-edge"))
}

pub(crate) fn run<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Said {
    said(program().args(arguments).output().unwrap())
}

pub(crate) fn said(output: Output) -> Said {
    Said {
        // A signal has no code; no test expects -1.
        code: output.status.code().unwrap_or(-1),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// `segment INPUT... --output OUT --model tests/fixtures/unet.onnx FLAGS`.
pub(crate) fn segment(inputs: &[&Path], output: &Path, flags: &[&str]) -> Said {
    let mut command = program();
    command.arg("segment").args(inputs).arg("--output").arg(output).arg("--model").arg(unet()).args(flags);
    said(command.output().unwrap())
}

/// A U-Net of width 2 and depth 4 with random weights (made by the script beside it).
pub(crate) fn unet() -> PathBuf {
    fixture("unet.onnx")
}

/// A file made by the scripts beside it: `unet.int8.onnx` is `unet.onnx` quantised, `tiny.int8.onnx` a quantised U-Net of width 1 and depth 1.
pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Coloured blobs at several scales, so that a random network gives both classes.
pub(crate) fn blobs(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        Rgb([0, 1, 2].map(|channel| {
            let levels = [4_u32, 16, 64].map(|size| f64::from(noise(x / size, y / size, seed * 9 + channel * 3 + size)));
            (levels.iter().sum::<f64>() / 3.0) as u8
        }))
    })
}

/// A hash of a cell as a byte.
fn noise(x: u32, y: u32, seed: u32) -> u8 {
    let mut h = x.wrapping_mul(0x9E37_79B1) ^ y.wrapping_mul(0x85EB_CA77) ^ seed.wrapping_mul(0xC2B2_AE3D);
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    (h >> 24) as u8
}

pub(crate) fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

pub(crate) fn json(path: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}
