//! A batch in parts that go through the network one after the other.

use crate::data::Batch;
use crate::processes::Share;
use crate::run::Run;
use crate::sampler::SampledGroup;

/// Some of a batch's groups, and the pixels of this process's share of their blocks.
pub(super) struct Part<'a> {
    pub(super) groups: &'a [SampledGroup],
    /// Blocks of the share.
    pub(super) blocks: usize,
    /// As in [`Batch`], of this part alone.
    pub(super) images: &'a [u8],
    pub(super) valid: Option<&'a [u8]>,
    pub(super) classes: Option<&'a [u8]>,
}

impl Part<'_> {
    /// Valid pixels of each block of the share.
    pub(super) fn valid_pixels(&self) -> Vec<u32> {
        let pixels = self.images.len() / 3 / self.blocks.max(1);
        match self.valid {
            None => vec![pixels as u32; self.blocks],
            Some(valid) => valid.chunks_exact(pixels).map(|block| block.iter().map(|&v| u32::from(v != 0)).sum()).collect(),
        }
    }
}

/// The batch in parts of `groups_at_once` groups.
pub(super) fn parts<'a>(batch: &'a Batch, run: &Run, share: &Share) -> Vec<Part<'a>> {
    let pixels = run.block_pixels();
    let blocks = share.range().len();
    let parts = batch.groups.chunks(run.config.groups_at_once).enumerate();
    parts
        .map(|(i, groups)| {
            let of = |per_block: usize| i * blocks * per_block..(i + 1) * blocks * per_block;
            Part {
                groups,
                blocks,
                images: &batch.images[of(3 * pixels)],
                valid: batch.valid.as_deref().map(|valid| &valid[of(pixels)]),
                classes: batch.classes.as_deref().map(|classes| &classes[of(pixels)]),
            }
        })
        .collect()
}
