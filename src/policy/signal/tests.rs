//! What each transmitter sends, and what must not be taken.

mod logout_tokens;
mod subjects;

use super::fixture::{
    CAEP, NOW_MS, RISC, SSF, google_account_disabled, keycloak, okta_session_revoked, people, set,
    transmitter,
};
use super::{Channel, Rejected, SetError, event};
use crate::claims::Claims;
use crate::claims::fixture::NOW;
use oam_model::signal::{Signal, SignalMeaning, SignalSubject};
use proptest::prelude::*;
use serde_json::{Value, json};

const TYP: Option<&str> = Some("secevent+jwt");
const KEYCLOAK: &str = "https://sso.acme.example/realms/acme";

fn read_from(issuer: &str, claims: &Claims, critical: &[&str]) -> Result<Signal, Rejected> {
    let critical: Vec<String> = critical.iter().map(|one| (*one).to_owned()).collect();
    let channel = Channel {
        transmitter: &transmitter(issuer),
        source: &people(),
        critical: &critical,
    };
    event(&channel, TYP, claims, NOW_MS)
}

#[track_caller]
fn understood(issuer: &str, claims: &Claims) -> Signal {
    read_from(issuer, claims, &[]).unwrap_or_else(|rejected| panic!("{rejected:?}"))
}

#[track_caller]
fn rejected(claims: &Claims, err: SetError) {
    match read_from(KEYCLOAK, claims, &[]) {
        Ok(signal) => panic!("taken: {signal:?}"),
        Err(rejected) => assert_eq!(rejected.err, err, "{}", rejected.description),
    }
}

fn by_sub(sub: &str) -> SignalSubject {
    SignalSubject {
        issuer: Some(people().issuer),
        subject: Some(sub.to_owned()),
        ..SignalSubject::default()
    }
}

#[test]
fn okta_speaks_in_milliseconds_and_names_people_by_the_organization() {
    let signal = understood("https://acme.okta.example", &okta_session_revoked());
    assert_eq!(signal.meaning, SignalMeaning::SessionEnded);
    assert_eq!(signal.subject, by_sub("00u1"));
    assert_eq!(signal.at_ms, (NOW - 10) * 1000 + 123);
    assert_eq!(signal.reason, "session-revoked", "nothing of its prose");
}

#[test]
fn google_has_a_slash_and_an_older_word_for_format() {
    let signal = understood("https://accounts.google.com/", &google_account_disabled());
    assert_eq!(signal.meaning, SignalMeaning::AccountEnded);
    assert_eq!(signal.subject, by_sub("7375626A656374"));
    assert_eq!(signal.reason, "account-disabled (hijacking)");
    assert_eq!(signal.at_ms, (NOW - 2) * 1000);
    let verification = set(
        "https://accounts.google.com/",
        json!({ "events": { format!("{RISC}verification"): { "state": "x" } } }),
    );
    let signal = understood("https://accounts.google.com/", &verification);
    assert_eq!(signal.meaning, SignalMeaning::StreamVerified);
    assert!(signal.subject.is_empty());
    let claims_form = set(
        "https://accounts.google.com/",
        json!({ "events": { format!("{RISC}sessions-revoked"): { "subject": {
            "subject_type": "id_token_claims", "iss": "https://accounts.google.com/",
            "sub": "73", "email": "ada@acme.example" } } } }),
    );
    let signal = understood("https://accounts.google.com/", &claims_form);
    assert_eq!(signal.subject, by_sub("73"));
    assert_eq!(signal.also.len(), 1);
    assert_eq!(signal.also[0].email.as_deref(), Some("ada@acme.example"));
}

#[test]
fn every_event_about_a_session_has_its_effect() {
    use SignalMeaning as M;
    let ends = [
        ("session-revoked", json!({}), M::SessionEnded),
        (
            "credential-change",
            json!({ "credential_type": "password", "change_type": "update" }),
            M::SessionEnded,
        ),
        (
            "credential-change",
            json!({ "credential_type": "fido2-roaming", "change_type": "create" }),
            M::Noted,
        ),
        (
            "credential-change",
            json!({ "credential_type": "OKTA_VERIFY_PUSH", "change_type": "DELETE" }),
            M::SessionEnded,
        ),
        (
            "assurance-level-change",
            json!({ "change_direction": "decrease" }),
            M::SessionEnded,
        ),
        (
            "assurance-level-change",
            json!({ "change_direction": "increase" }),
            M::Noted,
        ),
        (
            "device-compliance-change",
            json!({ "current_status": "not-compliant" }),
            M::SessionEnded,
        ),
        (
            "device-compliance-change",
            json!({ "current_status": "compliant" }),
            M::Noted,
        ),
        ("session-established", json!({}), M::Noted),
        (
            "risk-level-change",
            json!({ "principal": "USER" }),
            M::Noted,
        ),
        ("something-new", json!({}), M::Noted),
    ];
    for (name, payload, meaning) in ends {
        let signal = understood(KEYCLOAK, &keycloak(&format!("{CAEP}{name}"), payload));
        assert_eq!(signal.meaning, meaning, "{name}");
        assert_eq!(signal.subject, by_sub("f7"));
    }
}

#[test]
fn changed_claims_name_the_groups_or_cause_a_doubt() {
    use SignalMeaning as M;
    let cases = [
        (
            "token-claims-change",
            json!({ "claims": { "groups": ["ml"] } }),
            M::ClaimsChanged {
                groups: Some(vec!["ml".to_owned()]),
            },
        ),
        (
            "token-claims-change",
            json!({ "claims": { "groups": { "odd": 1 } } }),
            M::ClaimsChanged { groups: None },
        ),
        (
            "token-claims-change",
            json!({ "claims": { "role": "ro-admin" } }),
            M::SessionDoubtful,
        ),
    ];
    for (name, payload, meaning) in cases {
        let signal = understood(KEYCLOAK, &keycloak(&format!("{CAEP}{name}"), payload));
        assert_eq!(signal.meaning, meaning);
    }
}

#[test]
fn every_event_about_an_account_has_its_effect() {
    use SignalMeaning as M;
    let risc = [
        ("account-disabled", M::AccountEnded),
        ("account-purged", M::AccountEnded),
        ("account-enabled", M::AccountRestored),
        ("sessions-revoked", M::SessionEnded),
        ("credential-compromise", M::SessionEnded),
        ("identifier-changed", M::Noted),
        ("opt-in", M::Noted),
        ("something-new", M::Noted),
    ];
    for (name, meaning) in risc {
        let signal = understood(KEYCLOAK, &keycloak(&format!("{RISC}{name}"), json!({})));
        assert_eq!(signal.meaning, meaning, "{name}");
    }
}

#[test]
fn a_stream_that_lives_and_one_that_was_stopped() {
    let stream = |event: &str, payload: Value| {
        let mut set = keycloak(&format!("{SSF}{event}"), payload);
        set.insert(
            "sub_id".to_owned(),
            json!({ "format": "opaque", "id": "stream-1" }),
        );
        understood(KEYCLOAK, &set)
    };
    assert_eq!(
        stream("verification", json!({ "state": "s" })).meaning,
        SignalMeaning::StreamVerified
    );
    for status in ["paused", "disabled"] {
        let signal = stream(
            "stream-updated",
            json!({ "status": status, "reason": "a b" }),
        );
        assert_eq!(signal.meaning, SignalMeaning::StreamStopped);
        assert_eq!(signal.reason, format!("stream-updated ({status})"));
    }
    assert_eq!(
        stream("stream-updated", json!({ "status": "enabled" })).meaning,
        SignalMeaning::Noted
    );
}

#[test]
fn what_is_not_a_signal_for_us_is_rejected_by_its_word() {
    let good = || keycloak(&format!("{CAEP}session-revoked"), json!({}));
    let but = |name: &str, value: Value| {
        let mut set = good();
        set.insert(name.to_owned(), value);
        set
    };
    rejected(
        &but("iss", json!("https://evil.example")),
        SetError::InvalidIssuer,
    );
    rejected(&but("aud", json!("other")), SetError::InvalidAudience);
    rejected(&but("aud", Value::Null), SetError::InvalidAudience);
    for (name, value) in [
        ("nonce", json!("n")),
        ("at_hash", json!("h")),
        ("iat", json!(NOW + 61)),
        ("iat", json!("now")),
        ("iat", json!(NOW - super::OLDEST_S - 61)),
        ("exp", json!(NOW - 61)),
        ("exp", json!("never")),
        ("jti", json!("")),
        ("jti", json!(7)),
        ("events", json!({})),
        ("events", json!([])),
        ("events", json!({ format!("{CAEP}session-revoked"): "yes" })),
        ("events", json!({ super::logout::EVENT: {} })),
        ("events", json!({ format!("{CAEP}credential-change"): {} })),
        (
            "events",
            json!({ format!("{CAEP}token-claims-change"): {} }),
        ),
    ] {
        rejected(&but(name, value), SetError::InvalidRequest);
    }
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("logout+jwt")] {
        let channel = Channel {
            transmitter: &transmitter(KEYCLOAK),
            source: &people(),
            critical: &[],
        };
        assert!(event(&channel, typ, &good(), NOW_MS).is_err(), "{typ:?}");
    }
    let old_but_current = but("exp", json!(NOW + 60));
    assert_eq!(understood(KEYCLOAK, &old_but_current).id, "j-1");
}

#[test]
fn aliases_of_one_event_follow_the_gravest() {
    let mut set = keycloak(&format!("{CAEP}session-established"), json!({}));
    set.insert(
        "events".to_owned(),
        json!({
            format!("{CAEP}session-established"): {},
            format!("{RISC}account-disabled"): { "reason": "not a code at all" },
            format!("{RISC}sessions-revoked"): {},
        }),
    );
    let signal = understood(KEYCLOAK, &set);
    assert_eq!(signal.meaning, SignalMeaning::AccountEnded);
    assert_eq!(signal.reason, "account-disabled");
}

#[test]
fn a_token_with_several_subjects_or_effects_is_rejected_as_a_whole() {
    let of = |sub: &str| json!({ "subject": { "format": "iss_sub", "iss": KEYCLOAK, "sub": sub } });
    let both = |first: &str, one: &str, second: &str, other: &str| {
        let events = json!({
            format!("{CAEP}{first}"): of(one), format!("{RISC}{second}"): of(other),
        });
        set(KEYCLOAK, json!({ "events": events }))
    };
    for (first, one, second, other) in [
        ("session-revoked", "f7", "account-disabled", "f8"),
        ("session-revoked", "f7", "sessions-revoked", "f8"),
        ("session-revoked", "f7", "account-enabled", "f7"),
    ] {
        let several = both(first, one, second, other);
        rejected(&several, SetError::InvalidRequest);
    }
    let mut groups = keycloak(&format!("{RISC}sessions-revoked"), json!({}));
    groups["events"][format!("{CAEP}token-claims-change")] = json!({ "claims": { "groups": [] } });
    rejected(&groups, SetError::InvalidRequest);
    let one = understood(
        KEYCLOAK,
        &both("session-revoked", "f7", "sessions-revoked", "f7"),
    );
    assert_eq!(one.subject, by_sub("f7"));
    let noted = both("session-established", "f8", "account-disabled", "f7");
    assert_eq!(
        understood(KEYCLOAK, &noted).meaning,
        SignalMeaning::AccountEnded
    );
}

#[test]
fn a_time_that_can_not_be_is_not_believed() {
    for odd in [json!(0), json!(NOW + 3600), json!("yesterday"), json!(-5)] {
        let payload = json!({ "event_timestamp": odd });
        let signal = understood(
            KEYCLOAK,
            &keycloak(&format!("{CAEP}session-revoked"), payload),
        );
        assert_eq!(signal.at_ms, (NOW - 2) * 1000, "{odd}");
    }
}

fn words() -> impl Strategy<Value = Value> {
    prop_oneof![
        ".{0,20}".prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(Value::Null),
        Just(json!({})),
        Just(json!(["x"])),
    ]
}

proptest! {
    #[test]
    fn nothing_of_the_transmitters_prose_is_kept(
        reason in words(), kind in words(), change in words(), at in words(),
    ) {
        let plain = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || " -_.,():".contains(c));
        for event in ["credential-change", "session-revoked", "assurance-level-change"] {
            let payload = json!({ "reason": reason, "credential_type": kind, "change_type": change,
                "change_direction": change, "event_timestamp": at });
            if let Ok(signal) = read_from(KEYCLOAK, &keycloak(&format!("{CAEP}{event}"), payload), &[]) {
                prop_assert!(plain(&signal.reason), "{}", signal.reason);
                prop_assert!(signal.reason.len() < 140);
                prop_assert!(signal.at_ms <= NOW_MS + 60_000);
            }
        }
    }

    #[test]
    fn a_subject_that_names_nobody_never_looks_like_one(member in words(), form in "[a-z_-]{0,12}") {
        let subject = json!({ "format": form, "id": member, "email": member, "iss": KEYCLOAK, "sub": member });
        if let Ok(signal) = subjects::about(subject) {
            for one in std::iter::once(&signal.subject).chain(&signal.also) {
                for text in [&one.subject, &one.email, &one.key, &one.session].into_iter().flatten() {
                    prop_assert!(!text.is_empty());
                    prop_assert!(!text.chars().any(char::is_control));
                }
            }
            prop_assert!(signal.also.iter().all(|one| !one.is_empty()));
        }
    }
}
