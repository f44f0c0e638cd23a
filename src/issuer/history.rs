//! The head of the audit log, signed and told to agents, and what they show of it again: an issuer whose
//! database went back to an older copy is so told that it forgot something (`audit::history`).

use super::seal::MasterKey;
use super::state::{HISTORY, Issuer};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oam_audit::history::{History, LONGEST_HEAD, Position, Verdict, claims_of, judge};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::name::OrgName;
use oam_store::{AuditTrail, Batch, StoreFault};
use oam_system::clock;
use serde_json::json;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Shortest time between two signed heads.
const PAUSE: Duration = Duration::from_secs(1);

/// A head as agents get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedHead {
    /// What it says.
    pub position: Position,
    /// Compact JWS.
    pub text: Arc<str>,
}

/// The head that is told now, and the furthest one that somebody else knew.
#[derive(Default)]
pub struct Heads {
    told: Mutex<Option<SignedHead>>,
    beyond: Mutex<Option<Position>>,
}

impl Heads {
    /// The head that is told now; none before the first look.
    pub fn told(&self) -> Option<SignedHead> {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.clone()
    }

    fn tell(&self, head: SignedHead) {
        *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some(head);
    }

    fn beyond(&self) -> Option<Position> {
        let beyond = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
        beyond.clone()
    }

    /// Keeps the furthest; says whether it is the first.
    fn is_first_beyond(&self, known: &Position) -> bool {
        let mut beyond = self.beyond.lock().unwrap_or_else(PoisonError::into_inner);
        let first = beyond.is_none();
        let further = |kept: &Position| (known.generation, known.seq) > (kept.generation, kept.seq);
        if beyond.as_ref().is_none_or(further) {
            *beyond = Some(known.clone());
        }
        first
    }

    fn clear(&self) {
        *self.beyond.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

/// Signs a position.
pub fn sign(master: &MasterKey, org: &OrgName, position: &Position, at_ms: u64) -> SignedHead {
    let header = json!({ "alg": "EdDSA", "typ": "oam-head+jwt" });
    let claims = json!({
        "org": org,
        "iat": at_ms / 1000,
        "generation": position.generation,
        "seq": position.seq,
        "hash": position.hash,
    });
    let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
    let message = format!("{header}.{claims}");
    let signature = URL_SAFE_NO_PAD.encode(master.sign_head(message.as_bytes()));
    SignedHead {
        position: position.clone(),
        text: format!("{message}.{signature}").into(),
    }
}

/// What a head says that this issuer signed for this organization; none for anybody else's word.
pub fn verified(master: &MasterKey, org: &OrgName, text: &str) -> Option<Position> {
    if text.len() > LONGEST_HEAD {
        return None;
    }
    let (message, signature) = text.rsplit_once('.')?;
    let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
    if !master.is_own_head(message.as_bytes(), &signature) {
        return None;
    }
    let claims = claims_of(text)?;
    (claims.org == org.as_str()).then_some(claims.position)
}

/// Keeps the head that is told up to date, and looks again at what somebody knew, until the server ends.
pub async fn follow(issuer: Arc<Issuer>) {
    let mut changes = issuer.store.changes();
    let mut stopping = issuer.stopping.subscribe();
    loop {
        if let Err(fault) = refresh(&issuer).await {
            tracing::debug!(?fault, "the head of the audit log could not be read");
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
        tokio::select! {
            news = changes.changed() => if news.is_err() { return },
            _ = stopping.wait_for(|stopping| *stopping) => return,
        }
    }
}

/// Signs the head as it is now.
///
/// # Errors
/// The store is not there.
pub async fn refresh(issuer: &Issuer) -> Result<SignedHead, StoreFault> {
    let history = issuer.store.history().await?;
    let position = history.position();
    let head = match issuer.heads.told() {
        Some(told) if told.position == position => told,
        _ => {
            let head = sign(
                &issuer.master,
                &issuer.org_name(),
                &position,
                clock::now_ms(),
            );
            issuer.heads.tell(head.clone());
            head
        }
    };
    // A backup that is restored in order says itself what it lacks.
    if let Some(beyond) = issuer.heads.beyond()
        && !is_missed(verdict(&*issuer.store, &history, &beyond).await?)
    {
        issuer.heads.clear();
        issuer.health.right(HISTORY);
    }
    Ok(head)
}

async fn verdict(
    store: &dyn AuditTrail,
    history: &History,
    known: &Position,
) -> Result<Verdict, StoreFault> {
    let there = store.audit_hash(known.seq).await?;
    Ok(judge(history, known, there.as_deref()))
}

const fn is_missed(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Older | Verdict::Another)
}

/// Somebody shows a head that this issuer may have told: `whose` in our words. One that it signed and does not
/// have any more is an alarm; anybody else's word is nothing.
pub async fn shown(issuer: &Issuer, whose: &str, text: &str) {
    let told = issuer.heads.told();
    if told.is_some_and(|told| *told.text == *text) {
        return;
    }
    let Some(known) = verified(&issuer.master, &issuer.org_name(), text) else {
        return;
    };
    // What the database can't answer now it is asked with the next head.
    let Ok(history) = issuer.store.history().await else {
        return;
    };
    match verdict(&*issuer.store, &history, &known).await {
        Ok(found) if is_missed(found) => missed(issuer, whose, &known, &history, found).await,
        Ok(_) | Err(_) => {}
    }
}

async fn missed(issuer: &Issuer, whose: &str, known: &Position, history: &History, found: Verdict) {
    let first = issuer.heads.is_first_beyond(known);
    let own = history.position();
    let what = match found {
        Verdict::Another => format!("has another entry {} than it had", known.seq),
        _ => format!("ends at entry {} and had entry {}", own.seq, known.seq),
    };
    let words = format!(
        "the database is an older copy: {whose} shows a head of the audit log that this issuer signed, and the log {what}. Revocations may be forgotten: put the last database back, or run `oam-issuer restore --accept` and revoke again who was revoked since"
    );
    issuer.health.wrong(HISTORY, words.clone());
    if !first {
        return;
    }
    issuer.metrics.alarm("history");
    let entry = AuditRecord {
        detail: Some(words),
        ..issuer.entry(AuditEvent::Alarm)
    };
    let batch = Batch {
        changes: Vec::new(),
        entries: vec![entry],
    };
    // Where it could not be written, the warning stands and the log of the process says it.
    let _ = issuer.commit(batch).await;
}

#[cfg(test)]
mod tests {
    use super::{sign, verified};
    use crate::seal::MasterKey;
    use oam_audit::history::{Position, claims_of};

    fn key() -> MasterKey {
        MasterKey::parse(&MasterKey::fresh().ok().unwrap()).unwrap()
    }

    #[test]
    fn only_a_head_that_this_issuer_signed_for_this_organization_counts() {
        let (master, org) = (key(), "acme".parse().unwrap());
        let position = Position {
            generation: 2,
            seq: 17,
            hash: "ab".repeat(32),
        };
        let head = sign(&master, &org, &position, 1_000);
        assert_eq!(verified(&master, &org, &head.text), Some(position.clone()));
        assert_eq!(claims_of(&head.text).unwrap().position, position);
        // Anybody else's: another master key, another organization, a changed number, no signature.
        assert_eq!(verified(&key(), &org, &head.text), None);
        assert_eq!(
            verified(&master, &"beta".parse().unwrap(), &head.text),
            None
        );
        let further = Position {
            seq: 18,
            ..position
        };
        let forged = sign(&key(), &org, &further, 1_000);
        let (message, _) = forged.text.rsplit_once('.').unwrap();
        let (_, signature) = head.text.rsplit_once('.').unwrap();
        assert_eq!(
            verified(&master, &org, &format!("{message}.{signature}")),
            None
        );
        for odd in ["", ".", "..", "a.b.c", &"x".repeat(10_000)] {
            assert_eq!(verified(&master, &org, odd), None, "{odd}");
        }
    }
}
