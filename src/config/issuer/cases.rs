//! Reading a table of expected answers: `[[case]]`, for `oam-issuer policy test`.

use crate::fields::{Fields, Placed, choose, wrong_kind};
use crate::role::{ACTIONS, owned};
use crate::suggest;
use crate::tree::{FaultCollector, Node, Value, YES_OR_NO, shown};
use oam_model::issuer::IssuerSettings;
use oam_model::name::{HubName, NameFault, RoleName, SourceName};
use oam_model::policy::{ExpectedAnswer, Policy, PolicyCase, PolicyRequest};
use oam_model::role::Action;
use serde_json::Value as Json;
use std::collections::BTreeMap;

pub(super) fn read_cases(
    tree: &Node,
    known: (&IssuerSettings, &Policy),
    report: &mut FaultCollector<'_>,
) -> Vec<PolicyCase> {
    let root = Fields::open(tree, tree.place, "", &["case"], report);
    let Some(entry) = root.entry("case") else {
        root.missing("case", report);
        return Vec::new();
    };
    let Value::List(items) = &entry.node.value else {
        wrong_kind(report, &entry.node, "case", "a list: write [[case]]");
        return Vec::new();
    };
    items
        .iter()
        .filter_map(|item| read_case(item, known, report))
        .collect()
}

fn read_case(
    item: &Node,
    (settings, policy): (&IssuerSettings, &Policy),
    report: &mut FaultCollector<'_>,
) -> Option<PolicyCase> {
    const KEYS: [&str; 9] = [
        "as", "source", "groups", "claims", "repo", "hub", "action", "role", "expect",
    ];
    let table = Fields::open(item, item.place, "case", &KEYS, report);
    let who = table.required("as", report);
    let sources: Vec<&str> = settings.sources.iter().map(|s| s.name.as_str()).collect();
    let source = one_of(&table, "source", &sources, report);
    let hubs: Vec<&str> = settings.hubs.iter().map(|h| h.name.as_str()).collect();
    let hub = one_of(&table, "hub", &hubs, report);
    let groups = owned(table.texts("groups", report));
    let claims = table
        .entry("claims")
        .map(|entry| claims(&entry.node, report))
        .unwrap_or_default();
    let repository = parsed(&table, "repo", table.text("repo", report), report);
    let role = table.text("role", report);
    let role = role.and_then(|text| role_of(&table, "role", text, policy, report));
    let action = table
        .required("action", report)
        .and_then(|text| choose(text, "case.action", &ACTIONS, report));
    let expect = table.required("expect", report);
    let expect = match expect {
        Some(text) if text.value == "denied" => Some(ExpectedAnswer::Denied),
        Some(text) => role_of(&table, "expect", text, policy, report).map(ExpectedAnswer::Role),
        None => None,
    };
    Some(PolicyCase {
        line: report.line(item.place),
        who: who?.value.to_owned(),
        source: source?.parse::<SourceName>().ok()?,
        groups,
        claims,
        wanted: PolicyRequest {
            hub: hub?.parse::<HubName>().ok()?,
            repository,
            action: action.unwrap_or(Action::Read),
            role,
        },
        expect: expect?,
    })
}

/// A name among `known`, or the only one when the key is left out.
fn one_of<'t>(
    table: &Fields<'t>,
    key: &str,
    known: &[&'t str],
    report: &mut FaultCollector<'_>,
) -> Option<&'t str> {
    if let (None, [only]) = (table.entry(key), known) {
        return Some(only);
    }
    let text = table.required(key, report)?;
    if known.contains(&text.value) {
        return Some(text.value);
    }
    report.add(
        text.place,
        format!("there is no {key} `{}`", shown(text.value)),
        suggest::advice(text.value, known),
    );
    None
}

/// A role of the policy: any other is granted to nobody, and a word like `allow` is none.
fn role_of(
    table: &Fields<'_>,
    key: &str,
    text: Placed<&str>,
    policy: &Policy,
    report: &mut FaultCollector<'_>,
) -> Option<RoleName> {
    let role = parsed::<RoleName>(table, key, Some(text), report)?;
    if policy.roles.iter().any(|known| known.name == role) {
        return Some(role);
    }
    let roles: Vec<&str> = policy.roles.iter().map(|role| role.name.as_str()).collect();
    let mut next = suggest::advice(text.value, &roles);
    if key == "expect" {
        next.push_str("; the role that is granted, or \"denied\"");
    }
    report.add(
        text.place,
        format!(
            "`{}`: the policy has no role `{role}`",
            shown(&table.path_of(key))
        ),
        next,
    );
    None
}

fn parsed<T: std::str::FromStr<Err = NameFault>>(
    table: &Fields<'_>,
    key: &str,
    text: Option<Placed<&str>>,
    report: &mut FaultCollector<'_>,
) -> Option<T> {
    let text = text?;
    match text.value.parse::<T>() {
        Ok(value) => Some(value),
        Err(fault) => {
            let path = table.path_of(key);
            report.add(
                text.place,
                format!("`{}`: {fault}", shown(&path)),
                "correct it",
            );
            None
        }
    }
}

fn claims(node: &Node, report: &mut FaultCollector<'_>) -> BTreeMap<String, Json> {
    if !matches!(node.value, Value::Table(_)) {
        wrong_kind(report, node, "case.claims", "a table");
    }
    match json(node, report) {
        Json::Object(members) => members.into_iter().collect(),
        _ => BTreeMap::new(),
    }
}

/// A value as the token would have it.
fn json(node: &Node, report: &mut FaultCollector<'_>) -> Json {
    match &node.value {
        Value::Text(text) => Json::String(text.clone()),
        Value::Whole(Some(number)) => Json::from(*number),
        Value::Other(kind, text) if *kind == YES_OR_NO => Json::Bool(text == "true"),
        Value::List(items) => items.iter().map(|item| json(item, report)).collect(),
        Value::Table(entries) => entries
            .iter()
            .map(|entry| (entry.key.clone(), json(&entry.node, report)))
            .collect(),
        Value::Whole(None) | Value::Other(..) => {
            wrong_kind(
                report,
                node,
                "case.claims",
                "a text, a whole number, true, false, a list or a table",
            );
            Json::Null
        }
    }
}
