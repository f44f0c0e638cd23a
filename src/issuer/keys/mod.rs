//! The signing keys in use: read from the store, prepared once, chosen by the clock.
//!
//! What signs and what is published is decided by [`oam_policy::keys`] at every use, so a take-over
//! needs no timer and no restart; a change in the store needs only [`SigningKeys::reload`].

mod pair;
mod rotation;
#[cfg(test)]
mod tests;

pub use pair::{Made, Pair, TokenKind, alg};
pub use rotation::{Rotated, rotate};

use super::seal::{self, MasterKey};
use arc_swap::ArcSwap;
use aws_lc_rs::digest::{SHA256, digest};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::issuer::Signing;
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_policy::keys::{self, KeyLife};
use oam_store::{Batch, KeyRow, Store, StoreChange};
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::Arc;

/// The key set as it is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySet {
    /// RFC 7517 §5, JSON.
    pub json: String,
    /// Value of `ETag`, quotes included.
    pub etag: String,
    /// Value of `max-age`, seconds: so short that a hub sees a new key before it signs.
    pub max_age_s: u64,
}

/// Rows and pairs of one reading of the store.
struct Loaded {
    lives: Vec<KeyLife>,
    pairs: HashMap<String, Arc<Pair>>,
}

pub struct SigningKeys {
    store: Arc<dyn Store>,
    master: Arc<MasterKey>,
    signing: Signing,
    org: OrgName,
    loaded: ArcSwap<Loaded>,
}

/// A row's life.
pub fn life(row: &KeyRow) -> KeyLife {
    KeyLife {
        kid: row.kid.clone(),
        made_at_ms: row.made_at_ms,
        signs_from_ms: row.signs_from_ms,
        gone_at_ms: row.gone_at_ms,
    }
}

impl SigningKeys {
    /// Reads the keys, and makes the first one when there is none. Everything is opened now, so that a
    /// wrong master key is said before anything is served.
    ///
    /// # Errors
    /// The store is not there, or the master key does not open its keys.
    pub async fn open(
        store: Arc<dyn Store>,
        master: Arc<MasterKey>,
        signing: Signing,
        org: OrgName,
        now_ms: u64,
    ) -> Result<Self, Refusal> {
        let rows = store.keys().await.map_err(|fault| fault.refusal())?;
        if keys::signing(&rows.iter().map(life).collect::<Vec<_>>(), now_ms).is_none() {
            rotate(&*store, &master, signing, &org, now_ms, true).await?;
        }
        let fresh = Self {
            loaded: ArcSwap::from_pointee(Loaded {
                lives: Vec::new(),
                pairs: HashMap::new(),
            }),
            store,
            master,
            signing,
            org,
        };
        fresh.reload().await?;
        Ok(fresh)
    }

    /// Reads the rows again; pairs that are known are kept. Says whether anything is different.
    ///
    /// # Errors
    /// As [`SigningKeys::open`]; what was loaded stays in use.
    pub async fn reload(&self) -> Result<bool, Refusal> {
        let rows = self.store.keys().await.map_err(|fault| fault.refusal())?;
        let lives: Vec<KeyLife> = rows.iter().map(life).collect();
        let known = self.loaded.load();
        if known.lives == lives {
            return Ok(false);
        }
        let mut pairs = HashMap::new();
        for row in &rows {
            let pair = match known.pairs.get(&row.kid) {
                Some(pair) => Arc::clone(pair),
                None => Pair::open(row.algorithm, &row.kid, &row.sealed, &self.master)
                    .map(Arc::new)
                    .map_err(|fault| seal::locked("the signing keys", fault))?,
            };
            pairs.insert(row.kid.clone(), pair);
        }
        self.loaded.store(Arc::new(Loaded { lives, pairs }));
        Ok(true)
    }

    /// Signs claims with the key whose turn it is at `now_ms`.
    ///
    /// # Errors
    /// No key signs, or signing failed.
    pub fn sign<C: Serialize>(
        &self,
        claims: &C,
        kind: TokenKind,
        now_ms: u64,
    ) -> Result<Secret, Refusal> {
        let loaded = self.loaded.load();
        let pair = keys::signing(&loaded.lives, now_ms)
            .and_then(|row| loaded.pairs.get(&row.kid))
            .ok_or_else(|| {
                Refusal::unavailable(
                    "the issuer has no signing key",
                    "its administrators run `oam-issuer keys list` and look at the clock",
                )
            })?;
        pair.sign(claims, kind).map_err(|why| {
            Refusal::unavailable(
                format!("the token could not be signed: {why}"),
                "try again; if it stays so, the issuer's administrators look at its log",
            )
        })
    }

    /// The key set at `now_ms`.
    pub fn jwks(&self, now_ms: u64) -> KeySet {
        let loaded = self.loaded.load();
        let published: Vec<&Value> = keys::published(&loaded.lives, now_ms)
            .into_iter()
            .filter_map(|row| loaded.pairs.get(&row.kid))
            .map(|pair| pair.public())
            .collect();
        let json = json!({ "keys": published }).to_string();
        let etag = format!("\"{}\"", &sha256(json.as_bytes())[..32]);
        KeySet {
            max_age_s: keys::max_age_ms(self.signing.announce_ms) / 1000,
            json,
            etag,
        }
    }

    /// The algorithms of the published keys, for discovery.
    pub fn algorithms(&self, now_ms: u64) -> Vec<String> {
        let loaded = self.loaded.load();
        let mut found: Vec<String> = keys::published(&loaded.lives, now_ms)
            .into_iter()
            .filter_map(|row| loaded.pairs.get(&row.kid)?.public()["alg"].as_str())
            .map(str::to_owned)
            .collect();
        found.sort();
        found.dedup();
        found
    }

    /// Drops the rows of keys that are gone, with an entry each. Says how many there were.
    ///
    /// # Errors
    /// The store did not take it; nothing was dropped.
    pub async fn tidy(&self, now_ms: u64) -> Result<usize, Refusal> {
        let gone = keys::gone(&self.loaded.load().lives, now_ms);
        if gone.is_empty() {
            return Ok(0);
        }
        let mut batch = Batch::default();
        for kid in &gone {
            batch.changes.push(StoreChange::DropKey(kid.clone()));
            let detail = format!("key {kid} went: every token that it signed has expired");
            batch.entries.push(entry(&self.org, now_ms, detail));
        }
        self.store
            .commit(batch)
            .await
            .map_err(|fault| fault.refusal())?;
        self.reload().await?;
        Ok(gone.len())
    }
}

pub(super) fn entry(org: &OrgName, now_ms: u64, detail: String) -> AuditRecord {
    AuditRecord {
        detail: Some(detail),
        ..AuditRecord::new(AuditEvent::KeyRotation, org.clone(), now_ms)
    }
}

/// SHA-256 as lower-case hex: how a token is named in records.
pub fn sha256(bytes: &[u8]) -> String {
    hex::encode(digest(&SHA256, bytes))
}
