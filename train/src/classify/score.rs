//! Logits of many blocks of one image.

use super::batch::append;
use super::network::BlockNetwork;
use crate::error::{Error, Result};
use crate::network::input_from_rgb8;
use burn::tensor::Device;
use image::RgbImage;

/// Pixels that go through the network at once: 64 blocks of 128 px.
const PIXELS: usize = 1 << 20;

/// The network's logit of every square of `side` pixels with its upper left corner at one of `corners`; the network must be one for
/// inference.
///
/// # Errors
/// When the device fails to give its result back.
pub(super) fn logits(network: &BlockNetwork, image: &RgbImage, corners: &[(u32, u32)], side: u32, device: &Device) -> Result<Vec<f64>> {
    let (length, area) = (side as usize, (side * side) as usize);
    let mut logits = Vec::with_capacity(corners.len());
    for corners in corners.chunks((PIXELS / area).max(1)) {
        let mut bytes = Vec::with_capacity(3 * area * corners.len());
        for &corner in corners {
            append(image, corner, side, &mut bytes);
        }
        let output = network.forward(input_from_rgb8(&bytes, corners.len(), length, length, device)).try_into_vec_as::<f32>();
        let output = output.map_err(|error| Error::Training { step: 0, reason: format!("logits: {error:?}") })?;
        logits.extend(output.into_iter().map(f64::from));
    }
    Ok(logits)
}
