//! Structures with a wall around a lumen: ducts, acini, vessels, arteries, and the lumens of gland-forming tumour.

use super::canvas::{Canvas, Stained};
use super::field::Architecture;
use super::noise::{Draw, fbm, hash, noise, smoothstep, unit};
use super::nucleus::Nucleus;
use super::slide::Slide;

/// What a structure is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A benign duct or acinus: an even row of epithelial cells over flat myoepithelium.
    Gland,
    /// A capillary or venule.
    Vessel,
    /// A vessel with a muscular wall.
    Artery,
    /// A lumen between tumour cells.
    TumourLumen,
}

/// One structure, in um.
#[derive(Debug, Clone, Copy)]
pub(super) struct Structure {
    pub(super) kind: Kind,
    x: f32,
    y: f32,
    axes: (f32, f32),
    direction: (f32, f32),
    /// Amplitude of the outline's wobble.
    wobble: f32,
    wall: f32,
    key: u32,
}

/// The widest a structure reaches from its centre, in um.
const REACH_UM: f32 = 150.0;
/// Distances in um between the places where a duct, a lobule, a vessel, a tumour lumen may lie.
const DUCT_UM: f32 = 260.0;
const LOBULE_UM: f32 = 330.0;
const ACINUS_UM: f32 = 46.0;
const VESSEL_UM: f32 = 150.0;
const LUMEN_UM: f32 = 62.0;
const CELL_UM: f32 = 6.4;

impl Structure {
    /// All structures that may touch the rectangle `low` to `high` (um).
    pub(super) fn gather(slide: &Slide, architecture: &Architecture<'_>, low: (f32, f32), high: (f32, f32)) -> Vec<Self> {
        // Whatever may overlap a structure that touches the window has to be known too.
        let (inner_low, inner_high) = (low, high);
        let wide = |um: f32| um + REACH_UM;
        let (low, high) = ((low.0 - REACH_UM, low.1 - REACH_UM), (wide(high.0), wide(high.1)));
        let mut found = Vec::new();
        let mut add = |structure: Self| {
            if structure.fits(architecture) {
                found.push(structure);
            }
        };
        places(slide.key ^ 0x11, DUCT_UM, slide.ducts, low, high, |x, y, mut draw| {
            let radius = draw.range(26.0, 62.0);
            add(Self::new(Kind::Gland, x, y, radius, draw.range(1.0, 1.7), &mut draw));
        });
        places(slide.key ^ 0x12, LOBULE_UM, slide.lobules, low, high, |x, y, mut draw| {
            let (key, extent) = (draw.key(), draw.range(55.0, 105.0));
            let (low, high) = ((x - extent, y - extent), (x + extent, y + extent));
            places(key, ACINUS_UM, 0.8, low, high, |ax, ay, mut draw| {
                let radius = draw.range(13.0, 22.0);
                if (ax - x) * (ax - x) + (ay - y) * (ay - y) < extent * extent {
                    add(Self::new(Kind::Gland, ax, ay, radius, draw.range(1.0, 1.35), &mut draw));
                }
            });
        });
        places(slide.key ^ 0x13, VESSEL_UM, slide.vessels, low, high, |x, y, mut draw| {
            if draw.unit() < 0.14 {
                let radius = draw.range(16.0, 42.0);
                add(Self::new(Kind::Artery, x, y, radius, draw.range(1.0, 1.5), &mut draw));
            } else {
                let radius = draw.range(4.5, 17.0);
                add(Self::new(Kind::Vessel, x, y, radius, draw.range(1.0, 2.8), &mut draw));
            }
        });
        places(slide.key ^ 0x14, LUMEN_UM, slide.tumour_lumens, low, high, |x, y, mut draw| {
            let radius = draw.range(5.0, 18.0);
            add(Self::new(Kind::TumourLumen, x, y, radius, draw.range(1.0, 2.0), &mut draw));
        });
        let stays = |this: &&Self| this.touches(inner_low, inner_high) && !found.iter().any(|other| other.displaces(this));
        found.iter().filter(stays).copied().collect()
    }

    fn touches(&self, low: (f32, f32), high: (f32, f32)) -> bool {
        let reach = self.reach();
        self.x + reach > low.0 && self.x - reach < high.0 && self.y + reach > low.1 && self.y - reach < high.1
    }

    /// Of two that overlap the larger stays. One that gives way still displaces others: so no chain of decisions leaves the window.
    fn displaces(&self, other: &Self) -> bool {
        let (dx, dy) = (self.x - other.x, self.y - other.y);
        let apart = 0.9 * (self.axes.0 + other.axes.0) + 2.0;
        let larger = (self.axes.0, self.key) > (other.axes.0, other.key);
        larger && dx * dx + dy * dy < apart * apart
    }

    fn new(kind: Kind, x: f32, y: f32, radius: f32, elongation: f32, draw: &mut Draw) -> Self {
        let stretch = elongation.sqrt();
        let wall = match kind {
            Kind::Gland => draw.range(9.5, 14.0).min(0.8 * radius),
            Kind::Vessel => draw.range(1.6, 3.2),
            Kind::Artery => radius * draw.range(0.35, 0.6),
            Kind::TumourLumen => 0.0,
        };
        let wobble = radius * if kind == Kind::TumourLumen { 0.45 } else { draw.range(0.12, 0.28) };
        Self { kind, x, y, axes: (radius * stretch, radius / stretch), direction: draw.direction(), wobble, wall, key: draw.key() }
    }

    fn reach(&self) -> f32 {
        (self.axes.0.max(self.axes.1) + 1.6 * self.wobble + 10.0).min(REACH_UM)
    }

    /// Whether the tissue at its centre can hold it.
    fn fits(&self, architecture: &Architecture<'_>) -> bool {
        let g = architecture.at(self.x, self.y);
        let tissue = g.glass < -0.08 && g.fat < -0.03;
        tissue
            && match self.kind {
                Kind::Gland => g.tumour < -0.10 && g.lymphoid < 0.4,
                Kind::Vessel | Kind::Artery => g.tumour < -0.03 && g.germinal < 0.2,
                Kind::TumourLumen => g.tumour > 0.12 && g.necrosis < -0.1,
            }
    }

    /// Distance in um to the outline, positive inside.
    pub(super) fn inside(&self, x: f32, y: f32) -> f32 {
        let (dx, dy) = (x - self.x, y - self.y);
        let (long, short) = self.axes;
        let reach = self.reach();
        if dx.abs() > reach || dy.abs() > reach {
            return -REACH_UM;
        }
        let u = (dx * self.direction.0 + dy * self.direction.1) / long;
        let v = (dy * self.direction.0 - dx * self.direction.1) / short;
        let rho = (u * u + v * v).sqrt().max(1e-3);
        let radius_um = if rho > 2e-3 { (dx * dx + dy * dy).sqrt() / rho } else { short };
        let wavelength = 1.1 * short.max(6.0);
        (1.0 - rho) * radius_um + self.wobble * fbm(self.key, x / wavelength, y / wavelength, 2)
    }

    /// Whether cells of the surrounding tissue must keep out of (x, y).
    pub(super) fn excludes(&self, x: f32, y: f32) -> bool {
        self.inside(x, y) > if self.kind == Kind::TumourLumen { 1.0 } else { -2.5 }
    }

    /// Paints wall and lumen.
    pub(super) fn paint(&self, canvas: &mut Canvas, slide: &Slide) {
        let mut draw = Draw::new(self.key ^ 0x77);
        // The lumen is empty, or holds secretion (glands, tumour) or blood (vessels).
        let filled = draw.unit() < 0.35;
        let secretion = Stained::new(draw.range(0.02, 0.25), draw.range(0.12, 0.55));
        let (epithelium_h, epithelium_e) = (draw.range(0.25, 0.5), draw.range(0.42, 0.68));
        let sheath = draw.range(2.0, 9.0);
        canvas.around(self.x, self.y, self.reach(), |x, y, pixel| {
            let d = self.inside(x, y);
            if d < -sheath {
                return;
            }
            let fine = noise(self.key ^ 3, x / 2.1, y / 2.1);
            let grain = noise(self.key ^ 4, x / 5.5, y / 5.5);
            let lumen = smoothstep(-0.5, 0.5, d - self.wall);
            match self.kind {
                Kind::TumourLumen => {
                    if d > 0.0 {
                        pixel.cancer = false;
                    }
                }
                Kind::Gland => {
                    pixel.cancer &= d < -1.5;
                    let layers = noise(self.key ^ 5, d / 1.7, (x + y) / 30.0);
                    let collagen = Stained::new(0.16, slide.collagen * (0.55 + 0.2 * layers));
                    pixel.stain.cover(collagen, 0.75 * smoothstep(-sheath, -0.4 * sheath, d));
                    let body = Stained::new(epithelium_h * (1.0 + 0.25 * grain), epithelium_e * (1.0 + 0.18 * fine + 0.15 * grain));
                    pixel.stain.cover(body, smoothstep(-0.6, 0.6, d));
                }
                Kind::Vessel | Kind::Artery => {
                    pixel.cancer &= d < -1.5;
                    let layers = noise(self.key ^ 5, d / 1.9 + 0.6 * grain, (x - y) / 24.0);
                    let wall = Stained::new(0.2, slide.collagen * (0.58 + 0.22 * layers + 0.08 * fine));
                    pixel.stain.cover(wall, smoothstep(-1.2, 0.8, d));
                }
            }
            if lumen <= 0.0 {
                return;
            }
            let mut content = Stained::new(0.0, 0.015 * (1.0 + fine));
            match self.kind {
                Kind::Vessel | Kind::Artery => {
                    let plasma = if filled { 0.12 + 0.05 * fine } else { 0.02 };
                    content = Stained::new(0.0, plasma);
                    let (red, grade) = self.erythrocyte(x, y, if filled { 0.9 } else { 0.3 });
                    content.cover(Stained { haematoxylin: 0.05, eosin: 0.1, erythrocyte: 0.62 * grade }, red);
                }
                Kind::Gland | Kind::TumourLumen if filled => {
                    content = secretion;
                    content.eosin *= 1.0 + 0.25 * fine + 0.4 * grain;
                }
                Kind::Gland | Kind::TumourLumen => {}
            }
            pixel.stain.cover(content, lumen);
        });
    }

    /// Coverage and depth of colour of the red blood cell at (x, y), if one is there.
    fn erythrocyte(&self, x: f32, y: f32, share: f32) -> (f32, f32) {
        let (gx, gy) = (x / CELL_UM, y / CELL_UM);
        let (ix, iy) = (gx.floor() as i32, gy.floor() as i32);
        let mut best = f32::MAX;
        for j in -1..=1 {
            for i in -1..=1 {
                let bits = hash(self.key ^ 9, ix + i, iy + j);
                if unit(bits) < share {
                    let dx = (ix + i) as f32 + 0.2 + 0.6 * unit(bits.wrapping_mul(0x85EB_CA77)) - gx;
                    let dy = (iy + j) as f32 + 0.2 + 0.6 * unit(bits.wrapping_mul(0xC2B2_AE3D)) - gy;
                    best = best.min(dx * dx + dy * dy);
                }
            }
        }
        let d = best.sqrt() * CELL_UM;
        (1.0 - smoothstep(2.6, 3.5, d), 0.8 + 0.35 * smoothstep(0.4, 2.2, d))
    }

    /// The nuclei of the wall.
    pub(super) fn nuclei(&self) -> Vec<Nucleus> {
        let mut draw = Draw::new(self.key ^ 0x99);
        let (spacing, depth) = match self.kind {
            Kind::Gland => (draw.range(5.6, 6.8), 0.40 * self.wall),
            Kind::Vessel => (draw.range(14.0, 22.0), 0.5 * self.wall),
            Kind::Artery => (draw.range(10.0, 14.0), 0.9 * self.wall),
            Kind::TumourLumen => return Vec::new(),
        };
        let chromatin = draw.range(1.35, 1.85);
        let radius = draw.range(2.9, 3.5);
        let mut nuclei = Vec::new();
        for (place, direction) in self.along_wall(depth, spacing, &mut draw) {
            let key = draw.key();
            let mut nucleus = Nucleus::round(place.0, place.1, radius, chromatin * (1.0 + 0.10 * draw.normal()), key);
            if self.kind == Kind::Gland {
                // Even, oval, upright, fine chromatin.
                nucleus.axes = (radius * draw.range(1.15, 1.4), radius * draw.range(0.88, 1.0));
                nucleus.direction = direction;
            } else {
                nucleus.axes = (draw.range(3.8, 6.0), draw.range(1.0, 1.6));
                nucleus.direction = (-direction.1, direction.0);
            }
            nuclei.push(nucleus);
        }
        let layers = match self.kind {
            Kind::Artery => (self.wall / 5.0) as u32,
            _ => u32::from(self.kind == Kind::Gland),
        };
        for layer in 0..layers {
            let depth = if self.kind == Kind::Gland { 0.6 } else { self.wall * (layer as f32 + 0.4) / (layers as f32 + 0.8) };
            for (place, direction) in self.along_wall(depth, 17.0, &mut draw) {
                let key = draw.key();
                if draw.unit() < 0.75 {
                    let mut nucleus = Nucleus::round(place.0, place.1, 1.3, 1.6, key);
                    nucleus.axes = (draw.range(3.6, 6.5), draw.range(0.9, 1.4));
                    nucleus.direction = (-direction.1, direction.0);
                    nuclei.push(nucleus);
                }
            }
        }
        nuclei
    }

    /// Places `depth` um below the outline, some `spacing` um apart, each with its direction from the centre.
    fn along_wall(&self, depth: f32, spacing: f32, draw: &mut Draw) -> Vec<((f32, f32), (f32, f32))> {
        // Ramanujan would be exact to 1e-4; the mean radius is good enough for a count.
        let perimeter = core::f32::consts::PI * (self.axes.0 + self.axes.1 - 1.6 * depth).max(4.0);
        let count = ((perimeter / spacing) as u32).max(3);
        (0..count)
            .map(|n| {
                let angle = (n as f32 + 0.35 * (draw.unit() - 0.5)) / count as f32 * core::f32::consts::TAU;
                let (u, v) = (libm::cosf(angle) * self.axes.0, libm::sinf(angle) * self.axes.1);
                let (dx, dy) = (u * self.direction.0 - v * self.direction.1, u * self.direction.1 + v * self.direction.0);
                let length = (dx * dx + dy * dy).sqrt().max(1e-3);
                let (c, s) = (dx / length, dy / length);
                let target = depth + 0.9 * (draw.unit() - 0.5);
                let mut r = length;
                for _ in 0..4 {
                    r = (r + self.inside(self.x + r * c, self.y + r * s) - target).max(0.5);
                }
                ((self.x + r * c, self.y + r * s), (c, s))
            })
            .collect()
    }
}

/// Calls `visit` for every taken place of a jittered square lattice that can reach the rectangle.
fn places(key: u32, spacing: f32, share: f32, low: (f32, f32), high: (f32, f32), mut visit: impl FnMut(f32, f32, Draw)) {
    if share <= 0.0 {
        return;
    }
    let index = |um: f32| (um / spacing).floor() as i32;
    for j in index(low.1 - REACH_UM) - 1..=index(high.1 + REACH_UM) + 1 {
        for i in index(low.0 - REACH_UM) - 1..=index(high.0 + REACH_UM) + 1 {
            let mut draw = Draw::new(hash(key, i, j));
            if draw.unit() < share {
                let x = (i as f32 + draw.range(0.15, 0.85)) * spacing;
                let y = (j as f32 + draw.range(0.15, 0.85)) * spacing;
                visit(x, y, draw);
            }
        }
    }
}
