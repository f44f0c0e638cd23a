//! What happens to somebody, made up.

use crate::tests::fixture::*;
use crate::{Compared, EndKind, Ended, PersonSeen, StoreChange};
use oam_model::feed::FeedEvent;
use oam_model::signal::SignalSubject;
use oam_policy::account::{AccountEvent, Author, Reinstated};
use oam_policy::admission::End;
use proptest::prelude::*;

/// What happens to somebody; times are seconds after [`NOW`].
#[derive(Debug, Clone)]
pub(super) enum Step {
    Seen {
        proven: u64,
        session: u8,
    },
    Ended(Author, EndKind, u64),
    Restored(Reinstated),
    Token {
        role: bool,
        lives: u64,
    },
    Roles {
        groups: Option<u8>,
        publisher: bool,
        at: u64,
    },
    Held {
        publisher: bool,
        at: u64,
    },
    Said {
        name: u8,
        event: u8,
        at: u64,
    },
}

pub(super) fn at_ms(at: u64) -> u64 {
    NOW_MS + at * 1000
}

/// What a provider says, which may arrive in any order and twice.
fn told() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u64..8, 0u8..3).prop_map(|(proven, session)| Step::Seen { proven, session }),
        (kind(), 0u64..8).prop_map(|(kind, at)| Step::Ended(Author::Provider, kind, at)),
        (0u64..8).prop_map(|at| Step::Restored(Reinstated::ByProvider(at_ms(at)))),
    ]
}

fn kind() -> impl Strategy<Value = EndKind> {
    prop_oneof![
        Just(EndKind::Doubt),
        Just(EndKind::Session),
        Just(EndKind::Account)
    ]
}

/// Orders of administrators, which count in their order.
fn ordered() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0u64..8).prop_map(|at| Step::Ended(Author::Administrator, EndKind::Account, at)),
        Just(Step::Restored(Reinstated::ByAdministrator)),
    ]
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => told(),
        2 => ordered(),
        1 => (0u64..8).prop_map(|at| Step::Restored(Reinstated::ForProvider(at_ms(at)))),
        2 => (any::<bool>(), 0u64..9).prop_map(|(role, lives)| Step::Token { role, lives }),
        1 => (prop::option::of(0u8..2), any::<bool>(), 0u64..8)
            .prop_map(|(groups, publisher, at)| Step::Roles { groups, publisher, at }),
        1 => (any::<bool>(), 0u64..8).prop_map(|(publisher, at)| Step::Held { publisher, at }),
        1 => (0u8..4, 0u8..4, 0u64..8).prop_map(|(name, event, at)| Step::Said { name, event, at }),
    ]
}

pub(super) fn of_source(source: &str, name: &str) -> PersonSeen {
    let mut seen = seen(name);
    seen.key.source = source.parse().unwrap();
    seen
}

fn feed(at_ms: u64) -> FeedEvent {
    let reason = String::new();
    FeedEvent::Revoked { at_ms, reason }
}

/// A step as a change of the person who is seen here; `number` makes a token's own name. Roles are decided `from`.
pub(super) fn change(who: &PersonSeen, step: &Step, number: usize, from: Compared) -> StoreChange {
    let key = who.key.clone();
    let held = |publisher: bool| {
        let other = (!publisher).then(|| role("reader"));
        vec![other.unwrap_or_else(|| role("publisher"))]
    };
    match step {
        Step::Seen { proven, session } => StoreChange::Seen(person_seen(who, *proven, *session)),
        Step::Ended(author, kind, at) => StoreChange::End {
            key,
            author: *author,
            ended: ended(*author, *kind, *at),
            feed: feed(at_ms(*at)),
        },
        Step::Restored(restored) => StoreChange::Restore {
            key,
            restored: *restored,
        },
        Step::Token {
            role: reader,
            lives,
        } => {
            let sha256 = format!("{}-{}-{number}", key.source.as_str(), key.key);
            let mut token = token("x", &sha256);
            (token.key, token.expires_at) = (key, NOW + lives);
            if *reader {
                token.role = role("reader");
            }
            StoreChange::Issue { token, epoch: None }
        }
        Step::Roles {
            groups,
            publisher,
            at,
        } => StoreChange::RolesChanged {
            key,
            from,
            groups: groups.map(|one| vec![format!("signal {one}")]),
            held: held(*publisher),
            at_ms: at_ms(*at),
            feed: None,
        },
        Step::Held { publisher, at } => StoreChange::Held {
            key,
            from,
            held: held(*publisher),
            lost: publisher.then(|| role("reader")).into_iter().collect(),
            at_ms: at_ms(*at),
            feed: Some(feed(at_ms(*at))),
        },
        Step::Said { name, event, at } => StoreChange::Unmatched {
            source: key.source,
            subjects: vec![said_name(who, *name)],
            event: said_event(*event, *at),
        },
    }
}

fn person_seen(who: &PersonSeen, proven: u64, session: u8) -> PersonSeen {
    PersonSeen {
        proven_at: NOW + proven,
        at_ms: at_ms(proven) + 1,
        session: (session > 0).then(|| format!("s{session}")),
        groups: Some(vec![format!("g{proven}")]),
        ..who.clone()
    }
}

fn ended(author: Author, kind: EndKind, at: u64) -> Ended {
    Ended {
        kind,
        at_ms: at_ms(at),
        reason: format!("{author:?} {kind:?}"),
    }
}

fn said_event(event: u8, at: u64) -> AccountEvent {
    let end = End {
        at_ms: at_ms(at),
        reason: "said".to_owned(),
    };
    match event {
        0 => AccountEvent::Ended(Author::Provider, end),
        1 => AccountEvent::SessionEnded(end),
        2 => AccountEvent::Doubted(end),
        _ => AccountEvent::Restored(Reinstated::ByProvider(end.at_ms)),
    }
}

pub(super) fn said_name(who: &PersonSeen, name: u8) -> SignalSubject {
    let mut subject = SignalSubject::default();
    match name {
        0 => subject.subject = Some(who.subject.clone()),
        1 => subject.email = who.email.as_ref().map(|mail| mail.to_uppercase()),
        2 => subject.key = Some(who.key.key.clone()),
        _ => subject.session.clone_from(&who.session),
    }
    subject
}

/// The event of a step that an account is made of.
pub(super) fn event(step: &Step) -> Option<AccountEvent> {
    match step {
        Step::Ended(author, kind, at) => Some(ended(*author, *kind, *at).event(*author)),
        Step::Restored(restored) => Some(AccountEvent::Restored(*restored)),
        _ => None,
    }
}

/// The provider's account, told from all its events by their times alone.
pub(super) fn is_ended_by_time(told: &[Step]) -> bool {
    let ended = told.iter().filter_map(|step| match step {
        Step::Ended(Author::Provider, EndKind::Account, at) => Some(at_ms(*at)),
        _ => None,
    });
    let restored = told.iter().filter_map(|step| match step {
        Step::Restored(Reinstated::ByProvider(at_ms)) => Some(*at_ms),
        _ => None,
    });
    let (ended, restored) = (ended.max(), restored.max());
    ended.is_some() && ended >= restored
}

/// What a provider tells in an order, some of it twice, with the administrators' orders strewn in.
pub(super) fn arrivals() -> impl Strategy<Value = (Vec<Step>, Vec<Step>, Vec<Step>)> {
    let steps = (
        prop::collection::vec(told(), 0..7),
        prop::collection::vec(ordered(), 0..4),
        prop::collection::vec((0usize..9, 0usize..7), 4),
    );
    steps.prop_flat_map(|(told, ordered, places)| {
        let mut twice = told.clone();
        twice.extend(
            places
                .iter()
                .filter_map(|(_, again)| told.get(*again).cloned()),
        );
        (Just((told, ordered, places)), Just(twice).prop_shuffle()).prop_map(
            |((told, ordered, places), mut arrived)| {
                let mut at = 0;
                for (order, (place, _)) in ordered.iter().zip(places) {
                    at = (at + place).min(arrived.len());
                    arrived.insert(at, order.clone());
                    at += 1;
                }
                (told, ordered, arrived)
            },
        )
    })
}
