//! Random integer networks, and the plainest way to run one: whole tensors, layer by layer, up-sampled and concatenated in full.

#![allow(dead_code)] // each test file uses its part

use lsr_edge::int8::{Convolution, InputTable, Layer, LayerKind, Network, Source, Tensor, TensorId, Weights};

/// A small generator of its own: the same numbers on every machine.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let x = self.0 ^ (self.0 >> 29);
        (x.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as u32
    }

    pub(crate) fn below(&mut self, n: usize) -> usize {
        self.next() as usize % n
    }

    pub(crate) fn unit(&mut self) -> f64 {
        f64::from(self.next()) / f64::from(u32::MAX)
    }
}

/// How weights and zero points are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Extreme {
    No,
    AllLargest,
    AllSmallest,
    Alternating,
}

/// What a random network may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) width: usize,
    pub(crate) depth: usize,
    pub(crate) transposed: bool,
    pub(crate) outputs: usize,
    pub(crate) zero_points: bool,
    pub(crate) extreme: Extreme,
}

pub(crate) struct Maker {
    random: Random,
    shape: Shape,
    network: Network,
    /// Tensors that meet in a concatenation share their zero point, so all that can meet do.
    rectified_zero: u8,
}

/// A U-Net of that shape; depth 0 is a chain of convolutions.
pub(crate) fn unet(shape: Shape, seed: u64) -> Network {
    let image = Tensor { channels: 3, level: 0, zero_point: 128 };
    let mut random = Random(seed);
    let rectified_zero = random.below(256) as u8;
    let mut maker = Maker { random, shape, network: Network { tensors: vec![image], layers: Vec::new() }, rectified_zero };
    let (mut x, mut skips) = (TensorId(0), Vec::new());
    for level in 0..shape.depth {
        x = maker.conv(&[(x, false)], shape.width << level, 3, true);
        x = maker.conv(&[(x, false)], shape.width << level, 3, true);
        skips.push(x);
        x = maker.pool(x);
    }
    x = maker.conv(&[(x, false)], shape.width << shape.depth, 3, true);
    x = maker.conv(&[(x, false)], shape.width << shape.depth, 3, true);
    for level in (0..shape.depth).rev() {
        let skip = skips[level];
        let both = if shape.transposed {
            let up = maker.transposed(x, shape.width << level, maker.zero_point(skip));
            [(up, false), (skip, false)]
        } else if maker.random.below(2) == 0 {
            [(x, true), (skip, false)]
        } else {
            [(skip, false), (x, true)]
        };
        x = maker.conv(&both, shape.width << level, 3, true);
        x = maker.conv(&[(x, false)], shape.width << level, 3, true);
    }
    maker.conv(&[(x, false)], shape.outputs, 1, false);
    maker.network
}

impl Maker {
    fn zero_point(&self, id: TensorId) -> u8 {
        self.network.tensors[id.0].zero_point
    }

    fn tensor(&mut self, channels: usize, level: u32, zero_point: u8) -> TensorId {
        self.network.tensors.push(Tensor { channels, level, zero_point });
        TensorId(self.network.tensors.len() - 1)
    }

    fn push(&mut self, kind: LayerKind, output: TensorId) -> TensorId {
        let name = format!("layer {}", self.network.layers.len());
        self.network.layers.push(Layer { name, kind, output });
        output
    }

    fn weights(&mut self, inputs: usize, outputs: usize, taps: usize, relu: bool) -> Weights {
        let extreme = self.shape.extreme;
        let mut values = Vec::new();
        for i in 0..inputs * outputs * taps {
            values.push(match extreme {
                Extreme::No => self.random.below(255) as i32 - 127,
                Extreme::AllLargest => 127,
                Extreme::AllSmallest => -128,
                Extreme::Alternating => [127, -128][i % 2],
            } as i8);
        }
        // About right for sums of random products, so that outputs spread over a byte.
        let spread = (inputs * taps) as f64;
        let spread = if extreme == Extreme::No { 74.0 * 147.0 * spread.sqrt() } else { 127.0 * 128.0 * spread };
        let scale = (0..outputs).map(|_| ((60.0 + 60.0 * self.random.unit()) / spread) as f32).collect();
        let bias = (0..outputs).map(|_| ((self.random.unit() - 0.4) * spread) as i32).collect();
        Weights { values, bias, scale, relu }
    }

    fn own_zero_point(&mut self, relu: bool) -> u8 {
        match (relu, self.shape.zero_points) {
            (true, false) => 0,
            (false, false) => 128,
            (true, true) => self.rectified_zero,
            (false, true) => self.random.below(256) as u8,
        }
    }

    pub(crate) fn conv(&mut self, sources: &[(TensorId, bool)], outputs: usize, kernel: usize, relu: bool) -> TensorId {
        let inputs = sources.iter().map(|(id, _)| self.network.tensors[id.0].channels).sum();
        let (first, up) = sources[0];
        let level = self.network.tensors[first.0].level - u32::from(up);
        let zero_point = self.own_zero_point(relu);
        let output = self.tensor(outputs, level, zero_point);
        let weights = self.weights(inputs, outputs, kernel * kernel, relu);
        let sources = sources.iter().map(|&(tensor, up)| Source { tensor, up }).collect();
        self.push(LayerKind::Convolution(Convolution { kernel, sources, weights }), output)
    }

    fn pool(&mut self, input: TensorId) -> TensorId {
        let Tensor { channels, level, zero_point } = self.network.tensors[input.0].clone();
        let output = self.tensor(channels, level + 1, zero_point);
        self.push(LayerKind::MaxPool { input }, output)
    }

    fn transposed(&mut self, input: TensorId, outputs: usize, zero_point: u8) -> TensorId {
        let Tensor { channels, level, .. } = self.network.tensors[input.0].clone();
        let output = self.tensor(outputs, level - 1, zero_point);
        let weights = self.weights(channels, outputs, 4, false);
        let weights = Weights { bias: weights.bias, scale: weights.scale.iter().map(|s| s * 1.5).collect(), ..weights };
        self.push(LayerKind::Transposed { input, weights }, output)
    }
}

/// A whole tensor: `[height][width][channels]`.
#[derive(Clone)]
struct Whole {
    height: usize,
    width: usize,
    channels: usize,
    zero_point: u8,
    values: Vec<u8>,
}

impl Whole {
    fn at(&self, y: isize, x: isize, channel: usize) -> i64 {
        let inside = y >= 0 && x >= 0 && (y as usize) < self.height && (x as usize) < self.width;
        let byte = if inside { self.values[(y as usize * self.width + x as usize) * self.channels + channel] } else { self.zero_point };
        i64::from(byte) - i64::from(self.zero_point)
    }

    fn up(&self) -> Self {
        let (height, width) = (2 * self.height, 2 * self.width);
        let mut values = Vec::new();
        for y in 0..height {
            for x in 0..width {
                values.extend_from_slice(&self.values[((y / 2) * self.width + x / 2) * self.channels..][..self.channels]);
            }
        }
        Self { height, width, values, ..*self }
    }

    fn concat(parts: &[Self]) -> Self {
        let channels = parts.iter().map(|part| part.channels).sum();
        let mut values = Vec::new();
        for pixel in 0..parts[0].height * parts[0].width {
            parts.iter().for_each(|part| values.extend_from_slice(&part.values[pixel * part.channels..][..part.channels]));
        }
        Self { channels, values, ..parts[0].clone() }
    }
}

fn byte(sum: i64, scale: f32, zero_point: u8, relu: bool) -> u8 {
    // Every sum fits i32, or the network is refused.
    let scaled = i32::try_from(sum).unwrap() as f32 * scale;
    let value = f64::from(scaled).round_ties_even() + f64::from(zero_point);
    value.clamp(if relu { f64::from(zero_point) } else { 0.0 }, 255.0) as u8
}

/// The bytes of all logits, `[height][width][outputs]`.
pub(crate) fn run(network: &Network, input: &InputTable, rgb: &[u8], height: usize, width: usize) -> Vec<u8> {
    let values = rgb.iter().enumerate().map(|(i, &level)| input.0[i % 3][usize::from(level)]).collect();
    let image = Whole { height, width, channels: 3, zero_point: network.tensors[0].zero_point, values };
    let mut tensors: Vec<Option<Whole>> = vec![None; network.tensors.len()];
    tensors[0] = Some(image);
    let mut last = 0;
    for layer in &network.layers {
        let output = &network.tensors[layer.output.0];
        let get = |id: TensorId| tensors[id.0].clone().unwrap();
        let (height, width) = (height >> output.level, width >> output.level);
        let mut values = Vec::new();
        match &layer.kind {
            LayerKind::MaxPool { input } => {
                let x = get(*input);
                for (row, column, channel) in places(height, width, output.channels) {
                    let cell = [(0, 0), (0, 1), (1, 0), (1, 1)];
                    let of = |(dy, dx)| x.values[((2 * row + dy) * x.width + 2 * column + dx) * x.channels + channel];
                    values.push(cell.map(of).into_iter().max().unwrap());
                }
            }
            LayerKind::Transposed { input, weights } => {
                let x = get(*input);
                for (row, column, channel) in places(height, width, output.channels) {
                    let tap = (row % 2) * 2 + column % 2;
                    let products = (0..x.channels).map(|i| {
                        let weight = weights.values[(i * output.channels + channel) * 4 + tap];
                        x.at((row / 2) as isize, (column / 2) as isize, i) * i64::from(weight)
                    });
                    let sum = i64::from(weights.bias[channel]) + products.sum::<i64>();
                    values.push(byte(sum, weights.scale[channel], output.zero_point, weights.relu));
                }
            }
            LayerKind::Convolution(convolution) => {
                let parts: Vec<Whole> =
                    convolution.sources.iter().map(|source| if source.up { get(source.tensor).up() } else { get(source.tensor) }).collect();
                let x = Whole::concat(&parts);
                let (k, weights) = (convolution.kernel, &convolution.weights);
                for (row, column, channel) in places(height, width, output.channels) {
                    let mut sum = i64::from(weights.bias[channel]);
                    for i in 0..x.channels {
                        for ky in 0..k {
                            for kx in 0..k {
                                let weight = weights.values[((channel * x.channels + i) * k + ky) * k + kx];
                                let (y, x_) = ((row + ky) as isize - (k / 2) as isize, (column + kx) as isize - (k / 2) as isize);
                                sum += x.at(y, x_, i) * i64::from(weight);
                            }
                        }
                    }
                    values.push(byte(sum, weights.scale[channel], output.zero_point, weights.relu));
                }
            }
        }
        last = layer.output.0;
        tensors[last] = Some(Whole { height, width, channels: output.channels, zero_point: output.zero_point, values });
    }
    tensors.swap_remove(last).unwrap().values
}

fn places(height: usize, width: usize, channels: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..height).flat_map(move |row| (0..width).flat_map(move |column| (0..channels).map(move |channel| (row, column, channel))))
}

/// Blobs of colour and noise.
pub(crate) fn pixels(height: usize, width: usize, random: &mut Random) -> Vec<u8> {
    let all = random.below(8);
    (0..3 * height * width)
        .map(|i| match all {
            0 => 255,
            1 => 0,
            2 => [0, 255][(i / 3) % 2],
            _ => (random.next() >> 24) as u8,
        })
        .collect()
}
