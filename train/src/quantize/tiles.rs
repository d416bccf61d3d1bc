//! The pieces of images that calibrate, read one at a time.

use crate::data::{Dataset, ImageStore, hex};
use crate::error::{Error, Result};
use crate::network::input_from_rgb8;
use burn::tensor::{Device, Tensor};
use image::RgbImage;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;

/// Longest side of a tile in pixels.
const SIDE_PX: u32 = 512;
/// Memory for decoded images in bytes.
const MEMORY: u64 = 256 << 20;

/// A piece of an image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Tile {
    image: String,
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

/// The tiles that were chosen.
pub(crate) struct Tiles {
    store: ImageStore,
    tiles: Vec<Tile>,
    alignment: u32,
}

impl Tiles {
    /// Cuts every image into tiles and chooses at most `count` of them by the seed. Their sides, padded, are multiples of `alignment`.
    ///
    /// # Errors
    /// An image whose header cannot be read, a count of 0.
    pub(crate) fn choose(data: &Dataset, count: usize, seed: u64, alignment: usize) -> Result<Self> {
        if count == 0 {
            return Err(Error::setting("--count", "at least 1", count));
        }
        let mut tiles = Vec::new();
        for name in data.names() {
            let (image_width, image_height) = data.size(name)?;
            for (y, height) in spans(image_height) {
                for (x, width) in spans(image_width) {
                    tiles.push(Tile { image: name.to_owned(), x, y, width, height });
                }
            }
        }
        if tiles.len() > count {
            tiles.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
            tiles.truncate(count);
            // One image after the other is decoded.
            tiles.sort();
        }
        let store = ImageStore::new(data.clone(), 2, MEMORY);
        Ok(Self { store, tiles, alignment: alignment as u32 })
    }

    /// Number of tiles.
    pub(crate) fn len(&self) -> usize {
        self.tiles.len()
    }

    /// Names of the images that the tiles are of.
    pub(crate) fn images(&self) -> BTreeSet<&str> {
        self.tiles.iter().map(|tile| tile.image.as_str()).collect()
    }

    /// Pixels of all tiles together, padding included.
    pub(crate) fn pixels(&self) -> u64 {
        let padded = |length: u32| u64::from(length.next_multiple_of(self.alignment));
        self.tiles.iter().map(|tile| padded(tile.width) * padded(tile.height)).sum()
    }

    /// A tile as the network's input `[1, 3, h, w]`.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub(crate) fn input(&self, index: usize, device: &Device) -> Result<Tensor<4>> {
        let tile = &self.tiles[index];
        let pixels = self.store.source(&tile.image)?.window(tile.x, tile.y, tile.width, tile.height)?;
        let (width, height) = (tile.width.next_multiple_of(self.alignment), tile.height.next_multiple_of(self.alignment));
        Ok(input_from_rgb8(&padded(&pixels, width, height), 1, height as usize, width as usize, device))
    }

    /// SHA-256 over the images' names and the tiles' places and pixels.
    ///
    /// # Errors
    /// An image that cannot be read; tiles that are all of one colour, from which nothing can be learned.
    pub(crate) fn digest(&self) -> Result<String> {
        let mut hash = Sha256::new();
        let (mut first, mut constant) = (None, true);
        for tile in &self.tiles {
            let pixels = self.store.source(&tile.image)?.window(tile.x, tile.y, tile.width, tile.height)?;
            hash.update(format!("{}\n{} {} {} {}\n", tile.image, tile.x, tile.y, tile.width, tile.height));
            hash.update(pixels.as_raw());
            let first = *first.get_or_insert(*pixels.get_pixel(0, 0));
            constant &= pixels.pixels().all(|&pixel| pixel == first);
        }
        if constant {
            return Err(Error::setting("calibration images", "images of what the network will see", "one colour everywhere"));
        }
        Ok(hex(&hash.finalize()))
    }

    /// Random square crops `[count, 3, side, side]` of the tiles, of at most `side_px` pixels.
    ///
    /// # Errors
    /// An image that cannot be read.
    pub(crate) fn crops(&self, count: usize, side_px: u32, random: &mut ChaCha8Rng, device: &Device) -> Result<Tensor<4>> {
        let smallest = self.tiles.iter().map(|tile| tile.width.min(tile.height)).min().unwrap_or(side_px).min(side_px);
        let side = (smallest / self.alignment * self.alignment).max(self.alignment);
        let mut bytes = Vec::with_capacity(3 * count * side as usize * side as usize);
        for _ in 0..count {
            let tile = &self.tiles[random.random_range(0..self.tiles.len())];
            let (width, height) = (side.min(tile.width), side.min(tile.height));
            let x = tile.x + random.random_range(0..=tile.width - width);
            let y = tile.y + random.random_range(0..=tile.height - height);
            bytes.extend(padded(&self.store.source(&tile.image)?.window(x, y, width, height)?, side, side));
        }
        Ok(input_from_rgb8(&bytes, count, side as usize, side as usize, device))
    }
}

/// Starts and lengths of the fewest tiles over a length; the last is moved inwards.
fn spans(length: u32) -> Vec<(u32, u32)> {
    let side = length.min(SIDE_PX);
    (0..length.div_ceil(SIDE_PX)).map(|i| ((i * SIDE_PX).min(length - side), side)).collect()
}

/// The image's bytes with its last column and row repeated up to the given size, as images are padded when masks are drawn.
fn padded(image: &RgbImage, width: u32, height: u32) -> Vec<u8> {
    if image.dimensions() == (width, height) {
        return image.as_raw().clone();
    }
    let at = |x: u32, y: u32| image.get_pixel(x.min(image.width() - 1), y.min(image.height() - 1)).0;
    (0..height).flat_map(|y| (0..width).flat_map(move |x| at(x, y))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dataset(images: &[(&str, u32, u32)]) -> (tempfile::TempDir, Dataset) {
        let folder = crate::data::tests::folder(images);
        let data = Dataset::open(&[folder.path().to_owned()]).unwrap();
        (folder, data)
    }

    #[test]
    fn tiles_cover_every_image_and_the_seed_chooses() {
        assert_eq!(spans(512), [(0, 512)]);
        assert_eq!(spans(1100), [(0, 512), (512, 512), (588, 512)]);
        assert_eq!(spans(30), [(0, 30)]);
        let (_folder, data) = dataset(&[("a", 600, 40), ("b", 30, 20)]);
        let all = Tiles::choose(&data, 10, 0, 16).unwrap();
        assert_eq!((all.len(), all.pixels()), (3, 2 * 512 * 48 + 32 * 32));
        assert_eq!(all.input(2, &Device::flex()).unwrap().dims(), [1, 3, 32, 32]);
        let chosen = |seed| Tiles::choose(&data, 1, seed, 16).unwrap().tiles;
        assert_eq!(chosen(1), chosen(1));
        assert!((0..20).any(|seed| chosen(seed) != chosen(1)));
        assert!(Tiles::choose(&data, 0, 0, 16).is_err());
    }

    #[test]
    fn crops_are_of_the_tiles_and_follow_the_seed() {
        let (_folder, data) = dataset(&[("a", 70, 40), ("b", 90, 50)]);
        let tiles = Tiles::choose(&data, 10, 0, 16).unwrap();
        let crops = |seed| {
            let crops = tiles.crops(3, 128, &mut ChaCha8Rng::seed_from_u64(seed), &Device::flex()).unwrap();
            assert_eq!(crops.dims(), [3, 3, 32, 32], "the largest multiple of 16 that fits into the smallest image");
            crops.into_data().try_to_vec::<f32>().unwrap()
        };
        assert_eq!(crops(4), crops(4));
        assert_ne!(crops(4), crops(5));
    }

    #[test]
    fn the_digest_is_of_names_and_pixels() {
        let (folder, data) = dataset(&[("a", 20, 20)]);
        let digest = || Tiles::choose(&data, 9, 0, 4).unwrap().digest();
        let before = digest().unwrap();
        assert_eq!(digest().unwrap(), before);
        let path = folder.path().join("images/a.png");
        let mut image = image::open(&path).unwrap().into_rgb8();
        image.put_pixel(3, 3, image::Rgb([1, 2, 3]));
        image.save(&path).unwrap();
        assert_ne!(digest().unwrap(), before);
        RgbImage::from_pixel(20, 20, image::Rgb([9, 9, 9])).save(&path).unwrap();
        assert!(digest().unwrap_err().to_string().contains("one colour everywhere"));
    }
}
