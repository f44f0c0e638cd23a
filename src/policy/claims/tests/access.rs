//! Access tokens: what the provider answers when it is asked about one.

use super::super::fixture::{NOW, claims, okta};
use super::super::{Claims, UNTOLD_LIFE_S, by_userinfo, introspected};
use oam_model::principal::Groups;
use serde_json::{Value, json};

fn answer(more: Value) -> Claims {
    let mut answer = claims(json!({
        "active": true, "sub": "00u1", "client_id": "oam", "exp": NOW + 600, "iat": NOW - 900,
        "token_type": "Bearer", "groups": ["ml"],
    }));
    answer.extend(claims(more));
    answer
}

#[test]
fn an_introspected_token_is_proven_at_the_time_of_asking() {
    let person = introspected(&okta(), &answer(json!({})), None, NOW)
        .unwrap_or_else(|r| panic!("{}", r.sentence));
    assert_eq!((person.proven_at, person.expires_at), (NOW, NOW + 600));
    assert_eq!(person.groups, Groups::Known(vec!["ml".to_owned()]));
    let for_us = answer(json!({ "client_id": null, "aud": ["x", "oam"] }));
    assert!(introspected(&okta(), &for_us, None, NOW).is_ok());
}

#[test]
fn an_introspection_that_does_not_say_yes_for_us_is_no() {
    let cases = [
        (json!({ "active": false }), "not active"),
        (json!({ "active": "true" }), "not active"),
        (json!({ "client_id": "other" }), "aud"),
        (json!({ "client_id": "other", "aud": "https://api" }), "aud"),
        (json!({ "exp": NOW - 61 }), "exp"),
        (json!({ "iss": "https://evil.example" }), "iss"),
        (json!({ "token_type": "refresh_token" }), "token_type"),
        (json!({ "typ": "Refresh" }), "token_type"),
        (json!({ "token_type": "DPoP" }), "cnf"),
        (json!({ "cnf": { "jkt": "x" } }), "cnf"),
        (json!({ "sub": "" }), "sub"),
    ];
    for (more, word) in cases {
        match introspected(&okta(), &answer(more.clone()), None, NOW) {
            Ok(person) => panic!("taken with {more}: {person:?}"),
            Err(refusal) => assert!(refusal.sentence.contains(word), "{}", refusal.sentence),
        }
    }
    for member in ["active", "client_id", "sub"] {
        let mut without = answer(json!({}));
        without.remove(member);
        assert!(
            introspected(&okta(), &without, None, NOW).is_err(),
            "{member}"
        );
    }
}

#[test]
fn userinfo_adds_groups_and_must_be_about_the_same_subject() {
    let mut thin = okta();
    thin.groups_from_userinfo = true;
    let mut bare = answer(json!({}));
    bare.remove("groups");
    let info = claims(json!({ "sub": "00u1", "groups": ["a", "b"], "client_id": "evil" }));
    let person =
        introspected(&thin, &bare, Some(&info), NOW).unwrap_or_else(|r| panic!("{}", r.sentence));
    assert_eq!(
        person.groups,
        Groups::Known(vec!["a".to_owned(), "b".to_owned()])
    );
    assert_eq!(
        person.claims["client_id"],
        json!("oam"),
        "userinfo does not overwrite"
    );
    let other = claims(json!({ "sub": "00u2", "groups": ["admins"] }));
    assert!(introspected(&thin, &bare, Some(&other), NOW).is_err());
    let unasked = introspected(&thin, &bare, None, NOW).map(|person| person.groups);
    assert!(matches!(unasked, Ok(Groups::Unknown { .. })));
}

#[test]
fn userinfo_alone_needs_a_subject_and_believes_what_the_token_says_of_itself() {
    let info = claims(json!({ "sub": "00u1", "groups": ["ml"] }));
    let person =
        by_userinfo(&okta(), &info, None, true, NOW).unwrap_or_else(|r| panic!("{}", r.sentence));
    assert_eq!(person.expires_at, NOW + UNTOLD_LIFE_S);
    assert!(
        by_userinfo(&okta(), &info, None, false, NOW).is_err(),
        "any client of the provider could have got it"
    );
    let token = claims(json!({ "exp": NOW + 60, "iat": NOW - 5, "azp": "oam", "sub": "evil" }));
    let person = by_userinfo(&okta(), &info, Some(&token), false, NOW)
        .unwrap_or_else(|r| panic!("{}", r.sentence));
    assert_eq!(
        (person.subject.as_str(), person.expires_at),
        ("00u1", NOW + 60)
    );
    let nobodys = claims(json!({ "exp": NOW + 60 }));
    assert!(by_userinfo(&okta(), &info, Some(&nobodys), false, NOW).is_err());
    let for_ever = claims(json!({ "exp": u64::MAX, "azp": "oam" }));
    let capped = by_userinfo(&okta(), &info, Some(&for_ever), false, NOW).map(|p| p.expires_at);
    assert_eq!(capped, Ok(NOW + okta().longest_age_ms / 1000));
    let foreign = claims(json!({ "exp": NOW + 60, "client_id": "other", "aud": "account" }));
    assert!(by_userinfo(&okta(), &info, Some(&foreign), true, NOW).is_err());
    assert!(by_userinfo(&okta(), &Claims::new(), None, true, NOW).is_err());
}

#[test]
fn a_time_in_userinfo_is_none_of_the_tokens() {
    let mut thin = okta();
    thin.groups_from_userinfo = true;
    let info = claims(json!({
        "sub": "00u1", "groups": ["ml"], "iat": NOW, "auth_time": NOW, "exp": NOW + 9000, "nbf": NOW,
    }));
    let mut untold = answer(json!({}));
    untold.remove("iat");
    let bearing_none = claims(json!({ "azp": "oam" }));
    for person in [
        introspected(&thin, &untold, Some(&info), NOW),
        by_userinfo(&thin, &info, None, true, NOW),
        by_userinfo(&thin, &info, Some(&bearing_none), false, NOW),
    ] {
        let person = person.unwrap_or_else(|r| panic!("{}", r.sentence));
        assert_eq!(person.auth_time, None);
        for name in ["iat", "auth_time", "nbf"] {
            assert!(!person.claims.contains_key(name), "{name}");
        }
        assert!(person.expires_at <= NOW + 600);
    }
}
