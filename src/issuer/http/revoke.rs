//! `POST /oauth/revoke`: RFC 7009. Whoever has a token may end it; who does not learns nothing. An ID token
//! may be given up too: then its holder has signed out.

use super::answer;
use super::bearer;
use super::body::Form;
use super::introspect;
use super::sign_out;
use crate::grant::RequestOrigin;
use crate::keys::sha256;
use crate::record;
use crate::refused::Refused;
use crate::state::Issuer;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_store::{Batch, StoreChange};
use oam_system::clock;
use std::sync::Arc;

/// Ends the token; 200 also for one that is unknown or over.
pub async fn revoke(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match revoked(&issuer, &headers, body, &origin).await {
        Ok(()) => answer::empty(200),
        Err(refused) => {
            let refused = bearer::refuse(&issuer, &origin, None, refused).await;
            answer::refused(&refused, &origin.request_id)
        }
    }
}

/// Having the token is enough to end it, so a holder needs no client. One that shows a secret must be who it
/// says it is (RFC 7009 §2.1): a success would tell it that its secret is right.
async fn authenticated(
    issuer: &Issuer,
    headers: &HeaderMap,
    form: &mut Form,
    origin: &RequestOrigin,
) -> Result<(), Refused> {
    let in_header = headers.contains_key(AUTHORIZATION);
    let in_form = form.get("client_secret").is_some();
    let (name, secret) = match (in_header, in_form) {
        (false, false) => return Ok(()),
        (true, false) => introspect::basic(headers).ok_or_else(introspect::unknown)?,
        (false, true) => (
            form.need("client_id")?.to_owned(),
            form.secret("client_secret")?,
        ),
        (true, true) => {
            return Err(Refused::bad_request(
                "the request authenticates its client in two ways",
                "send the secret by HTTP Basic only (RFC 6749 §2.3)",
            ));
        }
    };
    let client = introspect::registered(issuer, &name, &secret, origin);
    client.await.map(drop)
}

async fn revoked(
    issuer: &Issuer,
    headers: &HeaderMap,
    body: Body,
    origin: &RequestOrigin,
) -> Result<(), Refused> {
    let mut form = Form::read(issuer, headers, body).await?;
    authenticated(issuer, headers, &mut form, origin).await?;
    let token = form.secret("token")?;
    let digest = sha256(token.expose().as_bytes());
    let unavailable = |fault: oam_store::StoreFault| Refused::of_exchange(fault.refusal(), false);
    let row = issuer
        .store
        .token(digest.clone())
        .await
        .map_err(unavailable)?;
    let now_ms = clock::now_ms();
    if row.is_none() && form.get("token_type_hint") == Some(sign_out::ID_TOKEN) {
        return sign_out::signed_out(issuer, &token, origin).await;
    }
    let live = row.filter(|row| row.revoked_at_ms.is_none() && row.expires_at > now_ms / 1000);
    let Some(row) = live else {
        return Ok(());
    };
    let mut entry = AuditRecord {
        source: Some(row.key.source.clone()),
        person: Some(row.key.key.clone()),
        name: row.name.clone(),
        role: Some(row.role.clone()),
        hub: Some(row.hub.clone()),
        repository: row.repository.clone(),
        action: Some(row.action),
        token_sha256: Some(row.sha256.clone()),
        expires_at: Some(row.expires_at),
        detail: Some("by its holder".to_owned()),
        ..issuer.entry(AuditEvent::TokenRevoked)
    };
    record::origin(&mut entry, origin);
    let batch = Batch {
        changes: vec![StoreChange::RevokeToken {
            sha256: digest,
            at_ms: now_ms,
        }],
        entries: vec![entry],
    };
    let committed = issuer.commit(batch).await.map_err(unavailable)?;
    record::settle(issuer, committed.revoked);
    Ok(())
}
