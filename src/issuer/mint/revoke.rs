//! Ending tokens at their hubs.
//!
//! Hugging Face takes a list of raw tokens from anybody and answers the same whether or not it knew them,
//! so "revoked" here means: the hub took the order. It also tells the token's owner by e-mail.

use super::rest::Rests;
use super::{Mint, MintRequest, MintedToken};
use crate::keys::sha256;
use crate::outbound::Auth;
use crate::seal::{MasterKey, Purpose};
use oam_model::answer::EndpointFault;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::issuer::{Backend, IssuerHub};
use oam_model::name::HubName;
use oam_model::refusal::Refusal;
use oam_model::secret::{Secret, wire};
use oam_store::{Batch, StoreChange, TokenRow};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;
use zeroize::Zeroizing;

/// Tokens in one order to a hub.
const BATCH: usize = 100;
/// Total time for an order.
const TOTAL: Duration = Duration::from_secs(5);
/// Tokens of a hub looked at in one sweep.
const SWEEP: usize = 500;
/// How long a hub may honour a token that it made otherwise than asked, seconds: so long it is tried to be
/// revoked.
const UNTOLD_LIFE_S: u64 = 24 * 3600;
/// Whoever revokes a token tells its hub too; the sweep leaves it that long, ms.
const LEFT_ALONE_MS: u64 = 30_000;

/// What became of a token at its hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RevokeOutcome {
    /// The hub took the order.
    Revoked,
    /// It had expired at the hub by itself.
    Expired,
    /// There is nothing to tell a hub, or nothing to tell it with, for the reason in our own words.
    NotPossible(String),
    /// The hub has a way and it did not work, for the reason in our own words. It is tried again by
    /// [`Mint::due_revocations`].
    Failed(String),
    /// The hub has a way and was not asked, for the reason in our own words. Tried again as [`RevokeOutcome::Failed`].
    NotAsked(String),
}

impl RevokeOutcome {
    /// The words for records.
    pub fn words(&self) -> String {
        match self {
            Self::Revoked => "the hub took the order to revoke it".to_owned(),
            Self::Expired => "it had expired at the hub".to_owned(),
            Self::NotPossible(why) => format!("the hub can't revoke it: {why}"),
            Self::Failed(why) | Self::NotAsked(why) => {
                format!("revoking it at the hub failed: {why}")
            }
        }
    }

    /// Whether there is nothing left to try.
    pub const fn is_final(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::NotAsked(_))
    }
}

/// What is sealed with a row: until when the hub honours the token (Unix seconds, 8 bytes), the token.
pub(super) fn kept(token: &Secret, until_s: u64) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(8 + token.expose().len()));
    plain.extend_from_slice(&until_s.to_be_bytes());
    plain.extend_from_slice(token.expose().as_bytes());
    plain
}

/// A token to be ended.
struct Live<'a> {
    row: &'a TokenRow,
    until_s: u64,
    token: Secret,
}

#[derive(Serialize)]
struct Order<'a> {
    credentials: Vec<Credential<'a>>,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Credential<'a>(#[serde(with = "wire")] &'a Secret);

impl Mint {
    /// Ends tokens at their hubs, as far as each hub can. In the order of `rows`: the SHA-256 of each
    /// token and what became of it; which are over there is decided at `sure_ms`, a time that does not leap.
    /// Nothing is written: [`Mint::settle`] does that too.
    pub async fn revoke_at_hub(
        &self,
        rows: &[TokenRow],
        sure_ms: u64,
    ) -> Vec<(String, RevokeOutcome)> {
        let mut known: BTreeMap<&str, RevokeOutcome> = BTreeMap::new();
        let mut by_hub: BTreeMap<&str, (&IssuerHub, Vec<Live<'_>>)> = BTreeMap::new();
        for row in rows {
            match self.live(row, sure_ms / 1000) {
                Err(outcome) => {
                    known.insert(&row.sha256, outcome);
                }
                Ok((_, live)) if live.until_s <= sure_ms / 1000 => {
                    known.insert(&row.sha256, RevokeOutcome::Expired);
                }
                Ok((hub, live)) => {
                    let place = by_hub.entry(hub.name.as_str());
                    place.or_insert_with(|| (hub, Vec::new())).1.push(live);
                }
            }
        }
        for (hub, tokens) in by_hub.values() {
            let mut outcome = RevokeOutcome::Revoked;
            for part in tokens.chunks(BATCH) {
                // A hub that failed once is not asked for each of the others.
                if outcome == RevokeOutcome::Revoked {
                    let secrets = part.iter().map(|live| &live.token).collect();
                    outcome = self.order(hub, secrets).await;
                }
                for live in part {
                    known.insert(&live.row.sha256, outcome.clone());
                }
            }
        }
        rows.iter()
            .filter_map(|row| Some((row.sha256.clone(), known.get(row.sha256.as_str())?.clone())))
            .collect()
    }

    /// Ends tokens at their hubs and writes what became of each: an entry, and where nothing is left to
    /// try the sealed token goes. Call it with [`oam_store::Committed::revoked`]. None is taken for expired: the
    /// wall clock may have leapt, and the hub would never be told. An order too many harms nobody.
    ///
    /// # Errors
    /// The store did not take it; the tokens may be ended all the same, and a sweep finds them again.
    pub async fn settle(
        &self,
        rows: &[TokenRow],
        now_ms: u64,
    ) -> Result<Vec<(String, RevokeOutcome)>, Refusal> {
        let outcomes = self.revoke_at_hub(rows, 0).await;
        self.write(rows, &outcomes, now_ms, true).await?;
        Ok(outcomes)
    }

    /// The sweep: ends, at their hubs, tokens whose role's lifetime is over while the hub still honours
    /// them, and those whose revocation failed before. To be called every few seconds. A failure leaves
    /// no entry here (the first one did): it is tried again until it succeeds or the token has expired.
    /// What is over is decided at `sure_ms`, a time that does not leap: of a token that is taken for expired the
    /// hub is never told. A hub that failed is left alone by the next sweeps, longer with each failure.
    ///
    /// # Errors
    /// The store is not there, or did not take the outcomes.
    pub async fn due_revocations(
        &self,
        now_ms: u64,
        sure_ms: u64,
    ) -> Result<Vec<(String, RevokeOutcome)>, Refusal> {
        let left_alone_from = now_ms.saturating_sub(LEFT_ALONE_MS);
        let due = self
            .parts
            .store
            .due_at_hubs(sure_ms / 1000, left_alone_from, SWEEP);
        let mut rows = due.await.map_err(|fault| fault.refusal())?;
        rows.retain(|row| !self.rests().is_resting(&row.hub, sure_ms));
        let outcomes = self.revoke_at_hub(&rows, sure_ms).await;
        self.hear(&rows, &outcomes, sure_ms);
        self.write(&rows, &outcomes, now_ms, false).await?;
        Ok(outcomes)
    }

    fn rests(&self) -> MutexGuard<'_, Rests> {
        self.rests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A hub that refused an order is left alone for a while by the sweep.
    fn hear(&self, rows: &[TokenRow], outcomes: &[(String, RevokeOutcome)], sure_ms: u64) {
        let mut took: BTreeMap<&HubName, bool> = BTreeMap::new();
        for (row, (_, outcome)) in rows.iter().zip(outcomes) {
            match outcome {
                RevokeOutcome::Revoked => {
                    took.entry(&row.hub).or_insert(true);
                }
                RevokeOutcome::Failed(_) => {
                    took.insert(&row.hub, false);
                }
                RevokeOutcome::Expired
                | RevokeOutcome::NotPossible(_)
                | RevokeOutcome::NotAsked(_) => {}
            }
        }
        let mut rests = self.rests();
        for (hub, took) in took {
            rests.heard(hub, took, sure_ms);
        }
    }

    async fn write(
        &self,
        rows: &[TokenRow],
        outcomes: &[(String, RevokeOutcome)],
        now_ms: u64,
        failures: bool,
    ) -> Result<(), Refusal> {
        let mut batch = Batch::default();
        for (row, (_, outcome)) in rows.iter().zip(outcomes) {
            if outcome.is_final() && row.sealed.is_some() {
                batch.changes.push(StoreChange::Unseal(row.sha256.clone()));
            }
            // A token that died in its time, here and there, is no event.
            let quiet = *outcome == RevokeOutcome::Expired && row.revoked_at_ms.is_none();
            if !quiet && (failures || outcome.is_final()) {
                batch.entries.push(self.entry(row, outcome, now_ms));
            }
        }
        if batch.changes.is_empty() && batch.entries.is_empty() {
            return Ok(());
        }
        let written = self.parts.store.commit(batch).await;
        written.map(drop).map_err(|fault| fault.refusal())
    }

    fn entry(&self, row: &TokenRow, outcome: &RevokeOutcome, now_ms: u64) -> AuditRecord {
        AuditRecord {
            source: Some(row.key.source.clone()),
            person: Some(row.key.key.clone()),
            name: row.name.clone(),
            role: Some(row.role.clone()),
            hub: Some(row.hub.clone()),
            repository: row.repository.clone(),
            action: Some(row.action),
            token_sha256: Some(row.sha256.clone()),
            expires_at: Some(row.expires_at),
            request_id: Some(row.request_id.clone()),
            detail: Some(outcome.words()),
            ..AuditRecord::new(AuditEvent::TokenRevoked, self.parts.org.clone(), now_ms)
        }
    }

    /// Ends a token that its hub made and that is not handed out, and puts on record what became of it. Where
    /// its hub does not take the order it is kept as revoked, and the sweep tries again. Of the issuer's own
    /// there is nothing to end: nobody has it.
    pub async fn discard(&self, order: &MintRequest<'_>, minted: MintedToken) {
        let mut row = order.row(&minted);
        if row.sealed.is_none() && matches!(order.hub.backend, Backend::Jwt { .. }) {
            return;
        }
        // What is not believed of a token is not told of it.
        let expires_at = (minted.expires_in_s > 0).then_some(row.expires_at);
        let outcome = self.order(order.hub, vec![&minted.token]).await;
        row.revoked_at_ms = Some(order.now_ms);
        let entry = AuditRecord {
            detail: Some(format!(
                "a token was made and not handed out; {}",
                outcome.words()
            )),
            expires_at,
            ..self.entry(&row, &outcome, order.now_ms)
        };
        let again = !outcome.is_final() && row.sealed.is_some();
        let epoch = None;
        let batch = Batch {
            changes: Vec::from_iter(again.then_some(StoreChange::Issue { token: row, epoch })),
            entries: vec![entry],
        };
        if let Err(fault) = self.parts.store.commit(batch).await {
            tracing::error!(
                request_id = order.request_id,
                hub = %order.hub.name,
                outcome = outcome.words(),
                why = fault.refusal().sentence,
                "a token that was not handed out could not be put on record"
            );
        }
    }

    /// The same for a token that is otherwise than asked, so that what its hub says of it is not believed.
    pub(super) async fn discard_unfit(&self, order: &MintRequest<'_>, token: Option<Secret>) {
        let Some(token) = token else {
            return;
        };
        let sha256 = sha256(token.expose().as_bytes());
        let kept = kept(&token, order.now_s().saturating_add(UNTOLD_LIFE_S));
        let sealed = self.parts.master.seal(Purpose::HubToken, &sha256, &kept);
        let minted = MintedToken {
            token,
            sha256,
            expires_in_s: 0,
            wider_than_asked: false,
            sealed: sealed.ok(),
        };
        self.discard(order, minted).await;
    }

    /// Until when its hub may honour a token, Unix seconds: longer than its role's lifetime where the hub makes
    /// none so short.
    pub fn honoured_until(&self, row: &TokenRow) -> u64 {
        honoured_until(&self.parts.master, row).unwrap_or(row.expires_at)
    }

    fn live<'a>(
        &'a self,
        row: &'a TokenRow,
        now_s: u64,
    ) -> Result<(&'a IssuerHub, Live<'a>), RevokeOutcome> {
        let hub = self.parts.hubs.iter().find(|hub| hub.name == row.hub);
        let is_own = hub.is_some_and(|hub| matches!(hub.backend, Backend::Jwt { .. }));
        if is_own {
            return Err(own_token());
        }
        let sealed = row
            .sealed
            .as_deref()
            .ok_or_else(|| RevokeOutcome::NotPossible("the token is no longer kept".to_owned()))?;
        // The right master key may be put back, as a hub may: nothing is given up while the token can be good.
        let over = row.expires_at.saturating_add(UNTOLD_LIFE_S) <= now_s;
        let unread = |why: String| {
            if over {
                RevokeOutcome::NotPossible(why)
            } else {
                RevokeOutcome::NotAsked(why)
            }
        };
        let opened = self
            .parts
            .master
            .open(Purpose::HubToken, &row.sha256, sealed)
            .map_err(|fault| unread(fault.to_string()))?;
        let unreadable = || unread("the kept token can't be read".to_owned());
        let (until, token) = opened.split_first_chunk::<8>().ok_or_else(unreadable)?;
        let token = std::str::from_utf8(token).map_err(|_| unreadable())?;
        let live = Live {
            row,
            until_s: u64::from_be_bytes(*until),
            token: Secret::new(token.to_owned()),
        };
        // It may be put back while the token still lives there.
        match hub {
            Some(hub) => Ok((hub, live)),
            None if live.until_s <= now_s => Err(RevokeOutcome::Expired),
            None => Err(RevokeOutcome::NotAsked(
                "this hub is not configured now".to_owned(),
            )),
        }
    }

    async fn order(&self, hub: &IssuerHub, tokens: Vec<&Secret>) -> RevokeOutcome {
        let url = format!("{}/api/credentials/revoke", hub.url);
        let body = Order {
            credentials: tokens.into_iter().map(Credential).collect(),
        };
        let way = self.parts.outside.within(TOTAL);
        match way.post_json(&url, &body, Auth::None).await {
            Ok(answer) if (200..300).contains(&answer.status) => RevokeOutcome::Revoked,
            // Also 404, 405 and 501: a proxy says so of a hub that is being moved or mended.
            Ok(answer) => {
                RevokeOutcome::Failed(format!("it answered with status {}", answer.status))
            }
            Err(EndpointFault::NotSent { why } | EndpointFault::Lost { why }) => {
                RevokeOutcome::Failed(why)
            }
            Err(_) => RevokeOutcome::Failed("its answer can't be read".to_owned()),
        }
    }
}

/// As [`Mint::honoured_until`]; none where nothing is kept, or this master key does not open it.
pub fn honoured_until(master: &MasterKey, row: &TokenRow) -> Option<u64> {
    let sealed = row.sealed.as_deref()?;
    let opened = master.open(Purpose::HubToken, &row.sha256, sealed).ok()?;
    opened.first_chunk().copied().map(u64::from_be_bytes)
}

fn own_token() -> RevokeOutcome {
    RevokeOutcome::NotPossible(
        "it verifies the issuer's own tokens; introspection says inactive".to_owned(),
    )
}
