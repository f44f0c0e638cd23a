//! Reading who holds a role: source, groups and conditions on claims.

use super::place::{empty, some_texts};
use super::preset::{Pins, is_pinned, pins};
use crate::fields::{Fields, names, text_of, wrong_kind};
use crate::suggest;
use crate::tree::{FaultCollector, KeyEntry, Node, Value, YES_OR_NO, shown};
use oam_model::issuer::IdentitySource;
use oam_model::policy::Member;
use oam_model::principal::PrincipalKind;
use std::collections::BTreeMap;

/// Longest pattern of a claim: `sub` of CI systems is long.
const LONGEST: usize = 1024;

/// Reads `members` of a role.
pub(super) fn read_members(
    role: &Fields<'_>,
    sources: &[IdentitySource],
    report: &mut FaultCollector<'_>,
) -> Vec<Member> {
    let Some(entry) = role.entry("members") else {
        return Vec::new();
    };
    let path = role.path_of("members");
    let Value::List(items) = &entry.node.value else {
        wrong_kind(report, &entry.node, &path, "a list of members");
        return Vec::new();
    };
    if items.is_empty() {
        let why = "add { source = \"…\", groups = [\"…\"] }, or remove the role: nobody holds it";
        empty(entry.node.place, &path, why, report);
    }
    items
        .iter()
        .filter_map(|item| read_member(item, &path, sources, report))
        .collect()
}

fn read_member(
    item: &Node,
    path: &str,
    sources: &[IdentitySource],
    report: &mut FaultCollector<'_>,
) -> Option<Member> {
    let known = ["source", "groups", "claims"];
    let table = Fields::open(item, item.place, path, &known, report);
    let named = table.required("source", report);
    let source = named.and_then(|named| {
        let found = sources.iter().find(|s| s.name.as_str() == named.value);
        if found.is_none() {
            let known: Vec<&str> = sources.iter().map(|s| s.name.as_str()).collect();
            report.add(
                named.place,
                format!("there is no source `{}`", shown(named.value)),
                suggest::advice(named.value, &known),
            );
        }
        found
    });
    let groups = groups(&table, report);
    let claims = table
        .entry("claims")
        .map(|entry| claims(entry, &table.path_of("claims"), report))
        .unwrap_or_default();
    let source = source?;
    let member = Member {
        source: source.name.clone(),
        groups,
        claims,
        line: report.line(item.place),
    };
    check_strangers(&table, source, &member, report);
    check_email(&table, source, &member, report);
    Some(member)
}

/// Groups are names that are compared whole. An empty list would be read as "no group" by one and as "any"
/// by another, so it is a fault.
fn groups(table: &Fields<'_>, report: &mut FaultCollector<'_>) -> Vec<String> {
    if table.entry("groups").is_none() {
        return Vec::new();
    }
    let why = "name a group, or leave the key out where groups do not matter";
    let texts = some_texts(table, "groups", why, report);
    for text in texts.iter().filter(|text| text.value.contains('*')) {
        report.add(
            text.place,
            format!("the group `{}` has a `*`", shown(text.value)),
            "write each group's whole name: groups are no patterns",
        );
    }
    texts.iter().map(|text| text.value.to_owned()).collect()
}

/// Whoever can get a token of a shared issuer must not get a role by a name alone.
fn check_strangers(
    table: &Fields<'_>,
    source: &IdentitySource,
    member: &Member,
    report: &mut FaultCollector<'_>,
) {
    let Some(pins) = pins(source) else {
        return check_every_job(table, source, member, report);
    };
    check_callers_words(table, &pins, member, report);
    let conditions = source.required.iter().chain(&member.claims);
    let mut pairs = conditions.map(|(name, values)| (name.as_str(), values.as_slice()));
    if is_pinned(pins.claims, &mut pairs) || (source.every_job && !pins.is_shared) {
        return;
    }
    let way_out = if pins.is_shared {
        String::new()
    } else {
        format!(
            "; where every job of {} may, write `every_job = true` in `sources.{}`",
            source.issuer, source.name
        )
    };
    let place = table
        .entry("claims")
        .map_or(table.place, |entry| entry.place);
    report.add(
        place,
        format!(
            "this member of `{}` is not pinned to an id of yours: {}",
            source.name, pins.because
        ),
        format!("add {} to its claims{way_out}", advised(pins.claims)),
    );
}

/// The claim to pin, as it is written.
fn advised(claims: &[&str]) -> String {
    let first = claims[0];
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let written = if first.chars().all(plain) {
        first.to_owned()
    } else {
        format!("\"{first}\"")
    };
    match claims {
        [_] => format!("`{written} = \"…\"`, with a fixed value,"),
        _ => format!(
            "`{written} = \"…\"` (one of {} with a fixed value)",
            suggest::list(claims)
        ),
    }
}

/// Whoever asks for the token fills these in as they please.
fn check_callers_words(
    table: &Fields<'_>,
    pins: &Pins,
    member: &Member,
    report: &mut FaultCollector<'_>,
) {
    for claim in member.claims.keys() {
        if pins
            .callers_words
            .iter()
            .any(|word| claim.starts_with(word))
        {
            let place = table
                .entry("claims")
                .map_or(table.place, |entry| entry.place);
            report.add(
                place,
                format!(
                    "the claim `{}` is what the caller says of itself: {} does not check it",
                    shown(claim),
                    pins.name
                ),
                format!("remove it, and pin {} instead", suggest::list(pins.claims)),
            );
        }
    }
}

/// A source of jobs that is not known here may be shared too, as those of CI services are: a role that no claim pins
/// would be everybody's who can run a job there.
fn check_every_job(
    table: &Fields<'_>,
    source: &IdentitySource,
    member: &Member,
    report: &mut FaultCollector<'_>,
) {
    let pinned = source
        .required
        .values()
        .chain(member.claims.values())
        .any(|values| !values.is_empty() && values.iter().all(|value| !value.contains('*')));
    if source.kind != PrincipalKind::Job || source.every_job || pinned {
        return;
    }
    report.add(
        table.place,
        format!(
            "this member of `{}` is every job of {}, whoever runs it",
            source.name, source.issuer
        ),
        format!(
            "add a claim with a fixed value that tells your organization or repository, or write `every_job = true` in `sources.{}` where all of its jobs are yours",
            source.name
        ),
    );
}

/// An e-mail that nobody verified is a text that the person chose.
fn check_email(
    table: &Fields<'_>,
    source: &IdentitySource,
    member: &Member,
    report: &mut FaultCollector<'_>,
) {
    let verified = |claims: &BTreeMap<String, Vec<String>>| {
        claims
            .get("email_verified")
            .is_some_and(|values| values.iter().all(|value| value == "true"))
    };
    let by_email = member.claims.contains_key("email") && source.kind == PrincipalKind::Person;
    if by_email && !verified(&member.claims) && !verified(&source.required) {
        let place = table
            .entry("claims")
            .map_or(table.place, |entry| entry.place);
        report.add(
            place,
            "this member is told by an e-mail that may not be verified",
            "add `email_verified = true` to its claims, or name a group or a stable id instead",
        );
    }
}

/// Conditions on claims: each a pattern or a list of patterns. A table below a claim goes into it:
/// `kubernetes.io = { namespace = "x" }` is `"kubernetes.io.namespace" = "x"`.
pub(super) fn claims(
    entry: &KeyEntry,
    path: &str,
    report: &mut FaultCollector<'_>,
) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    collect(&entry.node, path, "", &mut found, report);
    found
}

fn collect(
    node: &Node,
    path: &str,
    prefix: &str,
    found: &mut BTreeMap<String, Vec<String>>,
    report: &mut FaultCollector<'_>,
) {
    let entries = names(node, path, report);
    if entries.is_empty() && matches!(node.value, Value::Table(_)) {
        let why = "write a claim like `department = \"ml\"`, or leave the key out";
        empty(node.place, path, why, report);
    }
    for entry in entries {
        let name = format!("{prefix}{}", entry.key);
        let path = format!("{path}.{}", entry.key);
        if entry.key.is_empty() || entry.key.chars().any(char::is_control) {
            report.add(
                entry.place,
                format!("`{}` is not the name of a claim", shown(&path)),
                "write the claim as the token has it",
            );
        }
        if let Value::Table(_) = entry.node.value {
            collect(&entry.node, &path, &format!("{name}."), found, report);
            continue;
        }
        let patterns = patterns(&entry.node, &path, report);
        if found.insert(name.clone(), patterns).is_some() {
            report.add(
                entry.place,
                format!("the claim `{}` has two conditions", shown(&name)),
                "write one list: a claim has to match one of its patterns",
            );
        }
    }
}

fn patterns(node: &Node, path: &str, report: &mut FaultCollector<'_>) -> Vec<String> {
    let Value::List(items) = &node.value else {
        return pattern(node, path, report).into_iter().collect();
    };
    if items.is_empty() {
        let why = "write a pattern, or leave the claim out";
        empty(node.place, path, why, report);
    }
    items
        .iter()
        .filter_map(|item| pattern(item, path, report))
        .collect()
}

/// A pattern of a claim. Numbers and booleans stand for their text, as the token's do.
fn pattern(node: &Node, path: &str, report: &mut FaultCollector<'_>) -> Option<String> {
    match &node.value {
        Value::Whole(Some(number)) => return Some(number.to_string()),
        Value::Other(kind, text) if *kind == YES_OR_NO => return Some(text.clone()),
        _ => {}
    }
    let text = text_of(node, path, report)?;
    let fault = if text.value.contains("***") {
        Some((
            "has more than two `*` in a row",
            "`*` stays within a segment, `**` crosses segments",
        ))
    } else if text.value.chars().all(|c| matches!(c, '*' | '/')) {
        Some((
            "matches anything",
            "write what the claim has to be, or leave the claim out",
        ))
    } else if text.value.len() > LONGEST {
        Some(("is too long", "use at most 1,024 bytes"))
    } else {
        None
    };
    if let Some((what, next)) = fault {
        report.add(
            text.place,
            format!("the pattern `{}` {what}", shown(text.value)),
            next,
        );
    }
    Some(text.value.to_owned())
}
