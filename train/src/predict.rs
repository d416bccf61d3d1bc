//! Probability maps of whole images, of any size.

use crate::config::RunConfig;
use crate::error::Result;
use crate::network::{Network, NetworkConfig, input_from_rgb8, probabilities};
use crate::prior::CANCER;
use burn::tensor::{Device, Tensor};
use image::RgbImage;

/// Largest window that goes through the network at once.
const WINDOW_PX: usize = 1024;

/// Probability of cancer at every pixel, row by row.
///
/// # Errors
/// As [`predict_classes`].
pub fn predict(model: &Network, config: &RunConfig, image: &RgbImage, device: &Device) -> Result<Vec<f32>> {
    let mut maps = predict_classes(model, config, image, device)?;
    Ok(maps.swap_remove(if config.network.outputs == 1 { 0 } else { CANCER }))
}

/// As [`predict`], the mean over the eight turns of the image (test-time augmentation).
///
/// # Errors
/// As [`predict_classes`].
pub fn predict_turned(model: &Network, config: &RunConfig, image: &RgbImage, device: &Device) -> Result<Vec<f32>> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let mut mean = vec![0_f32; width * height];
    for turn in 0..8_u8 {
        let (mirrored_x, mirrored_y, swapped) = (turn & 1 != 0, turn & 2 != 0, turn & 4 != 0);
        // Where the pixel at (x, y) of the turned image lies in the image.
        let place = |x: usize, y: usize| {
            let (x, y) = if swapped { (y, x) } else { (x, y) };
            (if mirrored_x { width - 1 - x } else { x }, if mirrored_y { height - 1 - y } else { y })
        };
        let (columns, rows) = if swapped { (height, width) } else { (width, height) };
        let turned = RgbImage::from_fn(columns as u32, rows as u32, |x, y| {
            let (x, y) = place(x as usize, y as usize);
            *image.get_pixel(x as u32, y as u32)
        });
        for (i, p) in predict(model, config, &turned, device)?.into_iter().enumerate() {
            let (x, y) = place(i % columns, i / columns);
            mean[y * width + x] += p / 8.0;
        }
    }
    Ok(mean)
}

/// Probability of every output at every pixel, row by row: of cancer alone for a network with one output, otherwise of each class.
///
/// The image is padded at its right and lower edge to the network's alignment by repeating the last pixels. A large image is cut into
/// windows whose margin is as wide as an output can see and that start at multiples of the alignment: the result is that of the whole image
/// (unless the network has group normalisation, which sees the whole window).
///
/// # Errors
/// When the device fails to give its result back.
pub fn predict_classes(model: &Network, config: &RunConfig, image: &RgbImage, device: &Device) -> Result<Vec<Vec<f32>>> {
    predict_with(&config.network, image, device, |x| Ok(model.forward(x)))
}

/// As [`predict_classes`], with whatever makes `[1, outputs, h, w]` logits of `[1, 3, h, w]` normalised pixels for a network of this shape.
pub(crate) fn predict_with(
    network: &NetworkConfig,
    image: &RgbImage,
    device: &Device,
    forward: impl Fn(Tensor<4>) -> Result<Tensor<4>>,
) -> Result<Vec<Vec<f32>>> {
    let (width, height) = (image.width() as usize, image.height() as usize);
    let (padded_width, padded_height) = (width.next_multiple_of(network.alignment()), height.next_multiple_of(network.alignment()));
    let mut maps = vec![vec![0_f32; width * height]; network.outputs];
    let margin = network.context_px().next_multiple_of(network.alignment());
    for (rows, inner_rows) in windows(padded_height, margin) {
        for (columns, inner_columns) in windows(padded_width, margin) {
            let (h, w) = (rows.len(), columns.len());
            let mut bytes = Vec::with_capacity(3 * h * w);
            for y in rows.clone() {
                for x in columns.clone() {
                    let pixel = image.get_pixel(x.min(width - 1) as u32, y.min(height - 1) as u32);
                    bytes.extend_from_slice(&pixel.0);
                }
            }
            let output = probabilities(forward(input_from_rgb8(&bytes, 1, h, w, device))?);
            let values = output.try_into_vec_as::<f32>();
            let values = values.map_err(|error| crate::Error::Training { step: 0, reason: format!("prediction: {error:?}") })?;
            for (map, values) in maps.iter_mut().zip(values.chunks_exact(h * w)) {
                for y in inner_rows.start..inner_rows.end.min(height) {
                    for x in inner_columns.start..inner_columns.end.min(width) {
                        map[y * width + x] = values[(y - rows.start) * w + (x - columns.start)];
                    }
                }
            }
        }
    }
    Ok(maps)
}

type Span = std::ops::Range<usize>;

/// Windows over a length: (what the network sees, what is taken from its output).
fn windows(length: usize, margin: usize) -> Vec<(Span, Span)> {
    if length <= WINDOW_PX {
        return vec![(0..length, 0..length)];
    }
    let step = WINDOW_PX - 2 * margin;
    (0..length)
        .step_by(step)
        .map(|start| {
            let end = (start + step).min(length);
            (start.saturating_sub(margin)..(end + margin).min(length), start..end)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Architecture, NormKind, UpSampling};
    use burn::module::Module;

    #[test]
    fn windows_cover_a_length_once() {
        for length in [16, 1024, 1040, 3000] {
            let inner: Vec<usize> = windows(length, 112).into_iter().flat_map(|(_, inner)| inner).collect();
            assert_eq!(inner, (0..length).collect::<Vec<_>>());
            assert!(windows(length, 112).iter().all(|(outer, _)| outer.start % 16 == 0 && outer.len() <= WINDOW_PX));
        }
    }

    /// A network of 1 x 1 convolutions sees no neighbours: turning changes nothing. One that does see them gives the same for a turned image, turned.
    #[test]
    fn turns_are_undone() {
        let device = Device::flex();
        let network = NetworkConfig {
            architecture: Architecture::Unet,
            width: 2,
            depth: 1,
            norm: NormKind::Batch,
            up: UpSampling::Nearest,
            outputs: 1,
        };
        let model = network.init(3, &device).valid();
        let options = crate::config::FitOptions { um_per_px: Some(1.0), width: Some(2), depth: Some(1), ..Default::default() };
        let config = options.resolve(None, String::new()).unwrap();
        let image = RgbImage::from_fn(12, 8, |x, y| image::Rgb([(x * 20) as u8, (y * 30) as u8, ((x * y) % 250) as u8]));
        let turned = RgbImage::from_fn(8, 12, |x, y| *image.get_pixel(11 - y, x));
        let (a, b) =
            (predict_turned(&model, &config, &image, &device).unwrap(), predict_turned(&model, &config, &turned, &device).unwrap());
        for y in 0..12 {
            for x in 0..8 {
                assert!((b[y * 8 + x] - a[x * 12 + 11 - y]).abs() < 1e-5);
            }
        }
        let plain = predict(&model, &config, &image, &device).unwrap();
        assert!(plain.iter().zip(&a).any(|(p, q)| (p - q).abs() > 1e-4), "turning is something");
    }

    #[test]
    fn nothing_beyond_the_context_changes_an_output() {
        // The output in the middle of a strip does not change when everything beyond the context does.
        let device = Device::flex();
        for architecture in [Architecture::Unet, Architecture::FullResolution] {
            for up in [UpSampling::Nearest, UpSampling::Transposed] {
                let network = NetworkConfig { architecture, width: 2, depth: 3, norm: NormKind::Batch, up, outputs: 1 };
                let model = network.init(3, &device).valid();
                let context = network.context_px();
                let (height, width) = (16, (2 * context + 16).next_multiple_of(8));
                let run = |far: u8| {
                    let mut bytes: Vec<u8> = (0..3 * height * width).map(|i| (i * 7 % 251) as u8).collect();
                    for row in bytes.chunks_exact_mut(3 * width) {
                        row[..3 * 8].fill(far);
                    }
                    let logits = model.forward(input_from_rgb8(&bytes, 1, height, width, &device));
                    logits.try_into_vec_as::<f32>().unwrap()
                };
                let (a, b) = (run(0), run(255));
                let differs = |x: usize| (0..height).any(|y| a[y * width + x] != b[y * width + x]);
                assert!(differs(0), "near pixels do change");
                assert!((8 + context..width).all(|x| !differs(x)), "nothing beyond the context changes");
            }
        }
    }
}
