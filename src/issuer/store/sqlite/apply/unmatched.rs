//! What a provider said of people who were not seen yet: kept by the names that it gave, and taken over when
//! somebody of such a name comes.

use super::super::read::people::{by_key, by_signal, unmatched};
use super::super::rows::int;
use super::{Done, Undone, ends, people, run};
use crate::issuer::store::{PersonSeen, StoreFault};
use crate::model::name::SourceName;
use crate::model::signal::SignalSubject;
use crate::rules::account::{Account, Author, Event, Restored};
use rusqlite::{Connection, params};

/// Refused when somebody of these names was seen meanwhile: the event is theirs.
pub(super) fn check(
    database: &Connection,
    source: &SourceName,
    subjects: &[SignalSubject],
) -> Done {
    for subject in subjects {
        if !by_signal(database, source, subject)?.is_empty() {
            return Err(Undone::Told(StoreFault::Overtaken));
        }
    }
    Ok(())
}

/// Keeps an event under each of the names.
pub(super) fn keep(
    database: &Connection,
    source: &SourceName,
    subjects: &[SignalSubject],
    event: &Event,
) -> Done {
    for subject in subjects.iter().filter(|subject| !subject.is_empty()) {
        put(database, source, subject, event)?;
    }
    Ok(())
}

fn put(database: &Connection, source: &SourceName, subject: &SignalSubject, event: &Event) -> Done {
    let known = super::super::read::people::unmatched_of(database, source, subject)?;
    let after = known.unwrap_or_default().after(event);
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    run(
        database,
        "INSERT OR REPLACE INTO unmatched (source, issuer, subject, email, key, session,
             account_at_ms, account_reason, account_restored_at_ms, session_at_ms, session_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            source.as_str(),
            name(&subject.issuer),
            name(&subject.subject),
            name(&subject.email),
            name(&subject.key),
            name(&subject.session),
            after.provider.as_ref().map(|end| int(end.at_ms)),
            after.provider.as_ref().map(|end| &end.reason),
            after.provider_restored_at_ms.map(int),
            after.session.as_ref().map(|end| int(end.at_ms)),
            after.session.as_ref().map(|end| &end.reason),
        ],
    )
}

/// Refused when something is known of somebody who comes for the first time: it is to be taken over first.
pub(super) fn none(database: &Connection, seen: &PersonSeen) -> Done {
    let row = by_key(database, &seen.key)?;
    if row.is_none_or(|row| row.is_never_seen()) && !unmatched(database, seen)?.is_empty() {
        return Err(Undone::Told(StoreFault::Overtaken));
    }
    Ok(())
}

/// Somebody came for the first time: what was said of them before is theirs.
pub(super) fn take_over(database: &Connection, seen: &PersonSeen) -> Done {
    let known = unmatched(database, seen)?;
    people::seen(database, seen)?;
    for event in known.iter().flat_map(events) {
        ends::put(database, &seen.key, &event)?;
    }
    people::overtake(database, &seen.key)
}

/// The events that make an account of these. They come to the same in any order.
fn events(account: &Account) -> Vec<Event> {
    let provider = account.provider.clone();
    let ended = provider.map(|end| Event::Ended(Author::Provider, end));
    let restored = account.provider_restored_at_ms;
    let restored = restored.map(|at_ms| Event::Restored(Restored::ByProvider(at_ms)));
    let session = account.session.clone().map(Event::SessionEnded);
    ended.into_iter().chain(restored).chain(session).collect()
}
