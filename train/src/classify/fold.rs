//! Which images are in which fold.

use super::binary::BinaryBlock;
use crate::error::{Error, Result};
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;

/// Deals the images into folds: ordered by their share of cancer blocks (ties by the seed), every `folds` neighbours go to different folds
/// in an order drawn from the seed. Each fold so holds images with much, with little and with no cancer, as far as there are enough.
///
/// # Errors
/// Fewer images than folds; folds outside which there is no cancer block or nothing else.
pub(super) fn deal(blocks: &[BinaryBlock], folds: usize, seed: u64) -> Result<BTreeMap<String, usize>> {
    let mut counts: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for block in blocks {
        let (cancer, all) = counts.entry(&block.image).or_default();
        *cancer += usize::from(block.cancer);
        *all += 1;
    }
    if counts.len() < folds {
        return Err(Error::setting("--folds", format!("at most the number of labelled images, {}", counts.len()), folds));
    }
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut images: Vec<(&str, (usize, usize))> = counts.into_iter().collect();
    images.shuffle(&mut random);
    // The sort is stable: equal shares stay in the order of the shuffle. Fractions are compared by cross-multiplication, exactly.
    images.sort_by(|(_, (a, of_a)), (_, (b, of_b))| (a * of_b).cmp(&(b * of_a)));
    let mut dealt = BTreeMap::new();
    for neighbours in images.chunks(folds) {
        let mut order: Vec<usize> = (0..folds).collect();
        order.shuffle(&mut random);
        dealt.extend(neighbours.iter().zip(order).map(|(&(image, _), fold)| (image.to_owned(), fold)));
    }
    for fold in 0..folds {
        let outside = || blocks.iter().filter(|block| dealt[&block.image] != fold);
        let (all, cancer) = (outside().count(), outside().filter(|block| block.cancer).count());
        if cancer == 0 || cancer == all {
            let expected = format!("cancer blocks and others outside every one of the {folds} folds");
            return Err(Error::setting("labels", expected, format!("{cancer} cancer blocks of {all} outside fold {fold}")));
        }
    }
    Ok(dealt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labelled(cancer_of_four: &[usize]) -> Vec<BinaryBlock> {
        let block = |image: usize, i: usize, cancer: bool| BinaryBlock {
            image: format!("{image:02}"),
            x: i as u32,
            y: 0,
            width: 1,
            height: 1,
            cancer,
        };
        cancer_of_four.iter().enumerate().flat_map(|(image, &n)| (0..4).map(move |i| block(image, i, i < n))).collect()
    }

    #[test]
    fn folds_are_of_one_size_and_one_mixture_and_follow_from_the_seed() {
        let blocks = labelled(&[0, 0, 0, 0, 0, 0, 1, 2, 2, 3, 4, 4, 4, 4]);
        let dealt = deal(&blocks, 4, 5).unwrap();
        assert_eq!(dealt, deal(&blocks, 4, 5).unwrap());
        assert_ne!(dealt, deal(&blocks, 4, 6).unwrap());
        for fold in 0..4 {
            let images = dealt.values().filter(|&&f| f == fold).count();
            assert!((3..=4).contains(&images), "{images}");
            let own: Vec<_> = blocks.iter().filter(|block| dealt[&block.image] == fold).collect();
            assert!(own.iter().any(|block| block.cancer) && own.iter().any(|block| !block.cancer));
        }
    }

    #[test]
    fn labels_that_cannot_be_dealt_are_refused() {
        assert!(deal(&labelled(&[0, 4]), 3, 0).unwrap_err().to_string().contains("--folds"));
        assert!(deal(&labelled(&[0, 0, 0, 4]), 2, 0).unwrap_err().to_string().contains("0 cancer blocks"));
        assert!(deal(&labelled(&[4, 4, 4, 4]), 2, 0).unwrap_err().to_string().contains("outside fold 0"));
    }
}
