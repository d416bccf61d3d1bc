//! A slide of 50,000 x 50,000 px: within the memory that was said, on any number of bands.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

mod memory;
#[path = "../../edge/tests/slide_file/mod.rs"]
mod slide_file;

use image::{Rgb, RgbImage};
use lsr_train::{SynthConfig, generate};
use memory::{stated_mb, watched};
use slide_file::{SlideFile, Stored};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A disc of tissue of a fifth of the slide, one level without smaller ones: all of it has to be read twice.
#[test]
fn a_slide_of_2_500_megapixels_stays_within_its_bound() {
    const SIDE: u32 = 50_000;
    let folder = tempfile::tempdir().unwrap();
    let slide = folder.path().join("large.svs");
    let tile = 512;
    // Synthetic tissue at 0.5 um/px in four tiles that repeat.
    let tissue = SynthConfig::new(tile, 0.5, 3).unwrap();
    let mut tiles: Vec<RgbImage> = (0..4).map(|number| generate(&tissue, number).unwrap().image).collect();
    tiles.push(RgbImage::from_pixel(tile, tile, Rgb([243, 242, 244])));
    let description = "Aperio test|MPP = 0.5".to_owned();
    let across = SIDE.div_ceil(tile);
    let inside = |column: u32, row: u32| {
        let from_centre = |index: u32| f64::from(index) + 0.5 - f64::from(across) / 2.0;
        from_centre(column).hypot(from_centre(row)) < 0.25 * f64::from(across)
    };
    let which = |column, row| if inside(column, row) { ((column * 7 + row * 3) % 4) as usize } else { 4 };
    SlideFile { tile, stored: Stored::Jpeg, description, ..SlideFile::default() }.write_repeated(&slide, [SIDE; 2], &tiles, which);

    let output = folder.path().join("out");
    let start = Instant::now();
    let child = Command::new(env!("CARGO_BIN_EXE_lsr-edge-under-test"))
        .args(["segment".as_ref(), slide.as_os_str(), "--output".as_ref(), output.as_os_str()])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (peak, program) = watched(child);
    let seconds = start.elapsed().as_secs_f64();
    let stderr = String::from_utf8_lossy(&program.stderr);
    assert!(program.status.success(), "{stderr}");
    let said = stated_mb(&stderr)[0];
    let record: serde_json::Value = serde_json::from_slice(&std::fs::read(output.join("large.json")).unwrap()).unwrap();
    let area = |pointer: &str| record.pointer(pointer).unwrap().as_f64().unwrap();
    let tissue = area("/cancer/image_area_mm2") / area("/input/area_mm2");
    println!(
        "{:.0} Mpx/s of the slide, {:.1} Mpx/s of its tissue ({:.0} % of it), {seconds:.0} s; peak {peak:.0} MB, said {said:.0} MB; {}",
        2500.0 / seconds,
        2500.0 * tissue / seconds,
        100.0 * tissue,
        record["timings_ms"],
    );
    assert!((0.19..0.22).contains(&tissue), "{tissue}");
    assert!(peak <= said, "{peak} MB, said {said}");
    assert!(said < 1500.0, "{said} MB were said");
}
