//! Reading a table of expected answers: `[[case]]`, for `oam-issuer policy test`.

use crate::fields::{Fields, Placed, choose, wrong_kind};
use crate::role::{ACTIONS, owned};
use crate::suggest;
use crate::tree::{FaultCollector, Node, Span, Value, YES_OR_NO, shown};
use oam_model::issuer::IssuerSettings;
use oam_model::name::{HubName, NameFault, RoleName, SourceName};
use oam_model::policy::{CaseGroups, ExpectedAnswer, Policy, PolicyCase, PolicyRequest};
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
    let groups = groups(&table, settings, source, report);
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

/// A list is what the token says; a table tells who says which. Only those can say some who are set up for the source.
fn groups(
    table: &Fields<'_>,
    settings: &IssuerSettings,
    source: Option<&str>,
    report: &mut FaultCollector<'_>,
) -> CaseGroups {
    const WORDS: [&str; 5] = ["token", "signal", "directory", "poll", "team"];
    let Some(entry) = table.entry("groups") else {
        return CaseGroups::default();
    };
    if !matches!(entry.node.value, Value::Table(_)) {
        return CaseGroups {
            token: owned(table.texts("groups", report)),
            ..CaseGroups::default()
        };
    }
    let said = Fields::open(&entry.node, entry.place, "case.groups", &WORDS, report);
    if let Some(name) = source {
        let of_it = settings.sources.iter().find(|s| s.name.as_str() == name);
        let mut signals = settings.transmitters.iter();
        let set_up = [
            ("signal", signals.any(|t| t.source.as_str() == name)),
            ("directory", of_it.is_some_and(|s| s.scim.is_some())),
            ("poll", of_it.is_some_and(|s| s.directory.is_some())),
            ("team", of_it.is_some_and(|s| s.github.is_some())),
        ];
        for (word, is_set_up) in set_up {
            if let Some(entry) = said.entry(word).filter(|_| !is_set_up) {
                nobody_says(entry.place, word, name, report);
            }
        }
    }
    let mut some = |word| said.entry(word).map(|_| owned(said.texts(word, report)));
    CaseGroups {
        token: some("token").unwrap_or_default(),
        signal: some("signal"),
        directory: some("directory"),
        poll: some("poll"),
        team: some("team").unwrap_or_default(),
    }
}

fn nobody_says(place: Span, word: &str, source: &str, report: &mut FaultCollector<'_>) {
    let source = shown(source);
    let (what, table) = match word {
        "signal" => ("signals", "[transmitters.NAME]".to_owned()),
        "directory" => ("directory that pushes", format!("[sources.{source}.scim]")),
        "poll" => (
            "directory that is read",
            format!("[sources.{source}.directory]"),
        ),
        _ => ("teams at GitHub", format!("[sources.{source}.github]")),
    };
    report.add(
        place,
        format!("`case.groups.{word}`: the source `{source}` has no {what}"),
        format!("set up `{table}` in the issuer's configuration, or say the groups by `token`"),
    );
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
