//! Places for cells: a hexagonal lattice, jittered and relaxed once, so that cells lie at random and yet apart.

use super::noise::{hash, unit};

/// A place where a cell may lie.
#[derive(Debug, Clone, Copy)]
pub(super) struct Site {
    pub(super) x: f32,
    pub(super) y: f32,
    /// The cell's own key.
    pub(super) key: u32,
    /// Whether a cell lies here.
    pub(super) taken: bool,
}

/// The sites of a window. A site depends on the key and its lattice position alone, never on the window.
pub(super) struct Lattice {
    spacing: f32,
    first: (i32, i32),
    columns: usize,
    rows: usize,
    pub(super) sites: Vec<Site>,
}

/// The site that owns a place.
#[derive(Debug, Clone, Copy)]
pub(super) struct Owner {
    pub(super) site: Site,
    /// Distance to the site in um.
    pub(super) distance: f32,
    /// Distance to the border with the next site in um.
    pub(super) border: f32,
    /// Whether that next site is taken.
    pub(super) neighbour_taken: bool,
}

const ROW: f32 = 0.866;
/// Sites beyond the window on each side: what the relaxation and the search for the nearest site reach.
const MARGIN: i32 = 2;

impl Lattice {
    /// All sites within the rectangle `low` to `high` (um), and some around it. `jitter` is relative to the spacing.
    pub(super) fn new(key: u32, spacing: f32, jitter: f32, low: (f32, f32), high: (f32, f32)) -> Self {
        let first = ((low.0 / spacing).floor() as i32 - MARGIN, (low.1 / (spacing * ROW)).floor() as i32 - MARGIN);
        let columns = ((high.0 / spacing).floor() as i32 - first.0 + MARGIN + 1) as usize;
        let rows = ((high.1 / (spacing * ROW)).floor() as i32 - first.1 + MARGIN + 1) as usize;
        let start = |i: i32, j: i32| {
            let bits = hash(key, i, j);
            let dx = unit(bits) - 0.5;
            let dy = unit(bits.wrapping_mul(0x9E37_79B1)) - 0.5;
            let shift = if j.rem_euclid(2) == 1 { 0.5 } else { 0.0 };
            ((i as f32 + shift + 2.0 * jitter * dx) * spacing, (j as f32 * ROW + 2.0 * jitter * dy) * spacing)
        };
        // The starting places, with one more site on each side for the relaxation.
        let wide = columns + 2;
        let starts: Vec<(f32, f32)> =
            (0..wide * (rows + 2)).map(|n| start(first.0 - 1 + (n % wide) as i32, first.1 - 1 + (n / wide) as i32)).collect();
        let sites = (0..rows * columns)
            .map(|n| {
                let (i, j) = (n % columns, n / columns);
                let (x, y) = relaxed(&starts, wide, (i + 1, j + 1), spacing);
                Site { x, y, key: hash(key ^ 0x5bd1_e995, first.0 + i as i32, first.1 + j as i32), taken: false }
            })
            .collect();
        Self { spacing, first, columns, rows, sites }
    }

    /// The owner of (x, y) um. Places outside the window are treated as at its edge.
    pub(super) fn owner(&self, x: f32, y: f32) -> Owner {
        let row = ((y / (self.spacing * ROW) + 0.5).floor() as i32 - self.first.1).clamp(1, self.rows as i32 - 2) as usize;
        let column = ((x / self.spacing + 0.25).floor() as i32 - self.first.0).clamp(1, self.columns as i32 - 2) as usize;
        let (mut first, mut second) = ((f32::MAX, 0), (f32::MAX, 0));
        for j in row - 1..=row + 1 {
            for k in j * self.columns + column - 1..=j * self.columns + column + 1 {
                let site = &self.sites[k];
                let (dx, dy) = (site.x - x, site.y - y);
                let d = dx * dx + dy * dy;
                if d < first.0 {
                    (first, second) = ((d, k), first);
                } else if d < second.0 {
                    second = (d, k);
                }
            }
        }
        let (site, other) = (self.sites[first.1], self.sites[second.1]);
        let (dx, dy) = (site.x - other.x, site.y - other.y);
        let apart = (dx * dx + dy * dy).sqrt().max(1e-3);
        Owner { site, distance: first.0.sqrt(), border: (second.0 - first.0) / (2.0 * apart), neighbour_taken: other.taken }
    }
}

/// Pushes a place away from the neighbours that are closer than the spacing.
fn relaxed(starts: &[(f32, f32)], wide: usize, (i, j): (usize, usize), spacing: f32) -> (f32, f32) {
    let (x, y) = starts[j * wide + i];
    let (mut px, mut py) = (x, y);
    for n in j - 1..=j + 1 {
        for &(nx, ny) in &starts[n * wide + i - 1..=n * wide + i + 1] {
            let (dx, dy) = (x - nx, y - ny);
            let d = (dx * dx + dy * dy).sqrt();
            if d > 1e-3 && d < spacing {
                let push = 0.42 * (spacing - d) / d;
                px += push * dx;
                py += push * dy;
            }
        }
    }
    (px, py)
}
