//! `/api/v1`, and the document that describes it.

mod control;
mod events;
mod export;
mod fields;
mod session;

use super::App;
use super::problem::Problem;
use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "lsr-edge",
        description = "Cancer masks of microscope fields, live. Research use only: not a medical device, not for diagnosis. \
                       Where a token is asked for, it is given as `Authorization: Bearer TOKEN`."
    ),
    tags(
        (name = "fields", description = "Post a field, get its mask; what was seen."),
        (name = "session", description = "The session, its counts and its times."),
        (name = "control", description = "Threshold, alarms, stage.")
    )
)]
struct Document;

/// All routes below `/api/v1`, and the document that describes them.
pub(super) fn routes() -> (Router<App>, OpenApi) {
    let api = OpenApiRouter::<App>::new()
        .routes(routes!(fields::list, fields::post))
        .routes(routes!(fields::latest))
        .routes(routes!(fields::one))
        .routes(routes!(fields::mask))
        .routes(routes!(fields::probability))
        .routes(routes!(fields::frame))
        .routes(routes!(fields::overlay))
        .routes(routes!(export::regions))
        .routes(routes!(export::csv))
        .routes(routes!(export::json_lines))
        .routes(routes!(session::session))
        .routes(routes!(session::statistics))
        .routes(routes!(session::latency))
        .routes(routes!(session::health))
        .routes(routes!(session::mosaic))
        .routes(routes!(session::mosaic_png))
        .routes(routes!(control::settings, control::set))
        .routes(routes!(control::acknowledge))
        .routes(routes!(control::stage, control::command))
        .routes(routes!(events::events))
        .routes(routes!(document));
    let mut described = Document::openapi();
    described.info.version = crate::VERSION.to_owned();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    described.components.get_or_insert_default().add_security_scheme("token", bearer);
    OpenApiRouter::with_openapi(described).nest("/api/v1", api).split_for_parts()
}

/// This document
#[utoipa::path(get, path = "/openapi.json", tag = "session", responses((status = 200, description = "OpenAPI 3.1", body = Object)))]
async fn document(State(app): State<App>) -> Json<OpenApi> {
    Json((*app.document).clone())
}

/// Work on a thread that may wait for disk, processor or line.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.unwrap_or_else(|_| Err(Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error: the work has ended without a result")))
}
