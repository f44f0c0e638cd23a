//! What a provider said of people who were not seen yet: kept by the names that it gave.

use super::super::read::people::{by_key, by_signal, unmatched};
use super::super::rows::int;
use super::{ApplyError, Done, run};
use crate::{PersonRow, PersonSeen, StoreFault};
use oam_model::name::SourceName;
use oam_model::signal::SignalSubject;
use oam_policy::account::AccountEvent;
use rusqlite::{Connection, params};

/// Refused when somebody of these names was seen meanwhile: the event is theirs.
pub(super) fn check(
    database: &Connection,
    source: &SourceName,
    subjects: &[SignalSubject],
) -> Done {
    for subject in subjects {
        if !by_signal(database, source, subject)?.is_empty() {
            return Err(ApplyError::Told(StoreFault::Overtaken));
        }
    }
    Ok(())
}

/// Keeps an event under each of the names.
pub(super) fn keep(
    database: &Connection,
    source: &SourceName,
    subjects: &[SignalSubject],
    event: &AccountEvent,
) -> Done {
    for subject in subjects.iter().filter(|subject| !subject.is_empty()) {
        put(database, source, subject, event)?;
    }
    Ok(())
}

fn put(
    database: &Connection,
    source: &SourceName,
    subject: &SignalSubject,
    event: &AccountEvent,
) -> Done {
    let known = super::super::read::people::unmatched_of(database, source, subject)?;
    let after = known.unwrap_or_default().after(event);
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    run(
        database,
        "INSERT OR REPLACE INTO unmatched (source, issuer, subject, email, key, session,
             account_at_ms, account_reason, account_restored_at_ms, session_at_ms, session_reason,
             doubt_at_ms, doubt_reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
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
            after.doubt.as_ref().map(|end| int(end.at_ms)),
            after.doubt.as_ref().map(|end| &end.reason),
        ],
    )
}

/// Refused when something is known of somebody who comes for the first time: it is to be taken over first.
pub(super) fn none(database: &Connection, seen: &PersonSeen) -> Done {
    let row = by_key(database, &seen.key)?;
    if PersonRow::is_first_sight(row.as_ref()) && !unmatched(database, seen)?.is_empty() {
        return Err(ApplyError::Told(StoreFault::Overtaken));
    }
    Ok(())
}
