//! Whole runs on a device: their checkpoints on the other, the same seed twice, their masks.

use crate::device;
use crate::program::Workshop;
use image::GrayImage;
use lsr_edge::{Interrupt, Model, Tiling};
use serde_json::Value;

/// Of a loss right after a checkpoint was restored on the other device, relative to the largest loss: one forward pass, rounded differently.
const RESTORED: f64 = 2e-2;
/// Of the losses of the five steps after it. RMSprop divides a gradient by its size, so that rounding alone moves weights whose gradient is near 0.
const AFTER: f64 = 0.15;
/// Between two runs of one seed on one device, relative to the largest loss. GPUs may add in another order each time, and the kernels are chosen by
/// how fast they were in that process.
const TWICE: f64 = 2e-2;
/// Share of the pixels in which masks of two devices agree. What differs are probabilities that rounding moves over 0.5.
const SAME_PIXELS: f64 = 0.99;

fn worst(a: &[f64], b: &[f64], largest: f64) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / largest).fold(0.0, f64::max)
}

fn largest(losses: &[f64]) -> f64 {
    losses.iter().fold(0.0, |largest, loss| largest.max(loss.abs()))
}

/// The run goes on from one checkpoint on both devices, which take the same steps.
fn goes_on(from: &str, to: &str) {
    let shop = Workshop::with_data();
    shop.fit("stayed", from, 6);
    shop.copy("stayed", "moved");
    let (stayed, moved) = (shop.resume("stayed", from, 12), shop.resume("moved", to, 12));
    assert_eq!(stayed.len(), 12);
    assert!(stayed[..6] == moved[..6], "steps before the checkpoint: {stayed:?} {moved:?}");
    let scale = largest(&stayed);
    let (restored, after) = (worst(&stayed[6..7], &moved[6..7], scale), worst(&stayed[7..], &moved[7..], scale));
    println!("from {from} to {to}: losses differ by {restored:.1e} in the first step and by {after:.1e} in five more");
    assert!(restored <= RESTORED && after <= AFTER, "from {from} to {to}: {restored:.2e}, {after:.2e}: {stayed:?} {moved:?}");
    // A network that had not learned anything could be mistaken for another one.
    assert!(worst(&stayed[..1], &stayed[6..7], scale) > RESTORED, "the loss hardly changed: {stayed:?}");
}

#[test]
#[ignore = "needs a GPU: tests/gpu.sh"]
fn a_checkpoint_of_the_gpu_goes_on_on_the_processor() {
    goes_on(&device().to_string(), "cpu");
}

#[test]
#[ignore = "needs a GPU: tests/gpu.sh"]
fn a_checkpoint_of_the_processor_goes_on_on_the_gpu() {
    goes_on("cpu", &device().to_string());
}

#[test]
#[ignore = "needs a GPU: tests/gpu.sh"]
fn the_same_seed_twice_gives_the_same_losses() {
    let (shop, device) = (Workshop::with_data(), device().to_string());
    let (first, second) = (shop.fit("first", &device, 10), shop.fit("second", &device, 10));
    let difference = worst(&first, &second, largest(&first));
    println!("ten losses of the same seed differ by at most {difference:.1e}");
    assert!(difference <= TWICE, "{difference:.2e}: {first:?} {second:?}");
    assert!(worst(&first[..9], &first[1..], largest(&first)) > TWICE, "all losses are alike: {first:?}");
}

#[test]
#[ignore = "needs a GPU: tests/gpu.sh"]
fn masks_of_a_network_trained_there_are_those_at_the_microscope() {
    let (shop, device) = (Workshop::with_data(), device().to_string());
    shop.fit("run", &device, 60);
    let scores: Value = serde_json::from_str(&shop.run("evaluate --run run --data data --output evaluated")).unwrap();
    assert_eq!(scores["step"], 60);
    shop.run("export --run run --output model.onnx");
    let model = Model::open(&shop.path("model.onnx")).unwrap();
    let tiling = Tiling::default().for_model(model.metadata().alignment, model.metadata().context_px).unwrap();
    let (mut same, mut cancer, mut all) = (0, 0, 0);
    for name in (0..6).map(|i| format!("{i:04}")) {
        let field = image::open(shop.path(&format!("data/images/{name}.png"))).unwrap().into_rgb8();
        let map = lsr_edge::predict(&model, &field, &tiling, &Interrupt::default(), &|_| ()).unwrap();
        let mask: GrayImage = image::open(shop.path(&format!("evaluated/{name}.mask.png"))).unwrap().into_luma8();
        assert_eq!(map.values().len(), mask.as_raw().len());
        for (&p, &pixel) in map.values().iter().zip(mask.as_raw()) {
            (same, cancer, all) = (same + u32::from((p >= 0.5) == (pixel != 0)), cancer + u32::from(pixel != 0), all + 1);
        }
    }
    let (same, cancer) = (f64::from(same) / f64::from(all), f64::from(cancer) / f64::from(all));
    println!("{:.3} % of the pixels have the same class; {:.1} % of them are cancer", 100.0 * same, 100.0 * cancer);
    assert!(same >= SAME_PIXELS, "{same}");
    assert!((0.02..0.98).contains(&cancer), "masks of one class would prove nothing: {cancer}");
}
