//! The exported ONNX file in the edge runtime gives what the network in burn gives.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use burn::module::Module;
use burn::tensor::Device;
use image::{Rgb, RgbImage};
use lsr_edge::{Interrupt, Model, Tiling};
use lsr_train::{Architecture, FitOptions, Network, NormKind, RunConfig, UpSampling, input_from_rgb8, onnx_bytes, predict};

/// Largest difference of a probability: both sum in f32, in different orders.
const TOLERANCE: f32 = 2e-5;

fn config(width: usize, depth: usize) -> RunConfig {
    config_of(FitOptions { width: Some(width), depth: Some(depth), ..FitOptions::default() })
}

fn config_of(options: FitOptions) -> RunConfig {
    let options = FitOptions { um_per_px: Some(0.5), seed: Some(5), ..options };
    options.resolve(None, "CC0".to_owned()).unwrap()
}

/// A network whose BatchNorms have seen data, so that folding them has something to fold.
fn network(config: &RunConfig) -> Network {
    let device = Device::flex().autodiff();
    let model = config.network.init(config.seed, &device);
    for round in 0..3 {
        let side = 8 * config.network.alignment().max(2);
        let bytes = field(side as u32, side as u32, round).into_raw();
        model.forward(input_from_rgb8(&bytes, 1, side, side, &device));
    }
    model.valid()
}

fn field(width: u32, height: u32, seed: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let wave = |k: u32| 120.0 + 110.0 * ((x * k + seed) as f32 * 0.13).sin() * ((y + 3 * k) as f32 * 0.07).cos();
        Rgb([wave(1) as u8, wave(2) as u8, wave(3) as u8])
    })
}

#[test]
fn edge_predicts_what_training_predicts() {
    let transposed = config_of(FitOptions { width: Some(4), depth: Some(2), up: Some(UpSampling::Transposed), ..FitOptions::default() });
    let full_resolution =
        config_of(FitOptions { network: Some(Architecture::FullResolution), width: Some(6), depth: Some(5), ..FitOptions::default() });
    for config in [config(4, 2), config(3, 4), transposed, full_resolution] {
        let network = network(&config);
        let model = Model::from_bytes("exported", &onnx_bytes(&network, &config, 7).unwrap()).unwrap();
        // A size that the depth divides, and one that it does not.
        for (w, h) in [(64, 96), (75, 50)] {
            let image = field(w, h, 9);
            let expected = predict(&network, &config, &image, &Device::flex()).unwrap();
            let rule = Tiling::default().for_model(model.metadata().alignment, model.metadata().context_px).unwrap();
            let map = lsr_edge::predict(&model, &image, &rule, &Interrupt::default(), &|_| ()).unwrap();
            assert_eq!(map.values().len(), expected.len());
            let worst = map.values().iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= TOLERANCE, "{:?}, {w} x {h}: {worst}", config.network);
            let span = expected.iter().fold(0.0_f32, |a, &b| a.max(b)) - expected.iter().fold(1.0_f32, |a, &b| a.min(b));
            assert!(span > 0.02, "a constant output would prove nothing ({span})");
        }
    }
}

#[test]
fn metadata_says_what_the_network_is() {
    let config = config(4, 3);
    let bytes = onnx_bytes(&network(&config), &config, 7).unwrap();
    let model = Model::from_bytes("exported", &bytes).unwrap();
    let metadata = model.metadata();
    assert_eq!(metadata.um_per_px, 0.5);
    assert_eq!(metadata.pixel_mean, [128.0; 3]);
    assert_eq!(metadata.pixel_std, [64.0; 3]);
    assert_eq!(metadata.class_names, ["other", "cancer"]);
    assert_eq!(metadata.threshold, 0.5);
    assert_eq!(metadata.alignment as usize, config.network.alignment());
    assert_eq!(metadata.context_px as usize, config.network.context_px());
    let again = onnx_bytes(&network(&config), &config, 7).unwrap();
    assert!(bytes == again, "the same network gives the same bytes");
}

#[test]
fn a_network_whose_masks_would_depend_on_the_tiles_is_not_exported() {
    let config = config_of(FitOptions { width: Some(4), depth: Some(2), norm: Some(NormKind::Group), ..FitOptions::default() });
    let error = onnx_bytes(&network(&config), &config, 7).unwrap_err().to_string();
    assert!(error.contains("--norm batch") && error.contains("group normalisation"), "{error}");
}
