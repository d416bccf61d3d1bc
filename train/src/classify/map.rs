//! Blocks' probabilities as an image: what the low-resolution model says about every pixel.

use crate::data::{Block, check_inside};
use crate::error::{Error, Result};
use crate::png_file::write_png;
use image::GrayImage;
use std::collections::BTreeMap;
use std::path::Path;

/// At every pixel of one image, row by row, the mean probability of the blocks that cover it. `size` is (width, height) in pixels.
///
/// # Errors
/// Blocks of several images, a block outside the image, a pixel that no block covers.
pub fn low_resolution_map(blocks: &[Block], size: (u32, u32)) -> Result<Vec<f32>> {
    let (width, height) = (size.0 as usize, size.1 as usize);
    let mut sums = vec![(0.0_f64, 0_u32); width * height];
    for block in blocks {
        check_inside(block, size)?;
        if block.image != blocks[0].image {
            return Err(Error::setting("blocks", format!("blocks of one image ('{}')", blocks[0].image), format!("'{}'", block.image)));
        }
        for y in block.y..block.y + block.height {
            let start = y as usize * width + block.x as usize;
            for (sum, count) in &mut sums[start..start + block.width as usize] {
                *sum += block.probability;
                *count += 1;
            }
        }
    }
    let mean = |(index, (sum, count)): (usize, (f64, u32))| {
        if count == 0 {
            let image = blocks.first().map_or("", |block| &block.image);
            let found = format!("none at ({}, {}) of '{image}'", index % width, index / width);
            return Err(Error::setting("blocks", "a block over every pixel (a --stride of at most the block's side)", found));
        }
        Ok((sum / f64::from(count)) as f32)
    };
    sums.into_iter().enumerate().map(mean).collect()
}

/// Writes `NAME.probability.png` (8-bit grey, 255 for a probability of 1) of every image of the blocks into a folder. An image is as large as
/// its blocks reach, which with a grid of blocks is its own size.
///
/// # Errors
/// As [`low_resolution_map`]; a folder that cannot be written.
pub fn write_low_resolution_maps(blocks: &[Block], folder: &Path) -> Result<()> {
    crate::atomic::make_folder(folder)?;
    let mut images: BTreeMap<&str, Vec<Block>> = BTreeMap::new();
    for block in blocks {
        images.entry(&block.image).or_default().push(block.clone());
    }
    for (name, blocks) in images {
        let path = folder.join(format!("{name}.probability.png"));
        let reach = |end: fn(&Block) -> u32| blocks.iter().map(end).max().unwrap_or(0);
        let size = (reach(|b| b.x.saturating_add(b.width)), reach(|b| b.y.saturating_add(b.height)));
        let pixels = low_resolution_map(&blocks, size)?.into_iter().map(|p| (255.0 * p).round() as u8).collect();
        let map = GrayImage::from_raw(size.0, size.1, pixels).ok_or_else(|| Error::file(&path, "map of the wrong size"))?;
        write_png(&path, &map.into())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(x: u32, y: u32, probability: f64) -> Block {
        Block { image: "a".into(), x, y, width: 2, height: 2, probability, z: 0 }
    }

    #[test]
    fn a_pixel_has_the_mean_of_the_blocks_over_it() {
        let blocks = [block(0, 0, 0.2), block(1, 0, 0.6)];
        assert_eq!(low_resolution_map(&blocks, (3, 2)).unwrap(), [0.2, 0.4, 0.6, 0.2, 0.4, 0.6]);
    }

    #[test]
    fn uncovered_pixels_and_foreign_blocks_are_refused() {
        let error = low_resolution_map(&[block(0, 0, 0.2)], (3, 2)).unwrap_err().to_string();
        assert!(error.contains("none at (2, 0) of 'a'"), "{error}");
        assert!(low_resolution_map(&[block(2, 0, 0.2)], (3, 2)).unwrap_err().to_string().contains("inside its image"));
        assert!(low_resolution_map(&[block(u32::MAX, 0, 0.2)], (3, 2)).is_err());
        let other = Block { image: "b".into(), ..block(1, 0, 0.5) };
        assert!(low_resolution_map(&[block(0, 0, 0.2), other], (3, 2)).unwrap_err().to_string().contains("'b'"));
        assert!(low_resolution_map(&[], (1, 1)).is_err());
    }
}
