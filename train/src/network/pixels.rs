//! Pixels in and probabilities out, the same for every network.

use burn::tensor::activation::{sigmoid, softmax};
use burn::tensor::{Device, Tensor, TensorData};

/// The network's input is `(byte - PIXEL_MEAN) / PIXEL_STD` in each of R, G, B: exact in f32, and in int8 the byte itself.
pub const PIXEL_MEAN: f32 = 128.0;
/// See [`PIXEL_MEAN`].
pub const PIXEL_STD: f32 = 64.0;

/// Class probabilities from logits `[n, outputs, h, w]`: sigmoid of a single logit, softmax over several.
pub fn probabilities(logits: Tensor<4>) -> Tensor<4> {
    if logits.dims()[1] == 1 { sigmoid(logits) } else { softmax(logits, 1) }
}

/// A batch of 8-bit RGB images, all `height` x `width`, interleaved as decoded, to the network's input `[n, 3, h, w]`.
pub fn input_from_rgb8(images: &[u8], count: usize, height: usize, width: usize, device: &Device) -> Tensor<4> {
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
