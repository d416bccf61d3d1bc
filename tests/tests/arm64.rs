//! lsr-edge for aarch64, under emulation, gives the masks and probabilities that lsr-edge gives here: the same bits with every instruction set.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use image::GrayImage;
use lsr_edge::int8::Isa;
use lsr_edge::{Interrupt, Model, Options, OutputFiles, Segmenter, Tiling, segment_all};
use lsr_tests::{skip, workspace_root};
use std::env;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A rectangle of a sample: x, y, width, height. Emulation is slow, so these are small; no side is a multiple of the networks' 16 px.
const FIELDS: [(&str, [u32; 4]); 2] = [("field-1", [121, 140, 150, 133]), ("field-2", [200, 211, 93, 170])];

/// Tiles of the second way to run a field: several in each direction, whose overlaps are blended in floating point.
const TILE: u32 = 96;

/// The command that runs lsr-edge for aarch64: the words of `LSR_ARM64`.
struct Arm64(Vec<String>);

impl Arm64 {
    fn find() -> Option<Self> {
        let words: Vec<String> = env::var("LSR_ARM64").unwrap_or_default().split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            skip("arm64", "LSR_ARM64 does not say how lsr-edge for aarch64 is run (.ci/arm64.sh builds it)");
            return None;
        }
        Some(Self(words))
    }

    /// What it says.
    fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> String {
        let output = Command::new(&self.0[0]).args(&self.0[1..]).args(arguments).current_dir(workspace_root()).output().unwrap();
        assert!(output.status.success(), "{:?}: {} {}", self.0, output.status, String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What the model is there.
    fn inspect(&self, model: Option<&Path>) -> serde_json::Value {
        let arguments = [OsStr::new("inspect"), OsStr::new("--json")];
        serde_json::from_str(&self.run(arguments.into_iter().chain(model.map(Path::as_os_str)))).unwrap()
    }

    fn segment(&self, model: Option<&Path>, fields: &Path, output: &Path, isa: Option<&str>, tile: Option<u32>) {
        let mut arguments = vec![OsStr::new("segment"), fields.as_os_str(), OsStr::new("--output"), output.as_os_str()];
        let tile = tile.map(|px| px.to_string());
        for (flag, value) in
            [("--model", model.map(Path::as_os_str)), ("--isa", isa.map(OsStr::new)), ("--tile", tile.as_deref().map(OsStr::new))]
        {
            arguments.extend(value.into_iter().flat_map(|value| [OsStr::new(flag), value]));
        }
        self.run(arguments);
    }
}

/// `None` is the embedded model.
fn load(model: Option<&Path>) -> Model {
    model.map_or_else(Model::embedded, Model::open).unwrap()
}

fn segment_here(model: Option<&Path>, fields: &Path, output: &Path, isa: Isa, tile: Option<u32>) {
    let mut model = load(model);
    model.use_isa(isa).unwrap();
    let options = Options { tiling: Tiling { max_tile: tile, overlap: None }, ..Options::default() };
    let segmenter = Segmenter::new(model, output, &options, Interrupt::default()).unwrap();
    let report = segment_all(&segmenter, &[fields.to_owned()], &|_| ()).unwrap();
    assert_eq!((report.written, report.failures.len()), (FIELDS.len(), 0), "{:?}", report.failures);
}

/// Mask and probabilities of each field.
fn pictures(output: &Path) -> Vec<(PathBuf, GrayImage)> {
    let files = FIELDS.iter().map(|(name, _)| OutputFiles::new(output, name));
    files
        .flat_map(|files| [files.mask(), files.probability()])
        .map(|path| (path.clone(), image::open(path).unwrap().into_luma8()))
        .collect()
}

#[track_caller]
fn assert_same(seen: &Path, expected: &Path, what: &str) {
    for ((path, seen), (_, expected)) in pictures(seen).into_iter().zip(pictures(expected)) {
        assert_eq!(seen.dimensions(), expected.dimensions(), "{what}: {}", path.display());
        let different = seen.enumerate_pixels().zip(expected.pixels()).filter(|((.., a), b)| a != b);
        let first = different.clone().next().map(|((x, y, a), b)| format!("at {x}, {y} {} instead of {}", a.0[0], b.0[0]));
        assert!(first.is_none(), "{what}: {} differs in {} pixels: {}", path.display(), different.count(), first.unwrap_or_default());
    }
}

/// One model, whole fields or fields in tiles: every instruction set here and there.
fn check(arm64: &Arm64, model: Option<&Path>, tile: Option<u32>) {
    let folder = tempfile::tempdir().unwrap();
    let fields = folder.path().join("fields");
    std::fs::create_dir(&fields).unwrap();
    for (name, [x, y, width, height]) in FIELDS {
        let sample = image::open(workspace_root().join(format!("edge/samples/{name}.png"))).unwrap();
        sample.crop_imm(x, y, width, height).save(fields.join(format!("{name}.png"))).unwrap();
    }

    let expected = folder.path().join("here");
    segment_here(model, &fields, &expected, Isa::Scalar, tile);
    for (path, picture) in pictures(&expected) {
        let first = picture.get_pixel(0, 0);
        assert!(picture.pixels().any(|pixel| pixel != first), "{} is of one value: that would prove nothing", path.display());
    }
    for isa in Isa::available() {
        let output = folder.path().join(format!("here-{}", isa.name()));
        segment_here(model, &fields, &output, isa, tile);
        assert_same(&output, &expected, &format!("here, {}", isa.name()));
    }

    let card = arm64.inspect(model);
    assert_eq!(card["execution"]["arithmetic"], "int8", "{card}");
    assert_eq!(card["sha256"], load(model).card().sha256.as_str(), "lsr-edge for aarch64 was built with another embedded model");
    let sets: &[&str] = if card["execution"]["isa"] == "neondot" { &["neondot", "neon", "scalar"] } else { &["neon", "scalar"] };
    for isa in std::iter::once(None).chain(sets.iter().copied().map(Some)) {
        let name = isa.unwrap_or("by default");
        let output = folder.path().join(format!("aarch64-{name}"));
        arm64.segment(model, &fields, &output, isa, tile);
        assert_same(&output, &expected, &format!("aarch64, {name}"));
    }
    println!("the same on aarch64 ({}) and here ({:?})", sets.join(", "), Isa::available());
}

#[test]
fn a_network_in_integers_gives_the_same_bits_on_aarch64() {
    let Some(arm64) = Arm64::find() else { return };
    let model = workspace_root().join("edge/tests/fixtures/unet.int8.onnx");
    check(&arm64, Some(&model), None);
    check(&arm64, Some(&model), Some(TILE));
}

#[test]
fn the_embedded_model_gives_the_same_bits_on_aarch64() {
    let Some(arm64) = Arm64::find() else { return };
    let arithmetic = load(None).card().execution.arithmetic;
    if arithmetic == "int8" {
        check(&arm64, None, None);
    } else {
        println!("skipped: the embedded model runs in {arithmetic}, whose last bits differ between processors");
    }
}

#[test]
fn the_self_test_passes_on_aarch64() {
    let Some(arm64) = Arm64::find() else { return };
    let said = arm64.run(["self-test"]);
    let start = format!("self-test passed: embedded network {}: ", load(None).card().sha256);
    assert!(said.starts_with(&start) && said.contains("neon ") && said.contains("scalar "), "{said}");
}
