//! Both files to settings: merge, read, and the checks that look at several tables at once.

use super::agent::{Org, Settings, SourceText, UnknownIntent};
use super::exchange::read_exchange;
use super::fault::ConfigFault;
use super::fields::{Fields, names};
use super::hub::{ReadHub, read_hubs};
use super::merge::{check_enforced, overlay, take};
use super::provider::read_provider;
use super::role::read_roles;
use super::suggest;
use super::tree::{FaultCollector, KeyEntry, Node, shown};
use super::{duration, tree};
use oam_model::name::OrgName;

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Reads both texts; see [`super::agent::read`].
pub(super) fn read(
    company: Option<SourceText<'_>>,
    user: Option<SourceText<'_>>,
) -> Result<Settings, Vec<ConfigFault>> {
    let nothing = SourceText { name: "", text: "" };
    both([company.unwrap_or(nothing), user.unwrap_or(nothing)], true)
}

/// Reads what is published below the company's text, which decides silently wherever both say something and it
/// enforces its own.
pub(super) fn beneath(company: &str, published: &str) -> Result<Settings, Vec<ConfigFault>> {
    both(
        [company, published].map(|text| SourceText { name: "", text }),
        false,
    )
}

fn both(sources: [SourceText<'_>; 2], by_the_user: bool) -> Result<Settings, Vec<ConfigFault>> {
    let mut report = FaultCollector::new(&sources);
    let (below, above) = (report.parse(0), report.parse(1));
    // Half a tree would give faults that are none, so broken TOML is told alone.
    if !report.is_clean() {
        return Err(report.into_faults());
    }
    let told = by_the_user.then_some(sources[0].name);
    let tree = merge(below, above, told, &mut report);
    let settings = settings(&tree, &mut report);
    if report.is_clean() {
        Ok(settings)
    } else {
        Err(report.into_faults())
    }
}

/// `told`: the name of the company's file, where a key that it enforces is a fault above it.
fn merge(
    mut company: Node,
    mut user: Node,
    told: Option<&str>,
    report: &mut FaultCollector<'_>,
) -> Node {
    if let Some(entry) = take(&mut user, "enforce") {
        report.add(
            entry.place,
            "only the company's file can hold `enforce`",
            "move the keys out of [enforce]; the user's file wins where nothing is enforced",
        );
    }
    let enforced = take(&mut company, "enforce");
    if let Some(entry) = &enforced {
        names(&entry.node, "enforce", report);
        if let Some(company) = told {
            check_enforced(&entry.node, &user, "", company, report);
        }
    }
    let merged = overlay(company, user);
    match enforced {
        Some(KeyEntry { node, .. }) if matches!(node.value, tree::Value::Table(_)) => {
            overlay(merged, node)
        }
        _ => merged,
    }
}

fn settings(tree: &Node, report: &mut FaultCollector<'_>) -> Settings {
    let known = ["default_org", "default_hub", "unknown_intent", "orgs"];
    let root = Fields::open(tree, tree.place, "", &known, report);
    let words = [
        ("write", UnknownIntent::Write),
        ("read", UnknownIntent::Read),
        ("refuse", UnknownIntent::Refuse),
    ];
    let unknown_intent = root.choice("unknown_intent", &words, UnknownIntent::Write, report);
    let mut orgs = Vec::new();
    let mut hubs = Vec::new();
    let mut org_names: Vec<&str> = Vec::new();
    if let Some(entry) = root.entry("orgs") {
        for entry in names(&entry.node, "orgs", report) {
            org_names.push(&entry.key);
            let (org, its_hubs) = read_org(entry, report);
            orgs.extend(org);
            hubs.extend(its_hubs);
        }
    }
    check_hubs(&hubs, report);
    let default_org = root.text("default_org", report);
    if let Some(name) = default_org.filter(|name| !org_names.contains(&name.value)) {
        report.add(
            name.place,
            format!(
                "`default_org` names no organization: `{}`",
                shown(name.value)
            ),
            suggest::advice(name.value, &org_names),
        );
    }
    let default_hub = root.text("default_hub", report);
    let hub_names: Vec<&str> = hubs.iter().map(|read| read.hub.name.as_str()).collect();
    if let Some(name) = default_hub.filter(|name| !hub_names.contains(&name.value)) {
        report.add(
            name.place,
            format!("`default_hub` names no hub: `{}`", shown(name.value)),
            suggest::advice(name.value, &hub_names),
        );
    }
    Settings {
        default_hub: default_hub.and_then(|name| name.value.parse().ok()),
        default_org: default_org.and_then(|name| name.value.parse().ok()),
        unknown_intent,
        orgs,
    }
}

/// One organization; none when a fault was found that leaves no value to go on with. Its hubs are
/// given even then, so that they can be compared to the others.
fn read_org(entry: &KeyEntry, report: &mut FaultCollector<'_>) -> (Option<Org>, Vec<ReadHub>) {
    const KEYS: [&str; 19] = [
        "issuer",
        "client_id",
        "scopes",
        "redirect_port",
        "redirect_path",
        "groups_claim",
        "reauth",
        "device",
        "device_authorization_endpoint",
        "ca_file",
        "proxy",
        "proxy_auth_file",
        "fresh",
        "lease",
        "session_age",
        "extra",
        "exchange",
        "hubs",
        "roles",
    ];
    let path = format!("orgs.{}", entry.key);
    let name = entry.key.parse::<OrgName>();
    if let Err(fault) = &name {
        report.add(entry.place, fault.to_string(), "choose another name");
    }
    let table = Fields::open(&entry.node, entry.place, &path, &KEYS, report);
    let exchange = read_exchange(&table, report);
    let published = exchange.as_ref().is_some_and(|e| e.issuer().is_some());
    let provider = read_provider(&table, published, report);
    let hubs = read_hubs(&table, report);
    let hub_names: Vec<&str> = match table.entry("hubs").map(|entry| &entry.node.value) {
        Some(tree::Value::Table(entries)) => entries.iter().map(|e| e.key.as_str()).collect(),
        _ => Vec::new(),
    };
    let roles = read_roles(&table, &hub_names, report);
    let (fresh_ms, lease_ms, session_age_ms) = ages(&table, report);
    let org = match (name, provider, exchange) {
        (Ok(name), Some(provider), Some(exchange)) => Some(Org {
            name,
            provider,
            exchange,
            hubs: hubs.iter().map(|read| read.hub.clone()).collect(),
            roles,
            fresh_ms,
            lease_ms,
            session_age_ms,
        }),
        _ => None,
    };
    (org, hubs)
}

/// `fresh`, `lease` and `session_age`, each at most the next.
pub(super) fn ages(org: &Fields<'_>, report: &mut FaultCollector<'_>) -> (u64, u64, u64) {
    let fresh = org.duration("fresh", 0..=HOUR_MS, 60_000, report);
    let lease = org.duration("lease", 0..=DAY_MS, 600_000, report);
    let age = org.duration("session_age", 60_000..=90 * DAY_MS, 7 * DAY_MS, report);
    for (shorter, ms, longer, limit) in [
        ("fresh", fresh, "lease", lease),
        ("lease", lease, "session_age", age),
    ] {
        if ms <= limit {
            continue;
        }
        // The one that somebody wrote is the one to point at; both have defaults.
        let place = org
            .entry(shorter)
            .or_else(|| org.entry(longer))
            .map_or(org.place, |entry| entry.node.place);
        report.add(
            place,
            format!(
                "`{}`: `{shorter}` ({}) is longer than `{longer}` ({})",
                shown(&org.path),
                duration::words(ms),
                duration::words(limit)
            ),
            format!("make `{shorter}` shorter or `{longer}` longer"),
        );
    }
    (fresh, lease, age)
}

/// A host belongs to one hub, or an ask could not tell which organization answers it; and a name
/// belongs to one hub, because `--hub NAME` does not say the organization.
fn check_hubs(hubs: &[ReadHub], report: &mut FaultCollector<'_>) {
    for (index, hub) in hubs.iter().enumerate() {
        for other in &hubs[..index] {
            if other.address.overlaps(&hub.address) {
                report.add(
                    hub.url,
                    format!(
                        "the hubs `{}` and `{}` have the same host and port, and no paths that keep them apart",
                        other.hub.name, hub.hub.name
                    ),
                    "keep one of them and give its roles the grants of both",
                );
            }
            if other.hub.name == hub.hub.name {
                report.add(
                    hub.named,
                    format!("two organizations have a hub named `{}`", hub.hub.name),
                    "rename one: commands name a hub without its organization",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests;
