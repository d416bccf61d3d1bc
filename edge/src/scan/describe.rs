//! What a session of a scan says: everything that the results depend on besides the sample, the model and the segmentation.

use super::run::ScanSettings;
use crate::session::SessionRecord;
use crate::stage::wire::ScanOrder;
use crate::stage::{Um, micrometres};
use serde_json::{Value, json};

/// The scan in full, with the z that its fields have.
pub(super) fn describe(settings: &ScanSettings, z: Um) -> Value {
    let plan = &settings.plan;
    json!({
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
        "plan_file": settings.plan_file,
        "labels": settings.labels.describe(),
        "monitor": settings.judge.name(),
        "repeat_beyond": settings.repeat_beyond,
    })
}

/// The z of an earlier run.
pub(super) fn recorded_z(session: &SessionRecord) -> Option<Um> {
    let nm = (session.settings.pointer("/scan/plan/z_um")?.as_f64()? * 1000.0).round();
    (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&nm).then(|| Um::from_nm(nm as i32))
}
