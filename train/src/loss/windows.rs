//! Moments of label blocks that lie in larger windows, and may overlap.

use super::{BatchMoments, ValidPixels};
use crate::data::Member;
use burn::tensor::{Device, Int, Tensor, TensorData};

/// Moments of every label block, `[1, blocks, classes]`, window by window, and each one's valid pixels.
///
/// A block's sum is `r^T P c`: with an indicator of its rows and one of its columns all blocks of a window take two products.
///
/// - `probabilities`: `[windows, classes, h, w]`
/// - `members`: the blocks of each window; every block needs a valid pixel
/// - `valid`: 0 where a pixel counts for nothing, `windows h w` bytes
pub(crate) fn window_moments(
    probabilities: Tensor<4>,
    members: &[Vec<Member>],
    valid: Option<&[u8]>,
    device: &Device,
) -> (BatchMoments, Vec<u32>) {
    let [windows, classes, h, w] = probabilities.dims();
    let most = members.iter().map(Vec::len).max().unwrap_or(0);
    let (mut rows, mut columns) = (vec![0_f32; windows * most * h], vec![0_f32; windows * most * w]);
    let (mut pixels, mut places) = (Vec::new(), Vec::new());
    for (window, members) in members.iter().enumerate() {
        for (place, member) in members.iter().enumerate() {
            let own = window * most + place;
            let [y, x] = [member.y as usize..(member.y + member.height) as usize, member.x as usize..(member.x + member.width) as usize];
            rows[own * h..][y].fill(1.0);
            columns[own * w..][x].fill(1.0);
            pixels.push(valid_pixels(member, valid.map(|valid| &valid[window * h * w..]), w));
            places.push(own as i32);
        }
    }
    let blocks = pixels.len();
    let tensor = |values: Vec<f32>, shape: [usize; 4]| Tensor::<4>::from_data(TensorData::new(values, shape), device);
    let (rows, columns) = (tensor(rows, [windows, 1, most, h]), tensor(columns, [windows, 1, most, w]));
    let counting = valid.map(|valid| tensor(valid.iter().map(|&v| f32::from(u8::from(v != 0))).collect(), [windows, 1, h, w]));
    let n: Vec<f32> = pixels.iter().map(|&n| n as f32).collect();
    let n = Tensor::<3>::from_data(TensorData::new(n, [1, blocks, 1]), device);
    let places = Tensor::<1, Int>::from_data(TensorData::new(places, [blocks]), device);
    let mean = |values: Tensor<4>| {
        let values = match &counting {
            Some(counting) => values * counting.clone(),
            None => values,
        };
        let sums = (rows.clone().expand([windows, classes, most, h]).matmul(values) * columns.clone()).sum_dim(3); // [windows, classes, most, 1]
        let sums = sums.permute([0, 2, 1, 3]).reshape([windows * most, classes]);
        sums.select(0, places.clone()).reshape([1, blocks, classes]) / n.clone()
    };
    let uncertain = probabilities.clone() * probabilities.clone().neg().add_scalar(1.0);
    (BatchMoments { counts: mean(probabilities), bernoulli: mean(uncertain), pixels: ValidPixels::Each(n.clone()) }, pixels)
}

/// Valid pixels of a block; `valid` begins with its window.
pub(crate) fn valid_pixels(member: &Member, valid: Option<&[u8]>, w: usize) -> u32 {
    let Some(valid) = valid else { return member.width * member.height };
    let row = |y: u32| &valid[y as usize * w + member.x as usize..][..member.width as usize];
    (member.y..member.y + member.height).map(|y| row(y).iter().map(|&v| u32::from(v != 0)).sum::<u32>()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against sums pixel by pixel, with pixels that do not count.
    #[test]
    fn moments_are_those_of_the_pixels() {
        let device = Device::flex();
        let (windows, classes, h, w) = (2, 2, 6, 6);
        let values: Vec<f32> = (0..windows * classes * h * w).map(|i| (i * 37 % 101) as f32 / 101.0).collect();
        let valid: Vec<u8> = (0..windows * h * w).map(|i| u8::from(i % 5 != 0)).collect();
        let members = [
            vec![
                Member { block: 0, x: 0, y: 0, width: 4, height: 4 },
                Member { block: 1, x: 2, y: 0, width: 4, height: 4 },
                Member { block: 2, x: 1, y: 2, width: 3, height: 4 },
            ],
            vec![Member { block: 3, x: 0, y: 2, width: 6, height: 2 }],
        ];
        for valid in [None, Some(valid.as_slice())] {
            let probabilities = Tensor::<4>::from_data(TensorData::new(values.clone(), [windows, classes, h, w]), &device);
            let (moments, pixels) = window_moments(probabilities, &members, valid, &device);
            let counts = moments.counts.try_into_vec_as::<f32>().unwrap();
            let bernoulli = moments.bernoulli.try_into_vec_as::<f32>().unwrap();
            let all = members.iter().enumerate().flat_map(|(window, members)| members.iter().map(move |member| (window, member)));
            for (index, (window, member)) in all.enumerate() {
                let inside = (0..h * w).filter(|i| {
                    let (x, y) = ((i % w) as u32, (i / w) as u32);
                    (member.x..member.x + member.width).contains(&x)
                        && (member.y..member.y + member.height).contains(&y)
                        && valid.is_none_or(|valid| valid[window * h * w + i] != 0)
                });
                let inside: Vec<usize> = inside.collect();
                assert_eq!(pixels[index] as usize, inside.len());
                for class in 0..classes {
                    let p = |&i: &usize| f64::from(values[(window * classes + class) * h * w + i]);
                    let mean = inside.iter().map(p).sum::<f64>() / inside.len() as f64;
                    let spread = inside.iter().map(|i| p(i) * (1.0 - p(i))).sum::<f64>() / inside.len() as f64;
                    assert!((f64::from(counts[index * classes + class]) - mean).abs() < 1e-6);
                    assert!((f64::from(bernoulli[index * classes + class]) - spread).abs() < 1e-6);
                }
            }
        }
    }
}
