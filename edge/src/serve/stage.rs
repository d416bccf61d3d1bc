//! The microscope's controller for whoever is at the page.

use super::problem::Problem;
use super::whereabouts::Whereabouts;
use crate::stage::wire::{LightLevel, PerAxis, Status};
use crate::stage::{Controller, Port, StageError, StatusView, Timing, Um};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use utoipa::ToSchema;

/// How long is waited for a controller; a page does not wait longer.
const CONNECT: Duration = Duration::from_secs(2);
/// Furthest place that can be asked for, um; the controller has limits of its own.
const FURTHEST_UM: f64 = 2_000_000.0;

/// A controller that is spoken to when it is first asked for.
pub struct StageLink {
    port: Option<Port>,
    controller: Mutex<Option<Arc<Controller>>>,
    whereabouts: Whereabouts,
}

/// Whether there is a stage, and where it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StageReport {
    /// Whether commands can be given.
    pub(super) available: bool,
    /// Why not.
    pub(super) explanation: Option<String>,
    /// Its port.
    pub(super) port: Option<String>,
    /// Where everything stands.
    #[schema(value_type = Option<Object>)]
    pub(super) status: Option<Value>,
}

/// A command to the stage.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, ToSchema)]
#[serde(tag = "command", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum StageCommand {
    /// Finds the limit switches of all axes.
    Home {},
    /// Goes to a place; axes that are left out stay.
    Move {
        /// um.
        x_um: Option<f64>,
        /// um.
        y_um: Option<f64>,
        /// um.
        z_um: Option<f64>,
        /// Whether it is a way from where the stage is.
        #[serde(default)]
        by: bool,
    },
    /// Ends motion by its ramp.
    Stop {},
    /// Stops everything at once.
    EmergencyStop {},
    /// A person has seen the fault.
    Acknowledge {},
    /// Sets a light, until the program ends.
    Light {
        /// Channel.
        #[schema(minimum = 0, maximum = 255)]
        channel: u8,
        /// Percent of full.
        #[schema(minimum = 0, maximum = 100)]
        percent: f64,
    },
}

/// What a command began.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StageAnswer {
    /// Number of the operation, where one began; the status names it until it is over.
    pub(super) operation: Option<u32>,
}

impl StageLink {
    /// Of a port, or of nothing.
    pub fn new(port: Option<Port>) -> Self {
        Self { port, controller: Mutex::new(None), whereabouts: Whereabouts::default() }
    }

    fn controller(&self) -> Result<Arc<Controller>, Problem> {
        let Some(port) = &self.port else {
            return Err(Problem::new(StatusCode::NOT_FOUND, "there is no stage: lsr-edge serve --stage PORT names one"));
        };
        let mut place = self.controller.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(controller) = &*place {
            return Ok(Arc::clone(controller));
        }
        let controller = Arc::new(Controller::connect(port.clone(), Timing { connect: CONNECT, ..Timing::default() })?);
        *place = Some(Arc::clone(&controller));
        Ok(controller)
    }

    pub(super) fn whereabouts(&self) -> &Whereabouts {
        &self.whereabouts
    }

    pub(super) fn status(&self) -> Result<Status, Problem> {
        Ok(self.controller()?.status()?)
    }

    /// Where everything stands. May take as long as a lost line takes to be found to be lost.
    pub(super) fn report(&self) -> StageReport {
        let port = self.port.as_ref().map(ToString::to_string);
        match self.status() {
            Ok(status) => {
                let status = serde_json::to_value(StatusView::from(&status)).ok();
                StageReport { available: true, explanation: None, port, status }
            }
            Err(problem) => StageReport { available: false, explanation: Some(problem.detail), port, status: None },
        }
    }

    /// Gives a command. A motion is only begun.
    pub(super) fn command(&self, command: StageCommand) -> Result<StageAnswer, Problem> {
        let controller = self.controller()?;
        self.whereabouts.disturb();
        let operation = Self::carry_out(&controller, command);
        // A look that fell between says nothing either.
        self.whereabouts.disturb();
        Ok(StageAnswer { operation: operation? })
    }

    fn carry_out(controller: &Controller, command: StageCommand) -> Result<Option<u32>, Problem> {
        Ok(match command {
            StageCommand::Home {} => Some(controller.home(PerAxis { x: true, y: true, z: true })?),
            StageCommand::Move { x_um, y_um, z_um, by } => {
                let place = PerAxis { x: length("x_um", x_um)?, y: length("y_um", y_um)?, z: length("z_um", z_um)? };
                Some(if by { controller.move_by(place)? } else { controller.move_to(place)? })
            }
            StageCommand::Stop {} => done(controller.stop())?,
            StageCommand::EmergencyStop {} => done(controller.emergency_stop())?,
            StageCommand::Acknowledge {} => done(controller.acknowledge_fault())?,
            StageCommand::Light { channel, percent } => {
                if !(0.0..=100.0).contains(&percent) {
                    return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("percent {percent}: expected 0 to 100")));
                }
                let level = LightLevel { channel, permille: (10.0 * percent).round() as u16 };
                done(controller.light(level, 0))?
            }
        })
    }
}

fn done(result: Result<(), StageError>) -> Result<Option<u32>, Problem> {
    result?;
    Ok(None)
}

fn length(name: &str, um: Option<f64>) -> Result<Option<Um>, Problem> {
    let Some(um) = um else { return Ok(None) };
    if um.abs() > FURTHEST_UM || !um.is_finite() {
        let detail = format!("{name} {um}: expected at most {FURTHEST_UM} um from the origin");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    }
    Ok(Some(Um::from_nm((1000.0 * um).round() as i32)))
}
