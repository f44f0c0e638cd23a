//! Signals and orders on a real database: what they end, once, and what they leave.

mod authors;
mod changes;
mod strangers;

use super::{Applied, SignalOrigin, SignalProcessor, facts};
use oam_model::feed::FeedEvent;
use oam_model::name::{OrgName, RoleName};
use oam_model::principal::PrincipalKey;
use oam_model::role::Action;
use oam_model::signal::{Signal, SignalMeaning, SignalSubject};
use oam_policy::claims::fixture::{NOW, okta};
use oam_policy::policy::{Index, fixture};
use oam_store::sqlite::SqliteStore;
use oam_store::{AuditTrail, IssuedTokens, People, Revocations};
use oam_store::{Batch, Compared, PersonRow, PersonSeen, Store, StoreChange, StoreFault, TokenRow};

const NOW_MS: u64 = NOW * 1000;

struct World {
    _folder: tempfile::TempDir,
    store: SqliteStore,
    policy: Index,
}

fn org() -> OrgName {
    "acme".parse().unwrap()
}

fn key(name: &str) -> PrincipalKey {
    PrincipalKey {
        source: "okta".parse().unwrap(),
        key: format!("00u-{name}"),
    }
}

fn roles(names: &[&str]) -> Vec<RoleName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

impl World {
    /// Ada and bob were seen; each holds a live token as reader and as publisher.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("issuer.db"), &org())
            .map_err(|r| r.sentence)
            .unwrap();
        let world = Self {
            _folder: folder,
            store,
            policy: fixture::index(),
        };
        for name in ["ada", "bob"] {
            world.seen(name, NOW - 100).await;
        }
        world
    }

    async fn seen(&self, name: &str, proven_at: u64) {
        let seen = PersonSeen {
            key: key(name),
            issuer: okta().issuer,
            subject: format!("sub-{name}"),
            username: Some(name.to_owned()),
            email: Some(format!("{name}@acme.example")),
            groups: Some(vec!["publishers".to_owned()]),
            session: Some(format!("sid-{name}")),
            proven_at,
            at_ms: proven_at * 1000,
        };
        let held = StoreChange::Held {
            key: key(name),
            from: Compared::of(self.store.person(key(name)).await.unwrap().as_ref()),
            held: roles(&["publisher", "reader"]),
            lost: Vec::new(),
            at_ms: 0,
            feed: None,
        };
        let tokens = ["reader", "publisher"].map(|role| StoreChange::Issue {
            token: token(name, role),
            epoch: None,
        });
        let mut changes = vec![StoreChange::Seen(seen), held];
        changes.extend(tokens);
        self.commit(changes).await.unwrap();
    }

    async fn commit(&self, changes: Vec<StoreChange>) -> Result<(), StoreFault> {
        let batch = Batch {
            changes,
            entries: Vec::new(),
        };
        self.store.commit(batch).await.map(drop)
    }

    async fn apply(&self, signal: &Signal) -> Applied {
        let standing = SignalProcessor {
            store: &self.store,
            policy: &self.policy,
        };
        let origin = SignalOrigin {
            request_id: Some("r-1"),
            from: Some("192.0.2.7"),
        };
        standing.apply(signal, origin, NOW_MS).await.unwrap()
    }

    async fn row(&self, name: &str) -> PersonRow {
        self.store.person(key(name)).await.unwrap().unwrap()
    }

    async fn live(&self, name: &str) -> Vec<String> {
        let tokens = self.store.live_tokens(key(name), NOW).await.unwrap();
        let mut roles: Vec<String> = tokens.iter().map(|t| t.role.to_string()).collect();
        roles.sort();
        roles
    }

    async fn events(&self, name: &str) -> Vec<FeedEvent> {
        let start = self.store.feed(key(name), None).await.unwrap().head;
        let begin = oam_store::Cursor { seq: 0, ..start };
        let page = self.store.feed(key(name), Some(begin)).await.unwrap();
        page.events.into_iter().map(|(_, event)| event).collect()
    }

    /// Entries as `event detail`.
    async fn entries(&self) -> Vec<String> {
        let lines = self.store.audit(oam_store::AuditFilter::default(), 0, 100);
        let lines = lines.await.unwrap();
        let read = |line: &str| {
            let entry: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |name: &str| entry[name].as_str().unwrap_or("-").to_owned();
            format!("{} {} {}", text("event"), text("person"), text("detail"))
        };
        lines.iter().map(|line| read(&line.line)).collect()
    }
}

fn token(name: &str, role: &str) -> TokenRow {
    TokenRow {
        sha256: format!("{name}-{role}"),
        key: key(name),
        name: Some(name.to_owned()),
        role: role.parse().unwrap(),
        hub: "models".parse().unwrap(),
        repository: Some("acme/model".parse().unwrap()),
        action: Action::Read,
        issued_at: NOW - 60,
        expires_at: NOW + 600,
        request_id: "r-0".to_owned(),
        revoked_at_ms: None,
        sealed: None,
    }
}

fn signal(meaning: SignalMeaning, subject: SignalSubject) -> Signal {
    Signal {
        source: "okta".parse().unwrap(),
        subject,
        also: Vec::new(),
        meaning,
        at_ms: NOW_MS - 5_000,
        reason: "account-disabled (hijacking)".to_owned(),
        transmitter: "https://acme.okta.example".to_owned(),
        id: "j-1".to_owned(),
    }
}

fn by_sub(name: &str) -> SignalSubject {
    SignalSubject {
        issuer: Some(okta().issuer),
        subject: Some(format!("sub-{name}")),
        ..SignalSubject::default()
    }
}

#[tokio::test]
async fn an_end_reaches_its_person_once_and_nobody_else() {
    let world = World::start().await;
    let ended = signal(SignalMeaning::AccountEnded, by_sub("ada"));
    let applied = world.apply(&ended).await;
    assert_eq!(applied.people, [key("ada")]);
    assert_eq!((applied.revoked.len(), applied.alarm), (2, None));
    assert_eq!(world.live("ada").await, Vec::<String>::new());
    assert_eq!(world.live("bob").await, ["publisher", "reader"]);
    let row = world.row("ada").await;
    assert_eq!(row.epoch, world.row("bob").await.epoch + 1);
    assert_eq!(
        facts(&row, None).account.map(|end| end.at_ms),
        Some(NOW_MS - 5_000)
    );
    assert_eq!(
        world.events("ada").await,
        [FeedEvent::Revoked {
            at_ms: NOW_MS - 5_000,
            reason: "account-disabled (hijacking)".to_owned()
        }]
    );
    assert_eq!(world.events("bob").await, []);
    let before = world.entries().await;
    assert_eq!(
        before,
        [
            "signal - account-disabled (hijacking) of https://acme.okta.example",
            "revocation 00u-ada account ended: account-disabled (hijacking)",
        ]
    );
    let again = world.apply(&ended).await;
    assert!(again.replayed && again.people.is_empty() && again.revoked.is_empty());
    assert_eq!(world.row("ada").await.epoch, row.epoch);
    assert_eq!(world.entries().await, before);
}

#[tokio::test]
async fn each_kind_of_end_is_kept_as_what_it_is() {
    for (meaning, is_doubt) in [
        (SignalMeaning::SessionEnded, false),
        (SignalMeaning::SessionDoubtful, true),
    ] {
        let world = World::start().await;
        let applied = world.apply(&signal(meaning, by_sub("bob"))).await;
        assert_eq!(applied.revoked.len(), 2);
        let known = facts(&world.row("bob").await, None);
        assert_eq!(known.account, None);
        assert_eq!(
            (known.session.is_some(), known.doubt.is_some()),
            (!is_doubt, is_doubt)
        );
        let events = world.events("bob").await;
        let doubted = matches!(events.as_slice(), [FeedEvent::Doubt { .. }]);
        assert_eq!(doubted, is_doubt, "{events:?}");
    }
}

#[tokio::test]
async fn an_account_comes_back_by_a_new_sign_in_only() {
    let world = World::start().await;
    world
        .apply(&signal(SignalMeaning::AccountEnded, by_sub("ada")))
        .await;
    let mut restored = signal(SignalMeaning::AccountRestored, by_sub("ada"));
    restored.id = "j-2".to_owned();
    restored.at_ms = NOW_MS;
    assert_eq!(world.apply(&restored).await.people, [key("ada")]);
    let known = facts(&world.row("ada").await, None);
    assert_eq!(known.account, None);
    assert_eq!(known.session.map(|end| end.at_ms), Some(NOW_MS - 5_000));
    // Somebody who was not ended is not restored, and that is no alarm.
    restored.id = "j-3".to_owned();
    restored.subject = by_sub("bob");
    let applied = world.apply(&restored).await;
    assert_eq!((applied.people.len(), applied.alarm), (0, None));
}

#[tokio::test]
async fn the_surest_name_is_tried_first_and_the_others_after_it() {
    let world = World::start().await;
    let mut unknown_session = signal(
        SignalMeaning::SessionEnded,
        SignalSubject {
            session: Some("sid-of-a-browser".to_owned()),
            ..by_sub("ada")
        },
    );
    unknown_session.also = vec![SignalSubject::default(), by_sub("ada"), by_sub("bob")];
    assert_eq!(world.apply(&unknown_session).await.people, [key("ada")]);
    assert_eq!(world.live("bob").await.len(), 2);
}

#[tokio::test]
async fn a_signal_that_matches_nobody_alarms_and_finds_nobody_by_chance() {
    let world = World::start().await;
    for (number, subject) in [
        SignalSubject::default(),
        SignalSubject {
            issuer: Some(okta().issuer),
            ..SignalSubject::default()
        },
        SignalSubject {
            issuer: Some("https://evil.example".to_owned()),
            ..by_sub("ada")
        },
        SignalSubject {
            email: Some("eve@acme.example".to_owned()),
            ..SignalSubject::default()
        },
    ]
    .into_iter()
    .enumerate()
    {
        let mut ended = signal(SignalMeaning::SessionEnded, subject);
        ended.id = format!("n-{number}");
        let applied = world.apply(&ended).await;
        assert!(
            applied
                .alarm
                .is_some_and(|why| why.contains("nobody matches"))
        );
        assert_eq!(applied.people, []);
    }
    assert_eq!(
        world.live("ada").await.len() + world.live("bob").await.len(),
        4
    );
    let alarms = world.entries().await;
    assert_eq!(
        alarms
            .iter()
            .filter(|line| line.starts_with("alarm"))
            .count(),
        4
    );
}
