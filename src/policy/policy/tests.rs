use super::cases::principal;
use super::diff::{AccessEffect, diff};
use super::explain::explain;
use super::fixture::{grant, index, job, member, person, policy, role, wanted};
use super::{Index, covers, decide, held_names, holdings};
use crate::claims::fixture::jobs;
use oam_model::issuer::IdentitySource;
use oam_model::policy::{Decision, PolicyRequest};
use oam_model::principal::{Groups, Principal};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::role::Action;
use serde_json::json;
use std::sync::Arc;

fn ask(who: &Principal, repository: Option<&str>, action: Action) -> Result<Decision, Refusal> {
    decide(&index(), who, &wanted(repository, action))
}

fn named(role: &str, repository: &str, action: Action) -> PolicyRequest {
    PolicyRequest {
        role: Some(role.parse().unwrap()),
        ..wanted(Some(repository), action)
    }
}

#[test]
fn a_decision_names_the_rule_and_why_the_role_is_held() {
    let decision = ask(&person(&["publishers"]), Some("acme/model"), Action::Write).unwrap();
    assert_eq!(decision.role.as_str(), "publisher");
    assert_eq!(
        decision.rule,
        "publisher grants write on models for acme/* (line 6)"
    );
    assert_eq!(decision.because, "member of publishers at okta (line 5)");
    let claimed = ask(
        &job(json!({"repository_id": 7})),
        Some("acme/model"),
        Action::Read,
    )
    .unwrap();
    assert_eq!(
        claimed.because,
        "known at github with repository_id = 7 (line 11)"
    );
    assert_eq!(
        claimed.action,
        Action::Read,
        "what was asked, not what the grant allows"
    );
}

#[test]
fn a_read_gets_the_reader_even_when_the_person_holds_write() {
    let decision = ask(&person(&["publishers"]), Some("acme/model"), Action::Read).unwrap();
    assert_eq!(
        (decision.role.as_str(), decision.action),
        ("reader", Action::Read)
    );
    assert_eq!(decision.because, "anybody at okta (line 2)");
}

#[test]
fn who_lacks_a_group_is_told_which_one() {
    let refusal = ask(&person(&["interns"]), Some("acme/model"), Action::Write).unwrap_err();
    assert_eq!(refusal.code, RefusalCode::Denied);
    assert_eq!(
        refusal.sentence,
        "no role of yours grants write on models for acme/model"
    );
    assert!(
        refusal
            .next
            .contains("publisher grants it to members of leads or publishers at okta"),
        "{}",
        refusal.next
    );
    let nowhere = ask(&person(&["publishers"]), Some("other/x"), Action::Manage).unwrap_err();
    assert!(nowhere.next.contains("no role of acme"), "{}", nowhere.next);
}

#[test]
fn a_tie_is_refused_and_names_the_rivals_and_naming_one_settles_it() {
    let both = person(&["publishers", "twins"]);
    let same = ask(&both, Some("acme/model"), Action::Write).unwrap();
    assert_eq!(
        same.role.as_str(),
        "publisher",
        "identical grants are no question"
    );
    let mut policy = policy();
    policy.roles[1].grants[0].grant.repositories = vec!["acme/mod*".into()];
    policy.roles[2].grants[0].grant.repositories = vec!["acme/*del".into()];
    let decided = |policy: &oam_model::policy::Policy| {
        let write = wanted(Some("acme/model"), Action::Write);
        decide(&Index::new(policy.clone()), &both, &write)
    };
    let refusal = decided(&policy).unwrap_err();
    policy.roles[2].priority = 1;
    assert_eq!(decided(&policy).unwrap().role.as_str(), "twin");
    assert_eq!(
        refusal.sentence,
        "publisher and twin cover acme/model on models equally well"
    );
    let settled = decide(&index(), &both, &named("twin", "acme/model", Action::Write));
    assert_eq!(settled.unwrap().role.as_str(), "twin");
}

#[test]
fn what_two_roles_cover_equally_well_is_covered() {
    let write = wanted(Some("acme/model"), Action::Write);
    let may = |groups: &[&str]| covers(&index(), &person(groups), &write);
    assert!(may(&["publishers", "twins"]));
    assert!(may(&["twins"]));
    assert!(!may(&["interns"]));
    let twin = named("twin", "acme/model", Action::Write);
    assert!(!covers(&index(), &person(&["publishers"]), &twin));
    let other = wanted(Some("other/model"), Action::Write);
    assert!(!covers(&index(), &person(&["publishers", "twins"]), &other));
}

#[test]
fn a_named_role_is_only_given_to_its_holders_and_for_what_it_grants() {
    let ada = person(&["publishers"]);
    let not_held = decide(&index(), &ada, &named("twin", "acme/m", Action::Write)).unwrap_err();
    assert_eq!(not_held.sentence, "twin is not held by you");
    assert!(not_held.next.contains("members of twins at okta"));
    let too_little = decide(&index(), &ada, &named("reader", "acme/m", Action::Write)).unwrap_err();
    assert_eq!(
        too_little.sentence,
        "reader does not grant write on models for acme/m"
    );
    let unknown = decide(&index(), &ada, &named("raeder", "acme/m", Action::Read)).unwrap_err();
    assert_eq!(unknown.sentence, "there is no role raeder here");
}

#[test]
fn without_a_repository_only_a_grant_for_the_whole_hub_answers() {
    let refusal = ask(&person(&["publishers"]), None, Action::Read).unwrap_err();
    assert!(refusal.next.contains("--repo"), "{}", refusal.next);
    let mut auditor = person(&[]);
    auditor.claims =
        Arc::new(serde_json::from_value(json!({"job": {"title": "auditor"}})).unwrap());
    assert_eq!(
        ask(&auditor, None, Action::Read).unwrap().role.as_str(),
        "auditor"
    );
}

#[test]
fn groups_that_are_unknown_refuse_with_the_remedy_unless_they_do_not_matter() {
    let mut ada = person(&[]);
    ada.groups = Groups::Unknown {
        sentence: "the token names no groups because there are too many".to_owned(),
        next: "assign groups to the application".to_owned(),
    };
    let refusal = ask(&ada, Some("acme/model"), Action::Write).unwrap_err();
    assert_eq!(
        refusal.sentence,
        "the token names no groups because there are too many"
    );
    assert_eq!(refusal.next, "assign groups to the application");
    assert_eq!(
        ask(&ada, Some("acme/model"), Action::Read)
            .unwrap()
            .role
            .as_str(),
        "reader"
    );
    let hopeless = ask(&ada, Some("other/x"), Action::Write).unwrap_err();
    assert!(
        hopeless.sentence.starts_with("no role of yours"),
        "no group would help: {}",
        hopeless.sentence
    );
}

#[test]
fn a_stranger_job_learns_nothing_of_roles_and_groups() {
    let stranger = job(json!({"repository_id": "666"}));
    for refusal in [
        ask(&stranger, Some("acme/model"), Action::Write).unwrap_err(),
        decide(
            &index(),
            &stranger,
            &named("publisher", "acme/model", Action::Write),
        )
        .unwrap_err(),
        decide(
            &index(),
            &stranger,
            &named("nosuch", "acme/model", Action::Write),
        )
        .unwrap_err(),
    ] {
        let said = format!("{} {}", refusal.sentence, refusal.next);
        // The same for a role that there is and for one that there is not.
        assert_eq!(refusal.sentence, "no role is held by this job");
        assert!(
            !said.contains("publishers") && !said.contains("repository_id"),
            "{said}"
        );
    }
    let own = job(json!({"repository_id": "7"}));
    let other = ask(&own, Some("acme/other"), Action::Write).unwrap_err();
    assert_eq!(
        other.sentence,
        "no role of this job grants write on models for acme/other"
    );
}

#[test]
fn a_path_outside_the_grant_is_refused() {
    for path in [
        "acmex/model",
        "other/model",
        "acme/team/model",
        "datasets/acme/model",
        "acme",
    ] {
        assert!(
            ask(&person(&["publishers"]), Some(path), Action::Read).is_err(),
            "{path}"
        );
    }
    let elsewhere = PolicyRequest {
        hub: "code".parse().unwrap(),
        ..wanted(Some("acme/model"), Action::Read)
    };
    assert!(decide(&index(), &person(&["publishers"]), &elsewhere).is_err());
}

#[test]
fn another_source_with_the_same_group_holds_nothing() {
    let mut other = person(&["publishers"]);
    other.key.source = "entra".parse().unwrap();
    assert!(holdings(&index(), &other).is_empty());
    assert!(ask(&other, Some("acme/model"), Action::Read).is_err());
}

#[test]
fn holdings_are_in_the_order_of_the_file_and_names_in_their_own() {
    let ada = person(&["twins", "publishers"]);
    let roles = holdings(&index(), &ada);
    let names: Vec<&str> = roles.iter().map(|held| held.role.as_str()).collect();
    assert_eq!(names, ["reader", "publisher", "twin"]);
    assert_eq!(roles[1].because, "member of publishers at okta (line 5)");
    assert_eq!(roles[1].grants[0].repositories, ["acme/*"]);
    let sorted: Vec<String> = held_names(&index(), &ada)
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(sorted, ["publisher", "reader", "twin"]);
}

#[test]
fn two_grants_of_one_role_are_no_rivals() {
    let mut policy = policy();
    policy.roles[1]
        .grants
        .push(grant("models", "acme/*", Action::Write, 7));
    let index = Index::new(policy);
    let decision = decide(
        &index,
        &person(&["publishers"]),
        &wanted(Some("acme/m"), Action::Write),
    );
    assert!(decision.unwrap().rule.ends_with("(line 6)"));
}

#[test]
fn an_explanation_says_of_every_role_why_it_does_not_apply() {
    let said = explain(
        &index(),
        &person(&["publishers"]),
        &wanted(Some("acme/model"), Action::Write),
    );
    assert_eq!(said.decision.as_ref().unwrap().role.as_str(), "publisher");
    let row = |at: usize| {
        (
            said.roles[at].held,
            said.roles[at].covers,
            said.roles[at].chosen,
        )
    };
    assert_eq!(
        (row(0), row(1), row(2)),
        (
            (true, false, false),
            (true, true, true),
            (false, true, false)
        )
    );
    assert_eq!(said.roles[0].grant, "grants no more than read on models");
    assert_eq!(said.roles[2].membership, "not in twins (line 8)");
    assert_eq!(said.roles[3].membership, "its members are of github");
    assert_eq!(
        said.roles[4].membership,
        "claim job.title is not there (auditor) (line 14)"
    );
    let json = serde_json::to_value(&said).unwrap();
    assert_eq!(json["roles"][1]["chosen"], json!(true));
    assert_eq!(json["refusal"], json!(null));
    assert_eq!(json["subject"], json!("okta:00u1"));
}

#[test]
fn somebody_described_has_the_key_that_a_token_would_give() {
    let address = "https://token.actions.githubusercontent.com";
    let source = IdentitySource {
        key_claim: Some("repository_id".to_owned()),
        username_claim: "repository".to_owned(),
        ..jobs("github", address, "https://issuer.acme.example")
    };
    let claims = |value| serde_json::from_value(value).unwrap();
    let job = principal(
        &source,
        "job",
        Vec::new(),
        claims(json!({"repository_id": 7})),
    );
    assert_eq!(
        (job.key.to_string(), job.subject),
        ("github:7".to_owned(), "job".to_owned())
    );
    let unnamed = principal(
        &source,
        "job",
        Vec::new(),
        claims(json!({"sub": "repo:a/b"})),
    );
    assert_eq!(
        (unnamed.key.to_string(), unnamed.subject.as_str()),
        ("github:job".to_owned(), "repo:a/b")
    );
}

#[test]
fn a_diff_says_who_gains_and_who_loses_what() {
    let old = policy();
    let mut new = policy();
    new.roles[1].members[0].groups = vec!["publishers".to_owned(), "research".to_owned()];
    new.roles[2].grants[0].grant.action = Action::Read;
    new.roles[4].lifetime_s = 600;
    new.roles.remove(3);
    new.roles.push(role(
        "admin",
        vec![member("okta", &["leads"], &[], 20)],
        vec![grant("models", "acme/*", Action::Manage, 21)],
    ));
    new.org.session_age_ms = 86_400_000;
    let said: Vec<String> = diff(&old, &new)
        .iter()
        .map(|c| {
            let role = c.role.as_ref().map_or("", |r| r.as_str());
            let by = c.still_by.as_ref().map_or("", |r| r.as_str());
            format!(
                "{:?}|{role}|{}|{}|{by}",
                c.effect,
                c.who.as_deref().unwrap_or(""),
                c.what
            )
        })
        .collect();
    assert_eq!(
        said,
        [
            "Loses|ci|everybody at github with repository_id = 7|write on models for acme/model|",
            "Loses|publisher|members of leads at okta|write on models for acme/*|admin",
            "Loses|twin|members of twins at okta|write on models for acme/* (only read is left)|",
            "Gains|admin|members of leads at okta|manage on models for acme/*|",
            "Gains|publisher|members of research at okta|write on models for acme/*|",
            "Differs|||org.session_age: 86400 s instead of 604800 s|",
            "Differs|auditor||lifetime: 600 s instead of 900 s|",
        ]
    );
    assert!(diff(&old, &old).is_empty());
    assert!(
        diff(&old, &new)
            .iter()
            .any(|c| c.effect == AccessEffect::Gains)
    );
}
