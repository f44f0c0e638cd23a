//! What directories say of people and groups.

use super::fixture::*;
use crate::{
    Compared, DirectoryFilter, DirectoryGroup, DirectoryUser, EndKind, Ended, Store, StoreChange,
    StoreFault,
};
use oam_model::feed::FeedEvent;
use oam_model::name::SourceName;
use oam_model::signal::SignalSubject;
use oam_policy::account::{Author, Reinstated};
use oam_policy::evidence::{EvidenceKind, GroupOrigin};

fn okta() -> SourceName {
    "okta".parse().unwrap()
}

pub fn user(name: &str) -> DirectoryUser {
    DirectoryUser {
        source: okta(),
        kind: EvidenceKind::Scim,
        id: format!("id-{name}"),
        key: format!("00u-{name}"),
        user_name: name.to_owned(),
        external_id: Some(format!("00u-{name}")),
        emails: vec![
            format!("{name}@acme.example"),
            format!("{name}@home.example"),
        ],
        active: true,
        attributes: "{}".into(),
        version: 1,
        created_at_ms: NOW_MS,
        changed_at_ms: NOW_MS,
    }
}

pub fn group(name: &str) -> DirectoryGroup {
    DirectoryGroup {
        source: okta(),
        id: format!("id-{name}"),
        name: name.to_owned(),
        display_name: name.to_owned(),
        external_id: None,
        version: 1,
        created_at_ms: NOW_MS,
        changed_at_ms: NOW_MS,
    }
}

pub fn put(user: DirectoryUser, from: Option<u64>) -> StoreChange {
    StoreChange::PutDirectoryUser { user, from }
}

pub fn members(
    group: DirectoryGroup,
    from: Option<u64>,
    added: &[&str],
    removed: &[&str],
) -> StoreChange {
    let ids = |names: &[&str]| names.iter().map(|name| format!("id-{name}")).collect();
    StoreChange::PutDirectoryGroup {
        group,
        from,
        added: ids(added),
        removed: ids(removed),
        renamed: false,
    }
}

async fn ids(store: &dyn Store, filter: DirectoryFilter) -> Vec<String> {
    let page = store.directory_users(okta(), filter, 0, 10).await.unwrap();
    assert_eq!(page.total, page.rows.len() as u64);
    page.rows.into_iter().map(|user| user.id).collect()
}

pub async fn a_directorys_user_is_kept_found_and_changed_by_its_version(store: &dyn Store) {
    commit(store, changes([put(user("ada"), None)])).await;
    commit(store, changes([put(user("Bob"), None)])).await;
    let kept = store.directory_user(okta(), "id-ada".into()).await.unwrap();
    assert_eq!(kept, Some(user("ada")));
    let by = |change: fn(&mut DirectoryFilter)| {
        let mut filter = DirectoryFilter::default();
        change(&mut filter);
        filter
    };
    assert_eq!(
        ids(store, DirectoryFilter::default()).await,
        ["id-ada", "id-Bob"]
    );
    let found = ids(store, by(|f| f.name = Some("bOB".into()))).await;
    assert_eq!(found, ["id-Bob"]);
    let found = ids(store, by(|f| f.email = Some("ADA@home.example".into()))).await;
    assert_eq!(found, ["id-ada"]);
    let found = ids(store, by(|f| f.external_id = Some("00u-ada".into()))).await;
    assert_eq!(found, ["id-ada"]);
    let both = by(|f| {
        f.id = Some("id-ada".into());
        f.name = Some("Bob".into());
    });
    assert!(ids(store, both).await.is_empty());
    let page = store.directory_users(okta(), DirectoryFilter::default(), 1, 1);
    let page = page.await.unwrap();
    assert_eq!((page.total, page.rows[0].id.as_str()), (2, "id-Bob"));

    let other = DirectoryUser {
        emails: vec!["ada@acme.example".into()],
        version: 2,
        ..user("ada")
    };
    for from in [None, Some(7)] {
        let fault = refused(store, changes([put(other.clone(), from)])).await;
        assert_eq!(fault, StoreFault::Overtaken);
    }
    commit(store, changes([put(other.clone(), Some(1))])).await;
    let kept = store.directory_user(okta(), "id-ada".into()).await.unwrap();
    assert_eq!(kept, Some(other));
    let found = ids(store, by(|f| f.email = Some("ada@home.example".into()))).await;
    assert!(found.is_empty());
}

pub async fn two_users_of_a_directory_are_never_one_person(store: &dyn Store) {
    commit(store, changes([put(user("ada"), None)])).await;
    let same_name = DirectoryUser {
        id: "id-2".into(),
        key: "00u-2".into(),
        user_name: "ADA".into(),
        ..user("ada")
    };
    let same_key = DirectoryUser {
        id: "id-2".into(),
        user_name: "other".into(),
        ..user("ada")
    };
    for twin in [same_name.clone(), same_key.clone()] {
        let fault = refused(store, changes([put(twin.clone(), None)])).await;
        assert_eq!(fault, StoreFault::Taken);
        let found = store.directory_twin(twin).await.unwrap();
        assert_eq!(found.map(|found| found.id), Some("id-ada".into()));
    }
    let elsewhere = DirectoryUser {
        source: "entra".parse().unwrap(),
        ..same_key
    };
    commit(store, changes([put(elsewhere, None)])).await;
}

pub async fn somebody_whom_the_directory_knows_is_found_before_they_come(store: &dyn Store) {
    commit(store, changes([put(user("ada"), None)])).await;
    let found = store.find_people("ADA".into()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert!(found[0].is_never_seen());
    assert_eq!(found[0].seen.key, person("ada"));
    let said = found[0].directory.as_ref().unwrap();
    assert_eq!((said.active, &said.groups), (true, &None));
    let by_address = SignalSubject {
        email: Some("ada@acme.example".into()),
        ..SignalSubject::default()
    };
    let meant = store.people(okta(), by_address).await.unwrap();
    assert!(meant.is_empty(), "it is kept for whoever comes with it");
    let recent = store.recent_people(0, None, 10).await.unwrap();
    assert!(recent.is_empty(), "they were not here");
    // The first sight is their own, and the directory's names change nothing of it.
    commit(store, exchange("ada", "t", 0)).await;
    let renamed = DirectoryUser {
        user_name: "ada2".into(),
        version: 2,
        ..user("ada")
    };
    commit(store, changes([put(renamed, Some(1))])).await;
    assert_eq!(
        row(store, "ada").await.seen.username.as_deref(),
        Some("ada")
    );
}

pub async fn a_directory_ends_and_lifts_only_its_own_end(store: &dyn Store) {
    let end = |author| StoreChange::End {
        key: person("ada"),
        author,
        ended: Ended {
            kind: EndKind::Account,
            at_ms: NOW_MS,
            reason: "over".into(),
        },
        feed: FeedEvent::Revoked {
            at_ms: NOW_MS,
            reason: "over".into(),
        },
    };
    commit(store, exchange("ada", "t", 0)).await;
    let committed = commit(store, changes([end(Author::Directory)])).await;
    assert_eq!(committed.revoked.len(), 1);
    commit(store, changes([end(Author::Administrator)])).await;
    let restored = StoreChange::Restore {
        key: person("ada"),
        restored: Reinstated::ByDirectory,
    };
    commit(store, changes([restored.clone()])).await;
    let account = row(store, "ada").await.account;
    assert_eq!(account.directory, None);
    assert_eq!(account.ended().unwrap().0, Author::Administrator);
    // Said twice, it is no fault: a directory says states.
    commit(store, changes([restored])).await;
}

pub async fn members_make_the_groups_of_a_person(store: &dyn Store) {
    let both = [put(user("ada"), None), put(user("bob"), None)];
    commit(store, changes(both)).await;
    commit(
        store,
        changes([members(group("ml"), None, &["ada", "bob"], &[])]),
    )
    .await;
    commit(store, changes([members(group("eng"), None, &["ada"], &[])])).await;
    let kept = row(store, "ada").await;
    let counting = kept.counting_groups();
    assert_eq!(counting.groups.unwrap(), ["eng", "ml"]);
    assert_eq!(
        (counting.origin, counting.at_ms),
        (GroupOrigin::Directory(EvidenceKind::Scim), NOW_MS)
    );
    let listed = store
        .directory_members(okta(), "id-ml".into())
        .await
        .unwrap();
    assert_eq!(listed, ["id-ada", "id-bob"]);
    let stranger = refused(store, changes([members(group("x"), None, &["eve"], &[])])).await;
    assert_eq!(stranger, StoreFault::Overtaken);
    let next = |version| DirectoryGroup {
        version,
        changed_at_ms: NOW_MS + 5,
        ..group("ml")
    };
    commit(store, changes([members(next(2), Some(1), &[], &["ada"])])).await;
    assert_eq!(row(store, "ada").await.directory_groups().unwrap(), ["eng"]);
    assert_eq!(row(store, "bob").await.directory_groups().unwrap(), ["ml"]);
    commit(store, changes([members(next(3), Some(2), &[], &["bob"])])).await;
    let empty = row(store, "bob").await;
    assert_eq!(
        empty.directory_groups(),
        Some(&[][..]),
        "in none, which is not unknown"
    );
    assert_eq!(empty.counting_groups().at_ms, NOW_MS + 5);
}

pub async fn what_is_deleted_in_a_directory_takes_its_memberships_along(store: &dyn Store) {
    let both = [put(user("ada"), None), put(user("bob"), None)];
    commit(store, changes(both)).await;
    commit(
        store,
        changes([members(group("ml"), None, &["ada", "bob"], &[])]),
    )
    .await;
    let gone = StoreChange::DropDirectoryUser {
        source: okta(),
        id: "id-ada".into(),
        from: 1,
        at_ms: NOW_MS + 1,
    };
    commit(store, changes([gone.clone()])).await;
    assert_eq!(refused(store, changes([gone])).await, StoreFault::Overtaken);
    assert_eq!(row(store, "ada").await.directory, None);
    let kept = store.directory_group(okta(), "id-ml".into()).await.unwrap();
    assert_eq!(kept.unwrap().version, 2, "its members are others");
    let left = store
        .directory_members(okta(), "id-ml".into())
        .await
        .unwrap();
    assert_eq!(left, ["id-bob"]);
    let gone = StoreChange::DropDirectoryGroup {
        source: okta(),
        id: "id-ml".into(),
        from: 2,
        at_ms: NOW_MS + 2,
    };
    commit(store, changes([gone])).await;
    assert_eq!(row(store, "bob").await.directory_groups(), Some(&[][..]));
    let state = store.directory_state(okta()).await.unwrap();
    assert_eq!((state.users, state.groups), (1, 0));
    assert_eq!(state.changed_at_ms, Some(NOW_MS + 2));
    let heard = StoreChange::DirectoryHeard {
        source: okta(),
        at_ms: NOW_MS + 9,
    };
    commit(store, changes([heard])).await;
    let state = store.directory_state(okta()).await.unwrap();
    assert_eq!(state.heard_at_ms, Some(NOW_MS + 9));
    assert_eq!(state.changed_at_ms, Some(NOW_MS + 2));
}

pub async fn a_groups_name_is_one_groups_and_another_one_is_told_of_every_member(
    store: &dyn Store,
) {
    commit(store, changes([put(user("ada"), None)])).await;
    commit(store, changes([members(group("ml"), None, &["ada"], &[])])).await;
    let twin = DirectoryGroup {
        id: "id-2".into(),
        ..group("ml")
    };
    let fault = refused(store, changes([members(twin, None, &[], &[])])).await;
    assert_eq!(fault, StoreFault::Taken);
    let renamed = StoreChange::PutDirectoryGroup {
        group: DirectoryGroup {
            name: "research".into(),
            version: 2,
            changed_at_ms: NOW_MS + 3,
            ..group("ml")
        },
        from: Some(1),
        added: Vec::new(),
        removed: Vec::new(),
        renamed: true,
    };
    commit(store, changes([renamed])).await;
    let kept = row(store, "ada").await;
    assert_eq!(kept.directory_groups().unwrap(), ["research"]);
    assert_eq!(kept.counting_groups().at_ms, NOW_MS + 3);
    let found = store
        .directory_group_named(okta(), "ml".into())
        .await
        .unwrap();
    assert_eq!(found, None);
}

pub async fn roles_that_were_decided_before_a_membership_changed_are_refused(store: &dyn Store) {
    commit(store, changes([put(user("ada"), None)])).await;
    commit(store, exchange("ada", "t", 0)).await;
    let from: Compared = compared(store, "ada").await;
    commit(store, changes([members(group("ml"), None, &["ada"], &[])])).await;
    let held = |from| StoreChange::Held {
        key: person("ada"),
        from,
        held: vec![role("publisher")],
        lost: Vec::new(),
        at_ms: NOW_MS,
        feed: None,
    };
    let late = refused(store, changes([held(from)])).await;
    assert_eq!(late, StoreFault::Overtaken);
    let from = compared(store, "ada").await;
    commit(store, changes([held(from)])).await;
    let seen = store.directory_seen(okta(), vec!["id-ada".into(), "id-eve".into()]);
    let seen = seen.await.unwrap();
    assert_eq!((seen.len(), &seen[0].held), (1, &vec![role("publisher")]));
    let known = store.directory_known(okta(), vec!["id-eve".into(), "id-ada".into()]);
    assert_eq!(known.await.unwrap(), ["id-ada"]);
}

pub async fn what_a_directory_said_is_forgotten_and_its_leavers_stay_out(store: &dyn Store) {
    commit(store, changes([put(user("ada"), None)])).await;
    let group = members(group("ml"), None, &["ada"], &[]);
    let elsewhere = DirectoryUser {
        source: "entra".parse().unwrap(),
        ..user("ada")
    };
    let end = StoreChange::End {
        key: person("ada"),
        author: Author::Directory,
        ended: Ended {
            kind: EndKind::Account,
            at_ms: NOW_MS,
            reason: "over".into(),
        },
        feed: FeedEvent::Revoked {
            at_ms: NOW_MS,
            reason: "over".into(),
        },
    };
    commit(store, changes([group, put(elsewhere, None), end])).await;
    commit(store, changes([StoreChange::ForgetDirectory(okta())])).await;
    let kept = row(store, "ada").await;
    assert_eq!(kept.directory, None);
    assert_eq!(kept.account.ended().unwrap().0, Author::Directory);
    let state = store.directory_state(okta()).await.unwrap();
    assert_eq!(state, crate::DirectoryState::default());
    let other = store
        .directory_state("entra".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(other.users, 1);
    // And it may say it all again.
    commit(store, changes([put(user("ada"), None)])).await;
}
