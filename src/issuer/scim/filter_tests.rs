//! Paths and filters against models of them: what is written is what is read, in every way that directories write it.

use super::filter::{Comparison, Path, filter, path};
use super::user::UserDocument;
use oam_store::DirectoryUser;
use proptest::prelude::*;
use serde_json::{Value, json};

const SCHEMA: &str = "urn:ietf:params:scim:schemas:core:2.0:User:";

/// A name in lower case, as it is read.
fn name() -> impl Strategy<Value = String> {
    "[a-z][a-z0-9_]{0,7}".prop_filter("a word of filters", |name| {
        !matches!(
            name.as_str(),
            "and" | "or" | "not" | "eq" | "pr" | "true" | "false"
        )
    })
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "\\PC{0,12}".prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i32>().prop_map(Value::from),
        1 => Just(Value::Null),
    ]
}

/// How a directory writes: capital letters, blanks, the schema before the name.
#[derive(Debug, Clone, Copy)]
struct Hand {
    capitals: bool,
    wide: bool,
    schema: bool,
}

impl Hand {
    fn word(self, word: &str) -> String {
        if self.capitals {
            word.to_ascii_uppercase()
        } else {
            word.to_owned()
        }
    }

    const fn blank(self) -> &'static str {
        if self.wide { "   " } else { " " }
    }

    fn attribute(self, name: &str) -> String {
        let schema = if self.schema { SCHEMA } else { "" };
        format!("{schema}{}", self.word(name))
    }

    fn comparisons(self, all: &[(String, Value)]) -> String {
        let gap = self.blank();
        let one = |(name, value): &(String, Value)| {
            format!("{}{gap}{}{gap}{value}", self.word(name), self.word("eq"))
        };
        let all: Vec<String> = all.iter().map(one).collect();
        all.join(&format!("{gap}{}{gap}", self.word("and")))
    }
}

fn hand() -> impl Strategy<Value = Hand> {
    (any::<bool>(), any::<bool>(), any::<bool>()).prop_map(|(capitals, wide, schema)| Hand {
        capitals,
        wide,
        schema,
    })
}

fn wanted(all: &[(String, Value)]) -> Vec<Comparison> {
    let one = |(name, value): &(String, Value)| Comparison {
        name: name.clone(),
        value: value.clone(),
    };
    all.iter().map(one).collect()
}

/// Somebody with these addresses, each with its type.
fn user(emails: &[(String, String)]) -> DirectoryUser {
    let emails: Vec<Value> = emails
        .iter()
        .map(|(kind, value)| json!({ "type": kind, "value": value }))
        .collect();
    DirectoryUser {
        attributes: json!({ "emails": emails }).to_string(),
        ..super::tests::user(true)
    }
}

/// Addresses with their types, no two the same.
fn addresses() -> impl Strategy<Value = Vec<(String, String)>> {
    let kind = prop_oneof![Just("work"), Just("home"), Just("other")];
    let all = prop::collection::btree_map("[a-d]@x", kind, 1..5);
    all.prop_map(|all| {
        let all = all.into_iter();
        all.map(|(value, kind)| (kind.to_owned(), value)).collect()
    })
}

/// The addresses after this operation, sorted; none: it was refused.
fn after(before: &[(String, String)], operation: &Value) -> Option<Vec<(String, String)>> {
    let user = user(before);
    let body = json!({ "Operations": [operation] });
    let read = UserDocument::patched(&user, body).ok()?;
    let after = read.record(&user, &super::tests::SETTINGS).ok()?;
    let after: Value = serde_json::from_str(&after.attributes).unwrap();
    let text = |one: &Value, part: &str| one[part].as_str().unwrap_or_default().to_owned();
    let all = after["emails"].as_array().cloned().unwrap_or_default();
    let mut all: Vec<_> = all
        .iter()
        .map(|one| (text(one, "type"), text(one, "value")))
        .collect();
    all.sort();
    Some(all)
}

proptest! {
    #[test]
    fn a_filter_is_read_as_it_is_meant_in_every_hand(
        all in prop::collection::vec((name(), value()), 1..5), hand in hand(),
    ) {
        let text = hand.comparisons(&all);
        prop_assert_eq!(filter(&text).unwrap(), wanted(&all), "{}", text);
    }

    #[test]
    fn a_path_is_read_as_it_is_meant_in_every_hand(
        attribute in name(), only in prop::collection::vec((name(), value()), 0..4),
        part in prop::option::of(name()), hand in hand(),
    ) {
        let only_text = if only.is_empty() {
            String::new()
        } else {
            format!("[{}]", hand.comparisons(&only))
        };
        let part_text = part.as_ref().map_or_else(String::new, |part| format!(".{}", hand.word(part)));
        let text = format!("{}{only_text}{part_text}", hand.attribute(&attribute));
        let wanted = Path { attribute: Some(attribute), only: wanted(&only), part };
        prop_assert_eq!(path(&text).unwrap(), wanted, "{}", text);
    }

    #[test]
    fn what_is_cut_or_has_noise_in_it_is_refused_or_means_no_less(
        all in prop::collection::vec((name(), value()), 1..4), hand in hand(),
        at in any::<prop::sample::Index>(), noise in "[\\[\\]().\" a-z\\\\\u{e9}]{0,4}",
    ) {
        let text = hand.comparisons(&all);
        let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        let (head, tail) = text.split_at(places[at.index(places.len())]);
        // Never a panic; and a filter that lost what it compares with is no filter that finds everybody.
        for broken in [head.to_owned(), tail.to_owned(), format!("{head}{noise}{tail}")] {
            for read in [filter(&broken), path(&broken).map(|path| path.only)] {
                if let Err(fault) = read {
                    prop_assert_eq!(fault.status, 400);
                    prop_assert!(matches!(fault.kind, Some("invalidFilter" | "invalidPath")), "{:?}", fault);
                }
            }
            prop_assert!(filter(&broken).is_ok_and(|all| !all.is_empty()) || filter(&broken).is_err());
        }
    }

    #[test]
    fn nothing_that_is_written_breaks_the_reader(text in "\\PC{0,64}") {
        let _ = (filter(&text), path(&text), path(&format!("members[{text}]")));
    }

    #[test]
    fn a_filtered_path_changes_the_values_that_it_names_and_no_other(
        before in addresses(), at in any::<prop::sample::Index>(), hand in hand(),
    ) {
        let (kind, value) = &before[at.index(before.len())];
        let only = hand.comparisons(&[("value".to_owned(), json!(value)), ("type".to_owned(), json!(kind))]);
        let emails = format!("{}[{only}]", hand.attribute("emails"));
        let others = || before.iter().filter(|one| one.1 != *value).cloned();
        let mut wanted: Vec<_> = others().collect();
        wanted.sort();
        let removed = json!({ "op": hand.word("remove"), "path": emails });
        prop_assert_eq!(after(&before, &removed), Some(wanted.clone()));
        wanted.push((kind.clone(), "new@x".to_owned()));
        wanted.sort();
        let path = format!("{emails}.{}", hand.word("value"));
        let replaced = json!({ "op": hand.word("replace"), "path": path, "value": "new@x" });
        prop_assert_eq!(after(&before, &replaced), Some(wanted));
        // What fits nobody removes nobody.
        let nobody = hand.comparisons(&[("value".to_owned(), json!("nobody@x"))]);
        let path = format!("{}[{nobody}]", hand.attribute("emails"));
        let mut same = before.clone();
        same.sort();
        prop_assert_eq!(after(&before, &json!({ "op": "remove", "path": path })), Some(same));
    }
}
