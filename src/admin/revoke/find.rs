//! Who is meant.

use oam_model::issuer::IdentitySource;
use oam_model::principal::PrincipalKey;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_store::{People, PersonRow, Store, TokenRow};

/// Who matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PersonMatch {
    /// One person.
    Seen(Box<PersonRow>),
    /// Nobody who was seen here, but the stable key says who is meant.
    Never(PrincipalKey),
    /// More than one: it must be said which.
    Several(Vec<PersonRow>),
}

/// The one person or job who is meant. After `source:` the name is looked up within that source. A whole stable
/// key wins over other people's names that look like it. With `never_seen` the name is the stable key of somebody
/// who is to be refused before they ever come.
pub(super) async fn one(
    store: &dyn People,
    sources: &[IdentitySource],
    user: &str,
    never_seen: bool,
) -> Result<PersonMatch, Refusal> {
    let mut rows = matching(store, user).await?;
    let is_key = |row: &PersonRow| row.seen.key.to_string() == user;
    if let Some(at) = rows.iter().position(is_key) {
        return Ok(PersonMatch::Seen(Box::new(rows.swap_remove(at))));
    }
    match rows.len() {
        0 if never_seen => key(sources, user).map(PersonMatch::Never),
        0 => Err(nobody(user)),
        1 => Ok(PersonMatch::Seen(Box::new(rows.swap_remove(0)))),
        _ => Ok(PersonMatch::Several(rows)),
    }
}

/// Everybody whom the text names, and after `source:` everybody of that source whom the rest names: a stable
/// key may have a colon in it too.
async fn matching(store: &dyn People, user: &str) -> Result<Vec<PersonRow>, Refusal> {
    let found = |text: &str| store.find_people(text.to_owned());
    let mut rows = found(user).await.map_err(|fault| fault.refusal())?;
    if let Some((source, name)) = user.split_once(':') {
        let within = found(name).await.map_err(|fault| fault.refusal())?;
        let within = within
            .into_iter()
            .filter(|row| row.seen.key.source.as_str() == source);
        for row in within {
            if rows.iter().all(|known| known.seen.key != row.seen.key) {
                rows.push(row);
            }
        }
    }
    Ok(rows)
}

/// Somebody with their tokens.
pub(super) struct KnownPerson {
    pub(super) row: PersonRow,
    /// Tokens that are good.
    pub(super) live: Vec<TokenRow>,
    /// Tokens that are over here, and that hubs may still honour.
    pub(super) outstanding: Vec<TokenRow>,
}

/// Everybody who matches, with their tokens.
pub(super) async fn all(
    store: &dyn Store,
    user: &str,
    now_ms: u64,
) -> Result<Vec<KnownPerson>, Refusal> {
    let mut people = Vec::new();
    for row in matching(store, user).await? {
        let key = || row.seen.key.clone();
        let live = store.live_tokens(key(), now_ms / 1000).await;
        let outstanding = store.outstanding_tokens(key(), now_ms / 1000).await;
        people.push(KnownPerson {
            live: live.map_err(|fault| fault.refusal())?,
            outstanding: outstanding.map_err(|fault| fault.refusal())?,
            row,
        });
    }
    Ok(people)
}

/// `source:key` of a source that is configured.
fn key(sources: &[IdentitySource], user: &str) -> Result<PrincipalKey, Refusal> {
    let of_source = user.split_once(':').and_then(|(source, key)| {
        let source = sources.iter().find(|one| one.name.as_str() == source)?;
        let plain = !key.is_empty() && !key.chars().any(char::is_control);
        plain.then(|| PrincipalKey {
            source: source.name.clone(),
            key: key.to_owned(),
        })
    });
    of_source.ok_or_else(|| {
        Refusal::unavailable(
            format!("{user} is no stable key of a configured source"),
            "name somebody who never came as `source:key`",
        )
    })
}

pub(super) fn nobody(user: &str) -> Refusal {
    Refusal::new(
        RefusalCode::Unavailable,
        format!("nobody who was seen here matches {user}"),
        "look at `oam-issuer people`; to refuse somebody who never came, name `source:key` with `revoke --never-seen`",
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
