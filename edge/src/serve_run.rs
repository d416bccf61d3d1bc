//! What `lsr-edge serve` does.

use crate::keep_args::kinds;
use crate::label_args::RateError;
use crate::serve_args::Serve;
use crate::{print, segmenter};
use lsr_edge::fleet::Broker;
use lsr_edge::live::{Live, LiveSettings, run as run_source};
use lsr_edge::serve::{Limits, Placed, ServeSettings, StageLink, Token, TokenStore, serve};
use lsr_edge::source::{Policy, Source, SourceOptions};
use lsr_edge::stage::{Port, StageError};
use lsr_edge::{Error, Interrupt, Options, device_name, one_line, self_test};
use std::io::{stderr, stdout};
use std::sync::Arc;

/// What can go wrong here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RunError {
    #[error(transparent)]
    Edge(#[from] Error),
    #[error(transparent)]
    Stage(#[from] StageError),
    #[error(transparent)]
    Rate(#[from] RateError),
}

/// Serves until it is asked to stop.
pub(crate) fn run(flags: &Serve, interrupt: &Interrupt) -> Result<(), RunError> {
    if flags.network.model.is_none() {
        self_test()?;
    }
    let (um_per_px, um_per_px_if_missing) = (flags.um_per_px, flags.um_per_px_if_missing);
    let options = Options { um_per_px, um_per_px_if_missing, ..Options::default() };
    let segmenter = segmenter(&flags.network, &flags.store, options, interrupt)?;
    let stage = Arc::new(StageLink::new(flags.stage.as_ref().map(|port| port.parse::<Port>()).transpose()?));
    let source_options = SourceOptions {
        rate: flags.rate,
        side_px: flags.field_px,
        field_um_per_px: segmenter.um_per_px(),
        um_per_px,
        um_per_px_if_missing,
        tissue: flags.tissue.clone(),
    };
    let mut source = flags.source.as_ref().map(|source| source.open(&source_options)).transpose()?;
    let device = flags.device.clone().unwrap_or_else(device_name);
    let topic = || flags.mqtt_topic.clone().unwrap_or_else(|| format!("lsr-edge/{device}/fields"));
    let broker = flags.mqtt.as_ref().map(|address| Broker::new(address, topic())).transpose()?;
    let live = Arc::new(Live::begin(segmenter, settings(flags, device, source.as_deref())?)?);
    let (token, shown) = token(flags)?;
    let serve_settings =
        ServeSettings { address: flags.listen, tls: flags.tls_cert.clone().zip(flags.tls_key.clone()), token, limits: Limits::default() };
    let scheme = if serve_settings.tls.is_some() { "https" } else { "http" };
    let listening = |address: std::net::SocketAddr| {
        let query = shown.as_ref().map_or(String::new(), |token| format!("/?token={token}"));
        let once = if shown.is_some() { " (the token is shown this once)" } else { "" };
        print(stderr(), &format!("session {} in {}\n", live.session().id, flags.store.display()));
        print(stderr(), &format!("listening on {scheme}://{address}{query}{once}\n"));
    };
    std::thread::scope(|scope| {
        if flags.stage.is_some() && source.is_some() {
            scope.spawn(|| stage.watch(interrupt));
        }
        if let Some(source) = source.as_deref_mut() {
            let (live, stage) = (Arc::clone(&live), &stage);
            scope.spawn(move || {
                let each = |seen: &Arc<lsr_edge::live::Seen>| {
                    if flags.json {
                        print(stdout(), &serde_json::to_string(seen.record()).map(|line| line + "\n").unwrap_or_default());
                    }
                };
                if let Err(error) = run_source(&live, &mut Placed::new(source, stage), each) {
                    print(stderr(), &format!("the source has failed: {}\n", one_line(&error)));
                }
                if flags.exit_at_end {
                    interrupt.set();
                }
            });
        }
        if let Some(broker) = broker {
            scope.spawn(|| {
                let tell = |text: &str| print(stderr(), &format!("{text}\n"));
                if let Err(error) = broker.tell_fields(&flags.store, interrupt, &tell) {
                    print(stderr(), &format!("fields are not told to the broker any more: {}\n", one_line(&error)));
                }
            });
        }
        let served = serve(Arc::clone(&live), Arc::clone(&stage), &serve_settings, interrupt, listening);
        // Ends the source's thread where serving has failed.
        interrupt.set();
        served
    })?;
    Ok(())
}

fn settings(flags: &Serve, device: String, source: Option<&dyn Source>) -> Result<LiveSettings, RunError> {
    let (labels, prior) = (flags.labels.read()?, flags.prior.read()?);
    if let Some(label) = labels.labels().find(|&label| !prior.has(label)) {
        return Err(Error::NotInPrior { label }.into());
    }
    let live = source.is_some_and(Source::is_live);
    Ok(LiveSettings {
        folder: flags.store.clone(),
        device,
        source: flags.source.as_ref().map_or_else(|| "posted".to_owned(), ToString::to_string),
        policy: if live && !flags.every { Policy::Newest } else { Policy::Every },
        keep: kinds(&flags.keep),
        labels,
        prior,
        monitor: flags.alarm.monitor()?,
        max_pixels: flags.max_mpx.saturating_mul(1_000_000),
        tell: flags.mqtt.is_some(),
        scan: None,
    })
}

/// The token that is asked for, and itself where it is new.
fn token(flags: &Serve) -> Result<(Option<Token>, Option<String>), Error> {
    if flags.listen.ip().is_loopback() && !flags.require_token && !flags.new_token {
        return Ok((None, None));
    }
    let store = TokenStore::in_folder(&flags.store);
    match store.known()? {
        Some(known) if !flags.new_token => Ok((Some(known), None)),
        _ => store.renew().map(|(token, known)| (Some(known), Some(token))),
    }
}
