use super::{End, Facts, admit, groups, roles_after_signal};
use crate::claims::fixture::{NOW, ada, name, okta, principal};
use crate::evidence::{DirectoryEvidence, EvidenceKind};
use oam_model::name::RoleName;
use oam_model::policy::OrgRules;
use oam_model::principal::{Groups, Principal, PrincipalKind};
use oam_model::refusal::RefusalCode;
use proptest::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::sync::Arc;

const WEEK_MS: u64 = 7 * 24 * 3600 * 1000;

fn org() -> OrgRules {
    OrgRules {
        name: "acme".parse().unwrap_or_else(|_| panic!("a name")),
        sign_in: name("okta"),
        client_id: "oam".to_owned(),
        scopes: Vec::new(),
        extra: BTreeMap::new(),
        redirect_port: 0,
        redirect_path: "/".to_owned(),
        fresh_ms: 60_000,
        lease_ms: 600_000,
        session_age_ms: WEEK_MS,
        device_login: false,
    }
}

/// Signed in at `auth_time`, the token made at `iat`.
fn person(auth_time: Option<u64>, iat: u64) -> Principal {
    let mut claims = ada();
    claims.remove("auth_time");
    if let Some(at) = auth_time {
        claims.insert("auth_time".to_owned(), json!(at));
    }
    claims.insert("iat".to_owned(), json!(iat));
    principal(&okta(), None, &claims, NOW).unwrap_or_else(|r| panic!("{}", r.sentence))
}

fn end(seconds: u64) -> End {
    End {
        at_ms: seconds * 1000,
        reason: "session-revoked".to_owned(),
    }
}

fn code(facts: &Facts, person: &Principal) -> Option<RefusalCode> {
    admit(Some(facts), person, &org(), NOW * 1000)
        .err()
        .map(|refusal| refusal.code)
}

#[test]
fn somebody_new_is_admitted_and_an_old_sign_in_is_not() {
    let new = person(Some(NOW - 600), NOW - 30);
    assert_eq!(admit(None, &new, &org(), NOW * 1000), Ok(()));
    let old = person(Some(NOW - WEEK_MS / 1000 - 1), NOW - 30);
    let refused = admit(None, &old, &org(), NOW * 1000).map_err(|r| r.code);
    assert_eq!(refused, Err(RefusalCode::Ended));
}

#[test]
fn an_ended_account_is_refused_whatever_the_token() {
    let facts = Facts {
        account: Some(end(NOW - 3600)),
        ..Facts::default()
    };
    for signed_in in [NOW - 7200, NOW - 10, NOW] {
        let person = person(Some(signed_in), NOW);
        assert_eq!(code(&facts, &person), Some(RefusalCode::Revoked));
    }
}

#[test]
fn an_ended_session_needs_a_sign_in_later_than_the_end() {
    let facts = Facts {
        session: Some(end(NOW - 100)),
        ..Facts::default()
    };
    let refused = Some(RefusalCode::Revoked);
    assert_eq!(code(&facts, &person(Some(NOW - 101), NOW)), refused);
    assert_eq!(code(&facts, &person(Some(NOW - 100), NOW)), refused);
    assert_eq!(code(&facts, &person(Some(NOW - 99), NOW)), None);
    assert_eq!(code(&facts, &person(None, NOW - 100)), refused);
    assert_eq!(code(&facts, &person(None, NOW - 99)), None);
}

#[test]
fn an_introspection_is_no_new_sign_in() {
    let facts = Facts {
        session: Some(end(NOW - 100)),
        ..Facts::default()
    };
    let mut asked = person(None, NOW - 500);
    asked.proven_at = NOW;
    assert_eq!(code(&facts, &asked), Some(RefusalCode::Revoked));
    // One that tells no time at all could be the very one that was ended.
    Arc::make_mut(&mut asked.claims).remove("iat");
    assert_eq!(code(&facts, &asked), Some(RefusalCode::Revoked));
}

#[test]
fn a_doubt_ends_with_a_token_of_its_second_or_later() {
    let facts = Facts {
        doubt: Some(End {
            at_ms: (NOW - 100) * 1000 + 700,
            reason: "signed out".to_owned(),
        }),
        ..Facts::default()
    };
    let signed_in = Some(NOW - 5000);
    let refused = Some(RefusalCode::Ended);
    assert_eq!(code(&facts, &person(signed_in, NOW - 101)), refused);
    assert_eq!(code(&facts, &person(signed_in, NOW - 100)), None);
    let mut asked = person(signed_in, NOW - 500);
    asked.proven_at = NOW - 50;
    assert_eq!(code(&facts, &asked), None, "the provider was asked again");
}

#[test]
fn a_signals_groups_count_until_a_later_token() {
    let known = |names: &[&str]| Groups::Known(names.iter().map(|n| (*n).to_owned()).collect());
    let facts = |names: Option<&[&str]>| Facts {
        groups: names.map(|names| names.iter().map(|n| (*n).to_owned()).collect()),
        groups_changed_at_ms: Some((NOW - 100) * 1000),
        ..Facts::default()
    };
    let (before, after) = (person(None, NOW - 200), person(None, NOW - 50));
    let changed = facts(Some(&["sales"]));
    assert_eq!(groups(Some(&changed), &before), known(&["sales"]));
    assert_eq!(groups(Some(&changed), &after), known(&["ml", "everyone"]));
    let untold = facts(None);
    assert!(matches!(
        groups(Some(&untold), &before),
        Groups::Unknown { .. }
    ));
    assert_eq!(groups(Some(&untold), &after), known(&["ml", "everyone"]));
    assert_eq!(groups(None, &before), known(&["ml", "everyone"]));
}

fn roles(names: &[&str]) -> Vec<RoleName> {
    names.iter().filter_map(|name| name.parse().ok()).collect()
}

#[test]
fn lost_roles_are_those_held_before_and_not_now() {
    let after = roles_after_signal(&roles(&["a", "b"]), roles(&["b", "c"]));
    assert_eq!((after.lost, after.changed), (roles(&["a"]), true));
    let gained = roles_after_signal(&roles(&["a"]), roles(&["a", "c"]));
    assert_eq!((gained.lost, gained.changed), (roles(&[]), true));
    let same = roles_after_signal(&roles(&["a", "b"]), roles(&["b", "a"]));
    assert!(!same.changed);
}

proptest! {
    #[test]
    fn nobody_is_admitted_by_evidence_from_before_an_end(
        account in proptest::option::of(0u64..5000),
        session in proptest::option::of(0u64..5000),
        doubt in proptest::option::of(0u64..5000),
        auth in proptest::option::of(0u64..5000),
        iat in 0u64..5000,
    ) {
        let at = |ago: Option<u64>| ago.map(|ago| end(NOW - ago));
        let facts = Facts { account: at(account), session: at(session), doubt: at(doubt), ..Facts::default() };
        let person = person(auth.map(|ago| NOW - ago), NOW - iat);
        if admit(Some(&facts), &person, &org(), NOW * 1000).is_ok() {
            prop_assert_eq!(account, None);
            let signed_in = auth.unwrap_or(iat);
            prop_assert!(session.is_none_or(|ended| signed_in < ended));
            prop_assert!(doubt.is_none_or(|doubted| iat <= doubted));
        }
    }
}

#[test]
fn a_renewal_is_no_new_sign_in_where_the_provider_tells_no_time_of_one() {
    let ended = |session_since| Facts {
        session: Some(end(NOW - 100)),
        session_since,
        ..Facts::default()
    };
    let renewed = person(None, NOW - 10);
    assert_eq!(code(&ended(None), &renewed), None, "its first proof");
    assert_eq!(code(&ended(Some(NOW - 50)), &renewed), None);
    let refused = Some(RefusalCode::Revoked);
    assert_eq!(code(&ended(Some(NOW - 500)), &renewed), refused);
    assert_eq!(code(&ended(Some(NOW - 100)), &renewed), refused);
    // Neither time nor session: it could be a renewal, and the words say what is missing.
    let mut untold = renewed;
    untold.session = None;
    let refusal = admit(Some(&ended(None)), &untold, &org(), NOW * 1000).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Revoked);
    assert!(
        refusal.next.contains("`auth_time` or `sid`"),
        "{}",
        refusal.next
    );
    // At a provider that tells neither, it is of the newest exchange of a code, if it was made after that.
    assert_eq!(code(&ended(Some(NOW - 50)), &untold), None);
    for of_before in [NOW - 100, NOW - 500] {
        assert_eq!(code(&ended(Some(of_before)), &untold), refused);
    }
    assert_eq!(code(&ended(Some(NOW - 9)), &untold), refused);
    // Each token of a job stands for itself.
    untold.kind = PrincipalKind::Job;
    assert_eq!(code(&ended(None), &untold), None);
}

#[test]
fn a_session_is_at_least_as_old_as_its_first_evidence() {
    let since = |session_since| Facts {
        session_since,
        ..Facts::default()
    };
    let renewed = person(None, NOW - 10);
    let longest_s = WEEK_MS / 1000;
    let old = since(Some(NOW - longest_s - 1));
    assert_eq!(code(&old, &renewed), Some(RefusalCode::Ended));
    for young in [Some(NOW - longest_s), Some(0), None] {
        assert_eq!(code(&since(young), &renewed), None, "{young:?}");
    }
    // Whoever tells the time of a sign-in knows better.
    assert_eq!(code(&old, &person(Some(NOW - 20), NOW - 10)), None);
    let mut job = renewed;
    job.kind = PrincipalKind::Job;
    assert_eq!(code(&old, &job), None);
}

#[test]
fn a_sign_in_within_the_second_of_the_end_is_told_so() {
    let facts = Facts {
        session: Some(end(NOW - 100)),
        ..Facts::default()
    };
    let same = person(Some(NOW - 100), NOW - 99);
    let refusal = admit(Some(&facts), &same, &org(), NOW * 1000).unwrap_err();
    assert!(
        refusal.sentence.contains("the very second"),
        "{}",
        refusal.sentence
    );
    assert!(refusal.next.contains("once more"));
}

#[test]
fn older_evidence_grants_no_group_that_newer_took() {
    let facts = Facts {
        groups: Some(vec!["ml".to_owned()]),
        proven_at: NOW - 50,
        ..Facts::default()
    };
    let known = |names: &[&str]| Groups::Known(names.iter().map(|n| (*n).to_owned()).collect());
    assert_eq!(
        groups(Some(&facts), &person(None, NOW - 60)),
        known(&["ml"])
    );
    let same = person(None, NOW - 50);
    assert_eq!(groups(Some(&facts), &same), known(&["ml", "everyone"]));
}

proptest! {
    /// The one table, over everything that can be known of somebody's groups.
    #[test]
    fn a_directorys_groups_count_alone_and_without_it_a_directory_changes_nothing(
        directory in prop::option::of(prop::collection::vec("[a-d]", 0..4)),
        kept in prop::option::of(prop::collection::vec("[a-d]", 0..4)),
        changed in prop::option::of(0u64..400),
        proven in 0u64..400,
        newest in 0u64..400,
        unknown in any::<bool>(),
    ) {
        let mut who = person(None, NOW - 600 + proven);
        who.proven_at = NOW - 600 + proven;
        if unknown {
            who.groups = Groups::Unknown { sentence: String::new(), next: String::new() };
        }
        let without = Facts {
            groups: kept,
            groups_changed_at_ms: changed.map(|at| (NOW - 600 + at) * 1000),
            proven_at: NOW - 600 + newest,
            ..Facts::default()
        };
        let said = directory.clone().map(|groups| DirectoryEvidence {
            kind: if unknown { EvidenceKind::Scim } else { EvidenceKind::Poll },
            active: true,
            groups: Some(groups),
            at_ms: 1,
        });
        let with = Facts { directory: said, ..without.clone() };
        let expected = match directory {
            Some(groups) => Groups::Known(groups),
            None => groups(Some(&without), &who),
        };
        prop_assert_eq!(groups(Some(&with), &who), expected);
    }
}
