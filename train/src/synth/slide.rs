//! What differs from image to image: the disease, the organ's mood, the stain and the scanner. Drawn from ChaCha8, stream `index`.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::SynthConfig;
use super::noise::{lerp, unit};

/// How a tumour grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Growth {
    /// Broad sheets with few septa.
    Sheets,
    /// Rounded nests between septa of stroma.
    Nests,
    /// Branching cords, three to six cells wide.
    Cords,
    /// Strands one or two cells wide, and single cells.
    Files,
}

/// Stain vectors (optical density, natural logarithm, per unit of concentration, for red, green, blue) and the light.
#[derive(Debug, Clone)]
pub(super) struct Stain {
    pub(super) haematoxylin: [f32; 3],
    pub(super) eosin: [f32; 3],
    pub(super) erythrocyte: [f32; 3],
    /// Grey value (0 to 255) of empty glass, per channel.
    pub(super) light: [f32; 3],
    /// Relative change of the light across the image, (x, y).
    pub(super) shading: (f32, f32),
    /// Standard deviation of the sensor's noise in grey values.
    pub(super) noise: f32,
    /// Standard deviation of the optical blur in um.
    pub(super) blur_um: f32,
}

/// Size and look of the tumour's cells.
#[derive(Debug, Clone, Copy)]
pub(super) struct TumourCell {
    /// Distance between cell centres in um.
    pub(super) spacing_um: f32,
    /// Mean nuclear radius in um.
    pub(super) nucleus_um: f32,
    /// Relative spread of the nuclear radius.
    pub(super) pleomorphism: f32,
    /// Haematoxylin of the nuclear interior.
    pub(super) chromatin: f32,
    pub(super) eosin: f32,
    pub(super) haematoxylin: f32,
    /// How visible cell borders are: below 0 pale gaps, above 0 pink membranes.
    pub(super) border: f32,
}

/// Everything drawn once for an image. Fractions are of the image's area.
#[derive(Debug, Clone)]
pub(super) struct Slide {
    /// Root of all positional hashes.
    pub(super) key: u32,
    pub(super) growth: Growth,
    pub(super) tumour_fraction: f32,
    pub(super) glass_fraction: f32,
    pub(super) fat_fraction: f32,
    pub(super) lymphoid_fraction: f32,
    pub(super) follicles: f32,
    pub(super) necrosis: f32,
    /// Wavelength in um of the outline of the tumour as a whole, and of its nests.
    pub(super) envelope_um: f32,
    pub(super) nest_um: f32,
    /// Direction across the fibres (cosine, sine).
    pub(super) fibre: (f32, f32),
    /// 0 dense collagen, 1 loose and oedematous.
    pub(super) looseness: f32,
    pub(super) collagen: f32,
    pub(super) fibroblasts: f32,
    /// Share of lymphocyte places that are taken in stroma, and within tumour.
    pub(super) infiltrate: f32,
    pub(super) intraepithelial: f32,
    pub(super) plasma_cells: f32,
    pub(super) histiocytes: f32,
    pub(super) lymphocyte_um: f32,
    pub(super) lymphocyte_chromatin: f32,
    pub(super) tumour_cell: TumourCell,
    /// Probability that a place of the gland (vessel, tumour lumen) lattice is taken.
    pub(super) ducts: f32,
    pub(super) lobules: f32,
    pub(super) vessels: f32,
    pub(super) tumour_lumens: f32,
    /// Strength of folds and thickness changes.
    pub(super) thickness: f32,
    pub(super) stain: Stain,
}

struct Dice(ChaCha8Rng);

impl Dice {
    fn unit(&mut self) -> f32 {
        unit(self.0.next_u32())
    }
    fn range(&mut self, low: f32, high: f32) -> f32 {
        lerp(low, high, self.unit())
    }
    fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }
}

impl Slide {
    /// Draws image `index` of the series that `config.seed` names.
    pub(super) fn draw(config: &SynthConfig, index: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        rng.set_stream(index);
        let key = rng.next_u32();
        let mut dice = Dice(rng);
        let drawn_fraction = draw_tumour_fraction(&mut dice);
        let tumour_fraction = config.tumour_fraction.unwrap_or(drawn_fraction);
        let growth = match dice.unit() {
            u if u < 0.28 => Growth::Sheets,
            u if u < 0.64 => Growth::Nests,
            u if u < 0.86 => Growth::Cords,
            _ => Growth::Files,
        };
        // A lymph node (dense lymphoid tissue) or an organ (stroma, fat, glands).
        let node = dice.chance(0.5);
        let lymphoid_fraction = if node { dice.range(0.55, 1.1) } else { dice.range(0.0, 0.18) };
        let fat_fraction = if dice.chance(if node { 0.15 } else { 0.35 }) { dice.range(0.03, 0.3) } else { 0.0 };
        let angle = dice.range(0.0, core::f32::consts::TAU);
        let spacing_um = dice.range(11.0, 15.5);
        Self {
            key,
            growth,
            tumour_fraction,
            glass_fraction: if dice.chance(0.3) { dice.range(0.02, 0.22) } else { 0.0 },
            fat_fraction,
            lymphoid_fraction,
            follicles: if node && dice.chance(0.6) { dice.range(0.1, 0.3) } else { 0.0 },
            necrosis: if dice.chance(0.2) { dice.range(0.05, 0.2) } else { 0.0 },
            envelope_um: dice.range(180.0, 480.0),
            nest_um: dice.range(70.0, 190.0),
            fibre: (libm::cosf(angle), libm::sinf(angle)),
            looseness: dice.range(0.1, 0.7),
            collagen: dice.range(0.8, 1.2),
            fibroblasts: dice.range(0.25, 0.75),
            infiltrate: dice.range(0.02, 0.16),
            intraepithelial: dice.range(0.0, 0.06),
            plasma_cells: dice.range(0.0, 0.25),
            histiocytes: dice.range(0.01, 0.06),
            lymphocyte_um: dice.range(3.15, 3.65),
            lymphocyte_chromatin: dice.range(1.9, 2.4),
            tumour_cell: TumourCell {
                spacing_um,
                nucleus_um: spacing_um * dice.range(0.33, 0.40),
                pleomorphism: dice.range(0.10, 0.26),
                chromatin: dice.range(0.65, 1.30),
                eosin: dice.range(0.45, 0.70),
                haematoxylin: dice.range(0.18, 0.38),
                border: dice.range(-1.0, 1.0),
            },
            ducts: if node { 0.0 } else { dice.range(0.0, 0.5) },
            lobules: if node { 0.0 } else { dice.range(0.0, 0.6) },
            vessels: dice.range(0.15, 0.6),
            tumour_lumens: if dice.chance(0.35) { dice.range(0.1, 0.5) } else { 0.0 },
            thickness: dice.range(0.05, 0.16),
            stain: draw_stain(&mut dice),
        }
    }
}

/// A fifth of the images has no tumour, a tenth is nearly full of it, the rest lies between.
fn draw_tumour_fraction(dice: &mut Dice) -> f32 {
    let (kind, amount) = (dice.unit(), dice.unit());
    match kind {
        k if k < 0.20 => 0.0,
        k if k < 0.30 => lerp(0.85, 1.0, amount),
        _ => lerp(0.05, 0.80, amount),
    }
}

/// Haematoxylin between the maroon of the CAMELYON scanner and Ruifrok and Johnston's blue; eosin likewise. Measured on real
/// images (Macenko): haematoxylin (0.29, 0.75, 0.60) to (0.53, 0.84, 0.13), eosin (0.25, 0.95, 0.19) to (0.40, 0.69, 0.60).
fn draw_stain(dice: &mut Dice) -> Stain {
    let blue = dice.unit() * dice.unit().max(0.35);
    let haematoxylin = [lerp(0.30, 0.66, blue), lerp(0.76, 0.70, blue), lerp(0.59, 0.26, blue)];
    let purple = dice.unit();
    let eosin = [lerp(0.08, 0.27, purple), lerp(0.96, 0.93, purple), lerp(0.30, 0.22, purple)];
    let (strength_h, strength_e) = (dice.range(0.70, 1.12), dice.range(0.65, 1.1));
    let mut jitter = |vector: [f32; 3], strength: f32| vector.map(|v| strength * (v + dice.range(-0.05, 0.05)).max(0.02));
    let (haematoxylin, eosin) = (jitter(haematoxylin, strength_h), jitter(eosin, strength_e));
    let light = dice.range(238.0, 253.0);
    Stain {
        haematoxylin,
        eosin,
        erythrocyte: [0.14 * strength_e, 0.95 * strength_e, 0.72 * strength_e],
        light: [light + dice.range(-2.0, 2.0), light + dice.range(-5.0, 1.0), light + dice.range(-3.0, 2.0)],
        shading: (dice.range(-0.03, 0.03), dice.range(-0.03, 0.03)),
        noise: dice.range(1.0, 3.0),
        blur_um: dice.range(0.35, 0.65),
    }
}
