//! The forms of a subject.

use super::super::fixture::{CAEP, keycloak};
use super::super::{Rejected, SetError};
use super::{KEYCLOAK, by_sub, read_from};
use oam_model::signal::{Signal, SignalMeaning, SignalSubject};
use serde_json::{Value, json};

pub(super) fn about(subject: Value) -> Result<Signal, Rejected> {
    let mut set = keycloak(&format!("{CAEP}session-revoked"), json!({}));
    set.insert("sub_id".to_owned(), subject);
    read_from(KEYCLOAK, &set, &["device"])
}

#[test]
fn each_form_of_a_subject_is_read() {
    let email = |address: &str| SignalSubject {
        email: Some(address.to_owned()),
        ..SignalSubject::default()
    };
    let cases = [
        (
            json!({ "format": "email", "email": "ada@acme.example" }),
            vec![email("ada@acme.example")],
        ),
        (
            json!({ "format": "account", "uri": "acct:ada@acme.example" }),
            vec![email("ada@acme.example")],
        ),
        (
            json!({ "email": "ada@acme.example" }),
            vec![email("ada@acme.example")],
        ),
        (
            json!({ "format": "opaque", "id": "x1" }),
            vec![SignalSubject {
                subject: Some("x1".to_owned()),
                ..SignalSubject::default()
            }],
        ),
        (
            json!({ "format": "aliases", "identifiers": [
                { "format": "email", "email": "ada@acme.example" },
                { "format": "phone_number", "phone_number": "+1" },
                { "format": "iss_sub", "iss": KEYCLOAK, "sub": "f7" } ] }),
            vec![by_sub("f7"), email("ada@acme.example")],
        ),
        (
            json!({ "format": "phone_number", "phone_number": "+1" }),
            vec![],
        ),
        (
            json!({ "format": "jwt_id", "iss": KEYCLOAK, "jti": "x" }),
            vec![],
        ),
        (
            json!({ "format": "complex", "tenant": { "format": "opaque", "id": "t" } }),
            vec![],
        ),
    ];
    for (subject, expected) in cases {
        let signal = about(subject.clone()).unwrap_or_else(|r| panic!("{subject}: {r:?}"));
        let mut found = vec![signal.subject];
        found.extend(signal.also);
        found.retain(|one| !one.is_empty());
        assert_eq!(found, expected, "{subject}");
    }
}

#[test]
fn a_session_that_is_not_known_makes_way_for_its_user() {
    let signal = about(json!({ "format": "complex",
        "user": { "format": "iss_sub", "iss": KEYCLOAK, "sub": "f7" },
        "session": { "format": "opaque", "id": "sess-9" },
        "application": { "format": "opaque", "id": "app" } }))
    .unwrap_or_else(|r| panic!("{r:?}"));
    assert_eq!(signal.subject.session.as_deref(), Some("sess-9"));
    assert_eq!(signal.subject.subject.as_deref(), Some("f7"));
    assert_eq!(signal.also, vec![by_sub("f7")]);
}

#[test]
fn an_unknown_critical_member_is_not_acted_on() {
    let signal = about(json!({ "format": "complex",
        "user": { "format": "iss_sub", "iss": KEYCLOAK, "sub": "f7" },
        "device": { "format": "opaque", "id": "laptop" } }))
    .unwrap_or_else(|r| panic!("{r:?}"));
    assert_eq!(signal.meaning, SignalMeaning::NotActedOn);
    assert!(signal.reason.contains("device"));
}

#[test]
fn a_foreign_issuer_of_a_subject_stays_foreign() {
    let signal = about(json!({ "format": "iss_sub", "iss": "https://evil.example", "sub": "f7" }))
        .unwrap_or_else(|r| panic!("{r:?}"));
    assert_eq!(
        signal.subject.issuer.as_deref(),
        Some("https://evil.example")
    );
}

#[test]
fn malformed_subjects_are_told_to_the_transmitter() {
    for bad in [
        json!("f7"),
        json!({ "format": "iss_sub", "iss": KEYCLOAK }),
        json!({ "format": "iss_sub", "iss": KEYCLOAK, "sub": 7 }),
        json!({ "format": "email" }),
        json!({ "format": "email", "email": "a\nb" }),
        json!({ "format": "aliases" }),
        json!({ "format": "complex", "user": "f7" }),
    ] {
        let rejected = about(bad.clone()).map(|signal| format!("{signal:?}"));
        assert_eq!(
            rejected.map_err(|r| r.err),
            Err(SetError::InvalidRequest),
            "{bad}"
        );
    }
}
