//! Each check of a token, by name.

mod access;
mod jobs;

use super::Claims;
use super::fixture::{NOW, ada, ada_but, okta, principal};
use oam_model::issuer::IdentitySource;
use oam_model::principal::{Groups, Principal, PrincipalKind};
use oam_model::refusal::RefusalCode;
use proptest::prelude::*;
use serde_json::{Value, json};

#[track_caller]
fn taken(source: &IdentitySource, claims: &Claims) -> Principal {
    principal(source, Some("JWT"), claims, NOW).unwrap_or_else(|r| panic!("{}", r.sentence))
}

#[track_caller]
fn refused(source: &IdentitySource, claims: &Claims, word: &str) {
    match principal(source, Some("JWT"), claims, NOW) {
        Ok(principal) => panic!("taken: {principal:?}"),
        Err(refusal) => {
            assert_eq!(refusal.code, RefusalCode::BadRequest);
            assert!(refusal.sentence.contains(word), "{}", refusal.sentence);
            assert!(!refusal.next.is_empty());
        }
    }
}

#[test]
fn a_person_is_known_by_source_and_stable_key() {
    let ada = taken(&okta(), &ada());
    assert_eq!(ada.key.to_string(), "okta:00u1");
    assert_eq!(ada.kind, PrincipalKind::Person);
    assert_eq!(ada.username.as_deref(), Some("ada"));
    assert_eq!(ada.email.as_deref(), Some("ada@acme.example"));
    assert_eq!(ada.session.as_deref(), Some("s-1"));
    assert_eq!(
        ada.groups,
        Groups::Known(vec!["ml".to_owned(), "everyone".to_owned()])
    );
    assert_eq!(
        (ada.proven_at, ada.auth_time, ada.expires_at),
        (NOW - 30, Some(NOW - 600), NOW + 3570)
    );
}

#[test]
fn each_claim_that_is_wrong_is_named() {
    let cases = [
        ("iss", json!("https://acme.okta.example/")),
        ("iss", json!("https://evil.example")),
        ("iss", Value::Null),
        ("aud", json!("other")),
        ("aud", json!(["other", "another"])),
        ("aud", json!(["oam", 7])),
        ("aud", json!({ "oam": true })),
        ("aud", json!(["oam", "other"])),
        ("azp", json!("other")),
        ("azp", json!(7)),
        ("exp", json!(NOW - 61)),
        ("exp", json!("soon")),
        ("exp", Value::Null),
        ("iat", json!(NOW + 61)),
        ("iat", json!(NOW - 24 * 3600 - 61)),
        ("iat", json!(-1)),
        ("iat", Value::Null),
        ("nbf", json!(NOW + 61)),
        ("auth_time", json!(NOW + 61)),
        ("auth_time", json!("noon")),
        ("sub", json!("")),
        ("sub", json!("a\nb")),
        ("sub", json!(["00u1"])),
        ("sub", json!(7)),
        ("groups", json!({ "ml": true })),
        ("groups", json!(7)),
    ];
    for (claim, value) in cases {
        refused(&okta(), &ada_but(claim, value), claim);
    }
    for claim in ["iss", "aud", "exp", "iat", "sub"] {
        let mut without = ada();
        without.remove(claim);
        refused(&okta(), &without, claim);
    }
}

#[test]
fn clocks_may_differ_by_a_minute() {
    for (claim, value) in [
        ("exp", NOW - 59),
        ("iat", NOW + 60),
        ("nbf", NOW + 60),
        ("auth_time", NOW + 60),
    ] {
        let person = taken(&okta(), &ada_but(claim, json!(value)));
        assert!(person.proven_at <= NOW, "evidence from the future: {claim}");
    }
}

#[test]
fn among_several_audiences_azp_says_whose_it_is() {
    let mut several = ada_but("aud", json!(["oam", "other"]));
    several.insert("azp".to_owned(), json!("oam"));
    taken(&okta(), &several);
    let mut both_ours = okta();
    both_ours.audiences.push("other".to_owned());
    taken(&both_ours, &ada_but("aud", json!(["oam", "other"])));
}

#[test]
fn other_kinds_of_token_are_refused() {
    for typ in [
        "at+jwt",
        "application/at+jwt",
        "AT+JWT",
        "secevent+jwt",
        "logout+jwt",
        "dpop+jwt",
    ] {
        assert!(principal(&okta(), Some(typ), &ada(), NOW).is_err(), "{typ}");
    }
    for typ in [None, Some("JWT"), Some("JOSE")] {
        assert!(principal(&okta(), typ, &ada(), NOW).is_ok(), "{typ:?}");
    }
    for inner in ["Bearer", "Refresh", "Offline", "Logout"] {
        refused(&okta(), &ada_but("typ", json!(inner)), "typ");
    }
    taken(&okta(), &ada_but("typ", json!("ID")));
    refused(&okta(), &ada_but("events", json!({})), "typ");
}

#[test]
fn the_stable_key_may_be_another_claim() {
    let mut entra = okta();
    entra.key_claim = Some("oid".to_owned());
    refused(&entra, &ada(), "oid");
    let person = taken(&entra, &ada_but("oid", json!("1b2c")));
    assert_eq!(person.key.key, "1b2c");
    assert_eq!(person.subject, "00u1");
}

#[test]
fn an_unverified_address_is_nobodys() {
    for unverified in [json!(false), json!("false")] {
        let person = taken(&okta(), &ada_but("email_verified", unverified));
        assert_eq!(person.email, None);
    }
}

#[test]
fn an_address_is_verified_where_the_token_says_so_or_the_source_vouches() {
    let vouching = IdentitySource {
        verified_emails: true,
        ..okta()
    };
    for (said, alone, vouched) in [
        (json!(true), true, true),
        (json!("true"), true, true),
        (json!(null), false, true),
        (json!(false), false, false),
        (json!(1), false, false),
    ] {
        let claims = ada_but("email_verified", said);
        assert_eq!(taken(&okta(), &claims).email_verified, alone);
        assert_eq!(taken(&vouching, &claims).email_verified, vouched);
    }
    let mut silent = ada();
    silent.remove("email_verified");
    assert!(!taken(&okta(), &silent).email_verified);
    assert!(taken(&vouching, &silent).email_verified);
}

#[test]
fn too_many_groups_are_unknown_and_never_none() {
    let mut named = ada();
    named.remove("groups");
    named.insert("_claim_names".to_owned(), json!({ "groups": "src1" }));
    named.insert(
        "_claim_sources".to_owned(),
        json!({ "src1": { "endpoint": "https://graph.windows.net/x" } }),
    );
    let mut flagged = ada();
    flagged.remove("groups");
    flagged.insert("hasgroups".to_owned(), json!("true"));
    let beside = ada_but("groups:src1", json!("https://graph.example"));
    for overage in [named, flagged, beside] {
        match taken(&okta(), &overage).groups {
            Groups::Unknown { sentence, next } => {
                assert!(sentence.contains("more groups"));
                assert!(next.contains("assigned to this application"));
            }
            Groups::Known(groups) => panic!("known: {groups:?}"),
        }
    }
}

#[test]
fn missing_groups_are_none_only_where_nothing_else_tells_them() {
    let mut without = ada();
    without.remove("groups");
    assert_eq!(taken(&okta(), &without).groups, Groups::Known(Vec::new()));
    let mut thin = okta();
    thin.groups_from_userinfo = true;
    match taken(&thin, &without).groups {
        Groups::Unknown { next, .. } => assert!(next.contains("access-token")),
        Groups::Known(groups) => panic!("known: {groups:?}"),
    }
}

#[test]
fn entries_that_are_no_group_are_skipped_and_null_is_absent() {
    for odd in [
        json!(["ml", ""]),
        json!(["ml", null]),
        json!([7, "ml", "a\nb"]),
    ] {
        let groups = taken(&okta(), &ada_but("groups", odd)).groups;
        assert_eq!(groups, Groups::Known(vec!["ml".to_owned()]));
    }
    for claim in ["azp", "nbf", "auth_time", "email", "groups", "sid"] {
        taken(&okta(), &ada_but(claim, Value::Null));
    }
    assert_eq!(
        taken(&okta(), &ada_but("auth_time", json!(0))).auth_time,
        None
    );
}

#[test]
fn the_keys_of_an_object_are_groups_where_the_source_says_so() {
    let sent = ada_but(
        "groups",
        json!({"ml": {"312": "acme.example"}, "old": null}),
    );
    refused(&okta(), &sent, "groups");
    let mut zitadel = okta();
    zitadel.groups_claim = "groups.*".to_owned();
    let groups = taken(&zitadel, &sent).groups;
    assert_eq!(groups, Groups::Known(vec!["ml".to_owned()]));
}

#[test]
fn groups_may_be_one_text_or_lie_deeper() {
    assert_eq!(
        taken(&okta(), &ada_but("groups", json!("ml"))).groups,
        Groups::Known(vec!["ml".to_owned()])
    );
    let mut keycloak = okta();
    keycloak.groups_claim = "realm_access.roles".to_owned();
    let person = taken(
        &keycloak,
        &ada_but("realm_access", json!({ "roles": ["dev"] })),
    );
    assert_eq!(person.groups, Groups::Known(vec!["dev".to_owned()]));
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
        Just(json!("oam")),
        Just(json!(NOW)),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z.:_]{1,8}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_a_claim_becomes_nobody_else_is_admitted(
        claim in prop_oneof![
            Just("iss"), Just("aud"), Just("azp"), Just("exp"), Just("iat"), Just("nbf"),
            Just("sub"), Just("auth_time"), Just("groups"), Just("email"), Just("typ"), Just("events"),
        ],
        value in any_json(),
    ) {
        if let Ok(person) = principal(&okta(), Some("JWT"), &ada_but(claim, value.clone()), NOW) {
            prop_assert_eq!(&person.issuer, "https://acme.okta.example");
            prop_assert!(claim == "sub" || person.key.key == "00u1");
            prop_assert!(!person.key.key.chars().any(char::is_control));
            prop_assert!(person.expires_at + super::SKEW_S > NOW);
            prop_assert!(person.proven_at <= NOW);
            if claim == "aud" {
                let list = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
                prop_assert!(list.iter().all(|one| one == "oam"));
            }
            if let (true, Groups::Known(groups)) = (claim == "groups", &person.groups) {
                let sent = value.as_array().map_or(1, Vec::len);
                prop_assert!(groups.len() <= sent);
            }
        }
    }

    #[test]
    fn a_token_never_counts_beyond_its_end_or_the_sources_age(
        age in 0u64..200_000, life in 0u64..40_000_000, longest in 60_000u64..200_000_000,
    ) {
        let mut source = okta();
        source.longest_age_ms = longest;
        let mut token = ada_but("iat", json!(NOW - age));
        token.insert("exp".to_owned(), json!(NOW - age + life));
        if let Ok(person) = principal(&source, None, &token, NOW) {
            prop_assert!(person.expires_at <= NOW - age + life);
            prop_assert!(person.expires_at <= NOW - age + longest / 1000);
            prop_assert!(person.expires_at + super::SKEW_S >= NOW);
        }
    }
}

#[test]
fn no_audience_is_called_that() {
    refused(&okta(), &ada_but("aud", json!([])), "names no audience");
}
