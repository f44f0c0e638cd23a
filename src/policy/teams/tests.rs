use super::event::{HookOwner, HookTarget, scope};
use super::pace::{LONGEST_MS, RateHeaders, SECONDARY_MS, pause_ms};
use super::schedule::{Next, Schedule};
use super::{EVERYBODY, ListedTeam, Scope, Team, TeamChange, beside, group, is_of, is_settled};
use oam_model::principal::Groups;
use proptest::prelude::*;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

fn listed(id: u64, slug: &str, parent: Option<u64>) -> ListedTeam {
    ListedTeam {
        id,
        slug: slug.to_owned(),
        parent,
    }
}

fn teams(ids: impl IntoIterator<Item = u64>) -> Scope {
    Scope::Teams(ids.into_iter().collect())
}

#[test]
fn a_group_of_the_organization_can_be_said_by_github_alone() {
    for group in ["acme/ml", "ACME/ml", "acme", "acme/"] {
        assert!(is_of("acme", group), "{group}");
    }
    for group in ["acmeml", "acme-x/ml", "ml", "", "x/acme"] {
        assert!(!is_of("acme", group), "{group}");
    }
    assert!(is_of("acme", &group("acme", "ml")));
}

#[test]
fn teams_are_beside_known_groups_and_do_not_make_unknown_ones_known() {
    let teams = ["acme/ml".to_owned()];
    let known = beside(Groups::Known(vec!["eng".to_owned()]), &teams);
    assert_eq!(
        known,
        Groups::Known(vec!["eng".to_owned(), "acme/ml".to_owned()])
    );
    let unknown = Groups::Unknown {
        sentence: "s".to_owned(),
        next: "n".to_owned(),
    };
    assert_eq!(beside(unknown.clone(), &teams), unknown);
}

#[test]
fn a_change_in_a_team_is_read_in_those_that_it_is_a_part_of() {
    let list = [
        listed(1, "eng", None),
        listed(2, "ml", Some(1)),
        listed(3, "vision", Some(2)),
        listed(4, "legal", None),
        // A list that says nonsense ends all the same.
        listed(5, "loop", Some(6)),
        listed(6, "loop-2", Some(5)),
    ];
    let ids = |scope: Scope| -> Vec<u64> {
        let chosen = scope.chosen(&list);
        chosen.iter().map(|team| team.id).collect()
    };
    assert_eq!(ids(teams([3])), [1, 2, 3]);
    assert_eq!(ids(teams([4])), [4]);
    assert_eq!(ids(teams([5])), [5, 6]);
    assert_eq!(ids(teams([9])), [] as [u64; 0]);
    assert_eq!(ids(Scope::All).len(), 6);
}

#[test]
fn a_team_is_gone_only_where_neither_list_has_it_and_renamed_by_its_number() {
    let team = |id, name: &str| Team {
        id,
        name: name.to_owned(),
    };
    let kept = [
        team(EVERYBODY, "acme"),
        team(1, "acme/a"),
        team(2, "acme/b"),
    ];
    let (first, second) = ([listed(1, "a", None)], [listed(2, "b", None)]);
    assert_eq!(Scope::All.gone(&kept, [&first, &second]), []);
    assert_eq!(Scope::All.gone(&kept, [&first, &first]), [kept[2].clone()]);
    assert_eq!(teams([1]).gone(&kept, [&first, &first]), []);
    let had = BTreeSet::from([7]);
    let renamed = TeamChange::of(Some((&kept[1], &had)), team(1, "acme/z"), &had).unwrap();
    assert!(renamed.is_renamed() && renamed.added.is_empty() && renamed.removed.is_empty());
    assert_eq!(
        TeamChange::of(Some((&kept[1], &had)), kept[1].clone(), &had),
        None
    );
    // Members were read by the name: another team had it by then.
    assert!(is_settled(&listed(1, "a", None), &first));
    assert!(!is_settled(
        &listed(1, "a", None),
        &[listed(1, "z", None), listed(3, "a", None)]
    ));
}

#[test]
fn an_event_for_another_app_or_organization_is_not_meant() {
    let owner = HookOwner {
        app: 12,
        organization: 34,
    };
    let target = |kind, id| HookTarget { kind, id };
    let ours = json!({ "organization": { "id": 34 } });
    let app = Some("integration");
    assert!(owner.is_meant(target(app, Some("12")), &ours));
    assert!(owner.is_meant(target(Some("organization"), Some("34")), &ours));
    assert!(owner.is_meant(target(app, Some("12")), &json!({ "zen": "…" })));
    for (kind, id, body) in [
        (app, Some("13"), ours.clone()),
        (app, None, ours.clone()),
        (None, Some("12"), ours.clone()),
        (Some("repository"), Some("34"), ours.clone()),
        (Some("organization"), Some("12"), ours),
        (app, Some("12"), json!({ "organization": { "id": 35 } })),
        (
            app,
            Some("12"),
            json!({ "installation": { "account": { "id": 35 } } }),
        ),
    ] {
        assert!(
            !owner.is_meant(target(kind, id), &body),
            "{kind:?} {id:?} {body}"
        );
    }
}

#[test]
fn an_event_tells_what_to_read_and_nothing_else() {
    let body = json!({ "action": "removed", "team": { "id": 7, "slug": "ml" } });
    assert_eq!(scope("membership", &body), Some(teams([7])));
    assert_eq!(scope("membership", &json!({})), Some(Scope::All));
    for event in ["team", "organization", "installation"] {
        assert_eq!(scope(event, &body), Some(Scope::All), "{event}");
    }
    for event in ["ping", "push", "team_add", ""] {
        assert_eq!(scope(event, &body), None, "{event}");
    }
}

#[test]
fn limits_are_obeyed_as_github_tells_them() {
    let rate = |retry_after_s, remaining, reset_s| RateHeaders {
        retry_after_s,
        remaining,
        reset_s,
    };
    let now = 1_000;
    for (status, rate, says_limit, wanted) in [
        (200, rate(None, Some(10), Some(1_060)), false, None),
        (200, rate(None, Some(0), Some(1_060)), false, Some(60_000)),
        (429, rate(Some(7), Some(0), Some(1_060)), false, Some(7_000)),
        (403, rate(Some(7), None, None), false, Some(7_000)),
        (403, rate(None, Some(0), Some(1_060)), false, Some(60_000)),
        // A secondary limit without a time.
        (403, rate(None, Some(9), None), true, Some(SECONDARY_MS)),
        (429, rate(None, None, None), false, Some(SECONDARY_MS)),
        // A permission that is missing.
        (403, rate(None, Some(9), Some(1_060)), false, None),
        (404, rate(Some(7), None, None), false, None),
        (
            429,
            rate(Some(u64::MAX), None, None),
            false,
            Some(LONGEST_MS),
        ),
        (200, rate(None, Some(0), Some(1)), false, Some(1_000)),
    ] {
        assert_eq!(
            pause_ms(status, rate, says_limit, now),
            wanted,
            "{status} {rate:?}"
        );
    }
}

#[test]
fn a_fault_is_waited_out_ever_longer_and_what_was_owed_stays_so() {
    let mut schedule = Schedule::new(0);
    assert_eq!(schedule.next(0), Next::Read(Scope::All));
    schedule.failed(Scope::All, 0, None);
    assert_eq!(schedule.next(0), Next::Wait(5_000));
    assert_eq!(schedule.next(5_000), Next::Read(Scope::All));
    schedule.failed(Scope::All, 5_000, Some(60_000));
    assert_eq!(schedule.next(64_999), Next::Wait(65_000));
    assert_eq!(schedule.next(65_000), Next::Read(Scope::All));
    schedule.read(&Scope::All, 65_000, 600_000);
    assert_eq!(schedule.next(65_000), Next::Wait(665_000));
    schedule.named(teams([1]));
    schedule.named(teams([2]));
    assert_eq!(schedule.next(65_001), Next::Read(teams([1, 2])));
    schedule.read(&teams([1, 2]), 65_001, 600_000);
    assert_eq!(schedule.next(65_002), Next::Wait(665_000));
}

/// What happens between GitHub and us.
#[derive(Debug, Clone)]
enum Step {
    /// GitHub changes; the event is under way.
    Member {
        team: u64,
        account: u64,
        is_in: bool,
    },
    Rename {
        team: u64,
        to: u8,
    },
    Deleted {
        team: u64,
    },
    /// An event that is under way arrives; it may arrive once more.
    Arrives {
        which: usize,
        again: bool,
    },
    /// One is lost.
    Lost {
        which: usize,
    },
    /// Time passes and what is owed is read; with `fails` GitHub does not answer to its end.
    Reads {
        after_ms: u64,
        fails: bool,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let (team, account) = (1_u64..4, 1_u64..5);
    let step = prop_oneof![
        4 => (team.clone(), account, any::<bool>())
            .prop_map(|(team, account, is_in)| Step::Member { team, account, is_in }),
        1 => (team.clone(), 0_u8..3).prop_map(|(team, to)| Step::Rename { team, to }),
        1 => team.prop_map(|team| Step::Deleted { team }),
        4 => (any::<usize>(), any::<bool>()).prop_map(|(which, again)| Step::Arrives { which, again }),
        1 => any::<usize>().prop_map(|which| Step::Lost { which }),
        4 => (0_u64..400_000, any::<bool>())
            .prop_map(|(after_ms, fails)| Step::Reads { after_ms, fails }),
    ];
    prop::collection::vec(step, 0..60)
}

type World = BTreeMap<u64, (String, BTreeSet<u64>)>;
const EVERY_MS: u64 = 300_000;

/// Reads what a scope means, as the issuer does.
fn read(kept: &mut World, github: &World, scope: &Scope) {
    let list: Vec<ListedTeam> = github
        .iter()
        .map(|(id, (slug, _))| listed(*id, slug, None))
        .collect();
    let all: Vec<Team> = kept
        .iter()
        .map(|(id, (name, _))| Team {
            id: *id,
            name: name.clone(),
        })
        .collect();
    for team in scope.gone(&all, [&list, &list]) {
        kept.remove(&team.id);
    }
    for team in scope.chosen(&list) {
        let now = Team {
            id: team.id,
            name: group("acme", &team.slug),
        };
        let before = all.iter().find(|one| one.id == team.id);
        let had = kept.get(&team.id).map(|(_, had)| had.clone());
        let before = before.zip(had.as_ref());
        let Some(change) = TeamChange::of(before, now, &github[&team.id].1) else {
            continue;
        };
        let row = kept.entry(team.id).or_default();
        row.0.clone_from(&change.team.name);
        row.1.extend(change.added);
        row.1.retain(|account| !change.removed.contains(account));
    }
}

/// Whether everything is read within some rounds without events.
fn polled(schedule: &mut Schedule, kept: &mut World, github: &World, mut now: u64) -> bool {
    for _ in 0..3 {
        now += 700_000;
        if let Next::Read(scope) = schedule.next(now) {
            read(kept, github, &scope);
            schedule.read(&scope, now, EVERY_MS);
            if scope == Scope::All {
                return true;
            }
        }
    }
    false
}

proptest! {
    #[test]
    fn events_in_any_order_and_twice_with_the_poll_between_come_to_what_github_says(steps in steps()) {
        let (mut github, mut kept) = (World::new(), World::new());
        let (mut schedule, mut now) = (Schedule::new(0), 0);
        let mut under_way: Vec<Scope> = Vec::new();
        for step in steps {
            match step {
                Step::Member { team, account, is_in } => {
                    let row = github.entry(team).or_insert_with(|| (format!("t{team}"), BTreeSet::new()));
                    if is_in { row.1.insert(account); } else { row.1.remove(&account); }
                    under_way.push(teams([team]));
                }
                Step::Rename { team, to } => {
                    if let Some(row) = github.get_mut(&team) {
                        row.0 = format!("t{team}-{to}");
                        under_way.push(Scope::All);
                    }
                }
                Step::Deleted { team } => {
                    github.remove(&team);
                    under_way.push(Scope::All);
                }
                Step::Arrives { which, again } if !under_way.is_empty() => {
                    let at = which % under_way.len();
                    let scope = if again { under_way[at].clone() } else { under_way.swap_remove(at) };
                    schedule.named(scope);
                }
                Step::Lost { which } if !under_way.is_empty() => {
                    under_way.swap_remove(which % under_way.len());
                }
                Step::Reads { after_ms, fails } => {
                    now += after_ms;
                    if let Next::Read(scope) = schedule.next(now) {
                        let before = kept.clone();
                        if fails {
                            schedule.failed(scope, now, None);
                            prop_assert_eq!(&kept, &before);
                        } else {
                            read(&mut kept, &github, &scope);
                            schedule.read(&scope, now, EVERY_MS);
                            // What was read is as GitHub says it, in this moment.
                            for (id, (_, members)) in github.iter().filter(|(id, _)| scope.names(**id)) {
                                prop_assert_eq!(&kept[id].1, members);
                            }
                        }
                    }
                }
                Step::Arrives { .. } | Step::Lost { .. } => {}
            }
        }
        // Whatever was lost: the poll is the net.
        prop_assert!(polled(&mut schedule, &mut kept, &github, now));
        let said: World = github
            .iter()
            .map(|(id, (slug, members))| (*id, (group("acme", slug), members.clone())))
            .collect();
        prop_assert_eq!(kept, said);
    }
}
