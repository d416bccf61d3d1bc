//! What `scan.json` says: everything that the results depend on besides the sample.

use super::run::ScanSettings;
use crate::output::NOTICE;
use crate::segment::Segmenter;
use crate::stage::wire::ScanOrder;
use crate::stage::{Um, micrometres};
use serde_json::{Value, json};

/// The scan in full, with the z that its fields have.
pub(super) fn describe(settings: &ScanSettings, segmenter: &Segmenter, z: Um) -> Value {
    let plan = &settings.plan;
    json!({
        "notice": NOTICE,
        "lsr_edge": crate::VERSION,
        "plan": {
            "x_um": micrometres(plan.x),
            "y_um": micrometres(plan.y),
            "z_um": micrometres(z),
            "columns": plan.columns,
            "rows": plan.rows,
            "pitch_x_um": micrometres(plan.pitch_x),
            "pitch_y_um": micrometres(plan.pitch_y),
            "order": match plan.order {
                ScanOrder::Raster => "raster",
                ScanOrder::Snake => "snake",
            },
            "settle_ms": plan.settle_ms,
            "pulse": { "width_us": plan.trigger.width_us, "before_us": plan.trigger.delay_before_us, "after_us": plan.trigger.delay_after_us },
            "light": plan.light.map(|light| json!({ "channel": light.channel, "permille": light.permille })),
        },
        "segmentation": segmenter.settings(),
        "pictures": settings.pictures,
        "labels": settings.labels.describe(),
        "model_sha256": segmenter.model().card().sha256,
    })
}

/// The z of an earlier run.
pub(super) fn recorded_z(scan: &Value) -> Option<Um> {
    let nm = (scan.pointer("/plan/z_um")?.as_f64()? * 1000.0).round();
    (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&nm).then(|| Um::from_nm(nm as i32))
}
