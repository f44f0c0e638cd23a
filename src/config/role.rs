//! Reading the roles of an organization.

use super::fields::{Fields, Placed, choose, names};
use super::pattern::check_pattern;
use super::suggest;
use super::tree::{FaultCollector, KeyEntry, Node, Span, Value, shown};
use oam_model::name::{HubName, RoleName};
use oam_model::role::{Action, Grant, OfflineRule, Role};

/// A token of less life than the margin of 60 s would never be handed out.
pub(super) const LIFETIME_MS: std::ops::RangeInclusive<u64> = 61_000..=86_400_000;
pub(super) const USUAL_LIFETIME_MS: u64 = 900_000;

pub(super) const ACTIONS: [(&str, Action); 3] = [
    ("read", Action::Read),
    ("write", Action::Write),
    ("manage", Action::Manage),
];

pub(super) const OFFLINE: [(&str, OfflineRule); 2] = [
    ("grace", OfflineRule::Grace),
    ("strict", OfflineRule::Strict),
];

/// Reads `[orgs.NAME.roles]`. `hubs` are the names that grants may use, the faulty ones included.
pub(super) fn read_roles(
    org: &Fields<'_>,
    hubs: &[&str],
    report: &mut FaultCollector<'_>,
) -> Vec<Role> {
    let Some(entry) = org.entry("roles") else {
        return Vec::new();
    };
    let path = org.path_of("roles");
    names(&entry.node, &path, report)
        .iter()
        .filter_map(|entry| read_role(entry, &path, hubs, report))
        .collect()
}

fn read_role(
    entry: &KeyEntry,
    path: &str,
    hubs: &[&str],
    report: &mut FaultCollector<'_>,
) -> Option<Role> {
    const KEYS: [&str; 5] = ["description", "groups", "lifetime", "offline", "grants"];
    let path = format!("{path}.{}", entry.key);
    let name = entry.key.parse::<RoleName>();
    if let Err(fault) = &name {
        report.add(entry.place, fault.to_string(), "choose another name");
    }
    let table = Fields::open(&entry.node, entry.place, &path, &KEYS, report);
    let description = table.text("description", report);
    let groups = table.texts("groups", report);
    let lifetime_ms = table.duration("lifetime", LIFETIME_MS, USUAL_LIFETIME_MS, report);
    let offline = table.choice("offline", &OFFLINE, OfflineRule::Grace, report);
    let grants = grants(&table, hubs, report);
    let grants = grants.into_iter().map(|(_, grant)| grant).collect();
    Some(Role {
        name: name.ok()?,
        description: description.map(|t| t.value.to_owned()),
        groups: owned(groups),
        priority: 0,
        lifetime_s: lifetime_ms / 1000,
        offline,
        grants,
    })
}

pub(super) fn owned(texts: Option<Placed<Vec<Placed<&str>>>>) -> Vec<String> {
    texts.map_or_else(Vec::new, |texts| {
        texts.value.iter().map(|t| t.value.to_owned()).collect()
    })
}

/// The grants of a role, each with its place.
pub(super) fn grants(
    role: &Fields<'_>,
    hubs: &[&str],
    report: &mut FaultCollector<'_>,
) -> Vec<(Span, Grant)> {
    let Some(entry) = role.entry("grants") else {
        role.missing("grants", report);
        return Vec::new();
    };
    let path = role.path_of("grants");
    let Value::List(items) = &entry.node.value else {
        report.add(
            entry.node.place,
            format!(
                "`{}` is {}, not a list of grants",
                shown(&path),
                entry.node.value.kind()
            ),
            "write [ { hub = \"…\", repositories = [\"…\"], action = \"read\" } ]",
        );
        return Vec::new();
    };
    if items.is_empty() {
        report.add(
            entry.node.place,
            format!("`{}` is empty, so the role allows nothing", shown(&path)),
            "add a grant or remove the role",
        );
    }
    items
        .iter()
        .filter_map(|item| Some((item.place, grant(item, &path, hubs, report)?)))
        .collect()
}

fn grant(item: &Node, path: &str, hubs: &[&str], report: &mut FaultCollector<'_>) -> Option<Grant> {
    const KEYS: [&str; 4] = ["hub", "repositories", "action", "actions"];
    let table = Fields::open(item, item.place, path, &KEYS, report);
    let hub = table.required("hub", report);
    if let Some(hub) = hub.filter(|hub| !hubs.contains(&hub.value)) {
        report.add(
            hub.place,
            format!("there is no hub `{}`", shown(hub.value)),
            suggest::advice(hub.value, hubs),
        );
    }
    let repositories = repositories(&table, report);
    let action = action(&table, report);
    Some(Grant {
        hub: hub?.value.parse::<HubName>().ok()?,
        repositories,
        action: action?,
    })
}

fn repositories(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> Vec<String> {
    if table.entry("repositories").is_none() {
        table.missing("repositories", report);
    }
    let Some(patterns) = table.texts("repositories", report) else {
        return Vec::new();
    };
    let items = table.entry("repositories").map(|entry| &entry.node.value);
    if matches!(items, Some(Value::List(items)) if items.is_empty()) {
        report.add(
            patterns.place,
            format!("`{}` is empty", shown(&table.path_of("repositories"))),
            "name repositories, or write [\"**\"] for all of the hub",
        );
    }
    for pattern in &patterns.value {
        if let Err((what, next)) = check_pattern(pattern.value) {
            report.add(
                pattern.place,
                format!("the pattern `{}` {what}", shown(pattern.value)),
                next,
            );
        }
    }
    owned(Some(patterns))
}

/// `action`, or the widest of `actions`: each one includes the lesser ones.
fn action(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> Option<Action> {
    match (table.entry("action"), table.entry("actions")) {
        (None, None) => {
            table.missing("action", report);
            None
        }
        (Some(_), Some(other)) => {
            report.add(
                other.place,
                format!("`{}` has both `action` and `actions`", shown(&table.path)),
                "keep one; the widest action includes the others",
            );
            None
        }
        (Some(_), None) => {
            let text = table.text("action", report)?;
            choose(text, &table.path_of("action"), &ACTIONS, report)
        }
        (None, Some(_)) => {
            let path = table.path_of("actions");
            let texts = table.texts("actions", report)?;
            if texts.value.is_empty() {
                report.add(
                    texts.place,
                    format!("`{}` is empty", shown(&path)),
                    "write `action = \"read\"`",
                );
            }
            let all: Vec<Option<Action>> = texts
                .value
                .iter()
                .map(|text| choose(*text, &path, &ACTIONS, report))
                .collect();
            all.into_iter().flatten().max()
        }
    }
}
