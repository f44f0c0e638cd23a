//! Rows as the database keeps them and as the trait tells them.

use crate::directory::ToldAt;
use crate::{AgentLogRow, KeyRow, PersonRow, PersonSeen, SecretOwner, SecretRow, TokenRow};
use aws_lc_rs::digest::{Context, SHA256};
use oam_audit::record::KnownEntry;
use oam_model::issuer::SigningAlgorithm;
use oam_model::name::NameFault;
use oam_model::principal::PrincipalKey;
use oam_model::role::Action;
use oam_policy::account::Account;
use oam_policy::admission::End;
use oam_policy::evidence::{DirectoryEvidence, EvidenceKind};
use oam_policy::teams::TeamEvidence;
use rusqlite::types::Type;
use rusqlite::{Error, Result, Row};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// Columns of [`person`], of a table named `p`.
pub(super) const PERSON: &str = "p.source, p.key, p.issuer, p.subject, p.username, p.email, p.groups, \
     p.session, p.proven_at_s, p.seen_at_ms, p.held, p.epoch, p.account_at_ms, p.account_reason, \
     p.session_at_ms, p.session_reason, p.doubt_at_ms, p.doubt_reason, p.groups_changed_at_ms, \
     p.account_restored_at_ms, p.admin_at_ms, p.admin_reason, p.directory_at_ms, p.directory_reason, \
     d.active, ifnull(d.groups_at_ms, d.changed_at_ms), d.groups_at_ms IS NOT NULL, d.kind, \
     (SELECT o.as_of_ms FROM directory_polls o WHERE o.source = d.source), (SELECT json_group_array(g.name) \
         FROM directory_members m JOIN directory_groups g ON g.number = m.directory_group \
         WHERE m.directory_user = d.number), \
     a.account, (SELECT json_group_array(t.name) FROM team_members tm \
         JOIN teams t ON t.source = tm.source AND t.id = tm.team \
         WHERE tm.source = p.source AND tm.account = a.account), \
     (SELECT read_at_ms FROM team_readings r WHERE a.account IS NOT NULL AND r.source = p.source)";

/// The table of [`PERSON`], with what the directory says, and whose account at GitHub is theirs.
pub(super) const PEOPLE: &str = "people p LEFT JOIN directory_users d ON d.source = p.source AND d.key = p.key \
     LEFT JOIN accounts a ON a.source = p.source AND a.key = p.key";

/// Columns of [`token`].
pub(super) const TOKEN: &str = "sha256, source, key, name, role, hub, repository, action, issued_at_s, \
     expires_at_s, request_id, revoked_at_ms, sealed";

/// A number as the database keeps it: one beyond its range is as good as for ever.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// 64 bits that stand for texts in an index; who looks them up compares the texts too.
pub(super) fn short(texts: &[&str]) -> i64 {
    let mut digest = Context::new(&SHA256);
    for text in texts {
        digest.update(text.as_bytes());
        digest.update(&[0]);
    }
    let mut first = [0; 8];
    first.copy_from_slice(&digest.finish().as_ref()[..8]);
    i64::from_be_bytes(first)
}

/// [`short`] of a principal: the column `claimant`.
pub(super) fn principal_hash(key: &PrincipalKey) -> i64 {
    short(&[key.source.as_str(), &key.key])
}

/// A list as one column.
pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::ToSqlConversionFailure(Box::new(error)))
}

/// A number that is never negative.
pub(super) fn number(row: &Row<'_>, at: usize) -> Result<u64> {
    let value: i64 = row.get(at)?;
    u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(at, value))
}

/// The same where there may be none.
pub(super) fn number_or_none(row: &Row<'_>, at: usize) -> Result<Option<u64>> {
    let value: Option<i64> = row.get(at)?;
    value
        .map(|value| u64::try_from(value).map_err(|_| Error::IntegralValueOutOfRange(at, value)))
        .transpose()
}

/// JSON in a column.
pub(super) fn parsed<T: DeserializeOwned>(row: &Row<'_>, at: usize) -> Result<T> {
    let text: String = row.get(at)?;
    serde_json::from_str(&text).map_err(|error| unreadable(at, error))
}

/// A name in a column.
pub(super) fn named<T: TryFrom<String, Error = NameFault>>(row: &Row<'_>, at: usize) -> Result<T> {
    T::try_from(row.get(at)?).map_err(|fault| unreadable(at, fault))
}

fn unreadable(at: usize, error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::FromSqlConversionFailure(at, Type::Text, Box::new(error))
}

/// Source and key, in columns `at` and `at + 1`.
pub(super) fn key(row: &Row<'_>, at: usize) -> Result<PrincipalKey> {
    Ok(PrincipalKey {
        source: named(row, at)?,
        key: row.get(at + 1)?,
    })
}

fn ended(row: &Row<'_>, at: usize) -> Result<Option<End>> {
    let Some(at_ms) = number_or_none(row, at)? else {
        return Ok(None);
    };
    let reason: Option<String> = row.get(at + 1)?;
    Ok(Some(End {
        at_ms,
        reason: reason.unwrap_or_default(),
    }))
}

/// A person, from the columns [`PERSON`].
pub(super) fn person(row: &Row<'_>) -> Result<PersonRow> {
    let groups: Option<String> = row.get(6)?;
    let groups = groups
        .map(|text| serde_json::from_str(&text).map_err(|error| unreadable(6, error)))
        .transpose()?;
    Ok(PersonRow {
        seen: PersonSeen {
            key: key(row, 0)?,
            issuer: row.get(2)?,
            subject: row.get(3)?,
            username: row.get(4)?,
            email: row.get(5)?,
            groups,
            session: row.get(7)?,
            proven_at: number(row, 8)?,
            at_ms: number(row, 9)?,
        },
        held: parsed(row, 10)?,
        epoch: number(row, 11)?,
        account: Account {
            provider: ended(row, 12)?,
            provider_restored_at_ms: number_or_none(row, 19)?,
            administrator: ended(row, 20)?,
            directory: ended(row, 22)?,
            session: ended(row, 14)?,
            doubt: ended(row, 16)?,
        },
        groups_changed_at_ms: number_or_none(row, 18)?,
        directory: said_by_directory(row, 24)?,
        teams: said_by_github(row, 30)?,
    })
}

/// What the directory says of a person.
fn said_by_directory(row: &Row<'_>, at: usize) -> Result<Option<DirectoryEvidence>> {
    let Some(active) = row.get(at)? else {
        return Ok(None);
    };
    let said = ToldAt {
        kind: evidence_kind(row, at + 3)?,
        at_ms: number(row, at + 1)?,
        groups: row.get(at + 2)?,
        as_of_ms: number_or_none(row, at + 4)?,
    };
    let groups = if said.groups() {
        let mut groups: Vec<String> = parsed(row, at + 5)?;
        groups.sort();
        Some(groups)
    } else {
        None
    };
    Ok(Some(DirectoryEvidence {
        kind: said.kind,
        active,
        groups,
        at_ms: said.at_ms(),
    }))
}

/// What GitHub says of a person.
fn said_by_github(row: &Row<'_>, at: usize) -> Result<Option<TeamEvidence>> {
    let Some(account) = number_or_none(row, at)? else {
        return Ok(None);
    };
    let mut groups: Vec<String> = parsed(row, at + 1)?;
    groups.sort();
    Ok(Some(TeamEvidence {
        account,
        groups,
        at_ms: number_or_none(row, at + 2)?.unwrap_or(0),
    }))
}

/// How a directory is known.
pub(super) fn evidence_kind(row: &Row<'_>, at: usize) -> Result<EvidenceKind> {
    let word: String = row.get(at)?;
    let known = EvidenceKind::ALL
        .into_iter()
        .find(|kind| kind.word() == word);
    known.ok_or_else(|| unreadable(at, NameFault("a kind of evidence".to_owned())))
}

/// What a provider said of somebody: its last end of the account, the time of its last lifting, its last end of a
/// session.
pub(super) fn spoken(row: &Row<'_>) -> Result<Account> {
    Ok(Account {
        provider: ended(row, 0)?,
        provider_restored_at_ms: number_or_none(row, 2)?,
        session: ended(row, 3)?,
        doubt: ended(row, 5)?,
        ..Account::default()
    })
}

/// A token, from the columns [`TOKEN`].
pub(super) fn token(row: &Row<'_>) -> Result<TokenRow> {
    let repository: Option<String> = row.get(6)?;
    let action: String = row.get(7)?;
    let action = [Action::Read, Action::Write, Action::Manage]
        .into_iter()
        .find(|known| known.word() == action)
        .ok_or_else(|| unreadable(7, NameFault("an action".to_owned())))?;
    Ok(TokenRow {
        sha256: row.get(0)?,
        key: key(row, 1)?,
        name: row.get(3)?,
        role: named(row, 4)?,
        hub: named(row, 5)?,
        repository: repository
            .map(|path| path.try_into().map_err(|fault| unreadable(6, fault)))
            .transpose()?,
        action,
        issued_at: number(row, 8)?,
        expires_at: number(row, 9)?,
        request_id: row.get(10)?,
        revoked_at_ms: number_or_none(row, 11)?,
        sealed: row.get(12)?,
    })
}

/// Columns of [`agent_log`].
pub(super) const AGENT_LOG: &str =
    "source, key, log, seq, hash, head_seq, at_ms, dropped_seq, dropped_hash";

/// An agent's log, from the columns [`AGENT_LOG`].
pub(super) fn agent_log(row: &Row<'_>) -> Result<AgentLogRow> {
    Ok(AgentLogRow {
        key: key(row, 0)?,
        log: row.get(2)?,
        seq: number(row, 3)?,
        hash: row.get(4)?,
        head_seq: number(row, 5)?,
        at_ms: number(row, 6)?,
        dropped: KnownEntry {
            seq: number(row, 7)?,
            hash: row.get(8)?,
        },
    })
}

/// The word of an algorithm (`alg`, RFC 7518 §3.1, RFC 8037 §3.1).
pub(super) const fn algorithm(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "ES256",
        SigningAlgorithm::EdDsa => "EdDSA",
    }
}

/// `kid, algorithm, sealed, public, made_at_ms, signs_from_ms, gone_at_ms`.
pub(super) fn signing_key(row: &Row<'_>) -> Result<KeyRow> {
    let word: String = row.get(1)?;
    let algorithm = [SigningAlgorithm::Es256, SigningAlgorithm::EdDsa]
        .into_iter()
        .find(|known| algorithm(*known) == word)
        .ok_or_else(|| unreadable(1, NameFault("an algorithm".to_owned())))?;
    Ok(KeyRow {
        kid: row.get(0)?,
        algorithm,
        sealed: row.get(2)?,
        public: row.get(3)?,
        made_at_ms: number(row, 4)?,
        signs_from_ms: number(row, 5)?,
        gone_at_ms: number_or_none(row, 6)?,
    })
}

/// Kind and name of an owner, as two columns.
pub(super) fn owner_columns(owner: &SecretOwner) -> (&'static str, &str) {
    match owner {
        SecretOwner::Hub(hub) => ("hub", hub.as_str()),
        SecretOwner::Client(name) => ("client", name),
        SecretOwner::Directory(source) => ("directory", source.as_str()),
    }
}

/// An owner, from columns `kind, owner`.
pub(super) fn owner(row: &Row<'_>) -> Result<SecretOwner> {
    let kind: String = row.get(0)?;
    match kind.as_str() {
        "hub" => named(row, 1).map(SecretOwner::Hub),
        "client" => row.get(1).map(SecretOwner::Client),
        "directory" => named(row, 1).map(SecretOwner::Directory),
        _ => Err(unreadable(0, NameFault("an owner's kind".to_owned()))),
    }
}

/// `kind, owner, number, value, hub, made_at_ms, until_ms`.
pub(super) fn secret(row: &Row<'_>) -> Result<SecretRow> {
    let hub: Option<String> = row.get(4)?;
    Ok(SecretRow {
        owner: owner(row)?,
        number: number(row, 2)?,
        value: row.get(3)?,
        hub: hub
            .map(|name| name.try_into().map_err(|fault| unreadable(4, fault)))
            .transpose()?,
        made_at_ms: number(row, 5)?,
        until_ms: number_or_none(row, 6)?,
    })
}
