//! What the actions of `lsr-edge stage` do.

use crate::print;
use crate::stage_args::{Action, Grid, Monitor, Pulse, Scan, Stage};
use indicatif::{ProgressBar, ProgressStyle};
use lsr_core::U8Sums;
use lsr_edge::Interrupt;
use lsr_edge::scan::{PlanFile, ScanError};
use lsr_edge::stage::wire::{
    Axis, Consistency, Direction, Event, FieldSummary, LightLevel, PerAxis, ScanOrder, ScanPlan, SummedField, TriggerPulse,
};
use lsr_edge::stage::{Controller, EventView, Port, StageError, StatusView, Timing, Um};
use serde::Serialize;
use std::io::{IsTerminal, stderr, stdout};
use std::path::Path;
use std::time::{Duration, Instant};

/// What can go wrong here beside the stage itself.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ActionError {
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Plan(#[from] ScanError),
    #[error("{flag} {value}: expected {expected}")]
    Flag { flag: &'static str, value: String, expected: &'static str },
    #[error("{path}: {reason}")]
    Image { path: String, reason: String },
}

struct Session<'a> {
    controller: Controller,
    interrupt: &'a Interrupt,
    json: bool,
}

/// Carries an action out; `Interrupted` is an error, like everything that was not done.
pub(crate) fn run(flags: &Stage, interrupt: &Interrupt) -> Result<(), ActionError> {
    let port: Port = flags.port.parse()?;
    let timing = Timing { connect: seconds("--connect-timeout", flags.connect_timeout)?, ..Timing::default() };
    let controller = Controller::connect(port, timing)?;
    let session = Session { controller, interrupt, json: flags.json };
    match &flags.action {
        Action::Status => session.status(),
        Action::Watch { every, seconds: end } => session.watch(*every, *end),
        Action::Home { axes, timeout } => {
            let patience = seconds("--timeout", *timeout)?;
            let operation = session.controller.home(named(axes)?)?;
            session.finish("home", operation, patience)
        }
        Action::Move { x, y, z, by, timeout } => {
            let place = PerAxis { x: length(*x)?, y: length(*y)?, z: length(*z)? };
            let patience = seconds("--timeout", *timeout)?;
            let operation = if *by { session.controller.move_by(place)? } else { session.controller.move_to(place)? };
            session.finish("the move", operation, patience)
        }
        Action::Stop => session.say(session.controller.stop()?, "motion ends"),
        Action::EmergencyStop => session.say(session.controller.emergency_stop()?, "stopped; `acknowledge` before the next move"),
        Action::Acknowledge => session.say(session.controller.acknowledge_fault()?, "acknowledged"),
        Action::Light { channel, percent, ramp_ms, seconds: end } => {
            let level = LightLevel { channel: *channel, permille: permille("PERCENT", *percent)? };
            session.controller.light(level, *ramp_ms)?;
            session.say((), "light until Ctrl-C")?;
            session.stay(*end)
        }
        Action::Trigger(pulse) => {
            let (operation, _) = session.controller.trigger(pulse.into())?;
            session.finish("the pulse", operation, Duration::from_secs(60))
        }
        Action::Scan(scan) => session.scan(scan),
        Action::Monitor { action } => session.monitor(action),
    }
}

impl Session<'_> {
    fn show(&self, text: &str, json: &impl Serialize) {
        let line = if self.json { serde_json::to_string(json).unwrap_or_default() } else { text.trim_end().to_owned() };
        print(stdout(), &(line + "\n"));
    }

    fn say(&self, (): (), text: &str) -> Result<(), ActionError> {
        self.show(text, &serde_json::json!({ "done": text }));
        Ok(())
    }

    fn status(&self) -> Result<(), ActionError> {
        let view = StatusView::from(&self.controller.status()?);
        self.show(&view.describe(), &view);
        Ok(())
    }

    /// One line that changes on a terminal, a line for each look elsewhere; events in between.
    fn watch(&self, every: f64, end: Option<f64>) -> Result<(), ActionError> {
        let every = seconds("--every", every)?;
        let end = end.map(|end| seconds("--seconds", end)).transpose()?.map(|end| Instant::now() + end);
        let bar = if self.json || !stdout().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new_spinner() };
        bar.set_style(ProgressStyle::with_template("{wide_msg}").unwrap_or_else(|_| ProgressStyle::default_spinner()));
        while !self.interrupt.is_set() && end.is_none_or(|end| Instant::now() < end) {
            let look = match self.controller.status() {
                Ok(status) => Ok(StatusView::from(&status)),
                // The next look finds the line again, or says that it stays lost.
                Err(StageError::NotSent { .. } | StageError::Unknown { .. }) => Err("the line was lost"),
                Err(error) => return Err(error.into()),
            };
            match look {
                Ok(view) if bar.is_hidden() => self.show(&view.line(), &view),
                Ok(view) => bar.set_message(view.line()),
                Err(lost) => bar.set_message(lost),
            }
            let next = Instant::now() + every;
            while let Some(event) = self.controller.event(next.saturating_duration_since(Instant::now())) {
                let view = EventView::from(&event);
                bar.suspend(|| self.show(&view.line(), &view));
            }
        }
        bar.finish();
        Ok(())
    }

    /// Waits for an operation; Ctrl-C stops it.
    fn finish(&self, what: &'static str, operation: u32, patience: Duration) -> Result<(), ActionError> {
        let result = self.controller.wait(what, operation, patience, |event| self.observe(event));
        let position = self.or_stop(result)?;
        let view = EventView::from(&Event::Finished { operation, ending: lsr_edge::stage::wire::Ending::Done, position });
        self.show(&view.line(), &view);
        Ok(())
    }

    fn observe(&self, event: Option<&Event>) -> Result<(), StageError> {
        if let Some(event) = event {
            let view = EventView::from(event);
            self.show(&view.line(), &view);
        }
        if self.interrupt.is_set() { Err(StageError::Interrupted) } else { Ok(()) }
    }

    /// What does not end well is not left moving: goodbye is refused while anything moves, and without it the controller would miss this host.
    fn or_stop<T>(&self, result: Result<T, StageError>) -> Result<T, StageError> {
        if let Err(StageError::Interrupted | StageError::TimeOut { .. }) = &result {
            self.controller.come_to_rest(Duration::from_secs(5))?;
        }
        result
    }

    /// Holds the session, and with it the light.
    fn stay(&self, end: Option<f64>) -> Result<(), ActionError> {
        let end = end.map(|end| seconds("--seconds", end)).transpose()?.map(|end| Instant::now() + end);
        while !self.interrupt.is_set() && end.is_none_or(|end| Instant::now() < end) {
            if let Some(event) = self.controller.event(Duration::from_millis(50)) {
                let view = EventView::from(&event);
                self.show(&view.line(), &view);
                if let Event::Faulted(fault) = event {
                    return Err(StageError::Faulted(fault).into());
                }
            }
            self.controller.welcome()?;
        }
        Ok(())
    }

    fn scan(&self, scan: &Scan) -> Result<(), ActionError> {
        let light = scan.light.as_deref().map(light_level).transpose()?;
        let plan = ScanPlan { first_visit: scan.first, ..scan.grid.plan(scan.grid.file()?.as_ref(), light)? };
        let patience = seconds("--timeout", scan.timeout)?;
        let bar = if self.json || !stderr().is_terminal() { ProgressBar::hidden() } else { ProgressBar::new(plan.fields().into()) };
        bar.set_position(scan.first.into());
        let operation = self.controller.scan(plan)?;
        let result = self.controller.wait("the scan", operation, patience, |event| {
            bar.inc(u64::from(matches!(event, Some(Event::FieldExposed { .. }))));
            bar.suspend(|| self.observe(event))
        });
        bar.finish_and_clear();
        self.or_stop(result)?;
        self.say((), "scan done")
    }

    fn monitor(&self, action: &Monitor) -> Result<(), ActionError> {
        match action {
            Monitor::Field { label, rows, images } => images.iter().try_for_each(|path| self.field(*label, *rows, path)),
            Monitor::Moments { label } => {
                let moments = self.controller.moments(*label)?;
                let text = format!(
                    "label {label}: {} fields, mean {:.4}, standard deviation between fields {:.4}",
                    moments.fields,
                    moments.mean,
                    moments.between_variance.max(0.0).sqrt()
                );
                self.show(&text, &moments);
                Ok(())
            }
            Monitor::Acknowledge { label } => self.say(self.controller.acknowledge_alarm(*label)?, "acknowledged"),
        }
    }

    fn field(&self, label: u8, rows: bool, path: &Path) -> Result<(), ActionError> {
        let bad = |reason: String| ActionError::Image { path: path.display().to_string(), reason };
        let image = image::open(path).map_err(|error| bad(error.to_string()))?;
        let image::DynamicImage::ImageLuma8(image) = image else {
            return Err(bad("expected an 8-bit grey image of probabilities, as `lsr-edge segment` writes it".to_owned()));
        };
        let SummedField { summary, consistency } = if rows {
            self.controller.field_pixels(label, image.as_raw())?
        } else {
            let mut sums = U8Sums::default();
            sums.push_row(image.as_raw());
            let summary = FieldSummary::new(label, sums);
            SummedField { summary, consistency: self.controller.field(summary)? }
        };
        let Consistency { z_score, alarm } = consistency;
        let alarm = alarm.map(|direction| match direction {
            Direction::Above => "above",
            Direction::Below => "below",
        });
        let fraction = summary.sum as f64 / 255.0 / f64::from(summary.pixels.max(1));
        let warning = alarm.map_or_else(String::new, |direction| format!("  ALARM: fields of label {label} lie {direction} the prior"));
        let text = format!("{}  {:.2} % cancer  z-score {z_score:+.2}{warning}", path.display(), 100.0 * fraction);
        let json = serde_json::json!({
            "image": path, "label": label, "pixels": summary.pixels, "cancer_fraction": fraction, "z_score": z_score, "alarm": alarm,
        });
        self.show(&text, &json);
        Ok(())
    }
}

impl Grid {
    /// The plan of all its fields, in this light.
    /// The plan's file, where one is named.
    pub(crate) fn file(&self) -> Result<Option<PlanFile>, ActionError> {
        Ok(self.plan.as_ref().map(|path| PlanFile::read(path)).transpose()?)
    }

    /// What the file or the flags say, with this light unless it is left out.
    pub(crate) fn plan(&self, file: Option<&PlanFile>, light: Option<LightLevel>) -> Result<ScanPlan, ActionError> {
        if let Some(file) = file {
            return Ok(ScanPlan { light: light.or(file.plan.light), ..file.plan });
        }
        // What is missing without a plan is refused with the other flags.
        let um = |value: Option<f64>| length(value).map(|length| length.unwrap_or_default());
        Ok(ScanPlan {
            x: um(self.x)?,
            y: um(self.y)?,
            z: length(self.z)?,
            columns: self.columns.unwrap_or_default(),
            rows: self.rows.unwrap_or_default(),
            pitch_x: um(self.pitch_x)?,
            pitch_y: um(self.pitch_y)?,
            order: if self.raster { ScanOrder::Raster } else { ScanOrder::Snake },
            first_visit: 0,
            settle_ms: self.settle_ms,
            trigger: (&self.pulse).into(),
            light,
        })
    }
}

impl From<&Pulse> for TriggerPulse {
    fn from(pulse: &Pulse) -> Self {
        Self { width_us: pulse.width_us, delay_before_us: pulse.before_us, delay_after_us: pulse.after_us }
    }
}

/// `--light N PERCENT`.
pub(crate) fn light_level(given: &[f64]) -> Result<LightLevel, ActionError> {
    match *given {
        [channel, percent] if channel.fract() == 0.0 && (0.0..=255.0).contains(&channel) => {
            Ok(LightLevel { channel: channel as u8, permille: permille("--light", percent)? })
        }
        _ => Err(flag("--light", format!("{given:?}"), "a channel and percent")),
    }
}

pub(crate) fn flag(flag: &'static str, value: String, expected: &'static str) -> ActionError {
    ActionError::Flag { flag, value, expected }
}

pub(crate) fn seconds(name: &'static str, value: f64) -> Result<Duration, ActionError> {
    let fits = (0.001..=1e6).contains(&value);
    if fits { Ok(Duration::from_secs_f64(value)) } else { Err(flag(name, value.to_string(), "0.001 to 1000000 seconds")) }
}

fn permille(name: &'static str, percent: f64) -> Result<u16, ActionError> {
    let fits = (0.0..=100.0).contains(&percent);
    if fits { Ok((percent * 10.0).round() as u16) } else { Err(flag(name, percent.to_string(), "0 to 100 percent")) }
}

/// Micrometres to the nearest thousandth.
fn length(um: Option<f64>) -> Result<Option<Um>, StageError> {
    um.map(|um| {
        let nm = (um * 1000.0).round();
        let fits = (f64::from(i32::MIN)..=f64::from(i32::MAX)).contains(&nm);
        if fits { Ok(Um::from_nm(nm as i32)) } else { Err(StageError::Length { um }) }
    })
    .transpose()
}

fn named(axes: &str) -> Result<PerAxis<bool>, ActionError> {
    let mut named = PerAxis::default();
    for letter in axes.chars() {
        let axis = match letter {
            'x' => Axis::X,
            'y' => Axis::Y,
            'z' => Axis::Z,
            _ => return Err(flag("AXES", axes.to_owned(), "letters of x, y and z")),
        };
        *named.get_mut(axis) = true;
    }
    Ok(named)
}
