//! The pixels of all blocks in one file, so that training reads each block with one read instead of decoding images again and again.
//!
//! ```text
//! 0   magic        8 bytes   "LSRBLOCK"
//! 8   version      u32       all numbers little-endian
//! 12  width        u32       of every block, in pixels
//! 16  height       u32
//! 20  zero         u32
//! 24  blocks       u64
//! 32  length       u64       of the whole file in bytes
//! 40  digest       32 bytes  of the list of blocks, the images and the validity masks
//! 72  place        u64 for each block: offset of its record; bit 63: with validity; 0: unreadable, see the image;
//!                  1: no valid pixel
//!     records      RGB, h * w * 3 bytes, then (with validity) h * w bytes, 1 where a pixel counts; in the images' order
//! ```
//!
//! Nothing but the file handle stays in memory.

use super::positioned::read_exact_at;
use super::reader::BlockPixels;
use crate::atomic;
use crate::error::{Error, Result};
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"LSRBLOCK";
const VERSION: u32 = 1;
const HEADER_BYTES: u64 = 72;
const WITH_VALIDITY: u64 = 1 << 63;
const UNREADABLE: u64 = 0;
const NO_VALID_PIXEL: u64 = 1;

/// What a cache knows of a block.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stored {
    /// Pixels and validity.
    Pixels(BlockPixels),
    /// All pixels are masked out.
    NoValidPixel,
    /// It could not be read when the cache was built.
    Unreadable,
}

/// What a cache file must be for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CacheKey {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) blocks: u64,
    /// SHA-256 of the list of blocks, the images and the validity masks.
    pub(super) digest: [u8; 32],
}

impl CacheKey {
    fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    fn header(&self, length: u64) -> Vec<u8> {
        let mut header = Vec::with_capacity(HEADER_BYTES as usize);
        header.extend(MAGIC);
        for number in [VERSION, self.width, self.height, 0] {
            header.extend(number.to_le_bytes());
        }
        header.extend(self.blocks.to_le_bytes());
        header.extend(length.to_le_bytes());
        header.extend(self.digest);
        header
    }
}

/// A file that was found in the cache's place.
#[derive(Debug)]
pub(super) enum Found {
    /// There is none.
    Nothing,
    /// It holds these blocks.
    Fits(BlockCache),
    /// It is a whole cache of something else, which may be replaced.
    Other(String),
}

/// An opened cache.
#[derive(Debug)]
pub(super) struct BlockCache {
    path: PathBuf,
    file: File,
    key: CacheKey,
    length: u64,
}

impl BlockCache {
    /// Opens a cache.
    ///
    /// # Errors
    /// A file that is no cache (it is never replaced) or that is cut short.
    pub(super) fn open(path: &Path, key: &CacheKey) -> Result<Found> {
        let failed = || Error::io("reading", path);
        let file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
            result => result.map_err(failed())?,
        };
        let found = file.metadata().map_err(failed())?.len();
        let mut header = vec![0; found.min(HEADER_BYTES) as usize];
        read_exact_at(&file, &mut header, 0).map_err(failed())?;
        if header.get(..MAGIC.len()) != Some(&MAGIC[..]) {
            return Err(Error::file(path, "this file is no cache of blocks (it is left as it is): give --cache another name"));
        }
        let cut = |expected: u64| {
            Error::file(path, format!("the cache is cut short: expected {expected} bytes, found {found}; delete it to build it anew"))
        };
        if found < HEADER_BYTES {
            return Err(cut(HEADER_BYTES));
        }
        let version = u32_at(&header, 8);
        if version != VERSION {
            return Ok(Found::Other(format!("it has version {version}, not {VERSION}")));
        }
        let length = u64_at(&header, 32);
        if length != found {
            return Err(cut(length));
        }
        if header != key.header(length) {
            return Ok(Found::Other("it holds other blocks or images".to_owned()));
        }
        Ok(Found::Fits(Self { path: path.to_owned(), file, key: key.clone(), length }))
    }

    /// Writes a cache; `blocks` gives the index of every block, each once, and what is to be known of it.
    ///
    /// # Errors
    /// [`Error::Io`], and whatever `blocks` fails with: there is no file then.
    pub(super) fn build(path: &Path, key: &CacheKey, blocks: impl Iterator<Item = Result<(usize, Stored)>>) -> Result<()> {
        atomic::write_with(path, |file| {
            let failed = || Error::io("writing", path);
            let mut places = vec![UNREADABLE; key.blocks as usize];
            let mut end = HEADER_BYTES + 8 * key.blocks;
            let mut writer = BufWriter::with_capacity(1 << 20, &mut *file);
            writer.seek(SeekFrom::Start(end)).map_err(failed())?;
            for block in blocks {
                let (index, stored) = block?;
                let Some(place) = places.get_mut(index) else { continue };
                let pixels = match stored {
                    Stored::Pixels(pixels) => pixels,
                    Stored::NoValidPixel => {
                        *place = NO_VALID_PIXEL;
                        continue;
                    }
                    Stored::Unreadable => continue,
                };
                *place = end;
                writer.write_all(&pixels.rgb).map_err(failed())?;
                end += pixels.rgb.len() as u64;
                if let Some(valid) = &pixels.valid {
                    *place |= WITH_VALIDITY;
                    writer.write_all(valid).map_err(failed())?;
                    end += valid.len() as u64;
                }
            }
            writer.seek(SeekFrom::Start(0)).map_err(failed())?;
            writer.write_all(&key.header(end)).map_err(failed())?;
            for place in places {
                writer.write_all(&place.to_le_bytes()).map_err(failed())?;
            }
            writer.flush().map_err(failed())?;
            drop(writer);
            // Without a single readable block the file would end before its own length.
            file.set_len(end).map_err(failed())
        })
    }

    /// What is known of a block.
    ///
    /// # Errors
    /// A place outside the file, a file that cannot be read.
    pub(super) fn read(&self, index: usize) -> Result<Stored> {
        let failed = || Error::io("reading", &self.path);
        let mut place = [0; 8];
        read_exact_at(&self.file, &mut place, HEADER_BYTES + 8 * index as u64).map_err(failed())?;
        let place = u64::from_le_bytes(place);
        match place {
            UNREADABLE => return Ok(Stored::Unreadable),
            NO_VALID_PIXEL => return Ok(Stored::NoValidPixel),
            _ => {}
        }
        let (start, with_validity) = (place & !WITH_VALIDITY, place & WITH_VALIDITY != 0);
        let pixels = self.key.pixels();
        let record = pixels * if with_validity { 4 } else { 3 };
        let records = HEADER_BYTES + 8 * self.key.blocks;
        if start < records || start.checked_add(record).is_none_or(|end| end > self.length) {
            return Err(Error::file(&self.path, format!("block {index} lies outside the file; delete it to build it anew")));
        }
        let mut rgb = vec![0; 3 * pixels as usize];
        read_exact_at(&self.file, &mut rgb, start).map_err(failed())?;
        let valid = if with_validity {
            let mut valid = vec![0; pixels as usize];
            read_exact_at(&self.file, &mut valid, start + 3 * pixels).map_err(failed())?;
            Some(valid)
        } else {
            None
        };
        Ok(Stored::Pixels(BlockPixels { rgb, valid, classes: None }))
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> CacheKey {
        CacheKey { width: 2, height: 1, blocks: 4, digest: [7; 32] }
    }

    fn blocks() -> Vec<Result<(usize, Stored)>> {
        vec![
            Ok((2, Stored::Pixels(BlockPixels { rgb: vec![1, 2, 3, 4, 5, 6], valid: Some(vec![0, 1]), classes: None }))),
            Ok((1, Stored::Unreadable)),
            Ok((0, Stored::Pixels(BlockPixels { rgb: vec![9; 6], valid: None, classes: None }))),
            Ok((3, Stored::NoValidPixel)),
        ]
    }

    fn opened(path: &Path) -> BlockCache {
        match BlockCache::open(path, &key()).unwrap() {
            Found::Fits(cache) => cache,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn blocks_come_back_by_index_whatever_order_they_were_written_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks.cache");
        assert!(matches!(BlockCache::open(&path, &key()).unwrap(), Found::Nothing));
        BlockCache::build(&path, &key(), blocks().into_iter()).unwrap();
        let cache = opened(&path);
        for (index, stored) in blocks().into_iter().map(|block| block.unwrap()) {
            assert_eq!(cache.read(index).unwrap(), stored);
        }
        assert!(cache.read(4).unwrap_err().to_string().contains("lies outside the file"), "there is no fifth block");
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 72 + 32 + 8 + 6);
    }

    #[test]
    fn another_file_is_kept_a_cut_one_is_refused_and_a_stale_one_may_be_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks.cache");
        BlockCache::build(&path, &key(), blocks().into_iter()).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for cut in [8, 71, 72, whole.len() - 1] {
            std::fs::write(&path, &whole[..cut]).unwrap();
            let error = BlockCache::open(&path, &key()).unwrap_err().to_string();
            assert!(error.contains("blocks.cache") && error.contains("cut short") && error.contains(&format!("found {cut}")), "{error}");
        }
        for foreign in [&b""[..], b"PNG", b"image,x,y,width,height,probability,z\n0000,0,0,32,32,0.1,0\n0000,0,0,32,32,0.1,0\n"] {
            std::fs::write(&path, foreign).unwrap();
            assert!(BlockCache::open(&path, &key()).unwrap_err().to_string().contains("no cache of blocks"));
        }
        std::fs::write(&path, &whole).unwrap();
        for other in [CacheKey { digest: [8; 32], ..key() }, CacheKey { width: 1, ..key() }, CacheKey { blocks: 2, ..key() }] {
            assert!(matches!(BlockCache::open(&path, &other).unwrap(), Found::Other(_)));
        }
        let mut newer = whole.clone();
        newer[8] = 2;
        std::fs::write(&path, newer).unwrap();
        assert!(matches!(BlockCache::open(&path, &key()).unwrap(), Found::Other(_)));
        let mut wrong = whole;
        wrong[72..80].copy_from_slice(&200_u64.to_le_bytes());
        std::fs::write(&path, wrong).unwrap();
        assert!(opened(&path).read(0).unwrap_err().to_string().contains("block 0 lies outside"));
    }

    #[test]
    fn a_build_that_fails_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("blocks.cache");
        let failing = blocks().into_iter().chain([Err(Error::setting("block", "a", "b"))]);
        assert!(BlockCache::build(&path, &key(), failing).is_err());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
