//! The regions of a mask as polygons along the edges of its pixels.
//!
//! A region is what hangs together by the sides of its pixels, not by their corners; so the boundary of a region's inside is one ring, and holes
//! touch it and each other in single points at most: polygons that are simple in the sense of the OGC, as JTS (QuPath) asks for.

use std::collections::HashMap;

/// Corner of pixels: column and row of the pixel below and to the right of it.
pub(crate) type Corner = [u32; 2];

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
struct Run {
    columns: std::ops::Range<usize>,
    region: usize,
}

/// The regions in the order of their first pixels.
///
/// - `mask`: row by row, `width` pixels each
/// - `probability`: of the same pixels
pub(crate) fn regions(mask: &[bool], width: usize, probability: &[u8]) -> Vec<Region> {
    if width == 0 {
        return Vec::new();
    }
    let (rows, count) = label(mask, width);
    let empty = Region { shell: Vec::new(), holes: Vec::new(), pixels: 0, probability: 0 };
    let mut regions = vec![empty; count];
    for (y, row) in rows.iter().enumerate() {
        for run in row {
            let region = &mut regions[run.region];
            region.pixels += run.columns.len() as u64;
            let columns = run.columns.start + y * width..run.columns.end + y * width;
            region.probability += probability[columns].iter().map(|&p| u64::from(p)).sum::<u64>();
        }
    }
    let mut tracer = Tracer { mask, width, height: rows.len(), seen: vec![0; mask.len().div_ceil(64)] };
    for (y, row) in rows.iter().enumerate() {
        for run in row {
            for x in run.columns.clone() {
                if !tracer.is_in(x as i64, y as i64 - 1) && !tracer.seen(x, y) {
                    for ring in simple_rings(tracer.ring(x, y)) {
                        let region = &mut regions[run.region];
                        if twice_area(&ring) > 0 { region.shell = ring } else { region.holes.push(ring) }
                    }
                }
            }
        }
    }
    regions
}

/// Runs of every row with the number of their region, and how many regions there are.
fn label(mask: &[bool], width: usize) -> (Vec<Vec<Run>>, usize) {
    let mut rows: Vec<Vec<Run>> = Vec::with_capacity(mask.len() / width);
    // Regions that turn out to be one point to the smaller number.
    let mut same: Vec<usize> = Vec::new();
    for pixels in mask.chunks_exact(width) {
        let mut row = Vec::new();
        let above = rows.last().map_or(&[][..], Vec::as_slice);
        let (mut x, mut first) = (0, 0);
        while let Some(start) = pixels[x..].iter().position(|&pixel| pixel).map(|offset| x + offset) {
            let end = pixels[start..].iter().position(|&pixel| !pixel).map_or(width, |offset| start + offset);
            while above.get(first).is_some_and(|run| run.columns.end <= start) {
                first += 1;
            }
            let mut region = None;
            for run in above[first..].iter().take_while(|run| run.columns.start < end) {
                region = Some(match region {
                    None => root(&mut same, run.region),
                    Some(region) => join(&mut same, region, run.region),
                });
            }
            let region = region.unwrap_or_else(|| {
                same.push(same.len());
                same.len() - 1
            });
            row.push(Run { columns: start..end, region });
            x = end;
        }
        rows.push(row);
    }
    // Numbered anew in the order of the first pixels, which is the order of the smallest numbers.
    let mut numbers = HashMap::new();
    for run in rows.iter_mut().flatten() {
        let (region, next) = (root(&mut same, run.region), numbers.len());
        run.region = *numbers.entry(region).or_insert(next);
    }
    (rows, numbers.len())
}

fn root(same: &mut [usize], mut region: usize) -> usize {
    while same[region] != region {
        same[region] = same[same[region]];
        region = same[region];
    }
    region
}

fn join(same: &mut [usize], a: usize, b: usize) -> usize {
    let (a, b) = (root(same, a), root(same, b));
    same[a.max(b)] = a.min(b);
    a.min(b)
}

/// Goes along boundaries with the region at its right hand (rows are counted downwards).
struct Tracer<'a> {
    mask: &'a [bool],
    width: usize,
    height: usize,
    /// A bit for every pixel: its upper edge has been gone along.
    seen: Vec<u64>,
}

impl Tracer<'_> {
    fn is_in(&self, x: i64, y: i64) -> bool {
        let inside = (0..self.width as i64).contains(&x) && (0..self.height as i64).contains(&y);
        inside && self.mask[y as usize * self.width + x as usize]
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
