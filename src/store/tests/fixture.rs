//! What the conformance tests write.

use crate::{
    Batch, Committed, Compared, EndKind, Ended, PersonRow, PersonSeen, Store, StoreChange,
    StoreFault, TokenRow,
};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::feed::FeedEvent;
use oam_model::name::RoleName;
use oam_model::principal::PrincipalKey;
use oam_model::role::Action;
use oam_policy::account::{Author, Reinstated};

/// The moment at which most things happen, Unix seconds.
pub const NOW: u64 = 1_800_000_000;
/// The same in milliseconds.
pub const NOW_MS: u64 = NOW * 1000;

pub fn person(name: &str) -> PrincipalKey {
    PrincipalKey {
        source: "okta".parse().unwrap(),
        key: format!("00u-{name}"),
    }
}

pub fn role(name: &str) -> RoleName {
    name.parse().unwrap()
}

/// A person, seen now with a token that was made now.
pub fn seen(name: &str) -> PersonSeen {
    PersonSeen {
        key: person(name),
        issuer: "https://acme.okta.example".into(),
        subject: format!("sub-{name}"),
        username: Some(name.to_owned()),
        email: Some(format!("{name}@acme.example")),
        groups: Some(vec!["ml".into()]),
        session: Some(format!("sid-{name}")),
        proven_at: NOW,
        at_ms: NOW_MS,
    }
}

/// A token of a person, good for ten minutes.
pub fn token(name: &str, sha256: &str) -> TokenRow {
    TokenRow {
        sha256: sha256.to_owned(),
        key: person(name),
        name: Some(name.to_owned()),
        role: role("publisher"),
        hub: "models".parse().unwrap(),
        repository: Some("acme/model".parse().unwrap()),
        action: Action::Write,
        issued_at: NOW,
        expires_at: NOW + 600,
        request_id: format!("request-{sha256}"),
        revoked_at_ms: None,
        sealed: None,
    }
}

/// The entry that goes with a token.
pub fn entry(token: &TokenRow) -> AuditRecord {
    let mut entry = AuditRecord::new(
        AuditEvent::Exchange,
        "acme".parse().unwrap(),
        token.issued_at * 1000,
    );
    entry.request_id = Some(token.request_id.clone());
    entry.source = Some(token.key.source.clone());
    entry.person = Some(token.key.key.clone());
    entry.name.clone_from(&token.name);
    entry.role = Some(token.role.clone());
    entry.hub = Some(token.hub.clone());
    entry.repository.clone_from(&token.repository);
    entry.action = Some(token.action);
    entry.token_sha256 = Some(token.sha256.clone());
    entry.expires_at = Some(token.expires_at);
    entry
}

/// Another entry.
pub fn noted(event: AuditEvent, at_ms: u64) -> AuditRecord {
    AuditRecord::new(event, "acme".parse().unwrap(), at_ms)
}

/// An exchange as the issuer writes it.
pub fn exchange(name: &str, sha256: &str, epoch: u64) -> Batch {
    let token = token(name, sha256);
    Batch {
        entries: vec![entry(&token)],
        changes: vec![
            StoreChange::Seen(seen(name)),
            StoreChange::Issue {
                token,
                epoch: Some(epoch),
            },
        ],
    }
}

pub fn changes(changes: impl IntoIterator<Item = StoreChange>) -> Batch {
    Batch {
        changes: changes.into_iter().collect(),
        entries: Vec::new(),
    }
}

pub fn entries(entries: impl IntoIterator<Item = AuditRecord>) -> Batch {
    Batch {
        changes: Vec::new(),
        entries: entries.into_iter().collect(),
    }
}

/// An administrator lifts their end.
pub fn restore(name: &str) -> StoreChange {
    StoreChange::Restore {
        key: person(name),
        restored: Reinstated::ByAdministrator,
    }
}

/// An administrator's end, with the event that goes with it.
pub fn end(name: &str, kind: EndKind, at_ms: u64) -> StoreChange {
    by(Author::Administrator, name, kind, at_ms)
}

/// The provider's.
pub fn told(name: &str, kind: EndKind, at_ms: u64) -> StoreChange {
    by(Author::Provider, name, kind, at_ms)
}

fn by(author: Author, name: &str, kind: EndKind, at_ms: u64) -> StoreChange {
    let reason = format!("{kind:?} at {at_ms}");
    let feed = match kind {
        EndKind::Doubt => FeedEvent::Doubt {
            at_ms,
            reason: reason.clone(),
        },
        EndKind::Session | EndKind::Account => FeedEvent::Revoked {
            at_ms,
            reason: reason.clone(),
        },
    };
    StoreChange::End {
        key: person(name),
        author,
        ended: Ended {
            kind,
            at_ms,
            reason,
        },
        feed,
    }
}

pub async fn commit(store: &dyn Store, batch: Batch) -> Committed {
    store.commit(batch).await.unwrap()
}

pub async fn refused(store: &dyn Store, batch: Batch) -> StoreFault {
    store.commit(batch).await.unwrap_err()
}

/// What roles are decided from now.
pub async fn compared(store: &dyn Store, name: &str) -> Compared {
    Compared::of(store.person(person(name)).await.unwrap().as_ref())
}

pub async fn row(store: &dyn Store, name: &str) -> PersonRow {
    store.person(person(name)).await.unwrap().unwrap()
}
