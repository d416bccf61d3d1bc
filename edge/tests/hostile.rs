//! Damaged model files give an error or a model that runs: no panic, no hang, no memory beyond a bound.

#![allow(clippy::unwrap_used, clippy::panic)] // clippy.toml allows them in tests, but not in what tests share

mod integer;
mod program;

use image::RgbImage;
use integer::Random;
use lsr_edge::{Interrupt, Model, OPERATORS, Tiling, predict};
use program::{fixture, unet};
use prost::Message;
use rayon::iter::{IntoParallelIterator, ParallelIterator};
use std::time::{Duration, Instant};
use tract_onnx::pb::ModelProto;

/// Damaged files tried; LSR_DAMAGED tries more (CI: 100,000).
const FILES: u64 = 2000;

/// No file of a hundred kilobytes may take longer, however it is damaged, under any load that a machine for tests has.
const LONGEST: Duration = Duration::from_secs(30);

/// What the whole test process may hold, two files at a time.
const MOST_MEMORY: f64 = 1.5e9;

#[derive(Debug, Default, Clone, Copy)]
struct Outcomes {
    refused: u64,
    failed: u64,
    float: u64,
    integer: u64,
    slowest: Duration,
}

impl Outcomes {
    fn merge(self, other: Self) -> Self {
        Self {
            refused: self.refused + other.refused,
            failed: self.failed + other.failed,
            float: self.float + other.float,
            integer: self.integer + other.integer,
            slowest: self.slowest.max(other.slowest),
        }
    }
}

/// Changes one to four places: bits, bytes, runs of bytes, numbers. Nodes, names and scales are hit more often than weights.
fn damage(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..1 + random.below(4) {
        let at = match random.below(4) {
            0 => random.below(bytes.len()),
            1 => bytes.len() - 1 - random.below(700.min(bytes.len())),
            _ => random.below(bytes.len().min(6000)),
        };
        match random.below(7) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(256) as u8,
            2 => drop(bytes.remove(at)),
            3 => bytes.insert(at, random.below(256) as u8),
            4 => {
                let number = [f32::NAN, f32::INFINITY, -1.0, 0.0, 1e-42, 3e38][random.below(6)].to_le_bytes();
                bytes.iter_mut().skip(at).zip(number).for_each(|(byte, new)| *byte = new);
            }
            5 => {
                let run = 1 + random.below(40);
                bytes.drain(at..(at + run).min(bytes.len()));
            }
            _ => {
                let from = random.below(bytes.len());
                let copy: Vec<u8> = bytes[from..(from + 1 + random.below(40)).min(bytes.len())].to_vec();
                bytes.splice(at..at, copy);
            }
        }
        if bytes.len() < 16 {
            return good.to_vec();
        }
    }
    bytes
}

/// Changes one to three fields of a file that stays a valid protobuf: what stands behind the parser sees all of these.
fn distort(good: &[u8], random: &mut Random) -> Vec<u8> {
    let mut model = ModelProto::decode(good).unwrap();
    let names = ["image", "logits", "down0.0/dq", "pool0/q", "bottom.1/dq", "nothing", ""];
    for _ in 0..1 + random.below(3) {
        let graph = model.graph.as_mut().unwrap();
        let (node, tensor) = (random.below(graph.node.len()), random.below(graph.initializer.len()));
        match random.below(10) {
            0 => graph.node[node].op_type = OPERATORS[random.below(OPERATORS.len())].to_owned(),
            1 => {
                let inputs = &mut graph.node[node].input;
                let at = random.below(inputs.len().max(1)).min(inputs.len().saturating_sub(1));
                inputs.get_mut(at).into_iter().for_each(|input| *input = names[random.below(names.len())].to_owned());
            }
            2 => drop(graph.node[node].input.pop()),
            3 => {
                let other = random.below(graph.node.len());
                graph.node.swap(node, other);
            }
            4 => {
                for attribute in &mut graph.node[node].attribute {
                    let value = [-1, 0, 1, 2, 3, 5, 64, 1024, 1 << 40][random.below(9)];
                    if attribute.ints.is_empty() {
                        attribute.i = value;
                    } else {
                        let at = random.below(attribute.ints.len());
                        attribute.ints[at] = value;
                    }
                }
            }
            5 => {
                let tensor = &mut graph.initializer[tensor];
                let at = random.below(tensor.raw_data.len().max(1));
                let number = [f32::NAN, -1.0, 0.0, 1e-42, 3e38, 1.0][random.below(6)].to_le_bytes();
                tensor.raw_data.iter_mut().skip(at / 4 * 4).zip(number).for_each(|(byte, new)| *byte = new);
            }
            6 => {
                let tensor = &mut graph.initializer[tensor];
                tensor.raw_data.iter_mut().for_each(|byte| *byte = (random.next() >> 24) as u8);
            }
            7 => {
                // A shape of as many numbers.
                let dims = &mut graph.initializer[tensor].dims;
                if dims.len() > 1 {
                    let other = random.below(dims.len());
                    dims.swap(0, other);
                } else {
                    dims.insert(0, 1);
                }
            }
            8 => graph.initializer[tensor].data_type = [1, 2, 3, 6, 7, 9, 11][random.below(7)],
            _ => {
                let pair = random.below(model.metadata_props.len());
                let value = ["0", "1", "1024", "-1", "1e9", "nan", "[]", r#"["a","b","c"]"#][random.below(8)];
                model.metadata_props[pair].value = value.to_owned();
            }
        }
    }
    model.encode_to_vec()
}

fn attempt(good: &[u8], seed: u64) -> Outcomes {
    let mut random = Random(seed);
    let bytes = if seed.is_multiple_of(2) { damage(good, &mut random) } else { distort(good, &mut random) };
    let start = Instant::now();
    let mut outcomes = Outcomes::default();
    match Model::from_bytes("damaged", &bytes) {
        Err(_) => outcomes.refused = 1,
        Ok(model) => {
            let side = model.metadata().alignment * 2;
            let pixels = vec![90; 3 * (side * side) as usize];
            match model.probabilities(&pixels, side, side) {
                Ok(probabilities) => {
                    assert!(probabilities.iter().all(|p| (0.0..=1.0).contains(p)), "seed {seed}");
                    *(if model.program().is_some() { &mut outcomes.integer } else { &mut outcomes.float }) = 1;
                }
                Err(_) => outcomes.failed = 1,
            }
        }
    }
    outcomes.slowest = start.elapsed();
    outcomes
}

#[test]
fn damaged_models_are_refused_or_run() {
    let files = std::env::var("LSR_DAMAGED").map_or(FILES, |count| count.parse().unwrap());
    let bases = [unet(), fixture("unet.int8.onnx"), fixture("tiny.int8.onnx")].map(|path| std::fs::read(path).unwrap());
    // Mostly the smallest, which tries the most in a given time.
    let base = |seed: u64| &bases[[0, 1, 2, 2, 2, 2, 2, 2, 2, 2][seed as usize / 2 % 10]];
    let seen = (0..files).into_par_iter().map(|seed| attempt(base(seed), seed)).reduce(Outcomes::default, Outcomes::merge);
    println!("{seen:?}");
    assert!(seen.refused > 0 && seen.integer > 0 && seen.float > 0, "{seen:?}");
    assert!(seen.slowest < LONGEST, "{seen:?}");
    if let Ok(status) = std::fs::read_to_string("/proc/self/status") {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let held = 1024.0 * line.trim().trim_end_matches(" kB").parse::<f64>().unwrap();
        println!("memory held at most: {:.0} MB", held / 1e6);
        assert!(held < MOST_MEMORY, "{held}");
    }
}

#[test]
fn images_that_do_not_fit_are_refused() {
    for path in [unet(), fixture("unet.int8.onnx")] {
        let model = Model::open(&path).unwrap();
        for (bytes, height, width) in [(0, 0, 0), (3 * 17 * 16, 17, 16), (3 * 16 * 16 - 1, 16, 16), (9, 16, 16)] {
            let error = model.probabilities(&vec![0; bytes], height, width).unwrap_err();
            assert!(lsr_edge::one_line(&error).contains("multiples of 16"), "{error}");
        }
        let rule = Tiling::default().for_model(16, 107).unwrap();
        assert!(predict(&model, &RgbImage::new(0, 5), &rule, &Interrupt::default(), &|_| ()).is_err());
    }
}
