//! Runs a network band by band, in memory that was planned before.

use super::aligned::Aligned;
use super::conv::{ConvSources, transposed_rows};
use super::network::{Layer, LayerKind, MOST_DIRECT, TensorId};
use super::plan::{Plan, available};
use super::pool::max_pool_row;
use super::program::{PackedLayer, Program};
use super::rows::Ring;
use super::split::Split;
use super::spread::{Spread, Target};
use super::up::UpSource;
use alloc::sync::Arc;
use alloc::vec;
use alloc::vec::Vec;

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
            for (index, (layer, packed)) in program.network().layers.iter().zip(program.packed()).enumerate() {
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
