//! What is on record of an exchange before anything leaves, and what becomes of a token that is not handed
//! out.

use super::super::authorize::AuthorizedPrincipal;
use super::super::mint::{MintRequest, MintedToken};
use super::super::once::{self, OnceToken};
use super::super::record;
use super::super::refused::Refused;
use super::super::state::{Issuer, LiveConfig};
use super::Stop;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_store::{Batch, StoreChange, StoreFault};
use oam_system::clock;
use std::sync::atomic::{AtomicBool, Ordering};

/// Before a hub is asked an entry says so: its answer can be lost, and then a token is out there.
pub(super) async fn announced(issuer: &Issuer, entry: &AuditRecord) -> Result<(), Refused> {
    let batch = Batch {
        changes: Vec::new(),
        entries: vec![AuditRecord {
            event: AuditEvent::Attempt,
            at_ms: clock::now_ms(),
            ..entry.clone()
        }],
    };
    let announced = issuer.commit(batch).await;
    announced.map(drop).map_err(|fault| not_recorded(&fault))
}

/// The subject token, where it is used up by this.
pub(super) struct Using<'u> {
    pub(super) once: Option<OnceToken>,
    /// Set when it is.
    pub(super) used: &'u AtomicBool,
}

/// Step 5: person, token and entry in one transaction. A token that a hub made and that can't be put on
/// record is ended there.
pub(super) async fn kept(
    issuer: &Issuer,
    live_config: &LiveConfig,
    admitted: &AuthorizedPrincipal,
    order: &MintRequest<'_>,
    minted: MintedToken,
    entry: &mut AuditRecord,
    using: &Using<'_>,
) -> Result<MintedToken, Stop> {
    let row = order.row(&minted);
    entry.token_sha256 = Some(row.sha256.clone());
    entry.expires_at = Some(row.expires_at);
    if minted.wider_than_asked {
        entry.detail = Some("wider than asked: the hub makes no narrower token".to_owned());
    }
    let mut changes = admitted.seen_changes(live_config);
    changes.push(StoreChange::Issue {
        token: row,
        epoch: Some(admitted.epoch()),
    });
    changes.extend(using.once.as_ref().map(OnceToken::change));
    let batch = Batch {
        changes,
        entries: vec![AuditRecord {
            at_ms: clock::now_ms(),
            ..entry.clone()
        }],
    };
    let fault = match issuer.commit(batch).await {
        Ok(committed) => {
            using.used.store(true, Ordering::Relaxed);
            record::settle(issuer, committed.revoked);
            let Err(stop) = current(issuer, live_config, entry).await else {
                return Ok(minted);
            };
            // Overtaken: it is taken back, and its hub told already.
            if matches!(stop, Stop::Refused(_)) {
                Box::pin(live_config.mint.discard(order, minted)).await;
            }
            return Err(stop);
        }
        Err(fault) => fault,
    };
    entry.token_sha256 = None;
    entry.expires_at = None;
    entry.detail = None;
    Box::pin(live_config.mint.discard(order, minted)).await;
    match fault {
        StoreFault::Overtaken => Err(Stop::Overtaken),
        StoreFault::Replayed => Err(Stop::Refused(once::used())),
        other => Err(Stop::Refused(not_recorded(&other))),
    }
}

/// Whether the policy that decided is still the one in force, after the token is on record. Another one
/// compares what everybody holds once it is in force, and could have passed this person before the record
/// was there: the token is not handed out, whatever the new policy says.
async fn current(
    issuer: &Issuer,
    live_config: &LiveConfig,
    entry: &mut AuditRecord,
) -> Result<(), Stop> {
    if issuer.live_config().policy_digest == live_config.policy_digest {
        return Ok(());
    }
    let at_ms = clock::now_ms();
    let sha256 = entry.token_sha256.take().unwrap_or_default();
    let taken_back = AuditRecord {
        event: AuditEvent::TokenRevoked,
        at_ms,
        token_sha256: Some(sha256.clone()),
        detail: Some("the policy changed while it was made; it was not handed out".to_owned()),
        ..entry.clone()
    };
    entry.expires_at = None;
    entry.detail = None;
    let batch = Batch {
        changes: vec![StoreChange::RevokeToken { sha256, at_ms }],
        entries: vec![taken_back],
    };
    let committed = issuer.commit(batch).await;
    let committed = committed.map_err(|fault| Stop::Refused(not_recorded(&fault)))?;
    record::settle(issuer, committed.revoked);
    Err(Stop::Overtaken)
}

fn not_recorded(fault: &StoreFault) -> Refused {
    Refused::of_exchange(fault.refusal(), false)
}
