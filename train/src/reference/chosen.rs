//! Which tiles of which images a reference is made of.

use crate::data::Dataset;
use crate::error::Result;
use lsr_core::reference::{MAX_TILES, Tile, tiles};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Tiles that a reference could be made of at most: more images than that add nothing but time, since each is run whole.
const MOST: usize = 2 * MAX_TILES;

/// The chosen tiles of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ImageTiles {
    pub(super) image: String,
    pub(super) tiles: Vec<Tile>,
}

/// Cuts every image into tiles and chooses some of them by the seed, twice as many as a reference holds: some may turn out to be glass.
///
/// # Errors
/// An image whose header cannot be read.
pub(super) fn choose(data: &Dataset, side: usize, seed: u64) -> Result<Vec<ImageTiles>> {
    let mut all = Vec::new();
    for name in data.names() {
        let (width, height) = data.size(name)?;
        all.extend(tiles(width as usize, height as usize, side).map(|tile| (name, tile)));
    }
    if all.len() > MOST {
        let mut order: Vec<usize> = (0..all.len()).collect();
        order.shuffle(&mut ChaCha8Rng::seed_from_u64(seed));
        order.truncate(MOST);
        // One image after the other is run.
        order.sort_unstable();
        all = order.into_iter().map(|index| all[index]).collect();
    }
    let mut images: Vec<ImageTiles> = Vec::new();
    for (name, tile) in all {
        match images.last_mut().filter(|last| last.image == name) {
            Some(last) => last.tiles.push(tile),
            None => images.push(ImageTiles { image: name.to_owned(), tiles: vec![tile] }),
        }
    }
    Ok(images)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_come_image_by_image_and_the_seed_chooses_among_many() {
        let folder = crate::data::tests::folder(&[("a", 70, 40), ("b", 30, 20)]);
        let data = Dataset::open(&[folder.path().to_owned()]).unwrap();
        let few = choose(&data, 32, 1).unwrap();
        assert_eq!(few.iter().map(|image| (image.image.as_str(), image.tiles.len())).collect::<Vec<_>>(), [("a", 6), ("b", 1)]);
        let many = |seed| choose(&data, 2, seed).unwrap();
        assert_eq!(many(1).iter().map(|image| image.tiles.len()).sum::<usize>(), MOST);
        assert_eq!(many(1), many(1));
        assert_ne!(many(1), many(2));
    }
}
