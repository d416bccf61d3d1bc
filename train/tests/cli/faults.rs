//! Bad input through the real binary: a message that names the thing, exit code 1, and nothing half-written.

use crate::program::{Workshop, assert_refused};
use std::process::Command;

#[test]
fn missing_files_are_named() {
    let shop = Workshop::with_data();
    shop.refuses(&["label", "--data", "nowhere", "--from-masks", "--output", "b.csv"], &["nowhere/images", "No such file"]);
    shop.refuses(
        &["fit", "--data", "data", "--blocks", "gone.csv", "--prior", "prior.csv", "--output", "run"],
        &["gone.csv", "No such file"],
    );
    shop.refuses(&["fit", "--data", "data", "--blocks", "blocks.csv", "--output", "run"], &["--prior"]);
    shop.refuses(&["evaluate", "--run", "run", "--data", "data"], &["run", "no run here"]);
    shop.refuses(&["export", "--run", "run", "--output", "m.onnx"], &["run", "no run here"]);
    assert!(!shop.path("run").exists(), "a refused run leaves no folder");
    std::fs::remove_file(shop.path("data/masks/0002.png")).unwrap();
    shop.refuses(&["label", "--data", "data", "--from-masks", "--block", "32", "--output", "b.csv"], &["masks/0002.png", "No such file"]);
}

#[test]
fn training_never_needs_a_mask() {
    let shop = Workshop::with_data();
    std::fs::remove_dir_all(shop.path("data/masks")).unwrap();
    shop.succeeds(&shop.fit("run", &["--steps", "2"]));
    shop.refuses(&["evaluate", "--run", "run", "--data", "data"], &["masks/0000.png", "No such file"]);
}

#[test]
fn damaged_images_are_named() {
    let shop = Workshop::with_data();
    let whole = shop.read("data/images/0001.png");
    shop.write("data/images/0001.png", &whole[..whole.len() / 2]);
    shop.refuses(&shop.fit("run", &["--steps", "60"]), &["images/0001.png", "cannot be decoded"]);
    std::fs::remove_dir_all(shop.path("run")).unwrap();
    shop.write("data/images/0001.png", b"");
    shop.refuses(&shop.fit("run", &["--steps", "1"]), &["images/0001.png", "cannot be decoded"]);
    // A JPEG's decoder would fill the missing part with grey; its content counts, not its extension.
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::load_from_memory(&whole).unwrap().write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let jpeg = jpeg.into_inner();
    shop.write("data/images/0001.png", &jpeg);
    shop.succeeds(&shop.fit("from-jpeg", &["--steps", "1"]));
    shop.write("data/images/0001.png", &jpeg[..jpeg.len() / 2]);
    shop.refuses(&shop.fit("run", &["--steps", "60"]), &["images/0001.png", "end too early"]);
    shop.write("data/images/0001.png", &whole);
    let mask = shop.read("data/masks/0000.png");
    shop.succeeds(&["synth", "--output", "small", "--images", "1", "--size", "64"]);
    shop.write("data/masks/0000.png", shop.read("small/masks/0000.png"));
    let label = ["label", "--data", "data", "--from-masks", "--block", "32", "--output", "b.csv"];
    shop.refuses(&label, &["masks/0000.png", "96 x 96", "64 x 64"]);
    shop.write("data/masks/0000.png", mask);
    shop.write("data/dataset.toml", "um_per_px = \"one\"");
    shop.refuses(&label, &["dataset.toml", "expected"]);
}

#[test]
fn blocks_that_cannot_be_are_refused_with_their_line() {
    let shop = Workshop::with_data();
    let header = "image,x,y,width,height,probability,z\n";
    let cases: [(&str, &[&str]); 9] = [
        ("0000,80,0,32,32,0.1,0\n", &["block inside its image of 96 x 96", "(80, 0)", "0000"]),
        ("0000,4294967295,0,32,32,0.1,0\n", &["block inside its image", "4294967295"]),
        ("0000,0,0,32,32,NaN,0\n", &["blocks.csv", "line 2", "probability", "NaN"]),
        ("0000,0,0,32,32,inf,0\n", &["blocks.csv", "line 2", "probability", "inf"]),
        ("0000,0,0,32,32,1.5,0\n", &["blocks.csv", "line 2", "1.5"]),
        ("0000,0,0,32,32,0.1,0\n0000,0,0,32,thirty,0.1,0\n", &["blocks.csv", "line: 3"]),
        ("0000,0,0,32,32,0.1,0\n0001,0,0,16,32,0.1,0\n", &["blocks of one size (32 x 32", "16 x 32"]),
        ("9999,0,0,32,32,0.1,0\n", &["image", "'9999'"]),
        ("", &["no block"]),
    ];
    for (rows, parts) in cases {
        shop.write("blocks.csv", format!("{header}{rows}"));
        shop.refuses(&shop.fit("run", &["--steps", "1"]), parts);
    }
    shop.write("blocks.csv", format!("{header}0000,0,0,30,30,0.1,0\n"));
    shop.refuses(&shop.fit("run", &["--steps", "1"]), &["multiples of 4 px", "30 x 30"]);
}

#[test]
fn priors_that_cannot_be_are_refused_with_label_and_class() {
    let shop = Workshop::with_data();
    shop.write("blocks.csv", "image,x,y,width,height,probability,z\n0000,0,0,32,32,0.1,0\n0001,0,0,32,32,0.97,9\n");
    let z0 = "0,0,0.9,0.1,4\n0,1,0.1,0.1,4\n";
    let cases: [(String, &[&str]); 8] = [
        (z0.to_owned(), &["prior.csv", "no row for z 9", "rows there are: z 0"]),
        (format!("{z0}9,0,0.5,0.1,4\n"), &["z 9", "class 1 is missing"]),
        (format!("{z0}9,0,0.5,0.1,4\n9,1,0.2,0.1,4\n"), &["z 9", "sum to 1", "0.7"]),
        (format!("{z0}9,0,0.5,0.1,4\n9,1,NaN,0.1,4\n"), &["z 9, class 1", "mean", "NaN"]),
        (format!("{z0}9,0,0.5,0.1,4\n9,1,0.5,0,4\n"), &["z 9, class 1", "standard deviation", "found 0"]),
        (format!("{z0}9,0,0.5,0.1,4\n9,1,0.5,-1,4\n"), &["z 9, class 1", "standard deviation", "-1"]),
        (format!("{z0}{z0}"), &["line 4", "twice"]),
        (format!("{z0}999999,0,0.5,0.1,4\n"), &["line 4", "999999"]),
    ];
    for (rows, parts) in cases {
        shop.write("prior.csv", format!("z,class,mean,std,n\n{rows}"));
        shop.refuses(&shop.fit("run", &["--steps", "1"]), parts);
    }
}

#[test]
fn settings_that_cannot_be_are_refused_by_name() {
    let shop = Workshop::with_data();
    for (flags, parts) in [
        (["--group", "0"], ["group", "1 to 10000"]),
        (["--width", "0"], ["width", "1 to 512"]),
        (["--width", "512"], ["width and depth", "4096"]),
        (["--learning-rate", "NaN"], ["learning_rate", "NaN"]),
        (["--threshold", "1"], ["threshold", "0.001 to 0.999"]),
        (["--variance-floor", "inf"], ["variance_floor", "[0, 1]"]),
        (["--um-per-px", "0"], ["um_per_px", "0.01 to 100"]),
        (["--device", "cuda"], ["cuda", "--features cuda"]),
    ] {
        if flags[0] == "--device" && cfg!(feature = "cuda") {
            continue;
        }
        let mut arguments =
            vec!["fit", "--data", "data", "--blocks", "blocks.csv", "--prior", "prior.csv", "--output", "run", "--steps", "1"];
        arguments.extend(flags);
        shop.refuses(&arguments, &parts);
        std::fs::remove_dir_all(shop.path("run")).ok();
    }
    std::fs::remove_file(shop.path("data/dataset.toml")).unwrap();
    shop.refuses(&shop.fit("run", &["--steps", "1"]), &["um_per_px", "--um-per-px"]);
    shop.write("fit.toml", "stepz = 3\n");
    shop.refuses(&shop.fit("run", &["--config", "fit.toml"]), &["fit.toml", "line 1", "stepz"]);
    shop.refuses(&["label", "--data", "data", "--images", "x*", "--from-masks", "--output", "b.csv"], &["--images", "'x*'", "6 images"]);
    // A word that names no scheme is clap's to refuse, with the names there are.
    let output = shop.run(&shop.fit("run", &["--scheme", "outer"]));
    let (_, error) = crate::program::text_of(&output);
    assert!(output.status.code() == Some(2) && error.contains("intra, inter, intra_inter"), "{error}");
}

#[test]
fn an_output_that_cannot_be_written_is_named_and_nothing_is_left() {
    let shop = Workshop::with_data();
    shop.write("file", b"in the way");
    shop.refuses(&shop.fit("file/run", &["--steps", "1"]), &["file/run"]);
    shop.refuses(&["synth", "--output", "file/data", "--images", "1"], &["file/data"]);
    shop.refuses(&["prior", "paper", "--output", "file/prior.csv"], &["file/prior.csv"]);
    shop.succeeds(&shop.fit("run", &["--steps", "0"]));
    shop.refuses(&["export", "--run", "run", "--output", "file/m.onnx"], &["file/m.onnx"]);
    shop.refuses(&["evaluate", "--run", "run", "--data", "data", "--output", "file/masks"], &["file/masks"]);
    shop.refuses(&shop.fit("run", &["--steps", "0"]), &["already holds a run", "--resume"]);
    assert_eq!(shop.leftovers(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn a_disk_that_fills_up_keeps_the_checkpoint_before_it() {
    let shop = Workshop::with_data();
    shop.succeeds(&shop.fit("run", &["--steps", "3", "--checkpoint-every", "1"]));
    let before = shop.read("run/checkpoints/step-00000003/model.bpk");
    // Files may not grow beyond 4 KiB: less than a checkpoint needs. As with a full disk, the write fails in its middle.
    let program = env!("CARGO_BIN_EXE_lsr-train");
    let script = format!("trap '' XFSZ; ulimit -f 8; exec {program} fit --resume --output run --steps 6");
    let output = Command::new("bash").args(["-c", &script]).current_dir(shop.path("")).output().unwrap();
    assert_refused(&output, &["writing", "run/checkpoints"], "full disk");
    assert_eq!(shop.read("run/checkpoints/step-00000003/model.bpk"), before);
    assert_eq!(shop.leftovers(), Vec::<std::path::PathBuf>::new());
    shop.succeeds(&["fit", "--resume", "--output", "run"]);
    assert!(shop.path("run/checkpoints/step-00000006/model.bpk").exists());
}

#[test]
fn an_image_that_breaks_in_the_middle_of_training_is_skipped_by_flag() {
    let shop = Workshop::with_data();
    let whole = shop.read("data/images/0001.png");
    // The header is good, the pixels are not.
    shop.write("data/images/0001.png", &whole[..whole.len() * 2 / 3]);
    let (_, error) = shop.succeeds(&shop.fit("run", &["--steps", "60", "--on-corrupt", "skip"]));
    assert!(error.contains("skipped '0001'") && error.contains("images/0001.png") && error.contains("cannot be decoded"), "{error}");
    assert_eq!(error.matches("skipped '0001'").count(), 1, "said once: {error}");
    shop.refuses(&shop.fit("stop", &["--steps", "60"]), &["images/0001.png", "cannot be decoded"]);
}

#[test]
fn a_loss_that_is_no_number_stops_with_the_step_the_group_and_its_statistics() {
    let shop = Workshop::with_data();
    // The same block again and again has no spread, and without a floor its logarithm is infinite.
    let block = "0000,0,0,32,32,0.1,0\n";
    shop.write("blocks.csv", format!("image,x,y,width,height,probability,z\n{}", block.repeat(4)));
    shop.write("prior.csv", "z,class,mean,std,n\n0,0,0.9,0.1,4\n0,1,0.1,0.1,4\n");
    let flags = ["--steps", "3", "--scheme", "inter", "--distance", "max_product", "--variance-floor", "0", "--augment", "false"];
    let base =
        ["fit", "--data", "data", "--blocks", "blocks.csv", "--prior", "prior.csv", "--output", "run", "--width", "2", "--depth", "2"];
    shop.refuses(
        &[&base[..], &flags, &["--group", "4"]].concat(),
        &["step 1", "loss is -inf", "z 0: mean 0.", "spread 0 for eta 0.1, rho 0.1"],
    );
}

#[test]
#[cfg(not(feature = "mpi"))]
fn several_processes_are_refused_by_a_build_without_mpi() {
    let shop = Workshop::with_data();
    let mut command = shop.command(&shop.fit("run", &[]));
    // As `mpirun -n 4` starts each of them.
    let output = command.env("OMPI_COMM_WORLD_SIZE", "4").output().unwrap();
    assert_refused(&output, &["OMPI_COMM_WORLD_SIZE=4", "no MPI", "--features mpi"], "fit");
    assert!(!shop.path("run").exists(), "a refused run leaves no folder");
}
