//! Which rows live when: bands, rings and the arena, worked out before the first field.
//!
//! A field goes through the network in bands of rows. In each step every layer makes the rows that its inputs allow by then. A tensor keeps a
//! row until the last layer that reads it has gone past: its ring is as high as the most rows that ever live at once. Where one band is the
//! whole field, tensors that never live at the same time share memory.

use super::network::{Layer, LayerKind, Network, Source};
use super::rows::{Ring, pixel_bytes, row_bytes};
use super::up::scratch_len;
use alloc::vec;
use alloc::vec::Vec;

/// What the rings should fit into, unless the smallest band needs more. Measured: see README, "int8".
pub const DEFAULT_ARENA_BYTES: usize = 32 << 20;

/// Memory and order of work for images of one size.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Height of the images.
    pub height: usize,
    /// Width of the images.
    pub width: usize,
    /// Rows of the image that are taken in at a time.
    pub band: usize,
    pub(super) rings: Vec<Ring>,
    /// Bytes of all rings.
    pub ring_bytes: usize,
    /// Sums of one thread, in i32.
    pub(super) scratch: usize,
    /// Threads that have sums of their own.
    pub(super) threads: usize,
}

impl Plan {
    /// Threads that it has memory for.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Plans for a checked network and images whose sides are multiples of its alignment. The band is the largest whose rings fit into
    /// `arena_bytes`; `outputs` gives the vectors that a layer's outputs fill, and their lanes.
    pub(super) fn new(
        network: &Network,
        [height, width]: [usize; 2],
        arena_bytes: usize,
        threads: usize,
        outputs: impl Fn(usize) -> (usize, usize),
    ) -> Self {
        let step = network.alignment();
        let mut band = height;
        let (rings, ring_bytes) = loop {
            let (rings, bytes) = lay_out(network, height, width, band);
            if bytes <= arena_bytes || band <= step {
                break (rings, bytes);
            }
            band = (band / 2).next_multiple_of(step).min(band - step).max(step);
        };
        let scratch = network.layers.iter().map(|layer| match &layer.kind {
            LayerKind::Convolution(convolution) => convolution.sources.iter().find(|source| source.up).map_or(0, |source| {
                let (vectors, lanes) = outputs(network.tensors[layer.output.0].channels);
                scratch_len(vectors, lanes, rings[source.tensor.0].width)
            }),
            _ => 0,
        });
        // Each thread's sums in cache lines of their own.
        let scratch = scratch.max().unwrap_or(0).next_multiple_of(16);
        Self { height, width, band, rings, ring_bytes, scratch, threads }
    }

    /// Everything that a session allocates for pixels and sums, bytes.
    pub fn arena_bytes(&self) -> usize {
        self.ring_bytes + self.threads * self.scratch * size_of::<i32>()
    }
}

/// Rows of a layer's output that can be made when `done` rows of each tensor are.
pub(super) fn available(layer: &Layer, rings: &[Ring], done: &[usize]) -> usize {
    let of = |source: Source| {
        let (rows, height, own) = (done[source.tensor.0], rings[source.tensor.0].height, rings[layer.output.0].height);
        match &layer.kind {
            _ if rows == height => own,
            LayerKind::MaxPool { .. } => rows / 2,
            LayerKind::Transposed { .. } => 2 * rows,
            LayerKind::Convolution(_) if source.up => (2 * rows).saturating_sub(1),
            LayerKind::Convolution(convolution) => rows.saturating_sub(convolution.kernel / 2),
        }
    };
    layer.sources().map(of).min().unwrap_or(0)
}

/// First row of a source that a layer needs to make row `y` and those below it.
fn first_needed(layer: &Layer, source: Source, y: usize) -> usize {
    match &layer.kind {
        LayerKind::MaxPool { .. } => 2 * y,
        LayerKind::Transposed { .. } => y / 2,
        LayerKind::Convolution(_) if source.up => y.saturating_sub(1) / 2,
        LayerKind::Convolution(convolution) => y.saturating_sub(convolution.kernel / 2),
    }
}

/// Rings for a band, and the bytes of all of them.
fn lay_out(network: &Network, height: usize, width: usize, band: usize) -> (Vec<Ring>, usize) {
    let mut rings: Vec<Ring> = network
        .tensors
        .iter()
        .map(|tensor| {
            let (pixel, width) = (pixel_bytes(tensor.channels), width >> tensor.level);
            Ring { offset: 0, capacity: 0, height: height >> tensor.level, width, pixel, stride: row_bytes(width, pixel) }
        })
        .collect();
    let capacities = capacities(network, &rings, height, band);
    for (ring, capacity) in rings.iter_mut().zip(capacities) {
        ring.capacity = capacity;
    }
    let bytes = if band >= height { share(network, &mut rings) } else { line_up(&mut rings) };
    (rings, bytes)
}

/// Most rows of each tensor that live at once, found by going through all steps.
fn capacities(network: &Network, rings: &[Ring], height: usize, band: usize) -> Vec<usize> {
    let mut readers: Vec<Vec<(usize, Source)>> = vec![Vec::new(); network.tensors.len()];
    for (index, layer) in network.layers.iter().enumerate() {
        layer.sources().for_each(|source| readers[source.tensor.0].push((index, source)));
    }
    let mut capacities = vec![1; network.tensors.len()];
    let mut done = vec![0; network.tensors.len()];
    let mut taken = 0;
    while taken < height {
        taken = (taken + band).min(height);
        let mut make = |tensor: usize, rows: usize, done: &mut Vec<usize>| {
            // Without a reader (the logits) what was made before this step has left already.
            let oldest = readers[tensor].iter().map(|&(layer, source)| {
                let layer = &network.layers[layer];
                first_needed(layer, source, done[layer.output.0]).min(rows)
            });
            let oldest = oldest.min().unwrap_or(done[tensor]);
            capacities[tensor] = capacities[tensor].max(rows - oldest);
            done[tensor] = rows;
        };
        make(0, taken, &mut done);
        for layer in &network.layers {
            let rows = available(layer, rings, &done);
            make(layer.output.0, rows, &mut done);
        }
    }
    capacities
}

/// Every ring has memory of its own.
fn line_up(rings: &mut [Ring]) -> usize {
    rings.iter_mut().fold(0, |offset, ring| {
        ring.offset = offset;
        offset + ring.bytes()
    })
}

/// Rings whose tensors never live at the same time share memory: largest first, each at the lowest place that is free while it lives.
fn share(network: &Network, rings: &mut [Ring]) -> usize {
    // Alive from the layer that makes it to the last that reads it, counted from 1; the image is there at 0, the logits stay.
    let end = network.layers.len() + 1;
    let mut life = vec![(0, 0); rings.len()];
    for (index, layer) in network.layers.iter().enumerate() {
        life[layer.output.0] = (index + 1, if index + 1 == network.layers.len() { end } else { index + 1 });
        layer.sources().for_each(|source| life[source.tensor.0].1 = life[source.tensor.0].1.max(index + 1));
    }
    let mut order: Vec<usize> = (0..rings.len()).collect();
    order.sort_by_key(|&tensor| (core::cmp::Reverse(rings[tensor].bytes()), tensor));
    let mut placed: Vec<usize> = Vec::new();
    for tensor in order {
        let mut taken: Vec<_> = placed
            .iter()
            .filter(|&&other| life[other].0 <= life[tensor].1 && life[tensor].0 <= life[other].1)
            .map(|&other| rings[other].range())
            .collect();
        taken.sort_by_key(|range| range.start);
        let mut offset = 0;
        for range in taken {
            if offset + rings[tensor].bytes() <= range.start {
                break;
            }
            offset = offset.max(range.end);
        }
        rings[tensor].offset = offset;
        placed.push(tensor);
    }
    rings.iter().map(|ring| ring.range().end).max().unwrap_or(0)
}
