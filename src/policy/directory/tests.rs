use super::*;
use proptest::prelude::*;

const THIRD: FallLimits = FallLimits {
    percent: 33,
    confirmed: None,
};

fn reading() -> impl Strategy<Value = DirectoryReading> {
    let users = prop::collection::btree_map(0u8..20, (0u8..3, any::<bool>()), 0..20);
    let groups =
        prop::collection::btree_map(0u8..4, prop::collection::btree_set(0u8..24, 0..12), 0..4);
    (users, prop::option::weighted(0.8, groups)).prop_map(|(users, groups)| DirectoryReading {
        users: users
            .into_iter()
            .map(|(n, (name, active))| user(n, name, active))
            .collect(),
        groups: groups.map(|groups| {
            groups
                .into_iter()
                .map(|(n, members)| group(n, members))
                .collect()
        }),
    })
}

fn user(number: u8, name: u8, active: bool) -> ReadUser {
    ReadUser {
        id: format!("id-{number}"),
        key: format!("key-{number}"),
        user_name: format!("name-{number}-{name}"),
        emails: Vec::new(),
        active,
    }
}

fn group(number: u8, members: impl IntoIterator<Item = u8>) -> ReadGroup {
    ReadGroup {
        id: format!("id-{number}"),
        name: format!("group-{number}"),
        display_name: format!("group-{number}"),
        members: members
            .into_iter()
            .map(|member| format!("id-{member}"))
            .collect(),
    }
}

/// What is known after a difference was written.
fn after(mut known: Known, difference: &Difference) -> Known {
    let gone: BTreeSet<String> = known
        .users
        .iter()
        .filter(|user| difference.gone.contains(&user.record))
        .map(|user| user.read.key.clone())
        .collect();
    known.users.retain(|user| !gone.contains(&user.read.key));
    for group in &mut known.groups {
        group.members.retain(|key| !gone.contains(key));
    }
    for change in &difference.users {
        let record = change
            .record
            .clone()
            .unwrap_or_else(|| format!("u-{}", change.user.key));
        known.users.retain(|user| user.record != record);
        known.users.push(KnownUser {
            record,
            read: change.user.clone(),
        });
    }
    known
        .groups
        .retain(|group| !difference.groups_gone.contains(&group.record));
    for change in &difference.groups {
        let record = change
            .record
            .clone()
            .unwrap_or_else(|| format!("g-{}", change.name));
        let at = known.groups.iter().position(|group| group.record == record);
        let mut members = at
            .map(|at| known.groups.remove(at).members)
            .unwrap_or_default();
        members.retain(|key| !change.removed.contains(key));
        members.extend(change.added.iter().cloned());
        known.groups.push(KnownGroup {
            record,
            id: change.id.clone(),
            name: change.name.clone(),
            display_name: change.display_name.clone(),
            members,
        });
    }
    known
}

/// A reading as it would be known.
fn shown(
    reading: &DirectoryReading,
    groups_before: &Known,
) -> (
    BTreeMap<String, ReadUser>,
    BTreeMap<String, BTreeSet<String>>,
) {
    let users: BTreeMap<String, ReadUser> = reading
        .users
        .iter()
        .map(|user| (user.key.clone(), user.clone()))
        .collect();
    let keys: BTreeMap<&str, &str> = reading
        .users
        .iter()
        .map(|user| (user.id.as_str(), user.key.as_str()))
        .collect();
    let groups = match &reading.groups {
        Some(groups) => groups
            .iter()
            .map(|group| {
                let members = group.members.iter().filter_map(|id| keys.get(id.as_str()));
                (
                    group.name.clone(),
                    members.map(|key| (*key).to_owned()).collect(),
                )
            })
            .collect(),
        None => groups_before
            .groups
            .iter()
            .map(|group| {
                let members = group.members.iter().filter(|key| users.contains_key(*key));
                (group.name.clone(), members.cloned().collect())
            })
            .collect(),
    };
    (users, groups)
}

fn kept(
    known: &Known,
) -> (
    BTreeMap<String, ReadUser>,
    BTreeMap<String, BTreeSet<String>>,
) {
    (
        known
            .users
            .iter()
            .map(|user| (user.read.key.clone(), user.read.clone()))
            .collect(),
        known
            .groups
            .iter()
            .map(|group| (group.name.clone(), group.members.clone()))
            .collect(),
    )
}

proptest! {
    /// Whatever directories say one after the other: what is taken is known afterwards exactly as it was read, a second
    /// look finds nothing, and what is not taken changes nothing.
    #[test]
    fn what_is_taken_is_known_as_it_was_read(readings in prop::collection::vec(reading(), 1..5)) {
        let mut known = Known::default();
        for reading in &readings {
            match judge(&known, reading, THIRD) {
                ReadingVerdict::Taken(difference) => {
                    let expected = shown(reading, &known);
                    known = after(known, &difference);
                    prop_assert_eq!(kept(&known), expected);
                    let again = compare(&known, reading);
                    prop_assert!(again.gone.is_empty() && again.users.is_empty());
                    prop_assert!(again.groups.is_empty() && again.groups_gone.is_empty());
                }
                ReadingVerdict::Held(fall) => {
                    // Confirmed, it is taken; less than it, not.
                    let sure = FallLimits { confirmed: Some(fall), ..THIRD };
                    prop_assert!(matches!(judge(&known, reading, sure), ReadingVerdict::Taken(_)));
                    let other = Fall { people: fall.people.wrapping_sub(1), ..fall };
                    let unsure = FallLimits { confirmed: Some(other), ..THIRD };
                    if fall.people > 0 {
                        prop_assert_eq!(judge(&known, reading, unsure), ReadingVerdict::Held(fall));
                    }
                }
                ReadingVerdict::Refused(fault) => prop_assert!(false, "{fault:?}"),
            }
        }
    }

    /// Nobody is ended by a reading that lacks more than a third of the people, or all of them.
    #[test]
    fn a_great_part_is_never_gone_without_a_word(before in reading(), kept in 0usize..20) {
        let ReadingVerdict::Taken(first) = judge(&Known::default(), &before, THIRD) else {
            return Err(TestCaseError::fail("the first reading takes nothing away"));
        };
        let known = after(Known::default(), &first);
        let active = |users: &[ReadUser]| users.iter().filter(|user| user.active).count();
        let fewer = DirectoryReading {
            users: before.users.iter().take(kept).cloned().collect(),
            groups: None,
        };
        let lost = active(&before.users) - active(&fewer.users);
        let most = lost > 3 && lost * 100 > active(&before.users) * 33;
        let nobody = fewer.users.is_empty() && active(&before.users) > 0;
        let held = matches!(judge(&known, &fewer, THIRD), ReadingVerdict::Held(_));
        prop_assert_eq!(held, most || nobody);
    }

    /// A page that comes twice makes the whole worth nothing.
    #[test]
    fn a_reading_with_something_twice_is_refused(read in reading(), from in 0usize..20, group in any::<bool>()) {
        let mut twice = read.clone();
        let doubled = match (group, &mut twice.groups) {
            (true, Some(groups)) if !groups.is_empty() => {
                groups.push(groups[from % groups.len()].clone());
                true
            }
            _ if !read.users.is_empty() => {
                twice.users.extend(read.users[from % read.users.len()..].iter().cloned());
                true
            }
            _ => false,
        };
        let refused = matches!(judge(&Known::default(), &twice, THIRD), ReadingVerdict::Refused(_));
        prop_assert_eq!(refused, doubled);
    }
}

#[test]
fn two_people_of_one_name_and_a_nameless_one_are_told() {
    let twin = ReadUser {
        user_name: "NAME-1-0".into(),
        ..user(2, 0, true)
    };
    let reading = |users| DirectoryReading {
        users,
        groups: None,
    };
    let told = judge(
        &Known::default(),
        &reading(vec![user(1, 0, true), twin]),
        THIRD,
    );
    let expected = ReadingFault::Twice {
        what: "name of two users",
        value: "name-1-0".into(),
    };
    assert_eq!(told, ReadingVerdict::Refused(expected));
    let nameless = ReadUser {
        key: String::new(),
        ..user(1, 0, true)
    };
    let told = judge(&Known::default(), &reading(vec![nameless]), THIRD);
    assert_eq!(
        told,
        ReadingVerdict::Refused(ReadingFault::Nameless("key of two users"))
    );
}

#[test]
fn who_moves_from_one_group_to_another_is_no_loss_of_many_and_no_groups_at_all_are_held() {
    let known = |reading: &DirectoryReading| match judge(&Known::default(), reading, THIRD) {
        ReadingVerdict::Taken(difference) => after(Known::default(), &difference),
        other => panic!("{other:?}"),
    };
    let users: Vec<ReadUser> = (0..9).map(|n| user(n, 0, true)).collect();
    let with = |groups| DirectoryReading {
        users: users.clone(),
        groups: Some(groups),
    };
    let before = known(&with(vec![group(0, 0..8), group(1, [8])]));
    let moved = with(vec![group(0, 0..7), group(1, [7, 8])]);
    let ReadingVerdict::Taken(difference) = judge(&before, &moved, THIRD) else {
        panic!("held");
    };
    assert_eq!(difference.groups.len(), 2);
    assert_eq!(difference.fall.memberships, 1);
    assert!(matches!(
        judge(&before, &with(Vec::new()), THIRD),
        ReadingVerdict::Held(_)
    ));
    let emptied = with(vec![group(0, []), group(1, [8])]);
    assert!(matches!(
        judge(&before, &emptied, THIRD),
        ReadingVerdict::Held(_)
    ));
}
