//! `bench`: figures that belong together.

use crate::program::Workshop;

#[test]
fn the_figures_of_a_small_step_add_up() {
    let shop = Workshop::empty();
    let small = ["--batch", "4", "--groups", "2", "--size", "32", "--width", "4", "--depth", "2", "--steps", "3", "--warm-up", "1"];
    let output = shop.command(&["bench", "--json"]).args(small).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let number = |path: &str| report.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or_else(|| panic!("{path} in {report}"));
    assert_eq!(report["steps_ms"].as_array().unwrap().len(), 3);
    let (median, p95) = (number("/step/median_ms"), number("/step/p95_ms"));
    assert!(median > 0.0 && median <= p95, "{report}");
    let parts: f64 = ["forward", "loss", "backward", "optimizer"].map(|part| number(&format!("/parts/{part}/median_ms"))).iter().sum();
    // Medians of parts against the median of their sum.
    assert!(parts > 0.0 && parts <= 2.0 * number("/parts/step/p95_ms"), "{report}");
    let took: f64 = report["steps_ms"].as_array().unwrap().iter().map(|ms| ms.as_f64().unwrap() / 1e3).sum();
    // The clock of the day may be set meanwhile, but not by a second in a test.
    assert!((number("/ended_unix_s") - number("/began_unix_s") - took).abs() < 1.0, "{report}");
    assert!((0.0..=1.0).contains(&number("/waiting_share")), "{report}");
    let per_second = 4.0 / (median / 1e3);
    assert!((number("/images_per_s") / per_second - 1.0).abs() < 1e-6, "{report}");
    assert!((number("/gmacs_per_s") / (number("/macs") / (median / 1e3) / 1e9) - 1.0).abs() < 1e-6, "{report}");
}

#[test]
fn a_batch_that_its_groups_do_not_divide_is_refused() {
    let output = Workshop::empty().command(&["bench", "--batch", "5", "--groups", "2"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && text.contains("5"), "{text}");
}
