//! A type's name says which type it is: two public types of the source don't share one. Whoever searches for a name
//! then finds one thing, and an import needs no second name.

use super::collect;
use super::text::Text;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Names that more than one crate needs, each with the reason.
const SHARED: &[(&str, &str)] = &[
    ("Cli", "clap's root, one in each program"),
    ("Command", "clap's commands, one in each program"),
    ("ConfigArgs", "both programs have the command `config`"),
    ("ConfigWhat", "both programs have the command `config`"),
    (
        "WhyArgs",
        "`oam why` and `oam-issuer policy why` are the same word",
    ),
];

const KINDS: &[&str] = &["struct", "enum", "trait", "type", "union"];

/// Modules that are compiled for tests alone, though nothing in the file says so.
const OF_TESTS: &[&str] = &["tests", "properties", "fixture", "stand_in", "stories"];

fn is_of_tests(path: &str) -> bool {
    let parts = path.trim_end_matches(".rs").split('/');
    parts
        .into_iter()
        .any(|part| OF_TESTS.contains(&part) || part.ends_with("_tests"))
}

/// The public types of a file. One that each operating system has of its own counts once.
fn public_types(path: &str, source: &str) -> BTreeSet<String> {
    let text = Text::read(path, source);
    let words: Vec<_> = text.words().filter(|word| !word.in_test).collect();
    let mut found = BTreeSet::new();
    for at in 0..words.len() {
        if !words[at].is("pub") {
            continue;
        }
        let mut next = at + 1;
        if words.get(next).is_some_and(|word| word.is("(")) {
            let closing = words[next..].iter().position(|word| word.is(")"));
            next += closing.map_or(0, |length| length + 1);
        }
        let (Some(kind), Some(name)) = (words.get(next), words.get(next + 1)) else {
            continue;
        };
        if KINDS.contains(&kind.text.as_str()) {
            found.insert(name.text.clone());
        }
    }
    found
}

/// Names with the files that each give them to a type, where these are more than one.
fn shared(files: &[(String, String)]) -> BTreeMap<String, Vec<&str>> {
    let mut places: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (path, source) in files.iter().filter(|(path, _)| !is_of_tests(path)) {
        for name in public_types(path, source) {
            places.entry(name).or_default().push(path);
        }
    }
    places.retain(|_, files| files.len() > 1);
    places
}

#[test]
fn two_public_types_share_a_name_only_where_a_reason_is_given() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let mut files = Vec::new();
    collect(&Path::new(&root).join("src"), "src", &mut files);
    let mut shared = shared(&files);
    for (name, why) in SHARED {
        assert!(
            shared.remove(*name).is_some(),
            "{name} ({why}) is shared no more: take it off the list"
        );
    }
    assert!(shared.is_empty(), "one name, two types: {shared:#?}");
}

#[test]
fn a_name_that_two_types_share_is_caught() {
    let file = |path: &str, text: &str| (path.to_owned(), text.to_owned());
    let files = [
        file("src/a/one.rs", "pub struct Same; pub enum Own {}"),
        file("src/b/two.rs", "pub(crate) trait Same {} struct Own;"),
        file("src/b/tests.rs", "pub struct Own;"),
        file(
            "src/b/three.rs",
            "#[cfg(test)] mod tests { pub struct Own; } // pub enum Own {}",
        ),
    ];
    let found = shared(&files);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["Same"]);
    assert_eq!(found["Same"], ["src/a/one.rs", "src/b/two.rs"]);
}
