//! What happens, as server-sent events.

use crate::live::LiveEvent;
use crate::serve::App;
use crate::serve::problem::Problem;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use std::convert::Infallible;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::BroadcastStream;

/// What happens from now on
///
/// Server-sent events: `field` (a field is kept; its number), `failed`, `changed`, `ended`. A listener that is slow misses older ones.
#[utoipa::path(
    get, path = "/events", tag = "session",
    responses(
        (status = 200, description = "Events, each a JSON object", body = LiveEvent, content_type = "text/event-stream"),
        (status = 503, description = "Too many listeners", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn events(State(app): State<App>) -> Result<Response, Problem> {
    let Ok(permit) = app.listeners.clone().try_acquire_owned() else {
        return Err(Problem::busy(format!("{} clients listen: expected no more", app.limits.listeners)));
    };
    let heard = BroadcastStream::new(app.live.listen()).filter_map(move |event| {
        let _held = &permit;
        // What a slow listener has missed is gone.
        let event = event.ok()?;
        let name = match &event {
            LiveEvent::Field { .. } => "field",
            LiveEvent::Failed { .. } => "failed",
            LiveEvent::Changed => "changed",
            LiveEvent::Ended { .. } => "ended",
        };
        let data = serde_json::to_string(&event).unwrap_or_default();
        Some(Ok::<_, Infallible>(Event::default().event(name).data(data)))
    });
    Ok(Sse::new(heard).keep_alive(KeepAlive::default()).into_response())
}
