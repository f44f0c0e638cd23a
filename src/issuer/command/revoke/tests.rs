//! Who is meant, and what is said.

use super::find::{Found, all, one};
use super::report::{Done, People, standing};
use crate::issuer::standing::{Applied, Order, order};
use crate::issuer::store::sqlite::SqliteStore;
use crate::issuer::store::{Batch, Change, PersonSeen, Store};
use crate::model::claimant::ClaimantKey;
use crate::model::name::OrgName;
use crate::model::refusal::RefusalCode;
use crate::rules::claims::fixture::{NOW, okta};

const NOW_MS: u64 = NOW * 1000;

fn org() -> OrgName {
    "acme".parse().unwrap()
}

fn key(text: &str) -> ClaimantKey {
    ClaimantKey {
        source: "okta".parse().unwrap(),
        key: text.to_owned(),
    }
}

/// Two people called ada, one of whom has the other's key as subject.
async fn store(folder: &tempfile::TempDir) -> SqliteStore {
    let path = folder.path().join("issuer.db");
    let store = SqliteStore::open(&path, &org()).map_err(|r| r.sentence);
    let store = store.unwrap();
    let people = [
        ("00u1", "s1", "ada"),
        ("00u2", "00u1", "Ada"),
        ("00u3", "s3", "bob"),
    ];
    let changes = people.map(|(stable, subject, name)| {
        Change::Seen(PersonSeen {
            key: key(stable),
            issuer: okta().issuer,
            subject: subject.to_owned(),
            username: Some(name.to_owned()),
            email: Some(format!("{stable}@acme.example")),
            groups: None,
            session: None,
            proven_at: NOW - 60,
            at_ms: NOW_MS - 60_000,
        })
    });
    let batch = Batch {
        changes: changes.into(),
        entries: Vec::new(),
    };
    store.commit(batch).await.unwrap();
    store
}

fn ending() -> Order {
    Order::EndAccount { reason: None }
}

#[tokio::test]
async fn a_name_must_mean_one_person() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let found = async |user: &str| one(&store, &[okta()], user, false).await;
    match found("ada").await {
        Ok(Found::Several(rows)) => assert_eq!(rows.len(), 2),
        other => panic!("{other:?}"),
    }
    for (user, stable) in [
        ("bob", "00u3"),
        ("00u2@acme.example", "00u2"),
        ("okta:00u1", "00u1"),
        ("okta:bob", "00u3"),
        ("okta:00u3@acme.example", "00u3"),
        ("okta:s3", "00u3"),
        ("s3", "00u3"),
    ] {
        match found(user).await {
            Ok(Found::Seen(row)) => assert_eq!(row.seen.key, key(stable), "{user}"),
            other => panic!("{user}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn somebody_who_never_came_is_named_by_source_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let found = async |user: &str, never: bool| one(&store, &[okta()], user, never).await;
    let never = found("okta:00u9", true).await;
    assert_eq!(never, Ok(Found::Never(key("00u9"))));
    for (user, never) in [
        ("eve", true),
        ("nowhere:00u9", true),
        ("okta:", true),
        ("okta:00u9", false),
    ] {
        let refusal = found(user, never).await.err().unwrap();
        assert_eq!(refusal.code, RefusalCode::Unavailable, "{user}");
        assert_eq!(refusal.code.exit_code(), 1);
    }
    let rows = match found("ada", true).await {
        Ok(Found::Several(rows)) => rows,
        other => panic!("{other:?}"),
    };
    let refusal = super::find::ambiguous("ada", &rows);
    assert_eq!(refusal.code.exit_code(), 2);
    assert_eq!(refusal.next, "name one of them: okta:00u1, okta:00u2");
}

#[tokio::test]
async fn people_are_shown_with_their_standing() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let shown = async || {
        let people = all(&store, "bob", NOW_MS).await.unwrap();
        standing(&people[0].0).0
    };
    assert_eq!(shown().await, "active");
    let do_it = async |what: Order| {
        order(&store, &org(), &key("00u3"), None, &what, NOW_MS)
            .await
            .unwrap()
    };
    do_it(Order::EndSession { reason: None }).await;
    assert_eq!(shown().await, "session-ended");
    do_it(ending()).await;
    assert_eq!(shown().await, "account-ended");
    do_it(Order::Restore { provider: false }).await;
    assert_eq!(shown().await, "session-ended", "a new sign-in is needed");
    let people = all(&store, "bob", NOW_MS).await.unwrap();
    let json = serde_json::to_value(People::of(&people)).unwrap();
    assert_eq!(json["people"][0]["person"], "okta:00u3");
    assert_eq!(json["people"][0]["standing"], "session-ended");
    assert_eq!(json["people"][0]["tokens"], serde_json::json!([]));
}

#[test]
fn what_was_done_is_said_in_one_sentence() {
    let told = Done::of(
        &Found::Never(key("00u9")),
        &ending(),
        &Applied::default(),
        &Ok(Vec::new()),
    );
    assert_eq!(
        told.sentence(),
        "the account of okta:00u9 is ended until it is restored; no token was live"
    );
    let json = serde_json::to_value(&told).unwrap();
    assert_eq!(json["what"], "account");
    assert_eq!(json["hubs_told"], true);
}
