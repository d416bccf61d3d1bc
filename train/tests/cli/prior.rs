//! The count prior through the real binary: from masks, from an expert's sheet, and to and from plain text files.

use crate::program::{Workshop, text_of};
use std::collections::BTreeMap;

/// (image, x, y) with z, and the last cell, of each row of a sheet.
fn rows(sheet: &str) -> Vec<(String, usize, String)> {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    sheet.lines().skip(1).map(cells).map(|c| (c[..3].join(","), c[5].parse().unwrap(), c[6].clone())).collect()
}

fn text(shop: &Workshop, name: &str) -> String {
    String::from_utf8(shop.read(name)).unwrap()
}

/// (mean, std, n) of cancer for each label of a prior.
fn cancer(prior: &str) -> BTreeMap<usize, (f64, f64, u32)> {
    let cells = |line: &str| line.split(',').map(|cell| cell.parse::<f64>().unwrap()).collect::<Vec<_>>();
    let rows = prior.lines().skip(1).map(cells);
    rows.filter(|cells| cells[1] == 1.0).map(|cells| (cells[0] as usize, (cells[2], cells[3], cells[4] as u32))).collect()
}

#[test]
fn an_expert_who_sees_what_the_masks_say_gives_the_prior_of_the_masks() {
    let shop = Workshop::with_data();
    // Labels of a single block cannot be filled in: keep those with more.
    let blocks = text(&shop, "blocks.csv");
    let z = |line: &str| line.rsplit(',').next().unwrap().to_owned();
    let kept: Vec<&str> =
        blocks.lines().filter(|line| blocks.lines().filter(|other| z(other) == z(line)).count() > 1 || z(line) == "z").collect();
    shop.write("blocks.csv", kept.join("\n") + "\n");
    shop.succeeds(&["prior", "sheet", "--data", "data", "--blocks", "blocks.csv", "--annotated", "4", "--seed", "5", "--output", "sheet"]);

    // The expert of this test looks at the masks.
    let mut filled = String::from("image,x,y,width,height,z,cancer_percent\n");
    for (index, line) in text(&shop, "sheet/sheet.csv").lines().enumerate().skip(1) {
        let cells: Vec<&str> = line.split(',').collect();
        let mask = image::open(shop.path(&format!("data/masks/{}.png", cells[0]))).unwrap().into_luma8();
        let (x, y): (u32, u32) = (cells[1].parse().unwrap(), cells[2].parse().unwrap());
        let white = (0..32 * 32).filter(|i| mask.get_pixel(x + i % 32, y + i / 32).0[0] >= 128).count();
        assert_eq!(cells[6], "", "row {index} is not blank");
        filled += &format!("{line}{}\n", 100.0 * white as f64 / 1024.0);
    }
    shop.write("filled.csv", filled);
    shop.succeeds(&["prior", "estimate", "--sheet", "filled.csv", "--output", "by-eye.csv"]);
    let estimate =
        ["prior", "estimate", "--data", "data", "--blocks", "blocks.csv", "--annotated", "4", "--seed", "5", "--output", "m.csv"];
    let (_, report) = shop.succeeds(&estimate);
    let (by_eye, by_mask) = (cancer(&text(&shop, "by-eye.csv")), cancer(&text(&shop, "m.csv")));
    assert!(by_mask.len() >= 2 && by_mask.keys().eq(by_eye.keys()));
    for (z, (mean, std, n)) in &by_mask {
        let eye = by_eye[z];
        // The order of blocks differs, so sums differ in their last bits.
        assert!((mean - eye.0).abs() < 1e-12 && (std - eye.1).abs() < 1e-12 && *n == eye.2, "z {z}: {mean} {std} {n}, {eye:?}");
    }
    assert!(report.contains("interval") && report.contains("warning: z") && report.contains("are few"), "{report}");
    // What it made is what `fit` takes.
    shop.write("prior.csv", shop.read("by-eye.csv"));
    shop.succeeds(&shop.fit("run", &["--steps", "1"]));
}

#[test]
fn a_sheet_is_blind_complete_and_the_same_for_the_same_seed() {
    let shop = Workshop::with_data();
    let sheet = |output: &str, seed: &str| {
        shop.succeeds(&[
            "prior",
            "sheet",
            "--data",
            "data",
            "--blocks",
            "blocks.csv",
            "--annotated",
            "3",
            "--seed",
            seed,
            "--output",
            output,
        ])
    };
    for (output, seed) in [("a", "1"), ("b", "1"), ("c", "2")] {
        sheet(output, seed);
    }
    for file in ["sheet.csv", "sheet.html", "sheet.png"] {
        assert!(shop.read(&format!("a/{file}")) == shop.read(&format!("b/{file}")), "{file} differs");
        assert!(shop.read(&format!("a/{file}")) != shop.read(&format!("c/{file}")), "{file} does not depend on the seed");
    }
    let (csv, html) = (text(&shop, "a/sheet.csv"), text(&shop, "a/sheet.html"));
    let rows = rows(&csv);
    assert!(!rows.is_sorted_by_key(|(_, z, _)| *z), "the order gives the labels away");
    // What the expert sees is everything outside the tags.
    let seen: String = html.split("</style>").nth(1).unwrap().split("<script>").next().unwrap().to_owned();
    let seen: Vec<&str> = seen.split('<').filter_map(|part| part.split_once('>')).map(|(_, text)| text.trim()).collect();
    for (index, (place, ..)) in rows.iter().enumerate() {
        let cells: Vec<&str> = place.split(',').collect();
        assert!(seen.contains(&(index + 1).to_string().as_str()), "number {}", index + 1);
        assert!(seen.contains(&cells[0]) && seen.contains(&format!("x {}, y {} px", cells[1], cells[2]).as_str()), "{place}");
    }
    assert!(seen.iter().all(|text| !text.split(|c: char| !c.is_alphanumeric()).any(|word| word == "z" || word == "probability")));
    assert_eq!(html.matches("data:image/png;base64,").count(), rows.len());
    let picture = image::load_from_memory(&shop.read("a/sheet.png")).unwrap();
    assert!(picture.width() > 240 && picture.height() > 240);
    // An earlier sheet may be filled in already: it is never replaced.
    shop.write("a/sheet.csv", b"precious");
    let again = ["prior", "sheet", "--data", "data", "--blocks", "blocks.csv", "--output", "a"];
    shop.refuses(&again, &["--output", "a new folder"]);
    assert_eq!(shop.read("a/sheet.csv"), b"precious");
}

#[test]
fn a_partly_filled_sheet_counts_its_blanks_and_names_labels_without_enough() {
    let shop = Workshop::empty();
    let header = "image,x,y,width,height,z,cancer_percent\n";
    let estimate = ["prior", "estimate", "--sheet", "sheet.csv", "--rho-floor", "0.05", "--output", "prior.csv"];
    shop.write("sheet.csv", format!("{header}a,0,0,8,8,0,0\na,8,0,8,8,0,2\na,16,0,8,8,0,\nb,0,0,8,8,2,60\nb,8,0,8,8,2,80\n"));
    let (_, report) = shop.succeeds(&estimate);
    assert!(report.contains("4 blocks filled in, 1 left blank"), "{report}");
    assert!(report.contains("raised to the floor, 5.00") && report.contains("no block of z 1"), "{report}");
    let prior = cancer(&text(&shop, "prior.csv"));
    // 0 and 2 %: mean 1 %, standard deviation 1.41 %, below the floor; 60 and 80 %: 14.1 %.
    assert_eq!(prior[&0], (0.01, 0.05, 2));
    assert!((prior[&2].0 - 0.7).abs() < 1e-12 && (prior[&2].1 - 0.02_f64.sqrt()).abs() < 1e-12, "{prior:?}");
    std::fs::remove_file(shop.path("prior.csv")).unwrap();
    shop.write("sheet.csv", format!("{header}a,0,0,8,8,0,0\na,8,0,8,8,0,2\nb,0,0,8,8,2,60\nb,8,0,8,8,2,\n"));
    shop.refuses(&estimate, &["sheet.csv", "z 2", "at least 2", "found 1"]);
    shop.write("sheet.csv", format!("{header}a,0,0,8,8,0,0\na,8,0,8,8,0,200\n"));
    shop.refuses(&estimate, &["sheet.csv", "line 3", "0 to 100", "'200'"]);
    assert!(!shop.path("prior.csv").exists());
}

#[test]
fn masks_of_several_classes_give_a_row_for_each() {
    let shop = Workshop::with_data();
    std::fs::remove_dir_all(shop.path("data/masks")).unwrap();
    std::fs::create_dir(shop.path("data/masks")).unwrap();
    // Left third class 0, middle third class 2, right third class 3; class 1 never occurs; the lowest row is unknown.
    let mask = image::GrayImage::from_fn(96, 96, |x, y| image::Luma([if y == 95 { 255 } else { [0, 2, 3][x as usize / 32] }]));
    for name in 0..6 {
        mask.save(shop.path(&format!("data/masks/{name:04}.png"))).unwrap();
    }
    let header = "image,x,y,width,height,probability,z\n";
    shop.write("blocks.csv", format!("{header}0000,0,0,64,96,0,0\n0001,32,0,64,96,0,0\n0002,16,0,32,96,0,0\n"));
    let estimate = ["prior", "estimate", "--data", "data", "--blocks", "blocks.csv", "--classes", "4", "--output", "p.csv"];
    let (_, report) = shop.succeeds(&estimate);
    assert!(report.contains("class"), "{report}");
    let means: Vec<f64> = text(&shop, "p.csv").lines().skip(1).map(|line| line.split(',').nth(2).unwrap().parse().unwrap()).collect();
    let expected = [1.0 / 3.0, 0.0, 0.5, 1.0 / 6.0];
    assert!(means.iter().zip(expected).all(|(mean, expected)| (mean - expected).abs() < 1e-12) && means.len() == 4, "{means:?}");
    let with = |classes| ["prior", "estimate", "--data", "data", "--blocks", "blocks.csv", "--classes", classes, "--output", "p.csv"];
    shop.refuses(&with("3"), &["masks/0000.png", "class below 3", "found 3"]);
    shop.refuses(&with("1"), &["--classes", "2 to 16"]);
    shop.refuses(&with("17"), &["--classes", "2 to 16"]);
    shop.write("blocks.csv", format!("{header}0000,0,95,32,1,0,0\n0001,0,0,64,96,0,0\n"));
    shop.refuses(&estimate, &["known pixels", "0000"]);
}

#[test]
fn text_files_come_back_as_they_were() {
    let shop = Workshop::empty();
    // Columns and spacing as numpy or a person writes them; a label without counts in the middle.
    shop.write("mu.txt", "99.9  0.1\n0 0\n33.3333333333333\t66.6666666666667\n  12.34 87.66 \n");
    shop.write("sigma.txt", "0.1 0.1\n0 0\n7 7.000001\n2.5e0 2.5\n");
    let import = |unit| ["prior", "import", "--mu", "mu.txt", "--sigma", "sigma.txt", "--unit", unit, "--output", "prior.csv"];
    let export = |unit| ["prior", "export", "--prior", "prior.csv", "--unit", unit, "--mu", "mu2.txt", "--sigma", "sigma2.txt"];
    shop.succeeds(&import("percent"));
    shop.succeeds(&export("percent"));
    assert_eq!(text(&shop, "mu2.txt"), "99.9 0.1\n0 0\n33.3333333333333 66.6666666666667\n12.34 87.66\n");
    assert_eq!(text(&shop, "sigma2.txt"), "0.1 0.1\n0 0\n7 7.000001\n2.5 2.5\n");
    let (mean, std, n) = cancer(&text(&shop, "prior.csv"))[&3];
    // One division each: equal to the last bits.
    assert!((mean - 0.8766).abs() < 1e-15 && (std - 0.025).abs() < 1e-16 && n == 0, "{mean} {std} {n}");
    // As fractions to the last bit.
    shop.succeeds(&["prior", "paper", "--output", "paper.csv"]);
    shop.succeeds(&["prior", "export", "--prior", "paper.csv", "--unit", "fraction", "--mu", "mu.txt", "--sigma", "sigma.txt"]);
    shop.succeeds(&import("fraction"));
    shop.succeeds(&export("fraction"));
    for (first, second) in [("mu.txt", "mu2.txt"), ("sigma.txt", "sigma2.txt")] {
        assert_eq!(text(&shop, first), text(&shop, second));
    }
    let without_n = |name| cancer(&text(&shop, name)).into_values().map(|(mean, std, _)| (mean, std)).collect::<Vec<_>>();
    assert_eq!(without_n("paper.csv"), without_n("prior.csv"));
}

#[test]
fn text_files_that_cannot_be_are_refused_with_their_line() {
    let shop = Workshop::empty();
    let import = |unit| vec!["prior", "import", "--mu", "mu.txt", "--sigma", "sigma.txt", "--unit", unit, "--output", "prior.csv"];
    let cases: [(&str, &str, &str, &[&str]); 14] = [
        ("90 10\n50 50\n", "1 1\n1 1\n", "fraction", &["mu.txt", "line 1", "found 100", "--unit percent"]),
        ("0.9 0.1\n", "0.1 0.1\n", "percent", &["mu.txt", "line 1", "found 1", "--unit fraction"]),
        ("0.9 0.1\n\n0.5 0.2\n", "0.1 0.1\n0.1 0.1\n", "fraction", &["mu.txt", "line 3", "sum to 1", "0.7"]),
        ("0.9 0.1\n0.5\n", "0.1 0.1\n", "fraction", &["mu.txt", "line 2", "2 values as in line 1", "found 1"]),
        ("0.9 0.1\n0.5 0.5\n", "0.1 0.1\n", "fraction", &["sigma.txt", "2 rows of 2", "found 1 of 2"]),
        ("0.9 0.1\n", "0.1 0.1 0.1\n", "fraction", &["sigma.txt", "1 rows of 2", "found 1 of 3"]),
        ("0.9 NaN\n", "0.1 0.1\n", "fraction", &["mu.txt", "line 1", "'NaN'"]),
        ("0.9 0.1\n", "0.1 inf\n", "fraction", &["sigma.txt", "line 1", "'inf'"]),
        ("not cancer\n", "0.1 0.1\n", "fraction", &["mu.txt", "line 1", "'not'"]),
        ("0.9 0.1\n0.8 0.2\n", "0.1 0.1\n0 0.1\n", "fraction", &["sigma.txt", "line 2", "above 0", "--rho-floor"]),
        ("0.9 0.1\n", "5 5\n", "fraction", &["sigma.txt", "line 1", "up to 1", "found 5"]),
        ("1.2 -0.2\n", "0.1 0.1\n", "fraction", &["mu.txt", "line 1", "mean in [0, 1]", "1.2"]),
        ("1\n1\n", "0.1\n0.1\n", "fraction", &["mu.txt", "2 to 16 columns", "found 1"]),
        ("\n", "0.1 0.1\n", "fraction", &["mu.txt", "no row"]),
    ];
    for (mu, sigma, unit, parts) in cases {
        shop.write("mu.txt", mu);
        shop.write("sigma.txt", sigma);
        shop.refuses(&import(unit), parts);
    }
    // Standard deviations of 0, which the land-cover files have, are raised on request.
    shop.write("mu.txt", "0.9 0.1\n");
    shop.write("sigma.txt", "0 0.1\n");
    let raised = [import("fraction"), vec!["--rho-floor", "0.01"]].concat();
    shop.succeeds(&raised);
    assert!(text(&shop, "prior.csv").contains("0,0,0.9,0.01,0"), "{}", text(&shop, "prior.csv"));
    // The unit is never guessed.
    let output = shop.run(&["prior", "import", "--mu", "mu.txt", "--sigma", "sigma.txt", "--output", "prior.csv"]);
    assert!(output.status.code() == Some(2) && text_of(&output).1.contains("--unit"));
}

#[test]
fn flags_that_contradict_each_other_are_refused() {
    let shop = Workshop::with_data();
    let output = shop.run(&["prior", "estimate", "--sheet", "s.csv", "--data", "data", "--blocks", "blocks.csv", "--output", "p.csv"]);
    assert!(output.status.code() == Some(2) && text_of(&output).1.contains("cannot be used with"));
    let output = shop.run(&["prior", "estimate", "--data", "data", "--output", "p.csv"]);
    assert!(output.status.code() == Some(2) && text_of(&output).1.contains("--blocks"));
    let output = shop.run(&["prior", "estimate", "--output", "p.csv"]);
    assert!(output.status.code() == Some(2) && text_of(&output).1.contains("--data"));
    let estimate = ["prior", "estimate", "--data", "data", "--blocks", "blocks.csv", "--output", "p.csv"];
    shop.refuses(&[&estimate[..], &["--annotated", "1"]].concat(), &["--annotated", "at least 2"]);
    shop.refuses(&[&estimate[..], &["--rho-floor", "0"]].concat(), &["--rho-floor", "found 0"]);
    let sheet = ["prior", "sheet", "--data", "data", "--blocks", "blocks.csv", "--output", "s"];
    shop.refuses(&[&sheet[..], &["--context", "5000"]].concat(), &["--context", "2048"]);
    let faulty = "image,x,y,width,height,probability,z\n0000,90,0,32,32,0,0\n0000,0,0,32,32,0,0\n";
    shop.write("blocks.csv", faulty);
    shop.refuses(&sheet, &["block inside its image of 96 x 96"]);
    assert!(!shop.path("s").exists() && shop.leftovers().is_empty());
}
