//! Plans in the words of useq-schema (`MDASequence`), as pymmcore-plus and napari-micromanager write them: one grid, at one position.
//!
//! What a scan cannot carry out is refused by its name rather than left out.

use serde::Deserialize;
use serde_json::{Map, Value};

/// A grid in the stage's micrometres, by its fields' centres.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct UseqGrid {
    /// Centre of the first field.
    pub(super) first: [f64; 2],
    pub(super) z: Option<f64>,
    pub(super) columns: u32,
    pub(super) rows: u32,
    pub(super) pitch: [f64; 2],
    pub(super) snake: bool,
    pub(super) exposure_ms: Option<f64>,
}

#[derive(Debug, Default, Deserialize)]
struct Sequence {
    #[serde(default)]
    stage_positions: Option<Vec<Place>>,
    #[serde(default)]
    grid_plan: Option<GridPlan>,
    #[serde(default)]
    channels: Option<Vec<Channel>>,
    // These say what the sequence is called, and in which order axes are walked of which there is one.
    #[serde(default, rename = "metadata")]
    _metadata: Option<Value>,
    #[serde(default, rename = "axis_order")]
    _axis_order: Option<Value>,
    #[serde(flatten)]
    rest: Map<String, Value>,
}

#[derive(Debug, Deserialize)]
struct Place {
    #[serde(default)]
    x: Option<f64>,
    #[serde(default)]
    y: Option<f64>,
    #[serde(default)]
    z: Option<f64>,
    #[serde(default)]
    sequence: Option<Box<Sequence>>,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Channel {
    Name(#[expect(dead_code, reason = "what light it means only its own program knows")] String),
    Settings { exposure: Option<f64> },
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct GridPlan {
    #[serde(default)]
    rows: Option<u32>,
    #[serde(default)]
    columns: Option<u32>,
    #[serde(default)]
    width: Option<f64>,
    #[serde(default)]
    height: Option<f64>,
    #[serde(default)]
    top: Option<f64>,
    #[serde(default)]
    left: Option<f64>,
    #[serde(default)]
    bottom: Option<f64>,
    #[serde(default)]
    right: Option<f64>,
    #[serde(default)]
    relative_to: Option<RelativeTo>,
    #[serde(default)]
    overlap: Overlap,
    #[serde(default)]
    mode: Option<String>,
    #[serde(default)]
    fov_width: Option<f64>,
    #[serde(default)]
    fov_height: Option<f64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum RelativeTo {
    Center,
    TopLeft,
}

/// Percent of a field.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
enum Overlap {
    Both(f64),
    Each([f64; 2]),
}

impl Default for Overlap {
    fn default() -> Self {
        Self::Both(0.0)
    }
}

/// The grid of a sequence.
///
/// # Errors
/// In words: what is missing, or what a scan does not do.
pub(super) fn grid(sequence: Value) -> Result<UseqGrid, String> {
    let read = |value| serde_json::from_value::<Sequence>(value).map_err(|error| format!("no useq-schema sequence of one grid: {error}"));
    let sequence = read(sequence)?;
    nothing_else(&sequence)?;
    let positions = sequence.stage_positions.unwrap_or_default();
    if positions.len() > 1 {
        return Err(format!("stage_positions has {} positions: a scan is one grid, so expected at most one", positions.len()));
    }
    let mut plan = sequence.grid_plan;
    let mut position = [None; 3];
    if let Some(Place { x, y, z, sequence: inner }) = positions.into_iter().next() {
        position = [x, y, z];
        if let Some(inner) = inner {
            nothing_else(&inner)?;
            if inner.stage_positions.is_some_and(|positions| !positions.is_empty()) || inner.channels.is_some_and(|all| !all.is_empty()) {
                return Err("the position's own sequence has more than a grid_plan: a scan is one grid".to_owned());
            }
            // That of a position stands in for the sequence's.
            plan = inner.grid_plan.or(plan);
        }
    }
    let exposure_ms = match sequence.channels.as_deref().unwrap_or_default() {
        [] | [Channel::Name(_)] => None,
        [Channel::Settings { exposure }] => *exposure,
        more => return Err(format!("{} channels: a scan has one picture a field, so expected at most one", more.len())),
    };
    placed(&plan.ok_or("it has no grid_plan")?, position, exposure_ms)
}

/// Refuses what a scan would have to leave out. What is there but empty asks for nothing.
fn nothing_else(sequence: &Sequence) -> Result<(), String> {
    let empty = |value: &Value| match value {
        Value::Null | Value::Bool(false) => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(items) => items.is_empty(),
        _ => false,
    };
    // What the sequence is known by.
    match sequence.rest.iter().find(|(name, value)| *name != "uid" && !empty(value)) {
        Some((name, _)) => Err(format!("{name}: a scan takes one picture a field of one grid, and does not do that")),
        None => Ok(()),
    }
}

fn placed(plan: &GridPlan, [x, y, z]: [Option<f64>; 3], exposure_ms: Option<f64>) -> Result<UseqGrid, String> {
    let size = |name: &str, value: Option<f64>| match value {
        Some(value) if value > 0.0 && value.is_finite() => Ok(value),
        Some(value) => Err(format!("grid_plan.{name} {value}: expected micrometres above 0")),
        None => Err(format!("grid_plan.{name} is missing: a scan does not know the camera's field of view by itself")),
    };
    let field = [size("fov_width", plan.fov_width)?, size("fov_height", plan.fov_height)?];
    let overlap = match plan.overlap {
        Overlap::Both(percent) => [percent; 2],
        Overlap::Each(percents) => percents,
    };
    if !overlap.iter().all(|percent| percent.is_finite() && *percent < 100.0) {
        return Err(format!("grid_plan.overlap {overlap:?}: expected percent of a field, below 100"));
    }
    let step = [0, 1].map(|axis| field[axis] - field[axis] * overlap[axis] / 100.0);
    let snake = match plan.mode.as_deref() {
        None | Some("row_wise_snake") => true,
        Some("row_wise") => false,
        Some(other) => return Err(format!("grid_plan.mode {other}: expected row_wise_snake or row_wise")),
    };
    // How many fields lie over a length, as useq-schema counts them.
    let over = |span: f64, step: f64, first: f64| if span <= first { 1.0 } else { ((span - first) / step).ceil() + 1.0 };
    let GridPlan { rows, columns, width, height, top, left, bottom, right, .. } = *plan;
    let (columns, rows, edges) = match (rows, columns, width, height, [top, left, bottom, right]) {
        (Some(rows), Some(columns), None, None, [None, None, None, None]) => (f64::from(columns), f64::from(rows), None),
        (None, None, Some(width), Some(height), [None, None, None, None]) => {
            let count = |name: &str, length: f64, step: f64| Ok::<_, String>((size(name, Some(length))? / step).ceil());
            (count("width", width, step[0])?, count("height", height, step[1])?, None)
        }
        (None, None, None, None, [Some(top), Some(left), Some(bottom), Some(right)]) => {
            let corner = [left.min(right) + field[0] / 2.0, top.max(bottom) - field[1] / 2.0];
            (over((right - left).abs(), step[0], field[0]), over((top - bottom).abs(), step[1], field[1]), Some(corner))
        }
        _ => return Err("grid_plan: expected rows and columns, or width and height, or top, left, bottom and right".to_owned()),
    };
    let most = f64::from(u16::MAX);
    if !((1.0..=most).contains(&columns) && (1.0..=most).contains(&rows)) {
        return Err(format!("grid_plan has {columns} columns and {rows} rows: expected 1 to {most} of each"));
    }
    let first = match edges {
        Some(corner) => corner,
        None => {
            let place = |name: &str, value: Option<f64>| {
                value.ok_or_else(|| format!("the grid lies relative to a position, and stage_positions has no {name}"))
            };
            let [x, y] = [place("x", x)?, place("y", y)?];
            match plan.relative_to.unwrap_or(RelativeTo::Center) {
                RelativeTo::TopLeft => [x, y],
                RelativeTo::Center => [x - (columns - 1.0) * step[0] / 2.0, y + (rows - 1.0) * step[1] / 2.0],
            }
        }
    };
    // Rows go down, and useq-schema's y goes up.
    Ok(UseqGrid { first, z, columns: columns as u32, rows: rows as u32, pitch: [step[0], -step[1]], snake, exposure_ms })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Against what useq-schema 0.9.2 itself yields; `tests/readers.rs` of the package lsr-tests asks the Python package.
    #[test]
    fn grids_lie_where_useq_schema_puts_them() {
        let found = grid(json!({
            "stage_positions": [{ "x": 1000.0, "y": 2000.0, "z": 50.0 }],
            "grid_plan": { "rows": 3, "columns": 4, "overlap": 10.0, "fov_width": 100.0, "fov_height": 80.0 },
            "channels": [{ "config": "BF", "exposure": 10.0 }],
            "time_plan": null, "keep_shutter_open_across": [], "metadata": { "who": "me" }
        }));
        let expected = UseqGrid {
            first: [865.0, 2072.0],
            z: Some(50.0),
            columns: 4,
            rows: 3,
            pitch: [90.0, -72.0],
            snake: true,
            exposure_ms: Some(10.0),
        };
        assert_eq!(found.unwrap(), expected);
        let edges = json!({ "grid_plan": { "left": 0.0, "top": 500.0, "right": 450.0, "bottom": 0.0, "overlap": [10.0, 0.0], "fov_width": 100.0, "fov_height": 80.0, "mode": "row_wise" } });
        let found = grid(edges).unwrap();
        assert_eq!((found.first, found.columns, found.rows, found.snake), ([50.0, 460.0], 5, 7, false));
        let size = json!({ "stage_positions": [{ "x": 1000.0, "y": 2000.0 }], "grid_plan": { "width": 300.0, "height": 200.0, "fov_width": 100.0, "fov_height": 80.0 } });
        let found = grid(size).unwrap();
        assert_eq!((found.first, found.z, found.columns, found.rows), ([900.0, 2080.0], None, 3, 3));
        let inner = json!({ "stage_positions": [{ "x": 1.0, "y": 2.0, "z": 3.0, "sequence": { "grid_plan": { "rows": 2, "columns": 2, "fov_width": 10.0, "fov_height": 10.0, "relative_to": "top_left" } } }] });
        assert_eq!(grid(inner).unwrap().first, [1.0, 2.0]);
    }

    #[test]
    fn what_a_scan_does_not_do_is_refused_by_its_name() {
        let plan = json!({ "rows": 2, "columns": 2, "fov_width": 10.0, "fov_height": 10.0 });
        let with = |name: &str, value: Value| {
            let mut sequence = json!({ "stage_positions": [{ "x": 0.0, "y": 0.0 }], "grid_plan": plan });
            sequence[name] = value;
            grid(sequence).unwrap_err()
        };
        assert_eq!(
            with("z_plan", json!({ "range": 4.0, "step": 1.0 })),
            "z_plan: a scan takes one picture a field of one grid, and does not do that"
        );
        assert!(with("channels", json!(["DAPI", "FITC"])).starts_with("2 channels"));
        assert!(with("stage_positions", json!([{ "x": 0 }, { "x": 1 }])).starts_with("stage_positions has 2 positions"));
        assert!(with("stage_positions", json!([])).ends_with("stage_positions has no x"));
        assert!(with("grid_plan", Value::Null) == "it has no grid_plan");
        for (changed, problem) in [
            (json!({ "fov_width": null }), "grid_plan.fov_width is missing"),
            (json!({ "fov_width": -1.0 }), "grid_plan.fov_width -1: expected"),
            (json!({ "overlap": 100.0 }), "grid_plan.overlap [100.0, 100.0]"),
            (json!({ "mode": "spiral" }), "grid_plan.mode spiral: expected"),
            (json!({ "rows": null }), "grid_plan: expected rows and columns"),
            (json!({ "rows": 70_000 }), "grid_plan has 2 columns and 70000 rows"),
            (json!({ "vertices": [] }), "no useq-schema sequence of one grid: unknown field `vertices`"),
        ] {
            let mut other = plan.clone();
            for (name, value) in changed.as_object().unwrap() {
                other[name] = value.clone();
            }
            let error = with("grid_plan", other);
            assert!(error.starts_with(problem), "{error}");
        }
    }
}
