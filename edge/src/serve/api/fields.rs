//! Fields: posted, listed, shown.

use super::blocking;
use crate::error::Error;
use crate::live::{Given, Live};
use crate::serve::App;
use crate::serve::guard::drained;
use crate::serve::problem::Problem;
use crate::session::{FieldRecord, Kind, Sessions, picture_in};
use crate::source::{Frame, Picture, Position};
use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;
use utoipa::{IntoParams, ToSchema};

/// How long a client may take to send a field.
const BODY: Duration = Duration::from_secs(30);
/// Longest name of a posted field.
const NAME: usize = 200;

/// Bytes of an image file.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "only described")]
pub(super) struct ImageFile(Vec<u8>);

/// What is said of a posted field.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct PostQuery {
    /// Its name [default: `posted`]; letters, digits and `-_. `, at most 200.
    #[param(min_length = 1, max_length = 200, pattern = r"^[\p{L}\p{N}\-_. ]+$")]
    name: Option<String>,
    /// Low-resolution class z.
    #[param(minimum = 0, maximum = 255)]
    label: Option<u8>,
    /// Micrometres per pixel, more than 0 and at most 1000 [default: that of the session]
    #[param(exclusive_minimum = 0, maximum = 1000)]
    um_per_px: Option<f64>,
    /// Centre of the field, um; with y_um.
    x_um: Option<f64>,
    /// Centre of the field, um; with x_um.
    y_um: Option<f64>,
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct ListQuery {
    /// Only fields with a larger number.
    #[serde(default)]
    #[param(default = 0)]
    after: u64,
    /// At most so many, up to 1000.
    #[serde(default = "hundred")]
    #[param(default = 100, minimum = 1, maximum = 1000)]
    limit: u64,
}

fn hundred() -> u64 {
    100
}

/// Post a field: it is segmented and kept
///
/// The answer is its record, or its mask where `Accept` is `image/png`.
#[utoipa::path(
    post, path = "/fields", tag = "fields", params(PostQuery),
    request_body(content((ImageFile = "image/png"), (ImageFile = "image/jpeg"), (ImageFile = "image/tiff")), description = "An image file"),
    responses(
        (status = 201, description = "It is kept", content((FieldRecord = "application/json"), (ImageFile = "image/png"))),
        (status = 400, description = "A parameter that cannot be read", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The body took too long", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "Too many bytes or pixels", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "No image", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A damaged image, or a parameter out of its range", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "Too many at a time; `Retry-After` says when", body = Problem, content_type = "application/problem+json"),
        (status = 507, description = "The disk is full", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn post(
    State(app): State<App>,
    query: Result<Query<PostQuery>, QueryRejection>,
    headers: HeaderMap,
    body: Body,
) -> Result<Response, Problem> {
    let Query(query) = query?;
    let (name, position, given) = checked(&app.live, query)?;
    // Before the body is read, so that bodies that wait take no memory.
    let Ok(permit) = app.posts.clone().try_acquire_owned() else {
        drained(body, app.limits.body_bytes).await;
        return Err(Problem::busy(format!("{} fields are being worked on: expected no more", app.limits.posts)));
    };
    let most = app.limits.body_bytes;
    let too_large = || Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("expected at most {most} bytes"));
    let stated = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if stated.is_some_and(|bytes| bytes > most) {
        return Err(too_large());
    }
    let bytes = match timeout(BODY, to_bytes(body, most)).await {
        Err(_) => {
            let detail = format!("the body was not there within {} s", BODY.as_secs());
            return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, detail));
        }
        // Too long, or torn; nobody hears the answer to a torn one.
        Ok(Err(_)) => return Err(too_large()),
        Ok(Ok(bytes)) => bytes.to_vec(),
    };
    let live = Arc::clone(&app.live);
    let seen = blocking(move || {
        let _permit = permit;
        let frame = Frame { position, ..Frame::now(name, Picture::File(bytes)) };
        Ok(live.process(frame, &given)?)
    })
    .await?;
    let place = format!("/api/v1/fields/{}", seen.record().number);
    let mut response = if headers.get(ACCEPT).is_some_and(|accept| accept == "image/png") {
        picture(seen.png(Kind::Mask)?, "image/png")
    } else {
        Json(seen.record()).into_response()
    };
    *response.status_mut() = StatusCode::CREATED;
    if let Ok(place) = HeaderValue::from_str(&place) {
        response.headers_mut().insert(LOCATION, place);
    }
    Ok(response)
}

fn checked(live: &Live, query: PostQuery) -> Result<(String, Option<Position>, Given), Problem> {
    let refused = |detail: String| Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail));
    let PostQuery { name, label, um_per_px, x_um, y_um } = query;
    let name = name.unwrap_or_else(|| "posted".to_owned());
    let plain = |c: char| c.is_alphanumeric() || "-_. ".contains(c);
    if name.is_empty() || name.len() > NAME || !name.chars().all(plain) {
        return refused(format!("name: expected 1 to {NAME} letters, digits and '-_. '"));
    }
    if let Some(label) = label.filter(|&label| !live.settings().prior.has(label)) {
        return refused(format!("label {label}: the count prior has no such label"));
    }
    if let Some(um) = um_per_px.filter(|&um| !(um > 0.0 && um <= 1000.0)) {
        return refused(format!("um_per_px {um}: expected micrometres per pixel in (0, 1000]"));
    }
    let position = match (x_um, y_um) {
        (None, None) => None,
        (Some(x_um), Some(y_um)) if x_um.abs() <= 1e8 && y_um.abs() <= 1e8 => Some(Position { x_um, y_um }),
        _ => return refused("x_um and y_um: expected both, each within 1e8 um of the origin, or none".to_owned()),
    };
    Ok((name, position, Given { label, um_per_px }))
}

/// Fields of this session in their order
#[utoipa::path(
    get, path = "/fields", tag = "fields", params(ListQuery),
    responses(
        (status = 200, description = "Records", body = Vec<FieldRecord>),
        (status = 400, description = "A parameter that cannot be read", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(live): State<Arc<Live>>,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<Vec<FieldRecord>>, Problem> {
    let Query(ListQuery { after, limit }) = query?;
    if !(1..=1000).contains(&limit) || i64::try_from(after).is_err() {
        let detail = format!("limit {limit} and after {after}: expected a limit of 1 to 1000 and a number of a field");
        return Err(Problem::new(StatusCode::BAD_REQUEST, detail));
    }
    blocking(move || {
        let sessions = Sessions::open(&live.settings().folder)?;
        Ok(Json(sessions.fields(&live.session().id, after, limit)?))
    })
    .await
}

/// The last field
#[utoipa::path(
    get, path = "/fields/latest", tag = "fields",
    responses(
        (status = 200, description = "Its record", body = FieldRecord),
        (status = 404, description = "There is none yet", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn latest(State(live): State<Arc<Live>>) -> Result<Json<FieldRecord>, Problem> {
    let none = || Problem::new(StatusCode::NOT_FOUND, "no field has come yet");
    live.latest().map(|seen| Json(seen.record().clone())).ok_or_else(none)
}

/// A field by its number
#[utoipa::path(
    get, path = "/fields/{number}", tag = "fields", params(("number" = u64, Path, description = "Its number, from 1 on")),
    responses(
        (status = 200, description = "Its record", body = FieldRecord),
        (status = 400, description = "No number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such field", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(State(live): State<Arc<Live>>, number: Result<Path<u64>, PathRejection>) -> Result<Json<FieldRecord>, Problem> {
    let Path(number) = number?;
    blocking(move || record(&live, number).map(Json)).await
}

/// A field's record, from memory or from the store.
pub(super) fn record(live: &Live, number: u64) -> Result<FieldRecord, Problem> {
    if let Some(seen) = live.recent_field(number) {
        return Ok(seen.record().clone());
    }
    let sessions = Sessions::open(&live.settings().folder)?;
    let none = || Problem::new(StatusCode::NOT_FOUND, format!("there is no field {number} in this session"));
    sessions.field(&live.session().id, number)?.ok_or_else(none)
}

/// The mask: 0 or 255
#[utoipa::path(
    get, path = "/fields/{number}/mask.png", tag = "fields", params(("number" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "PNG of the field's size", body = ImageFile, content_type = "image/png"),
        (status = 400, description = "No number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such field", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "It was not kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn mask(State(live): State<Arc<Live>>, number: Result<Path<u64>, PathRejection>) -> Result<Response, Problem> {
    kept(live, number, Kind::Mask).await
}

/// Probabilities: `round(255 p)`
#[utoipa::path(
    get, path = "/fields/{number}/probability.png", tag = "fields", params(("number" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "PNG of the field's size", body = ImageFile, content_type = "image/png"),
        (status = 400, description = "No number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such field", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "It was not kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn probability(State(live): State<Arc<Live>>, number: Result<Path<u64>, PathRejection>) -> Result<Response, Problem> {
    kept(live, number, Kind::Probability).await
}

/// What the camera saw
#[utoipa::path(
    get, path = "/fields/{number}/frame.jpg", tag = "fields", params(("number" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "JPEG, while the field is one of the last; PNG where frames are kept",
         content((ImageFile = "image/jpeg"), (ImageFile = "image/png"))),
        (status = 400, description = "No number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such field", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "It was not kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn frame(State(live): State<Arc<Live>>, number: Result<Path<u64>, PathRejection>) -> Result<Response, Problem> {
    let Path(given) = number?;
    if let Some(seen) = live.recent_field(given) {
        return blocking(move || Ok(picture(seen.jpeg()?, "image/jpeg"))).await;
    }
    kept(live, Ok(Path(given)), Kind::Frame).await
}

/// What the camera saw, with the mask
#[utoipa::path(
    get, path = "/fields/{number}/overlay.png", tag = "fields", params(("number" = u64, Path, description = "Its number")),
    responses(
        (status = 200, description = "PNG of the field's size", body = ImageFile, content_type = "image/png"),
        (status = 400, description = "No number", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such field", body = Problem, content_type = "application/problem+json"),
        (status = 410, description = "It is not one of the last fields, and was not kept", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn overlay(State(live): State<Arc<Live>>, number: Result<Path<u64>, PathRejection>) -> Result<Response, Problem> {
    kept(live, number, Kind::Overlay).await
}

async fn kept(live: Arc<Live>, number: Result<Path<u64>, PathRejection>, kind: Kind) -> Result<Response, Problem> {
    let Path(number) = number?;
    blocking(move || {
        if let Some(seen) = live.recent_field(number) {
            return Ok(picture(seen.png(kind)?, "image/png"));
        }
        let record = record(&live, number)?;
        Ok(picture(kept_picture(&live, &record, kind)?, "image/png"))
    })
    .await
}

/// A picture out of the store.
pub(super) fn kept_picture(live: &Live, record: &FieldRecord, kind: Kind) -> Result<Vec<u8>, Problem> {
    let gone = || Problem::new(StatusCode::GONE, format!("the {} of field {} was not kept", kind.name(), record.number));
    let path = record.path_of(kind).ok_or_else(gone)?;
    match crate::read::read_file(&picture_in(&live.settings().folder, path)?, crate::segment::MAX_FILE_BYTES) {
        Ok(bytes) => Ok(bytes),
        Err(Error::Read { .. }) => Err(gone()),
        Err(error) => Err(error.into()),
    }
}

/// A picture of a field never changes.
fn picture(bytes: impl AsRef<[u8]>, content_type: &'static str) -> Response {
    let headers: [(HeaderName, &str); 2] = [(CONTENT_TYPE, content_type), (CACHE_CONTROL, "private, max-age=3600, immutable")];
    (headers, bytes.as_ref().to_vec()).into_response()
}
