use super::*;
use crate::figure::*;
use crate::statistics::*;
use image::{GrayImage, Luma, RgbImage};
use maud::html;
use rand::RngExt;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;

fn shift(mask: &GrayImage, dx: i64, dy: i64, noise: f64, random: &mut rand_chacha::ChaCha8Rng) -> GrayImage {
    let blur = image::imageops::blur(&GrayImage::from_fn(mask.width(), mask.height(), |_, _| Luma([random.random_range(0..=255_u8)])), 8.0);
    GrayImage::from_fn(mask.width(), mask.height(), |x, y| {
        let (sx, sy) =
            ((i64::from(x) + dx).clamp(0, i64::from(mask.width()) - 1), (i64::from(y) + dy).clamp(0, i64::from(mask.height()) - 1));
        let flip = f64::from(blur.get_pixel(x, y)[0]) > 128.0 + 5.0 / noise;
        let inside = mask.get_pixel(sx as u32, sy as u32)[0] != 0;
        Luma([if inside != flip { 255 } else { 0 }])
    })
}

#[test]
fn look() {
    let mut random = rand_chacha::ChaCha8Rng::seed_from_u64(1);
    let root = "/work/shared/data/camelyon";
    let names = ["10679", "10671", "10684", "10073"];
    let tissue: Vec<RgbImage> = names.iter().map(|n| image::open(format!("{root}/images/{n}.jpg")).unwrap().to_rgb8()).collect();
    let truth: Vec<GrayImage> = names.iter().map(|n| image::open(format!("{root}/masks/{n}.png")).unwrap().to_luma8()).collect();
    let low: Vec<GrayImage> = truth.iter().map(|m| shift(m, 14, 8, 1.2, &mut random)).collect();
    let intra: Vec<GrayImage> = truth.iter().map(|m| shift(m, 5, -6, 0.7, &mut random)).collect();
    let inter: Vec<GrayImage> = truth.iter().map(|m| shift(m, -2, 1, 0.5, &mut random)).collect();
    std::fs::create_dir_all("/tmp/look").unwrap();
    let contours = [Contour::ground_truth(), Contour::low_resolution(), Contour::intra(), Contour::intra_inter(), Contour::supervised()];
    let masks: Vec<Vec<Option<&GrayImage>>> =
        (0..4).map(|i| vec![Some(&truth[i]), Some(&low[i]), Some(&intra[i]), Some(&inter[i]), Some(&truth[i])]).collect();
    let panels: Vec<BoundaryPanel> = (0..4).map(|i| BoundaryPanel { name: names[i], image: &tissue[i], masks: &masks[i] }).collect();
    let scene =
        boundary_figure(&contours, &panels[..3], &BoundaryOptions { scale: 1, um_per_px: Some(1.94), ..Default::default() }).unwrap();
    std::fs::write("/tmp/look/boundary.png", scene.png().unwrap()).unwrap();
    let boundary_svg = scene.svg().unwrap();
    std::fs::write("/tmp/look/boundary.svg", &boundary_svg).unwrap();
    let one =
        boundary_figure(&contours, &panels[..1], &BoundaryOptions { scale: 2, line_width: 3, um_per_px: Some(1.94), ..Default::default() })
            .unwrap();
    std::fs::write("/tmp/look/boundary1.png", one.png().unwrap()).unwrap();
    let columns: Vec<String> =
        ["ground truth", "low-resolution model", "intra", "intra + inter", "fully supervised"].map(String::from).to_vec();
    let rows: Vec<GridRow> = (0..4).map(|i| GridRow { name: names[i], image: &tissue[i], masks: &masks[i] }).collect();
    let grid = mask_grid(&columns, &rows, &GridOptions { panel_px: 200, um_per_px: Some(1.94), style: MaskStyle::WhiteOnBlack }).unwrap();
    std::fs::write("/tmp/look/grid.png", grid.png().unwrap()).unwrap();
    let grid_svg = grid.svg().unwrap();
    std::fs::write("/tmp/look/grid.svg", &grid_svg).unwrap();
    let tinted = mask_grid(&columns, &rows[..2], &GridOptions { panel_px: 200, um_per_px: Some(1.94), style: MaskStyle::Tinted }).unwrap();
    std::fs::write("/tmp/look/tinted.png", tinted.png().unwrap()).unwrap();
    let overlays = (0..4)
        .map(|i| Overlay {
            name: names[i].into(),
            caption: "masked Dice 0.71".into(),
            png: png(&overlay(&tissue[i], &inter[i], 1).unwrap()).unwrap(),
        })
        .collect();
    let eta = [0.001, 0.01, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.7];
    let n = 5000;
    let walk = |z: usize, k: usize| {
        let t = k as f64 / n as f64;
        0.3 + (eta[z] - 0.3) * (1.0 - (-4.0 * t).exp())
    };
    let mut noise = || random.random::<f64>() - 0.5;
    let report = RunReport {
        title: "Training run intra_inter, seed 3".into(),
        provenance: vec![
            ("version".into(), "0.1.0".into()),
            ("data".into(), "/data/train, 1,092 images, sha256 2f6c8d9c1a5b4d2e9f0a7b3c".into()),
        ],
        settings: vec![
            ("scheme".into(), "intra + inter".into()),
            ("distance".into(), "max_product".into()),
            ("learning rate".into(), "0.001".into()),
        ],
        warnings: vec![
            "label 3: the prior rests on 2 blocks".into(),
            "block variance bernoulli_mean cancels the between-block term".into(),
        ],
        loss: (0..n).map(|k| (k as f64, 0.05 + 8.0 * (-(k as f64) / 700.0).exp() * (1.0 + noise()) + 0.04 * noise())).collect(),
        validation: vec![
            Series { name: "validation".into(), points: (0..25).map(|k| (k as f64 * 200.0, 2.0 - 0.1 * (k as f64).ln_1p())).collect() },
            Series {
                name: "training blocks".into(),
                points: (0..25).map(|k| (k as f64 * 200.0, 1.9 - 0.15 * (k as f64).ln_1p())).collect(),
            },
        ],
        labels: (0..10)
            .map(|z| LabelCurve {
                z,
                eta: eta[z],
                rho: 0.05,
                points: (0..n).step_by(5).map(|k| (k as f64, (walk(z, k) + 0.05 * noise()).abs(), 0.05)).collect(),
            })
            .collect(),
        dice: Some(Series {
            name: "masked Dice".into(),
            points: (0..25).map(|k| (k as f64 * 200.0, 0.4 + 0.1 * (k as f64).ln_1p())).collect(),
        }),
        learning_rate: Some(Series {
            name: "rate".into(),
            points: (0..n).map(|k| (k as f64, 1e-3 * 0.5 * (1.0 + (k as f64 / n as f64 * 3.14).cos()))).collect(),
        }),
        timing: vec![("steps a second".into(), "3.1".into()), ("total".into(), "1 h 12 min".into())],
        overlays,
    };
    std::fs::write("/tmp/look/run.html", run_report(&report).unwrap()).unwrap();
    let counts = |tp: f64, wrong: f64| lsr_core::Confusion {
        true_positive: tp as u64,
        false_positive: wrong as u64,
        false_negative: wrong as u64,
        true_negative: 1000,
    };
    let system = |key: &str, name: &str, level: f64, noise: &mut dyn FnMut() -> f64| SystemCounts {
        key: key.into(),
        name: name.into(),
        seeds: (0..3)
            .map(|seed| SeedCounts {
                seed,
                images: (0..42)
                    .map(|i| {
                        let c = counts(1000.0 + 100.0 * f64::from(i), level * 500.0 * (1.0 + noise()) + 20.0 * seed as f64);
                        ImageCounts { image: format!("{i}"), masked: c, whole: c }
                    })
                    .collect(),
            })
            .collect(),
    };
    let systems = [
        system("low", "low-resolution model", 3.0, &mut noise),
        system("intra", "intra", 2.8, &mut noise),
        system("ii", "intra + inter", 2.3, &mut noise),
        system("sup", "fully supervised", 1.0, &mut noise),
    ];
    let found =
        compare(&systems, &Roles { low_resolution: Some("low".into()), supervised: Some("sup".into()) }, Bootstrap::default()).unwrap();
    let collapsed = BTreeMap::from([("low".to_owned(), vec![]), ("ii".to_owned(), vec![1])]);
    let results = results_table(&found, &collapsed);
    let calibration: Vec<LabelCalibration> = (0..10)
        .map(|z| LabelCalibration {
            z,
            mean: 0.9 * eta[z] + 0.02,
            spread: 0.05,
            eta: eta[z],
            rho: 0.04,
            true_mean: (z > 4).then_some(eta[z]),
        })
        .collect();
    let cal = calibration_table(&[Calibration { system: "intra + inter".into(), labels: calibration.clone() }]);
    std::fs::write(
        "/tmp/look/tables.md",
        [&results, &differences_table(&found), &gap_table(&found), &cal].map(|t| t.markdown()).join("\n"),
    )
    .unwrap();
    let body = html! {
        h2 { "Results" } (table_html(&results)) (table_html(&differences_table(&found))) (table_html(&gap_table(&found)))
        h2 { "Figures" } (svg_figure(&grid_svg, "grid", "Masks of four test images.")) (svg_figure(&boundary_svg, "boundaries", "Boundaries."))
        h2 { "Calibration" } (table_html(&cal)) (svg_figure(&calibration_plot(&calibration).unwrap().unwrap(), "calibration", "Calibration of intra + inter."))
    };
    std::fs::write("/tmp/look/reproduce.html", html_page("Reproduction of Table 2", &body)).unwrap();
}
