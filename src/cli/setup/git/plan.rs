//! What has to change in git's configuration, as a function of what is there and what is remembered.

use oam_model::report::HubRow;
use serde::{Deserialize, Serialize};

/// Name of our helper's program, by which its entries are known.
const HELPER: &str = "git-credential-oam";

/// The settings of one file that begin with `credential.`, in its order, included files in their
/// places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Current {
    /// Settings of the file itself.
    pub(super) own: Vec<(String, String)>,
    /// Those of included files too.
    pub(super) all: Vec<(String, String)>,
}

impl Current {
    /// The values of a key, in order. Git writes the last part of a key in lower case.
    fn values(&self, key: &str) -> Vec<String> {
        let key = folded(key);
        self.own
            .iter()
            .filter(|(name, _)| *name == key)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// Keys of helpers that git would ask after ours for this hub: it hands them a copy of each
    /// token, which they may keep on disk in the clear.
    pub(super) fn later_helpers(&self, url: &str) -> Vec<String> {
        let ours = folded(&helper_key(url));
        let first = self
            .all
            .iter()
            .position(|(key, value)| *key == ours && value.contains(HELPER));
        let Some(first) = first else {
            return Vec::new();
        };
        self.all[first..]
            .iter()
            .filter(|(key, value)| {
                *key != ours && !value.is_empty() && !value.contains(HELPER) && reaches(key, url)
            })
            .map(|(key, _)| key.clone())
            .collect()
    }
}

/// A value that changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ValueChange {
    pub(super) key: String,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
}

/// What was there before us.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The file that was written.
    pub(super) file: Option<String>,
    /// There was no file before us.
    #[serde(default)]
    pub(super) made: bool,
    pub(super) settings: Vec<WrittenSetting>,
}

/// One setting that we wrote.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct WrittenSetting {
    pub(super) key: String,
    pub(super) before: Vec<String>,
    pub(super) wrote: Vec<String>,
}

impl Memory {
    fn get(&self, key: &str) -> Option<&WrittenSetting> {
        self.settings.iter().find(|known| known.key == key)
    }

    /// This memory and what only `older` knows.
    pub(super) fn with(&self, older: &Self) -> Self {
        let mut both = self.clone();
        for known in &older.settings {
            if both.get(&known.key).is_none() {
                both.settings.push(known.clone());
            }
        }
        both
    }
}

/// The changes, and the memory after them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct GitPlan {
    pub(super) changes: Vec<ValueChange>,
    pub(super) memory: Memory,
}

/// Plans settings for `hubs`; those of hubs that are remembered and no longer wanted are restored
/// (an undo wants none). `helper` is the helper as git runs it, without `--hub`.
pub(super) fn plan(hubs: &[HubRow], helper: &str, current: &Current, memory: &Memory) -> GitPlan {
    let mut plan = GitPlan::default();
    let mut change = |key: &str, before: Vec<String>, after: Vec<String>, moved: bool| {
        if before != after || moved {
            plan.changes.push(ValueChange {
                key: key.to_owned(),
                before,
                after,
            });
        }
    };
    for hub in hubs {
        // Git collects helpers in the order of the file, so an entry below ours would join in again.
        let moved = !current.later_helpers(&hub.url).is_empty();
        for (key, wrote) in wanted(hub, helper) {
            let now = current.values(&key);
            let before = memory
                .get(&key)
                .map_or_else(|| others(&now), |known| left_by_person(known, &now));
            change(&key, now, wrote.clone(), moved);
            plan.memory
                .settings
                .push(WrittenSetting { key, before, wrote });
        }
    }
    for known in &memory.settings {
        if plan.memory.get(&known.key).is_none() {
            let now = current.values(&known.key);
            let after = left_by_person(known, &now);
            change(&known.key, now, after, false);
        }
    }
    plan
}

fn wanted(hub: &HubRow, helper: &str) -> [(String, Vec<String>); 2] {
    [
        (
            helper_key(&hub.url),
            vec![String::new(), format!("{helper} --hub {}", hub.hub)],
        ),
        (
            format!("credential.{}.useHttpPath", hub.url),
            vec!["true".to_owned()],
        ),
    ]
}

fn helper_key(url: &str) -> String {
    format!("credential.{url}.helper")
}

/// What would be there without us: what was there before, and what was added behind ours since.
/// A value that was changed otherwise is the person's own.
fn left_by_person(known: &WrittenSetting, now: &[String]) -> Vec<String> {
    now.strip_prefix(known.wrote.as_slice()).map_or_else(
        || others(now),
        |added| known.before.iter().chain(added).cloned().collect(),
    )
}

/// The values that are not ours. An empty entry in front of our helper came with it.
fn others(values: &[String]) -> Vec<String> {
    let ours = |at: usize| values.get(at).is_some_and(|value| value.contains(HELPER));
    (0..values.len())
        .filter(|at| !ours(*at) && (!values[*at].is_empty() || !ours(at + 1)))
        .map(|at| values[at].clone())
        .collect()
}

/// A key as git lists it: section and name in lower case.
fn folded(key: &str) -> String {
    match (key.split_once('.'), key.rsplit_once('.')) {
        (Some((section, _)), Some((front, name))) if front.len() > section.len() => format!(
            "{}{}.{}",
            section.to_ascii_lowercase(),
            &front[section.len()..],
            name.to_ascii_lowercase()
        ),
        _ => key.to_ascii_lowercase(),
    }
}

/// Whether a `credential…helper` key may count for a hub's URL. Git's own matching knows users,
/// paths and wildcards; here a "maybe" is a yes, because it only leads to advice and order.
fn reaches(key: &str, url: &str) -> bool {
    let Some(middle) = key
        .strip_prefix("credential")
        .and_then(|rest| rest.strip_suffix(".helper"))
    else {
        return false;
    };
    let pattern = middle.strip_prefix('.').unwrap_or(middle);
    if pattern.is_empty() {
        return true;
    }
    let pattern = host_of(pattern);
    pattern.contains('*') || pattern == host_of(url)
}

fn host_of(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
    let authority = rest.split('/').next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let own_port = if scheme.eq_ignore_ascii_case("http") {
        ":80"
    } else {
        ":443"
    };
    host.strip_suffix(own_port)
        .unwrap_or(host)
        .to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::{Current, GitPlan, Memory, WrittenSetting, folded, plan};
    use oam_model::report::HubRow;
    use proptest::prelude::*;

    const KEY: &str = "credential.https://hub.example.helper";
    const OURS: &str = "/opt/git-credential-oam --hub models";

    fn hub() -> HubRow {
        HubRow {
            hub: "models".parse().unwrap(),
            url: "https://hub.example".into(),
            kind: "git".into(),
        }
    }

    fn texts(list: &[&str]) -> Vec<String> {
        list.iter().map(|s| (*s).to_owned()).collect()
    }

    fn current(helpers: &[String]) -> Current {
        let own: Vec<_> = helpers
            .iter()
            .map(|v| (KEY.to_owned(), v.clone()))
            .collect();
        Current {
            all: own.clone(),
            own,
        }
    }

    /// The helpers of the hub after a plan was carried out.
    fn after(plan: &GitPlan, now: &[String]) -> Vec<String> {
        let change = plan.changes.iter().find(|change| change.key == KEY);
        change.map_or_else(|| now.to_vec(), |change| change.after.clone())
    }

    #[test]
    fn the_hub_gets_an_empty_entry_then_our_helper() {
        let plan = plan(
            &[hub()],
            "/opt/git-credential-oam",
            &Current::default(),
            &Memory::default(),
        );
        assert_eq!(after(&plan, &[]), texts(&["", OURS]));
        assert_eq!(
            plan.changes[1].key,
            "credential.https://hub.example.useHttpPath"
        );
    }

    #[test]
    fn a_moved_helper_is_replaced_and_what_was_there_first_is_still_remembered() {
        let memory = Memory {
            settings: vec![WrittenSetting {
                key: KEY.into(),
                before: texts(&["store"]),
                wrote: texts(&["", "/old/git-credential-oam --hub models"]),
            }],
            ..Memory::default()
        };
        let now = memory.settings[0].wrote.clone();
        let plan = plan(&[hub()], "/opt/git-credential-oam", &current(&now), &memory);
        assert_eq!(after(&plan, &now), texts(&["", OURS]));
        assert_eq!(plan.memory.settings[0].before, texts(&["store"]));
    }

    #[test]
    fn entries_of_ours_whose_memory_was_lost_are_not_taken_for_the_persons() {
        let now = texts(&["", "/old/git-credential-oam --hub models", "cache"]);
        let plan = plan(
            &[hub()],
            "/opt/git-credential-oam",
            &current(&now),
            &Memory::default(),
        );
        assert_eq!(plan.memory.settings[0].before, texts(&["cache"]));
    }

    #[test]
    fn a_helper_below_ours_is_seen_also_under_another_spelling_of_the_host() {
        let mut now = current(&texts(&["", OURS]));
        for (key, seen) in [
            ("credential.helper", true),
            ("credential.https://HUB.example:443/acme.helper", true),
            ("credential.https://me@hub.example.helper", true),
            ("credential.https://*.example.helper", true),
            ("credential.https://other.example.helper", false),
            ("credential.https://hub.example.username", false),
        ] {
            now.all.push((key.to_owned(), "store".to_owned()));
            assert_eq!(
                now.later_helpers("https://hub.example").len(),
                usize::from(seen),
                "{key}"
            );
            now.all.pop();
        }
        now.all
            .insert(0, ("credential.helper".into(), "store".into()));
        assert!(now.later_helpers("https://hub.example").is_empty());
    }

    #[test]
    fn keys_compare_as_git_lists_them() {
        assert_eq!(
            folded("Credential.https://Hub.Example.useHttpPath"),
            "credential.https://Hub.Example.usehttppath"
        );
        assert_eq!(folded("credential.Helper"), "credential.helper");
    }

    proptest! {
        #[test]
        fn setup_twice_then_undo_leaves_what_was_there(
            before in proptest::collection::vec("[a-z ]{0,6}", 0..4),
            added in proptest::collection::vec("[a-z]{1,6}", 0..2),
        ) {
            let first = plan(&[hub()], "/opt/git-credential-oam", &current(&before), &Memory::default());
            let mut now = after(&first, &before);
            let again = plan(&[hub()], "/opt/git-credential-oam", &current(&now), &first.memory);
            prop_assert_eq!(after(&again, &now), now.clone());
            prop_assert_eq!(&again.memory, &first.memory);
            now.extend(added.clone());
            let undone = plan(&[], "", &current(&now), &again.memory);
            let mut expected = before;
            expected.extend(added);
            prop_assert_eq!(after(&undone, &now), expected);
            prop_assert!(undone.memory.settings.is_empty());
        }
    }
}
