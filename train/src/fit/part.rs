//! A batch in parts that go through the network one after the other.

use crate::data::{Batch, Member};
use crate::processes::Share;
use crate::run::Run;
use crate::sampler::SampledGroup;
use std::borrow::Cow;

/// Some of a batch's groups, and the pixels of this process's share of their blocks.
pub(super) struct Part<'a> {
    /// With windows, each of their label blocks is a group.
    pub(super) groups: Cow<'a, [SampledGroup]>,
    /// With windows, the folder of data that each is from.
    pub(super) folders: Vec<usize>,
    /// With windows, the label blocks in each.
    pub(super) members: Option<&'a [Vec<Member>]>,
    /// Blocks of the share, or windows.
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
    let (width, height) = run.sample_size();
    let pixels = width * height;
    let blocks = share.range().len();
    let parts = batch.groups.chunks(run.config.groups_at_once).enumerate();
    parts
        .map(|(i, groups)| {
            let of = |per_block: usize| i * blocks * per_block..(i + 1) * blocks * per_block;
            let members = batch.members.as_deref().map(|members| &members[of(1)]);
            Part {
                folders: members.map_or(Vec::new(), |_| groups.iter().map(|group| group.label).collect()),
                groups: members.map_or(Cow::Borrowed(groups), |members| Cow::Owned(label_groups(members, run))),
                members,
                blocks,
                images: &batch.images[of(3 * pixels)],
                valid: batch.valid.as_deref().map(|valid| &valid[of(pixels)]),
                classes: batch.classes.as_deref().map(|classes| &classes[of(pixels)]),
            }
        })
        .collect()
}

/// A group of each label block.
pub(super) fn label_groups(members: &[Vec<Member>], run: &Run) -> Vec<SampledGroup> {
    members.iter().flatten().map(|member| SampledGroup { label: run.blocks[member.block].z, blocks: vec![member.block] }).collect()
}
