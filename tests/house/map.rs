//! `src/README.md` is true: its table says what the manifests say, and what it names as `crate::file::item` is there.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

const KINDS: &[&str] = &["fn", "struct", "enum", "trait", "const"];

/// The pieces of inline code of a line.
fn codes(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether `text` defines `name`.
fn defines(text: &str, name: &str) -> bool {
    KINDS.iter().any(|kind| {
        let start = format!("{kind} {name}");
        let mut found = text.match_indices(&start);
        found.any(|(at, _)| {
            let next = text[at + start.len()..].chars().next();
            next.is_some_and(|c| !c.is_alphanumeric() && c != '_')
        })
    })
}

/// What is wrong with `crate::file::item`; none: it is there, or it is no such name.
fn fault(root: &Path, name: &str) -> Option<String> {
    let parts: Vec<&str> = name.split("::").collect();
    let [krate, module @ .., item] = parts.as_slice() else {
        return None;
    };
    let folder = root.join("src").join(krate);
    let module = module.join("/");
    let files = [
        folder.join(format!("{module}.rs")),
        folder.join(module).join("mod.rs"),
    ];
    let Some(text) = files.iter().find_map(|file| fs::read_to_string(file).ok()) else {
        return Some(format!("{name}: no file of this name"));
    };
    (!defines(&text, item)).then(|| format!("{name}: the file has no {item}"))
}

fn faults(root: &Path, page: &str) -> Vec<String> {
    page.lines()
        .flat_map(codes)
        .filter(|code| code.contains("::"))
        .filter_map(|name| fault(root, name))
        .collect()
}

/// The third column of the table of crates.
fn drawn(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    page.lines()
        .filter(|line| line.starts_with("| `"))
        .filter_map(|line| {
            let columns: Vec<&str> = line.split('|').collect();
            let name = codes(columns.get(1)?).next()?.to_owned();
            let uses = codes(columns.get(3)?).map(str::to_owned).collect();
            Some((name, uses))
        })
        .collect()
}

/// What the manifests allow, tests left aside.
fn allowed(root: &Path) -> BTreeMap<String, BTreeSet<String>> {
    let mut all = BTreeMap::new();
    for entry in fs::read_dir(root.join("src")).unwrap() {
        let entry = entry.unwrap();
        let Ok(manifest) = fs::read_to_string(entry.path().join("Cargo.toml")) else {
            continue;
        };
        let manifest: toml::Table = manifest.parse().unwrap();
        let tables = std::iter::once(&manifest).chain(
            manifest
                .get("target")
                .and_then(toml::Value::as_table)
                .into_iter()
                .flat_map(|targets| targets.values().filter_map(toml::Value::as_table)),
        );
        let uses = tables
            .filter_map(|table| table.get("dependencies")?.as_table())
            .flat_map(toml::Table::keys)
            .filter_map(|name| name.strip_prefix("oam-").map(str::to_owned))
            .collect();
        all.insert(entry.file_name().to_str().unwrap().to_owned(), uses);
    }
    all
}

fn root() -> std::path::PathBuf {
    std::env::var("CARGO_MANIFEST_DIR").unwrap().into()
}

fn page() -> String {
    fs::read_to_string(root().join("src/README.md")).unwrap()
}

#[test]
fn every_step_of_the_walks_through_the_source_is_there() {
    let page = page();
    let names = page
        .lines()
        .flat_map(codes)
        .filter(|code| code.contains("::"));
    assert!(names.count() > 60, "looked in the wrong place");
    let found = faults(&root(), &page);
    assert!(found.is_empty(), "src/README.md:\n{}", found.join("\n"));
}

#[test]
fn the_table_of_crates_says_what_their_manifests_say() {
    assert_eq!(drawn(&page()), allowed(&root()));
}

#[test]
fn a_step_that_is_not_there_is_caught() {
    let page =
        "1. `helper::git::get`, `helper::git::nothing`; `helper::none::get`, `gone::git::get`";
    assert_eq!(
        faults(&root(), page),
        [
            "helper::git::nothing: the file has no nothing",
            "helper::none::get: no file of this name",
            "gone::git::get: no file of this name",
        ]
    );
    assert!(!defines("fn getter() {}", "get") && defines("fn get<T>() {}", "get"));
}
