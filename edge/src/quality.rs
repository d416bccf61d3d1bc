//! Whether a field is fit to be judged: light, colour, tissue, focus.
//!
//! Measured on what the network sees, so that a blur which is finer than its pixels does not count.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A pixel whose darkest channel is below this has something on it: glass is brighter in all three.
const TISSUE_BELOW: u8 = 207;
/// A channel from here on is at its end.
const CLIPPED_FROM: u8 = 254;
/// Distance of the pixels that the finest detail is compared with.
const COARSE_PX: usize = 3;

/// Least 95th percentile of the brightest channel.
const LEAST_BRIGHTNESS: u8 = 110;
/// Largest share of tissue pixels with a channel at its end.
const MOST_CLIPPED: f64 = 0.3;
/// Least mean saturation of the tissue.
const LEAST_SATURATION: f64 = 0.08;
/// Least share of tissue.
const LEAST_TISSUE: f64 = 0.02;
/// Least detail in levels: H&E tissue has 10 to 30 in focus, 1.1 to 2.3 behind a blur of sigma 1.5 px, and a camera's noise about 1.
const LEAST_DETAIL: f64 = 2.5;
/// Least sharpness: 0.16 to 0.46 in focus, 0.026 to 0.035 behind such a blur.
const LEAST_SHARPNESS: f64 = 0.036;

/// What a field is like.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Quality {
    /// 95th percentile of the brightest channel, 0 to 255.
    pub brightness: u8,
    /// Share of the tissue's pixels with a channel at its end.
    pub clipped: f64,
    /// Mean of (largest - smallest channel) / largest over the tissue; 0 without tissue.
    pub saturation: f64,
    /// Share of pixels darker than glass.
    pub tissue: f64,
    /// Root mean square difference of a tissue pixel's luminance to the mean of its four neighbours, in levels of 255.
    pub detail: f64,
    /// Its square over the same with pixels three apart; 0 for an even field.
    pub sharpness: f64,
    /// Whether it may be counted.
    pub fit: bool,
    /// Why not; nothing where it is.
    pub unfit: Vec<Unfit>,
}

/// Why a field is not fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unfit {
    /// Hardly any light.
    Underexposed,
    /// Channels at their end.
    Overexposed,
    /// Grey: no stain, or no colour camera.
    Colourless,
    /// Glass.
    NoTissue,
    /// Blurred.
    OutOfFocus,
}

impl Unfit {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Underexposed => "underexposed",
            Self::Overexposed => "overexposed",
            Self::Colourless => "without colour",
            Self::NoTissue => "without tissue",
            Self::OutOfFocus => "out of focus",
        }
    }
}

impl Quality {
    /// Of `width` x `height` pixels of red, green, blue.
    pub fn of(rgb: &[u8], width: usize, height: usize) -> Self {
        let pixels = rgb.len() / 3;
        let mut brightest = [0_usize; 256];
        let (mut tissue, mut clipped, mut saturation) = (0_usize, 0_usize, 0.0);
        let (mut luminance, mut is_tissue) = (Vec::with_capacity(pixels), Vec::with_capacity(pixels));
        for pixel in rgb.as_chunks::<3>().0 {
            let [r, g, b] = pixel.map(f32::from);
            luminance.push(0.299 * r + 0.587 * g + 0.114 * b);
            let (most, least) = (pixel[0].max(pixel[1]).max(pixel[2]), pixel[0].min(pixel[1]).min(pixel[2]));
            brightest[usize::from(most)] += 1;
            is_tissue.push(least < TISSUE_BELOW);
            if least < TISSUE_BELOW {
                tissue += 1;
                clipped += usize::from(most >= CLIPPED_FROM);
                saturation += f64::from(most - least) / f64::from(most.max(1));
            }
        }
        let share = |part: f64, of: usize| if of == 0 { 0.0 } else { part / of as f64 };
        let detail = |distance: usize| detail(&luminance, &is_tissue, [width, height], distance);
        let (fine, coarse) = (detail(1), detail(COARSE_PX));
        let mut quality = Self {
            brightness: percentile(&brightest, pixels),
            clipped: share(clipped as f64, tissue),
            saturation: share(saturation, tissue),
            tissue: share(tissue as f64, pixels),
            detail: fine.sqrt(),
            sharpness: if coarse > 0.0 { fine / coarse } else { 0.0 },
            fit: true,
            unfit: Vec::new(),
        };
        quality.unfit = quality.reasons();
        quality.fit = quality.unfit.is_empty();
        quality
    }

    /// In the order in which a microscope is set right. Where there is no light or no tissue, nothing can be said of the focus.
    fn reasons(&self) -> Vec<Unfit> {
        let mut reasons = Vec::new();
        let mut when = |is: bool, unfit: Unfit| {
            if is {
                reasons.push(unfit);
            }
        };
        let (dark, empty) = (self.brightness < LEAST_BRIGHTNESS, self.tissue < LEAST_TISSUE);
        when(dark, Unfit::Underexposed);
        when(!empty && self.clipped > MOST_CLIPPED, Unfit::Overexposed);
        when(!empty && self.saturation < LEAST_SATURATION, Unfit::Colourless);
        when(empty, Unfit::NoTissue);
        // Noise passes for fine detail where a blur has taken the coarse one too.
        let blurred = self.sharpness < LEAST_SHARPNESS || self.detail < LEAST_DETAIL;
        when(!empty && !dark && blurred, Unfit::OutOfFocus);
        reasons
    }

    /// One line for an unfit field.
    pub fn warning(&self, name: &str) -> Option<String> {
        let words: Vec<&str> = self.unfit.iter().map(|unfit| unfit.words()).collect();
        (!words.is_empty()).then(|| format!("unfit: {name}: {}", words.join(", ")))
    }
}

/// Level below which 95 % of the pixels are.
fn percentile(levels: &[usize; 256], pixels: usize) -> u8 {
    let mut below = 0;
    let level = levels.iter().position(|&count| {
        below += count;
        20 * below >= 19 * pixels
    });
    level.unwrap_or(0) as u8
}

/// Mean square difference of a tissue pixel to the mean of its four neighbours at this distance; 0 where there is none with all of them.
fn detail(luminance: &[f32], is_tissue: &[bool], [width, height]: [usize; 2], distance: usize) -> f64 {
    if width <= 2 * distance || height <= 2 * distance {
        return 0.0;
    }
    let (mut sum, mut pixels, d) = (0.0_f64, 0_usize, distance);
    for y in d..height - d {
        let row = |y: usize| &luminance[y * width..(y + 1) * width];
        let (above, here, below) = (row(y - d), row(y), row(y + d));
        for x in (d..width - d).filter(|x| is_tissue[y * width + x]) {
            let difference = here[x] - 0.25 * (above[x] + below[x] + here[x - d] + here[x + d]);
            sum += f64::from(difference * difference);
            pixels += 1;
        }
    }
    sum / pixels.max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pixels of every colour between glass and dark violet, that change from one to the next.
    fn tissue(by: impl Fn(u8) -> u8) -> Vec<u8> {
        let noise = |i: usize| (i * 7919 % 65_521 % 100) as u8;
        (0..64 * 48).flat_map(|i| [250 - noise(i) / 2, 200 - noise(i), 230 - noise(i)].map(&by)).collect()
    }

    fn unfit(rgb: &[u8]) -> Vec<Unfit> {
        Quality::of(rgb, 64, 48).unfit
    }

    #[test]
    fn every_reason_is_named_and_a_good_field_has_none() {
        assert_eq!(unfit(&tissue(|level| level)), []);
        assert_eq!(unfit(&tissue(|level| level / 4)), [Unfit::Underexposed]);
        assert_eq!(unfit(&tissue(|level| (f32::from(level) * 1.6) as u8)), [Unfit::Overexposed]);
        let grey: Vec<u8> = tissue(|level| level).chunks_exact(3).flat_map(|pixel| [pixel[1]; 3]).collect();
        assert_eq!(unfit(&grey), [Unfit::Colourless]);
        assert_eq!(unfit(&[244; 3 * 64 * 48]), [Unfit::NoTissue]);
        // A slope is as even as a field far out of focus.
        let slope: Vec<u8> = (0..64 * 48).flat_map(|i| [200, 100 + (i % 64) as u8, 150]).collect();
        assert_eq!(unfit(&slope), [Unfit::OutOfFocus]);
        assert_eq!(unfit(&[0; 3 * 64 * 48]), [Unfit::Underexposed, Unfit::Colourless]);
        let warning = Quality::of(&[0; 3 * 64 * 48], 64, 48).warning("a");
        assert_eq!(warning.as_deref(), Some("unfit: a: underexposed, without colour"));
    }

    #[test]
    fn numbers_by_hand() {
        let rgb = [[200, 100, 150], [255, 100, 100], [250, 250, 250], [230, 220, 210]].concat();
        let quality = Quality::of(&rgb, 2, 2);
        assert_eq!((quality.brightness, quality.tissue, quality.clipped, quality.sharpness), (255, 0.5, 0.5, 0.0));
        assert!((quality.saturation - f64::midpoint(0.5, 155.0 / 255.0)).abs() < 1e-12);
        // Columns of 0 and 9 by turns: neighbours in a row differ, at distance 1 and 3 alike.
        let stripes: Vec<f32> = (0..16 * 16).map(|i| if i % 2 == 0 { 0.0 } else { 9.0 }).collect();
        assert_eq!([1, 3].map(|distance| detail(&stripes, &[true; 256], [16, 16], distance)), [20.25; 2]);
        assert_eq!(Quality::of(&[], 0, 0).unfit, [Unfit::Underexposed, Unfit::NoTissue]);
    }
}
