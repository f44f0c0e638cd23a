//! Conditions on claims.

use crate::claims::{Claims, read};
use serde_json::Value;
use std::collections::BTreeMap;

/// Whether every condition holds.
pub fn hold(conditions: &BTreeMap<String, Vec<String>>, claims: &Claims) -> bool {
    conditions
        .iter()
        .all(|(name, patterns)| holds(name, patterns, claims))
}

/// Whether the claim `name` matches one of `patterns`. A claim that is not there matches nothing.
pub fn holds(name: &str, patterns: &[String], claims: &Claims) -> bool {
    read::fits(find(name, claims), patterns)
}

/// The claim `name`: as it stands, else into tables at its dots.
pub fn find<'c>(name: &str, claims: &'c Claims) -> Option<&'c Value> {
    read::find(name, |key| claims.get(key))
}

#[cfg(test)]
mod tests {
    use super::{Claims, holds};
    use serde_json::{Value, json};

    fn claims(value: Value) -> Claims {
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
