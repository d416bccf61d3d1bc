//! Weights in the order in which a kernel reads them, made once when a network is loaded.

use super::aligned::Aligned;
use super::kernel::Isa;
use super::network::{Source, Tensor, Weights};
use super::rows::{GROUP, pixel_bytes};
use alloc::vec;
use alloc::vec::Vec;

/// How the four weights of each output of a vector lie in memory. Each processor uses some of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code)]
pub(super) enum Format {
    /// s8: for each output its four weights. One instruction multiplies and adds all four.
    Quads,
    /// s16: for each output weights 0 and 2, then for each output weights 1 and 3.
    Pairs,
    /// s16: for each output weight 0, then weight 1, 2 and 3.
    Planes,
}

impl Format {
    /// Bytes of the weights of `lanes` outputs and four inputs.
    pub(super) fn group_bytes(self, lanes: usize) -> usize {
        match self {
            Self::Quads => lanes * GROUP,
            Self::Pairs | Self::Planes => 2 * lanes * GROUP,
        }
    }

    fn push(self, to: &mut Vec<u8>, lanes: usize, weight: impl Fn(usize, usize) -> i8) {
        let wide = |value: i8| i16::from(value).to_le_bytes();
        match self {
            Self::Quads => to.extend((0..lanes).flat_map(|lane| [0, 1, 2, 3].map(|k| weight(lane, k) as u8))),
            Self::Pairs => {
                for first in [0, 1] {
                    to.extend((0..lanes).flat_map(|lane| [wide(weight(lane, first)), wide(weight(lane, first + 2))]).flatten());
                }
            }
            Self::Planes => (0..GROUP).for_each(|k| to.extend((0..lanes).flat_map(|lane| wide(weight(lane, k))))),
        }
    }
}

/// How sums become bytes: `round(clamp(sum * scale, low, high)) + zero_point`.
///
/// Clamped before it is rounded, which gives the same byte (the bounds are whole numbers), because processors disagree on what a float beyond
/// i32 becomes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Clamp {
    pub(super) low: f32,
    pub(super) high: f32,
    pub(super) zero_point: i32,
}

impl Clamp {
    fn new(zero_point: u8, relu: bool) -> Self {
        let zero = f32::from(zero_point);
        Self { low: if relu { 0.0 } else { -zero }, high: 255.0 - zero, zero_point: i32::from(zero_point) }
    }
}

/// A convolution's weights for one kernel.
#[derive(Debug)]
pub(super) struct Packed {
    pub(super) isa: Isa,
    /// 1 or 3.
    pub(super) kernel: usize,
    /// Outputs, in vectors of [`Isa::lanes`].
    pub(super) vectors: usize,
    /// For each pair of vectors (the last may stand alone), tap row, group of four inputs, tap, vector: a group.
    pub(super) weights: Aligned<u8>,
    /// Bytes of `weights` for one vector.
    pub(super) vector_bytes: usize,
    /// One for each lane of all vectors.
    pub(super) bias: Aligned<i32>,
    pub(super) scale: Aligned<f32>,
    pub(super) clamp: Clamp,
}

/// The weights that meet an up-sampled source.
#[derive(Debug)]
pub(super) struct PackedUp {
    pub(super) isa: Isa,
    pub(super) vectors: usize,
    /// For each vector, group of four inputs, tap of nine: a group.
    pub(super) weights: Aligned<u8>,
    pub(super) vector_bytes: usize,
    /// What a pixel beyond the border gives: for each tap of nine, one for each lane of all vectors.
    pub(super) border: Aligned<i32>,
    /// One for each lane of all vectors: the convolution's.
    pub(super) bias: Aligned<i32>,
}

/// The weights of a convolution as a function of output, input and tap.
struct View<'a> {
    weights: &'a Weights,
    inputs: usize,
    outputs: usize,
    taps: usize,
}

impl View<'_> {
    /// 0 beyond the last output or input of a source: what fills vectors and groups up.
    fn at(&self, output: usize, first: usize, channels: usize, channel: usize, tap: usize) -> i8 {
        if output >= self.outputs || channel >= channels {
            return 0;
        }
        self.weights.values[(output * self.inputs + first + channel) * self.taps + tap]
    }
}

/// Packs a convolution for the processor's kernel. The second part is for the source that is up-sampled, if there is one.
pub(super) fn pack(
    isa: Isa,
    kernel: usize,
    sources: &[(Source, &Tensor)],
    weights: &Weights,
    output: &Tensor,
) -> (Packed, Option<PackedUp>) {
    let isa = isa.for_outputs(output.channels);
    let (lanes, format) = (isa.lanes(), isa.format());
    let vectors = output.channels.div_ceil(lanes);
    let inputs: usize = sources.iter().map(|(_, tensor)| tensor.channels).sum();
    let taps = kernel * kernel;
    let view = View { weights, inputs, outputs: output.channels, taps };
    let first_channel = |index: usize| sources[..index].iter().map(|(_, tensor)| tensor.channels).sum::<usize>();

    let mut packed = Vec::new();
    for pair in (0..vectors).step_by(2) {
        let together = (vectors - pair).min(2);
        for (index, (source, tensor)) in sources.iter().enumerate() {
            if source.up {
                continue;
            }
            for ky in 0..kernel {
                for group in 0..pixel_bytes(tensor.channels) / GROUP {
                    for kx in 0..kernel {
                        for vector in pair..pair + together {
                            format.push(&mut packed, lanes, |lane, k| {
                                let channel = group * GROUP + k;
                                view.at(vector * lanes + lane, first_channel(index), tensor.channels, channel, ky * kernel + kx)
                            });
                        }
                    }
                }
            }
        }
    }

    // Kernels sum (q - offset) w; the bias takes in what makes that (q - zero point) w.
    let zero_point = sources.first().map_or(0, |(_, tensor)| i32::from(tensor.zero_point));
    let shift = isa.pixel_offset() - zero_point;
    let mut bias = vec![0_i32; vectors * lanes];
    for (lane, bias) in bias.iter_mut().enumerate().take(output.channels) {
        let own = &weights.values[lane * inputs * taps..][..inputs * taps];
        *bias = weights.bias[lane] + shift * own.iter().map(|&w| i32::from(w)).sum::<i32>();
    }
    let mut scale = vec![1.0_f32; vectors * lanes];
    scale[..output.channels].copy_from_slice(&weights.scale);

    let up = sources.iter().position(|(source, _)| source.up).map(|index| {
        let tensor = sources[index].1;
        let first = first_channel(index);
        let mut packed = Vec::new();
        for vector in 0..vectors {
            for group in 0..pixel_bytes(tensor.channels) / GROUP {
                for tap in 0..taps {
                    format
                        .push(&mut packed, lanes, |lane, k| view.at(vector * lanes + lane, first, tensor.channels, group * GROUP + k, tap));
                }
            }
        }
        let mut border = vec![0_i32; taps * vectors * lanes];
        for (i, border) in border.iter_mut().enumerate() {
            let (tap, output) = (i / (vectors * lanes), i % (vectors * lanes));
            let sum: i32 = (0..tensor.channels).map(|channel| i32::from(view.at(output, first, tensor.channels, channel, tap))).sum();
            *border = -shift * sum;
        }
        PackedUp {
            isa,
            vectors,
            vector_bytes: packed.len() / vectors,
            weights: Aligned::from_slice(&packed),
            border: Aligned::from_slice(&border),
            bias: Aligned::from_slice(&bias),
        }
    });
    let direct = Packed {
        isa,
        kernel,
        vectors,
        vector_bytes: packed.len() / vectors,
        weights: Aligned::from_slice(&packed),
        bias: Aligned::from_slice(&bias),
        scale: Aligned::from_slice(&scale),
        clamp: Clamp::new(output.zero_point, weights.relu),
    };
    (direct, up)
}
