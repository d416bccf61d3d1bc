//! Feature maps as the kernels store them: `[images][channel groups][height][width][lanes]`, the channels of a group side by side, and the
//! channels that fill up the last group zero.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Shape of a feature map of one batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocked {
    pub(super) images: usize,
    /// Groups of channels.
    pub(super) groups: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) lanes: usize,
}

impl Blocked {
    /// Numbers of one group of channels of one image.
    pub(super) fn plane(self) -> usize {
        self.height * self.width * self.lanes
    }

    /// Numbers of one image.
    pub(super) fn image(self) -> usize {
        self.groups * self.plane()
    }

    /// All numbers.
    pub(super) fn len(self) -> usize {
        self.images * self.image()
    }

    /// Numbers of one row of one group.
    pub(super) fn row(self) -> usize {
        self.width * self.lanes
    }

    /// The map in strips of so many rows, the last of an image perhaps fewer: for each image and strip, in order, the rows of every group.
    pub(super) fn strips<'a>(self, data: &'a mut [f32], rows: usize) -> Vec<Vec<&'a mut [f32]>> {
        let strips = self.height.div_ceil(rows);
        let mut all: Vec<Vec<&'a mut [f32]>> = (0..self.images * strips).map(|_| Vec::with_capacity(self.groups)).collect();
        for (image, data) in data.chunks_exact_mut(self.image()).enumerate() {
            for plane in data.chunks_exact_mut(self.plane()) {
                for (strip, rows) in plane.chunks_mut(rows * self.row()).enumerate() {
                    all[image * strips + strip].push(rows);
                }
            }
        }
        all
    }

    /// The image and the rows of a strip, in the order of [`Blocked::strips`].
    pub(super) fn strip(self, index: usize, rows: usize) -> (usize, Range<usize>) {
        let strips = self.height.div_ceil(rows);
        let first = index % strips * rows;
        (index / strips, first..(first + rows).min(self.height))
    }
}

/// Memory for feature maps that is kept from step to step: the pages of fresh memory would have to be cleared by the system every time.
/// Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct FeatureMemory(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    /// Images, height and width of the batch that it is for.
    size: [usize; 3],
    free: Vec<Vec<f32>>,
}

impl FeatureMemory {
    /// Forgets what was kept for a batch of another size.
    pub(super) fn prepare(&self, size: [usize; 3]) {
        let mut kept = self.kept();
        if kept.size != size {
            *kept = Kept { size, free: Vec::new() };
        }
    }

    /// So many numbers, of any value.
    pub(super) fn take(&self, len: usize) -> Vec<f32> {
        let kept = {
            let free = &mut self.kept().free;
            free.iter().position(|buffer| buffer.len() == len).map(|index| free.swap_remove(index))
        };
        kept.unwrap_or_else(|| vec![0.0; len])
    }

    /// Takes them back.
    pub(super) fn give(&self, buffer: Vec<f32>) {
        self.kept().free.push(buffer);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        // A list of buffers is whole whoever panicked while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
