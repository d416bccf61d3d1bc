//! Status and events as people and programs read them: micrometres, and words.

use lsr_firmware::Um;
use lsr_firmware::wire::{Direction, Ending, Event, Exposure, LinkStatistics, PerAxis, Status};
use serde::Serialize;
use std::fmt::Write;

/// Micrometres as a number.
pub(crate) fn micrometres(length: Um) -> f64 {
    f64::from(length.nm()) / 1000.0
}

/// x, y, z in micrometres.
pub(crate) fn position_um(position: &PerAxis<Um>) -> [f64; 3] {
    [micrometres(position.x), micrometres(position.y), micrometres(position.z)]
}

/// The status for `--json`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusView {
    /// What the stage does: `idle`, `homing`, `moving`, `stopping` or `faulted`.
    pub state: String,
    /// x, y, z in um; `null` for an axis that is not homed.
    pub position_um: [Option<f64>; 3],
    /// The latched fault.
    pub fault: Option<String>,
    /// The operation that has not finished yet.
    pub operation: Option<u32>,
    /// Fields visited and fields in all of the scan that is under way, and whether it is paused.
    pub scan: Option<(u32, u32, bool)>,
    /// Light of each channel, permille.
    pub light_permille: [u16; 4],
    /// Number of the last trigger pulse.
    pub trigger_id: u32,
    /// Whether a label no longer agrees with the prior.
    pub alarm: bool,
    /// Longest silence of the host before everything stops, ms.
    pub heartbeat_ms: u16,
    /// Since power-on, s.
    pub uptime_s: f64,
    /// Why the controller started last.
    pub reset_reason: String,
    /// What the controller's end of the link has seen.
    pub link: LinkStatistics,
}

impl From<&Status> for StatusView {
    fn from(status: &Status) -> Self {
        let [x, y, z] = position_um(&status.position);
        let homed = status.homed;
        Self {
            state: status.state.to_string(),
            position_um: [homed.x.then_some(x), homed.y.then_some(y), homed.z.then_some(z)],
            fault: status.fault.map(|fault| fault.to_string()),
            operation: status.operation,
            scan: status.scan.map(|scan| (scan.visited, scan.fields, scan.paused)),
            light_permille: status.light,
            trigger_id: status.trigger_id,
            alarm: status.alarm,
            heartbeat_ms: status.heartbeat_ms,
            uptime_s: status.uptime_us as f64 / 1e6,
            reset_reason: status.reset_reason.to_string(),
            link: status.link,
        }
    }
}

impl StatusView {
    /// One line: position, state, and what is wrong.
    pub fn line(&self) -> String {
        let mut text = String::new();
        for (name, place) in ["x", "y", "z"].into_iter().zip(self.position_um) {
            // Writing to a String cannot fail.
            let _ = match place {
                Some(um) => write!(text, "{name} {um:.3}  "),
                None => write!(text, "{name} not homed  "),
            };
        }
        text.push_str(&self.state);
        if let Some((visited, fields, paused)) = self.scan {
            let _ = write!(text, "  scan {visited}/{fields}{}", if paused { " paused" } else { "" });
        }
        for (channel, permille) in self.light_permille.iter().enumerate().filter(|(_, permille)| **permille > 0) {
            let _ = write!(text, "  light {channel}: {} %", f64::from(*permille) / 10.0);
        }
        if self.alarm {
            text.push_str("  ALARM: fields do not agree with the prior");
        }
        if let Some(fault) = &self.fault {
            let _ = write!(text, "  FAULT: {fault}");
        }
        text
    }

    /// All of it as lines of `what  value`.
    pub fn describe(&self) -> String {
        let place = |um: Option<f64>| um.map_or_else(|| "not homed".to_owned(), |um| format!("{um:.3} um"));
        let [x, y, z] = self.position_um;
        let link = &self.link;
        let lines = [
            ("state", self.state.clone()),
            ("x", place(x)),
            ("y", place(y)),
            ("z", place(z)),
            ("fault", self.fault.clone().unwrap_or_else(|| "none".to_owned())),
            ("light", self.light_permille.map(|permille| format!("{} %", f64::from(permille) / 10.0)).join(", ")),
            ("scan", self.scan.map_or_else(|| "none".to_owned(), |(visited, fields, _)| format!("{visited} of {fields} fields"))),
            ("last pulse", self.trigger_id.to_string()),
            ("alarm", if self.alarm { "fields do not agree with the prior" } else { "none" }.to_owned()),
            ("heartbeat", format!("{} ms", self.heartbeat_ms)),
            ("up for", format!("{:.1} s after {}", self.uptime_s, self.reset_reason)),
            ("link", format!("{} frames, {} damaged, {} repeated", link.frames, link.bad_checksum + link.malformed, link.repeated)),
            ("events lost", link.events_lost.to_string()),
        ];
        lines.into_iter().map(|(what, value)| format!("{what:<14}{value}\n")).collect()
    }
}

/// An event for `--json` and for a line of text.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum EventView {
    /// An operation is over.
    Finished {
        /// Its number.
        operation: u32,
        /// `done`, `stopped`, or the fault.
        ending: String,
        /// Where the stage stands, um.
        position_um: [f64; 3],
    },
    /// The camera got a pulse.
    Exposed {
        /// Number of the field in its scan; `null` outside one.
        field: Option<u32>,
        /// Number of the operation.
        operation: u32,
        /// Number of the pulse.
        trigger_id: u32,
        /// Where the stage stood, um.
        position_um: [f64; 3],
        /// Light of each channel, permille.
        light_permille: [u16; 4],
        /// Since power-on, us.
        time_us: u64,
    },
    /// A scan has halted.
    ScanPaused {
        /// Number of the operation.
        operation: u32,
        /// Where it goes on.
        next_visit: u32,
    },
    /// A fault has latched.
    Fault {
        /// In words.
        fault: String,
    },
    /// A label no longer agrees with the prior.
    Alarm {
        /// Low-resolution class z.
        label: u8,
        /// `above` or `below`.
        direction: &'static str,
    },
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        let exposed = |field, exposure: &Exposure| Self::Exposed {
            field,
            operation: exposure.operation,
            trigger_id: exposure.trigger_id,
            position_um: position_um(&exposure.position),
            light_permille: exposure.light,
            time_us: exposure.time_us,
        };
        match event {
            Event::Finished { operation, ending, position: place } => Self::Finished {
                operation: *operation,
                ending: match ending {
                    Ending::Done => "done".to_owned(),
                    Ending::Stopped => "stopped".to_owned(),
                    Ending::Faulted(fault) => fault.to_string(),
                },
                position_um: position_um(place),
            },
            Event::Exposed(exposure) => exposed(None, exposure),
            Event::FieldExposed { field, exposure } => exposed(Some(*field), exposure),
            Event::ScanPaused { operation, next_visit } => Self::ScanPaused { operation: *operation, next_visit: *next_visit },
            Event::Faulted(fault) => Self::Fault { fault: fault.to_string() },
            Event::Alarm { label, direction } => Self::Alarm { label: *label, direction: direction_word(*direction) },
        }
    }
}

impl EventView {
    /// One line.
    pub fn line(&self) -> String {
        let place = |[x, y, z]: &[f64; 3]| format!("x {x:.3}  y {y:.3}  z {z:.3} um");
        match self {
            Self::Finished { operation, ending, position_um } => format!("operation {operation} {ending}, {}", place(position_um)),
            Self::Exposed { field: Some(field), trigger_id, position_um, .. } => {
                format!("field {field}  pulse {trigger_id}  {}", place(position_um))
            }
            Self::Exposed { field: None, trigger_id, position_um, .. } => format!("pulse {trigger_id}  {}", place(position_um)),
            Self::ScanPaused { next_visit, .. } => format!("scan paused before visit {next_visit}"),
            Self::Fault { fault } => format!("FAULT: {fault}"),
            Self::Alarm { label, direction } => format!("ALARM: fields of label {label} lie {direction} the prior"),
        }
    }
}

/// A direction in words.
pub(crate) const fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Above => "above",
        Direction::Below => "below",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lsr_firmware::wire::{Fault, ResetReason, StageState};

    #[test]
    fn a_status_is_one_line() {
        let status = Status {
            uptime_us: 1_500_000,
            position: PerAxis { x: Um::from_nm(12_345), y: Um::from_nm(-500), z: Um::ZERO },
            homed: PerAxis { x: true, y: true, z: false },
            state: StageState::Faulted,
            fault: Some(Fault::HostLost { heartbeat_ms: 1_000 }),
            operation: None,
            scan: None,
            light: [0, 255, 0, 0],
            trigger_id: 0,
            alarm: false,
            heartbeat_ms: 1_000,
            reset_reason: ResetReason::PowerOn,
            link: LinkStatistics::default(),
        };
        let view = StatusView::from(&status);
        assert_eq!(
            view.line(),
            "x 12.345  y -0.500  z not homed  faulted  light 1: 25.5 %  FAULT: the host was silent for more than 1000 ms"
        );
        assert!(view.describe().contains("up for        1.5 s after power on\n"));
        let json = serde_json::to_value(&view).unwrap();
        assert_eq!((&json["position_um"], &json["state"]), (&serde_json::json!([12.345, -0.5, null]), &serde_json::json!("faulted")));
    }
}
