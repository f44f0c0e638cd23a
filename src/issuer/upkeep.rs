//! What the server does by itself: takes over keys that a command rotated, drops keys that are over,
//! ends tokens at hubs whose time has come, reads certificates again.

use super::files::FileWatch;
use super::http::tls;
use super::record;
use super::state::{Issuer, KEYS, TLS};
use axum_server::tls_rustls::RustlsConfig;
use oam_model::issuer::TlsFiles;
use oam_system::clock;
use oam_system::leap::ClockWatch;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Least time between two readings of the keys.
const KEYS_PAUSE: Duration = Duration::from_millis(250);
/// Pause after keys that could not be read.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two sweeps.
const SWEEP: Duration = Duration::from_secs(5);
/// Between two sums of refusals.
const SUM: Duration = Duration::from_mins(1);
/// Between two looks at the certificates.
const CERTIFICATES: Duration = Duration::from_secs(1);

/// Reads the keys again whenever something was committed: a rotation is a commit of another process.
pub async fn keys(issuer: Arc<Issuer>) {
    let mut changes = issuer.store.changes();
    let mut stopping = issuer.stopping.subscribe();
    loop {
        let failed = issuer.health.is_wrong(KEYS);
        tokio::select! {
            news = changes.changed() => if news.is_err() { return },
            () = tokio::time::sleep(AGAIN), if failed => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        match issuer.keys.reload().await {
            Ok(_) => issuer.health.right(KEYS),
            Err(refusal) => issuer.health.wrong(KEYS, refusal.sentence),
        }
        tokio::time::sleep(KEYS_PAUSE).await;
    }
}

/// Tokens at hubs, and keys that are over.
pub async fn sweep(issuer: Arc<Issuer>) {
    let mut stopping = issuer.stopping.subscribe();
    // A key that was dropped does not come back, and a token that was taken for expired lives on at its hub.
    let mut keys = ClockWatch::doubting(clock::now());
    let mut hubs = ClockWatch::trusting(clock::now());
    loop {
        tokio::select! {
            () = tokio::time::sleep(SWEEP) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        let now = clock::now();
        record::sweep(&issuer, hubs.at(now)).await;
        if let Err(refusal) = issuer.keys.tidy(keys.at(now)).await {
            tracing::warn!(why = refusal.sentence, "old keys could not be dropped");
        }
    }
}

/// The sum of refusals that have no entry of their own.
pub async fn refusals(issuer: Arc<Issuer>) {
    let mut stopping = issuer.stopping.subscribe();
    loop {
        tokio::select! {
            () = tokio::time::sleep(SUM) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        record::sum(&issuer).await;
    }
}

/// Certificates that were renewed on disk.
pub async fn certificates(issuer: Arc<Issuer>, files: TlsFiles, config: RustlsConfig) {
    let mut stopping = issuer.stopping.subscribe();
    let mut seen = FileWatch::of([Path::new(&files.certificate), Path::new(&files.key)]);
    loop {
        tokio::select! {
            () = tokio::time::sleep(CERTIFICATES) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        // Chain and key are two files: between their writes they do not fit, and are looked at again.
        let again = issuer.health.is_wrong(TLS);
        if !seen.moved() && !again {
            continue;
        }
        match tls::read_again(&config, &files).await {
            Ok(()) => issuer.health.right(TLS),
            Err(why) => issuer.health.wrong(TLS, why),
        }
    }
}
