//! Times the whole way of a field, from a camera's frame to the mask that is kept and shown.

use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::live::{CountTable, Live, LiveSettings, NameLabels, StageLatency, run};
use crate::model::Model;
use crate::segment::{Options, Segmenter};
use crate::self_test::tissue_like;
use crate::session::Kind;
use crate::source::{Frame, Next, Pace, Picture, Policy, Source};
use image::RgbImage;
use lsr_core::MonitorConfig;
use serde::Serialize;
use std::fmt::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct PipelineOptions {
    /// The model; the embedded one without.
    pub model: Option<PathBuf>,
    /// Sides of square fields, pixels of the camera.
    pub sizes: Vec<u32>,
    /// Pixel size of the camera; that of fields which state none without.
    pub um_per_px: Option<f64>,
    /// Frames a second.
    pub rate: f64,
    /// Seconds for each size.
    pub seconds: f64,
    /// Folder in which the sessions are kept and stay; without, one that is removed.
    pub store: Option<PathBuf>,
}

/// What was measured, and of what.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Pipeline {
    /// Version of this program.
    pub lsr_edge: &'static str,
    /// SHA-256 of the model.
    pub model_sha256: String,
    /// Frames a second that the camera gave.
    pub rate: f64,
    /// One for each size.
    pub results: Vec<PipelineTimes>,
}

/// Fields of one size.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PipelineTimes {
    /// Side of a field, pixels of the camera.
    pub size: u32,
    /// Side of what the network sees.
    pub network_size: u32,
    /// Frames that came.
    pub frames: u64,
    /// Of these, those that a newer one replaced before they were worked on.
    pub dropped: u64,
    /// Fields that were kept.
    pub fields: u64,
    /// Fields a second.
    pub fields_per_s: f64,
    /// From a frame being seen to its mask being shown, by stage.
    pub stages: Vec<StageLatency>,
}

/// A camera that is on time.
struct Camera {
    picture: RgbImage,
    pace: Pace,
    /// That are still to come.
    frames: u64,
}

impl Source for Camera {
    fn next(&mut self, patience: Duration) -> Result<Next, Error> {
        if self.frames == 0 {
            return Ok(Next::End);
        }
        let Some(number) = self.pace.next(patience) else { return Ok(Next::Nothing) };
        self.frames -= 1;
        Ok(Next::Frame(Frame::now(format!("frame-{number}"), Picture::Pixels(self.picture.clone()))))
    }

    fn is_live(&self) -> bool {
        true
    }
}

/// Runs a session of its own for each size.
///
/// # Errors
/// Options outside their range; what a session ends with.
pub fn bench_pipeline(options: &PipelineOptions) -> Result<Pipeline, Error> {
    let pace = Pace::new(options.rate)?;
    if !(options.seconds > 0.0 && options.seconds <= 86_400.0) {
        return Err(Error::Flag { flag: "--seconds", value: options.seconds, expected: "seconds in (0, 86400]" });
    }
    let mut report = Pipeline { lsr_edge: crate::VERSION, model_sha256: String::new(), rate: options.rate, results: Vec::new() };
    for &size in &options.sizes {
        if !(1..=8192).contains(&size) {
            return Err(Error::Flag { flag: "--sizes", value: size.into(), expected: "1 to 8192" });
        }
        let removed = tempfile::tempdir().map_err(|source| Error::OutputFolder { path: std::env::temp_dir(), source })?;
        let folder = options.store.clone().unwrap_or_else(|| removed.path().to_owned());
        let model = options.model.as_ref().map_or_else(Model::embedded, |path| Model::open(path))?;
        report.model_sha256.clone_from(&model.card().sha256);
        let interrupt = Interrupt::default();
        let segmenter = Segmenter::new(model, &folder, &Options { um_per_px: options.um_per_px, ..Options::default() }, interrupt)?;
        let network_size = segmenter.network_size([size; 2])?[0];
        let live = Live::begin(
            segmenter,
            LiveSettings {
                folder,
                device: "bench".to_owned(),
                source: format!("camera of {size} x {size} px, {} frames a second", options.rate),
                policy: Policy::Newest,
                keep: vec![Kind::Mask, Kind::Probability],
                labels: NameLabels::all(Some(9)),
                prior: CountTable::table_1(),
                monitor: MonitorConfig::default(),
                max_pixels: u64::from(size) * u64::from(size),
                tell: false,
                scan: None,
            },
        )?;
        let side = size as usize;
        let picture = RgbImage::from_raw(size, size, tissue_like(side)).unwrap_or_default();
        // The last one comes at the end.
        let frames = (options.rate * options.seconds).ceil() as u64 + 1;
        let begun = Instant::now();
        run(&live, &mut Camera { picture, pace: pace.clone(), frames }, |_| ())?;
        let (seconds, [frames, dropped], fields) = (begun.elapsed().as_secs_f64(), live.frames(), live.statistics().fields);
        let fields_per_s = fields as f64 / seconds;
        report.results.push(PipelineTimes { size, network_size, frames, dropped, fields, fields_per_s, stages: live.latency() });
    }
    Ok(report)
}

impl Pipeline {
    /// As JSON.
    pub fn json(&self) -> String {
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }

    /// For people.
    pub fn table(&self) -> String {
        let mut text = String::new();
        // Writing to a String cannot fail.
        for times in &self.results {
            let PipelineTimes { size, network_size, frames, dropped, fields, fields_per_s, stages } = times;
            let _ = writeln!(
                text,
                "{size} x {size} px ({network_size} x {network_size} for the network), {} frames a second: {fields_per_s:.1} fields a second, {fields} of \
                 {frames} frames, {dropped} dropped\n{:<10} {:>8} {:>8} {:>8} {:>8} {:>8}  ms",
                self.rate, "stage", "mean", "p50", "p95", "p99", "max"
            );
            for StageLatency { stage, mean_ms, p50_ms, p95_ms, p99_ms, max_ms, .. } in stages {
                let _ = writeln!(text, "{stage:<10} {mean_ms:>8.2} {p50_ms:>8.2} {p95_ms:>8.2} {p99_ms:>8.2} {max_ms:>8.2}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_of_a_camera() {
        let options = PipelineOptions { model: None, sizes: vec![96], um_per_px: Some(2.0), rate: 50.0, seconds: 1.0, store: None };
        let report = bench_pipeline(&options).unwrap();
        let times = &report.results[0];
        assert_eq!((times.size, times.network_size), (96, 96));
        assert!((45..=52).contains(&times.frames) && times.fields + times.dropped == times.frames, "{times:?}");
        let total = &times.stages[7];
        assert!(total.count == times.fields && total.p50_ms > 0.0 && total.p50_ms <= total.p99_ms, "{total:?}");
        assert!(report.table().contains("inference") && report.json().contains("\"p99_ms\""));
        assert!(matches!(bench_pipeline(&PipelineOptions { rate: 0.0, ..options }), Err(Error::Flag { flag: "--rate", .. })));
    }
}
