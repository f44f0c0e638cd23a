//! Reading `policy.toml`: `[org]` and `[roles.NAME]`.

use super::include::{Draft, flatten};
use super::member::read_members;
use crate::fields::{Fields, Placed, names};
use crate::provider::{extra, redirect_path, scopes};
use crate::read::ages;
use crate::role::{LIFETIME_MS, OFFLINE, USUAL_LIFETIME_MS, grants};
use crate::suggest;
use crate::tree::{FaultCollector, KeyEntry, Node, shown};
use oam_model::issuer::{IdentitySource, IssuerSettings};
use oam_model::name::{OrgName, RoleName};
use oam_model::organization::SubjectKind;
use oam_model::policy::{OrgRules, Policy, PolicyGrant, PolicyRole};
use oam_model::principal::PrincipalKind;
use oam_model::role::OfflineRule;

/// Reads the whole tree; none when a fault was found that leaves no value to go on with.
pub(super) fn read_policy(
    tree: &Node,
    settings: &IssuerSettings,
    report: &mut FaultCollector<'_>,
) -> Option<Policy> {
    let root = Fields::open(tree, tree.place, "", &["org", "roles"], report);
    let org = read_org(&root, settings, report);
    let mut drafts = Vec::new();
    if let Some(entry) = root.entry("roles") {
        for entry in names(&entry.node, "roles", report) {
            drafts.extend(read_role(entry, settings, report));
        }
    }
    let roles = flatten(drafts, report);
    Some(Policy { org: org?, roles })
}

fn read_org(
    root: &Fields<'_>,
    settings: &IssuerSettings,
    report: &mut FaultCollector<'_>,
) -> Option<OrgRules> {
    const KEYS: [&str; 11] = [
        "name",
        "sign_in",
        "client_id",
        "scopes",
        "extra",
        "redirect_port",
        "redirect_path",
        "fresh",
        "lease",
        "session_age",
        "device_login",
    ];
    let Some(entry) = root.entry("org") else {
        root.missing("org", report);
        return None;
    };
    let org = Fields::open(&entry.node, entry.place, "org", &KEYS, report);
    let name = org.required("name", report).and_then(|text| {
        let name = text.value.parse::<OrgName>();
        if let Err(fault) = &name {
            report.add(text.place, fault.to_string(), "choose another name");
        }
        name.ok()
    });
    let sign_in = org.required("sign_in", report);
    let source = sign_in.and_then(|named| sign_in_source(named, settings, report));
    let client_id = org.required("client_id", report);
    if let (Some(source), Some(client_id)) = (source, client_id) {
        check_client(source, client_id, report);
    }
    let (fresh_ms, lease_ms, session_age_ms) = ages(&org, report);
    let rules = OrgRules {
        name: name?,
        sign_in: source?.name.clone(),
        client_id: client_id?.value.to_owned(),
        scopes: scopes(&org, report),
        extra: extra(&org, report),
        redirect_port: org.port("redirect_port", report),
        redirect_path: redirect_path(&org, report),
        fresh_ms,
        lease_ms,
        session_age_ms,
        device_login: org.yes("device_login", false, report),
    };
    Some(rules)
}

fn sign_in_source<'s>(
    named: Placed<&str>,
    settings: &'s IssuerSettings,
    report: &mut FaultCollector<'_>,
) -> Option<&'s IdentitySource> {
    let people: Vec<&IdentitySource> = settings
        .sources
        .iter()
        .filter(|source| source.kind == PrincipalKind::Person)
        .collect();
    let found = people.iter().find(|s| s.name.as_str() == named.value);
    if found.is_none() {
        let known: Vec<&str> = people.iter().map(|s| s.name.as_str()).collect();
        report.add(
            named.place,
            format!(
                "`org.sign_in` names no source of people: `{}`",
                shown(named.value)
            ),
            suggest::advice(named.value, &known),
        );
    }
    found.copied()
}

/// The audience of an ID token is the client that it was made for (OIDC Core §2): with another client id
/// every sign-in would succeed, and every exchange after it be refused.
fn check_client(source: &IdentitySource, client_id: Placed<&str>, report: &mut FaultCollector<'_>) {
    let named = source.audiences.iter().any(|a| a == client_id.value);
    if source.subject == SubjectKind::IdToken && !named {
        report.add(
            client_id.place,
            format!(
                "`org.client_id` is not among the audiences of the source `{}`",
                source.name
            ),
            format!(
                "add \"{}\" to `sources.{}.audiences`, or write a client id that is there",
                shown(client_id.value),
                source.name
            ),
        );
    }
}

fn read_role<'t>(
    entry: &'t KeyEntry,
    settings: &IssuerSettings,
    report: &mut FaultCollector<'_>,
) -> Option<Draft<'t>> {
    const KEYS: [&str; 7] = [
        "description",
        "priority",
        "lifetime",
        "offline",
        "include",
        "members",
        "grants",
    ];
    let path = format!("roles.{}", entry.key);
    let name = entry.key.parse::<RoleName>();
    if let Err(fault) = &name {
        report.add(entry.place, fault.to_string(), "choose another name");
    }
    let table = Fields::open(&entry.node, entry.place, &path, &KEYS, report);
    let description = table.text("description", report);
    let priority = table.whole("priority", 0..=1_000, 0, report);
    let lifetime_ms = table.duration("lifetime", LIFETIME_MS, USUAL_LIFETIME_MS, report);
    let offline = table.choice("offline", &OFFLINE, OfflineRule::Grace, report);
    let include = table
        .texts("include", report)
        .map_or_else(Vec::new, |texts| {
            if texts.value.is_empty() {
                let why = "name a role whose grants this one has too, or leave the key out";
                super::place::empty(texts.place, &table.path_of("include"), why, report);
            }
            texts.value
        });
    let members = read_members(&table, &settings.sources, report);
    let hubs: Vec<&str> = settings.hubs.iter().map(|hub| hub.name.as_str()).collect();
    // A role that only bundles others has no grants of its own.
    let own = if table.entry("grants").is_none() && table.entry("include").is_some() {
        Vec::new()
    } else {
        grants(&table, &hubs, report)
    };
    let own = own.into_iter().map(|(place, grant)| PolicyGrant {
        grant,
        line: report.line(place),
    });
    Some(Draft {
        key: &entry.key,
        place: entry.place,
        include,
        without_members: table.entry("members").is_none(),
        role: PolicyRole {
            name: name.ok()?,
            description: description.map(|text| text.value.to_owned()),
            members,
            priority: u32::try_from(priority).unwrap_or(0),
            lifetime_s: lifetime_ms / 1000,
            offline,
            grants: own.collect(),
        },
    })
}
