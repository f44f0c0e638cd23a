//! What GitHub says of teams, and whose account each is.

use super::directory::{group, members, put, user};
use super::fixture::*;
use crate::{Compared, Store, StoreChange, StoreFault, TeamsState};
use oam_model::feed::FeedEvent;
use oam_model::name::SourceName;
use oam_policy::teams::Team;
use std::collections::BTreeSet;

fn okta() -> SourceName {
    "okta".parse().unwrap()
}

fn team(id: u64, name: &str, added: &[u64], removed: &[u64]) -> StoreChange {
    StoreChange::PutTeam {
        source: okta(),
        team: Team {
            id,
            name: name.to_owned(),
        },
        added: added.to_vec(),
        removed: removed.to_vec(),
    }
}

fn account(name: &str, account: Option<u64>) -> StoreChange {
    StoreChange::Account {
        key: person(name),
        account,
    }
}

async fn write(store: &dyn Store, all: Vec<StoreChange>) {
    commit(store, changes(all)).await;
}

async fn groups(store: &dyn Store, name: &str) -> Vec<String> {
    let row = store.person(person(name)).await.unwrap();
    row.map_or_else(Vec::new, |row| row.team_groups().to_vec())
}

pub async fn teams_are_the_groups_of_whose_account_is_in_them(store: &dyn Store) {
    write(
        store,
        vec![
            team(7, "acme/ml", &[1, 2], &[]),
            team(8, "acme/eng", &[1], &[]),
        ],
    )
    .await;
    assert_eq!(store.person(person("ada")).await.unwrap(), None);
    // Known before they come, and found then.
    write(store, vec![account("ada", Some(1))]).await;
    assert_eq!(groups(store, "ada").await, ["acme/eng", "acme/ml"]);
    assert!(
        store
            .person(person("ada"))
            .await
            .unwrap()
            .unwrap()
            .is_never_seen()
    );
    write(
        store,
        vec![
            StoreChange::Seen(seen("ada")),
            StoreChange::Seen(seen("bob")),
        ],
    )
    .await;
    write(store, vec![account("bob", Some(2))]).await;
    let row = store.person(person("ada")).await.unwrap().unwrap();
    let all = row.counting_groups().all().unwrap();
    assert_eq!(all, ["ml", "acme/eng", "acme/ml"]);
    assert_eq!(
        store.account_teams(okta(), 1).await.unwrap(),
        ["acme/eng", "acme/ml"]
    );
    assert_eq!(
        store.account_owner(okta(), 2).await.unwrap(),
        Some(person("bob").key)
    );
    let in_it = store.team_people(okta(), vec![1, 2, 3]).await.unwrap();
    assert_eq!(in_it.len(), 2);
}

/// Each group of somebody with who says it, and whether it counts.
async fn sources(store: &dyn Store, name: &str) -> Vec<(String, String, bool)> {
    let row = store.person(person(name)).await.unwrap().unwrap();
    let told = row.group_sources().into_iter();
    told.map(|one| (one.group, one.by, one.counts)).collect()
}

pub async fn every_group_of_somebody_is_told_with_its_source_and_whether_it_counts(
    store: &dyn Store,
) {
    let is = |group: &str, by: &str, counts| (group.to_owned(), by.to_owned(), counts);
    write(
        store,
        vec![
            StoreChange::Seen(seen("ada")),
            team(8, "acme/eng", &[1], &[]),
            account("ada", Some(1)),
        ],
    )
    .await;
    let (own, eng) = (is("ml", "token", true), is("acme/eng", "team", true));
    assert_eq!(sources(store, "ada").await, [own, eng.clone()]);
    let row = store.person(person("ada")).await.unwrap().unwrap();
    let teams = row.team_sources();
    assert_eq!((teams.len(), teams[0].by.as_str()), (1, "team"));
    assert!(teams[0].because.contains("beside other groups"));
    // The directory says another group: the token's is told, and does not count. The team does.
    write(store, vec![put(user("ada"), None)]).await;
    write(store, vec![members(group("staff"), None, &["ada"], &[])]).await;
    let told = sources(store, "ada").await;
    let staff = is("staff", "directory", true);
    assert_eq!(told, [staff, eng, is("ml", "token", false)]);
}

pub async fn a_team_is_renamed_left_and_dropped_by_its_number(store: &dyn Store) {
    write(
        store,
        vec![
            team(7, "acme/ml", &[1, 2], &[]),
            team(8, "acme/eng", &[1], &[]),
            account("ada", Some(1)),
            account("bob", Some(2)),
        ],
    )
    .await;
    // One left, and one came twice.
    write(store, vec![team(7, "acme/research", &[2, 3], &[1])]).await;
    assert_eq!(groups(store, "ada").await, ["acme/eng"]);
    assert_eq!(groups(store, "bob").await, ["acme/research"]);
    assert_eq!(
        store.team_members(okta(), 7).await.unwrap(),
        BTreeSet::from([2, 3])
    );
    write(
        store,
        vec![StoreChange::DropTeam {
            source: okta(),
            id: 7,
        }],
    )
    .await;
    assert_eq!(groups(store, "bob").await, [] as [&str; 0]);
    let left = store.teams(okta()).await.unwrap();
    assert_eq!(
        left,
        [Team {
            id: 8,
            name: "acme/eng".to_owned()
        }]
    );
}

pub async fn an_account_is_one_persons_and_can_change_hands_in_one_batch(store: &dyn Store) {
    write(
        store,
        vec![account("ada", Some(1)), account("bob", Some(2))],
    )
    .await;
    let taken = refused(store, changes([account("eve", Some(1))])).await;
    assert_eq!(taken, StoreFault::Taken);
    let swapped = vec![
        account("ada", None),
        account("bob", None),
        account("ada", Some(2)),
        account("bob", Some(1)),
    ];
    write(store, swapped).await;
    let all = store.accounts(okta()).await.unwrap();
    assert_eq!(all, [(person("ada").key, 2), (person("bob").key, 1)]);
}

pub async fn how_teams_were_read_is_known_until_they_are_forgotten(store: &dyn Store) {
    let read = |fault: Option<&str>, at_ms| StoreChange::TeamsRead {
        source: okta(),
        fault: fault.map(str::to_owned),
        at_ms,
    };
    write(
        store,
        vec![team(7, "acme/ml", &[1, 2], &[]), account("ada", Some(1))],
    )
    .await;
    write(
        store,
        vec![read(None, 5), read(Some("a"), 6), read(Some("b"), 7)],
    )
    .await;
    write(
        store,
        vec![StoreChange::TeamsHeard {
            source: okta(),
            at_ms: 4,
        }],
    )
    .await;
    let state = store.teams_state(okta()).await.unwrap();
    let known = TeamsState {
        teams: 1,
        members: 2,
        accounts: 1,
        read_at_ms: Some(5),
        heard_at_ms: Some(4),
        fault: Some(("b".to_owned(), 6)),
    };
    assert_eq!(state, known);
    write(store, vec![read(None, 8)]).await;
    let state = store.teams_state(okta()).await.unwrap();
    assert_eq!((state.read_at_ms, state.fault), (Some(8), None));
    let row = store.person(person("ada")).await.unwrap().unwrap();
    assert_eq!(row.teams.unwrap().at_ms, 8);
    write(store, vec![StoreChange::ForgetTeams(okta())]).await;
    assert_eq!(
        store.teams_state(okta()).await.unwrap(),
        TeamsState::default()
    );
    assert_eq!(
        store.person(person("ada")).await.unwrap().unwrap().teams,
        None
    );
}

pub async fn roles_that_were_decided_before_a_team_changed_are_refused(store: &dyn Store) {
    write(
        store,
        vec![StoreChange::Seen(seen("ada")), account("ada", Some(1))],
    )
    .await;
    let row = store.person(person("ada")).await.unwrap();
    let held = StoreChange::Held {
        key: person("ada"),
        from: Compared::of(row.as_ref()),
        held: vec![role("publisher")],
        lost: Vec::new(),
        at_ms: NOW_MS,
        feed: Some(FeedEvent::RolesChanged {
            at_ms: NOW_MS,
            held: vec![role("publisher")],
            lost: Vec::new(),
        }),
    };
    write(store, vec![team(7, "acme/ml", &[1], &[])]).await;
    let late = refused(store, changes([held])).await;
    assert_eq!(late, StoreFault::Overtaken);
}
