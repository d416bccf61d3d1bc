//! A session over HTTP: an API that is described by its own document, and the page that uses it.
//!
//! ```text
//! request ─ guard (limits, origin, headers) ─ auth (token) ─┬─ api ─► Live, Sessions, stage::Controller
//!                                                           └─ page: three files inside the program
//! ```
//!
//! On a loopback address nobody is asked for a token: whoever may open ports of this machine is its user. Pages of others cannot use it all the same: the
//! host's name must be that of loopback, and requests that change something must come from our own page or from a program.

mod api;
mod auth;
mod guard;
mod metrics;
mod page;
mod problem;
mod stage;
mod whereabouts;

pub use auth::{Token, TokenStore};
pub use stage::StageLink;
pub use whereabouts::Placed;

use crate::error::Error;
use crate::interrupt::Interrupt;
use crate::live::Live;
use axum::Router;
use axum::extract::FromRef;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::routing::get;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use hyper_util::rt::TokioTimer;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use utoipa::openapi::OpenApi;

/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(10);
/// How long open answers may take when the program ends.
const FAREWELL: Duration = Duration::from_millis(500);
/// How often is looked whether to stop.
const LOOK: Duration = Duration::from_millis(50);

/// How it is served.
#[derive(Debug, Clone)]
pub struct ServeSettings {
    /// Where.
    pub address: SocketAddr,
    /// Certificate and key, PEM; without them it is plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// What is asked for; nothing for nothing.
    pub token: Option<Token>,
    /// Limits.
    pub limits: Limits,
}

/// What one client cannot take from the others.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes of a posted field.
    pub body_bytes: usize,
    /// Requests that are answered at a time; more get 503.
    pub requests: usize,
    /// Posted fields that are worked on or wait; more get 503.
    pub posts: usize,
    /// Listeners to events.
    pub listeners: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body_bytes: 64 << 20, requests: 64, posts: 4, listeners: 32 }
    }
}

/// What every request can reach.
#[derive(Clone)]
struct App {
    live: Arc<Live>,
    stage: Arc<StageLink>,
    token: Option<Token>,
    secure: bool,
    loopback: bool,
    limits: Limits,
    requests: Arc<Semaphore>,
    posts: Arc<Semaphore>,
    listeners: Arc<Semaphore>,
    document: Arc<OpenApi>,
}

impl FromRef<App> for Arc<Live> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.live)
    }
}

impl FromRef<App> for Arc<StageLink> {
    fn from_ref(app: &App) -> Self {
        Arc::clone(&app.stage)
    }
}

/// Serves until a stop is asked for. `listening` hears the address, with the port that was found.
///
/// # Errors
/// [`Error::Serve`]: an address that cannot be had, a certificate or key that cannot be used; an address that others reach without a token.
pub fn serve(
    live: Arc<Live>,
    stage: Arc<StageLink>,
    settings: &ServeSettings,
    interrupt: &Interrupt,
    listening: impl FnOnce(SocketAddr) + Send,
) -> Result<(), Error> {
    let failed = |reason: String| Error::Serve { address: settings.address.to_string(), reason };
    if settings.token.is_none() && !settings.address.ip().is_loopback() {
        return Err(failed("others can reach this address, so it is not served without a token".to_owned()));
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).max_blocking_threads(32).enable_all().build();
    let runtime = runtime.map_err(|error| failed(error.to_string()))?;
    runtime.block_on(served(live, stage, settings, interrupt, listening)).map_err(failed)
}

async fn served(
    live: Arc<Live>,
    stage: Arc<StageLink>,
    settings: &ServeSettings,
    interrupt: &Interrupt,
    listening: impl FnOnce(SocketAddr) + Send,
) -> Result<(), String> {
    let tls = match &settings.tls {
        None => None,
        Some((certificate, key)) => {
            // Another part of the program may have chosen already.
            let _ = rustls::crypto::ring::default_provider().install_default();
            let config = RustlsConfig::from_pem_file(certificate, key).await;
            Some(config.map_err(|error| format!("{} with {}: {error}", certificate.display(), key.display()))?)
        }
    };
    let limits = settings.limits;
    let (routes, document) = api::routes();
    let app = App {
        live,
        stage,
        token: settings.token.clone(),
        secure: tls.is_some(),
        loopback: settings.address.ip().is_loopback(),
        limits,
        requests: Arc::new(Semaphore::new(limits.requests)),
        posts: Arc::new(Semaphore::new(limits.posts)),
        listeners: Arc::new(Semaphore::new(limits.listeners)),
        document: Arc::new(document),
    };
    let router = Router::new()
        .merge(routes)
        .merge(page::routes())
        .route("/metrics", get(metrics::metrics))
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(from_fn_with_state(app.clone(), auth::check))
        .layer(from_fn_with_state(app.clone(), guard::check))
        .layer(from_fn(guard::headers))
        .with_state(app);

    let handle = Handle::new();
    let ending = handle.clone();
    let interrupt = interrupt.clone();
    tokio::spawn(async move {
        while !interrupt.is_set() {
            tokio::time::sleep(LOOK).await;
        }
        ending.graceful_shutdown(Some(FAREWELL));
    });
    let service = router.into_make_service();
    let serving = async {
        match tls {
            None => {
                let mut server = axum_server::bind(settings.address).handle(handle.clone());
                server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
                server.serve(service).await
            }
            Some(config) => {
                let mut server = axum_server::bind_rustls(settings.address, config).handle(handle.clone());
                server.http_builder().http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
                server.serve(service).await
            }
        }
    };
    let announced = async {
        if let Some(address) = handle.listening().await {
            listening(address);
        }
    };
    let (result, ()) = tokio::join!(serving, announced);
    result.map_err(|error| error.to_string())
}
