//! The count prior on the chip: the same judgement as on the host, in both precisions.

use crate::board::Board;
use crate::pico::Pico;
use lsr_core::{BlockMoments, CountPrior, Monitor, MonitorConfig, U8Sums};
use lsr_firmware::FieldMonitor;
use lsr_firmware::wire::{Answer, Command, FieldSummary, ROW_PIXELS, RowPixels};

/// Pixels of a field.
const PIXELS: usize = 4_800;

/// Against f64: some dozen f32 operations of half an ulp (6e-8) each, relative to 1 or to the score.
const TOLERANCE: f64 = 5e-6;

/// A field of which about a share is cancer, the same on every machine.
fn field(number: usize, share: f64) -> Vec<u8> {
    (0..PIXELS)
        .map(|i| {
            let noise = ((i * 7_919 + number * 104_729) % 1_000) as f64 / 1_000.0;
            let wave = ((i * 31 + number * 17) % 97) as u8;
            if noise < share { 255 - wave } else { wave / 2 }
        })
        .collect()
}

#[test]
fn chip_and_host_judge_fields_alike_and_sum_pixels_exactly() {
    let Some(mut pico) = Pico::start() else { return };
    let single = CountPrior::<f32, 10, 2>::table_1();
    let double = CountPrior::<f64, 10, 2>::table_1();
    let mut on_host = FieldMonitor::<10>::new(&single, 1, MonitorConfig::default()).unwrap();
    let mut exact = Monitor::<f64, 10>::new(&double, 1, MonitorConfig::default()).unwrap();
    let (mut worst_single, mut worst_double) = (0.0_f64, 0.0_f64);
    for number in 0..40 {
        let label = (number % 10) as u8;
        let pixels = field(number, [0.0, 0.02, 0.05, 0.3, 0.7, 0.72][number % 6]);
        let mut sums = U8Sums::default();
        sums.push_row(&pixels);
        let found = if number % 8 == 0 {
            // Row by row: the chip sums.
            assert_eq!(pico.ask(Command::BeginField { label }), Ok(Answer::Done));
            for row in pixels.chunks(ROW_PIXELS) {
                assert!(matches!(pico.ask(Command::FieldRow(RowPixels::new(row).unwrap())), Ok(Answer::RowTaken { .. })));
            }
            let Ok(Answer::Summed(summed)) = pico.ask(Command::EndField { pixels: PIXELS as u32 }) else { panic!("field {number}") };
            assert_eq!(summed.summary, FieldSummary::new(label, sums), "the chip's sums of field {number}");
            summed.consistency
        } else {
            match pico.ask(Command::Field(FieldSummary::new(label, sums))) {
                Ok(Answer::Consistency(found)) => found,
                other => panic!("field {number}: {other:?}"),
            }
        };
        let host = on_host.observe(&FieldSummary::new(label, sums)).unwrap();
        assert_eq!(found.alarm, host.alarm, "field {number}");
        let truth = exact.observe(usize::from(label), &BlockMoments::from_u8_sums(sums).unwrap()).unwrap();
        worst_single = worst_single.max(f64::from((found.z_score - host.z_score).abs()) / f64::from(host.z_score).abs().max(1.0));
        worst_double = worst_double.max((f64::from(found.z_score) - truth.z_score).abs() / truth.z_score.abs().max(1.0));
    }
    println!(
        "z-scores on the chip differ by {worst_single:.1e} from f32 on the host and by {worst_double:.1e} from f64, relative to 1 or the score"
    );
    assert!(worst_single <= f64::from(f32::EPSILON), "the same operations in the same precision: {worst_single}");
    assert!(worst_double <= TOLERANCE, "{worst_double}");
    for label in 0..10 {
        let Ok(Answer::Moments(found)) = pico.ask(Command::Moments { label }) else { panic!() };
        assert_eq!(found, on_host.moments(label).unwrap());
    }
}
