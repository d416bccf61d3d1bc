//! The page: three files inside the program, and nothing from elsewhere.

use super::App;
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderName, StatusCode};
use axum::routing::get;

const HTML: &str = include_str!("page/index.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

type Text = ([(HeaderName, &'static str); 1], &'static str);

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/", get(async || -> Text { ([(CONTENT_TYPE, "text/html; charset=utf-8")], HTML) }))
        .route("/page.css", get(async || -> Text { ([(CONTENT_TYPE, "text/css; charset=utf-8")], STYLE) }))
        .route("/page.js", get(async || -> Text { ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], SCRIPT) }))
        // Browsers ask for it unasked.
        .route("/favicon.ico", get(async || StatusCode::NO_CONTENT))
}
