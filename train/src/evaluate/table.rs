//! The scores as a table for the terminal.

use super::{BandScores, Evaluation};

/// The scores as a table for the terminal.
pub fn table(evaluation: &Evaluation) -> String {
    let number = |value: Option<f64>| value.map_or("     -".to_owned(), |v| format!("{v:.4}"));
    let row = |name: &str, s: &BandScores| {
        format!(
            "  {name:<16} {}  {}   |   {}  {}  {}\n",
            number(s.masked.iou),
            number(s.masked.dice),
            number(s.whole.iou),
            number(s.whole.dice),
            number(s.whole.accuracy)
        )
    };
    let mut text = format!("  {:<16} within {} px of the boundary | whole image\n", "", evaluation.band_px);
    text.push_str(&format!("  {:<16} {:<6}  {:<6}   |   {:<6}  {:<6}  accuracy\n", "image", "IoU", "Dice", "IoU", "Dice"));
    for image in &evaluation.images {
        text.push_str(&row(&image.image, &image.scores));
    }
    text.push_str(&row("all images", &evaluation.pooled));
    text.push_str(&row("all cancer", &evaluation.all_cancer));
    text.push_str(&row("no cancer", &evaluation.no_cancer));
    for class in &evaluation.classes {
        let scores = &class.scores;
        text.push_str(&format!("  class {:<10} IoU {}  Dice {}\n", class.class, number(scores.iou), number(scores.dice)));
    }
    text
}
