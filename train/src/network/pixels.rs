//! Pixels in and probabilities out, the same for every network.

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{DType, Device, Int, Tensor, TensorData};

/// The network's input is `(byte - PIXEL_MEAN) / PIXEL_STD` in each of R, G, B: exact in f32, and in int8 the byte itself.
pub const PIXEL_MEAN: f32 = 128.0;
/// See [`PIXEL_MEAN`].
pub const PIXEL_STD: f32 = 64.0;

/// Class probabilities from logits `[n, outputs, h, w]`: sigmoid of a single logit, softmax over several.
pub fn probabilities(logits: Tensor<4>) -> Tensor<4> {
    if logits.dims()[1] == 1 { sigmoid(logits) } else { softmax(logits, 1) }
}

/// A batch of 8-bit RGB images, all `height` x `width`, interleaved as decoded, to the network's input `[n, 3, h, w]`. A GPU gets the bytes
/// and makes the numbers itself.
pub fn input_from_rgb8(images: &[u8], count: usize, height: usize, width: usize, device: &Device) -> Tensor<4> {
    if *device != Device::flex() {
        return normalised_there(images, count, height, width, device);
    }
    let pixels = height * width;
    let mut planes = vec![0_f32; images.len()];
    for (image, planes) in images.chunks_exact(3 * pixels).zip(planes.chunks_exact_mut(3 * pixels)) {
        for (i, rgb) in image.chunks_exact(3).enumerate() {
            for (channel, &byte) in rgb.iter().enumerate() {
                planes[channel * pixels + i] = (f32::from(byte) - PIXEL_MEAN) / PIXEL_STD;
            }
        }
    }
    Tensor::from_data(TensorData::new(planes, [count, 3, height, width]), device)
}

/// The same on the device itself, from a quarter of the bytes.
fn normalised_there(images: &[u8], count: usize, height: usize, width: usize, device: &Device) -> Tensor<4> {
    let interleaved = from_u8(images.to_vec(), [count, height, width, 3], device);
    interleaved.permute([0, 3, 1, 2]).sub_scalar(PIXEL_MEAN).div_scalar(PIXEL_STD)
}

/// Bytes as numbers, converted on the device.
pub(crate) fn from_u8<const D: usize>(bytes: Vec<u8>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::<D, Int>::from_data(TensorData::new(bytes, shape), (device, DType::U8)).float()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_normalised_to_the_same_bits_here_and_there() {
        let device = Device::flex();
        let images: Vec<u8> = (0..2 * 256 * 3).map(|i| (i * 7 % 256) as u8).collect();
        let here = input_from_rgb8(&images, 2, 16, 16, &device).try_into_vec_as::<f32>().unwrap();
        let there = normalised_there(&images, 2, 16, 16, &device).try_into_vec_as::<f32>().unwrap();
        assert_eq!(here, there);
        assert_eq!(here[256], (7.0 - 128.0) / 64.0, "the second byte is the first pixel's green");
    }
}
