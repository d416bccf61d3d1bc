//! What every request passes first: how many at a time, from which page, and what browsers are told about every answer.

use super::App;
use super::problem::Problem;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use tokio::time::timeout;
use tokio_stream::StreamExt;

/// Nothing from elsewhere, and in no frame of others.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

/// How long a body that nobody wants may take to be thrown away.
const UNWANTED: Duration = Duration::from_secs(5);

/// Throws a body away, at most so many bytes of it. A client that is still sending would otherwise find the connection broken, and no answer.
pub(super) async fn drained(body: Body, most: usize) {
    let mut stream = body.into_data_stream();
    let read = async {
        let mut bytes = 0;
        while let Some(Ok(chunk)) = stream.next().await {
            bytes += chunk.len();
            if bytes > most {
                return;
            }
        }
    };
    let _ = timeout(UNWANTED, read).await;
}

/// Refuses what is too much at a time, what another page's name was resolved to, and what another page sends.
pub(super) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let Ok(_permit) = app.requests.clone().try_acquire_owned() else {
        drained(request.into_body(), app.limits.body_bytes).await;
        return Problem::busy(format!("{} requests are being answered: expected no more", app.limits.requests)).into_response();
    };
    let headers = request.headers();
    if app.loopback && !host(headers).is_some_and(is_loopback) {
        return Problem::new(StatusCode::FORBIDDEN, "the host's name is not that of this machine's loopback address").into_response();
    }
    if !matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) && is_foreign(headers) {
        return Problem::new(StatusCode::FORBIDDEN, "the request comes from another page").into_response();
    }
    next.run(request).await
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers.get(HOST)?.to_str().ok()
}

fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Browsers say where a request comes from; programs do not.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let site = text(HeaderName::from_static("sec-fetch-site"));
    let own = |origin: &str| origin.split_once("://").map(|(_, name)| name) == host(headers);
    site.is_some_and(|site| !matches!(site, "same-origin" | "none")) || text(ORIGIN).is_some_and(|origin| !own(origin))
}

/// Adds the headers of every answer.
pub(super) async fn headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_origins() {
        for (name, expected) in [
            ("localhost:8080", true),
            ("127.0.0.1", true),
            ("[::1]:80", true),
            ("LOCALHOST", true),
            ("evil.example:8080", false),
            ("127.0.0.1.evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_loopback(name), expected, "{name}");
        }
        let foreign = |pairs: &[(&'static str, &'static str)]| {
            let pair = |&(name, value): &(&'static str, &'static str)| (HeaderName::from_static(name), HeaderValue::from_static(value));
            is_foreign(&pairs.iter().map(pair).collect())
        };
        assert!(!foreign(&[("host", "localhost:1")]));
        assert!(!foreign(&[("host", "localhost:1"), ("origin", "http://localhost:1"), ("sec-fetch-site", "same-origin")]));
        assert!(foreign(&[("host", "localhost:1"), ("origin", "http://localhost:2")]));
        assert!(foreign(&[("host", "localhost:1"), ("origin", "null")]));
        assert!(foreign(&[("host", "localhost:1"), ("sec-fetch-site", "cross-site")]));
    }
}
