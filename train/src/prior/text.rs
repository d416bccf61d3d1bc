//! The count prior as two plain text files, as the land-cover code that label super-resolution comes from keeps it (`nlcd_mu.txt`,
//! `nlcd_sigma.txt`): a row for each low-resolution class, a column for each high-resolution class, whitespace between, no header.
//!
//! These files do not say their unit, and both are in use. It is never guessed: a file that contradicts the unit stated is refused. A row of
//! zeros in both files stands for a label without counts, as the "no data" class has there.

use super::{MAX_CLASSES, Prior, check_row};
use crate::data::MAX_LABELS;
use crate::error::{Error, Result};
use lsr_core::{Count, CountPrior};
use std::collections::BTreeMap;
use std::path::Path;

/// What the numbers of a text file are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Unit {
    /// 0 to 100
    Percent,
    /// 0 to 1
    Fraction,
}

impl Unit {
    /// The number that stands for a whole block.
    fn whole(self) -> f64 {
        match self {
            Self::Percent => 100.0,
            Self::Fraction => 1.0,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Percent => "percent",
            Self::Fraction => "fraction",
        }
    }

    fn other(self) -> Self {
        match self {
            Self::Percent => Self::Fraction,
            Self::Fraction => Self::Percent,
        }
    }
}

/// A line's number and its values.
type Line = (usize, Vec<f64>);

impl Prior {
    /// Reads means and standard deviations from a pair of text files. The number of annotated blocks is not in them and becomes 0.
    ///
    /// `rho_floor`, a fraction, raises smaller standard deviations, zeros among them; without it a zero is refused.
    ///
    /// # Errors
    /// With file and line: what is no number, ragged rows, files of different shape, rows that do not sum to a whole or that contradict the unit,
    /// impossible means or standard deviations. No row, fewer than 2 or too many columns, too many rows.
    pub fn read_text(mu: &Path, sigma: &Path, unit: Unit, rho_floor: Option<f64>) -> Result<Self> {
        let floor = rho_floor.unwrap_or(0.0);
        if !(0.0..=1.0).contains(&floor) {
            return Err(Error::setting("--rho-floor", "a standard deviation in [0, 1], as a fraction", floor));
        }
        let (means, stds) = (read_matrix(mu)?, read_matrix(sigma)?);
        let shape = |lines: &[Line]| (lines.len(), lines.first().map_or(0, |(_, values)| values.len()));
        let ((rows, classes), found) = (shape(&means), shape(&stds));
        if (rows, classes) != found {
            let reason = format!("expected {rows} rows of {classes} values as in {}, found {} of {}", mu.display(), found.0, found.1);
            return Err(Error::file(sigma, reason));
        }
        if !(2..=MAX_CLASSES).contains(&classes) || rows > MAX_LABELS {
            let reason = format!("expected 2 to {MAX_CLASSES} columns and at most {MAX_LABELS} rows, found {classes} and {rows}");
            return Err(Error::file(mu, reason));
        }
        let mut prior = Self { rows: BTreeMap::new(), annotated: BTreeMap::new(), classes };
        for (label, ((mean_line, means), (std_line, stds))) in means.into_iter().zip(stds).enumerate() {
            if means.iter().chain(&stds).all(|&value| value == 0.0) {
                continue;
            }
            check_sum(mu, mean_line, &means, unit)?;
            if let Some(&std) = stds.iter().find(|&&std| !(0.0..=unit.whole()).contains(&std) || (std == 0.0 && floor == 0.0)) {
                let hint = if std == 0.0 { "; --rho-floor raises it" } else { "" };
                let expected = format!("a standard deviation above 0 and up to {} ({})", unit.whole(), unit.name());
                return Err(Error::file(sigma, format!("line {std_line}: expected {expected}, found {std}{hint}")));
            }
            let count = |(mean, std): (f64, f64)| Count { mean: mean / unit.whole(), std: (std / unit.whole()).max(floor) };
            let row: Vec<Count<f64>> = means.into_iter().zip(stds).map(count).collect();
            check_row(label, &row).map_err(|error| Error::file(mu, format!("line {mean_line}: {error}")))?;
            prior.rows.insert(label, row);
            prior.annotated.insert(label, 0);
        }
        if prior.rows.is_empty() {
            return Err(Error::file(mu, "no row with counts in this file"));
        }
        Ok(prior)
    }

    /// Writes means and standard deviations as a pair of text files. What [`Prior::read_text`] read comes back the same: exactly as fractions,
    /// to 15 significant digits in percent. A label without a row becomes a row of zeros in both.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_text(&self, mu: &Path, sigma: &Path, unit: Unit) -> Result<()> {
        let labels = self.rows.keys().next_back().map_or(0, |last| last + 1);
        let table = |of: fn(&Count<f64>) -> f64| {
            let mut text = String::new();
            for label in 0..labels {
                let values: Vec<String> = match self.rows.get(&label) {
                    Some(row) => row.iter().map(|count| written(of(count), unit)).collect(),
                    None => vec!["0".to_owned(); self.classes],
                };
                text += &values.join(" ");
                text.push('\n');
            }
            text
        };
        crate::atomic::write(mu, table(|count| count.mean).as_bytes())?;
        crate::atomic::write(sigma, table(|count| count.std).as_bytes())
    }
}

fn read_matrix(path: &Path) -> Result<Vec<Line>> {
    let text = std::fs::read_to_string(path).map_err(Error::io("reading", path))?;
    let mut lines: Vec<Line> = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let refuse = |reason: String| Error::file(path, format!("line {}: {reason}", index + 1));
        let number = |word: &str| match word.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ => Err(refuse(format!("expected numbers with whitespace between, found '{word}'"))),
        };
        let values = line.split_whitespace().map(number).collect::<Result<Vec<f64>>>()?;
        if let Some((first, expected)) = lines.first().map(|(first, values)| (first, values.len()))
            && expected != values.len()
        {
            return Err(refuse(format!("expected {expected} values as in line {first}, found {}", values.len())));
        }
        lines.push((index + 1, values));
    }
    if lines.is_empty() {
        return Err(Error::file(path, "no row in this file"));
    }
    Ok(lines)
}

/// Means of a row must sum to a whole in the unit stated.
fn check_sum(path: &Path, line: usize, means: &[f64], unit: Unit) -> Result<()> {
    let sum: f64 = means.iter().sum();
    let is_whole = |unit: Unit, tolerance: f64| (sum / unit.whole() - 1.0).abs() <= tolerance;
    // A hair of slack, as in the core.
    if is_whole(unit, CountPrior::<f64, 1, MAX_CLASSES>::SUM_TOLERANCE + 1e-6) {
        return Ok(());
    }
    let mut reason = format!("line {line}: expected means that sum to {} ({}), found {sum}", unit.whole(), unit.name());
    // Generous: the question is only which of two units a hundred apart was meant.
    if is_whole(unit.other(), 0.2) {
        reason += &format!("; this file seems to be in the other unit: --unit {}", unit.other().name());
    }
    Err(Error::file(path, reason))
}

/// The shortest text that gives the number back.
fn written(fraction: f64, unit: Unit) -> String {
    match unit {
        Unit::Fraction => fraction.to_string(),
        // x / 100 * 100 may miss x by its last bits: what was typed with up to 15 digits is found again by rounding to 15.
        Unit::Percent => {
            let percent = 100.0 * fraction;
            format!("{percent:.14e}").parse::<f64>().unwrap_or(percent).to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_percentage_with_few_decimals_survives() {
        for thousandths in 0..=100_000 {
            let percent = f64::from(thousandths) / 1000.0;
            assert_eq!(written(percent / 100.0, Unit::Percent), percent.to_string());
        }
        assert_eq!(written(0.123_456_789_012_345_67, Unit::Fraction), 0.123_456_789_012_345_67.to_string());
    }
}
