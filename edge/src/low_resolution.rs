//! Whether what was found agrees with the low-resolution class that an image or slide was given.

use crate::error::Error;
use crate::live::CountTable;
use lsr_core::{BlockMoments, CountPrior, Monitor, MonitorConfig, U8Sums, VarianceModel};
use serde::Serialize;
use serde_json::{Value, json};

/// Standard deviations up to which a count agrees with its label: 99.7 % of what the prior itself gives does.
const AGREES: f64 = 3.0;

/// The predicted count of a whole image, or of the tissue of a slide, against the count prior.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LowResolution {
    /// Low-resolution class z that the image was given; null without one.
    pub label: Option<u8>,
    /// How many standard deviations `sqrt(rho^2 + v)` the count lies above that class's mean.
    pub z_score: Option<f64>,
    /// Whether that is at most 3.
    pub agrees: Option<bool>,
    /// The class whose prior gives this count the highest density.
    pub likeliest: Option<u8>,
    /// SHA-256 of the prior's rows.
    pub prior_sha256: String,
}

impl LowResolution {
    /// # Errors
    /// [`Error::Moments`] where there are no pixels, and for a label that the prior does not have.
    pub(crate) fn of(sums: U8Sums, label: Option<u8>, prior: &CountTable) -> Result<Self, Error> {
        let block = BlockMoments::<f64>::from_u8_sums(sums)?;
        let variance = block.variance(VarianceModel::CountFraction);
        let mut z_score = None;
        let mut likeliest = None::<(f64, u8)>;
        for (class, count) in prior.labels() {
            let own = CountPrior::<f64, 1, 1>::new(&[[count]], 0.0, 0.0)?;
            let z = Monitor::<f64, 1>::new(&own, 0, MonitorConfig::default())?.observe(0, &block)?.z_score;
            if label == Some(class) {
                z_score = Some(z);
            }
            let log_density = -0.5 * (z * z + (count.std * count.std + variance).ln());
            if likeliest.is_none_or(|(best, _)| log_density > best) {
                likeliest = Some((log_density, class));
            }
        }
        if let (Some(label), None) = (label, z_score) {
            return Err(lsr_core::Error::UnknownLabel { label: label.into(), labels: prior.labels().count() }.into());
        }
        Ok(Self {
            label,
            z_score,
            agrees: z_score.map(|z| z.abs() <= AGREES),
            likeliest: likeliest.map(|(_, class)| class),
            prior_sha256: prior.sha256(),
        })
    }

    /// What it follows from besides the image: a record that says the same of this is up to date.
    pub(crate) fn given(label: Option<u8>, prior: &CountTable) -> [(&'static str, Value); 2] {
        [("/low_resolution/label", json!(label)), ("/low_resolution/prior_sha256", json!(prior.sha256()))]
    }

    /// A line for whoever looks, if it does not agree.
    pub(crate) fn warning(&self, name: &str) -> Option<String> {
        let (label, z) = (self.label?, self.z_score.filter(|_| self.agrees == Some(false))?);
        let likeliest = self.likeliest.map(|class| format!("; label {class} fits best")).unwrap_or_default();
        Some(format!("disagrees: {name}: the count lies {z:+.1} standard deviations from that of label {label}{likeliest}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_is_held_against_its_label_and_the_likeliest_is_named() {
        let mut sums = U8Sums::default();
        sums.push_row(&[255; 70]);
        sums.push_row(&[0; 30]);
        let prior = CountTable::table_1();
        let found = LowResolution::of(sums, Some(9), &prior).unwrap();
        // 70 % of label 9, whose prior is 0.70 +- 0.05 (MATH: Table 1), without doubt about any pixel.
        assert!(found.z_score.unwrap().abs() < 1e-9 && found.agrees == Some(true), "{found:?}");
        assert_eq!((found.likeliest, found.warning("a")), (Some(9), None));
        let other = LowResolution::of(sums, Some(0), &prior).unwrap();
        assert_eq!((other.agrees, other.likeliest), (Some(false), Some(9)));
        assert!(other.warning("a").unwrap().starts_with("disagrees: a: the count lies +"), "{other:?}");
        assert_eq!(LowResolution::of(sums, None, &prior).unwrap().z_score, None);
        assert!(LowResolution::of(sums, Some(200), &prior).is_err());
        assert!(LowResolution::of(U8Sums::default(), None, &prior).is_err());
    }
}
