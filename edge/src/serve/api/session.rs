//! The session: what it is, what was counted, how long it took.

use super::blocking;
use super::fields::ImageFile;
use crate::live::{Live, MosaicView, SourceState, StageLatency, StatisticsView};
use crate::serve::problem::Problem;
use crate::session::{SessionInfo, Sessions};
use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::{IntoParams, ToSchema};

/// How it goes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or `degraded` where the source has failed.
    status: String,
    /// Since the session began.
    uptime_s: f64,
    /// What the source is doing.
    source: SourceState,
    /// Frames that the source has given.
    frames: u64,
    /// Of these, those that a newer one replaced before they were worked on.
    dropped: u64,
    /// Of these and of posted ones, those that became no field.
    failed: u64,
    /// Fields that are kept.
    fields: u64,
    /// Fields a second since the session began.
    fields_per_s: f64,
    /// What results may be used for.
    notice: String,
}

/// Whether all is well
#[utoipa::path(get, path = "/health", tag = "session", responses((status = 200, description = "How it goes", body = Health)))]
pub(super) async fn health(State(live): State<Arc<Live>>) -> Json<Health> {
    let source = live.source_state();
    let status = if matches!(source, SourceState::Failed { .. }) { "degraded" } else { "ok" };
    let ([frames, dropped], fields, uptime_s) = (live.frames(), live.statistics().fields, live.uptime().as_secs_f64());
    Json(Health {
        status: status.to_owned(),
        uptime_s,
        source,
        frames,
        dropped,
        failed: live.failures(),
        fields,
        fields_per_s: fields as f64 / uptime_s.max(1e-3),
        notice: live.session().notice.clone(),
    })
}

/// The session and how much is in it
#[utoipa::path(get, path = "/session", tag = "session", responses((status = 200, description = "The session", body = SessionInfo)))]
pub(super) async fn session(State(live): State<Arc<Live>>) -> Result<Json<SessionInfo>, Problem> {
    blocking(move || {
        let totals = Sessions::open(&live.settings().folder)?.totals(&live.session().id)?;
        Ok(Json(SessionInfo { session: live.session().clone(), totals }))
    })
    .await
}

/// Counts of all fields, and by label against the prior
#[utoipa::path(get, path = "/statistics", tag = "session", responses((status = 200, description = "Counts", body = StatisticsView)))]
pub(super) async fn statistics(State(live): State<Arc<Live>>) -> Json<StatisticsView> {
    Json(live.statistics())
}

/// How long a field takes from being seen to being shown
#[utoipa::path(get, path = "/latency", tag = "session", responses((status = 200, description = "By stage", body = Vec<StageLatency>)))]
pub(super) async fn latency(State(live): State<Arc<Live>>) -> Json<Vec<StageLatency>> {
    Json(live.latency())
}

/// Where the mosaic of all fields with a position lies
#[utoipa::path(
    get, path = "/mosaic", tag = "session",
    responses(
        (status = 200, description = "Its place", body = MosaicView),
        (status = 404, description = "No field has a position", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn mosaic(State(live): State<Arc<Live>>) -> Result<Json<MosaicView>, Problem> {
    live.mosaic().map(Json).ok_or_else(no_position)
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct MosaicQuery {
    /// Whether the mask is drawn.
    #[serde(default = "yes")]
    #[param(default = true)]
    mask: bool,
}

fn yes() -> bool {
    true
}

/// The mosaic of all fields with a position
#[utoipa::path(
    get, path = "/mosaic.png", tag = "session", params(MosaicQuery),
    responses(
        (status = 200, description = "PNG", body = ImageFile, content_type = "image/png"),
        (status = 400, description = "A parameter that cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No field has a position", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn mosaic_png(
    State(live): State<Arc<Live>>,
    query: Result<Query<MosaicQuery>, QueryRejection>,
) -> Result<Response, Problem> {
    let Query(MosaicQuery { mask }) = query?;
    let png = blocking(move || Ok(live.mosaic_png(mask)?)).await?.ok_or_else(no_position)?;
    Ok(([(CONTENT_TYPE, "image/png")], png).into_response())
}

fn no_position() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "no field has a position: a slide, or x_um and y_um of posted fields, give them one")
}
