//! The loss of a whole batch: groups of several labels, several classes, weights.

use super::{GroupLoss, Loss, PixelGradient, finite};
use crate::gaussian::check_range;
use crate::{BlockMoments, CountPrior, Error, Real, Scalar};
use heapless::Vec;

impl<L: Real> Loss<L> {
    /// The loss of a batch of groups over `C` classes:
    /// `(1/groups) sum_groups w_z sum_classes w_l D(group, class)`, for at most `G` groups.
    ///
    /// ```
    /// use lsr_core::{BlockMoments, CountPrior, Group, Loss, Preset, Weights};
    /// let prior = CountPrior::<f64, 10, 2>::table_1();
    /// // Blocks whose pixels are (not cancer, cancer) with these probabilities of cancer:
    /// let block = |p: [f64; 2]| [BlockMoments::from_probabilities(&p.map(|p| 1.0 - p)), BlockMoments::from_probabilities(&p)].map(Result::unwrap);
    /// let (low, high) = ([block([0.1, 0.2]), block([0.0, 0.1])], [block([0.9, 0.6]), block([0.8, 0.3])]);
    /// let groups = [Group { label: 2, blocks: &low }, Group { label: 9, blocks: &high }];
    /// let loss: Loss<f64> = Preset::Paper.loss();
    /// let batch = loss.evaluate_batch::<_, 8, 10, 2>(&groups, &prior, &Weights::default())?;
    /// let one = |g: &Group<f64, 2>, class: usize| {
    ///     let blocks = [g.blocks[0][class], g.blocks[1][class]];
    ///     loss.evaluate(&blocks, prior.target(g.label, class).unwrap()).unwrap().value()
    /// };
    /// let sum: f64 = groups.iter().map(|g| one(g, 0) + one(g, 1)).sum();
    /// assert!((batch.value() - sum / 2.0).abs() < 1e-12);
    /// # Ok::<(), lsr_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Loss::evaluate`]; [`Error::LengthMismatch`] when the prior has other classes or the label weights another length;
    /// [`Error::UnknownLabel`]; [`Error::TooMany`] beyond `G` groups; [`Error::TooFewBlocks`] without groups.
    pub fn evaluate_batch<R: Real<Literal = L>, const G: usize, const Z: usize, const C: usize>(
        &self,
        groups: &[Group<'_, R, C>],
        prior: &CountPrior<R, Z, C>,
        weights: &Weights<'_, R, C>,
    ) -> Result<BatchLoss<R, G, C>, Error> {
        if prior.classes() != C {
            return Err(Error::LengthMismatch { name: "classes of the count prior", expected: C, found: prior.classes() });
        }
        weights.check(prior.labels())?;
        if groups.is_empty() {
            return Err(Error::TooFewBlocks { scheme: self.scheme.name(), required: self.scheme.least_blocks(), found: 0 });
        }
        let share = R::from_ratio(1, groups.len() as u64);
        let mut batch = BatchLoss { value: R::from_f64(0.0), terms: Vec::new() };
        for group in groups {
            let mut classes = Vec::new();
            for class in 0..C {
                let target = prior.target(group.label, class)?;
                let loss = self.evaluate_each(group.blocks.iter().map(|block| &block[class]), target)?;
                let weight = share * weights.of(group.label, class);
                batch.value = batch.value + weight * loss.value;
                // C classes for room for C: this push cannot fail.
                let _ = classes.push((weight, loss));
            }
            batch.terms.push(classes).map_err(|_| Error::TooMany { name: "groups", capacity: G, found: groups.len() })?;
        }
        finite("loss", batch.value)?;
        Ok(batch)
    }
}

/// A group of blocks that share the low-resolution class `label`; for each block, the moments of each of `C` classes.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Group<'a, R, const C: usize> {
    /// Low-resolution class z.
    pub label: usize,
    /// The blocks.
    pub blocks: &'a [[BlockMoments<R>; C]],
}

/// How much each high-resolution class and each low-resolution class counts. All 1 unless said otherwise.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Weights<'a, R, const C: usize> {
    /// One weight per high-resolution class.
    pub class: [R; C],
    /// One weight per low-resolution class, or none for 1 each.
    pub label: Option<&'a [R]>,
}

impl<R: Real, const C: usize> Default for Weights<'_, R, C> {
    fn default() -> Self {
        Self { class: [R::from_f64(1.0); C], label: None }
    }
}

impl<R: Real, const C: usize> Weights<'_, R, C> {
    fn check(&self, labels: usize) -> Result<(), Error> {
        if let Some(weights) = self.label
            && weights.len() != labels
        {
            return Err(Error::LengthMismatch { name: "label weights", expected: labels, found: weights.len() });
        }
        let label = self.label.unwrap_or(&[]);
        for (name, weights) in [("class weight", &self.class[..]), ("label weight", label)] {
            for &weight in weights {
                check_range(name, weight, 0.0, 1e6)?;
            }
        }
        Ok(())
    }

    fn of(&self, label: usize, class: usize) -> R {
        let by_label = self.label.and_then(|weights| weights.get(label)).copied();
        self.class[class] * by_label.unwrap_or(R::from_f64(1.0))
    }
}

/// The loss of a batch of at most `G` groups over `C` classes.
#[derive(Debug, Clone, PartialEq)]
pub struct BatchLoss<R: Scalar, const G: usize, const C: usize> {
    value: R,
    terms: Vec<Vec<(R, GroupLoss<R>), C>, G>,
}

#[cfg(feature = "defmt")]
impl<R: Real + defmt::Format, const G: usize, const C: usize> defmt::Format for BatchLoss<R, G, C> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "BatchLoss {{ value: {}, groups: {} }}", self.value, self.terms.len());
    }
}

impl<R: Real, const G: usize, const C: usize> BatchLoss<R, G, C> {
    /// The value of the loss.
    pub fn value(&self) -> R {
        self.value
    }

    /// The derivative of the batch's loss by the probabilities of class `class` in a block of group `group`.
    ///
    /// # Errors
    /// [`Error::LengthMismatch`] for a group that was not in the batch, [`Error::UnknownClass`], [`Error::NotFinite`].
    pub fn pixel_gradient(&self, group: usize, class: usize, block: &BlockMoments<R>) -> Result<PixelGradient<R>, Error> {
        let classes = self.terms.get(group).ok_or(Error::LengthMismatch {
            name: "groups of the batch",
            expected: self.terms.len(),
            found: group.saturating_add(1),
        })?;
        let (weight, loss) = classes.get(class).ok_or(Error::UnknownClass { class, classes: C })?;
        loss.pixel_gradient(block)?.weighted(*weight).checked()
    }
}
