//! Windows: pieces of an image that hold several label blocks, so that each block is seen with what is around it, and each pixel once for all
//! blocks that it belongs to.

use super::{Block, Dataset};
use crate::error::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Windows, and the label blocks that lie in each.
#[derive(Debug, Clone)]
pub struct Windows {
    blocks: Arc<Vec<Block>>,
    windows: Arc<Vec<Block>>,
    members: Vec<Vec<usize>>,
}

/// A label block's place in its window, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member {
    /// Which of the label blocks it is.
    pub block: usize,
    /// Column of its upper left corner.
    pub x: u32,
    /// Row of its upper left corner.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Windows {
    /// Square windows of `side` pixels, one with its upper left corner at that of every block, or as near to it as the image's border allows; none
    /// twice. A window's z is the folder of its image.
    ///
    /// # Errors
    /// A side that is less than a block's, an image that is smaller than a window or is not there.
    pub fn lay(blocks: Arc<Vec<Block>>, side: u32, data: &Dataset) -> Result<Self> {
        let mut images: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (index, block) in blocks.iter().enumerate() {
            if block.width > side || block.height > side {
                let expected = format!("at least a block's side ({} x {} px)", block.width, block.height);
                return Err(Error::setting("window", expected, side));
            }
            images.entry(&block.image).or_default().push(index);
        }
        let (mut windows, mut members) = (Vec::new(), Vec::new());
        for (image, own) in images {
            let ((width, height), z) = (data.size(image)?, data.folder(image)?);
            if width < side || height < side {
                return Err(Error::setting("window", format!("at most {width} x {height} px, the size of '{image}'"), side));
            }
            let corners: BTreeSet<(u32, u32)> =
                own.iter().map(|&index| (blocks[index].y.min(height - side), blocks[index].x.min(width - side))).collect();
            for (y, x) in corners {
                let inside =
                    |block: &Block| block.x >= x && block.y >= y && block.x + block.width <= x + side && block.y + block.height <= y + side;
                members.push(own.iter().copied().filter(|&index| inside(&blocks[index])).collect());
                windows.push(Block { image: image.to_owned(), x, y, width: side, height: side, probability: 0.0, z });
            }
        }
        Ok(Self { windows: Arc::new(windows), members, blocks })
    }

    /// The windows, as blocks that can be read; their z is the folder of their image, among those of the data.
    pub fn windows(&self) -> &Arc<Vec<Block>> {
        &self.windows
    }

    /// The label blocks.
    pub fn blocks(&self) -> &Arc<Vec<Block>> {
        &self.blocks
    }

    /// Where the label blocks of a window lie after one of the eight symmetries (bit 0 mirrors x, bit 1 mirrors y, bit 2 swaps the axes first; 0: as it is).
    pub fn members(&self, window: usize, symmetry: u8) -> Vec<Member> {
        let corner = &self.windows[window];
        let place = |&index: &usize| {
            let block = &self.blocks[index];
            let here = Member { block: index, x: block.x - corner.x, y: block.y - corner.y, width: block.width, height: block.height };
            here.turned(corner.width, symmetry)
        };
        self.members[window].iter().map(place).collect()
    }
}

impl Member {
    /// The same in a square window of `side` px that was turned by [`Augmentation::apply`](super::Augmentation::apply).
    fn turned(self, side: u32, symmetry: u8) -> Self {
        let mut turned = self;
        // A turn reads the pixel at (u, v) = mirrored(swapped(x, y)); this is its inverse.
        if symmetry & 1 != 0 {
            turned.x = side - turned.width - turned.x;
        }
        if symmetry & 2 != 0 {
            turned.y = side - turned.height - turned.y;
        }
        if symmetry & 4 != 0 {
            (turned.x, turned.y) = (turned.y, turned.x);
            (turned.width, turned.height) = (turned.height, turned.width);
        }
        turned
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::tests::folder;
    use crate::data::{Augmentation, BlockPixels};

    /// Images of these sizes, in a folder each.
    fn data(images: &[(&str, u32, u32)]) -> (Vec<tempfile::TempDir>, Dataset) {
        let folders: Vec<_> = images.iter().map(|&image| folder(&[image])).collect();
        let paths: Vec<_> = folders.iter().map(|folder| folder.path().to_owned()).collect();
        (folders, Dataset::open(&paths).unwrap())
    }

    fn block(image: &str, x: u32, y: u32) -> Block {
        Block { image: image.to_owned(), x, y, width: 4, height: 4, probability: 0.0, z: 0 }
    }

    fn grid(image: &str, side: u32) -> Vec<Block> {
        (0..=(side - 4) / 2).flat_map(|y| (0..=(side - 4) / 2).map(move |x| (2 * x, 2 * y))).map(|(x, y)| block(image, x, y)).collect()
    }

    #[test]
    fn each_window_has_the_blocks_inside_it() {
        let blocks = Arc::new(grid("a", 12));
        let windows = Windows::lay(Arc::clone(&blocks), 8, &data(&[("a", 12, 12)]).1).unwrap();
        let corners: Vec<(u32, u32)> = windows.windows().iter().map(|window| (window.x, window.y)).collect();
        assert_eq!(corners, [(0, 0), (2, 0), (4, 0), (0, 2), (2, 2), (4, 2), (0, 4), (2, 4), (4, 4)]);
        for (index, window) in windows.windows().iter().enumerate() {
            let members = windows.members(index, 0);
            assert_eq!(members.len(), 9);
            for member in members {
                let block = &blocks[member.block];
                assert_eq!((window.x + member.x, window.y + member.y), (block.x, block.y));
            }
        }
    }

    #[test]
    fn windows_that_cannot_be_are_refused() {
        let blocks = Arc::new(grid("a", 12));
        let small = Windows::lay(Arc::clone(&blocks), 3, &data(&[("a", 12, 12)]).1).unwrap_err().to_string();
        assert!(small.contains("at least a block's side"), "{small}");
        let large = Windows::lay(Arc::clone(&blocks), 13, &data(&[("a", 12, 20)]).1).unwrap_err().to_string();
        assert!(large.contains("12 x 20 px, the size of 'a'"), "{large}");
        let missing = Windows::lay(blocks, 8, &data(&[("b", 12, 12)]).1).unwrap_err().to_string();
        assert!(missing.contains("'a'"), "{missing}");
    }

    #[test]
    fn windows_know_their_folder() {
        let blocks: Vec<Block> = grid("b", 12).into_iter().chain(grid("a", 8)).collect();
        let windows = Windows::lay(Arc::new(blocks), 8, &data(&[("b", 12, 12), ("a", 8, 8)]).1).unwrap();
        let found: Vec<(&str, usize)> = windows.windows().iter().map(|window| (window.image.as_str(), window.z)).collect();
        assert_eq!(found[0], ("a", 1));
        assert_eq!(found[1..], [("b", 0); 9]);
    }

    /// Each block's pixels have its number: after every turn they lie where the member says.
    #[test]
    fn blocks_turn_with_their_pixels() {
        let blocks = Arc::new(vec![
            Block { width: 2, height: 3, ..block("a", 1, 0) },
            Block { width: 4, height: 1, ..block("a", 2, 4) },
            Block { width: 2, height: 2, ..block("a", 6, 6) },
        ]);
        let windows = Windows::lay(Arc::clone(&blocks), 8, &data(&[("a", 8, 8)]).1).unwrap();
        let mut plane = vec![0_u8; 64];
        for (index, block) in blocks.iter().enumerate() {
            for y in block.y..block.y + block.height {
                for x in block.x..block.x + block.width {
                    plane[(8 * y + x) as usize] = index as u8 + 1;
                }
            }
        }
        let augmentation = Augmentation::default();
        let mut seen = BTreeSet::new();
        for slot in 0..64 {
            let mut pixels = BlockPixels { rgb: vec![0; 192], valid: None, classes: Some(plane.clone()) };
            augmentation.apply(&mut pixels, (8, 8), 3, 5, slot).unwrap();
            let turned = pixels.classes.unwrap();
            let members = windows.members(0, augmentation.symmetry(3, 5, slot));
            for (i, &found) in turned.iter().enumerate() {
                let (x, y) = (i as u32 % 8, i as u32 / 8);
                let inside = |m: &&Member| (m.x..m.x + m.width).contains(&x) && (m.y..m.y + m.height).contains(&y);
                let expected = members.iter().find(inside).map_or(0, |member| member.block as u8 + 1);
                assert_eq!(found, expected, "slot {slot} at ({x}, {y})");
            }
            seen.insert(turned);
        }
        assert_eq!(seen.len(), 8);
    }
}
