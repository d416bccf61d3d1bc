//! Plans out of files: lsr's own TOML, and useq-schema's YAML or JSON.

use super::error::ScanError;
use super::useq;
use crate::digest::sha256;
use crate::read::read_file;
use crate::stage::Um;
use crate::stage::wire::{LightLevel, ScanOrder, ScanPlan, TriggerPulse};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Files beyond this are none.
const MAX_BYTES: u64 = 1 << 20;
/// Rest after a pulse besides the exposure that a useq-schema channel states, us: the camera's read-out.
const READ_OUT_US: u32 = 20_000;
/// Rest after each move where a plan does not say, ms.
const SETTLE_MS: u16 = 50;
/// Width of a pulse where a plan does not say, us.
const WIDTH_US: u32 = 1_000;

/// What a plan's file says.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanFile {
    /// The grid, its pulses, and the light where it names one.
    pub plan: ScanPlan,
    /// Pixel size of the frames.
    pub um_per_px: Option<f64>,
    /// Low-resolution class of all fields.
    pub label: Option<u8>,
    /// List of the fields' classes.
    pub labels: Option<PathBuf>,
    /// Its name, SHA-256 and format.
    pub origin: Value,
}

/// `plan.toml`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Own {
    um_per_px: Option<f64>,
    label: Option<u8>,
    labels: Option<PathBuf>,
    #[serde(default)]
    settle_ms: Option<u16>,
    grid: Grid,
    #[serde(default)]
    pulse: Pulse,
    light: Option<Light>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grid {
    x_um: f64,
    y_um: f64,
    z_um: Option<f64>,
    columns: u16,
    rows: u16,
    pitch_x_um: f64,
    pitch_y_um: f64,
    #[serde(default)]
    order: Order,
}

#[derive(Debug, Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Order {
    #[default]
    Snake,
    Raster,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Pulse {
    width_us: Option<u32>,
    before_us: Option<u32>,
    after_us: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Light {
    channel: u8,
    percent: f64,
}

impl PlanFile {
    /// Reads a `.toml` file of our own, or a `.yaml`, `.yml` or `.json` file of useq-schema.
    ///
    /// # Errors
    /// [`ScanError::PlanFile`] with what is wrong or not done; what [`Error`](crate::Error) says of a file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, ScanError> {
        let bad = |problem: String| ScanError::PlanFile { path: path.to_owned(), problem: problem.trim_end().to_owned() };
        let bytes = read_file(path, MAX_BYTES)?;
        let text = std::str::from_utf8(&bytes).map_err(|_| bad("it is no UTF-8 text".to_owned()))?;
        let origin = |format: &str| {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            json!({ "name": name, "sha256": sha256(&bytes), "format": format })
        };
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("toml") => {
                let own: Own = toml::from_str(text).map_err(|error| bad(error.to_string()))?;
                own.plan(path, origin("lsr")).map_err(bad)
            }
            Some("yaml" | "yml" | "json") => {
                // JSON is YAML, too.
                let value: Value = serde_norway::from_str(text).map_err(|error| bad(error.to_string()))?;
                useq::grid(value).and_then(|grid| of_useq(&grid, origin("useq-schema"))).map_err(bad)
            }
            _ => Err(bad("expected a name that ends in .toml (lsr), .yaml, .yml or .json (useq-schema)".to_owned())),
        }
    }
}

impl Own {
    fn plan(self, path: &Path, origin: Value) -> Result<PlanFile, String> {
        let Self { um_per_px, label, labels, settle_ms, grid, pulse, light } = self;
        if label.is_some() && labels.is_some() {
            return Err("label and labels: expected at most one of them".to_owned());
        }
        let light = light.map(|Light { channel, percent }| {
            if !(0.0..=100.0).contains(&percent) {
                return Err(format!("light.percent {percent}: expected 0 to 100"));
            }
            Ok(LightLevel { channel, permille: (10.0 * percent).round() as u16 })
        });
        let plan = ScanPlan {
            x: length("grid.x_um", grid.x_um)?,
            y: length("grid.y_um", grid.y_um)?,
            z: grid.z_um.map(|z| length("grid.z_um", z)).transpose()?,
            columns: grid.columns,
            rows: grid.rows,
            pitch_x: length("grid.pitch_x_um", grid.pitch_x_um)?,
            pitch_y: length("grid.pitch_y_um", grid.pitch_y_um)?,
            order: match grid.order {
                Order::Snake => ScanOrder::Snake,
                Order::Raster => ScanOrder::Raster,
            },
            first_visit: 0,
            settle_ms: settle_ms.unwrap_or(SETTLE_MS),
            trigger: TriggerPulse {
                width_us: pulse.width_us.unwrap_or(WIDTH_US),
                delay_before_us: pulse.before_us.unwrap_or(0),
                delay_after_us: pulse.after_us.unwrap_or(READ_OUT_US),
            },
            light: light.transpose()?,
        };
        // Relative to the plan, as one would write it.
        let labels = labels.map(|labels| path.parent().map_or_else(|| labels.clone(), |folder| folder.join(&labels)));
        Ok(PlanFile { plan, um_per_px, label, labels, origin })
    }
}

fn of_useq(grid: &useq::UseqGrid, origin: Value) -> Result<PlanFile, String> {
    let exposure_us = match grid.exposure_ms {
        None => 0.0,
        Some(ms) if (0.0..=1e6).contains(&ms) => 1000.0 * ms,
        Some(ms) => return Err(format!("channels[0].exposure {ms}: expected 0 to 1000000 ms")),
    };
    let count = |count: u32| u16::try_from(count).unwrap_or(u16::MAX);
    let plan = ScanPlan {
        x: length("x of the first field", grid.first[0])?,
        y: length("y of the first field", grid.first[1])?,
        z: grid.z.map(|z| length("z", z)).transpose()?,
        columns: count(grid.columns),
        rows: count(grid.rows),
        pitch_x: length("distance of columns", grid.pitch[0])?,
        pitch_y: length("distance of rows", grid.pitch[1])?,
        order: if grid.snake { ScanOrder::Snake } else { ScanOrder::Raster },
        first_visit: 0,
        settle_ms: SETTLE_MS,
        trigger: TriggerPulse { width_us: WIDTH_US, delay_before_us: 0, delay_after_us: READ_OUT_US + exposure_us.round() as u32 },
        light: None,
    };
    Ok(PlanFile { plan, um_per_px: None, label: None, labels: None, origin })
}

fn length(name: &str, um: f64) -> Result<Um, String> {
    let nm = (1000.0 * um).round();
    if (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&nm) {
        Ok(Um::from_nm(nm as i32))
    } else {
        Err(format!("{name} {um}: expected micrometres between -2147483 and 2147483"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const PLAN: &str = "um_per_px = 0.5\nlabels = \"labels.csv\"\n\n[grid]\nx_um = 1000\ny_um = -0.25\ncolumns = 3\nrows = 2\npitch_x_um = 400.0\npitch_y_um = -300.0\n\n[light]\nchannel = 1\npercent = 40\n";

    fn read(name: &str, text: &str) -> Result<PlanFile, String> {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join(name);
        fs::write(&path, text).unwrap();
        PlanFile::read(&path).map_err(|error| error.to_string().replace(&format!("{}/", place.path().display()), ""))
    }

    #[test]
    fn a_plan_of_our_own() {
        let found = read("plan.toml", PLAN).unwrap();
        let plan = found.plan;
        assert_eq!((plan.x, plan.y, plan.z), (Um::from_nm(1_000_000), Um::from_nm(-250), None));
        assert_eq!((plan.columns, plan.rows, plan.pitch_y, plan.order), (3, 2, Um::from_nm(-300_000), ScanOrder::Snake));
        assert_eq!((plan.settle_ms, plan.trigger.width_us, plan.trigger.delay_after_us), (50, 1_000, 20_000));
        assert_eq!(plan.light, Some(LightLevel { channel: 1, permille: 400 }));
        assert_eq!((found.um_per_px, found.label), (Some(0.5), None));
        assert!(found.labels.unwrap().ends_with("labels.csv"));
        assert_eq!((&found.origin["name"], &found.origin["format"]), (&json!("plan.toml"), &json!("lsr")));
    }

    #[test]
    fn a_plan_of_useq_schema() {
        let text = "stage_positions:\n- x: 1000.0\n  y: 2000.0\n  z: 50.0\ngrid_plan:\n  rows: 3\n  columns: 4\n  overlap: [10.0, 10.0]\n  fov_width: 100.0\n  fov_height: 80.0\nchannels:\n- config: BF\n  exposure: 10.0\n";
        let found = read("plan.yaml", text).unwrap();
        assert_eq!(
            (found.plan.x, found.plan.z, found.plan.pitch_y),
            (Um::from_nm(865_000), Some(Um::from_nm(50_000)), Um::from_nm(-72_000))
        );
        assert_eq!((found.plan.trigger.delay_after_us, found.plan.light), (30_000, None));
        let as_json = r#"{"stage_positions": [{"x": 1000, "y": 2000, "z": 50}], "grid_plan": {"rows": 3, "columns": 4, "overlap": 10, "fov_width": 100, "fov_height": 80}, "channels": [{"config": "BF", "exposure": 10}]}"#;
        assert_eq!(read("plan.json", as_json).unwrap().plan, found.plan);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let changed = |from: &str, to: &str| read("plan.toml", &PLAN.replace(from, to)).unwrap_err();
        assert!(changed("percent = 40", "percent = 140").ends_with("plan plan.toml: light.percent 140: expected 0 to 100"));
        assert!(changed("x_um = 1000", "x_um = 1e9").contains("grid.x_um 1000000000: expected micrometres"));
        assert!(changed("labels =", "label = 9\nlabels =").contains("label and labels: expected at most one"));
        assert!(changed("columns = 3\n", "").contains("missing field `columns`"));
        assert!(changed("columns = 3", "colunms = 3").contains("unknown field `colunms`"));
        assert!(read("plan.txt", "").unwrap_err().contains("expected a name that ends in .toml"));
        assert!(read("plan.yaml", "a: [").unwrap_err().starts_with("plan plan.yaml: "));
        assert!(read("plan.yaml", "- 1\n").unwrap_err().contains("no useq-schema sequence"));
    }
}
