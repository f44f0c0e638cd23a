//! Client secrets: the issuer's own at hubs (sealed, for they must be sent), and those of clients that
//! are registered here to introspect (as salted hashes).

use super::seal::{self, MasterKey, Purpose};
use super::when::when;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::{hmac, rand};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::name::{HubName, OrgName, SourceName};
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_store::{Batch, SecretOwner, SecretRow, Secrets, Store, StoreChange, StoreFault};
use zeroize::Zeroizing;

/// Bytes of salt before a client's hash.
const SALT: usize = 16;

/// The issuer's secrets at `hub` that are good at `now_ms`, newest first, each with its number.
///
/// # Errors
/// The store is not there, or the master key does not open one.
pub async fn of_hub(
    store: &dyn Secrets,
    master: &MasterKey,
    hub: &HubName,
    now_ms: u64,
) -> Result<Vec<(u64, Secret)>, Refusal> {
    let rows = store
        .secrets(SecretOwner::Hub(hub.clone()))
        .await
        .map_err(|fault| fault.refusal())?;
    let good = rows.iter().filter(|row| is_good(row, now_ms));
    good.map(|row| {
        let secret = master
            .open_text(Purpose::ClientSecret, hub.as_str(), &row.value)
            .map_err(|fault| seal::locked(&format!("the client secret of hub {hub}"), fault))?;
        Ok((row.number, secret))
    })
    .collect()
}

/// Opens every secret of every hub once, so that a wrong master key is said before anything is served.
///
/// # Errors
/// As [`of_hub`].
pub async fn check(store: &dyn Secrets, master: &MasterKey) -> Result<(), Refusal> {
    let owners = store
        .secret_owners()
        .await
        .map_err(|fault| fault.refusal())?;
    for owner in owners {
        if let SecretOwner::Hub(hub) = owner {
            of_hub(store, master, &hub, 0).await?;
        }
    }
    Ok(())
}

/// The hub whose tokens the client `name` may look at, when `secret` is one of its good ones.
///
/// # Errors
/// The store is not there.
pub async fn verify_client(
    store: &dyn Secrets,
    name: &str,
    secret: &Secret,
    now_ms: u64,
) -> Result<Option<HubName>, StoreFault> {
    let rows = store.secrets(SecretOwner::Client(name.to_owned())).await?;
    // Every row is compared, so that the time tells nothing of which one it was.
    let mut found = None;
    for row in rows.iter().filter(|row| is_good(row, now_ms)) {
        if is_hash_of(&row.value, secret) {
            found.clone_from(&row.hub);
        }
    }
    Ok(found)
}

/// What a directory's token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DirectoryToken {
    /// The token of this source's directory.
    Good(SourceName),
    /// It was one, and is no longer good.
    Over(SourceName),
    /// Nobody's.
    Foreign,
}

/// Whose directory shows this token, of these sources.
///
/// # Errors
/// The store is not there.
pub async fn verify_directory(
    store: &dyn Secrets,
    sources: &[&SourceName],
    token: &Secret,
    now_ms: u64,
) -> Result<DirectoryToken, StoreFault> {
    let mut found = DirectoryToken::Foreign;
    // Every row is compared, so that the time tells nothing of which one it was.
    for source in sources {
        let owner = SecretOwner::Directory((*source).clone());
        for row in store.secrets(owner).await? {
            if !is_hash_of(&row.value, token) {
                continue;
            }
            if is_good(&row, now_ms) {
                found = DirectoryToken::Good((*source).clone());
            } else if found == DirectoryToken::Foreign {
                found = DirectoryToken::Over((*source).clone());
            }
        }
    }
    Ok(found)
}

/// Whether a secret is good at this moment.
pub fn is_good(row: &SecretRow, now_ms: u64) -> bool {
    row.until_ms.is_none_or(|until| now_ms < until)
}

/// A fresh secret of a client: 32 random bytes in base64.
///
/// # Errors
/// The system gave no randomness.
pub fn fresh_client_secret() -> Result<Secret, Refusal> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(&mut *bytes).map_err(|_| no_randomness())?;
    let mut text = String::with_capacity(43);
    URL_SAFE_NO_PAD.encode_string(*bytes, &mut text);
    Ok(Secret::new(text))
}

/// Salt, then HMAC-SHA-256 of the secret under it. No password hash: those slow down the guessing of
/// words that people choose, and 256 random bits can't be guessed at any speed, while each introspection
/// of a hub would pay for the slowness.
///
/// # Errors
/// The system gave no randomness.
pub fn hash_of(secret: &Secret) -> Result<Vec<u8>, Refusal> {
    let mut salt = [0; SALT];
    rand::fill(&mut salt).map_err(|_| no_randomness())?;
    let mut value = salt.to_vec();
    value.extend_from_slice(tag(&salt, secret).as_ref());
    Ok(value)
}

fn is_hash_of(value: &[u8], secret: &Secret) -> bool {
    let Some((salt, hash)) = value.split_at_checked(SALT) else {
        return false;
    };
    verify_slices_are_equal(tag(salt, secret).as_ref(), hash).is_ok()
}

fn tag(salt: &[u8], secret: &Secret) -> hmac::Tag {
    let key = hmac::Key::new(hmac::HMAC_SHA256, salt);
    hmac::sign(&key, secret.expose().as_bytes())
}

fn no_randomness() -> Refusal {
    Refusal::unavailable("the system gave no randomness", "try again")
}

/// A secret that is to be kept.
pub struct NewSecret {
    /// Whose.
    pub owner: SecretOwner,
    /// Sealed text, or salt and hash.
    pub value: Vec<u8>,
    /// For a client: its hub.
    pub hub: Option<HubName>,
    /// How long those before it stay good, ms; 0: they are dropped at once.
    pub overlap_ms: u64,
    /// How long it is good itself, ms; none: until another one takes its place.
    pub good_for_ms: Option<u64>,
}

/// Writes a secret as the newest of its owner, with what becomes of those before it and the entry, in
/// one batch. A server on the same database uses it from then on.
///
/// # Errors
/// The store did not take it; nothing changed.
pub async fn put(
    store: &dyn Store,
    org: &OrgName,
    new: NewSecret,
    now_ms: u64,
) -> Result<u64, Refusal> {
    let owner = new.owner;
    let rows = store
        .secrets(owner.clone())
        .await
        .map_err(|fault| fault.refusal())?;
    let number = rows.iter().map(|row| row.number).max().unwrap_or(0) + 1;
    let until = now_ms.saturating_add(new.overlap_ms);
    let mut batch = Batch::default();
    for row in rows {
        let ends = row.until_ms.map_or(until, |known| known.min(until));
        batch.changes.push(if ends <= now_ms {
            StoreChange::DropSecret {
                owner: owner.clone(),
                number: row.number,
            }
        } else {
            StoreChange::PutSecret(SecretRow {
                until_ms: Some(ends),
                ..row
            })
        });
    }
    let before = match (number, new.overlap_ms) {
        (1, _) => String::new(),
        (_, 0) => "; those before it were dropped".to_owned(),
        _ => format!("; those before it stay good until {}", when(until)),
    };
    let detail = format!("secret {number} of {} was set{before}", of(&owner));
    batch.entries.push(entry(org, &owner, detail, now_ms));
    // The newest comes last, whatever the store makes of the order.
    batch.changes.push(StoreChange::PutSecret(SecretRow {
        owner,
        number,
        value: new.value,
        hub: new.hub,
        made_at_ms: now_ms,
        until_ms: new.good_for_ms.map(|ms| now_ms.saturating_add(ms)),
    }));
    store.commit(batch).await.map_err(|fault| fault.refusal())?;
    Ok(number)
}

/// Drops all secrets of an owner, with an entry. Says how many there were.
///
/// # Errors
/// The store did not take it; nothing changed.
pub async fn drop_all(
    store: &dyn Store,
    org: &OrgName,
    owner: SecretOwner,
    now_ms: u64,
) -> Result<usize, Refusal> {
    let rows = store
        .secrets(owner.clone())
        .await
        .map_err(|fault| fault.refusal())?;
    let count = rows.len();
    if count == 0 {
        return Ok(0);
    }
    let detail = format!("the secrets of {} were dropped", of(&owner));
    let entries = vec![entry(org, &owner, detail, now_ms)];
    let changes = rows.into_iter().map(|row| StoreChange::DropSecret {
        owner: row.owner,
        number: row.number,
    });
    let batch = Batch {
        changes: changes.collect(),
        entries,
    };
    store.commit(batch).await.map_err(|fault| fault.refusal())?;
    Ok(count)
}

/// An owner in words.
pub fn of(owner: &SecretOwner) -> String {
    match owner {
        SecretOwner::Hub(hub) => format!("hub {hub}"),
        SecretOwner::Client(name) => format!("client {name}"),
        SecretOwner::Directory(source) => format!("the directory of {source}"),
    }
}

fn entry(org: &OrgName, owner: &SecretOwner, detail: String, now_ms: u64) -> AuditRecord {
    let hub = match owner {
        SecretOwner::Hub(hub) => Some(hub.clone()),
        SecretOwner::Client(_) | SecretOwner::Directory(_) => None,
    };
    let source = match owner {
        SecretOwner::Directory(source) => Some(source.clone()),
        SecretOwner::Hub(_) | SecretOwner::Client(_) => None,
    };
    AuditRecord {
        hub,
        source,
        detail: Some(detail),
        ..AuditRecord::new(AuditEvent::SecretRotation, org.clone(), now_ms)
    }
}

#[cfg(test)]
mod tests;
