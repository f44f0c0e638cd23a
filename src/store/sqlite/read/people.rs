//! People: by key, by what a signal says of them, by what an administrator types.

use super::{all, limited, one};
use crate::sqlite::rows::{PEOPLE, PERSON, int, number, person, spoken};
use crate::{PersonRow, PersonSeen};
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_model::signal::SignalSubject;
use oam_policy::account::Account;
use rusqlite::{Connection, Result, ToSql, params};

pub(in super::super) fn by_key(
    database: &Connection,
    principal: &PrincipalKey,
) -> Result<Option<PersonRow>> {
    let sql = format!("SELECT {PERSON} FROM {PEOPLE} WHERE p.source = ?1 AND p.key = ?2");
    one(
        database,
        &sql,
        (principal.source.as_str(), &principal.key),
        person,
    )
}

/// The first evidence of a session.
pub(in super::super) fn session_since(
    database: &Connection,
    principal: &PrincipalKey,
    session: &str,
) -> Result<Option<u64>> {
    one(
        database,
        "SELECT s.first_s FROM people p JOIN sessions s ON s.person = p.id
         WHERE p.source = ?1 AND p.key = ?2 AND s.sid = ?3",
        (principal.source.as_str(), &principal.key, session),
        |row| number(row, 0),
    )
}

/// The newest exchange of a code.
pub(in super::super) fn code_exchanged(
    database: &Connection,
    principal: &PrincipalKey,
) -> Result<Option<u64>> {
    one(
        database,
        "SELECT s.first_s FROM people p JOIN sessions s ON s.person = p.id
         WHERE p.source = ?1 AND p.key = ?2 AND substr(s.sid, 1, length(?3)) = ?3
         ORDER BY s.first_s DESC LIMIT 1",
        (
            principal.source.as_str(),
            &principal.key,
            oam_policy::claims::CODE_EXCHANGE,
        ),
        |row| number(row, 0),
    )
}

/// People of a source whom a signal names. Every member given must match; an issuer alone names nobody.
pub(in super::super) fn by_signal(
    database: &Connection,
    source: &SourceName,
    subject: &SignalSubject,
) -> Result<Vec<PersonRow>> {
    let members: [(&Option<String>, &str); 4] = [
        (&subject.key, "p.key = ?"),
        (&subject.subject, "p.subject = ?"),
        (&subject.email, "p.email = ? COLLATE NOCASE"),
        (
            &subject.session,
            "p.id IN (SELECT person FROM sessions WHERE sid = ?)",
        ),
    ];
    let mut conditions = vec!["p.source = ?"];
    let source = source.as_str();
    let mut values: Vec<&dyn ToSql> = vec![&source];
    for (member, condition) in &members {
        if let Some(text) = member {
            conditions.push(condition);
            values.push(text);
        }
    }
    if values.len() == 1 {
        return Ok(Vec::new());
    }
    if let Some(issuer) = &subject.issuer {
        conditions.push("p.issuer = ?");
        values.push(issuer);
    }
    let sql = format!(
        "SELECT {PERSON} FROM {PEOPLE} WHERE {} ORDER BY p.source, p.key",
        conditions.join(" AND ")
    );
    all(database, &sql, values.as_slice(), person)
}

/// People by stable key, `source:key`, subject, user name or e-mail; names without regard to ASCII case.
pub(in super::super) fn by_text(database: &Connection, text: &str) -> Result<Vec<PersonRow>> {
    // Somebody who was not seen yet has empty names: nobody is meant by one.
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let (source, key) = text.split_once(':').unwrap_or(("", ""));
    let sql = format!(
        "SELECT {PERSON} FROM {PEOPLE} WHERE p.id IN (
             SELECT id FROM people WHERE key = ?1
             UNION SELECT id FROM people WHERE source = ?2 AND key = ?3
             UNION SELECT id FROM people WHERE subject = ?1
             UNION SELECT id FROM people WHERE username = ?1 COLLATE NOCASE
             UNION SELECT id FROM people WHERE email = ?1 COLLATE NOCASE)
         ORDER BY p.source, p.key"
    );
    all(database, &sql, (text, source, key), person)
}

/// People seen after `since_ms` or with a token that is good after it, in order of their keys.
pub(in super::super) fn recent(
    database: &Connection,
    since_ms: u64,
    after: Option<&PrincipalKey>,
    limit: usize,
) -> Result<Vec<PersonRow>> {
    let sql = format!(
        "SELECT {PERSON} FROM {PEOPLE}
         WHERE (p.source, p.key) > (?1, ?2)
             AND (p.seen_at_ms > ?3 OR EXISTS (
                 SELECT 1 FROM tokens t WHERE t.claimant = p.claimant AND t.source = p.source
                     AND t.key = p.key AND t.revoked_at_ms IS NULL AND t.expires_at_s > ?4))
         ORDER BY p.source, p.key LIMIT ?5"
    );
    all(
        database,
        &sql,
        params![
            after.map_or("", |after| after.source.as_str()),
            after.map_or("", |after| after.key.as_str()),
            int(since_ms),
            int(since_ms / 1000),
            limited(limit)
        ],
        person,
    )
}

/// Columns of [`spoken`].
const SPOKEN: &str =
    "account_at_ms, account_reason, account_restored_at_ms, session_at_ms, session_reason,
     doubt_at_ms, doubt_reason";

/// What was kept under names of somebody who comes for the first time: every member of a name must match.
pub(in super::super) fn unmatched(
    database: &Connection,
    seen: &PersonSeen,
) -> Result<Vec<Account>> {
    let sql = format!(
        "SELECT {SPOKEN} FROM unmatched
         WHERE source = ?1 AND issuer IN ('', ?2) AND subject IN ('', ?3)
             AND (email = '' OR email = ?4) AND key IN ('', ?5) AND (session = '' OR session = ?6)"
    );
    all(
        database,
        &sql,
        params![
            seen.key.source.as_str(),
            seen.issuer,
            seen.subject,
            seen.email,
            seen.key.key,
            seen.session,
        ],
        spoken,
    )
}

/// What was kept under this very name.
pub(in super::super) fn unmatched_of(
    database: &Connection,
    source: &SourceName,
    subject: &SignalSubject,
) -> Result<Option<Account>> {
    let sql = format!(
        "SELECT {SPOKEN} FROM unmatched WHERE source = ?1 AND issuer = ?2 AND subject = ?3
             AND email = ?4 AND key = ?5 AND session = ?6"
    );
    let name = |name: &Option<String>| name.clone().unwrap_or_default();
    one(
        database,
        &sql,
        params![
            source.as_str(),
            name(&subject.issuer),
            name(&subject.subject),
            name(&subject.email),
            name(&subject.key),
            name(&subject.session),
        ],
        spoken,
    )
}
