//! A field with its truth, what the network makes of it, and how far it is from what the network knows.

use crate::config::RunConfig;
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluate::{Counts, classes_of, count_mask, known};
use crate::network::Network;
use crate::predict::predict_classes;
use crate::reference::{byte_probabilities, mask_class};
use burn::tensor::Device;
use image::imageops::crop_imm;
use image::{GrayImage, RgbImage};
use lsr_core::reference::{APPEARANCE, COUNTS_AT, ENTROPY_AT, Features, tiles};
use lsr_core::{FieldView, Reference};

/// A field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub(super) image: RgbImage,
    /// 1 where the class that masks show is.
    pub(super) cancer: GrayImage,
    /// 0 where a pixel counts for nothing.
    pub(super) valid: Option<GrayImage>,
}

/// What is known of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Judged {
    pub(super) counts: Counts,
    pub(super) flagged: bool,
    /// By which fields are sorted, in the order of [`SCORES`].
    pub(super) scores: [f64; SCORES.len()],
    pub(super) features: Features,
}

/// What fields can be sorted by.
pub(super) const SCORES: [&str; 4] = ["combined", "appearance", "entropy", "counts beside the prior"];

/// Cuts an image with a mask into fields.
///
/// # Errors
/// An image or mask that cannot be read.
pub(super) fn fields(data: &Dataset, name: &str, config: &RunConfig, side: usize) -> Result<Vec<Field>> {
    let image = data.image(name)?;
    let (width, height) = image.dimensions();
    let truth = data.class_mask(name, (width, height), config.classes.len())?;
    let plane = |bytes: Vec<u8>| {
        let found = bytes.len();
        GrayImage::from_raw(width, height, bytes).ok_or_else(|| Error::setting("mask", format!("{width} x {height} px"), found))
    };
    let valid = known(&truth, data.validity(name, (width, height))?).map(plane).transpose()?;
    let cancer = plane(truth.iter().map(|&class| u8::from(usize::from(class) == mask_class(config))).collect())?;
    let cut = tiles(width as usize, height as usize, side).map(|tile| {
        let [x, y, w, h] = [tile.x, tile.y, tile.width, tile.height].map(|length| length as u32);
        let of = |mask: &GrayImage| crop_imm(mask, x, y, w, h).to_image();
        Field { image: crop_imm(&image, x, y, w, h).to_image(), cancer: of(&cancer), valid: valid.as_ref().map(of) }
    });
    Ok(cut.collect())
}

/// Who judges fields.
pub(super) struct Judge<'a> {
    pub(super) network: &'a Network,
    pub(super) config: &'a RunConfig,
    pub(super) reference: &'a Reference,
    pub(super) device: &'a Device,
    pub(super) band_px: f64,
}

impl Judge<'_> {
    /// Draws the mask, counts it against the truth, and asks the reference.
    ///
    /// # Errors
    /// A device that fails.
    pub(super) fn judge(&self, field: &Field) -> Result<Judged> {
        let (width, height) = (field.image.width() as usize, field.image.height() as usize);
        let maps = predict_classes(self.network, self.config, &field.image, self.device)?;
        let class = mask_class(self.config);
        let mask: Vec<bool> = classes_of(&maps, self.config.threshold).iter().map(|&found| usize::from(found) == class).collect();
        let valid = field.valid.as_ref().map(|valid| valid.as_raw().as_slice());
        let counts = count_mask(&mask, field.cancer.as_raw(), valid, width, self.band_px);
        let probabilities = byte_probabilities(&maps, self.config);
        let view = FieldView::new(field.image.as_raw(), &probabilities, width, height)?;
        let side = usize::from(self.reference.parts().tile_px);
        let mut scratch = vec![0; side * side];
        let judgement = self.reference.judge(&view, &mut scratch)?;
        // A field without tissue is as far as can be where it is flagged, and known where it is not.
        let nothing = if judgement.flagged { f64::INFINITY } else { 0.0 };
        let mut appearance = (0.0, 0_u32);
        for tile in view.tiles(side) {
            let features = view.features(tile, self.reference.count_rule(), &mut scratch)?.features;
            if let Some(nearest) = features.and_then(|features| self.reference.nearest_by(APPEARANCE, &features, |_| true)) {
                appearance = (appearance.0 + f64::from(nearest.distance), appearance.1 + 1);
            }
        }
        let feature = |at: usize| if judgement.judged == 0 { nothing } else { f64::from(judgement.features[at]) };
        let scores = [
            judgement.distance.map_or(nothing, f64::from),
            if appearance.1 == 0 { nothing } else { appearance.0 / f64::from(appearance.1) },
            feature(ENTROPY_AT),
            feature(COUNTS_AT),
        ];
        Ok(Judged { counts, flagged: judgement.flagged, scores, features: judgement.features })
    }
}
