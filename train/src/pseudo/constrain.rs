//! One image's pseudo mask: each block keeps as many of its most confident pixels as its label allows.

use super::PseudoSettings;
use crate::data::Block;
use crate::prior::{CANCER, Prior};

/// A pixel that no teacher is sure of.
pub(super) const UNSURE: u8 = 128;

/// What a block says of a pixel.
const CANCER_VOTE: i32 = 1;

/// Cancer (255), other (0) or unsure (128) at every pixel, row by row, from the teacher's probabilities of an image `width` pixels wide.
///
/// A block of label z has N(eta, rho^2) of cancer, and the teacher counts it with an error of `teacher_std`: together the count is N(m, s^2) with
/// `1/s^2 = 1/rho^2 + 1/teacher_std^2`. The `m - margin s` most likely pixels are cancer to this block, the `1 - m - margin s` least likely ones are
/// not, and it does not say anything about those between. Blocks that overlap vote; a pixel needs half the votes of all blocks over it.
pub(super) fn constrain(
    probabilities: &[f32],
    valid: Option<&[u8]>,
    width: usize,
    blocks: &[&Block],
    prior: &Prior,
    settings: &PseudoSettings,
) -> Vec<u8> {
    let mut votes = vec![(0_i32, 0_i32); probabilities.len()];
    for block in blocks {
        let Some(count) = prior.counts(block.z).and_then(|counts| counts.get(CANCER)) else { continue };
        let rows = block.y as usize..(block.y + block.height) as usize;
        let pixels = rows.flat_map(|y| y * width + block.x as usize..y * width + (block.x + block.width) as usize);
        let mut pixels: Vec<usize> = pixels.filter(|&i| valid.is_none_or(|valid| valid[i] != 0)).collect();
        if pixels.is_empty() {
            continue;
        }
        let n = pixels.len() as f64;
        let own = pixels.iter().map(|&i| f64::from(probabilities[i])).sum::<f64>() / n;
        let (mean, std) = posterior((count.mean, count.std), (own, settings.teacher_std));
        pixels.sort_by(|&a, &b| probabilities[b].total_cmp(&probabilities[a]));
        let cancer = ((n * (mean - settings.margin * std)).round().max(0.0) as usize).min(pixels.len());
        let other = ((n * (mean + settings.margin * std)).round().max(0.0) as usize).min(pixels.len());
        for (rank, &i) in pixels.iter().enumerate() {
            let (sum, all) = &mut votes[i];
            *all += 1;
            if rank < cancer {
                *sum += CANCER_VOTE;
            } else if rank >= other {
                *sum -= CANCER_VOTE;
            }
        }
    }
    let decide = |(sum, all): (i32, i32)| {
        if all == 0 || 2 * sum.abs() < all {
            UNSURE
        } else if sum > 0 {
            255
        } else {
            0
        }
    };
    votes.into_iter().map(decide).collect()
}

/// The product of two Gaussians, (mean, standard deviation) each; the mean is that of a fraction.
fn posterior(a: (f64, f64), b: (f64, f64)) -> (f64, f64) {
    let [u, v] = [a.1.powi(-2), b.1.powi(-2)];
    (((a.0 * u + b.0 * v) / (u + v)).clamp(0.0, 1.0), (u + v).powf(-0.5))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prior() -> Prior {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prior.csv");
        std::fs::write(&path, "z,class,mean,std,n\n0,0,0.9,0.1,12\n0,1,0.1,0.1,12\n9,0,0.2,0.2,12\n9,1,0.8,0.2,12\n").unwrap();
        Prior::read(&path).unwrap()
    }

    fn block(x: u32, width: u32, z: usize) -> Block {
        Block { image: "a".into(), x, y: 0, width, height: 1, probability: 0.0, z }
    }

    #[test]
    fn two_gaussians_meet_where_their_weights_say() {
        let (mean, std) = posterior((0.8, 0.1), (0.2, 0.2));
        assert!((mean - (0.8 * 100.0 + 0.2 * 25.0) / 125.0).abs() < 1e-12 && (std - 125.0_f64.powf(-0.5)).abs() < 1e-12);
        assert_eq!(posterior((0.0, 0.1), (0.0, 0.1)).0, 0.0);
    }

    /// Ten pixels, each likelier than the one before it, all of them below one half: the label says that most are cancer all the same.
    #[test]
    fn a_block_keeps_as_many_as_its_label_allows() {
        let map: Vec<f32> = (0..10).map(|i| 0.04 * i as f32).collect();
        let settings = PseudoSettings { teacher_std: 1e6, margin: 1.0, ..PseudoSettings::default() };
        let of = |z: usize| constrain(&map, None, 10, &[&block(0, 10, z)], &prior(), &settings);
        // 0.8 - 0.2 and 1 - (0.8 + 0.2) of ten.
        assert_eq!(of(9), [128, 128, 128, 128, 255, 255, 255, 255, 255, 255]);
        // 0.1 - 0.1 and 1 - (0.1 + 0.1) of ten.
        assert_eq!(of(0), [0, 0, 0, 0, 0, 0, 0, 0, 128, 128]);
        // A teacher who is sure of itself is believed, whatever the label.
        let sure = PseudoSettings { teacher_std: 1e-6, margin: 0.0, ..settings };
        let halves: Vec<f32> = (0..10).map(|i| if i < 5 { 0.0 } else { 1.0 }).collect();
        assert_eq!(constrain(&halves, None, 10, &[&block(0, 10, 9)], &prior(), &sure), [0, 0, 0, 0, 0, 255, 255, 255, 255, 255]);
    }

    #[test]
    fn overlapping_blocks_vote_and_pixels_outside_are_unsure() {
        let map = [0.1_f32, 0.9, 0.9, 0.1, 0.1, 0.5];
        let settings = PseudoSettings { teacher_std: 1e-6, margin: 0.0, ..PseudoSettings::default() };
        let valid = [1, 1, 1, 1, 0, 1];
        let blocks = [block(0, 2, 9), block(1, 4, 9)];
        let found = constrain(&map, Some(&valid), 6, &blocks.iter().collect::<Vec<_>>(), &prior(), &settings);
        assert_eq!(found, [0, 255, 255, 0, 128, 128]);
    }
}
