//! What can be changed: threshold, alarms, stage.

use super::blocking;
use crate::live::Live;
use crate::serve::problem::Problem;
use crate::serve::stage::{StageAnswer, StageCommand, StageLink, StageReport};
use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection};
use axum::extract::{Path, State};
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

/// What holds for fields from now on.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SettingsView {
    /// A pixel is cancer where its probability is at least this; in (0, 1).
    #[schema(exclusive_minimum = 0, exclusive_maximum = 1)]
    threshold: f32,
}

/// The settings
#[utoipa::path(get, path = "/settings", tag = "control", responses((status = 200, description = "The settings", body = SettingsView)))]
pub(super) async fn settings(State(live): State<Arc<Live>>) -> Json<SettingsView> {
    Json(SettingsView { threshold: live.threshold() })
}

/// Change the settings, for fields from now on
#[utoipa::path(
    put, path = "/settings", tag = "control", request_body = SettingsView,
    responses(
        (status = 200, description = "The settings", body = SettingsView),
        (status = 400, description = "No JSON", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "No JSON by its content type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Out of its range, or other fields", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn set(
    State(live): State<Arc<Live>>,
    settings: Result<Json<SettingsView>, JsonRejection>,
) -> Result<Json<SettingsView>, Problem> {
    let Json(SettingsView { threshold }) = settings?;
    live.set_threshold(threshold)?;
    Ok(Json(SettingsView { threshold }))
}

/// A person has seen the alarm of a label
#[utoipa::path(
    post, path = "/alarms/{label}/acknowledge", tag = "control", params(("label" = u8, Path, description = "Low-resolution class z")),
    responses(
        (status = 204, description = "The alarm is off, and counting begins anew"),
        (status = 400, description = "No label", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The count prior has no such label", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn acknowledge(State(live): State<Arc<Live>>, label: Result<Path<u8>, PathRejection>) -> Result<StatusCode, Problem> {
    let Path(label) = label?;
    live.acknowledge(label)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The microscope's stage
#[utoipa::path(get, path = "/stage", tag = "control", responses((status = 200, description = "Where it stands", body = StageReport)))]
pub(super) async fn stage(State(stage): State<Arc<StageLink>>) -> Result<Json<StageReport>, Problem> {
    blocking(move || Ok(Json(stage.report()))).await
}

/// Give the stage a command
#[utoipa::path(
    post, path = "/stage", tag = "control", request_body = StageCommand,
    responses(
        (status = 200, description = "It was carried out, or has begun", body = StageAnswer),
        (status = 400, description = "No JSON", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no stage", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The controller refuses it", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "No JSON by its content type", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "No command, or out of its range", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The controller does not answer", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn command(
    State(stage): State<Arc<StageLink>>,
    command: Result<Json<StageCommand>, JsonRejection>,
) -> Result<Json<StageAnswer>, Problem> {
    let Json(command) = command?;
    blocking(move || Ok(Json(stage.command(command)?))).await
}
