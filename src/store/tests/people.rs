//! Whom a signal, an administrator or a changed policy means.

use super::fixture::*;
use crate::{EndKind, PersonRow, PersonSeen, Store, StoreChange};
use oam_model::principal::PrincipalKey;
use oam_model::signal::SignalSubject;

fn names(rows: &[PersonRow]) -> Vec<&str> {
    rows.iter()
        .map(|row| row.seen.key.key.trim_start_matches("00u-"))
        .collect()
}

async fn see(store: &dyn Store, person: PersonSeen) {
    commit(store, changes([StoreChange::Seen(person)])).await;
}

pub async fn a_signal_finds_whom_every_member_of_it_names(store: &dyn Store) {
    see(store, seen("ada")).await;
    see(store, seen("bob")).await;
    let mut elsewhere = seen("ada");
    elsewhere.key.source = "entra".parse().unwrap();
    see(store, elsewhere).await;
    for (asked, found) in [
        ("sub=sub-ada", &["ada"][..]),
        ("sub=SUB-ada", &[]),
        ("iss=https://acme.okta.example sub=sub-ada", &["ada"]),
        ("iss=https://acme.okta.example/ sub=sub-ada", &[]),
        ("email=ADA@acme.EXAMPLE", &["ada"]),
        ("email=ada@acme.example sub=sub-bob", &[]),
        ("key=00u-bob", &["bob"]),
        ("key=00u-bob sid=sid-bob", &["bob"]),
        ("sid=sid-ada", &["ada"]),
        ("sid=sid-eve", &[]),
        // Nobody is meant by nothing, nor by an issuer alone.
        ("iss=https://acme.okta.example", &[]),
        ("", &[]),
    ] {
        let rows = store
            .people("okta".parse().unwrap(), subject(asked))
            .await
            .unwrap();
        assert_eq!(names(&rows), found, "{asked:?}");
    }
}

/// `iss=… sub=…`.
fn subject(text: &str) -> SignalSubject {
    let mut subject = SignalSubject::default();
    for (name, value) in text
        .split_whitespace()
        .filter_map(|part| part.split_once('='))
    {
        let member = match name {
            "iss" => &mut subject.issuer,
            "sub" => &mut subject.subject,
            "email" => &mut subject.email,
            "key" => &mut subject.key,
            "sid" => &mut subject.session,
            other => panic!("{other}"),
        };
        *member = Some(value.to_owned());
    }
    subject
}

pub async fn a_mail_address_matches_letters_of_ascii_only(store: &dyn Store) {
    let mut person = seen("ada");
    person.email = Some("\u{e4}da@acme.example".into());
    see(store, person).await;
    let asked = |email: &str| SignalSubject {
        email: Some(email.to_owned()),
        ..SignalSubject::default()
    };
    let okta = || "okta".parse().unwrap();
    let same = store.people(okta(), asked("\u{e4}DA@acme.example")).await;
    assert_eq!(same.unwrap().len(), 1);
    let other = store.people(okta(), asked("\u{c4}da@acme.example")).await;
    assert_eq!(other.unwrap().len(), 0);
}

pub async fn a_session_is_known_whatever_number_follows_until_it_is_too_old(store: &dyn Store) {
    const DAY_S: u64 = 24 * 3600;
    let use_of = |sid: &str, at_s: u64| {
        let mut person = seen("ada");
        (person.session, person.proven_at) = (Some(sid.to_owned()), at_s);
        see(store, person)
    };
    use_of("s", NOW).await;
    for number in 0..40 {
        use_of(&format!("s{number}"), NOW + number).await;
    }
    let since = |sid: &str| store.session_since(person("ada"), sid.to_owned());
    assert_eq!(since("s").await.unwrap(), Some(NOW));
    // The longest age that an organization can allow, and as long again.
    use_of("t", NOW + 179 * DAY_S).await;
    assert_eq!(since("s").await.unwrap(), Some(NOW));
    use_of("u", NOW + 181 * DAY_S).await;
    for gone in ["s", "s39"] {
        assert_eq!(since(gone).await.unwrap(), None, "{gone}");
        let subject = SignalSubject {
            session: Some(gone.to_owned()),
            ..SignalSubject::default()
        };
        let rows = store.people("okta".parse().unwrap(), subject).await;
        assert!(rows.unwrap().is_empty(), "{gone}");
    }
    assert_eq!(since("t").await.unwrap(), Some(NOW + 179 * DAY_S));
}

pub async fn the_newest_exchange_of_a_code_is_told_from_sessions(store: &dyn Store) {
    let newest = || store.code_exchanged(person("ada"));
    assert_eq!(newest().await.unwrap(), None);
    for (sid, at_s) in [
        ("sid", NOW + 50),
        ("nonce:one", NOW + 10),
        ("nonce:two", NOW + 20),
        // A renewal that says the nonce of before is of the time of before.
        ("nonce:one", NOW + 30),
    ] {
        let mut person = seen("ada");
        (person.session, person.proven_at) = (Some(sid.to_owned()), at_s);
        see(store, person).await;
    }
    assert_eq!(newest().await.unwrap(), Some(NOW + 20));
    assert_eq!(store.code_exchanged(person("bob")).await.unwrap(), None);
}

pub async fn an_administrator_finds_people_by_any_of_their_names(store: &dyn Store) {
    see(store, seen("ada")).await;
    see(store, seen("bob")).await;
    for text in [
        "00u-ada",
        "okta:00u-ada",
        "sub-ada",
        "ada",
        "ADA",
        "ada@acme.example",
        "Ada@Acme.example",
    ] {
        let rows = store.find_people(text.into()).await.unwrap();
        assert_eq!(names(&rows), ["ada"], "{text}");
    }
    for text in ["", "%", "ad", "entra:00u-ada", "sub-ada "] {
        assert!(
            store.find_people(text.into()).await.unwrap().is_empty(),
            "{text}"
        );
    }
}

pub async fn recent_people_come_page_by_page_in_order(store: &dyn Store) {
    for (name, at_ms) in [
        ("ada", NOW_MS),
        ("bob", NOW_MS - 50_000),
        ("cyd", NOW_MS - 50_000),
        ("dan", NOW_MS),
    ] {
        let mut person = seen(name);
        person.at_ms = at_ms;
        see(store, person).await;
    }
    // Seen long ago, but with a token that is good.
    commit(
        store,
        changes([StoreChange::Issue {
            token: token("cyd", "c1"),
            epoch: Some(0),
        }]),
    )
    .await;
    let since = NOW_MS - 1_000;
    let first = store.recent_people(since, None, 2).await.unwrap();
    assert_eq!(names(&first), ["ada", "cyd"]);
    let after = first.last().map(|row| row.seen.key.clone());
    let second = store.recent_people(since, after, 2).await.unwrap();
    assert_eq!(names(&second), ["dan"]);
    let end = Some(PrincipalKey {
        source: "okta".parse().unwrap(),
        key: "00u-dan".into(),
    });
    assert!(store.recent_people(since, end, 2).await.unwrap().is_empty());
    commit(store, changes([end_of("cyd")])).await;
    let rest = store.recent_people(since, None, 9).await.unwrap();
    assert_eq!(names(&rest), ["ada", "dan"]);
}

fn end_of(name: &str) -> StoreChange {
    end(name, EndKind::Session, NOW_MS)
}
