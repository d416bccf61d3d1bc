//! A model's card as text for people.

use crate::model::{Card, ImageMemory, LearnedFrom, Refusal};
use std::fmt::Write;

/// The card as lines of `what  value`.
pub fn describe(card: &Card) -> String {
    let (metadata, contents) = (&card.metadata, &card.contents);
    let total: usize = contents.operators.values().sum();
    let operators = contents.operators.iter().map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ");
    let mut text = String::new();
    let mut line = |what: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{what:<14}{value}");
    };
    line("model", card.name.clone());
    line("sha256", card.sha256.clone());
    line("size", format!("{} bytes, {} parameters", card.bytes, contents.parameters));
    line("input", format!("{}, sides multiples of {} px", contents.input, metadata.alignment));
    line("output", contents.output.clone());
    line("nodes", format!("{total}: {operators}"));
    line("operator set", contents.opset.to_string());
    line("pixel size", format!("{} um/px; a field that states none has {} um/px", metadata.um_per_px, metadata.field_um_per_px));
    line("normalisation", format!("(8-bit level - {:?}) / {:?} (R, G, B)", metadata.pixel_mean, metadata.pixel_std));
    let mask = metadata.mask_class_name();
    line("classes", format!("{}; the mask shows {mask}", metadata.class_names.join(", ")));
    line("threshold", metadata.threshold.to_string());
    line("context", format!("{} px", metadata.context_px));
    let nothing = || "not stated: no field is flagged as unlike it".to_owned();
    line("learned from", metadata.reference.as_ref().map_or_else(nothing, LearnedFrom::describe));
    let provenance = &metadata.provenance;
    for (what, value) in [
        ("trained by", &provenance.trained_by),
        ("seed", &provenance.seed),
        ("steps", &provenance.steps),
        ("data digest", &provenance.data_digest),
        ("data licence", &provenance.data_licence),
    ] {
        line(what, value.as_deref().unwrap_or("not stated").to_owned());
    }
    if let Some(config) = &provenance.config {
        line("settings", config.to_string());
    }
    if let Some(quantized) = &provenance.quantized {
        line("quantised", quantized.to_string());
    }
    line("written by", contents.producer.clone());
    let execution = &card.execution;
    let kernels = execution.isa.map_or_else(String::new, |isa| format!(" ({isa}), the same bits on every processor"));
    line("runs in", format!("{}{kernels}", execution.arithmetic));
    for Refusal { node, reason } in &execution.not_integer {
        line("not in int8", format!("node '{node}': {reason}"));
    }
    for ImageMemory { side, arena_bytes } in &execution.memory {
        line("memory", format!("{:.1} MB for an image of {side} x {side} px on one thread", *arena_bytes as f64 / 1e6));
    }
    text
}
