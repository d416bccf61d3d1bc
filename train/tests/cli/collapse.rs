//! A network that predicts the same count for every label is reported, not hidden.

use crate::program::Workshop;

#[test]
fn a_collapse_is_warned_of_and_recorded() {
    let shop = Workshop::with_data();
    // A learning rate of 0 keeps the random network: whatever the label, the same count.
    let (_, error) = shop.succeeds(&shop.fit("run", &["--steps", "12", "--learning-rate", "0", "--groups", "4"]));
    assert!(error.contains("predictions no longer differ between labels"), "{error}");
    let summary: serde_json::Value = serde_json::from_slice(&shop.read("run/summary.json")).unwrap();
    assert!(summary["collapsed"].as_str().unwrap().contains("no longer differ"));
    let labels = summary["labels"].as_array().unwrap();
    assert!(labels.len() >= 2);
    for key in ["z", "mean", "spread", "eta", "rho"] {
        assert!(labels[0][key].is_number(), "{key}");
        assert!(error.contains("predicted mean") && error.contains("prior mean (eta)"), "{error}");
    }
    let first = String::from_utf8(shop.read("run/metrics.jsonl")).unwrap();
    let step: serde_json::Value = serde_json::from_str(first.lines().next().unwrap()).unwrap();
    assert!(step["step"] == 1 && step["loss"].is_number() && step["groups"][3]["mean"].is_number());
}
