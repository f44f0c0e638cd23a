//! Somebody signed out on one of their machines, and gives up the token that spoke for them there.
//!
//! What a provider said up to now proves nothing from then on: an ID token outlives a sign-out by an hour, and
//! whoever has a copy of it could go on. Other machines of the same person renew at the provider and go on; the
//! one that signed out has nothing left to renew with. An access token has no time of its own that counts: it is
//! remembered until its end.

use super::bearer;
use crate::authorize;
use crate::given_up;
use crate::grant::RequestOrigin;
use crate::record;
use crate::refused::Refused;
use crate::signal_processor;
use crate::state::Issuer;
use oam_model::audit::AuditEvent;
use oam_model::principal::{Principal, PrincipalKind};
use oam_model::refusal::RefusalCode;
use oam_model::secret::Secret;
use oam_store::{Batch, StoreFault};
use oam_system::clock;

/// `token_type_hint` of a token that speaks for a person. RFC 7009 §2.1 leaves further hints to its users.
pub const ID_TOKEN: &str = "id_token";

/// Takes the evidence of before back. A token that is not good is one that is given up already (RFC 7009 §2.2).
///
/// # Errors
/// The source or the store can't be asked, or this identity asks too often.
pub async fn signed_out(
    issuer: &Issuer,
    token: &Secret,
    origin: &RequestOrigin,
) -> Result<(), Refused> {
    let live_config = issuer.live_config();
    let now_ms = clock::now_ms();
    let principal = match live_config
        .identities
        .bearer(token, origin.from, clock::now())
        .await
    {
        Ok(principal) => principal,
        Err(refusal) if matches!(refusal.code, RefusalCode::Unavailable | RefusalCode::Busy) => {
            return Err(Refused::of_exchange(refusal, false));
        }
        Err(_) => return Ok(()),
    };
    if principal.kind == PrincipalKind::Job {
        return Ok(());
    }
    bearer::paced(issuer, &live_config, &principal)
        .map_err(|wait_s| Refused::too_many("this identity", wait_s))?;
    let (change, detail) = signal_processor::signed_out(&principal.key, before(&principal, now_ms));
    let mut entry = issuer.entry(AuditEvent::Revocation);
    record::origin(&mut entry, origin);
    authorize::name(&mut entry, &principal);
    entry.detail = Some(detail);
    let mut changes = vec![change];
    changes.extend(given_up::given_up(
        &live_config,
        &principal,
        token,
        now_ms / 1000,
    ));
    let batch = Batch {
        changes,
        entries: vec![entry],
    };
    match issuer.commit(batch).await {
        Ok(committed) => {
            record::settle(issuer, committed.revoked);
            Ok(())
        }
        // It is given up already.
        Err(StoreFault::Replayed) => Ok(()),
        Err(fault) => Err(Refused::of_exchange(fault.refusal(), false)),
    }
}

/// Everything made before this is of before the sign-out: now, or the end of the second in which this token was
/// made, for providers tell times in seconds, and their clocks may be ahead.
fn before(principal: &Principal, now_ms: u64) -> u64 {
    let told = principal
        .claims
        .get("iat")
        .and_then(serde_json::Value::as_u64);
    let made = told.unwrap_or(principal.proven_at);
    now_ms.max(made.saturating_add(1).saturating_mul(1000))
}
