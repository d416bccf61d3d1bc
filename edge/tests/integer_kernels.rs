//! The integer kernels against the plainest reference, bit for bit: every instruction set of this processor, bands, windows and threads.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod integer;

use integer::{Extreme, Random, Shape, pixels, unet};
use lsr_edge::int8::{InputTable, Isa, Network, OneThread, Output, Program, Rgb, Session, Split};
use std::sync::Arc;

/// Random networks tried; LSR_NETWORKS tries more.
const NETWORKS: u64 = 1000;

struct Threads(usize);

impl Split for Threads {
    fn threads(&self) -> usize {
        self.0
    }

    fn join(&self, a: impl FnOnce() + Send, b: impl FnOnce() + Send) {
        rayon::join(a, b);
    }
}

fn shape(random: &mut Random) -> Shape {
    let extreme = [Extreme::No, Extreme::No, Extreme::No, Extreme::AllLargest, Extreme::AllSmallest, Extreme::Alternating];
    Shape {
        width: [1, 2, 3, 4, 5, 7, 8, 9, 12, 16, 17, 20, 24, 33][random.below(14)],
        depth: [0, 1, 1, 2, 3][random.below(5)],
        transposed: random.below(3) == 0,
        outputs: [1, 1, 2, 4, 5][random.below(5)],
        zero_points: random.below(2) == 0,
        extreme: extreme[random.below(6)],
    }
}

fn bytes(network: &Network, isa: Isa, [height, width]: [usize; 2], rgb: &[u8], arena: usize, split: &impl Split) -> Vec<u8> {
    let program = Arc::new(Program::new(network.clone(), isa, table(), Output::Logits).unwrap());
    let plan = program.plan([height, width], arena, split.threads()).unwrap();
    let mut out = vec![0; height * width * program.output_channels()];
    let mut session = Session::new(program, plan);
    // Twice: what the first field leaves in the arena must not change the second.
    for _ in 0..2 {
        out.fill(0);
        assert!(session.run(Rgb { pixels: rgb, width, origin: [0, 0] }, &mut out, split, &mut |_| true));
    }
    out
}

fn table() -> InputTable {
    InputTable::new([128.0, 120.0, 131.0], [64.0, 60.0, 64.0], 1.0 / 64.0, 128)
}

/// Height and width in units of the alignment, wide enough to cut rows into several strips.
fn size(random: &mut Random, network: &Network) -> [usize; 2] {
    let step = network.alignment();
    [1 + random.below(40_usize.div_ceil(step)), 1 + random.below(60_usize.div_ceil(step))].map(|n| n * step)
}

#[test]
fn a_thousand_random_networks_give_the_same_bits_everywhere() {
    let networks = std::env::var("LSR_NETWORKS").map_or(NETWORKS, |count| count.parse().unwrap());
    let sets = Isa::available();
    println!("instruction sets: {:?}", sets.iter().map(|isa| isa.name()).collect::<Vec<_>>());
    let mut different = std::collections::BTreeSet::new();
    for seed in 0..networks {
        let mut random = Random(seed);
        let shape = shape(&mut random);
        let network = unet(shape, seed);
        let size = size(&mut random, &network);
        let rgb = pixels(size[0], size[1], &mut random);
        let expected = integer::run(&network, &table(), &rgb, size[0], size[1]);
        different.extend(expected.iter().copied());
        for &isa in &sets {
            // A small arena makes bands; threads cut them.
            let arena = [usize::MAX, 0, 20_000][random.below(3)];
            let threads = 1 + random.below(3);
            let seen = bytes(&network, isa, size, &rgb, arena, &Threads(threads));
            if let Some(at) = seen.iter().zip(&expected).position(|(a, b)| a != b) {
                let (seen, expected) = (seen[at], expected[at]);
                panic!(
                    "seed {seed}, {shape:?}, {size:?}, {}, arena {arena}, {threads} threads: byte {at} is {seen}, expected {expected}",
                    isa.name()
                );
            }
        }
    }
    let least = networks.min(250) as usize;
    assert!(different.len() >= least, "the networks should give all kinds of bytes, found {}", different.len());
}

#[test]
fn a_window_of_an_image_repeats_its_last_pixels() {
    let shape = Shape { width: 8, depth: 2, transposed: false, outputs: 1, zero_points: false, extreme: Extreme::No };
    let network = unet(shape, 5);
    let (width, height) = (21, 18);
    let rgb = pixels(height, width, &mut Random(77));
    let window: Vec<u8> = (0..16)
        .flat_map(|y| (0..24).map(move |x| (y, x)))
        .flat_map(|(y, x)| rgb[3 * ((y + 8_usize).min(height - 1) * width + (x + 4_usize).min(width - 1))..][..3].to_vec())
        .collect();
    let expected = bytes(&network, Isa::best(), [16, 24], &window, usize::MAX, &OneThread);
    let program = Arc::new(Program::new(network, Isa::best(), table(), Output::Logits).unwrap());
    let plan = program.plan([16, 24], usize::MAX, 1).unwrap();
    let mut out = vec![0; 16 * 24];
    assert!(Session::new(program, plan).run(Rgb { pixels: &rgb, width, origin: [4, 8] }, &mut out, &OneThread, &mut |_| true));
    assert_eq!(out, expected);
}

#[test]
fn networks_that_do_not_fit_are_refused_by_name() {
    let shape = Shape { width: 4, depth: 1, transposed: true, outputs: 1, zero_points: false, extreme: Extreme::No };
    let refused = |change: &dyn Fn(&mut Network), words: &str| {
        let mut network = unet(shape, 1);
        change(&mut network);
        let error = Program::new(network, Isa::Scalar, table(), Output::Logits).unwrap_err().to_string();
        assert!(error.contains(words), "expected '{words}' in {error}");
    };
    use lsr_edge::int8::{LayerKind, TensorId};
    let weights = |network: &mut Network, change: &dyn Fn(&mut lsr_edge::int8::Weights)| match &mut network.layers[0].kind {
        LayerKind::Convolution(convolution) => change(&mut convolution.weights),
        _ => panic!("the first layer is a convolution"),
    };
    for scale in [f32::NAN, f32::INFINITY, 0.0, -1.0, f32::MIN_POSITIVE / 4.0] {
        refused(&|network| weights(network, &|weights| weights.scale[1] = scale), "requantisation scale");
    }
    refused(&|network| weights(network, &|weights| weights.bias[0] = i32::MAX), "could leave 32 bits");
    refused(&|network| weights(network, &|weights| weights.values.truncate(5)), "layer 'layer 0': expected");
    refused(&|network| network.tensors[0].channels = 4, "layer 'image'");
    refused(&|network| network.tensors[1].level = 9, "level");
    refused(&|network| network.tensors[1].channels = 1 << 40, "channels");
    refused(&|network| network.layers[1].output = TensorId(99), "no output tensor");
    refused(&|network| network.layers[2].output = TensorId(1), "exists already");
    refused(&|network| drop(network.layers.remove(0)), "no layer before it makes");
    refused(&|network| network.layers.clear(), "no layer reads it");
}

#[test]
fn memory_grows_with_the_width_and_not_with_the_area() {
    let shape = Shape { width: 16, depth: 4, transposed: false, outputs: 1, zero_points: false, extreme: Extreme::No };
    let program = Program::new(unet(shape, 2), Isa::best(), table(), Output::sigmoid(0.1, 128, true)).unwrap();
    let arena = |height, width| program.plan([height, width], 0, 1).unwrap().arena_bytes();
    assert_eq!(arena(2400, 1200), arena(24_000, 1200));
    assert!(arena(1200, 2400) < 2 * arena(1200, 1200) + 4096 * 40);
    assert!(program.plan([30, 16], 0, 1).is_err() && program.plan([0, 16], 0, 1).is_err());
}
