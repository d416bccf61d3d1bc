//! The regions of a mask as polygons along the edges of its pixels.
//!
//! A region is what hangs together by the sides of its pixels, not by their corners; so the boundary of a region's inside is one ring, and holes
//! touch it and each other in single points at most: polygons that are simple in the sense of the OGC, as JTS (QuPath) asks for.

use std::collections::HashMap;

/// Corner of pixels: column and row of the pixel below and to the right of it.
pub(crate) type Corner = [u32; 2];

/// Runs of a mask's pixels beyond which it has no outlines: they would take more memory than all the rest of a slide.
pub(crate) const MOST_RUNS: u64 = 2_000_000;

/// One region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    /// Its outer boundary, closed (the first corner comes last again); the area `sum x1 y2 - x2 y1` is positive.
    pub(crate) shell: Vec<Corner>,
    /// Its inner boundaries, likewise, with negative areas.
    pub(crate) holes: Vec<Vec<Corner>>,
    /// Its pixels.
    pub(crate) pixels: u64,
    /// Sum of their probabilities, each 0 to 255.
    pub(crate) probability: u64,
}

/// Pixels of one row that hang together.
pub(crate) struct Run {
    pub(crate) columns: std::ops::Range<u32>,
    pub(crate) region: u32,
}

/// Finds regions row by row, so that neither the mask nor the probabilities need to be in memory as bytes.
pub(crate) struct Outliner {
    rows: Vec<Vec<Run>>,
    runs: usize,
    /// Regions that turn out to be one point to the smaller number.
    same: Vec<u32>,
    /// Pixels of each region, and the sum of their probabilities.
    sums: Vec<[u64; 2]>,
}

impl Outliner {
    /// Nothing yet.
    pub(crate) fn new() -> Self {
        Self { rows: Vec::new(), runs: 0, same: Vec::new(), sums: Vec::new() }
    }

    /// Runs so far: what its memory grows with.
    pub(crate) fn runs(&self) -> usize {
        self.runs
    }

    /// Adds the next row.
    ///
    /// - `probability`: of the same pixels; nothing where nobody asks
    pub(crate) fn push(&mut self, mask: &[bool], probability: &[u8]) {
        let mut row = Vec::new();
        let above = self.rows.last().map_or(&[][..], Vec::as_slice);
        let (mut x, mut first) = (0, 0);
        while let Some(start) = mask[x..].iter().position(|&pixel| pixel).map(|offset| x + offset) {
            let end = mask[start..].iter().position(|&pixel| !pixel).map_or(mask.len(), |offset| start + offset);
            let columns = start as u32..end as u32;
            while above.get(first).is_some_and(|run| run.columns.end <= columns.start) {
                first += 1;
            }
            let mut region = None;
            for run in above[first..].iter().take_while(|run| run.columns.start < columns.end) {
                region = Some(match region {
                    None => root(&mut self.same, run.region),
                    Some(region) => join(&mut self.same, region, run.region),
                });
            }
            let region = region.unwrap_or_else(|| {
                self.same.push(self.same.len() as u32);
                self.sums.push([0; 2]);
                self.same.len() as u32 - 1
            });
            let sums = &mut self.sums[region as usize];
            sums[0] += (end - start) as u64;
            sums[1] += probability.get(start..end).unwrap_or(&[]).iter().map(|&p| u64::from(p)).sum::<u64>();
            row.push(Run { columns, region });
            x = end;
        }
        self.runs += row.len();
        self.rows.push(row);
    }

    /// The runs of all rows, with regions numbered in the order of their first pixels, and each region's pixels and sum of probabilities.
    pub(crate) fn labelled(self) -> (Vec<Vec<Run>>, Vec<[u64; 2]>) {
        let Self { mut rows, mut same, sums, .. } = self;
        // The order of the first pixels is that of the smallest numbers.
        let mut numbers: Vec<Option<u32>> = vec![None; same.len()];
        let mut totals: Vec<[u64; 2]> = Vec::new();
        for run in rows.iter_mut().flatten() {
            let number = &mut numbers[root(&mut same, run.region) as usize];
            run.region = *number.get_or_insert_with(|| {
                totals.push([0; 2]);
                totals.len() as u32 - 1
            });
        }
        for (region, sums) in sums.into_iter().enumerate() {
            if let Some(number) = numbers[root(&mut same, region as u32) as usize] {
                let total = &mut totals[number as usize];
                *total = [total[0] + sums[0], total[1] + sums[1]];
            }
        }
        (rows, totals)
    }

    /// The regions in the order of their first pixels.
    ///
    /// - `is_in`: whether the pixel in this column and row, of those that were pushed, is in the mask
    pub(crate) fn regions(self, width: usize, is_in: impl Fn(usize, usize) -> bool) -> Vec<Region> {
        let (rows, totals) = self.labelled();
        let empty = |&[pixels, probability]: &[u64; 2]| Region { shell: Vec::new(), holes: Vec::new(), pixels, probability };
        let mut regions: Vec<Region> = totals.iter().map(empty).collect();
        let mut tracer = Tracer { is_in, width, height: rows.len(), seen: vec![0; (width * rows.len()).div_ceil(64)] };
        for (y, row) in rows.iter().enumerate() {
            for run in row {
                for x in run.columns.start as usize..run.columns.end as usize {
                    if !tracer.is_in(x as i64, y as i64 - 1) && !tracer.seen(x, y) {
                        for ring in simple_rings(tracer.ring(x, y)) {
                            let region = &mut regions[run.region as usize];
                            if twice_area(&ring) > 0 { region.shell = ring } else { region.holes.push(ring) }
                        }
                    }
                }
            }
        }
        regions
    }
}

/// The regions of a mask in memory.
///
/// - `mask`: row by row, `width` pixels each
/// - `probability`: of the same pixels
pub(crate) fn regions(mask: &[bool], width: usize, probability: &[u8]) -> Vec<Region> {
    if width == 0 {
        return Vec::new();
    }
    let mut outliner = Outliner::new();
    mask.chunks_exact(width).zip(probability.chunks_exact(width)).for_each(|(mask, probability)| outliner.push(mask, probability));
    outliner.regions(width, |x, y| mask[y * width + x])
}

fn root(same: &mut [u32], mut region: u32) -> u32 {
    while same[region as usize] != region {
        same[region as usize] = same[same[region as usize] as usize];
        region = same[region as usize];
    }
    region
}

fn join(same: &mut [u32], a: u32, b: u32) -> u32 {
    let (a, b) = (root(same, a), root(same, b));
    same[a.max(b) as usize] = a.min(b);
    a.min(b)
}

/// Goes along boundaries with the region at its right hand (rows are counted downwards).
struct Tracer<F> {
    is_in: F,
    width: usize,
    height: usize,
    /// A bit for every pixel: its upper edge has been gone along.
    seen: Vec<u64>,
}

impl<F: Fn(usize, usize) -> bool> Tracer<F> {
    fn is_in(&self, x: i64, y: i64) -> bool {
        let inside = (0..self.width as i64).contains(&x) && (0..self.height as i64).contains(&y);
        inside && (self.is_in)(x as usize, y as usize)
    }

    fn seen(&self, x: usize, y: usize) -> bool {
        let pixel = y * self.width + x;
        self.seen[pixel / 64] >> (pixel % 64) & 1 != 0
    }

    /// The corners of the ring that the upper edge of a pixel is part of; every ring has such an edge.
    fn ring(&mut self, x: usize, y: usize) -> Vec<Corner> {
        let start = (x as i64, y as i64, (1, 0));
        let (mut x, mut y, mut ahead) = start;
        let mut corners = Vec::new();
        loop {
            if ahead == (1, 0) {
                let pixel = y as usize * self.width + x as usize;
                self.seen[pixel / 64] |= 1 << (pixel % 64);
            }
            (x, y) = (x + ahead.0, y + ahead.1);
            // The pixels beyond the corner, at the left and at the right hand.
            let beyond = |side: (i64, i64)| {
                let at = |position: i64, ahead: i64, side: i64| position + if ahead + side > 0 { 0 } else { -1 };
                self.is_in(at(x, ahead.0, side.0), at(y, ahead.1, side.1))
            };
            let (left, right) = ((ahead.1, -ahead.0), (-ahead.1, ahead.0));
            let next = match (beyond(left), beyond(right)) {
                (_, false) => right,
                (true, true) => left,
                (false, true) => ahead,
            };
            if next != ahead {
                corners.push([x as u32, y as u32]);
                ahead = next;
            }
            if (x, y, ahead) == start {
                return corners;
            }
        }
    }
}

/// Cuts a ring wherever it comes to a corner a second time, and closes the parts.
fn simple_rings(corners: Vec<Corner>) -> Vec<Vec<Corner>> {
    let (mut rings, mut path) = (Vec::new(), Vec::new());
    let mut place: HashMap<Corner, usize> = HashMap::new();
    for corner in corners {
        if let Some(&first) = place.get(&corner) {
            let mut ring: Vec<Corner> = path.drain(first..).collect();
            for passed in &ring {
                place.remove(passed);
            }
            ring.push(corner);
            rings.push(ring);
        }
        place.insert(corner, path.len());
        path.push(corner);
    }
    path.extend(path.first().copied());
    rings.push(path);
    rings
}

/// Of a closed ring.
fn twice_area(ring: &[Corner]) -> i64 {
    let wide = |corner: Corner| corner.map(i64::from);
    ring.windows(2).map(|pair| (wide(pair[0]), wide(pair[1]))).map(|([x1, y1], [x2, y2])| x1 * y2 - x2 * y1).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(picture: &[&str]) -> Vec<Region> {
        let mask: Vec<bool> = picture.iter().flat_map(|row| row.bytes().map(|byte| byte == b'#')).collect();
        let probability: Vec<u8> = (0..mask.len()).map(|i| i as u8).collect();
        regions(&mask, picture[0].len(), &probability)
    }

    #[test]
    fn a_pixel_is_a_square() {
        let found = of(&["...", ".#.", "..."]);
        let shell = vec![[2, 1], [2, 2], [1, 2], [1, 1], [2, 1]];
        assert_eq!(found, [Region { shell, holes: vec![], pixels: 1, probability: 4 }]);
    }

    #[test]
    fn corners_do_not_join_and_holes_that_touch_are_two() {
        let found = of(&["#..#", ".##.", "...."]);
        assert_eq!(found.iter().map(|region| region.pixels).collect::<Vec<_>>(), [1, 1, 2]);
        // Two pixels of hole touch in a corner; and a hole touches the shell in one.
        let found = of(&["#####", "#.###", "##.##", "#####"]);
        assert_eq!((found.len(), found[0].holes.len(), found[0].pixels), (1, 2, 18));
        let found = of(&["####", "#..#", "#.##", "###."]);
        assert_eq!((found.len(), found[0].holes.len()), (1, 1));
        // The inside is reached from outside by a corner alone: a hole that touches the shell.
        let found = of(&["###", "#.#", "##."]);
        assert_eq!((found.len(), found[0].holes.len(), found[0].shell.len()), (1, 1, 7));
    }

    /// Filling every polygon by the rule of even and odd gives the mask back, and rings never come to a corner twice.
    #[test]
    fn polygons_fill_the_mask_exactly() {
        let (width, height) = (23_usize, 17_usize);
        let mut state = 1_u64;
        for density in [1, 3, 5, 7] {
            for _ in 0..50 {
                let mask: Vec<bool> = (0..width * height)
                    .map(|_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        state >> 61 < density
                    })
                    .collect();
                let found = regions(&mask, width, &vec![255; mask.len()]);
                let mut filled = vec![0_u32; mask.len()];
                for region in &found {
                    assert!(twice_area(&region.shell) > 0);
                    assert!(region.holes.iter().all(|hole| twice_area(hole) < 0));
                    let rings = || std::iter::once(&region.shell).chain(&region.holes);
                    assert_eq!(rings().map(|ring| twice_area(ring)).sum::<i64>(), 2 * region.pixels as i64);
                    assert_eq!(region.probability, 255 * region.pixels);
                    let mut own = vec![false; mask.len()];
                    for ring in rings() {
                        let mut corners = ring[1..].to_vec();
                        corners.sort_unstable();
                        corners.dedup();
                        assert_eq!((corners.len() + 1, ring[0]), (ring.len(), ring[ring.len() - 1]));
                        for pair in ring.windows(2).filter(|pair| pair[0][0] == pair[1][0]) {
                            // Everything to the right of an upright edge changes sides.
                            let rows = pair[0][1].min(pair[1][1])..pair[0][1].max(pair[1][1]);
                            for y in rows {
                                (pair[0][0] as usize..width).for_each(|x| own[y as usize * width + x] ^= true);
                            }
                        }
                    }
                    filled.iter_mut().zip(own).for_each(|(count, own)| *count += u32::from(own));
                }
                assert!(mask.iter().zip(&filled).all(|(&mask, &count)| u32::from(mask) == count));
            }
        }
    }

    #[test]
    fn nothing_and_everything() {
        assert!(of(&["...", "..."]).is_empty() && regions(&[], 0, &[]).is_empty());
        let found = of(&["##", "##", "##"]);
        assert_eq!((found[0].shell.len(), found[0].pixels), (5, 6));
    }
}
