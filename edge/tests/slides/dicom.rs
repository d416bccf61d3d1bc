//! DICOM slides: a series is one slide, frames are found in their places, and hostile files are refused.

use super::{pyramid, ran, segment, segment_command};
use crate::dicom_file::DicomFile;
use crate::program::{blobs, json, names};
use std::fs;
use tempfile::tempdir;

/// The files of a DICOM series: the finest stands for all, and what is read is the level that the model needs.
#[test]
fn files_of_a_dicom_series_are_one_slide() {
    let folder = tempdir().unwrap();
    let (series, output) = (folder.path().join("series"), folder.path().join("out"));
    fs::create_dir(&series).unwrap();
    let at = |name: &str| series.join(name);
    // Only the coarse level shows what the mask will be of.
    DicomFile { um_per_px: 0.5, ..DicomFile::default() }.write(&at("fine.dcm"), &blobs(600, 400, 5));
    DicomFile::default().write(&at("coarse.dcm"), &blobs(300, 200, 4));
    DicomFile { kind: "LABEL", ..DicomFile::default() }.write(&at("label.dcm"), &blobs(100, 80, 6));
    let other = DicomFile { series: "1.2.4".to_owned(), ..DicomFile::default() };
    other.write(&at("other"), &blobs(150, 100, 7));
    fs::write(at("notes"), "no image").unwrap();
    let said = segment(&series, &output, &["--tissue", "none"]);
    let level = "fine: DICOM slide, 600 x 400 px at 0.5 um/px, level 1 of 2 -> 300 x 200 px at 1 um/px";
    said.expect(0, &[level, "other: DICOM slide, 150 x 100 px at 1 um/px, level 0 of 1"]);
    assert!(said.stdout.starts_with("2 written in "), "{said:?}");
    let image = folder.path().join("coarse.png");
    blobs(300, 200, 4).save(&image).unwrap();
    segment(&image, &folder.path().join("one-pass"), &["--um-per-px", "1"]).expect(0, &[]);
    let expected = image::open(folder.path().join("one-pass/coarse.probability.png")).unwrap().into_luma8();
    assert!(pyramid(&output.join("fine.probability.ome.tif")).1 == *expected.as_raw());
    // The record names both files by what anybody can compute.
    let record = &json(&output.join("fine.json"))["input"];
    let sums = std::process::Command::new("sha256sum").args(["fine.dcm", "coarse.dcm"]).current_dir(&series).output().unwrap().stdout;
    let files: Vec<[&str; 2]> = std::str::from_utf8(&sums).unwrap().lines().map(|line| [&line[66..], &line[..64]]).collect();
    let recorded: Vec<[&str; 2]> =
        record["files"].as_array().unwrap().iter().map(|file| [file["name"].as_str().unwrap(), file["sha256"].as_str().unwrap()]).collect();
    assert_eq!(recorded, files);
    let lines = folder.path().join("lines");
    fs::write(&lines, &sums).unwrap();
    let whole = std::process::Command::new("sha256sum").arg(&lines).output().unwrap().stdout;
    assert_eq!(record["sha256"].as_str().unwrap().as_bytes(), &whole[..64]);
    // A level that is named by itself is a slide of its own; a shell that names all files gives the same as the folder.
    let alone = folder.path().join("alone");
    segment(&at("coarse.dcm"), &alone, &["--tissue", "none"]).expect(0, &["coarse: DICOM slide, 300 x 200 px at 1 um/px, level 0 of 1"]);
    let mut all = segment_command(&at("fine.dcm"), &alone, &["--tissue", "none"]);
    ran(all.args(["coarse.dcm", "label.dcm", "other"].map(at))).expect(0, &[level]);
    assert_eq!(names(&alone).iter().filter(|name| name.ends_with(".seg.dcm")).count(), 3);
    // A level that is torn is named; the slide is not done without it.
    let bytes = fs::read(at("coarse.dcm")).unwrap();
    fs::write(at("coarse.dcm"), &bytes[..bytes.len() - 1000]).unwrap();
    let said = segment(&series, &folder.path().join("torn"), &["--tissue", "none"]);
    said.expect(1, &["fine.dcm: damaged or unsupported slide: ", "coarse.dcm, a level of it: element (7FE0,0010) of "]);
    assert!(said.stdout.starts_with("1 written, 1 failed"), "{said:?}");
}

/// Frames of JPEG in several fragments give what their pixels give, but for what JPEG changes.
#[test]
fn fragments_of_a_dicom_slide_are_put_together() {
    let folder = tempdir().unwrap();
    for (name, jpeg) in [("plain.dcm", false), ("jpeg.dcm", true)] {
        DicomFile { jpeg, ..DicomFile::default() }.write(&folder.path().join(name), &blobs(300, 200, 4));
    }
    let output = folder.path().join("out");
    segment(folder.path(), &output, &["--tissue", "none"]).expect(0, &[]);
    let [plain, jpeg] = ["plain", "jpeg"].map(|name| pyramid(&output.join(format!("{name}.probability.ome.tif"))).1);
    let apart: u32 = plain.iter().zip(&jpeg).map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    let spread = u32::from(*plain.iter().max().unwrap() - *plain.iter().min().unwrap());
    let mean = f64::from(apart) / plain.len() as f64;
    assert!(spread > 50 && mean < 0.1 * f64::from(spread), "{mean} of {spread}");
}

/// Changed bytes of a DICOM slide, and cuts of it: an error or a mask, never a panic.
#[test]
fn hostile_dicom_slides_do_not_bring_the_program_down() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.dcm");
    DicomFile { tile: 16, jpeg: true, ..DicomFile::default() }.write(&path, &blobs(40, 24, 4));
    let bytes = fs::read(&path).unwrap();
    let (output, mut inputs) = (folder.path().join("out"), Vec::new());
    // Each in a folder of its own: a changed size would make it a level of the others.
    let mut add = |bytes: &[u8]| {
        let own = folder.path().join(inputs.len().to_string());
        fs::create_dir(&own).unwrap();
        inputs.push(own.join(format!("{}.dcm", inputs.len())));
        fs::write(inputs.last().unwrap(), bytes).unwrap();
    };
    for at in (132..bytes.len().min(1500)).step_by(5) {
        let mut changed = bytes.clone();
        changed[at] ^= [0x01, 0x80, 0xFF][at % 3];
        add(&changed);
    }
    (132..bytes.len()).step_by(bytes.len() / 60).for_each(|at| add(&bytes[..at]));
    let made = inputs.len();
    let said = ran(segment_command(&path, &output, &["--um-per-px", "1", "--tissue", "none"]).args(inputs));
    assert!(said.code == 1 && !said.stderr.contains("panicked"), "{said:?}");
    let failed = said.stderr.lines().filter(|line| line.starts_with("failed: ")).count();
    let written: usize = said.stdout.split(' ').next().unwrap().parse().unwrap();
    assert!(written + failed == made + 1 && failed > 60 && written > 60, "{written} {failed} of {made}");
}
