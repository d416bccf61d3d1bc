//! One batch: sampled, read, with replacements for what cannot be read, and changed.

use super::{Batch, LoaderSettings, OnCorrupt, SkippedImage};
use crate::data::reader::no_valid_pixel;
use crate::data::{BlockPixels, UNKNOWN_CLASS};
use crate::error::{Error, Result};
use crate::loss::valid_pixels;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Most blocks that are tried in the place of one: a label of which so many in a row cannot be read has none worth training on.
const MAX_ATTEMPTS: usize = 256;

/// Makes batches; shared by the workers, without a state of its own.
pub(super) struct Maker {
    settings: LoaderSettings,
    stop: Arc<AtomicBool>,
}

impl Maker {
    pub(super) fn new(settings: LoaderSettings, stop: Arc<AtomicBool>) -> Self {
        Self { settings, stop }
    }

    /// Turns a panic of `make` (of a decoder, on a file that nobody has foreseen) into an error.
    pub(super) fn guarded<T>(&self, step: usize, make: impl FnOnce() -> Result<T>) -> Result<T> {
        std::panic::catch_unwind(AssertUnwindSafe(make)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.to_owned())).unwrap_or_default();
            Err(Error::Training { step, reason: format!("a thread that loads blocks has failed: {text}") })
        })
    }

    /// The batch of a step; nothing when the loader ends meanwhile.
    pub(super) fn batch(&self, step: usize) -> Result<Option<Batch>> {
        let LoaderSettings { reader, sampler, augmentation, seed, share, .. } = &self.settings;
        let size = reader.block_size();
        let area = size.0 as usize * size.1 as usize;
        let mut groups = sampler.groups(step);
        let places = groups.iter().enumerate().flat_map(|(group, all)| (0..all.blocks.len()).map(move |place| (group, place)));
        // Each block's place in the whole batch, its group, and its place in the group.
        let own: Vec<(usize, usize, usize)> =
            places.enumerate().filter(|(slot, _)| share.has(*slot)).map(|(slot, (group, place))| (slot, group, place)).collect();
        let count = own.len();
        let mut batch = Batch {
            step,
            groups: Vec::new(),
            members: self.settings.windows.as_ref().map(|_| Vec::with_capacity(count)),
            images: Vec::with_capacity(3 * area * count),
            valid: None,
            classes: None,
            skipped: Vec::new(),
        };
        for (read, (slot, group, place)) in own.into_iter().enumerate() {
            let group = &mut groups[group];
            if self.stop.load(Ordering::Relaxed) {
                return Ok(None);
            }
            let index = group.blocks[place];
            let mut pixels = match self.read(index) {
                Ok(pixels) => pixels,
                Err(error) => {
                    self.skip(index, error, &mut batch.skipped)?;
                    let (index, pixels) = self.replacement(step, slot, group.label, &group.blocks, &mut batch.skipped)?;
                    group.blocks[place] = index;
                    pixels
                }
            };
            augmentation.apply(&mut pixels, size, *seed, step, slot)?;
            if let (Some(members), Some(windows)) = (&mut batch.members, &self.settings.windows) {
                let mut own = windows.members(group.blocks[place], augmentation.symmetry(*seed, step, slot));
                own.retain(|member| valid_pixels(member, pixels.valid.as_deref(), size.0 as usize) > 0);
                members.push(own);
            }
            batch.images.extend_from_slice(&pixels.rgb);
            append(&mut batch.valid, pixels.valid, read, count, area, 1);
            append(&mut batch.classes, pixels.classes, read, count, area, UNKNOWN_CLASS);
        }
        batch.groups = groups;
        Ok(Some(batch))
    }

    /// Reads a block, or a window, which needs a label block with a valid pixel.
    fn read(&self, index: usize) -> Result<BlockPixels> {
        let LoaderSettings { reader, windows, .. } = &self.settings;
        let pixels = reader.read(index)?;
        if let Some(windows) = windows {
            let (valid, width) = (pixels.valid.as_deref(), reader.block_size().0 as usize);
            if windows.members(index, 0).iter().all(|member| valid_pixels(member, valid, width) == 0) {
                return Err(no_valid_pixel(&reader.blocks()[index]));
            }
        }
        Ok(pixels)
    }

    /// Notes a block that cannot be used, or gives the error back where nothing is to be skipped. Blocks without a valid pixel always are.
    fn skip(&self, index: usize, error: Error, skipped: &mut Vec<SkippedImage>) -> Result<()> {
        // Anything else (closed masks, a block outside its image) is a mistake in the settings, which skipping would hide.
        let by_image = matches!(error, Error::File { .. } | Error::Io { .. });
        // A block under a pen mark is no fault of the data.
        let masked_out = matches!(error, Error::NoValidPixel { .. });
        if !masked_out && (self.settings.on_corrupt == OnCorrupt::Stop || !by_image) {
            return Err(error);
        }
        let image = self.settings.reader.blocks()[index].image.clone();
        let note = SkippedImage { image, reason: error.to_string() };
        if !skipped.contains(&note) {
            skipped.push(note);
        }
        Ok(())
    }

    /// A readable block of the label; one that is in the group already only where there is no other.
    fn replacement(
        &self,
        step: usize,
        slot: usize,
        label: usize,
        group: &[usize],
        skipped: &mut Vec<SkippedImage>,
    ) -> Result<(usize, BlockPixels)> {
        let LoaderSettings { sampler, .. } = &self.settings;
        let candidates = sampler.candidates(label);
        let attempts: Vec<usize> =
            (0..candidates.min(MAX_ATTEMPTS)).filter_map(|attempt| sampler.replacement(step, slot, attempt, label)).collect();
        let (known, new): (Vec<usize>, Vec<usize>) = attempts.iter().partition(|index| group.contains(index));
        for index in new.into_iter().chain(known) {
            match self.read(index) {
                Ok(pixels) => return Ok((index, pixels)),
                Err(error) => self.skip(index, error, skipped)?,
            }
        }
        let last = skipped.last().map(|skipped| skipped.reason.clone()).unwrap_or_default();
        let reason = format!("none of {} blocks of z {label} can be read ({candidates} in all); the last: {last}", attempts.len());
        Err(Error::Training { step, reason })
    }
}

/// Appends a block's plane to a batch's, which begins to exist with the first block that has one.
fn append(planes: &mut Option<Vec<u8>>, plane: Option<Vec<u8>>, slot: usize, count: usize, area: usize, default: u8) {
    if planes.is_none() && plane.is_none() {
        return;
    }
    let planes = planes.get_or_insert_with(|| {
        let mut planes = Vec::with_capacity(count * area);
        planes.resize(slot * area, default);
        planes
    });
    match plane {
        Some(plane) => planes.extend_from_slice(&plane),
        None => planes.resize((slot + 1) * area, default),
    }
}
