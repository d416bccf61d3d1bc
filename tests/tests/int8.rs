//! What `lsr-train quantize` writes and simulates is what lsr-edge computes, byte for byte; and real fields have one mask on all instruction sets.

#![expect(clippy::unwrap_used, reason = "tests: an unexpected error is a failure")]

use burn::module::Module;
use burn::tensor::Device;
use lsr_edge::int8::{InputTable, Isa, OneThread, Output, Rgb, Session};
use lsr_edge::{Interrupt, Model, Tiling};
use lsr_tests::data::shared_data;
use lsr_train::{
    Architecture, Dataset, FitOptions, Network, QuantizeObserver, QuantizeSettings, RunConfig, TrainedNetwork, UpSampling, input_from_rgb8,
    quantize_network,
};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// Side of the fields, a multiple of every network's alignment.
const SIDE: usize = 96;

struct Silent;

impl QuantizeObserver for Silent {
    fn stage(&mut self, _what: &str, _steps: usize) {}
    fn step(&mut self) {}
    fn warn(&mut self, text: &str) {
        println!("warning: {text}");
    }
}

fn tissue(folder: &Path) -> Dataset {
    lsr_train::write_synthetic(folder, 4, SIDE as u32, 1.0, 3, |_| ()).unwrap();
    Dataset::open(&[folder.to_owned()]).unwrap()
}

/// A random network whose BatchNorms have seen tissue.
fn network(config: &RunConfig, data: &Dataset) -> Network {
    let device = Device::flex().autodiff();
    let model = config.network.init(config.seed, &device);
    for name in data.names() {
        let image = data.image(name).unwrap();
        model.forward(input_from_rgb8(image.as_raw(), 1, SIDE, SIDE, &device));
    }
    model.valid()
}

#[test]
fn edge_computes_what_training_simulates() {
    let folder = tempfile::tempdir().unwrap();
    let data = tissue(&folder.path().join("tissue"));
    let of = |options: FitOptions| {
        let options = FitOptions { um_per_px: Some(1.0), seed: Some(5), ..options };
        options.resolve(None, "CC0".to_owned()).unwrap()
    };
    let unet = || FitOptions { width: Some(6), depth: Some(3), ..FitOptions::default() };
    let configs = [
        of(unet()),
        of(FitOptions { up: Some(UpSampling::Transposed), ..unet() }),
        of(FitOptions { network: Some(Architecture::FullResolution), depth: Some(4), ..unet() }),
    ];
    for config in configs {
        let trained = TrainedNetwork { sha256: String::new(), step: 0, network: network(&config, &data) };
        let settings = QuantizeSettings::default();
        let quantized = quantize_network(&trained, &config, &data, &settings, &mut Silent, &AtomicBool::new(false)).unwrap();
        let model = Model::from_bytes("quantised", &quantized.bytes).unwrap();
        let program = model.program().unwrap_or_else(|| panic!("{:?} is run in integers", model.card().execution));
        let table = InputTable::new([128.0; 3], [64.0; 3], 1.0 / 64.0, 128);
        let program = Arc::new(program.with_tables(table, Output::Logits).unwrap());
        let plan = program.plan([SIDE; 2], 0, 1).unwrap();
        let mut session = Session::new(program, plan);
        let grids = quantized.network.output_grids();
        let (_, logits) = grids[grids.len() - 1];
        for name in data.names() {
            let image = data.image(name).unwrap();
            let mut bytes = vec![0; SIDE * SIDE];
            let rgb = Rgb { pixels: image.as_raw(), width: SIDE, origin: [0, 0] };
            assert!(session.run(rgb, &mut bytes, &OneThread, &mut |_| true));
            let input = input_from_rgb8(image.as_raw(), 1, SIDE, SIDE, &Device::flex());
            let simulated = quantized.network.simulation().forward(input).unwrap().try_into_vec_as::<f32>().unwrap();
            let expected = simulated.iter().map(|logit| (logit / logits.scale).round() as i32 + i32::from(logits.zero_point));
            let differ = bytes.iter().zip(expected).filter(|(byte, expected)| i32::from(**byte) != *expected).count();
            assert_eq!(differ, 0, "{:?}, {name}", config.network);
            let spread = bytes.iter().max().unwrap() - bytes.iter().min().unwrap();
            assert!(spread > 20, "a constant output would prove nothing ({spread})");
        }
    }
}

#[test]
fn real_fields_have_one_map_on_all_instruction_sets() {
    let Some(data) = shared_data() else { return };
    let data = Dataset::open(&[data.join("camelyon")]).unwrap().select(&["10072".to_owned(), "1069[45]".to_owned()]).unwrap();
    let mut model = Model::embedded().unwrap();
    assert!(model.program().is_some(), "the embedded network is run in integers");
    let rule = Tiling { max_tile: Some(model.default_tile()), overlap: None };
    let rule = rule.for_model(model.metadata().alignment, model.metadata().context_px).unwrap();
    for name in data.names() {
        let image = data.image(name).unwrap();
        let mut maps = Vec::new();
        for isa in Isa::available() {
            model.use_isa(isa).unwrap();
            maps.push(lsr_edge::predict(&model, &image, &rule, &Interrupt::default(), &|_| ()).unwrap());
        }
        assert!(maps.windows(2).all(|pair| pair[0] == pair[1]), "{name}");
        let cancer = maps[0].values().iter().filter(|p| **p >= 0.5).count() as f64 / maps[0].values().len() as f64;
        println!("{name}: {:.1} % of pixels are cancer, on {} instruction sets", 100.0 * cancer, maps.len());
    }
}
