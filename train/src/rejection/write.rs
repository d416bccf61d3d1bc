//! What a measurement leaves behind: `rejection.json`, `fields.csv`, figures, and a table for the terminal.

use super::field::{Judged, SCORES};
use super::{Curves, Rejection};
use crate::error::{Error, Result};
use crate::figure::{LineFigure, LineSeries, line_figure};
use lsr_core::reference::{FEATURE_NAMES, Features};
use std::path::Path;

/// One field, as it is or with one fault.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldRow {
    /// Name of the image.
    pub image: String,
    /// Which of the image's fields.
    pub field: usize,
    /// What was done to it, or where it comes from.
    pub kind: String,
    /// Dice; 1 where neither truth nor mask has any cancer.
    pub dice: f64,
    /// Dice within the band round the true boundary; none without one.
    pub masked_dice: Option<f64>,
    /// Share of pixels that are right.
    pub accuracy: f64,
    /// Whether it is flagged.
    pub flagged: bool,
    /// Combined distance, that of appearance, entropy, and counts beside the prior.
    pub scores: [f64; 4],
    /// Mean features of its tiles.
    pub features: Features,
}

impl FieldRow {
    pub(super) fn of(image: &str, field: usize, kind: &str, judged: &Judged) -> Self {
        let counts = judged.counts;
        Self {
            image: image.to_owned(),
            field,
            kind: kind.to_owned(),
            dice: counts.whole.dice().unwrap_or(1.0),
            masked_dice: counts.masked.dice(),
            accuracy: counts.whole.accuracy().unwrap_or(1.0),
            flagged: judged.flagged,
            scores: judged.scores,
            features: judged.features,
        }
    }

    fn record(&self) -> Vec<String> {
        let number = |value: f64| format!("{value:.6}");
        let mut record = vec![self.image.clone(), self.field.to_string(), self.kind.clone(), number(self.dice)];
        record.extend([self.masked_dice.map(number).unwrap_or_default(), number(self.accuracy), self.flagged.to_string()]);
        record.extend(self.scores.iter().map(|&score| number(score)));
        record.extend(self.features.iter().map(|&feature| number(f64::from(feature))));
        record
    }
}

/// Writes `rejection.json`, `fields.csv`, and a figure a measure of quality as PNG and SVG.
///
/// # Errors
/// A folder that cannot be written.
pub fn write_rejection(rejection: &Rejection, folder: &Path) -> Result<()> {
    crate::atomic::make_folder(folder)?;
    let path = folder.join("rejection.json");
    let json = serde_json::to_string_pretty(rejection).map_err(|error| Error::file(&path, error.to_string()))?;
    crate::atomic::write(&path, (json + "\n").as_bytes())?;
    let path = folder.join("fields.csv");
    let failed = |error: csv::Error| Error::file(&path, error.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["image", "field", "kind", "dice", "masked_dice", "accuracy", "flagged"];
    writer.write_record(head.iter().chain(&SCORES).chain(&FEATURE_NAMES)).map_err(failed)?;
    for row in &rejection.rows {
        writer.write_record(row.record()).map_err(failed)?;
    }
    crate::atomic::write(&path, &writer.into_inner().map_err(|error| Error::file(&path, error.to_string()))?)?;
    for curves in &rejection.curves {
        let scene = line_figure(&figure(curves))?;
        let name = format!("rejection-{}", curves.quality.to_lowercase().replace(' ', "-"));
        crate::atomic::write(&folder.join(format!("{name}.png")), &scene.png()?)?;
        crate::atomic::write(&folder.join(format!("{name}.svg")), scene.svg()?.as_bytes())?;
    }
    Ok(())
}

/// The curves over the share of fields that is kept.
fn figure(curves: &Curves) -> LineFigure {
    let n = curves.fields.max(1) as f64;
    let points = |kept: &[f64]| kept.iter().enumerate().map(|(i, &mean)| ((i + 1) as f64 / n, mean)).collect();
    let mut series = vec![
        LineSeries { name: "ideal order".to_owned(), points: points(&curves.ideal.kept), bound: true },
        LineSeries { name: "random order".to_owned(), points: vec![(1.0 / n, curves.random), (1.0, curves.random)], bound: true },
    ];
    series.extend(curves.scores.iter().map(|curve| LineSeries { name: curve.score.clone(), points: points(&curve.kept), bound: false }));
    LineFigure {
        title: format!("Mean {} of the fields that are kept", curves.quality),
        x_label: "share of fields kept, the nearest first".to_owned(),
        y_label: format!("mean {}", curves.quality),
        x: (0.0, 1.0),
        y: (0.0, 1.0),
        series,
    }
}

/// The measurement as tables for the terminal.
pub fn rejection_table(rejection: &Rejection) -> String {
    let mut text = format!("  {:<28} fields   Dice  accuracy  distance  flagged\n", "");
    for kind in &rejection.kinds {
        text.push_str(&format!(
            "  {:<28} {:>6}  {:.3}     {:.3}  {:>8.2}    {:>3.0} %\n",
            kind.kind,
            kind.fields,
            kind.dice,
            kind.accuracy,
            kind.distance,
            100.0 * kind.flagged
        ));
    }
    let number = |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.3}"));
    text.push_str(&format!(
        "\n  {} reference tiles, limit {:.2}; mean Dice of fields within it {}, beyond it {}\n\n",
        rejection.reference_tiles,
        rejection.limit,
        number(rejection.dice_not_flagged),
        number(rejection.dice_flagged)
    ));
    text.push_str(&format!("  {:<28}", "area under the curve (gain)"));
    rejection.curves.iter().for_each(|curves| text.push_str(&format!("{:>16}", curves.quality)));
    text.push('\n');
    let mut line = |name: &str, of: &dyn Fn(&Curves) -> (f64, Option<f64>)| {
        text.push_str(&format!("  {name:<28}"));
        for curves in &rejection.curves {
            let (area, gain) = of(curves);
            text.push_str(&format!("{:>16}", format!("{area:.3} ({})", gain.map_or("-".to_owned(), |gain| format!("{gain:+.2}")))));
        }
        text.push('\n');
    };
    line("ideal order", &|curves| (curves.ideal.area, curves.ideal.gain));
    for (i, score) in SCORES.iter().enumerate() {
        line(score, &|curves| (curves.scores[i].area, curves.scores[i].gain));
    }
    line("random order", &|curves| (curves.random, Some(0.0)));
    text
}
