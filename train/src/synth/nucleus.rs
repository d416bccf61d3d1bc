//! One nucleus: an outline, chromatin, a membrane and nucleoli, drawn over what lies beneath.

use super::canvas::{Canvas, Stained};
use super::noise::{Draw, lerp, noise, smoothstep};

/// A nucleus, in um and stain concentrations.
#[derive(Debug, Clone, Copy)]
pub(super) struct Nucleus {
    pub(super) x: f32,
    pub(super) y: f32,
    /// Semi-axes in um.
    pub(super) axes: (f32, f32),
    /// Direction of the first axis (cosine, sine).
    pub(super) direction: (f32, f32),
    /// Relative amplitude of the outline's irregularity.
    pub(super) irregular: f32,
    /// Haematoxylin of the interior.
    pub(super) chromatin: f32,
    /// Relative strength of the chromatin's clumps, and their size in um.
    pub(super) clumps: (f32, f32),
    /// Additional haematoxylin of the membrane.
    pub(super) membrane: f32,
    /// Number of nucleoli, 0 to 3.
    pub(super) nucleoli: u32,
    /// Width in um over which the edge fades (focus).
    pub(super) softness: f32,
    /// Opacity; below 1 the nucleus is only partly in the section.
    pub(super) opacity: f32,
    /// Cytoplasm around the nucleus: a rim, or a cleared halo where its stain is pale.
    pub(super) cytoplasm: Option<Cytoplasm>,
    /// Whether the pixels become cancer.
    pub(super) cancer: bool,
    pub(super) key: u32,
}

/// A rim of cytoplasm.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cytoplasm {
    pub(super) width: f32,
    pub(super) stain: Stained,
    pub(super) opacity: f32,
}

impl Nucleus {
    /// A round nucleus with plain chromatin; callers change what differs.
    pub(super) fn round(x: f32, y: f32, radius: f32, chromatin: f32, key: u32) -> Self {
        Self {
            x,
            y,
            axes: (radius, radius),
            direction: (1.0, 0.0),
            irregular: 0.05,
            chromatin,
            clumps: (0.15, 1.3),
            membrane: 0.2,
            nucleoli: 0,
            softness: 0.45,
            opacity: 0.95,
            cytoplasm: None,
            cancer: false,
            key,
        }
    }

    /// Draws the nucleus.
    pub(super) fn draw(&self, canvas: &mut Canvas) {
        let mut draw = Draw::new(self.key ^ 0xA511_E9B3);
        let (c2, s2) = draw.direction();
        let (c3, s3) = draw.direction();
        let (c5, s5) = draw.direction();
        let (a2, a3, a5) = (self.irregular * 0.7, self.irregular, self.irregular * 0.5);
        let spots: [(f32, f32, f32); 3] = core::array::from_fn(|_| {
            let (c, s) = draw.direction();
            let r = 0.55 * draw.unit();
            (r * c, r * s, draw.range(0.75, 1.35))
        });
        let (long, short) = self.axes;
        let (softness, thin) = (self.softness.max(0.35 * canvas.pitch_um), long.min(short));
        let rim = self.cytoplasm.map_or(0.0, |c| c.width);
        let reach = long.max(short) * (1.0 + 2.2 * self.irregular) + rim + softness;
        let cancer = self.cancer;
        canvas.around(self.x, self.y, reach, |x, y, pixel| {
            let (dx, dy) = (x - self.x, y - self.y);
            let u = (dx * self.direction.0 + dy * self.direction.1) / long;
            let v = (dy * self.direction.0 - dx * self.direction.1) / short;
            let rho = (u * u + v * v).sqrt().max(1e-4);
            let (c, s) = (u / rho, v / rho);
            // Cosines and sines of multiple angles by products: no trigonometry for a pixel.
            let (cc, ss) = (c * c - s * s, 2.0 * c * s);
            let (c3a, s3a) = (cc * c - ss * s, ss * c + cc * s);
            let (c5a, s5a) = (cc * c3a - ss * s3a, ss * c3a + cc * s3a);
            let outline = 1.0 + a2 * (cc * c2 + ss * s2) + a3 * (c3a * c3 + s3a * s3) + a5 * (c5a * c5 + s5a * s5);
            // Distance to the outline, positive inside, in um along the ray from the centre.
            let radius_um = (dx * dx + dy * dy).sqrt() / rho;
            let inside = ((outline - rho) * radius_um).min(thin * 1.2);
            if let Some(cytoplasm) = self.cytoplasm {
                let alpha = smoothstep(-rim - softness, -rim + softness, inside);
                if alpha > 0.0 {
                    pixel.stain.cover(cytoplasm.stain, alpha * cytoplasm.opacity);
                }
            }
            let alpha = smoothstep(-softness, softness, inside);
            if alpha <= 0.0 {
                return;
            }
            let texture = noise(self.key, x / self.clumps.1, y / self.clumps.1) + 0.7 * noise(self.key ^ 7, x / 0.8, y / 0.8);
            let mut chromatin = self.chromatin * (1.0 + self.clumps.0 * texture);
            chromatin += self.membrane * (1.0 - smoothstep(0.5, 1.7, inside));
            let mut eosin = 0.30;
            for &(su, sv, radius) in spots.iter().take(self.nucleoli as usize) {
                let (du, dv) = ((u - su) * long, (v - sv) * short);
                let spot = 1.0 - smoothstep(0.5 * radius, 1.15 * radius, (du * du + dv * dv).sqrt());
                chromatin = lerp(chromatin, 1.95, 0.85 * spot);
                eosin += 0.35 * spot;
            }
            pixel.stain.cover(Stained::new(chromatin.max(0.15), eosin), alpha * self.opacity);
            pixel.cancer |= cancer && inside > 0.0;
        });
    }
}
