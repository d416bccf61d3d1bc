//! What a model file says about itself: the `lsr.*` keys of ONNX `metadata_props`.

use super::learned::LearnedFrom;
use crate::error::ModelError;
use serde::Serialize;
use std::collections::BTreeMap;

/// The only layout of these keys so far.
pub const FORMAT: &str = "1";

/// Checked metadata: how to feed the network and how to read its output.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Metadata {
    /// Pixel size that the network was trained at, micrometres per pixel.
    pub um_per_px: f64,
    /// Pixel size that a field has where nobody states one; the network's own unless the file says otherwise.
    pub field_um_per_px: f64,
    /// Per channel (R, G, B), subtracted from 8-bit levels.
    pub pixel_mean: [f32; 3],
    /// Per channel, divides after the mean was subtracted.
    pub pixel_std: [f32; 3],
    /// Names of the high-resolution classes, in the order of the output channels (a single channel is the second of two classes).
    pub class_names: Vec<String>,
    /// A pixel is cancer where its probability is at least this.
    pub threshold: f32,
    /// Height and width of what the network is fed must be multiples of this.
    pub alignment: u32,
    /// How far, in pixels, an output can depend on the input.
    pub context_px: u32,
    /// What it has learned from, where its file says so.
    pub reference: Option<LearnedFrom>,
    /// Where the model comes from.
    pub provenance: Provenance,
}

/// Where a model comes from, as far as its file says.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Provenance {
    /// Program and version.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trained_by: Option<String>,
    /// Seed of the training run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// Training steps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<String>,
    /// Digest of the training data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_digest: Option<String>,
    /// Licence of the training data.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data_licence: Option<String>,
    /// Training settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Value>,
    /// How it was quantised, and from which float model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantized: Option<serde_json::Value>,
}

impl Metadata {
    /// Checks the key-value pairs of a model file.
    ///
    /// # Errors
    /// [`ModelError::MissingKey`], [`ModelError::BadKey`] or [`ModelError::Reference`], naming the key.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, ModelError> {
        let keys = Keys(pairs.into_iter().collect());
        keys.required("lsr.format", "1 (a newer lsr-edge may read it)", |text| (text == FORMAT).then_some(()))?;
        let class_names = keys.required("lsr.class_names", "a JSON array of two or more different names", class_names)?;
        let micrometres = |text: &str| number(text, |x| x > 0.0 && x <= 1000.0);
        let um_per_px = keys.required("lsr.um_per_px", "a number in (0, 1000]", micrometres)?;
        Ok(Self {
            um_per_px,
            field_um_per_px: keys.if_there("lsr.field_um_per_px", "a number in (0, 1000]", micrometres)?.unwrap_or(um_per_px),
            pixel_mean: keys.required("lsr.pixel_mean", "three finite numbers, 8-bit levels", |text| three(text, |x| x.abs() <= 1e6))?,
            pixel_std: keys
                .required("lsr.pixel_std", "three positive numbers, 8-bit levels", |text| three(text, |x| (1e-6..=1e6).contains(&x)))?,
            class_names,
            threshold: keys.required("lsr.threshold", "a number in (0, 1)", |text| number(text, |x| x > 0.0 && x < 1.0))? as f32,
            alignment: keys.required("lsr.alignment", "a whole number from 1 to 1024", |text| whole(text, 1, 1024))?,
            context_px: keys.required("lsr.context_px", "a whole number from 0 to 8192", |text| whole(text, 0, 8192))?,
            reference: keys.0.get("lsr.reference").map(|text| LearnedFrom::parse(text)).transpose()?,
            provenance: Provenance {
                trained_by: keys.optional("lsr.trained_by"),
                seed: keys.optional("lsr.seed"),
                steps: keys.optional("lsr.steps"),
                data_digest: keys.optional("lsr.data_digest"),
                data_licence: keys.optional("lsr.data_licence"),
                config: keys.json("lsr.config"),
                quantized: keys.json("lsr.quantized"),
            },
        })
    }

    /// Which class the mask shows: the one named "cancer", else the last.
    pub fn mask_class(&self) -> usize {
        mask_class_of(&self.class_names)
    }

    /// Its name.
    pub fn mask_class_name(&self) -> &str {
        self.class_names.get(self.mask_class()).map_or("", String::as_str)
    }
}

/// Which of these classes a mask shows.
pub(crate) fn mask_class_of(names: &[String]) -> usize {
    names.iter().position(|name| name == "cancer").unwrap_or(names.len().saturating_sub(1))
}

struct Keys<'a>(BTreeMap<&'a str, &'a str>);

impl Keys<'_> {
    fn required<T>(&self, key: &'static str, expected: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<T, ModelError> {
        let text = self.0.get(key).ok_or(ModelError::MissingKey { key })?;
        read(text.trim()).ok_or_else(|| ModelError::BadKey { key, expected, found: text.chars().take(80).collect() })
    }

    /// A value that need not be there, and must be right where it is.
    fn if_there<T>(&self, key: &'static str, expected: &'static str, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, ModelError> {
        self.0.contains_key(key).then(|| self.required(key, expected, read)).transpose()
    }

    /// A value that should be JSON, and is a text where it is not.
    fn json(&self, key: &str) -> Option<serde_json::Value> {
        self.optional(key).map(|text| serde_json::from_str(&text).unwrap_or(serde_json::Value::String(text)))
    }

    fn optional(&self, key: &str) -> Option<String> {
        self.0.get(key).map(|&text| text.to_owned())
    }
}

fn number(text: &str, allowed: impl Fn(f64) -> bool) -> Option<f64> {
    text.parse().ok().filter(|&x| allowed(x))
}

fn whole(text: &str, min: u32, max: u32) -> Option<u32> {
    text.parse().ok().filter(|x| (min..=max).contains(x))
}

fn three(text: &str, allowed: impl Fn(f32) -> bool) -> Option<[f32; 3]> {
    let values: Vec<f32> = text.split(',').map(|part| part.trim().parse().ok().filter(|&x| allowed(x))).collect::<Option<_>>()?;
    values.try_into().ok()
}

fn class_names(text: &str) -> Option<Vec<String>> {
    let names: Vec<String> = serde_json::from_str(text).ok()?;
    let different = names.iter().collect::<std::collections::BTreeSet<_>>().len() == names.len();
    (names.len() >= 2 && different && names.iter().all(|name| !name.is_empty())).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: [(&str, &str); 8] = [
        ("lsr.format", "1"),
        ("lsr.um_per_px", "4.2"),
        ("lsr.pixel_mean", "128, 128,128"),
        ("lsr.pixel_std", "64,64,64"),
        ("lsr.class_names", r#"["other","cancer"]"#),
        ("lsr.threshold", "0.5"),
        ("lsr.alignment", "16"),
        ("lsr.context_px", "107"),
    ];

    #[test]
    fn every_required_key_is_named_when_it_is_missing() {
        assert!(Metadata::parse(GOOD).is_ok());
        for (key, _) in GOOD {
            let error = Metadata::parse(GOOD.into_iter().filter(|(k, _)| *k != key)).unwrap_err();
            assert!(error.to_string().contains(&format!("'{key}' is missing")), "{error}");
        }
    }

    #[test]
    fn fields_that_state_no_pixel_size_have_the_network_s_unless_the_file_says_otherwise() {
        let um_per_px =
            |value: Option<&'static str>| Metadata::parse(GOOD.into_iter().chain(value.map(|value| ("lsr.field_um_per_px", value))));
        assert_eq!(um_per_px(None).unwrap().field_um_per_px, 4.2);
        assert_eq!(um_per_px(Some("0.5")).unwrap().field_um_per_px, 0.5);
        let error = um_per_px(Some("-1")).unwrap_err().to_string();
        assert!(error.contains("lsr.field_um_per_px") && error.contains("-1"), "{error}");
    }

    #[test]
    fn every_bad_value_is_named_with_what_was_expected() {
        for (key, value) in [
            ("lsr.format", "2"),
            ("lsr.um_per_px", "0"),
            ("lsr.um_per_px", "NaN"),
            ("lsr.um_per_px", "inf"),
            ("lsr.pixel_mean", "1,2"),
            ("lsr.pixel_mean", "1,2,NaN"),
            ("lsr.pixel_std", "64,0,64"),
            ("lsr.class_names", "other,cancer"),
            ("lsr.class_names", r#"["cancer"]"#),
            ("lsr.class_names", r#"["a","a"]"#),
            ("lsr.threshold", "1"),
            ("lsr.threshold", "-0.5"),
            ("lsr.alignment", "0"),
            ("lsr.alignment", "1.5"),
            ("lsr.context_px", "-1"),
        ] {
            let pairs = GOOD.into_iter().map(|(k, v)| if k == key { (k, value) } else { (k, v) });
            let error = Metadata::parse(pairs).unwrap_err().to_string();
            assert!(error.contains(key) && error.contains("expected") && error.contains(value), "{error}");
        }
    }

    #[test]
    fn the_mask_shows_cancer_or_the_last_class() {
        let with = |names: &'static str| {
            Metadata::parse(GOOD.into_iter().map(|(k, v)| if k == "lsr.class_names" { (k, names) } else { (k, v) })).unwrap().mask_class()
        };
        assert_eq!(with(r#"["other","cancer"]"#), 1);
        assert_eq!(with(r#"["cancer","stroma","gap"]"#), 0);
        assert_eq!(with(r#"["normal","tumour"]"#), 1);
    }
}
