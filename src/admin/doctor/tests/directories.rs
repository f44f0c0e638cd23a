//! Directories: heard or read, and whether tokens contradict them.

use crate::doctor::State;
use crate::doctor::directory::{contradicts, heard, taken, unknown};
use oam_model::directory::{DirectoryAdapter, DirectoryPoll};
use oam_model::issuer::SecretPlace;
use oam_model::issuer::{DirectorySettings, GroupAttribute, UserAttribute};
use oam_model::principal::PrincipalKey;
use oam_policy::account::Account;
use oam_policy::evidence::{DirectoryEvidence, EvidenceKind};
use oam_store::{
    DirectoryState, HeldFall, PersonRow, PersonSeen, PollState, SecretOwner, SecretRow,
};

const NOW: u64 = 1_800_000_000_000;
const DAY: u64 = 86_400_000;

fn settings(expect_every_ms: u64) -> DirectorySettings {
    DirectorySettings {
        subject: UserAttribute::ExternalId,
        group: GroupAttribute::DisplayName,
        expect_every_ms,
        requests_per_minute: 60,
        most_users: 1,
        most_groups: 1,
    }
}

fn token(until_ms: Option<u64>) -> SecretRow {
    SecretRow {
        owner: SecretOwner::Directory("okta".parse().unwrap()),
        number: 1,
        value: Vec::new(),
        hub: None,
        made_at_ms: 0,
        until_ms,
    }
}

#[test]
fn a_directory_that_has_gone_silent_or_has_no_token_is_told() {
    let at = |heard_at_ms| DirectoryState {
        users: 3,
        groups: 1,
        heard_at_ms,
        changed_at_ms: heard_at_ms,
    };
    let of = |every, state, tokens: &[SecretRow]| {
        heard("directory of okta", &settings(every), state, tokens, NOW)
    };
    let good = [token(None)];
    let fine = of(7 * DAY, at(Some(NOW - DAY)), &good);
    assert_eq!(fine.state, State::Ok, "{fine:?}");
    assert!(fine.sentence.contains("3 users and 1 group"), "{fine:?}");
    let silent = of(DAY, at(Some(NOW - 2 * DAY)), &good);
    assert_eq!(silent.state, State::Warning);
    assert!(silent.sentence.contains("gone silent"), "{silent:?}");
    assert_eq!(of(0, at(Some(1)), &good).state, State::Ok);
    assert_eq!(of(DAY, at(None), &good).state, State::Warning);
    let over = of(DAY, at(Some(NOW)), &[token(Some(NOW - 1))]);
    assert_eq!(over.state, State::Fault);
}

#[test]
fn a_directory_whose_reading_fails_is_held_or_has_gone_silent_is_told() {
    let settings = DirectoryPoll {
        adapter: DirectoryAdapter::Okta {
            url: "https://acme.okta.com".into(),
            secret: SecretPlace::File("/etc/oam/okta".into()),
        },
        every_ms: 300_000,
        within_ms: 600_000,
        expect_every_ms: 900_000,
        hold_percent: 33,
        subject: "id".into(),
        group: None,
        most_users: 10,
        ca_file: None,
    };
    let okta = "okta".parse().unwrap();
    let of = |poll: PollState| {
        taken(
            "directory of okta",
            &okta,
            &settings,
            DirectoryState::default(),
            &poll,
            NOW,
        )
    };
    let read = |ago_ms: u64| PollState {
        as_of_ms: Some(NOW - ago_ms),
        ..PollState::default()
    };
    assert_eq!(of(read(60_000)).state, State::Ok);
    let silent = of(read(1_000_000));
    assert_eq!(silent.state, State::Warning);
    assert!(silent.sentence.contains("gone silent"), "{silent:?}");
    assert_eq!(of(PollState::default()).state, State::Warning);
    let failing = |ago_ms| PollState {
        fault: Some("it answered 403".into()),
        ..read(ago_ms)
    };
    assert_eq!(of(failing(60_000)).state, State::Warning);
    let refused = of(failing(1_000_000));
    assert_eq!(refused.state, State::Fault);
    assert!(refused.sentence.contains("it answered 403"), "{refused:?}");
    let held = of(PollState {
        held: Some(HeldFall::default()),
        ..read(0)
    });
    assert_eq!(held.state, State::Fault);
    assert!(held.next.unwrap().contains("directory confirm okta"));
}

/// Somebody whom the directory knows, with the groups that it says and those of the token.
fn person(name: &str, directory: Option<&[&str]>, token: &[&str]) -> PersonRow {
    PersonRow {
        seen: PersonSeen {
            key: PrincipalKey {
                source: "okta".parse().unwrap(),
                key: name.to_owned(),
            },
            issuer: String::new(),
            subject: name.to_owned(),
            username: None,
            email: None,
            groups: Some(token.iter().map(|group| (*group).to_owned()).collect()),
            session: None,
            proven_at: 0,
            at_ms: NOW,
        },
        held: Vec::new(),
        epoch: 0,
        account: Account::default(),
        groups_changed_at_ms: None,
        teams: None,
        directory: Some(DirectoryEvidence {
            kind: EvidenceKind::Scim,
            active: true,
            groups: directory.map(|all| all.iter().map(|one| (*one).to_owned()).collect()),
            at_ms: NOW,
        }),
    }
}

#[test]
fn tokens_that_contradict_the_directory_are_told() {
    let okta = "okta".parse().unwrap();
    let people = [
        person("ada", Some(&["ml"]), &["ml"]),
        person("bob", None, &["ml"]),
        person("cyd", Some(&["ml", "more"]), &["ml"]),
    ];
    assert_eq!(contradicts("part", &okta, &people), None);
    let people = [person("eve", Some(&["sales"]), &["sales", "ml"])];
    let told = contradicts("part", &okta, &people).unwrap();
    assert_eq!(told.state, State::Warning);
    assert!(told.sentence.contains("okta:eve (ml)"), "{told:?}");
}

#[test]
fn people_whom_the_directory_does_not_know_are_told() {
    let okta = "okta".parse().unwrap();
    let state = DirectoryState {
        users: 3,
        ..DirectoryState::default()
    };
    let told = |state, people: &[PersonRow]| {
        unknown("part", &okta, "let `externalId` be it", state, people)
    };
    let known = person("ada", None, &[]);
    let stranger = PersonRow {
        directory: None,
        ..person("eve", None, &[])
    };
    assert_eq!(told(state, std::slice::from_ref(&known)), None);
    let some = told(state, &[known, stranger.clone()]).unwrap();
    assert_eq!(some.state, State::Warning);
    assert!(
        some.sentence.contains("1 person") && some.sentence.contains("okta:eve"),
        "{some:?}"
    );
    let none = told(state, std::slice::from_ref(&stranger)).unwrap();
    assert_eq!(none.state, State::Fault);
    assert!(none.next.unwrap().contains("externalId"));
    assert_eq!(
        told(DirectoryState::default(), &[stranger]),
        None,
        "it has not begun"
    );
}
