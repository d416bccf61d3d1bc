//! The block classifier: labels of one bit in, a probability and z for every block out.

use crate::program::{Workshop, text_of};
use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

/// Small images and a small classifier's flags; `flags` come last.
fn fit<'a>(output: &'a str, flags: &[&'a str]) -> Vec<&'a str> {
    let mut arguments = vec!["classify", "fit", "--data", "data", "--labels", "labels.csv", "--output", output];
    arguments.extend(["--folds", "3", "--width", "4", "--depth", "3", "--batch", "8"]);
    arguments.extend(flags);
    arguments
}

fn with_labels() -> Workshop {
    let shop = Workshop::with_data();
    label(&shop);
    shop
}

fn label(shop: &Workshop) {
    let label = ["label", "--data", "data", "--from-masks", "--binary", "--block", "32", "--stride", "16", "--output", "labels.csv"];
    let (_, error) = shop.succeeds(&label);
    assert!(error.contains("blocks in labels.csv (") && error.contains("cancer"), "{error}");
}

/// The columns of a CSV file's rows, without its header.
fn rows(shop: &Workshop, name: &str) -> Vec<Vec<String>> {
    let text = String::from_utf8(shop.read(name)).unwrap();
    text.lines().skip(1).map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

fn json(shop: &Workshop, name: &str) -> serde_json::Value {
    serde_json::from_slice(&shop.read(name)).unwrap()
}

#[test]
fn binary_labels_say_whether_more_than_a_fraction_is_cancer() {
    let shop = with_labels();
    assert!(shop.read("labels.csv").starts_with(b"image,x,y,width,height,cancer\n0000,0,0,32,32,"));
    shop.succeeds(&["label", "--data", "data", "--from-masks", "--block", "32", "--stride", "16", "--output", "fractions.csv"]);
    let (bits, fractions) = (rows(&shop, "labels.csv"), rows(&shop, "fractions.csv"));
    let cancer = |bits: &[Vec<String>], from: f64| {
        for (bit, fraction) in bits.iter().zip(&fractions) {
            assert_eq!(bit[..5], fraction[..5], "the grids are the same");
            assert_eq!(bit[5] == "1", fraction[5].parse::<f64>().unwrap() > from);
        }
        bits.iter().filter(|bit| bit[5] == "1").count()
    };
    let half = cancer(&bits, 0.5);
    let tenth = ["label", "--data", "data", "--from-masks", "--binary", "--cancer-from", "0.1", "--block", "32", "--stride", "16"];
    shop.succeeds(&[&tenth[..], &["--output", "tenth.csv"]].concat());
    assert!(half > 0 && cancer(&rows(&shop, "tenth.csv"), 0.1) > half);
    let from = |value: &'static str| {
        ["label", "--data", "data", "--from-masks", "--binary", "--block", "32", "--output", "x.csv", "--cancer-from", value]
    };
    shop.refuses(&from("1"), &["--cancer-from", "[0, 1)"]);
    shop.refuses(&from("NaN"), &["--cancer-from", "NaN"]);
}

#[test]
fn a_classifier_learns_tissue_it_has_not_seen_and_labels_every_block() {
    let shop = Workshop::empty();
    shop.succeeds(&["synth", "--output", "data", "--images", "9", "--size", "96", "--seed", "3"]);
    label(&shop);
    std::fs::remove_dir_all(shop.path("data/masks")).unwrap();
    let (_, error) = shop.succeeds(&fit("classifier", &["--steps", "120", "--learning-rate", "0.01"]));
    assert!(error.contains("fraction cancer") && error.contains("AUC") && error.contains("temperature"), "{error}");
    let calibration = json(&shop, "classifier/calibration.json");
    assert!(calibration["auc"].as_f64().unwrap() > 0.8, "{calibration}");
    assert!(calibration["nll_after"].as_f64().unwrap() <= calibration["nll_before"].as_f64().unwrap());
    let bins = calibration["reliability"].as_array().unwrap();
    assert_eq!(bins.iter().map(|bin| bin["n"].as_u64().unwrap()).sum::<u64>(), 225);

    let apply = ["classify", "apply", "--classifier", "classifier", "--data", "data", "--stride", "16", "--map", "maps"];
    let (_, error) = shop.succeeds(&[&apply[..], &["--output", "z.csv"]].concat());
    assert!(error.contains("225 blocks") && error.contains("z "), "{error}");
    // The file is what label super-resolution reads, and its labels are those of the probabilities.
    shop.succeeds(&["prior", "paper", "--output", "p.csv"]);
    shop.succeeds(&[
        "fit", "--data", "data", "--blocks", "z.csv", "--prior", "p.csv", "--output", "run", "--steps", "1", "--width", "2", "--depth", "2",
    ]);
    let (bits, labels) = (rows(&shop, "labels.csv"), rows(&shop, "z.csv"));
    assert_eq!(labels.len(), 225);
    // Every training image is judged out of fold: the mean log-likelihood of the file is the calibration's.
    let mut likelihood = 0.0;
    for (bit, label) in bits.iter().zip(&labels) {
        assert_eq!(bit[..5], label[..5]);
        let probability: f64 = label[5].parse().unwrap();
        likelihood -= if bit[5] == "1" { probability } else { 1.0 - probability }.max(1e-7).ln() / 225.0;
        assert_eq!(label[6] == "9", probability >= 0.95);
        assert_eq!(label[6] == "0", probability < 0.2);
    }
    assert!((likelihood - calibration["nll_after"].as_f64().unwrap()).abs() < 1e-3, "{likelihood}");
    // The map's corner pixel is covered by one block alone.
    let map = image::load_from_memory(&shop.read("maps/0003.probability.png")).unwrap().into_luma8();
    assert_eq!(map.dimensions(), (96, 96));
    let corner: f64 = labels.iter().find(|label| label[0] == "0003").unwrap()[5].parse().unwrap();
    assert!((f64::from(map.get_pixel(0, 0).0[0]) - 255.0 * corner).abs() <= 0.5 + 1e-6);
}

#[test]
fn a_training_image_is_judged_by_its_own_fold_and_a_new_one_by_all() {
    let shop = with_labels();
    shop.succeeds(&fit("classifier", &["--steps", "5"]));
    let config: toml::Table = String::from_utf8(shop.read("classifier/config.toml")).unwrap().parse().unwrap();
    let folds: BTreeMap<String, i64> =
        config["fold_of_image"].as_table().unwrap().iter().map(|(name, fold)| (name.clone(), fold.as_integer().unwrap())).collect();
    assert_eq!(folds.len(), 6);
    // The same picture under another name: no fold knows it.
    let image = shop.read("data/images/0001.png");
    std::fs::create_dir_all(shop.path("new/images")).unwrap();
    shop.write("new/images/0001.png", &image);
    shop.write("new/images/stranger.png", &image);
    shop.succeeds(&["classify", "apply", "--classifier", "classifier", "--data", "new", "--output", "z.csv"]);
    let temperature = json(&shop, "classifier/calibration.json")["temperature"].as_f64().unwrap();
    let logit = |row: &[String]| {
        let p: f64 = row[5].parse().unwrap();
        temperature * (p / (1.0 - p)).ln()
    };
    let all = rows(&shop, "z.csv");
    let of = |name: &str| all.iter().filter(|row| row[0] == name).map(|row| logit(row)).collect::<Vec<f64>>();
    let (own, mean) = (of("0001"), of("stranger"));
    // With each fold in turn in place of the image's own, the three logits have the stranger's as their mean.
    let text = String::from_utf8(shop.read("classifier/config.toml")).unwrap();
    let mut sums = vec![0.0; own.len()];
    for fold in 0..3 {
        shop.write("classifier/config.toml", text.replace(&format!("0001 = {}", folds["0001"]), &format!("0001 = {fold}")));
        shop.succeeds(&["classify", "apply", "--classifier", "classifier", "--data", "new", "--images", "0001", "--output", "one.csv"]);
        let one: Vec<f64> = rows(&shop, "one.csv").iter().map(|row| logit(row)).collect();
        assert_eq!(one == own, fold == folds["0001"]);
        sums.iter_mut().zip(one).for_each(|(sum, logit)| *sum += logit / 3.0);
    }
    // Six decimals of a probability near 0.5 are 4e-6 of a logit.
    for (sum, mean) in sums.iter().zip(mean) {
        assert!((sum - mean).abs() < 1e-4 * temperature.max(1.0), "{sum} {mean}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_after_an_interrupt_too() {
    let shop = with_labels();
    let steps = ["--steps", "150", "--seed", "7"];
    shop.succeeds(&fit("whole", &steps));
    let mut child = shop.start(&fit("broken", &steps));
    let started = Instant::now();
    while !shop.path("broken/fold-0/fold.json").exists() {
        assert!(started.elapsed() < Duration::from_secs(120) && child.try_wait().unwrap().is_none(), "no fold was finished in time");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    let (_, error) = text_of(&output);
    assert_eq!(output.status.code(), Some(130), "{error}");
    assert!(error.contains("the same command goes on"), "{error}");
    shop.refuses(
        &["classify", "apply", "--classifier", "broken", "--data", "data", "--output", "z.csv"],
        &["broken", "unfinished", "calibration.json"],
    );
    // A damaged fold is trained again.
    let mut weights = shop.read("broken/fold-0/model.bpk");
    let middle = weights.len() / 2;
    weights[middle] ^= 1;
    shop.write("broken/fold-0/model.bpk", &weights);
    let (_, error) = shop.succeeds(&fit("broken", &steps));
    assert!(error.contains("model.bpk is damaged") && error.contains("training this fold again"), "{error}");
    for file in ["config.toml", "calibration.json", "fold-0/model.bpk", "fold-0/fold.json", "fold-1/model.bpk", "fold-2/model.bpk"] {
        assert!(shop.read(&format!("whole/{file}")) == shop.read(&format!("broken/{file}")), "{file} differs");
    }
    let (_, error) = shop.succeeds(&fit("broken", &steps));
    assert!(error.contains("fold 2 is finished already"), "{error}");
    // Another seed is another classifier, and has no place in this folder.
    shop.refuses(&fit("broken", &["--steps", "150", "--seed", "8"]), &["seed", "7", "found 8"]);
    shop.refuses(&fit("broken", &["--steps", "149", "--seed", "7"]), &["steps", "150", "found 149"]);
    let labels = String::from_utf8(shop.read("labels.csv")).unwrap();
    shop.write("labels.csv", labels.lines().take(150).map(|line| format!("{line}\n")).collect::<String>());
    shop.refuses(&fit("broken", &steps), &["data", "begun"]);
    assert_eq!(shop.leftovers(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn what_cannot_be_classified_is_refused_by_name() {
    let shop = with_labels();
    for (flags, parts) in [
        (["--folds", "1"], ["folds", "2 to 100"]),
        (["--folds", "7"], ["--folds", "images, 6"]),
        (["--batch", "3"], ["batch", "even"]),
        (["--depth", "6"], ["block", "64 to"]),
        (["--depth", "0"], ["depth", "1 to 8"]),
        (["--steps", "0"], ["steps", "found 0"]),
        (["--learning-rate", "NaN"], ["learning_rate", "NaN"]),
        (["--um-per-px", "0"], ["um_per_px", "0.01 to 100"]),
        (["--seed", "18446744073709551615"], ["seed", "18446744073709551615"]),
    ] {
        let fit = ["classify", "fit", "--data", "data", "--labels", "labels.csv", "--output", "x", flags[0], flags[1]];
        shop.refuses(&fit, &parts);
    }
    let good = shop.read("labels.csv");
    let header = "image,x,y,width,height,cancer\n";
    for (row, parts) in [
        ("0000,0,0,32,32,2\n", ["line: 2", "expected 0 or 1, found 2"]),
        ("0000,0,0,32,32,true\n", ["line: 2", "field 5"]),
        ("0000,0,0,0,32,1\n", ["line 2", "0 x 32"]),
        ("0000,0,0,32,16,1\n", ["square blocks of one size", "32 x 16"]),
        ("", ["labels.csv", "no block"]),
    ] {
        shop.write("labels.csv", format!("{header}{row}"));
        shop.refuses(&fit("x", &[]), &parts);
    }
    let outside = String::from_utf8(good.clone()).unwrap() + "0000,80,0,32,32,1\n";
    shop.write("labels.csv", outside);
    shop.refuses(&fit("x", &[]), &["block inside its image", "(80, 0)"]);
    let healthy = String::from_utf8(good.clone()).unwrap().replace(",1\n", ",0\n");
    shop.write("labels.csv", healthy);
    shop.refuses(&fit("x", &[]), &["labels", "0 cancer blocks"]);
    assert!(!shop.path("x").exists(), "a refused classifier leaves no folder");
    shop.write("labels.csv", good);

    let apply = ["classify", "apply", "--classifier", "c", "--data", "data", "--output", "z.csv"];
    shop.refuses(&apply, &["c: no classifier here"]);
    shop.succeeds(&fit("c", &["--steps", "2"]));
    shop.refuses(&[&apply[..], &["--stride", "0"]].concat(), &["stride", "at least 1 px"]);
    shop.refuses(&[&apply[..], &["--stride", "40", "--map", "maps"]].concat(), &["over every pixel", "--stride"]);
    assert!(!shop.path("z.csv").exists());
    let weights = shop.read("c/fold-1/model.bpk");
    shop.write("c/fold-1/model.bpk", &weights[..weights.len() / 2]);
    shop.refuses(&apply, &["fold-1", "model.bpk is damaged"]);
    shop.write("c/fold-1/model.bpk", weights);
    shop.write("data/dataset.toml", "um_per_px = 0.5\n");
    shop.refuses(&apply, &["um_per_px", "0.5"]);
    let config = String::from_utf8(shop.read("c/config.toml")).unwrap();
    shop.write("c/config.toml", config.replace("depth = 3", "depth = 99"));
    shop.refuses(&apply, &["c/config.toml", "depth", "99"]);
}
