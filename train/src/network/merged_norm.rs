//! BatchNorm whose statistics are those of the batch in all processes, of burn's operations; and running statistics.

use crate::processes::{Processes, sum_over};
use burn::nn::BatchNorm;
use burn::tensor::Tensor;

/// `[n, c, h, w] -> [n, c, h, w]`, normalised by mean and variance over the images and pixels of all processes (Ioffe and Szegedy 2015, in
/// two passes); updates the running statistics. The gradient goes back through the statistics into every process.
pub(super) fn merged_batch_norm(norm: &BatchNorm, x: Tensor<4>, processes: Processes) -> Tensor<4> {
    let [images, channels, height, width] = x.dims();
    let over_pixels = |x: Tensor<4>| x.sum_dim(0).sum_dim(2).sum_dim(3).reshape([channels]);
    let per_channel = |x: Tensor<1>| x.reshape([1, channels, 1, 1]);
    let mut pixels = [(images * height * width) as f64];
    processes.sum(&mut pixels);
    let mean = sum_over(processes, over_pixels(x.clone())).div_scalar(pixels[0]);
    let centred = x - per_channel(mean.clone());
    let variance = sum_over(processes, over_pixels(centred.clone().square())).div_scalar(pixels[0]);
    let std = variance.clone().add_scalar(norm.epsilon).sqrt();
    update_running(norm, mean.detach(), variance.detach());
    centred / per_channel(std) * per_channel(norm.gamma.val()) + per_channel(norm.beta.val())
}

/// Moves the running mean and variance towards a batch's, as burn's own BatchNorm does: the variance is the biased one.
pub(super) fn update_running(norm: &BatchNorm, mean: Tensor<1>, variance: Tensor<1>) {
    for (running, batch) in [(&norm.running_mean, mean), (&norm.running_var, variance)] {
        let kept = running.value_sync().to_device(&batch.device()).mul_scalar(1.0 - norm.momentum);
        running.update(kept.add(batch.mul_scalar(norm.momentum)).detach());
    }
}
