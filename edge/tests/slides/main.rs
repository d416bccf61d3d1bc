//! Whole slides: what is read of them, how they are cut, and what is written.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod dicom;
#[path = "../dicom_file/mod.rs"]
mod dicom_file;
#[path = "../program/mod.rs"]
mod program;
#[path = "../slide_file/mod.rs"]
mod slide_file;

use image::{Rgb, RgbImage};
use program::{Said, blobs, fixture, json, names, program as command, said};
use serde_json::{Value, json as value};
use slide_file::{SlideFile, Stored};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use tempfile::{TempDir, tempdir};
use tiff::decoder::{Decoder, DecodingResult};

/// The network sees 1 um/px and 107 px around each pixel, so tiles of 256 px keep 32 of them.
const SMALL_TILES: [&str; 2] = ["--tile", "256"];

fn segment_command(input: &Path, output: &Path, flags: &[&str]) -> std::process::Command {
    let mut command = command();
    command.arg("segment").arg(input).arg("--output").arg(output).arg("--model").arg(fixture("unet.int8.onnx")).args(flags);
    command
}

fn segment(input: &Path, output: &Path, flags: &[&str]) -> Said {
    ran(&mut segment_command(input, output, flags))
}

fn ran(command: &mut std::process::Command) -> Said {
    said(command.output().unwrap())
}

/// A folder with `a.svs`, a slide of 300 x 200 px at 1 um/px.
fn one_slide() -> (TempDir, PathBuf, PathBuf) {
    let folder = tempdir().unwrap();
    let (slide, output) = (folder.path().join("a.svs"), folder.path().join("out"));
    SlideFile::default().write(&slide, &blobs(300, 200, 4), &[]);
    (folder, slide, output)
}

/// The first image of an OME-TIFF.
fn pyramid(path: &Path) -> ([u32; 2], Vec<u8>) {
    let mut decoder = Decoder::new(File::open(path).unwrap()).unwrap();
    let (width, height) = decoder.dimensions().unwrap();
    match decoder.read_image().unwrap() {
        DecodingResult::U8(pixels) => ([width, height], pixels),
        other => panic!("{other:?}"),
    }
}

const FILES: [&str; 7] = ["a.geojson", "a.json", "a.mask.ome.tif", "a.overlay.png", "a.probability.ome.tif", "fields.csv", "fields.jsonl"];

#[test]
fn a_slide_in_tiles_equals_its_image_in_one_pass() {
    let (folder, slide, output) = one_slide();
    let image = folder.path().join("a.png");
    blobs(300, 200, 4).save(&image).unwrap();
    let one_pass = folder.path().join("one-pass");
    segment(&image, &one_pass, &["--um-per-px", "1"]).expect(0, &[]);
    let said = segment(&slide, &output, &[&SMALL_TILES[..], &["--tissue", "none"]].concat());
    said.expect(
        0,
        &["a: Aperio SVS, 300 x 200 px at 1 um/px, level 0 of 1 -> 300 x 200 px at 1 um/px in 7 bands; at most ", " MB of memory"],
    );
    assert_eq!(names(&output), FILES);
    for (pyramid_name, png) in [("a.probability.ome.tif", "a.probability.png"), ("a.mask.ome.tif", "a.mask.png")] {
        let (size, pixels) = pyramid(&output.join(pyramid_name));
        assert_eq!(size, [300, 200]);
        assert!(pixels == *image::open(one_pass.join(png)).unwrap().into_luma8().as_raw(), "{pyramid_name}");
    }
    // Counts and outlines are those of the image too; only names of regions follow from other settings.
    let [slide, image] = [&output, &one_pass].map(|folder| json(&folder.join("a.json")));
    assert_eq!(slide["cancer"], image["cancer"]);
    assert_eq!(slide["regions"], image["regions"]);
    let polygons = |folder: &Path| -> Vec<Value> {
        json(&folder.join("a.geojson"))["features"].as_array().unwrap().iter().map(|feature| feature["geometry"].clone()).collect()
    };
    assert_eq!(polygons(&output), polygons(&one_pass));
    assert_eq!(slide["network"]["bands"], 7);
    assert_eq!((&slide["input"]["um_per_px_source"], &slide["quality"]), (&value!("Aperio MPP"), &Value::Null));
}

#[test]
fn every_way_of_storing_tiles_gives_the_same_pixels() {
    let folder = tempdir().unwrap();
    let image = blobs(150, 100, 7);
    let mask = |name: &str, stored: Stored| {
        let path = folder.path().join(format!("{name}.tif"));
        SlideFile { stored, ..SlideFile::default() }.write(&path, &image, &[]);
        let output = folder.path().join(name);
        segment(&path, &output, &["--tissue", "none"]).expect(0, &["Aperio SVS, 150 x 100 px"]);
        pyramid(&output.join(format!("{name}.probability.ome.tif"))).1
    };
    let plain = mask("plain", Stored::Plain);
    assert!(plain.iter().max() > plain.iter().min());
    assert!(mask("lzw", Stored::Lzw) == plain && mask("deflate", Stored::Deflate) == plain);
    let jpeg = mask("jpeg", Stored::Jpeg);
    let far = jpeg.iter().zip(&plain).filter(|(a, b)| a.abs_diff(**b) > 40).count();
    assert!(jpeg != plain && far * 20 < plain.len(), "{far} of {} pixels", plain.len());
}

#[test]
fn the_level_follows_the_pixel_size() {
    let folder = tempdir().unwrap();
    let record = |name: &str, mpp: &str, size: [u32; 2], flags: &[&str]| {
        let path = folder.path().join(format!("{name}.svs"));
        let description = format!("Aperio test|AppMag = 20|MPP = {mpp}");
        SlideFile { description, ..SlideFile::default() }.write(&path, &blobs(size[0], size[1], 4), &[2, 4]);
        let output = folder.path().join(name);
        segment(&path, &output, flags).expect(0, &[]);
        let record = json(&output.join(format!("{name}.json")));
        let (size, _) = pyramid(&output.join(format!("{name}.mask.ome.tif")));
        (record["input"]["level"].as_u64().unwrap(), size)
    };
    // 0.25, 0.5 and 1 um/px; 0.3, 0.6 and 1.2; 2 and more.
    assert_eq!(record("a", "0.25", [800, 400], &[]), (2, [200, 100]));
    assert_eq!(record("b", "0.3", [800, 400], &[]), (1, [240, 120]));
    assert_eq!(record("c", "2", [100, 60], &[]), (0, [200, 120]));
    // What the flag says counts more than what the file says.
    assert_eq!(record("d", "2", [400, 200], &["--um-per-px", "0.5"]), (1, [200, 100]));
}

#[test]
fn a_pixel_size_that_nobody_states_is_asked_for() {
    let folder = tempdir().unwrap();
    let output = folder.path().join("out");
    let write = |name: &str, file: SlideFile| {
        let path = folder.path().join(name);
        file.write(&path, &blobs(100, 80, 2), &[]);
        path
    };
    let none = write("none.svs", SlideFile { description: String::new(), ..SlideFile::default() });
    let image = folder.path().join("field.png");
    blobs(64, 48, 1).save(&image).unwrap();
    segment(&none, &output, &[]).expect(
        1,
        &["none.svs: it states no pixel size: give --um-per-px-if-missing X for inputs that state none, or --um-per-px X for all of them"],
    );
    let ome = r#"<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06"><Image ID="Image:0"><Pixels PhysicalSizeX="2" PhysicalSizeY="2"/></Image></OME>"#;
    let ome = write("ome.tif", SlideFile { description: ome.to_owned(), ..SlideFile::default() });
    let tags = write("tags.tif", SlideFile { description: String::new(), pixels_per_cm: Some(5000), ..SlideFile::default() });
    let mut command = segment_command(&none, &output, &["--um-per-px-if-missing", "0.5"]);
    said(command.args([&ome, &tags, &image]).output().unwrap()).expect(0, &["none: tiled TIFF, 100 x 80 px at 0.5 um/px"]);
    for (name, um, source) in [
        ("none", 0.5, "flag --um-per-px-if-missing"),
        ("ome", 2.0, "OME PhysicalSize"),
        ("tags", 2.0, "TIFF resolution"),
        ("field", 0.5, "flag --um-per-px-if-missing"),
    ] {
        let input = &json(&output.join(format!("{name}.json")))["input"];
        assert_eq!((input["um_per_px"].as_f64().unwrap(), input["um_per_px_source"].as_str().unwrap()), (um, source), "{name}");
    }
    // For a slide that states its own, the flag changes nothing.
    let again = segment(&ome, &output, &[]);
    assert!(again.stdout.starts_with("0 written, 1 skipped (done before)"), "{again:?}");
    segment(&ome, &output, &["--um-per-px-if-missing", "0"]).expect(1, &["--um-per-px-if-missing 0: expected micrometres per pixel"]);
}

/// Glass on the left, tissue in the middle, a pen's line on the right.
fn glass_tissue_pen() -> RgbImage {
    let tissue = blobs(600, 200, 3);
    RgbImage::from_fn(600, 200, |x, y| match x {
        0..200 => Rgb([244, 243, 245]),
        520..560 => Rgb([40, 80, 190]),
        560.. => Rgb([244, 243, 245]),
        _ => {
            let [a, b, c] = tissue.get_pixel(x, y).0;
            Rgb([150 + a / 4, 80 + b / 5, 140 + c / 4])
        }
    })
}

#[test]
fn glass_and_pen_are_not_looked_at() {
    let folder = tempdir().unwrap();
    let slide = folder.path().join("a.svs");
    SlideFile::default().write(&slide, &glass_tissue_pen(), &[2]);
    let counted = |name: &str, flags: &[&str]| {
        let output = folder.path().join(name);
        segment(&slide, &output, flags).expect(0, &[]);
        let (size, probability) = pyramid(&output.join("a.probability.ome.tif"));
        assert_eq!(size, [600, 200]);
        let seen = |columns: std::ops::Range<usize>| probability.chunks_exact(600).any(|row| row[columns.clone()].iter().any(|&p| p > 0));
        let record = json(&output.join("a.json"));
        let area = record["cancer"]["image_area_mm2"].as_f64().unwrap();
        ([seen(0..180), seen(220..500), seen(532..550)], (area * 1e6).round(), record)
    };
    let (seen, area, record) = counted("auto", &[]);
    assert_eq!(seen, [false, true, false]);
    // 320 columns of tissue and a margin of 8 px towards the glass; towards the pen its own margin.
    assert_eq!(area, 200.0 * (8.0 + 320.0 - 8.0));
    assert_eq!((&record["settings"]["tissue"], &record["input"]["area_mm2"]), (&value!("auto"), &value!(0.12)));
    assert!(record["tissue"]["pen"].as_f64().unwrap() > 0.06, "{record}");
    let (seen, area, _) = counted("none", &["--tissue", "none"]);
    assert_eq!((seen, area), ([true; 3], 120_000.0));
    // Any size will do for a mask.
    let mask = folder.path().join("mask.png");
    image::GrayImage::from_fn(6, 1, |x, _| image::Luma([if x == 0 { 255 } else { 0 }])).save(&mask).unwrap();
    let (seen, area, record) = counted("mask", &["--tissue", mask.to_str().unwrap()]);
    assert_eq!((seen, area), ([true, false, false], 20_000.0));
    assert_eq!(record["settings"]["tissue_sha256"].as_str().unwrap().len(), 64);

    let blank = folder.path().join("blank.svs");
    SlideFile::default().write(&blank, &RgbImage::from_pixel(90, 90, Rgb([244; 3])), &[]);
    let output = folder.path().join("blank");
    segment(&blank, &output, &[]).expect(0, &["unfit: blank: no tissue was found (--tissue none looks at everything)"]);
    assert_eq!(json(&output.join("blank.json"))["cancer"], Value::Null);
    assert!(pyramid(&output.join("blank.mask.ome.tif")).1.iter().all(|&pixel| pixel == 0));
    let row = json(&output.join("fields.jsonl"));
    assert_eq!((&row["name"], &row["mask_area_mm2"]), (&value!("blank"), &Value::Null));
}

/// Waits until a file is there, and gives whether the program still ran.
fn wait_for(path: &Path, child: &mut Child) -> bool {
    let start = Instant::now();
    while !path.exists() {
        assert!(start.elapsed() < Duration::from_secs(120), "{} never came", path.display());
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    true
}

#[test]
fn a_killed_run_goes_on_from_its_last_band() {
    let folder = tempdir().unwrap();
    let slide = folder.path().join("a.svs");
    SlideFile::default().write(&slide, &blobs(300, 1200, 4), &[]);
    let flags = [&SMALL_TILES[..], &["--tissue", "none"]].concat();
    let (whole, broken) = (folder.path().join("whole"), folder.path().join("broken"));
    segment(&slide, &whole, &flags).expect(0, &[]);
    let mut kept = Vec::new();
    // Killed three times, each time some bands later.
    for band in [3, 9, 20] {
        let mut child = segment_command(&slide, &broken, &flags).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        assert!(wait_for(&broken.join(format!("a.partial/rows-{band:05}.png")), &mut child), "it was faster than this test");
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(names(&broken), ["a.partial"]);
        kept.push(names(&broken.join("a.partial")).iter().filter(|name| name.ends_with(".png")).count());
    }
    assert!(kept.windows(2).all(|pair| pair[0] < pair[1]) && kept[0] > 3, "{kept:?}");
    // A band that was torn, or that is of another size, is made again.
    fs::write(broken.join("a.partial/rows-00005.png"), b"torn").unwrap();
    segment(&slide, &broken, &flags).expect(0, &[]);
    assert_eq!(names(&broken), FILES);
    for file in ["a.geojson", "a.mask.ome.tif", "a.probability.ome.tif", "a.overlay.png"] {
        assert!(fs::read(whole.join(file)).unwrap() == fs::read(broken.join(file)).unwrap(), "{file} differs");
    }
    let [whole, broken] = [&whole, &broken].map(|folder| json(&folder.join("a.json")));
    assert_eq!(whole["cancer"], broken["cancer"]);
    assert_eq!((&whole["network"]["bands_kept"], &broken["network"]["bands_kept"]), (&value!(0), &value!(kept[2] - 1)));
}

#[test]
fn bands_of_other_settings_do_not_count() {
    let (_folder, slide, output) = one_slide();
    let mut child = segment_command(&slide, &output, &SMALL_TILES).stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
    if wait_for(&output.join("a.partial/rows-00001.png"), &mut child) {
        child.kill().unwrap();
    }
    child.wait().unwrap();
    segment(&slide, &output, &["--tile", "272"]).expect(0, &[]);
    assert_eq!(json(&output.join("a.json"))["network"]["bands_kept"], 0);
    // Done is done, and another setting is said.
    let said = segment(&slide, &output, &["--tile", "272"]);
    assert!(said.stdout.starts_with("0 written, 1 skipped (done before)"), "{said:?}");
    let said = segment(&slide, &output, &["--threshold", "0.6"]);
    assert!(said.stdout.contains("1 of them with another model, settings or version"), "{said:?}");
    segment(&slide, &output, &["--threshold", "0.6", "--overwrite"]).expect(0, &[]);
    assert_eq!(names(&output), FILES);
}

#[test]
fn damaged_slides_are_named_and_the_others_are_done() {
    let (folder, slide, output) = one_slide();
    let bytes = fs::read(&slide).unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(folder.path().join(name), bytes).unwrap();
    // The tiles come first: all of them are torn; the directory is at the end.
    let mut torn = bytes.clone();
    torn[40..2000].fill(0x5A);
    write("torn.svs", &torn);
    write("short.svs", &bytes[..bytes.len() / 2]);
    write("noise.svs", &torn[40..1040]);
    write("empty.svs", b"");
    write("header.dcm", &[&[0; 128][..], b"DICM", &[7; 300]].concat());
    let said = segment(folder.path(), &output, &[]);
    assert!(said.stdout.starts_with("1 written"), "{said:?}");
    assert!(said.stdout.contains("5 failed"), "{said:?}");
    said.expect(
        1,
        &[
            "torn.svs: damaged or unsupported slide: tile in column 0, row 0 of level 0: deflate: ",
            "short.svs: damaged or unsupported slide: ",
            "noise.svs: damaged or unsupported slide: it begins neither like a TIFF nor like a DICOM file",
            "empty.svs: damaged or unsupported slide: ",
            "header.dcm: damaged or unsupported slide: ",
        ],
    );
    segment(&slide, &folder.path().join("b"), &["--tile", "64"]).expect(1, &["--tile 64: expected at least 240"]);
    segment(&slide, &folder.path().join("b"), &["--overlap", "32"]).expect(1, &["--overlap 32: expected nothing for slides"]);
}

/// Every prefix and many single bytes of a slide: an error or a mask, never a panic.
#[test]
fn hostile_slides_do_not_bring_the_program_down() {
    let folder = tempdir().unwrap();
    let path = folder.path().join("a.svs");
    SlideFile { tile: 16, stored: Stored::Jpeg, ..SlideFile::default() }.write(&path, &blobs(40, 24, 4), &[2]);
    let bytes = fs::read(&path).unwrap();
    let slides = folder.path().join("slides");
    fs::create_dir(&slides).unwrap();
    let mut made = 0;
    for at in (0..bytes.len()).step_by(bytes.len() / 60) {
        fs::write(slides.join(format!("cut-{at}.svs")), &bytes[..at]).unwrap();
        for flip in [0x01, 0x80, 0xFF] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            fs::write(slides.join(format!("flip-{at}-{flip}.svs")), &changed).unwrap();
        }
        made += 4;
    }
    // The directories, byte by byte.
    let tail = bytes.len() - 700;
    for at in tail..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0xA5;
        fs::write(slides.join(format!("tail-{at}.svs")), &changed).unwrap();
        made += 1;
    }
    let said = segment(&slides, &folder.path().join("out"), &["--um-per-px", "1", "--tissue", "none"]);
    assert!(said.code == 0 || said.code == 1, "{said:?}");
    assert!(!said.stderr.contains("panicked"), "{said:?}");
    let count = |word: &str| {
        said.stdout.split(", ").find_map(|part| part.split(word).next()?.trim().parse::<usize>().ok().filter(|_| part.contains(word)))
    };
    assert_eq!(count(" written").unwrap_or(0) + count(" failed").unwrap_or(0), made, "{}", said.stdout);
    assert!(count(" failed").unwrap_or(0) > 60, "{}", said.stdout);
}

/// Smaller levels hold smaller pictures, in directories below the first.
#[test]
fn masks_are_pyramids() {
    let folder = tempdir().unwrap();
    let (slide, output) = (folder.path().join("a.svs"), folder.path().join("out"));
    SlideFile { tile: 256, ..SlideFile::default() }.write(&slide, &blobs(1100, 530, 4), &[]);
    segment(&slide, &output, &["--tissue", "none"]).expect(0, &[]);
    let path = output.join("a.probability.ome.tif");
    let mut decoder = Decoder::new(File::open(&path).unwrap()).unwrap();
    let whole = pyramid(&path).1;
    let below = decoder.get_tag_u64_vec(tiff::tags::Tag::SubIfd).unwrap();
    assert_eq!(below.len(), 2);
    let sizes: Vec<[u32; 2]> = below
        .iter()
        .map(|&pointer| {
            let directory = decoder.read_directory(tiff::tags::IfdPointer(pointer)).unwrap();
            let mut tags = decoder.read_directory_tags(&directory);
            [tiff::tags::Tag::ImageWidth, tiff::tags::Tag::ImageLength].map(|tag| tags.get_tag(tag).unwrap().into_u32().unwrap())
        })
        .collect();
    assert_eq!(sizes, [[550, 265], [275, 133]]);
    // A mask is a slide like any other: its second level is the mean of four pixels.
    let again = folder.path().join("again");
    segment(&path, &again, &["--um-per-px", "0.5", "--tissue", "none"]).expect(0, &["level 1 of 3 -> 550 x 265 px at 1 um/px"]);
    let smaller = folder.path().join("smaller.png");
    image::GrayImage::from_fn(550, 265, |x, y| {
        let sum: u32 =
            [[0, 0], [1, 0], [0, 1], [1, 1]].iter().map(|[dx, dy]| u32::from(whole[((2 * y + dy) * 1100 + 2 * x + dx) as usize])).sum();
        image::Luma([((sum + 2) / 4) as u8])
    })
    .save(&smaller)
    .unwrap();
    segment(&smaller, &again, &["--um-per-px", "1"]).expect(0, &[]);
    let same = image::open(again.join("smaller.probability.png")).unwrap().into_luma8();
    assert!(pyramid(&again.join("a.probability.ome.probability.ome.tif")).1 == *same.as_raw());
}

/// Four processes, each with its share of the same folder; one is killed in the middle and started again.
#[test]
fn shares_together_are_one_run() {
    let folder = tempdir().unwrap();
    let inputs = folder.path().join("in");
    fs::create_dir(&inputs).unwrap();
    for number in 0..6 {
        SlideFile::default().write(&inputs.join(format!("slide-{number}.svs")), &blobs(200, 400, number), &[]);
        blobs(90, 60, number).save(inputs.join(format!("field-{number}.png"))).unwrap();
    }
    fs::write(inputs.join("broken.svs"), b"no slide").unwrap();
    let flags = [&SMALL_TILES[..], &["--tissue", "none"]].concat();
    let (whole, shared) = (folder.path().join("whole"), folder.path().join("shared"));
    let one = segment(&inputs, &whole, &flags);
    assert!(one.stdout.starts_with("12 written, ") && one.stdout.contains("1 failed"), "{one:?}");

    let share = |index: usize| {
        let shard = format!("{index}/4");
        segment_command(&inputs, &shared, &[&flags[..], &["--shard", &shard]].concat())
    };
    let mut children: Vec<Child> =
        (1..=4).map(|index| share(index).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).collect();
    // Of the share with the second slide, which is in its first bands by then.
    let start = Instant::now();
    while !shared.exists() || !names(&shared).iter().any(|name| name.ends_with(".partial")) {
        assert!(start.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
    }
    let killed = (1..=4)
        .find(|index| {
            share_has(
                *index,
                &names(&shared).into_iter().find_map(|name| Some(name.strip_suffix(".partial")?.to_owned())).unwrap_or_default(),
            )
        })
        .unwrap_or(1);
    children[killed - 1].kill().unwrap();
    let done: Vec<Said> = children.into_iter().map(said_of).collect();
    let again = said(share(killed).output().unwrap());
    let number = |said: &Said| said.stdout.split(' ').next().and_then(|number| number.parse::<usize>().ok()).unwrap_or(0);
    let others: usize = (0..4).filter(|index| index + 1 != killed).map(|index| number(&done[index])).sum();
    assert!(others < 12 && number(&again) <= 12 - others, "{done:?} {again:?}");
    // One share names the broken file, and no other does.
    let names_it = |said: &Said| usize::from(said.stderr.contains("broken.svs"));
    let named: usize = (0..4).filter(|index| index + 1 != killed).map(|index| names_it(&done[index])).sum::<usize>() + names_it(&again);
    assert_eq!(named, 1, "{done:?} {again:?}");
    assert_eq!(names(&whole), names(&shared));
    for name in names(&whole).iter().filter(|name| !name.ends_with(".json")) {
        assert!(fs::read(whole.join(name)).unwrap() == fs::read(shared.join(name)).unwrap(), "{name} differs");
    }
    said(segment_command(&inputs, &shared, &["--shard", "5/4"]).output().unwrap())
        .expect(2, &["--shard", "expected I/N with I from 1 to N"]);
}

fn share_has(index: usize, name: &str) -> bool {
    format!("{index}/4").parse::<lsr_edge::Shard>().unwrap().has(name)
}

fn said_of(child: Child) -> Said {
    let output = child.wait_with_output().unwrap();
    said(output)
}
