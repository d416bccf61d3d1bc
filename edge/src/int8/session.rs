//! Runs a network band by band, in memory that was planned before.

use super::aligned::Aligned;
use super::conv::{ConvSources, transposed_rows};
use super::error::NetworkError;
use super::kernel::Isa;
use super::network::{Layer, LayerKind, MOST_DIRECT, Network, Source, Tensor, TensorId, Weights};
use super::pack::{Packed, PackedUp, pack};
use super::plan::{Plan, available};
use super::pool::max_pool_row;
use super::rows::Ring;
use super::split::Split;
use super::table::{InputTable, Output};
use super::up::UpSource;
use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::format;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;
use core::ops::Range;

/// A network whose weights are packed for one instruction set, and its two tables.
#[derive(Debug, Clone)]
pub struct Program {
    body: Arc<Body>,
    input: InputTable,
    output: Output,
}

/// What programs with other tables share.
#[derive(Debug)]
struct Body {
    network: Network,
    packed: Vec<PackedLayer>,
    isa: Isa,
}

#[derive(Debug)]
enum PackedLayer {
    Convolution(Box<Packed>, Option<Box<PackedUp>>),
    MaxPool,
    Transposed(Box<[Packed; 4]>),
}

/// An image of RGB bytes, and the window of it that is looked at: beyond the right and lower border the last pixels repeat.
#[derive(Debug, Clone, Copy)]
pub struct Rgb<'a> {
    /// Pixels, row by row.
    pub pixels: &'a [u8],
    /// Width of the image.
    pub width: usize,
    /// First column and row of the window.
    pub origin: [usize; 2],
}

impl Rgb<'_> {
    fn row(&self, y: usize) -> impl Iterator<Item = [u8; 3]> + '_ {
        let stride = 3 * self.width;
        let last = self.pixels.len() / stride - 1;
        let row = &self.pixels[(self.origin[1] + y).min(last) * stride..][..stride];
        let edge = [row[stride - 3], row[stride - 2], row[stride - 1]];
        let inside = row.get(3 * self.origin[0]..).unwrap_or(&[]);
        inside.chunks_exact(3).map(|pixel| [pixel[0], pixel[1], pixel[2]]).chain(core::iter::repeat(edge))
    }
}

/// Memory for images of one size; `run` allocates nothing.
#[derive(Debug)]
pub struct Session {
    program: Arc<Program>,
    plan: Plan,
    arena: Aligned<u8>,
    scratch: Aligned<i32>,
    /// Rows of each tensor that were made.
    done: Vec<usize>,
}

impl Program {
    /// Checks a network and packs it. Tables come with it since they depend on the network's first and last scale.
    ///
    /// # Errors
    /// What [`Network::check`] finds; an instruction set that this processor lacks; a class that is none of the logits'.
    pub fn new(network: Network, isa: Isa, input: InputTable, output: Output) -> Result<Self, NetworkError> {
        network.check()?;
        if !isa.is_available() {
            let problem = format!("this processor cannot run {}", isa.name());
            return Err(NetworkError { layer: "all".to_owned(), problem });
        }
        let packed = network.layers.iter().map(|layer| packed(&network, layer, isa)).collect();
        Self { body: Arc::new(Body { network, packed, isa }), input: input.clone(), output: Output::Logits }.with_tables(input, output)
    }

    /// The same network, packed once, with other tables.
    ///
    /// # Errors
    /// Tables that do not fit the number of logits.
    pub fn with_tables(&self, input: InputTable, output: Output) -> Result<Self, NetworkError> {
        let logits = self.logits().1;
        let problem = match &output {
            Output::Sigmoid(_) if logits != 1 => format!("{logits} logits, expected 1 for a sigmoid"),
            Output::Softmax { class, .. } if *class >= logits => format!("class {class} of {logits} logits"),
            _ => return Ok(Self { body: Arc::clone(&self.body), input, output }),
        };
        Err(NetworkError { layer: "logits".to_owned(), problem })
    }

    /// The network, packed anew for another instruction set.
    ///
    /// # Errors
    /// One that this processor lacks.
    pub fn with_isa(&self, isa: Isa) -> Result<Self, NetworkError> {
        Self::new(self.network().clone(), isa, self.input.clone(), self.output.clone())
    }

    /// The network.
    pub fn network(&self) -> &Network {
        &self.body.network
    }

    /// What it was packed for.
    pub fn isa(&self) -> Isa {
        self.body.isa
    }

    /// Bytes of an image's output for each pixel.
    pub fn output_channels(&self) -> usize {
        self.output.channels(self.logits().1)
    }

    /// Plans for images of a size, whose sides are multiples of the network's alignment, and so many threads.
    ///
    /// # Errors
    /// Sides that are not.
    pub fn plan(&self, [height, width]: [usize; 2], arena_bytes: usize, threads: usize) -> Result<Plan, NetworkError> {
        let step = self.network().alignment();
        if [height, width].iter().any(|&side| side == 0 || side % step != 0) {
            let problem = format!("sides of {width} x {height} px: expected multiples of {step}");
            return Err(NetworkError { layer: "image".to_owned(), problem });
        }
        let outputs = |channels: usize| {
            let lanes = self.isa().for_outputs(channels).lanes();
            (channels.div_ceil(lanes), lanes)
        };
        Ok(Plan::new(self.network(), [height, width], arena_bytes, threads.max(1), outputs))
    }

    /// The tensor of the logits, and its channels.
    fn logits(&self) -> (TensorId, usize) {
        let network = self.network();
        let id = network.layers.last().map_or(TensorId(0), |layer| layer.output);
        (id, network.tensors[id.0].channels)
    }
}

fn packed(network: &Network, layer: &Layer, isa: Isa) -> PackedLayer {
    let tensor = |id: TensorId| &network.tensors[id.0];
    let output = tensor(layer.output);
    match &layer.kind {
        LayerKind::MaxPool { .. } => PackedLayer::MaxPool,
        LayerKind::Convolution(convolution) => {
            let sources: Vec<(Source, &Tensor)> = convolution.sources.iter().map(|source| (*source, tensor(source.tensor))).collect();
            let (direct, up) = pack(isa, convolution.kernel, &sources, &convolution.weights, output);
            PackedLayer::Convolution(Box::new(direct), up.map(Box::new))
        }
        LayerKind::Transposed { input, weights } => PackedLayer::Transposed(Box::new(core::array::from_fn(|phase| {
            let (inputs, outputs) = (tensor(*input).channels, output.channels);
            // [inputs, outputs, 2, 2] to [outputs, inputs] of one pixel of the cell.
            let at = |output: usize, input: usize| weights.values[(input * outputs + output) * 4 + phase];
            let values = (0..outputs).flat_map(|output| (0..inputs).map(move |input| at(output, input))).collect();
            let own = Weights { values, bias: weights.bias.clone(), scale: weights.scale.clone(), relu: weights.relu };
            pack(isa, 1, &[(Source { tensor: *input, up: false }, tensor(*input))], &own, output).0
        }))),
    }
}

impl Session {
    /// Takes the memory of a plan of the same program.
    pub fn new(program: Arc<Program>, plan: Plan) -> Self {
        let mut arena = Aligned::new(plan.ring_bytes);
        // Where tensors share memory, borders are set again when one of them begins to live.
        for (ring, tensor) in plan.rings.iter().zip(&program.network().tensors) {
            ring.border(&mut arena.as_mut_slice()[ring.range()], tensor.zero_point);
        }
        let scratch = Aligned::new(plan.scratch * plan.threads);
        let done = vec![0; program.network().tensors.len()];
        Self { program, plan, arena, scratch, done }
    }

    /// What it was made for.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// One image: `out` takes the output's bytes, row by row. `observe` hears the index of each layer when its rows of a band are made (the
    /// number of layers for the image's own rows, one more for the output), and may stop the run by returning false.
    ///
    /// Gives whether it went through to the end. Nothing is allocated.
    ///
    /// # Panics
    /// When `out` or the image have the wrong size.
    pub fn run(&mut self, image: Rgb<'_>, out: &mut [u8], split: &impl Split, observe: &mut dyn FnMut(usize) -> bool) -> bool {
        let Self { program, plan, arena, scratch, done } = self;
        let (arena, scratch) = (arena.as_mut_slice(), scratch.as_mut_slice());
        let channels = program.output_channels();
        assert!(out.len() == plan.height * plan.width * channels, "output of {} bytes", out.len());
        assert!(
            image.width > 0 && image.pixels.len() >= 3 * image.width && image.pixels.len().is_multiple_of(3 * image.width),
            "image of no size"
        );
        let spread = Spread { split, pieces: split.threads().min(plan.threads), scratch_each: plan.scratch };
        let shared = plan.band >= plan.height;
        let layers = program.network().layers.len();
        done.fill(0);
        let (mut taken, mut left) = (0, 0);
        while taken < plan.height {
            let rows = taken..(taken + plan.band).min(plan.height);
            taken = rows.end;
            let ring = &plan.rings[0];
            if shared {
                ring.border(&mut arena[ring.range()], program.network().tensors[0].zero_point);
            }
            let target = Target { rows, ring, bytes: &mut arena[ring.range()], scratch: &mut *scratch };
            spread.rows(target, &|rows, out, _| {
                for (y, out) in rows.zip(out.chunks_exact_mut(ring.stride)) {
                    program.input.apply(image.row(y), &mut out[ring.pixel..][..ring.width * ring.pixel]);
                }
            });
            done[0] = taken;
            if !observe(layers) {
                return false;
            }
            for (index, (layer, packed)) in program.network().layers.iter().zip(&program.body.packed).enumerate() {
                let made = done[layer.output.0]..available(layer, &plan.rings, done);
                if made.is_empty() {
                    continue;
                }
                let ring = &plan.rings[layer.output.0];
                if shared {
                    ring.border(&mut arena[ring.range()], program.network().tensors[layer.output.0].zero_point);
                }
                done[layer.output.0] = made.end;
                // A layer's inputs live while its output does, so they lie wholly before or wholly behind it.
                let (before, rest) = arena.split_at_mut(ring.offset);
                let (own, behind) = rest.split_at_mut(ring.bytes());
                let rings = &plan.rings;
                let input = |id: TensorId| {
                    let source = rings[id.0];
                    let bytes = if source.offset < ring.offset {
                        &before[source.range()]
                    } else {
                        &behind[source.offset - ring.range().end..][..source.bytes()]
                    };
                    (source, bytes)
                };
                let target = Target { rows: made, ring, bytes: own, scratch: &mut *scratch };
                run_layer(layer, packed, &input, target, &spread);
                if !observe(index) {
                    return false;
                }
            }
            let (logits, logit_channels) = program.logits();
            let ring = &plan.rings[logits.0];
            let bytes = &arena[ring.range()];
            // Each row of logits leaves in the step that made it.
            let row_bytes = plan.width * channels;
            for y in left..done[logits.0] {
                let row = &ring.row(bytes, y as isize)[ring.pixel..];
                program.output.apply(row, ring.pixel, logit_channels, &mut out[y * row_bytes..][..row_bytes]);
            }
            left = done[logits.0];
            if !observe(layers + 1) {
                return false;
            }
        }
        true
    }
}

/// What a layer fills.
struct Target<'a> {
    rows: Range<usize>,
    ring: &'a Ring,
    /// The ring's bytes.
    bytes: &'a mut [u8],
    /// Sums for all threads.
    scratch: &'a mut [i32],
}

/// Makes rows of a layer's output.
fn run_layer<'a, S: Split>(
    layer: &Layer,
    packed: &'a PackedLayer,
    input: &impl Fn(TensorId) -> (Ring, &'a [u8]),
    target: Target<'_>,
    spread: &Spread<'_, S>,
) {
    let ring = target.ring;
    match (&layer.kind, packed) {
        (LayerKind::Convolution(convolution), PackedLayer::Convolution(packed, packed_up)) => {
            let mut direct = [None; MOST_DIRECT];
            let sources = convolution.sources.iter().filter(|source| !source.up);
            direct.iter_mut().zip(sources).for_each(|(slot, source)| *slot = Some(input(source.tensor)));
            let up = packed_up.as_deref().zip(convolution.sources.iter().find(|source| source.up)).map(|(packed, source)| {
                let (ring, bytes) = input(source.tensor);
                UpSource { packed, ring, bytes }
            });
            let sources = ConvSources { packed, direct, up };
            spread.rows(target, &|rows, out, scratch| sources.rows(rows, ring, out, scratch));
        }
        (LayerKind::Transposed { input: source, .. }, PackedLayer::Transposed(phases)) => {
            let source = input(*source);
            spread.rows(target, &|rows, out, _| transposed_rows(phases, source, rows, ring, out));
        }
        (LayerKind::MaxPool { input: source }, _) => {
            let (source, bytes) = input(*source);
            spread.rows(target, &|rows, out, _| {
                for (y, out) in rows.zip(out.chunks_exact_mut(ring.stride)) {
                    let row = |y: usize| source.row(bytes, y as isize);
                    max_pool_row(row(2 * y), row(2 * y + 1), ring.pixel, &mut out[ring.pixel..][..ring.width * ring.pixel]);
                }
            });
        }
        // Layers are packed by their own kind.
        (LayerKind::Convolution(_) | LayerKind::Transposed { .. }, _) => {}
    }
}

/// Spreads the rows of a layer over threads.
struct Spread<'a, S> {
    split: &'a S,
    pieces: usize,
    scratch_each: usize,
}

type Work<'a> = &'a (dyn Fn(Range<usize>, &mut [u8], &mut [i32]) + Sync);

impl<S: Split> Spread<'_, S> {
    /// `work` gets rows, the bytes of just these rows, and sums of its own.
    fn rows(&self, target: Target<'_>, work: Work<'_>) {
        let Target { rows, ring, bytes, scratch } = target;
        // The ring wraps around at most once, since it holds all rows of a band.
        let first = rows.start % ring.capacity;
        let until_wrap = rows.len().min(ring.capacity - first);
        let (head, tail) = bytes[..ring.capacity * ring.stride].split_at_mut(first * ring.stride);
        let middle = rows.start + until_wrap;
        self.part(rows.start..middle, ring.stride, tail, scratch, self.pieces, work);
        if middle < rows.end {
            self.part(middle..rows.end, ring.stride, head, scratch, self.pieces, work);
        }
    }

    fn part(&self, rows: Range<usize>, stride: usize, own: &mut [u8], scratch: &mut [i32], pieces: usize, work: Work<'_>) {
        let own = &mut own[..rows.len() * stride];
        if pieces < 2 || rows.len() < 2 {
            return work(rows, own, &mut scratch[..self.scratch_each]);
        }
        let half = pieces / 2;
        let middle = rows.start + rows.len() * half / pieces;
        let (upper, lower) = own.split_at_mut((middle - rows.start) * stride);
        let (upper_scratch, lower_scratch) = scratch.split_at_mut(half * self.scratch_each);
        self.split.join(
            || self.part(rows.start..middle, stride, upper, upper_scratch, half, work),
            || self.part(middle..rows.end, stride, lower, lower_scratch, pieces - half, work),
        );
    }
}
