//! What other programs open.

use super::blocking;
use super::fields::{kept_picture, record};
use crate::error::Error;
use crate::live::Live;
use crate::serve::problem::Problem;
use crate::session::{Sessions, field_geojson, kept_regions, write_csv, write_json_lines};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use std::io;
use std::path::Path as FilePath;
use std::sync::Arc;

/// A field's regions as GeoJSON, in its pixels
#[utoipa::path(
    get, path = "/fields/{number}/regions.geojson", tag = "fields", params(("number" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "Polygons as QuPath reads them", body = Object, content_type = "application/geo+json"),
        (status = 400, description = "No number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such field", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "Its pictures were not kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn regions(State(live): State<Arc<Live>>, number: Result<Path<u64>, PathRejection>) -> Result<Response, Problem> {
    let Path(number) = number?;
    blocking(move || {
        let field = record(&live, number)?;
        let found = match live.recent_field(number) {
            Some(seen) => seen.regions(),
            None => kept_regions(&field, |kind| kept_picture(&live, &field, kind))?,
        };
        let name = format!("field-{number:06}.geojson");
        Ok(file(field_geojson(&field, live.mask_class(), &found)?, "application/geo+json", &name))
    })
    .await
}

/// The session's fields as CSV
#[utoipa::path(get, path = "/session/fields.csv", tag = "session", responses((status = 200, description = "One row a field", body = String, content_type = "text/csv")))]
pub(super) async fn csv(State(live): State<Arc<Live>>) -> Result<Response, Problem> {
    table(live, "text/csv; charset=utf-8", "fields.csv", write_csv).await
}

/// The session's fields as lines of JSON
#[utoipa::path(get, path = "/session/fields.jsonl", tag = "session", responses((status = 200, description = "One record a line", body = String, content_type = "application/x-ndjson")))]
pub(super) async fn json_lines(State(live): State<Arc<Live>>) -> Result<Response, Problem> {
    table(live, "application/x-ndjson", "fields.jsonl", write_json_lines).await
}

type Write = fn(&Sessions, &str, &mut dyn io::Write, &FilePath) -> Result<(), Error>;

async fn table(live: Arc<Live>, content_type: &'static str, name: &'static str, write: Write) -> Result<Response, Problem> {
    blocking(move || {
        let sessions = Sessions::open(&live.settings().folder)?;
        let fields = live.statistics().fields;
        if fields > MOST_ROWS {
            let detail = format!("{fields} fields, more than {MOST_ROWS}: `lsr-edge session export` writes them to a file");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, detail));
        }
        let mut bytes = Vec::new();
        write(&sessions, &live.session().id, &mut bytes, FilePath::new(name))?;
        Ok(file(bytes, content_type, name))
    })
    .await
}

/// Rows that are put together in memory.
const MOST_ROWS: u64 = 100_000;

fn file(bytes: Vec<u8>, content_type: &str, name: &str) -> Response {
    let headers: [(HeaderName, String); 2] =
        [(CONTENT_TYPE, content_type.to_owned()), (CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))];
    (headers, bytes).into_response()
}
