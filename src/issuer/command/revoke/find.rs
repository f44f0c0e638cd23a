//! Who is meant.

use crate::issuer::standing::Order;
use crate::issuer::store::{PersonRow, Store, TokenRow};
use crate::model::claimant::ClaimantKey;
use crate::model::issuer::Source;
use crate::model::refusal::{Refusal, RefusalCode};

/// Who matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// One person.
    Seen(Box<PersonRow>),
    /// Nobody who was seen here, but the stable key says who is meant.
    Never(ClaimantKey),
    /// More than one: it must be said which.
    Several(Vec<PersonRow>),
}

/// The one person who is meant. The whole stable key wins over other people's names that look like it; with
/// `source:key` somebody can be refused before they ever come.
pub(super) async fn one(
    store: &dyn Store,
    sources: &[Source],
    user: &str,
    order: &Order,
) -> Result<Found, Refusal> {
    let mut rows = store
        .find_people(user.to_owned())
        .await
        .map_err(|fault| fault.refusal())?;
    if let Some(at) = rows.iter().position(|row| row.seen.key.to_string() == user) {
        return Ok(Found::Seen(Box::new(rows.swap_remove(at))));
    }
    match rows.len() {
        0 => match key(sources, user) {
            Some(key) if *order != Order::Restore => Ok(Found::Never(key)),
            _ => Err(nobody(user)),
        },
        1 => Ok(Found::Seen(Box::new(rows.swap_remove(0)))),
        _ => Ok(Found::Several(rows)),
    }
}

/// Everybody who matches, with their live tokens.
pub(super) async fn all(
    store: &dyn Store,
    user: &str,
    now_ms: u64,
) -> Result<Vec<(PersonRow, Vec<TokenRow>)>, Refusal> {
    let rows = store.find_people(user.to_owned()).await;
    let mut people = Vec::new();
    for row in rows.map_err(|fault| fault.refusal())? {
        let tokens = store.live_tokens(row.seen.key.clone(), now_ms / 1000).await;
        people.push((row, tokens.map_err(|fault| fault.refusal())?));
    }
    Ok(people)
}

/// `source:key` of a source that is configured.
fn key(sources: &[Source], user: &str) -> Option<ClaimantKey> {
    let (source, key) = user.split_once(':')?;
    let source = sources.iter().find(|one| one.name.as_str() == source)?;
    (!key.is_empty() && !key.chars().any(char::is_control)).then(|| ClaimantKey {
        source: source.name.clone(),
        key: key.to_owned(),
    })
}

pub(super) fn nobody(user: &str) -> Refusal {
    Refusal::new(
        RefusalCode::Unavailable,
        format!("nobody who was seen here matches {user}"),
        "name somebody who was seen, or `source:key` to refuse somebody who never came",
    )
}

pub(super) fn ambiguous(user: &str, rows: &[PersonRow]) -> Refusal {
    let keys: Vec<String> = rows
        .iter()
        .take(10)
        .map(|row| row.seen.key.to_string())
        .collect();
    Refusal::bad_request(
        format!("{} people match {user}; nothing was done", rows.len()),
        format!("name one of them: {}", keys.join(", ")),
    )
}
