//! What directories send, against models of it.

use super::group::{GroupDocument, Members};
use super::user::UserDocument;
use oam_model::issuer::{DirectorySettings, GroupAttribute, UserAttribute};
use oam_policy::evidence::EvidenceKind;
use oam_store::{DirectoryGroup, DirectoryUser};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

pub(super) const SETTINGS: DirectorySettings = DirectorySettings {
    subject: UserAttribute::ExternalId,
    group: GroupAttribute::DisplayName,
    expect_every_ms: 0,
    requests_per_minute: 60,
    most_users: 10,
    most_groups: 10,
};

pub(super) fn user(active: bool) -> DirectoryUser {
    DirectoryUser {
        source: "okta".parse().unwrap(),
        kind: EvidenceKind::Scim,
        id: "id".into(),
        key: "00u1".into(),
        user_name: "ada".into(),
        external_id: Some("00u1".into()),
        emails: vec!["ada@acme.example".into()],
        active,
        attributes: json!({ "emails": [{ "value": "ada@acme.example", "type": "work" }] })
            .to_string(),
        version: 3,
        created_at_ms: 1,
        changed_at_ms: 2,
    }
}

fn group() -> DirectoryGroup {
    DirectoryGroup {
        source: "okta".parse().unwrap(),
        id: "id".into(),
        name: "ml".into(),
        display_name: "ml".into(),
        external_id: None,
        version: 1,
        created_at_ms: 1,
        changed_at_ms: 1,
    }
}

/// An operation on members, in one of the forms that directories have for it.
#[derive(Debug, Clone)]
enum Change {
    Add(Vec<u8>),
    RemoveListed(Vec<u8>),
    RemoveFiltered(u8),
    Replace(Vec<u8>),
    RemoveAll,
    Rename(u8),
}

fn change() -> impl Strategy<Value = (Change, bool)> {
    let some = || prop::collection::vec(0u8..6, 0..4);
    let change = prop_oneof![
        4 => some().prop_map(Change::Add),
        3 => some().prop_map(Change::RemoveListed),
        4 => (0u8..6).prop_map(Change::RemoveFiltered),
        1 => some().prop_map(Change::Replace),
        1 => Just(Change::RemoveAll),
        1 => (0u8..6).prop_map(Change::Rename),
    ];
    (change, any::<bool>())
}

/// As a directory writes it: `other` chooses between two dialects.
fn operation(change: &Change, other: bool) -> Value {
    let list = |ids: &[u8]| -> Value {
        let one = |id: &u8| {
            let id = format!("u{id}");
            if other {
                json!({ "$ref": null, "value": id, "id": "client" })
            } else {
                json!({ "value": id, "display": "somebody" })
            }
        };
        ids.iter().map(one).collect()
    };
    let word = |plain: &str, capital: &str| if other { capital } else { plain }.to_owned();
    match change {
        Change::Add(ids) if other => json!({ "op": "Add", "value": { "members": list(ids) } }),
        Change::Add(ids) => json!({ "op": "add", "path": "members", "value": list(ids) }),
        Change::RemoveListed(ids) => {
            json!({ "op": word("remove", "Remove"), "path": "members", "value": list(ids) })
        }
        Change::RemoveFiltered(id) => {
            json!({ "op": word("remove", "Remove"), "path": format!("members[value eq \"u{id}\"]") })
        }
        Change::Replace(ids) if other => {
            json!({ "op": "Replace", "value": { "members": list(ids) } })
        }
        Change::Replace(ids) => json!({ "op": "replace", "path": "members", "value": list(ids) }),
        Change::RemoveAll => json!({ "op": word("remove", "Remove"), "path": "members" }),
        Change::Rename(n) if other => {
            json!({ "op": "Replace", "path": "displayName", "value": format!("g{n}") })
        }
        Change::Rename(n) => {
            json!({ "op": "replace", "value": { "id": "x", "displayName": format!("g{n}") } })
        }
    }
}

/// What it means.
fn by_model(members: &mut Members, change: &Change) {
    let name = |id: &u8| format!("u{id}");
    match change {
        Change::Add(ids) => members.extend(ids.iter().map(name)),
        Change::RemoveListed(ids) => members.retain(|one| !ids.iter().any(|id| name(id) == *one)),
        Change::RemoveFiltered(id) => members.retain(|one| *one != name(id)),
        Change::Replace(ids) => *members = ids.iter().map(name).collect(),
        Change::RemoveAll => members.clear(),
        Change::Rename(_) => {}
    }
}

/// Any JSON, of the words that SCIM has.
fn any_json() -> impl Strategy<Value = Value> {
    let word = prop_oneof![
        Just("active"),
        Just("userName"),
        Just("members"),
        Just("Operations"),
        Just("op"),
        Just("path"),
        Just("value"),
        Just("replace"),
        Just("remove"),
        Just("emails[type eq \"work\"].value"),
        Just("members[value eq \"u1\"]"),
        Just("name.givenName"),
        Just("False"),
        Just(""),
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i32>().prop_map(Value::from),
        word.clone().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((word.clone(), inner), 0..5).prop_map(|members| {
                let members = members.into_iter();
                Value::Object(members.map(|(name, one)| (name.to_owned(), one)).collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_membership_is_lost_or_invented_in_any_dialect(
        before in prop::collection::btree_set(0u8..6, 0..6),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        let before: Members = before.iter().map(|id| format!("u{id}")).collect();
        let mut expected = before.clone();
        for (change, _) in &changes {
            by_model(&mut expected, change);
        }
        let all: Vec<Value> = changes.iter().map(|(change, other)| operation(change, *other)).collect();
        let after = GroupDocument::patched(&group(), before, json!({ "Operations": all })).unwrap();
        prop_assert_eq!(after.members, expected);
    }

    #[test]
    fn nothing_that_is_sent_breaks_the_reader_and_what_is_kept_is_a_whole_record(body in any_json()) {
        for before in [user(true), user(false)] {
            let read = [
                UserDocument::new(body.clone()),
                UserDocument::replaced(&before, body.clone()),
                UserDocument::patched(&before, body.clone()),
            ];
            for record in read.into_iter().flatten().filter_map(|one| one.record(&before, &SETTINGS).ok()) {
                prop_assert_eq!(&record.id, &before.id);
                prop_assert!(!record.key.is_empty() && !record.user_name.is_empty());
            }
        }
        for read in [
            GroupDocument::new(body.clone()),
            GroupDocument::replaced(&group(), Members::new(), body.clone()),
            GroupDocument::patched(&group(), Members::new(), body.clone()),
        ].into_iter().flatten() {
            let _ = read.record(&group(), &SETTINGS);
        }
    }

    #[test]
    fn an_account_changes_its_state_only_where_active_is_named(
        names in prop::collection::vec("[a-z]{1,8}", 0..5),
        active in any::<bool>(),
    ) {
        let names = names.into_iter().filter(|name| name != "active");
        let members: Map<String, Value> = names.map(|name| (name, json!(!active))).collect();
        let before = user(active);
        let patch = json!({ "Operations": [{ "op": "replace", "value": members }] });
        if let Ok(read) = UserDocument::patched(&before, patch) {
            prop_assert_eq!(read.record(&before, &SETTINGS).unwrap().active, active);
        }
        let mut put = members;
        put.insert("userName".to_owned(), json!("ada"));
        if let Ok(read) = UserDocument::replaced(&before, Value::Object(put)) {
            let after = read.record(&before, &SETTINGS).unwrap();
            prop_assert_eq!((after.active, &after.key), (active, &before.key));
        }
    }
}

fn patched(operations: &Value) -> DirectoryUser {
    let before = user(true);
    let read = UserDocument::patched(&before, json!({ "Operations": operations }));
    read.unwrap().record(&before, &SETTINGS).unwrap()
}

#[test]
fn an_address_is_changed_where_it_is_meant_and_made_where_there_is_none() {
    let work = "emails[type eq \"work\"].value";
    let changed = patched(&json!([{ "op": "Replace", "path": work, "value": "new@acme.example" }]));
    assert_eq!(changed.emails, ["new@acme.example"]);
    let home = "emails[type eq \"home\"].value";
    let more = patched(&json!([{ "op": "Add", "path": home, "value": "ada@home.example" }]));
    assert_eq!(more.emails, ["ada@acme.example", "ada@home.example"]);
    let preferred = json!([{ "value": "p@acme.example", "type": "other", "primary": true }]);
    let first = patched(&json!([{ "op": "add", "path": "emails", "value": preferred }]));
    assert_eq!(first.emails, ["p@acme.example", "ada@acme.example"]);
    let gone = patched(&json!([{ "op": "remove", "path": "emails[type eq \"work\"]" }]));
    assert!(gone.emails.is_empty());
}
