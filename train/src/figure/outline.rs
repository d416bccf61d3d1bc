//! The boundary of a mask as exact pixel edges, chained into lines.

use image::GrayImage;
use std::fmt::Write as _;

/// A chain of pixel edges between the classes, in whole pixels from the image's upper left corner. Edges that run on in the same direction are one
/// run: points are corners only. The mask lies to the right of the direction of travel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outline {
    /// Its corners `(x, y)`; neighbours differ in one coordinate.
    pub points: Vec<(u32, u32)>,
    /// Whether the last corner joins the first. Outlines that reach the image's border are open: what lies beyond is not known.
    pub closed: bool,
}

impl Outline {
    /// The runs, from corner to corner.
    pub fn runs(&self) -> impl Iterator<Item = ((u32, u32), (u32, u32))> + '_ {
        let next = self.points.iter().skip(1).chain(self.points.first().filter(|_| self.closed));
        self.points.iter().zip(next).map(|(&from, &to)| (from, to))
    }
}

/// The edges that leave and enter each pixel corner, one bit a direction: right, down, left, up, so that the next one is a turn to the right.
struct Edges {
    leaving: Vec<u8>,
    entering: Vec<u8>,
    width: usize,
}

impl Edges {
    /// Every edge between a pixel that is not 0 and one that is, directed so that the former is on the right.
    fn of(mask: &GrayImage) -> Self {
        let (columns, rows) = (mask.width() as usize, mask.height() as usize);
        let width = columns + 1;
        let mut edges = Self { leaving: vec![0; width * (rows + 1)], entering: vec![0; width * (rows + 1)], width };
        let pixels = mask.as_raw();
        let cancer = |x: usize, y: usize| pixels[y * columns + x] != 0;
        for y in 0..rows {
            for x in 0..columns {
                if x > 0 && cancer(x, y) != cancer(x - 1, y) {
                    // Upwards with the mask on the right hand is upwards with the mask at larger x.
                    if cancer(x, y) { edges.add((x, y + 1), 3) } else { edges.add((x, y), 1) }
                }
                if y > 0 && cancer(x, y) != cancer(x, y - 1) {
                    if cancer(x, y) { edges.add((x, y), 0) } else { edges.add((x + 1, y), 2) }
                }
            }
        }
        edges
    }

    fn add(&mut self, (x, y): (usize, usize), direction: usize) {
        let from = y * self.width + x;
        self.leaving[from] |= 1 << direction;
        let to = self.after(from, direction);
        self.entering[to] |= 1 << direction;
    }

    fn after(&self, corner: usize, direction: usize) -> usize {
        match direction {
            0 => corner + 1,
            1 => corner + self.width,
            2 => corner - 1,
            _ => corner - self.width,
        }
    }

    /// Follows edges from a corner and takes them away. The corner is the first of its outline in reading order, so the outline turns there.
    fn follow(&mut self, start: usize, first: usize) -> Outline {
        let point = |corner: usize, width: usize| ((corner % width) as u32, (corner / width) as u32);
        let mut points = vec![point(start, self.width)];
        let (mut corner, mut direction) = (start, first);
        let closed = loop {
            self.leaving[corner] &= !(1 << direction);
            corner = self.after(corner, direction);
            if corner == start {
                break true;
            }
            // Where two parts of the mask touch by a corner, turning towards the mask first keeps them apart.
            let turns = [(direction + 1) % 4, direction, (direction + 3) % 4];
            let Some(next) = turns.into_iter().find(|&turn| self.leaving[corner] & (1 << turn) != 0) else {
                points.push(point(corner, self.width));
                break false;
            };
            if next != direction {
                points.push(point(corner, self.width));
            }
            direction = next;
        };
        Outline { points, closed }
    }
}

/// The boundaries of `mask` (0 or not): every pixel edge between the two classes lies on exactly one outline.
pub fn outlines(mask: &GrayImage) -> Vec<Outline> {
    if mask.width() == 0 || mask.height() == 0 {
        return Vec::new();
    }
    let mut edges = Edges::of(mask);
    let mut found = Vec::new();
    // Lines that begin at the image's border first, or they would be cut where a loop happened to start on them.
    for corner in 0..edges.leaving.len() {
        if edges.leaving[corner].count_ones() > edges.entering[corner].count_ones() {
            let first = edges.leaving[corner].trailing_zeros() as usize;
            found.push(edges.follow(corner, first));
        }
    }
    for corner in 0..edges.leaving.len() {
        while edges.leaving[corner] != 0 {
            let first = edges.leaving[corner].trailing_zeros() as usize;
            found.push(edges.follow(corner, first));
        }
    }
    found
}

/// SVG path data of outlines, magnified by `scale` and moved by `at`.
pub fn path_data(outlines: &[Outline], scale: u32, at: (u32, u32)) -> String {
    let mut data = String::new();
    for outline in outlines {
        let place = |point: (u32, u32)| (at.0 + point.0 * scale, at.1 + point.1 * scale);
        let Some(start) = outline.points.first().map(|&point| place(point)) else { continue };
        // Writing to a String cannot fail.
        let _ = write!(data, "M{} {}", start.0, start.1);
        let corners = outline.points.windows(2);
        for pair in corners {
            let (from, to) = (place(pair[0]), place(pair[1]));
            let _ = match from.1 == to.1 {
                true => write!(data, "H{}", to.0),
                false => write!(data, "V{}", to.1),
            };
        }
        if outline.closed {
            data.push('Z');
        }
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Luma;
    use rand::RngExt;
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::SeedableRng;
    use std::collections::BTreeSet;

    fn mask(rows: &[&str]) -> GrayImage {
        GrayImage::from_fn(rows[0].len() as u32, rows.len() as u32, |x, y| {
            Luma([if rows[y as usize].as_bytes()[x as usize] == b'#' { 255 } else { 0 }])
        })
    }

    #[test]
    fn a_square_is_one_loop_of_four_corners() {
        let found = outlines(&mask(&[".....", ".##..", ".##..", "....."]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].points.clone(), found[0].closed), (vec![(1, 1), (3, 1), (3, 3), (1, 3)], true));
        assert_eq!(path_data(&found, 2, (10, 20)), "M12 22H16V26H12Z");
    }

    #[test]
    fn a_line_to_the_border_stays_open() {
        let found = outlines(&mask(&["##..", "##..", "...."]));
        assert_eq!((found.len(), found[0].closed), (1, false));
        assert_eq!(found[0].points, [(2, 0), (2, 2), (0, 2)]);
        assert!(outlines(&mask(&["##", "##"])).is_empty(), "nothing is known beyond the image");
    }

    #[test]
    fn squares_that_touch_by_a_corner_stay_two() {
        let found = outlines(&mask(&["....", ".#..", "..#.", "...."]));
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|outline| outline.closed && outline.points.len() == 4), "{found:?}");
    }

    #[test]
    fn every_edge_is_drawn_once() {
        let mut random = ChaCha8Rng::seed_from_u64(2);
        for density in [0.1, 0.5, 0.9] {
            let noise = GrayImage::from_fn(23, 17, |_, _| Luma([u8::from(random.random::<f64>() < density)]));
            let at = |x: u32, y: u32| noise.get_pixel(x, y)[0] != 0;
            let mut expected = BTreeSet::new();
            for (x, y) in (0..23).flat_map(|x| (0..17).map(move |y| (x, y))) {
                if x > 0 && at(x, y) != at(x - 1, y) {
                    expected.insert(((x, y), (x, y + 1)));
                }
                if y > 0 && at(x, y) != at(x, y - 1) {
                    expected.insert(((x, y), (x + 1, y)));
                }
            }
            let mut drawn = BTreeSet::new();
            for (from, to) in outlines(&noise).iter().flat_map(|outline| outline.runs().collect::<Vec<_>>()) {
                assert!((from.0 == to.0) != (from.1 == to.1), "a run is straight and not empty: {from:?} {to:?}");
                for (x, y) in (from.0.min(to.0)..=from.0.max(to.0)).flat_map(|x| (from.1.min(to.1)..=from.1.max(to.1)).map(move |y| (x, y)))
                {
                    let edge = if from.1 == to.1 { ((x, y), (x + 1, y)) } else { ((x, y), (x, y + 1)) };
                    let last = (x, y) == (from.0.max(to.0), from.1.max(to.1));
                    assert!(last || drawn.insert(edge), "twice: {edge:?}");
                }
            }
            assert_eq!(drawn, expected);
        }
    }
}
