//! Conditions on claims.

use crate::rules::pattern;
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Whether every condition holds.
pub fn hold(conditions: &BTreeMap<String, Vec<String>>, claims: &BTreeMap<String, Value>) -> bool {
    conditions
        .iter()
        .all(|(name, patterns)| holds(name, patterns, claims))
}

/// Whether the claim `name` matches one of `patterns`. A claim that is not there matches nothing.
pub fn holds(name: &str, patterns: &[String], claims: &BTreeMap<String, Value>) -> bool {
    find(name, claims).is_some_and(|value| matches(value, patterns))
}

/// The claim `name`: as it stands, else into tables at its dots. The longest name that is there wins at each
/// level, so `kubernetes.io.namespace` finds `{"kubernetes.io": {"namespace": …}}`.
pub fn find<'c>(name: &str, claims: &'c BTreeMap<String, Value>) -> Option<&'c Value> {
    split(name, &|key| claims.get(key))
}

fn within<'c>(name: &str, table: &'c Map<String, Value>) -> Option<&'c Value> {
    split(name, &|key| table.get(key))
}

fn split<'c>(name: &str, get: &dyn Fn(&str) -> Option<&'c Value>) -> Option<&'c Value> {
    if let Some(value) = get(name) {
        return Some(value);
    }
    // Each level takes at least one dot away, and the names come from our own policy.
    name.rmatch_indices('.').find_map(|(at, _)| {
        let table = get(&name[..at])?.as_object()?;
        within(&name[at + 1..], table)
    })
}

fn matches(value: &Value, patterns: &[String]) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| one(item, patterns)),
        value => one(value, patterns),
    }
}

/// One value against the patterns. Numbers and booleans by their JSON text; tables, lists in lists and null
/// match nothing.
fn one(value: &Value, patterns: &[String]) -> bool {
    let fits = |text: &str| patterns.iter().any(|p| pattern::matches(p, text));
    match value {
        Value::String(text) => fits(text),
        Value::Number(number) => fits(&number.to_string()),
        Value::Bool(yes) => fits(if *yes { "true" } else { "false" }),
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::holds;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;

    fn claims(value: Value) -> BTreeMap<String, Value> {
        serde_json::from_value(value).unwrap()
    }

    fn fits(name: &str, pattern: &str, value: Value) -> bool {
        holds(name, &[pattern.to_owned()], &claims(value))
    }

    #[test]
    fn a_pattern_matches_a_claim_whole() {
        let sub = json!({"sub": "repo:acme/model:ref:refs/heads/main"});
        assert!(fits("sub", "repo:acme/model:ref:refs/heads/*", sub.clone()));
        assert!(fits("sub", "repo:acme/**", sub.clone()));
        assert!(
            !fits("sub", "repo:acme/*", sub.clone()),
            "`*` stays in its segment"
        );
        assert!(
            !fits("sub", "repo:acme/model", sub),
            "a beginning is not the whole"
        );
        assert!(
            !fits("other", "**", json!({"sub": "x"})),
            "a missing claim matches nothing"
        );
    }

    #[test]
    fn numbers_and_booleans_are_compared_by_their_text() {
        assert!(fits("id", "42", json!({"id": 42})));
        assert!(fits("id", "42", json!({"id": "42"})));
        assert!(!fits("id", "42", json!({"id": 42.5})));
        assert!(fits("on", "true", json!({"on": true})));
        assert!(!fits("on", "true", json!({"on": null})));
    }

    #[test]
    fn a_list_matches_by_any_of_its_items_but_not_by_lists_within() {
        assert!(fits("roles", "ml-*", json!({"roles": ["x", "ml-a"]})));
        assert!(!fits("roles", "ml-*", json!({"roles": ["x"]})));
        assert!(!fits("roles", "ml-*", json!({"roles": []})));
        assert!(!fits("roles", "ml-*", json!({"roles": [["ml-a"]]})));
    }

    #[test]
    fn a_name_with_dots_is_taken_literally_first_and_then_as_a_path() {
        let pod = json!({"kubernetes.io": {"namespace": "ml", "pod": {"name": "p"}}});
        assert!(fits("kubernetes.io.namespace", "ml", pod.clone()));
        assert!(fits("kubernetes.io.pod.name", "p", pod.clone()));
        assert!(!fits("kubernetes.io.pod", "**", pod));
        let both = json!({"a.b": "literal", "a": {"b": "path"}});
        assert!(fits("a.b", "literal", both.clone()));
        assert!(!fits("a.b", "path", both));
    }
}
