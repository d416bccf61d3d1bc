//! The on-board monitor, at the end of its line, against 60-digit arithmetic: on a core with and on one without a floating-point unit, with sums from the
//! host and with pixels row by row.

use crate::board::Board;
use crate::m4::M4;
use crate::pico::Pico;
use lsr_core::Drift;
use lsr_firmware::wire::{Answer, Command, Direction, FieldSummary, ROW_PIXELS, RowPixels};
use lsr_tests::monitor_cases::{Field, Group, Judge, MonitorCases};

/// Unit roundoff of f32, in which boards compute.
const UNIT: f64 = 1.0 / 16_777_216.0;

struct OnBoard<'b, B> {
    board: &'b mut B,
    /// Pixels are sent row by row where they are not too many; the board sums.
    by_rows: bool,
    rows: u32,
    scores: Vec<f32>,
}

impl<B: Board> Judge for OnBoard<'_, B> {
    fn acknowledge(&mut self, label: u8) {
        self.board.done(Command::AcknowledgeAlarm { label });
    }

    fn observe(&mut self, field: &Field) -> (f64, Option<Drift>) {
        let summary = FieldSummary::new(field.label, field.sums());
        let pixels = if self.by_rows { field.row_pixels() } else { None };
        let found = match pixels {
            Some(pixels) => {
                self.board.done(Command::BeginField { label: field.label });
                for row in pixels.chunks(ROW_PIXELS) {
                    assert!(matches!(self.board.ask(Command::FieldRow(RowPixels::new(row).unwrap())), Ok(Answer::RowTaken { .. })));
                    self.rows += 1;
                }
                let Ok(Answer::Summed(summed)) = self.board.ask(Command::EndField { pixels: field.pixels }) else { panic!("{field:?}") };
                assert_eq!(summed.summary, summary, "the board's sums");
                summed.consistency
            }
            None => match self.board.ask(Command::Field(summary)) {
                Ok(Answer::Consistency(found)) => found,
                other => panic!("{field:?}: {other:?}"),
            },
        };
        self.scores.push(found.z_score);
        let drift = found.alarm.map(|direction| match direction {
            Direction::Above => Drift::Above,
            Direction::Below => Drift::Below,
        });
        (found.z_score.into(), drift)
    }

    fn group(&mut self, label: u8) -> Group {
        let Ok(Answer::Moments(found)) = self.board.ask(Command::Moments { label }) else { panic!("moments of label {label}") };
        Group {
            label: found.label,
            fields: found.fields,
            mean: found.mean.into(),
            between_variance: found.between_variance.into(),
            count_fraction: found.within_count_fraction.into(),
            bernoulli_mean: found.within_bernoulli_mean.into(),
        }
    }
}

/// Returns the scores.
fn holds(name: &str, board: &mut impl Board, by_rows: bool) -> Vec<f32> {
    let cases = MonitorCases::own().unwrap_or_else(|error| panic!("{error}"));
    let mut judge = OnBoard { board, by_rows, rows: 0, scores: Vec::new() };
    let worst = cases.hold(&mut judge, UNIT).unwrap_or_else(|error| panic!("{name}: {error}"));
    println!(
        "{name}: {} fields, {} rows of pixels; largest error of a z-score {:.2} and of a moment {:.2} of what is allowed",
        cases.fields.len(),
        judge.rows,
        worst.z_score,
        worst.group
    );
    assert_eq!(by_rows, judge.rows > 100);
    judge.scores
}

#[test]
fn a_cortex_m0_plus_holds_the_monitors_golden_values() {
    let Some(mut pico) = Pico::start() else { return };
    let summed_by_host = holds("Cortex-M0+", &mut pico, false);
    // A new chip, whose monitor has seen nothing.
    pico.reset("power");
    pico.run(20_000);
    pico.connect();
    assert_eq!(holds("Cortex-M0+, row by row", &mut pico, true), summed_by_host);
}

#[test]
fn a_cortex_m4f_holds_the_monitors_golden_values() {
    let Some(mut m4) = M4::start() else { return };
    let summed_by_host = holds("Cortex-M4F", &mut m4, false);
    let Some(mut m4) = M4::start() else { return };
    assert_eq!(holds("Cortex-M4F, row by row", &mut m4, true), summed_by_host);
}
