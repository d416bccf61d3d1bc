//! `/metrics`: the text format of Prometheus.

use crate::live::Live;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use std::fmt::Write;
use std::sync::Arc;

pub(super) async fn metrics(State(live): State<Arc<Live>>) -> impl IntoResponse {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text(&live))
}

fn text(live: &Live) -> String {
    let mut text = String::new();
    let mut line = |name: &str, kind: &str, help: &str, values: &[(String, f64)]| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        for (labels, value) in values {
            let _ = writeln!(text, "{name}{labels} {value}");
        }
    };
    let one = |value: f64| [(String::new(), value)];
    let session = live.session();
    let info = format!("{{version=\"{}\",model_sha256=\"{}\",session=\"{}\"}}", session.lsr_edge, session.model_sha256, session.id);
    line("lsr_edge_info", "gauge", "What runs.", &[(info, 1.0)]);
    line("lsr_edge_uptime_seconds", "gauge", "Since the session began.", &one(live.uptime().as_secs_f64()));
    let [came, dropped] = live.frames();
    line("lsr_edge_frames_total", "counter", "Frames that the source has given.", &one(came as f64));
    line("lsr_edge_frames_dropped_total", "counter", "Frames that a newer one replaced before they were worked on.", &one(dropped as f64));
    line("lsr_edge_frames_failed_total", "counter", "Frames that became no field.", &one(live.failures() as f64));
    let statistics = live.statistics();
    line("lsr_edge_fields_total", "counter", "Fields that are kept.", &one(statistics.fields as f64));
    line("lsr_edge_fields_fit_total", "counter", "Of these, those that are fit to be counted.", &one(statistics.fit_fields.into()));
    line(
        "lsr_edge_fields_unlike_training_total",
        "counter",
        "Fields unlike what the network has learned from.",
        &one(statistics.unlike_training as f64),
    );
    let label = |label: u8| format!("{{label=\"{label}\"}}");
    let counts: Vec<_> = statistics.labels.iter().map(|view| (label(view.label), view.mean)).collect();
    line("lsr_edge_label_count_mean", "gauge", "Mean predicted count of a label's fields.", &counts);
    let alarms: Vec<_> = statistics.labels.iter().map(|view| (label(view.label), f64::from(u8::from(view.alarm.is_some())))).collect();
    line("lsr_edge_label_alarm", "gauge", "1 while a label's fields do not agree with its prior.", &alarms);
    let mut quantiles = Vec::new();
    let (mut means, mut longest) = (Vec::new(), Vec::new());
    for stage in live.latency() {
        for (quantile, ms) in [("0.5", stage.p50_ms), ("0.95", stage.p95_ms), ("0.99", stage.p99_ms)] {
            quantiles.push((format!("{{stage=\"{}\",quantile=\"{quantile}\"}}", stage.stage), ms / 1000.0));
        }
        let name = format!("{{stage=\"{}\"}}", stage.stage);
        means.push((name.clone(), stage.mean_ms / 1000.0));
        longest.push((name, stage.max_ms / 1000.0));
    }
    line("lsr_edge_latency_seconds", "gauge", "From a frame being seen to its mask being shown, by stage.", &quantiles);
    line("lsr_edge_latency_mean_seconds", "gauge", "The same, mean.", &means);
    line("lsr_edge_latency_max_seconds", "gauge", "The same, longest.", &longest);
    text
}
