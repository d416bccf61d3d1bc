//! What judging a field costs. The Cortex-M0+ in cycles of its emulator, which knows how long each instruction takes, and no wait for flash. The
//! Cortex-M4F in instructions only: QEMU counts those and knows nothing of their length, so that they compare programs and are no time.

use crate::chip::{self, Chip};
use crate::qemu::{self, PATIENCE, Qemu};
use lsr_firmware::wire::ROW_PIXELS;
use serde_json::json;
use std::io::{BufRead, BufReader};

/// Nanoseconds of a cycle at 125 MHz.
const CYCLE: u64 = 8;
/// Cycles of the M4F's counter (40 ns) in an instruction of QEMU (2^5 ns).
const TICKS_PER_INSTRUCTION: f64 = 32.0 / 40.0;
/// A pixel that is loaded, squared, and added twice.
const MOST_A_PIXEL: f64 = 12.0;
/// A tenth of a millisecond at 125 MHz, which is what the main loop has for everything.
const MOST_A_SCORE: f64 = 12_500.0;

/// Costs of nothing, of rows and of scores.
struct Costs {
    nothing: Vec<f64>,
    row: Vec<f64>,
    score: Vec<f64>,
}

impl Costs {
    /// The dearest pixel and score, less what measuring them takes. Rows begin at every place in a word.
    fn dearest(&self) -> (f64, f64) {
        assert_eq!((self.nothing.len(), self.row.len(), self.score.len()), (8, 8, 10));
        let most = |costs: &[f64]| costs.iter().copied().fold(0.0, f64::max);
        let nothing = most(&self.nothing);
        assert!(self.row.iter().chain(&self.score).all(|&cost| cost > 10.0 * nothing), "something was not computed");
        ((most(&self.row) - nothing) / ROW_PIXELS as f64, most(&self.score) - nothing)
    }
}

#[test]
fn a_cortex_m0_plus_sums_a_pixel_in_less_than_twelve_cycles() {
    let Some(firmware) = chip::firmware("LSR_PICO") else { return };
    let mut chip = Chip::start(&firmware.with_file_name("pico_cycles"));
    let happened = chip.ask(&json!({ "watch": [2, 3, 4], "run": 50_000 }));
    assert_eq!(happened.stopped, None);
    let of = |pin: u8| -> Vec<f64> {
        let edges: Vec<_> = happened.edges.iter().filter(|edge| edge.pin == pin).collect();
        assert!(edges.chunks(2).all(|pulse| matches!(pulse, [rise, fall] if rise.high && !fall.high)), "{edges:?}");
        edges.chunks_exact(2).map(|pulse| ((pulse[1].at - pulse[0].at) / CYCLE) as f64).collect()
    };
    let (pixel, score) = Costs { nothing: of(2), row: of(3), score: of(4) }.dearest();
    println!("Cortex-M0+: {pixel:.1} cycles a pixel and {score:.0} a z-score");
    assert!(pixel < MOST_A_PIXEL, "{pixel} cycles a pixel");
    assert!(score < MOST_A_SCORE, "{score} cycles a z-score");
}

#[test]
fn a_cortex_m4f_takes_fewer_instructions_than_that() {
    let Some(firmware) = qemu::firmware() else { return };
    let arguments = ["-icount", "shift=5,sleep=off", "-serial", "stdio"];
    let mut qemu = Qemu::start(&firmware.with_file_name("mps2_cycles"), &arguments);
    let lines = qemu::forward(BufReader::new(qemu.output()).lines().map_while(Result::ok));
    let mut costs = Costs { nothing: Vec::new(), row: Vec::new(), score: Vec::new() };
    loop {
        let line = lines.recv_timeout(PATIENCE).unwrap_or_else(|error| panic!("{error}; {}", qemu.end()));
        let (name, ticks) = line.split_once(' ').unwrap_or((&line, "0"));
        let instructions = ticks.parse::<f64>().unwrap() / TICKS_PER_INSTRUCTION;
        match name {
            "nothing" => costs.nothing.push(instructions),
            "row" => costs.row.push(instructions),
            "score" => costs.score.push(instructions),
            "end" => break,
            _ => panic!("{line}"),
        }
    }
    let (pixel, score) = costs.dearest();
    println!("Cortex-M4F: {pixel:.1} instructions a pixel and {score:.0} a z-score");
    assert!(pixel < MOST_A_PIXEL, "{pixel} instructions a pixel");
    assert!(score < MOST_A_SCORE, "{score} instructions a z-score");
}
