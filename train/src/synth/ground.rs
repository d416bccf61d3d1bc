//! What lies between the nuclei: stroma, lymphoid ground, fat, the bodies of tumour cells, necrosis, glass.

use super::canvas::{Canvas, Pixel, Stained};
use super::field::{Ground, GroundGrid};
use super::lattice::{Lattice, Owner};
use super::noise::{Draw, fbm, lerp, noise, smoothstep};
use super::slide::Slide;

/// The lattices whose cells own ground.
pub(super) struct Territory<'a> {
    pub(super) slide: &'a Slide,
    pub(super) grid: &'a GroundGrid,
    pub(super) tumour: &'a Lattice,
    pub(super) fat: &'a Lattice,
    /// Distance between pixels in um; lines thinner than that are widened.
    pub(super) pitch_um: f32,
}

/// How far outside tumour (field units) a tumour cell may still own ground.
const TUMOUR_REACH: f32 = 0.8;

impl Territory<'_> {
    /// Paints every pixel of the canvas.
    pub(super) fn paint(&self, canvas: &mut Canvas) {
        let (first, width, pitch) = (canvas.first, canvas.width, canvas.pitch_um);
        for (n, pixel) in canvas.pixels.iter_mut().enumerate() {
            let x = ((n % width) as i32 + first.0) as f32 * pitch + 0.5 * pitch;
            let y = ((n / width) as i32 + first.1) as f32 * pitch + 0.5 * pitch;
            *pixel = self.at(x, y);
        }
    }

    fn at(&self, x: f32, y: f32) -> Pixel {
        let slide = self.slide;
        let g = self.grid.at(x, y);
        let glass = smoothstep(-0.012, 0.012, g.glass + 0.02 * noise(slide.key ^ 0x21, x / 4.0, y / 4.0));
        if glass >= 1.0 {
            return Pixel { stain: Stained::new(0.0, 0.0), cancer: false };
        }
        // Cell outlines are ragged: the place looked up is moved by up to 2 um.
        let ragged = |key: u32| 1.1 * noise(slide.key ^ key, x / 6.0, y / 6.0) + 0.6 * noise(slide.key ^ key, x / 2.2, y / 2.2);
        let mut pixel = Pixel::default();
        if g.tumour > -TUMOUR_REACH {
            let owner = self.tumour.owner(x + ragged(0x22), y + ragged(0x23));
            if owner.site.taken && owner.distance < 0.82 * slide.tumour_cell.spacing_um {
                pixel = Pixel { stain: self.tumour_body(x, y, &owner), cancer: true };
            }
        }
        if !pixel.cancer {
            pixel.stain = self.benign(x, y, &g);
        }
        if g.necrosis > 0.0 {
            let alpha = smoothstep(0.0, 0.04, g.necrosis + 0.04 * noise(slide.key ^ 0x24, x / 7.0, y / 7.0));
            let dust = 0.8 * fbm(slide.key ^ 0x25, x / 19.0, y / 19.0, 4);
            let debris = smoothstep(0.42, 0.7, noise(slide.key ^ 0x26, x / 4.4, y / 4.4) + 0.25 * dust - 0.05);
            pixel.stain.cover(Stained::new(0.12 + 1.3 * debris, slide.collagen * (0.52 + 0.34 * dust)), alpha);
            pixel.cancer &= alpha < 0.5;
        }
        pixel.stain.cover(Stained::new(0.0, 0.0), glass);
        pixel.cancer &= glass < 0.5;
        pixel
    }

    fn tumour_body(&self, x: f32, y: f32, owner: &Owner) -> Stained {
        let cell = &self.slide.tumour_cell;
        let mut draw = Draw::new(owner.site.key ^ 0x31);
        let (own_e, own_h) = (1.0 + 0.13 * draw.normal(), 1.0 + 0.18 * draw.normal());
        let grain = noise(self.slide.key ^ 0x32, x / 3.6, y / 3.6);
        let fine = noise(self.slide.key ^ 0x33, x / 1.3, y / 1.3);
        let cloud = noise(self.slide.key ^ 0x36, x / 17.0, y / 17.0);
        let mut eosin = cell.eosin * own_e * (1.0 + 0.22 * grain + 0.16 * fine + 0.12 * cloud);
        let mut haematoxylin = cell.haematoxylin * own_h * (1.0 + 0.2 * grain + 0.12 * fine);
        // Borders between cells: membranes, or gaps where cells have come apart.
        let line = 1.0 - smoothstep(0.1, 0.85 + 0.4 * self.pitch_um, owner.border);
        let apart = smoothstep(0.0, 0.5, noise(self.slide.key ^ 0x34, x / 26.0, y / 26.0) - 0.4 * cell.border);
        eosin *= 1.0 - 0.6 * line * apart;
        haematoxylin *= 1.0 - 0.8 * line * apart;
        eosin += 0.22 * line * cell.border.max(0.0) * (1.0 - apart);
        // Vacuoles.
        let vacuole = smoothstep(0.55, 0.75, noise(self.slide.key ^ 0x35, x / 5.0, y / 5.0)) * smoothstep(0.1, 0.5, draw.unit() - 0.35);
        Stained::new(haematoxylin * (1.0 - 0.6 * vacuole), eosin * (1.0 - 0.7 * vacuole))
    }

    fn benign(&self, x: f32, y: f32, g: &Ground) -> Stained {
        let mut stain = self.stroma(x, y, g);
        if g.lymphoid > 0.0 {
            stain.cover(self.lymphoid(x, y, g), g.lymphoid);
        }
        if g.fat > -0.25 {
            let owner = self.fat.owner(x + 2.5 * noise(self.slide.key ^ 0x41, x / 24.0, y / 24.0), y);
            if owner.site.taken {
                let wall = 0.9 + 0.5 * noise(self.slide.key ^ 0x42, x / 15.0, y / 15.0);
                let wall = if owner.neighbour_taken { wall } else { wall + 1.0 };
                stain = Stained::new(0.1, 0.5 * self.slide.collagen);
                stain.cover(Stained::new(0.0, 0.012), smoothstep(wall - 0.5, wall + 0.6, owner.border.min(30.0 - owner.distance)));
            }
        }
        stain
    }

    /// Wavy collagen: noise stretched along the fibres, torn open where it is loose.
    fn stroma(&self, x: f32, y: f32, g: &Ground) -> Stained {
        let key = self.slide.key;
        let bundle = noise(key ^ 0x51, g.across / 10.0, g.along / 120.0);
        let fibre = noise(key ^ 0x52, g.across / 4.0, g.along / 44.0);
        // Fibrils finer than the pixels would alias.
        let visible = 1.0 - 0.8 * smoothstep(0.45, 1.0, self.pitch_um);
        let fibril = visible * noise(key ^ 0x53, g.across / 1.7, g.along / 22.0);
        let cloud = fbm(key ^ 0x54, x / 38.0, y / 38.0, 2);
        let strand = 0.5 + 0.28 * bundle + 0.30 * fibre + 0.20 * fibril + 0.12 * cloud;
        let gap = lerp(-0.25, 0.44, g.loose) + 0.10 * noise(key ^ 0x56, x / 7.0, y / 7.0);
        let cover = smoothstep(gap, gap + 0.26, strand);
        let veil = 0.13 + 0.10 * fbm(key ^ 0x55, x / 9.0, y / 9.0, 2);
        let eosin = self.slide.collagen * (0.26 + 0.62 * strand + 0.12 * cloud).max(0.1) * cover + veil * (1.0 - cover);
        Stained::new(0.04 + 0.11 * cover * (0.6 + 0.5 * cloud), eosin)
    }

    /// The pale net between lymphocytes; their own rims of cytoplasm come with their nuclei.
    fn lymphoid(&self, x: f32, y: f32, g: &Ground) -> Stained {
        let key = self.slide.key;
        let net = fbm(key ^ 0x61, x / 11.0, y / 11.0, 3);
        let thin = noise(key ^ 0x62, x / 2.5, y / 2.5);
        let open = smoothstep(-0.35, 0.45, net + 0.25 * thin + 0.5 * g.germinal);
        Stained::new(0.04 + 0.12 * open, 0.07 + (0.28 + 0.1 * g.germinal) * open + 0.05 * thin)
    }
}
