//! Who is meant, and what is said.

use super::find::{PersonMatch, all, one};
use super::hubs::honoured;
use super::people::{PeopleReport, PersonReport};
use super::report::{Done, standing};
use oam_issuer::seal::{MasterKey, Purpose};
use oam_issuer::signal_processor::{Applied, Order, order};
use oam_model::issuer::SecretPlace;
use oam_model::name::OrgName;
use oam_model::principal::PrincipalKey;
use oam_model::refusal::RefusalCode;
use oam_model::role::Action;
use oam_policy::claims::fixture::{NOW, okta};
use oam_store::sqlite::SqliteStore;
use oam_store::{Batch, PersonSeen, Store, StoreChange, TokenRow};
use std::os::unix::fs::PermissionsExt;

const NOW_MS: u64 = NOW * 1000;

fn org() -> OrgName {
    "acme".parse().unwrap()
}

fn key(text: &str) -> PrincipalKey {
    PrincipalKey {
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
        StoreChange::Seen(PersonSeen {
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
        Ok(PersonMatch::Several(rows)) => assert_eq!(rows.len(), 2),
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
            Ok(PersonMatch::Seen(row)) => assert_eq!(row.seen.key, key(stable), "{user}"),
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
    assert_eq!(never, Ok(PersonMatch::Never(key("00u9"))));
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
        Ok(PersonMatch::Several(rows)) => rows,
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
        standing(&people[0].row).0
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
    let shown = people
        .iter()
        .map(|one| PersonReport::of(&one.row, &one.live, &[]));
    let json = serde_json::to_value(PeopleReport::of(shown.collect(), None)).unwrap();
    assert_eq!(json["people"][0]["person"], "okta:00u3");
    assert_eq!(json["people"][0]["standing"], "session-ended");
    assert_eq!(json["people"][0]["tokens"], serde_json::json!([]));
}

#[test]
fn what_was_done_is_said_in_one_sentence() {
    let told = Done::of(
        &PersonMatch::Never(key("00u9")),
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

/// Bob's token, over here, which its hub honours for an hour.
fn outstanding(master: &MasterKey, revoked_at_ms: Option<u64>) -> TokenRow {
    let mut plain = (NOW + 3600).to_be_bytes().to_vec();
    plain.extend(b"hf_jwt_1");
    let sealed = master.seal(Purpose::HubToken, "aa", &plain).ok();
    TokenRow {
        sha256: "aa".to_owned(),
        key: key("00u3"),
        name: Some("bob".to_owned()),
        role: "reader".parse().unwrap(),
        hub: "models".parse().unwrap(),
        repository: Some("acme/model".parse().unwrap()),
        action: Action::Read,
        issued_at: NOW - 900,
        expires_at: NOW,
        request_id: "r-1".to_owned(),
        revoked_at_ms,
        sealed,
    }
}

#[tokio::test]
async fn a_token_that_a_hub_still_honours_is_listed_also_without_the_master_key() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let text = MasterKey::fresh().ok().unwrap();
    let master = MasterKey::parse(&text).unwrap();
    let file = folder.path().join("master.key");
    std::fs::write(&file, text.expose()).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let there = SecretPlace::File(file.to_string_lossy().into_owned());
    let token = outstanding(&master, Some(NOW_MS - 5_000));
    let batch = Batch {
        changes: vec![StoreChange::Issue { token, epoch: None }],
        entries: Vec::new(),
    };
    store.commit(batch).await.unwrap();
    let shown = async |place: &SecretPlace, now_s: u64| {
        let one = all(&store, "bob", now_s * 1000).await.unwrap().remove(0);
        let (tokens, fault) = honoured(place, one.outstanding, now_s);
        let shown = PersonReport::of(&one.row, &one.live, &tokens);
        let lines: Vec<String> = shown
            .lines()
            .iter()
            .map(|line| line.render(false))
            .collect();
        let json = serde_json::to_value(PeopleReport::of(vec![shown], fault.as_ref())).unwrap();
        (lines.join("\n"), json)
    };
    let (text, json) = shown(&there, NOW).await;
    assert!(text.contains("still good at models until"), "{text}");
    let told = &json["people"][0];
    assert_eq!(told["tokens"], serde_json::json!([]));
    assert_eq!(told["outstanding"][0]["token_sha256"], "aa");
    assert!(told["outstanding"][0]["good_at_hub_until"].is_string());
    assert!(json["fault"].is_null());
    let (_, over) = shown(&there, NOW + 3600).await;
    assert_eq!(over["people"][0]["outstanding"], serde_json::json!([]));
    let nowhere = SecretPlace::File("/nowhere/master.key".to_owned());
    let (text, json) = shown(&nowhere, NOW).await;
    assert!(text.contains("until when is not known"), "{text}");
    assert!(json["people"][0]["outstanding"][0]["good_at_hub_until"].is_null());
    assert!(
        json["fault"]
            .as_str()
            .unwrap()
            .contains("/nowhere/master.key")
    );
}

#[tokio::test]
async fn a_session_that_is_ended_twice_is_said_to_be_over_already() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let told = async || {
        let found = one(&store, &[okta()], "bob", false).await.unwrap();
        let ending = Order::EndSession { reason: None };
        let done = order(&store, &org(), &key("00u3"), None, &ending, NOW_MS).await;
        Done::of(&found, &ending, &done.unwrap(), &Ok(Vec::new())).sentence()
    };
    assert!(!told().await.contains("already"));
    let again = told().await;
    assert!(
        again.contains("was ended already") && again.contains("nobody came since"),
        "{again}"
    );
}

#[tokio::test]
async fn somebody_who_never_came_was_never_seen() {
    let folder = tempfile::tempdir().unwrap();
    let store = store(&folder).await;
    let ended = order(&store, &org(), &key("00u9"), None, &ending(), NOW_MS).await;
    ended.unwrap();
    let one = all(&store, "okta:00u9", NOW_MS).await.unwrap().remove(0);
    let shown = PersonReport::of(&one.row, &one.live, &[]);
    let lines: Vec<String> = shown
        .lines()
        .iter()
        .map(|line| line.render(false))
        .collect();
    assert!(
        lines.iter().any(|line| line.contains("never seen")),
        "{lines:?}"
    );
    let json = serde_json::to_value(shown).unwrap();
    assert!(json["last_seen"].is_null());
}
