//! Making a key: at the first start, and by command.

use super::{Made, Pair, entry, life};
use crate::seal::{self, MasterKey};
use crate::when::when;
use oam_model::issuer::Signing;
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_policy::keys::{self, KeyLife};
use oam_store::{Batch, KeyRow, Store, StoreChange};

/// What a rotation came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rotated {
    /// The new key.
    pub made: KeyLife,
    /// The key that it follows, with the time at which that one goes; none for the first.
    pub follows: Option<KeyLife>,
}

/// Makes a key and writes it, with what becomes of the others and the entry, in one batch. A server on
/// the same database notices by itself. `at_once`: it signs without waiting; hubs that keep an older set
/// refuse its tokens until they look again.
///
/// # Errors
/// A key already waits; the master key does not open the keys that are there (a database must not hold
/// keys of two); the store did not take it.
pub async fn rotate(
    store: &dyn Store,
    master: &MasterKey,
    signing: Signing,
    org: &OrgName,
    now_ms: u64,
    at_once: bool,
) -> Result<Rotated, Refusal> {
    let rows = store.keys().await.map_err(|fault| fault.refusal())?;
    for row in &rows {
        Pair::open(row.algorithm, &row.kid, &row.sealed, master)
            .map_err(|fault| seal::locked("the signing keys", fault))?;
    }
    let Made { pair, sealed } = Pair::generate(signing.algorithm, master).map_err(|fault| {
        Refusal::unavailable(format!("no key could be made: {fault}"), "try again")
    })?;
    let lives: Vec<KeyLife> = rows.iter().map(life).collect();
    let kid = pair.kid().to_owned();
    let plan = keys::rotate(&lives, kid, now_ms, signing.announce_ms, at_once).map_err(|waits| {
        // A denial is the policy's; this is a command that has nothing to do yet.
        Refusal::unavailable(
            format!("key {} was announced and has not taken over yet", waits.kid),
            "wait until it signs (`oam-issuer keys list`), or make one that signs at once with --now",
        )
    })?;
    let before = keys::signing(&lives, now_ms).map(|row| row.kid.clone());
    let follows = before.and_then(|kid| {
        let known = plan.changed.iter().chain(&lives);
        known.into_iter().find(|row| row.kid == kid).cloned()
    });
    let mut batch = Batch::default();
    batch.changes.push(StoreChange::PutKey(KeyRow {
        kid: plan.made.kid.clone(),
        algorithm: signing.algorithm,
        sealed,
        public: pair.public().to_string(),
        made_at_ms: plan.made.made_at_ms,
        signs_from_ms: plan.made.signs_from_ms,
        gone_at_ms: None,
    }));
    batch.entries.push(entry(
        org,
        now_ms,
        words(&plan.made, follows.as_ref(), now_ms),
    ));
    for changed in &plan.changed {
        let row = rows.iter().find(|row| row.kid == changed.kid).cloned();
        batch.changes.extend(row.map(|row| {
            StoreChange::PutKey(KeyRow {
                signs_from_ms: changed.signs_from_ms,
                gone_at_ms: changed.gone_at_ms,
                ..row
            })
        }));
    }
    for kid in plan.dropped {
        let detail = format!("key {kid} went: every token that it signed has expired");
        batch.entries.push(entry(org, now_ms, detail));
        batch.changes.push(StoreChange::DropKey(kid));
    }
    store.commit(batch).await.map_err(|fault| fault.refusal())?;
    Ok(Rotated {
        made: plan.made,
        follows,
    })
}

fn words(made: &KeyLife, follows: Option<&KeyLife>, now_ms: u64) -> String {
    let starts = if made.signs_from_ms > now_ms {
        format!("signs from {} on", when(made.signs_from_ms))
    } else {
        "signs at once".to_owned()
    };
    let after = follows.map_or_else(String::new, |row| {
        let gone = when(row.gone_at_ms.unwrap_or(made.signs_from_ms));
        format!("; key {} is published until {gone}", row.kid)
    });
    format!("key {} was made and {starts}{after}", made.kid)
}
