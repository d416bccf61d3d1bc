//! What the network is and where it comes from, as the file's metadata.

use super::proto::StringEntry;
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::network::{PIXEL_MEAN, PIXEL_STD};
use lsr_core::Reference;

/// The keys that every exported network has, `lsr.field_um_per_px` where it is set, and `lsr.reference` where it is known what the network has
/// learned from.
pub(super) fn metadata(config: &RunConfig, step: usize, reference: Option<&Reference>) -> Result<Vec<StringEntry>> {
    let json = |error: serde_json::Error| Error::setting("metadata", "settings that can be written as JSON", error);
    let thrice = |value: f32| format!("{value},{value},{value}");
    // Where the data lay on the training machine is nobody's business.
    let settings = RunConfig { data: Vec::new(), cache: None, ..config.clone() };
    let network = config.network;
    let entries = [
        ("lsr.format", "1".to_owned()),
        ("lsr.um_per_px", config.um_per_px.to_string()),
        ("lsr.pixel_mean", thrice(PIXEL_MEAN)),
        ("lsr.pixel_std", thrice(PIXEL_STD)),
        ("lsr.class_names", serde_json::to_string(&config.classes).map_err(json)?),
        ("lsr.threshold", config.threshold.to_string()),
        ("lsr.alignment", network.alignment().to_string()),
        ("lsr.context_px", network.context_px().to_string()),
        ("lsr.trained_by", format!("lsr-train {}", config.version)),
        ("lsr.seed", config.seed.to_string()),
        ("lsr.steps", step.to_string()),
        ("lsr.data_digest", config.data_digest.clone()),
        ("lsr.data_licence", config.data_licence.clone()),
        ("lsr.config", serde_json::to_string(&settings).map_err(json)?),
    ];
    let mut entries: Vec<_> = entries.into_iter().map(|(key, value)| entry(key, value)).collect();
    if let Some(um_per_px) = config.field_um_per_px {
        entries.push(entry("lsr.field_um_per_px", um_per_px.to_string()));
    }
    if let Some(reference) = reference {
        entries.push(entry("lsr.reference", serde_json::to_string(reference).map_err(json)?));
    }
    Ok(entries)
}

pub(super) fn entry(key: &str, value: String) -> StringEntry {
    StringEntry { key: key.to_owned(), value }
}
