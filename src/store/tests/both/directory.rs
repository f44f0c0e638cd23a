//! Any words of a directory, on both stores.

use super::Both;
use crate::tests::fixture::{NOW_MS, changes};
use crate::{DirectoryFilter, DirectoryGroup, DirectoryUser, StoreChange};
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_policy::evidence::EvidenceKind;
use proptest::prelude::*;

/// What a directory says, right or wrong.
#[derive(Debug, Clone)]
enum Said {
    User {
        id: u8,
        name: u8,
        key: u8,
        active: bool,
        stale: bool,
    },
    NoUser(u8),
    Group {
        id: u8,
        name: u8,
        added: Vec<u8>,
        removed: Vec<u8>,
        stale: bool,
    },
    NoGroup(u8),
    Read {
        groups: bool,
    },
}

fn said() -> impl Strategy<Value = Said> {
    let stale = || prop::bool::weighted(0.1);
    let some = || prop::collection::btree_set(0u8..4, 0..3);
    prop_oneof![
        4 => (0u8..4, 0u8..5, 0u8..5, any::<bool>(), stale()).prop_map(
            |(id, name, key, active, stale)| Said::User { id, name, key, active, stale }
        ),
        1 => (0u8..4).prop_map(Said::NoUser),
        5 => (0u8..2, 0u8..3, some(), some(), stale()).prop_map(
            |(id, name, added, removed, stale)| {
                let removed = removed.into_iter().filter(|one| !added.contains(one));
                Said::Group { id, name, removed: removed.collect(), added: added.into_iter().collect(), stale }
            }
        ),
        1 => (0u8..2).prop_map(Said::NoGroup),
        2 => any::<bool>().prop_map(|groups| Said::Read { groups }),
    ]
}

fn ids(numbers: &[u8]) -> Vec<String> {
    numbers.iter().map(|number| format!("u{number}")).collect()
}

fn user_version(both: &Both, source: &SourceName, id: &str) -> Option<u64> {
    let user = both.ask(&async |store| {
        let user = store.directory_user(source.clone(), id.to_owned()).await;
        user.unwrap()
    });
    user.map(|user| user.version)
}

fn kept_group(both: &Both, source: &SourceName, id: &str) -> Option<DirectoryGroup> {
    both.ask(&async |store| {
        let group = store.directory_group(source.clone(), id.to_owned()).await;
        group.unwrap()
    })
}

fn user(both: &Both, source: SourceName, said: &Said, at_ms: u64) -> StoreChange {
    let Said::User {
        id,
        name,
        key,
        active,
        stale,
    } = said
    else {
        panic!("{said:?} is of no user");
    };

    let id = format!("u{id}");
    let from = user_version(both, &source, &id).map(|from| from + u64::from(*stale));
    let user = DirectoryUser {
        kind: EvidenceKind::ALL[usize::from(*key) % 2],
        key: format!("key-{key}"),
        // Letter case is no difference.
        user_name: if *stale {
            format!("Name-{name}")
        } else {
            format!("name-{name}")
        },
        external_id: Some(format!("key-{key}")),
        emails: vec![format!("{name}@acme.example")],
        active: *active,
        attributes: "{}".into(),
        version: from.unwrap_or(0) + 1,
        created_at_ms: at_ms,
        changed_at_ms: at_ms,
        source,
        id,
    };
    StoreChange::PutDirectoryUser { user, from }
}

fn change(both: &Both, source: &SourceName, said: &Said, number: u64) -> StoreChange {
    let at_ms = NOW_MS + number;
    let source = source.clone();
    match said {
        Said::User { .. } => user(both, source, said, at_ms),
        Said::NoUser(id) => {
            let id = format!("u{id}");
            let from = user_version(both, &source, &id).unwrap_or(1);
            StoreChange::DropDirectoryUser {
                source,
                id,
                from,
                at_ms,
            }
        }
        Said::Group {
            id,
            name,
            added,
            removed,
            stale,
        } => {
            let id = format!("g{id}");
            let kept = kept_group(both, &source, &id);
            let from = kept.as_ref().map(|kept| kept.version + u64::from(*stale));
            let name = format!("group-{name}");
            StoreChange::PutDirectoryGroup {
                renamed: kept.is_some_and(|kept| kept.name != name),
                group: DirectoryGroup {
                    display_name: name.clone(),
                    name,
                    external_id: None,
                    version: from.unwrap_or(0) + 1,
                    created_at_ms: at_ms,
                    changed_at_ms: at_ms,
                    source,
                    id,
                },
                from,
                added: ids(added),
                removed: ids(removed),
            }
        }
        Said::NoGroup(id) => {
            let id = format!("g{id}");
            let from = kept_group(both, &source, &id).map_or(1, |kept| kept.version);
            StoreChange::DropDirectoryGroup {
                source,
                id,
                from,
                at_ms,
            }
        }
        Said::Read { groups } => StoreChange::PollTaken {
            source,
            as_of_ms: at_ms,
            groups: *groups,
        },
    }
}

#[test]
fn any_words_of_a_directory_come_to_the_same_in_both_stores() {
    let words = prop::collection::vec(said(), 1..16);
    Both::new().run(48, words, |both, words| {
        let source: SourceName = both.new_name().parse().unwrap();
        for (number, said) in (0..).zip(&words) {
            both.commit(changes([change(both, &source, said, number)]));
        }
        let of = |key: u8| PrincipalKey {
            source: source.clone(),
            key: format!("key-{key}"),
        };
        for key in 0..5 {
            both.row(&of(key));
        }
        let filter = DirectoryFilter::default;
        both.ask(&async |store| {
            let users = store.directory_users(source.clone(), filter(), 1, 2).await;
            users.unwrap()
        });
        let groups = both.ask(&async |store| {
            let groups = store.directory_groups(source.clone(), filter(), 0, 9).await;
            groups.unwrap()
        });
        for group in groups.rows {
            both.ask(&async |store| {
                let members = store.directory_members(source.clone(), group.id.clone());
                members.await.unwrap()
            });
        }
        for name in 0..5 {
            both.ask(&async |store| {
                let filter = DirectoryFilter {
                    name: Some(format!("NAME-{name}")),
                    ..filter()
                };
                let found = store.directory_users(source.clone(), filter, 0, 9).await;
                found.unwrap()
            });
        }
        both.ask(&async |store| store.directory_state(source.clone()).await.unwrap());
        both.ask(&async |store| store.directory_poll(source.clone()).await.unwrap());
        both.ask(&async |store| {
            let known = store
                .directory_known(source.clone(), ids(&[3, 0, 9, 1]))
                .await;
            known.unwrap()
        });
    });
}
