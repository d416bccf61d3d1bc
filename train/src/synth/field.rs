//! Architecture: the large-scale fields that say what tissue lies where, in um. Each field is calibrated on the image itself so
//! that it covers the area drawn for it.

use super::noise::{fbm, foam, noise, smoothstep};
use super::slide::{Growth, Slide};

/// The fields at one place.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ground {
    /// Above 0 inside tumour; roughly 1 per nest radius.
    pub(super) tumour: f32,
    /// Density of lymphoid tissue, 0 to 1.
    pub(super) lymphoid: f32,
    /// Germinal centre, 0 to 1.
    pub(super) germinal: f32,
    /// Above 0 where there is no tissue.
    pub(super) glass: f32,
    /// Above 0 in fat.
    pub(super) fat: f32,
    /// Coordinates across and along the fibres in um.
    pub(super) across: f32,
    pub(super) along: f32,
    /// 0 dense to 1 loose stroma.
    pub(super) loose: f32,
    /// Above 0 in dead tumour.
    pub(super) necrosis: f32,
}

const CHANNELS: usize = 9;

impl Ground {
    fn to_array(self) -> [f32; CHANNELS] {
        [self.tumour, self.lymphoid, self.germinal, self.glass, self.fat, self.across, self.along, self.loose, self.necrosis]
    }
    fn from_array(a: [f32; CHANNELS]) -> Self {
        let [tumour, lymphoid, germinal, glass, fat, across, along, loose, necrosis] = a;
        Self { tumour, lymphoid, germinal, glass, fat, across, along, loose, necrosis }
    }
}

/// The calibrated fields of one image.
pub(super) struct Architecture<'a> {
    slide: &'a Slide,
    tumour_level: f32,
    glass_level: f32,
    fat_level: f32,
    lymphoid_level: f32,
    germinal_level: f32,
}

/// A level no field reaches.
const NEVER: f32 = 1e6;
/// Samples per axis when fields are calibrated.
const CALIBRATION: u32 = 64;

impl<'a> Architecture<'a> {
    /// Finds the levels for an image of `width_um` x `height_um`.
    pub(super) fn calibrate(slide: &'a Slide, width_um: f32, height_um: f32) -> Self {
        let mut this = Self { slide, tumour_level: 0.0, glass_level: NEVER, fat_level: NEVER, lymphoid_level: 0.0, germinal_level: NEVER };
        let places = (0..CALIBRATION * CALIBRATION).map(|n| {
            let (i, j) = (n % CALIBRATION, n / CALIBRATION);
            ((i as f32 + 0.5) / CALIBRATION as f32 * width_um, (j as f32 + 0.5) / CALIBRATION as f32 * height_um)
        });
        let raw: Vec<Ground> = places.map(|(x, y)| this.raw(x, y)).collect();
        let level = |field: fn(&Ground) -> f32, fraction: f32| upper_quantile(raw.iter().map(field).collect(), fraction);
        this.glass_level = level(|g| g.glass, slide.glass_fraction);
        this.fat_level = level(|g| g.fat, slide.fat_fraction);
        this.lymphoid_level = level(|g| g.lymphoid, slide.lymphoid_fraction);
        this.germinal_level = level(|g| g.germinal, slide.follicles);
        this.tumour_level = level(|g| g.tumour, slide.tumour_fraction);
        this
    }

    /// The fields at (x, y) um.
    pub(super) fn at(&self, x: f32, y: f32) -> Ground {
        let mut g = self.raw(x, y);
        g.tumour -= self.tumour_level;
        g.glass -= self.glass_level;
        g.fat -= self.fat_level;
        g.lymphoid = smoothstep(-0.05, 0.09, g.lymphoid - self.lymphoid_level);
        g.germinal = smoothstep(-0.02, 0.06, g.germinal - self.germinal_level) * g.lymphoid;
        // Dead tumour lies deep inside nests.
        g.necrosis = g.necrosis.min(3.0 * (g.tumour - 0.22));
        // Fibres wrap around nests.
        g.across += 26.0 * g.tumour.clamp(-0.5, 0.2);
        g
    }

    fn raw(&self, x: f32, y: f32) -> Ground {
        let s = self.slide;
        let key = |n: u32| s.key.wrapping_add(n.wrapping_mul(0x51ED_270B));
        let (wx, wy) = (x + 38.0 * fbm(key(1), x / 130.0, y / 130.0, 2), y + 38.0 * fbm(key(2), x / 130.0, y / 130.0, 2));
        let (c, d) = s.fibre;
        let across = wx * c + wy * d + 55.0 * noise(key(3), x / 270.0, y / 270.0) + 8.0 * noise(key(4), x / 70.0, y / 70.0);
        let along = wy * c - wx * d;
        let envelope = fbm(key(5), wx / s.envelope_um, wy / s.envelope_um, 3);
        let fine = 0.09 * fbm(key(6), x / 30.0, y / 30.0, 2);
        let whole = 1.3 * envelope + 0.3;
        let tumour = fine
            + match s.growth {
                Growth::Sheets => envelope + 0.25 * fbm(key(7), x / 75.0, y / 75.0, 2),
                Growth::Nests => whole.min(1.2 * foam(key(8), wx / s.nest_um, wy / s.nest_um) - 0.1),
                Growth::Cords => whole.min(0.35 - 0.9 * noise(key(9), across / 46.0, along / 120.0).abs()),
                Growth::Files => whole.min(0.25 - 0.9 * noise(key(10), across / 30.0, along / 170.0).abs()),
            };
        Ground {
            tumour,
            lymphoid: fbm(key(11), wx / 190.0, wy / 190.0, 3),
            germinal: noise(key(12), wx / 210.0, wy / 210.0),
            glass: fbm(key(13), wx / 320.0, wy / 320.0, 3) + 0.05 * fbm(key(14), x / 17.0, y / 17.0, 3),
            fat: fbm(key(15), wx / 330.0, wy / 330.0, 2),
            across,
            along,
            loose: (s.looseness + 0.5 * fbm(key(16), x / 110.0, y / 110.0, 2)).clamp(0.0, 1.0),
            necrosis: if s.necrosis > 0.0 { noise(key(17), wx / 140.0, wy / 140.0) + s.necrosis - 0.3 } else { -1.0 },
        }
    }
}

/// The level that `fraction` of the values exceed.
fn upper_quantile(mut values: Vec<f32>, fraction: f32) -> f32 {
    if fraction <= 0.0 {
        return NEVER;
    }
    if fraction >= 1.0 {
        return -NEVER;
    }
    values.sort_by(f32::total_cmp);
    let rank = ((1.0 - fraction) * values.len() as f32) as usize;
    values.get(rank.min(values.len().saturating_sub(1))).copied().unwrap_or(NEVER)
}

/// The fields on a grid, for fast interpolation. Nodes lie at multiples of the step, so every window gives the same values.
pub(super) struct GroundGrid {
    first: (i32, i32),
    columns: usize,
    rows: usize,
    nodes: Vec<[f32; CHANNELS]>,
}

/// Distance in um between nodes; the finest field varies over some 8 um.
const STEP_UM: f32 = 3.0;

impl GroundGrid {
    /// Covers the rectangle from `low` to `high` (um).
    pub(super) fn new(architecture: &Architecture<'_>, low: (f32, f32), high: (f32, f32)) -> Self {
        let first = ((low.0 / STEP_UM).floor() as i32, (low.1 / STEP_UM).floor() as i32);
        let columns = ((high.0 / STEP_UM).floor() as i32 - first.0 + 2).max(2) as usize;
        let rows = ((high.1 / STEP_UM).floor() as i32 - first.1 + 2).max(2) as usize;
        let nodes = (0..rows * columns)
            .map(|n| {
                let (i, j) = ((n % columns) as i32 + first.0, (n / columns) as i32 + first.1);
                architecture.at(i as f32 * STEP_UM, j as f32 * STEP_UM).to_array()
            })
            .collect();
        Self { first, columns, rows, nodes }
    }

    /// Bilinear interpolation at (x, y) um; places outside take the nearest edge.
    pub(super) fn at(&self, x: f32, y: f32) -> Ground {
        let gx = (x / STEP_UM - self.first.0 as f32).clamp(0.0, (self.columns - 1) as f32 - 0.001);
        let gy = (y / STEP_UM - self.first.1 as f32).clamp(0.0, (self.rows - 1) as f32 - 0.001);
        let (i, j) = (gx as usize, gy as usize);
        let (u, v) = (gx - i as f32, gy - j as f32);
        let k = j * self.columns + i;
        let (a, b) = (&self.nodes[k], &self.nodes[k + 1]);
        let (c, d) = (&self.nodes[k + self.columns], &self.nodes[k + self.columns + 1]);
        let (wa, wb, wc, wd) = ((1.0 - u) * (1.0 - v), u * (1.0 - v), (1.0 - u) * v, u * v);
        Ground::from_array(core::array::from_fn(|n| wa * a[n] + wb * b[n] + wc * c[n] + wd * d[n]))
    }

    /// Unit vector along the fibres at (x, y) um.
    pub(super) fn fibre(&self, x: f32, y: f32) -> (f32, f32) {
        let dx = self.at(x + 2.0, y).across - self.at(x - 2.0, y).across;
        let dy = self.at(x, y + 2.0).across - self.at(x, y - 2.0).across;
        let length = (dx * dx + dy * dy).sqrt().max(1e-3);
        (-dy / length, dx / length)
    }
}
