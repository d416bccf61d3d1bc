//! The pixels of one block at a time, from the images or from a cache, for many threads.

use super::cache::{BlockCache, CacheKey, Found, Stored};
use super::source::ImageSource;
use super::store::{ImageStore, Mask};
use super::{Block, Dataset, UNKNOWN_CLASS, check_inside};
use crate::error::{Error, Result};
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How blocks are read.
#[derive(Debug, Clone)]
pub struct ReaderOptions {
    /// Most bytes of decoded images and masks that are kept.
    pub memory_bytes: u64,
    /// File that holds (or will hold) the pixels of all blocks.
    pub cache: Option<PathBuf>,
    /// For every block, whether its pixels' classes may be read from the masks; empty: of none.
    pub with_masks: Vec<bool>,
    /// Number of classes of the masks, from 2 on.
    pub classes: usize,
}

impl Default for ReaderOptions {
    fn default() -> Self {
        Self { memory_bytes: 1 << 30, cache: None, with_masks: Vec::new(), classes: 2 }
    }
}

/// The pixels of a block, row by row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockPixels {
    /// 8-bit RGB, `[h, w, 3]`.
    pub rgb: Vec<u8>,
    /// 1 where a pixel counts, 0 where it does not, `[h, w]`; nothing when all of them count.
    pub valid: Option<Vec<u8>>,
    /// Class of every pixel, 255 where unknown, `[h, w]`; nothing unless the block's mask may be read.
    pub classes: Option<Vec<u8>>,
}

/// What happens while a cache is made.
#[derive(Debug)]
pub enum CacheEvent {
    /// The file that is there does not fit; it is built anew.
    Rebuild {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// So many blocks of all of them are done.
    Progress {
        /// Blocks done.
        done: usize,
        /// All blocks.
        blocks: usize,
    },
    /// A block cannot be read; it will be asked for again when it is sampled.
    Unreadable(Error),
}

/// Reads blocks by index. Memory does not grow with their number.
pub struct BlockReader {
    store: ImageStore,
    blocks: Arc<Vec<Block>>,
    cache: Option<BlockCache>,
    with_masks: Vec<bool>,
    size: (u32, u32),
}

impl BlockReader {
    /// A reader of blocks of one size. With a cache, the file is built first where it is not there or holds something else.
    ///
    /// # Errors
    /// No block, blocks of different sizes, `with_masks` of another length than the blocks; a cache that is cut short or cannot be written.
    pub fn new(data: Dataset, blocks: Arc<Vec<Block>>, options: ReaderOptions) -> Result<Self> {
        Self::with_events(data, blocks, options, |_| Ok(()))
    }

    /// As [`BlockReader::new`], telling what happens to the cache; an error from `event` ends the building.
    ///
    /// # Errors
    /// As [`BlockReader::new`], and those of `event`.
    pub fn with_events(
        data: Dataset,
        blocks: Arc<Vec<Block>>,
        options: ReaderOptions,
        event: impl FnMut(CacheEvent) -> Result<()>,
    ) -> Result<Self> {
        let ReaderOptions { memory_bytes, cache, with_masks, classes } = options;
        let first = blocks.first().ok_or_else(|| Error::setting("blocks", "at least one block", 0))?;
        let size = (first.width, first.height);
        if let Some(other) = blocks.iter().find(|block| (block.width, block.height) != size) {
            let expected = format!("blocks of one size ({} x {} px, as the first)", size.0, size.1);
            return Err(Error::setting("blocks", expected, format!("{} x {} px in '{}'", other.width, other.height, other.image)));
        }
        if size.0 == 0 || size.1 == 0 {
            return Err(Error::setting("blocks", "a width and height above 0", format!("{} x {} px", size.0, size.1)));
        }
        if !with_masks.is_empty() && with_masks.len() != blocks.len() {
            return Err(Error::setting("with_masks", format!("one entry for each of {} blocks", blocks.len()), with_masks.len()));
        }
        if !(2..=usize::from(UNKNOWN_CLASS)).contains(&classes) {
            return Err(Error::setting("classes", "2 to 255", classes));
        }
        let mut reader = Self { store: ImageStore::new(data, classes, memory_bytes), blocks, cache: None, with_masks, size };
        if let Some(path) = cache {
            reader.cache = Some(reader.open_cache(&path, event)?);
        }
        Ok(reader)
    }

    /// The blocks.
    pub fn blocks(&self) -> &Arc<Vec<Block>> {
        &self.blocks
    }

    /// Width and height of every block in pixels.
    pub fn block_size(&self) -> (u32, u32) {
        self.size
    }

    /// The images behind the blocks.
    pub fn store(&self) -> &ImageStore {
        &self.store
    }

    /// The pixels of a block.
    ///
    /// # Errors
    /// An index that is none, an image or mask that cannot be read, a block outside its image; [`Error::NoValidPixel`].
    pub fn read(&self, index: usize) -> Result<BlockPixels> {
        let block = self.block(index)?;
        let cached = self.cache.as_ref().map(|cache| cache.read(index)).transpose()?;
        let mut pixels = match cached {
            Some(Stored::Pixels(pixels)) => pixels,
            Some(Stored::NoValidPixel) => return Err(no_valid_pixel(block)),
            // The image gives the reason, or the pixels where it has been mended.
            Some(Stored::Unreadable) | None => self.open_image(&block.image)?.read(block)?,
        };
        if self.with_masks.get(index) == Some(&true)
            && let Some(classes) = self.store.classes(&block.image)?
        {
            pixels.classes = Some(crop(&classes, block)?);
        }
        Ok(pixels)
    }

    fn block(&self, index: usize) -> Result<&Block> {
        self.blocks.get(index).ok_or_else(|| Error::setting("block", format!("an index below {}", self.blocks.len()), index))
    }

    fn open_image(&self, name: &str) -> Result<OpenImage> {
        Ok(OpenImage { source: self.store.source(name)?, valid: self.store.validity(name)? })
    }

    fn open_cache(&self, path: &Path, mut event: impl FnMut(CacheEvent) -> Result<()>) -> Result<BlockCache> {
        let key = self.cache_key()?;
        match BlockCache::open(path, &key)? {
            Found::Fits(cache) => return Ok(cache),
            Found::Other(reason) => event(CacheEvent::Rebuild { path: path.to_owned(), reason })?,
            Found::Nothing => {}
        }
        // Image by image, so that each is decoded once however small the memory.
        let mut order: Vec<usize> = (0..self.blocks.len()).collect();
        order.sort_by_key(|&index| {
            let block = &self.blocks[index];
            (&block.image, block.y, block.x, index)
        });
        let mut current: Option<(&str, Result<OpenImage>)> = None;
        let blocks = order.iter().enumerate().map(|(done, &index)| {
            let block = &self.blocks[index];
            if current.as_ref().is_none_or(|(name, _)| *name != block.image) {
                current = Some((&block.image, self.open_image(&block.image)));
            }
            let pixels = match &current {
                Some((_, Ok(image))) => image.read(block),
                // Asked again, the store gives the same error.
                _ => self.open_image(&block.image).and_then(|image| image.read(block)),
            };
            let stored = match pixels {
                Ok(pixels) => Stored::Pixels(pixels),
                Err(error) => {
                    let stored = if matches!(error, Error::NoValidPixel { .. }) { Stored::NoValidPixel } else { Stored::Unreadable };
                    event(CacheEvent::Unreadable(error))?;
                    stored
                }
            };
            event(CacheEvent::Progress { done: done + 1, blocks: self.blocks.len() })?;
            Ok((index, stored))
        });
        BlockCache::build(path, &key, blocks)?;
        match BlockCache::open(path, &key)? {
            Found::Fits(cache) => Ok(cache),
            _ => Err(Error::file(path, "the cache is not what was written: another process replaced it")),
        }
    }

    /// What the cache depends on: places of the blocks, content of the images and validity masks. Labels may change.
    fn cache_key(&self) -> Result<CacheKey> {
        let names: BTreeSet<&str> = self.blocks.iter().map(|block| block.image.as_str()).collect();
        let mut hash = Sha256::new();
        hash.update(self.store.data().digest(names.into_iter())?);
        for block in self.blocks.iter() {
            hash.update(format!("{},{},{},{},{}\n", block.image, block.x, block.y, block.width, block.height));
        }
        Ok(CacheKey { width: self.size.0, height: self.size.1, blocks: self.blocks.len() as u64, digest: hash.finalize().into() })
    }
}

/// An image with its validity, held for as long as blocks are read from it.
struct OpenImage {
    source: Arc<dyn ImageSource>,
    valid: Option<Arc<Mask>>,
}

impl OpenImage {
    fn read(&self, block: &Block) -> Result<BlockPixels> {
        check_inside(block, self.source.size())?;
        let valid = self.valid.as_ref().map(|valid| crop(valid, block)).transpose()?;
        if valid.as_ref().is_some_and(|valid| valid.iter().all(|&counts| counts == 0)) {
            return Err(no_valid_pixel(block));
        }
        let rgb = self.source.window(block.x, block.y, block.width, block.height)?.into_raw();
        Ok(BlockPixels { rgb, valid: valid.filter(|valid| valid.contains(&0)), classes: None })
    }
}

pub(super) fn no_valid_pixel(block: &Block) -> Error {
    Error::NoValidPixel { block: format!("{} x {} px at ({}, {}) of '{}'", block.width, block.height, block.x, block.y, block.image) }
}

/// The part of a mask that belongs to a block.
fn crop(mask: &Mask, block: &Block) -> Result<Vec<u8>> {
    check_inside(block, mask.size)?;
    let (width, side) = (block.width as usize, mask.size.0 as usize);
    let mut part = Vec::with_capacity(width * block.height as usize);
    for y in block.y..block.y + block.height {
        let start = y as usize * side + block.x as usize;
        part.extend_from_slice(&mask.values[start..start + width]);
    }
    Ok(part)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::{GrayImage, Luma};

    fn block(image: &str, x: u32, y: u32) -> Block {
        Block { image: image.to_owned(), x, y, width: 8, height: 6, probability: 0.5, z: 0 }
    }

    /// Two images of 20 x 16 px; 'a' has a validity mask, black on its left half, and a mask of classes.
    fn shop() -> (tempfile::TempDir, Dataset, Arc<Vec<Block>>) {
        let folder = crate::data::tests::folder(&[("a", 20, 16), ("b", 20, 16)]);
        std::fs::create_dir(folder.path().join("valid")).unwrap();
        GrayImage::from_fn(20, 16, |x, _| Luma([if x < 10 { 0 } else { 255 }])).save(folder.path().join("valid/a.png")).unwrap();
        GrayImage::from_fn(20, 16, |x, y| Luma([(x % 2 * 2 + y % 2) as u8])).save(folder.path().join("masks/a.png")).unwrap();
        let data = Dataset::open(&[folder.path().to_owned()]).unwrap();
        let blocks = vec![block("b", 3, 2), block("a", 6, 5), block("b", 0, 0), block("a", 12, 10), block("a", 1, 0)];
        (folder, data, Arc::new(blocks))
    }

    #[test]
    fn pixels_validity_and_classes_are_cut_at_the_block() {
        let (_folder, data, blocks) = shop();
        let options = ReaderOptions { with_masks: vec![false, true, false, true, false], classes: 4, ..ReaderOptions::default() };
        let reader = BlockReader::new(data.clone(), blocks.clone(), options).unwrap();
        let image = data.image("a").unwrap();
        let pixels = reader.read(1).unwrap();
        assert_eq!(pixels.rgb, image::imageops::crop_imm(&image, 6, 5, 8, 6).to_image().into_raw());
        assert_eq!(pixels.valid.unwrap()[..8], [0, 0, 0, 0, 1, 1, 1, 1]);
        assert_eq!(pixels.classes.unwrap()[..10], [1, 3, 1, 3, 1, 3, 1, 3, 0, 2]);
        let pixels = reader.read(3).unwrap();
        assert!(pixels.valid.is_none(), "every pixel counts");
        assert!(pixels.classes.is_some());
        assert_eq!((reader.read(0).unwrap().valid, reader.read(0).unwrap().classes), (None, None));
        let error = reader.read(4).unwrap_err();
        assert!(matches!(&error, Error::NoValidPixel { block } if block.contains("(1, 0) of 'a'")), "{error}");
        assert!(reader.read(5).is_err());
        let closed =
            BlockReader::new(data.without_masks(), blocks, ReaderOptions { with_masks: vec![true; 5], ..ReaderOptions::default() })
                .unwrap();
        assert!(closed.read(0).unwrap_err().to_string().contains("masks are closed"));
    }

    #[test]
    fn the_cache_gives_the_bytes_of_the_images_and_each_image_is_decoded_once() {
        let (folder, data, blocks) = shop();
        let cache = folder.path().join("blocks.cache");
        let images = BlockReader::new(data.clone(), blocks.clone(), ReaderOptions::default()).unwrap();
        // A bound of 0 bytes: nothing is kept, so that a second decoding would be seen.
        let options = ReaderOptions { cache: Some(cache.clone()), memory_bytes: 0, ..ReaderOptions::default() };
        let (mut done, mut unreadable) = (Vec::new(), 0);
        let reader = BlockReader::with_events(data.clone(), blocks.clone(), options.clone(), |event| {
            match event {
                CacheEvent::Progress { done: count, blocks: 5 } => done.push(count),
                CacheEvent::Unreadable(Error::NoValidPixel { .. }) => unreadable += 1,
                other => panic!("{other:?}"),
            }
            Ok(())
        })
        .unwrap();
        assert_eq!((done, unreadable), (vec![1, 2, 3, 4, 5], 1));
        assert_eq!(reader.store().loads(), 4, "two images, two validity masks");
        for index in 0..4 {
            assert_eq!(reader.read(index).unwrap(), images.read(index).unwrap());
        }
        assert_eq!(reader.store().loads(), 4, "the cache is enough");
        assert!(matches!(reader.read(4), Err(Error::NoValidPixel { .. })));
        assert_eq!(reader.store().loads(), 4, "and knows the block without a valid pixel");
        let (first, again) = (std::fs::read(&cache).unwrap(), folder.path().join("again.cache"));
        BlockReader::new(data.clone(), blocks.clone(), ReaderOptions { cache: Some(again.clone()), ..ReaderOptions::default() }).unwrap();
        assert!(first == std::fs::read(&again).unwrap(), "the same blocks make the same bytes");
        // It is used as it is, until an image changes.
        BlockReader::with_events(data.clone(), blocks.clone(), options.clone(), |event| panic!("{event:?}")).unwrap();
        image::RgbImage::from_pixel(20, 16, image::Rgb([1, 2, 3])).save(folder.path().join("images/b.png")).unwrap();
        let mut rebuilt = 0;
        let reader = BlockReader::with_events(data, blocks, options, |event| {
            rebuilt += usize::from(matches!(event, CacheEvent::Rebuild { .. }));
            Ok(())
        })
        .unwrap();
        assert_eq!(rebuilt, 1);
        assert_eq!(reader.read(0).unwrap().rgb[..3], [1, 2, 3]);
    }

    #[test]
    fn lists_that_cannot_be_are_refused() {
        let (_folder, data, blocks) = shop();
        let new =
            |blocks: Vec<Block>, options| BlockReader::new(data.clone(), Arc::new(blocks), options).map(|_| ()).unwrap_err().to_string();
        assert!(new(vec![], ReaderOptions::default()).contains("at least one block"));
        let mixed = vec![block("a", 0, 0), Block { width: 9, ..block("b", 0, 0) }];
        assert!(new(mixed, ReaderOptions::default()).contains("9 x 6 px in 'b'"));
        let options = ReaderOptions { with_masks: vec![true], ..ReaderOptions::default() };
        assert!(new(blocks.to_vec(), options).contains("5 blocks"));
        assert!(new(blocks.to_vec(), ReaderOptions { classes: 256, ..ReaderOptions::default() }).contains("2 to 255"));
        let outside = BlockReader::new(data.clone(), Arc::new(vec![block("a", 15, 0)]), ReaderOptions::default()).unwrap();
        assert!(outside.read(0).unwrap_err().to_string().contains("inside its image of 20 x 16"));
    }
}
