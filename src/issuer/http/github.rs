//! `/v1/github/SOURCE`: events of GitHub, signed with the secret of the App's webhook. An event is remembered by its
//! id, and tells only what to read anew: so neither their order nor one that is lost matters.

use super::answer;
use super::bearer;
use super::body;
use crate::github::GitHubApp;
use crate::grant::RequestOrigin;
use crate::record;
use crate::refused::{OAuthError, Refused};
use crate::state::Issuer;
use aws_lc_rs::hmac;
use axum::body::Body;
use axum::extract::{Extension, Path, State};
use axum::http::HeaderMap;
use axum::response::Response;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::name::SourceName;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_policy::teams::Scope;
use oam_policy::teams::event::{HookOwner, HookTarget, scope};
use oam_store::{Batch, StoreChange, StoreFault};
use oam_system::clock;
use serde_json::Value;
use std::sync::Arc;

/// Largest event, bytes: those that matter have some kilobytes.
const LARGEST: usize = 256 * 1024;
/// An event is remembered for so long, ms: GitHub sends one again for three days.
const REMEMBERED_MS: u64 = 30 * 24 * 3_600_000;

/// An event: 202 when it is on disk, also one that came before.
pub async fn event(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    Path(source): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match taken(&issuer, &origin, &source, &headers, body).await {
        Ok(()) => answer::empty(202),
        Err(refused) => {
            let told = bearer::refuse(&issuer, &origin, None, refused).await;
            answer::refused(&told, &origin.request_id)
        }
    }
}

async fn taken(
    issuer: &Issuer,
    origin: &RequestOrigin,
    source: &str,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), Refused> {
    let live_config = issuer.live_config();
    let named: Option<SourceName> = source.parse().ok();
    let app = named.and_then(|source| live_config.github.get(&source));
    let app = app.and_then(|app| Some((app, app.webhook_secret()?)));
    let (app, secret) = app.ok_or_else(nobody)?;
    let most = live_config.settings.limits.body_bytes.min(LARGEST);
    let bytes = body::read(issuer, headers, body, &["application/json"], most).await?;
    // Before anything of it is read.
    signed(secret, headers, &bytes)?;
    let payload: Value = serde_json::from_slice(&bytes)
        .map_err(|_| Refused::bad_request("the event is not JSON", "send it as GitHub does"))?;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let owner = HookOwner {
        app: app.settings.app_id,
        organization: app.settings.organization_id,
    };
    let target = HookTarget {
        kind: text("x-github-hook-installation-target-type"),
        id: text("x-github-hook-installation-target-id"),
    };
    if !owner.is_meant(target, &payload) {
        return Err(Refused::bad_request(
            "the event is for another App or organization",
            "compare the webhook at GitHub with `app_id` and `organization_id` of the source",
        ));
    }
    let id = text("x-github-delivery").filter(|id| is_plain(id));
    let id = id.ok_or_else(|| {
        Refused::bad_request(
            "the event has no id",
            "send `X-GitHub-Delivery` as GitHub does",
        )
    })?;
    let kind = text("x-github-event").unwrap_or_default();
    match scope(kind, &payload) {
        Some(scope) => kept(issuer, origin, app, (id, kind), scope).await,
        None => Ok(()),
    }
}

/// Remembers an event, then lets read what it names. One that came before has no second effect.
async fn kept(
    issuer: &Issuer,
    origin: &RequestOrigin,
    app: &GitHubApp,
    (id, kind): (&str, &str),
    scope: Scope,
) -> Result<(), Refused> {
    let source = &app.source;
    let now_ms = clock::now_ms();
    let what = match &scope {
        Scope::All => "everything is read anew".to_owned(),
        Scope::Teams(teams) => {
            let teams: Vec<String> = teams.iter().map(u64::to_string).collect();
            format!("team {} is read anew", teams.join(", "))
        }
    };
    let mut entry = AuditRecord {
        source: Some(source.clone()),
        detail: Some(format!("GitHub sent the event {kind} ({id}): {what}")),
        ..issuer.entry(AuditEvent::Signal)
    };
    record::origin(&mut entry, origin);
    let batch = Batch {
        changes: vec![
            StoreChange::Once {
                transmitter: format!("github:{source}"),
                id: id.to_owned(),
                until_ms: now_ms.saturating_add(REMEMBERED_MS),
            },
            StoreChange::TeamsHeard {
                source: source.clone(),
                at_ms: now_ms,
            },
        ],
        entries: vec![entry],
    };
    match issuer.commit(batch).await {
        Ok(_) => {
            issuer.team_news.named(source, scope);
            Ok(())
        }
        Err(StoreFault::Replayed) => Ok(()),
        Err(fault) => Err(Refused::of_exchange(fault.refusal(), false)),
    }
}

/// Compares `X-Hub-Signature-256` with the body's, in the same time whatever they have in common.
fn signed(secret: &Secret, headers: &HeaderMap, bytes: &[u8]) -> Result<(), Refused> {
    let given = headers
        .get("x-hub-signature-256")
        .and_then(|value| value.to_str().ok()?.strip_prefix("sha256="))
        .and_then(|text| hex::decode(text).ok());
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose().as_bytes());
    match given {
        Some(given) if hmac::verify(&key, bytes, &given).is_ok() => Ok(()),
        _ => Err(Refused {
            status: Some(401),
            ..Refused::new(
                OAuthError::InvalidRequest,
                Refusal::bad_request(
                    "the event's signature is not made with the secret of this source",
                    "enter the secret of `webhook_secret` at GitHub, in the settings of the App's webhook",
                ),
            )
        }),
    }
}

fn is_plain(id: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !id.is_empty() && id.len() <= 64 && id.chars().all(plain)
}

fn nobody() -> Refused {
    Refused {
        status: Some(404),
        ..Refused::bad_request(
            "no source of this name takes events of GitHub",
            "add `webhook_secret` to `[sources.NAME.github]` in the issuer's configuration",
        )
    }
}
