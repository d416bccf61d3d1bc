//! Cuts a long side into overlapping tiles, and says how much each tile counts at each pixel.
//!
//! ```text
//! tile 0  ├──────────────────────┤
//! tile 1                 ├──────────────────────┤
//!                        │ m │b│ m │            m: margin, thrown away; b: blend, one tile fades into the other
//! ```
//!
//! A network sees zeros beyond a tile's border where the neighbouring pixels should be. With a margin of at least the network's
//! context no pixel that is kept can tell, so tiles give the same probabilities as one pass over the whole image, up to rounding. Positions are
//! multiples of the model's alignment: the network's pooling grid then lies on the same pixels in every tile.

use crate::error::Error;

/// How the user wants images cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tiling {
    /// Longest side that is run in one pass, pixels at the model's pixel size; `None` is what suits the model
    /// ([`Model::default_tile`](crate::Model::default_tile)), or else [`DEFAULT_TILE`].
    pub max_tile: Option<u32>,
    /// Pixels that neighbouring tiles share at least; `None` is what the model needs to be exact, or two thirds of a tile if that is less.
    pub overlap: Option<u32>,
}

/// A tile of 1024 px needs about 0.6 GB in a U-Net of width 16, and spends a quarter of each side on overlap at a context of 107 px.
pub const DEFAULT_TILE: u32 = 1024;

/// Longest side of an integer network, whose memory grows with the width and not with the area: 14 kB for each column of pixels at width 16.
pub const STREAMED_TILE: u32 = 16_384;

/// Tiling checked against a model, in multiples of its alignment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileRule {
    alignment: u32,
    /// Longest tile.
    pub max_tile: u32,
    /// Smallest overlap.
    pub overlap: u32,
    /// Whether tiles give the same as one pass over the whole image, up to rounding.
    pub exact: bool,
}

impl Tiling {
    /// Rounds to the alignment: the tile down, the overlap up.
    ///
    /// # Errors
    /// [`Error::TileTooSmall`], [`Error::OverlapTooLarge`].
    pub fn for_model(self, alignment: u32, context_px: u32) -> Result<TileRule, Error> {
        let tile = self.max_tile.unwrap_or(DEFAULT_TILE);
        let max_tile = tile / alignment * alignment;
        let min = 2 * alignment;
        if max_tile < min {
            return Err(Error::TileTooSmall { tile, min });
        }
        // A margin of the context on both sides, and one alignment step to blend over.
        let needed = (2 * context_px).next_multiple_of(alignment) + alignment;
        let overlap = match self.overlap {
            None => needed.min(max_tile / 3 * 2 / alignment * alignment),
            Some(overlap) => {
                let max = max_tile - alignment;
                if overlap > max {
                    return Err(Error::OverlapTooLarge { overlap, tile, max });
                }
                overlap.next_multiple_of(alignment)
            }
        };
        Ok(TileRule { alignment, max_tile, overlap, exact: overlap >= needed })
    }
}

impl TileRule {
    /// Whether a side is run in one piece.
    pub fn is_whole(&self, length: u32) -> bool {
        length.div_ceil(self.alignment) <= self.max_tile / self.alignment
    }

    /// Cuts a side of `length` pixels; the last tile ends at the next multiple of the alignment.
    pub(crate) fn cut(&self, length: u32) -> Axis {
        let step = self.alignment;
        let total = length.div_ceil(step);
        let (longest, overlap) = (self.max_tile / step, self.overlap / step);
        if total <= longest {
            return Axis { tile: total * step, starts: vec![0], blend: 0 };
        }
        let count = (total - overlap).div_ceil(longest - overlap);
        // Equal tiles, no longer than they must be. From count * tile >= total + (count - 1) * overlap follows that evenly spread
        // positions, rounded down, keep at least `overlap` between neighbours.
        let tile = (total + (count - 1) * overlap).div_ceil(count);
        let last = u64::from(total - tile);
        let starts = (0..count).map(|i| (u64::from(i) * last / u64::from(count - 1)) as u32 * step).collect();
        Axis { tile: tile * step, starts, blend: step.min(self.overlap) }
    }
}

/// One side of an image, cut into tiles of equal length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Axis {
    /// Length of a tile.
    pub(crate) tile: u32,
    /// Where each tile starts.
    pub(crate) starts: Vec<u32>,
    /// Over how many pixels, in the middle of an overlap, one tile fades into the next.
    pub(crate) blend: u32,
}

impl Axis {
    /// How much tile `index` counts at each of its pixels. At every pixel the weights of all tiles add up to 1.
    pub(crate) fn weights(&self, index: usize) -> Vec<f32> {
        let start = self.starts[index];
        let fade_in = (index > 0).then(|| self.fade(self.starts[index - 1], start) - start);
        let fade_out = self.starts.get(index + 1).map(|&next| self.fade(start, next) - start);
        (0..self.tile)
            .map(|x| {
                let rise = fade_in.map_or(1.0, |fade| self.ramp(x, fade));
                let fall = fade_out.map_or(0.0, |fade| self.ramp(x, fade));
                rise - fall
            })
            .collect()
    }

    /// First pixel of the blend, centred in the overlap of two neighbours.
    fn fade(&self, start: u32, next: u32) -> u32 {
        next + (start + self.tile - next - self.blend) / 2
    }

    /// 0 before the blend, 1 after it, straight in between.
    fn ramp(&self, x: u32, fade: u32) -> f32 {
        if x < fade {
            0.0
        } else if x >= fade + self.blend {
            1.0
        } else {
            ((x - fade) as f32 + 0.5) / self.blend as f32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> impl Iterator<Item = TileRule> {
        [(16, 107, 1024), (16, 107, 192), (16, 107, 256), (8, 30, 100), (1, 0, 7), (4, 200, 33), (16, 0, 32)].into_iter().flat_map(
            |(alignment, context, tile)| {
                let overlaps = [None, Some(0), Some(alignment), Some(tile / 3), Some(tile / alignment * alignment - alignment)];
                overlaps.map(|overlap| Tiling { max_tile: Some(tile), overlap }.for_model(alignment, context).unwrap())
            },
        )
    }

    #[test]
    fn tiles_cover_the_side_and_weights_sum_to_one() {
        for rule in rules() {
            for length in (1..3 * rule.max_tile).step_by(7) {
                let axis = rule.cut(length);
                let end = length.next_multiple_of(rule.alignment);
                assert!(axis.tile <= rule.max_tile && axis.tile % rule.alignment == 0, "{rule:?} {length} {axis:?}");
                assert_eq!((axis.starts[0], axis.starts.last().unwrap() + axis.tile), (0, end), "{rule:?} {length} {axis:?}");
                assert!(axis.starts.iter().all(|start| start % rule.alignment == 0));
                for pair in axis.starts.windows(2) {
                    assert!(pair[1] > pair[0] && pair[0] + axis.tile >= pair[1] + rule.overlap, "{rule:?} {length} {axis:?}");
                }
                let mut sum = vec![0_f32; end as usize];
                for (index, &start) in axis.starts.iter().enumerate() {
                    for (total, weight) in sum[start as usize..].iter_mut().zip(axis.weights(index)) {
                        assert!((0.0..=1.0).contains(&weight), "{rule:?} {length} {axis:?}");
                        *total += weight;
                    }
                }
                assert!(sum.iter().all(|total| (total - 1.0).abs() < 1e-6), "{rule:?} {length} {axis:?}");
            }
        }
    }

    #[test]
    fn what_is_kept_lies_a_context_away_from_inner_borders() {
        let rule = Tiling { max_tile: Some(512), overlap: None }.for_model(16, 107).unwrap();
        assert!(rule.exact);
        let axis = rule.cut(2000);
        for index in 1..axis.starts.len() {
            assert!(axis.weights(index)[..107].iter().all(|&weight| weight == 0.0));
            let before = axis.weights(index - 1);
            assert!(before[before.len() - 107..].iter().all(|&weight| weight == 0.0));
        }
    }

    #[test]
    fn a_side_up_to_one_tile_is_whole() {
        let rule = Tiling { max_tile: Some(1030), overlap: None }.for_model(16, 107).unwrap();
        assert!(rule.is_whole(1024) && rule.is_whole(1) && !rule.is_whole(1025));
        assert_eq!(rule.cut(1024), Axis { tile: 1024, starts: vec![0], blend: 0 });
        assert_eq!(rule.cut(3).tile, 16);
    }

    #[test]
    fn sizes_that_cannot_work_are_refused() {
        assert!(matches!(Tiling { max_tile: Some(31), overlap: None }.for_model(16, 107), Err(Error::TileTooSmall { min: 32, .. })));
        let refused = Tiling { max_tile: Some(64), overlap: Some(60) }.for_model(16, 107);
        assert!(matches!(refused, Err(Error::OverlapTooLarge { max: 48, .. })));
    }
}
