//! `POST /oauth/revoke`: RFC 7009. Whoever has a token may end it; who does not learns nothing.

use super::answer;
use super::bearer;
use super::body::Form;
use crate::issuer::clock;
use crate::issuer::grant::Origin;
use crate::issuer::keys::sha256;
use crate::issuer::record;
use crate::issuer::refused::Refused;
use crate::issuer::state::Issuer;
use crate::issuer::store::{Batch, Change};
use crate::model::audit::{AuditEvent, AuditRecord};
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use std::sync::Arc;

/// Ends the token; 200 also for one that is unknown or over.
pub async fn revoke(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<Origin>,
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

async fn revoked(
    issuer: &Issuer,
    headers: &HeaderMap,
    body: Body,
    origin: &Origin,
) -> Result<(), Refused> {
    let mut form = Form::read(issuer, headers, body).await?;
    let token = form.secret("token")?;
    let digest = sha256(token.expose().as_bytes());
    let unavailable =
        |fault: crate::issuer::store::StoreFault| Refused::of_exchange(fault.refusal(), false);
    let row = issuer
        .store
        .token(digest.clone())
        .await
        .map_err(unavailable)?;
    let now_ms = clock::now_ms();
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
        changes: vec![Change::RevokeToken {
            sha256: digest,
            at_ms: now_ms,
        }],
        entries: vec![entry],
    };
    let committed = issuer.commit(batch).await.map_err(unavailable)?;
    record::settle(issuer, committed.revoked);
    Ok(())
}
