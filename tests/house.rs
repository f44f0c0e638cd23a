//! The laws of the house that the compiler can't hold: what a crate may not name, and how big a file may be. It
//! reads the text under `src/`, so a fault has its file and line. Which crate may import which is in the manifests
//! (`src/*/Cargo.toml`), and the compiler holds it.

#![expect(clippy::unwrap_used, reason = "a test stops at what it can't read")]

#[path = "house/cited.rs"]
mod cited;
#[path = "house/decider.rs"]
mod decider;
#[path = "house/map.rs"]
mod map;
#[path = "house/names.rs"]
mod names;
#[cfg(unix)]
#[path = "house/packaging.rs"]
mod packaging;
#[path = "house/samples.rs"]
mod samples;
#[path = "house/text.rs"]
mod text;
#[path = "house/words.rs"]
mod words;

use std::fs;
use std::path::Path;
use text::{Text, named_path};

/// What a crate of decisions may not name, tests included: they are given time and randomness like everybody else.
const PURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime",
    "Instant",
    "rand",
    "tokio",
];

/// What is read of a file has addresses in it, and asks none.
const PURE_BUT_ADDRESSES: &[&str] = &[
    "std::fs",
    "std::env",
    "std::process",
    "SystemTime",
    "Instant",
    "rand",
    "tokio",
];

/// What is read of a provider is given the time as well. Only one task at a time fetches: it waits on tokio's lock.
const PURE_BUT_LOCKS: &[&str] = PURE.split_at(PURE.len() - 1).0;

/// Words that a crate may not name.
const BANNED: &[(&str, &[&str])] = &[
    ("model", PURE),
    ("session", PURE),
    ("policy", PURE),
    ("audit", PURE),
    ("config", PURE_BUT_ADDRESSES),
    ("oidc", PURE_BUT_LOCKS),
    ("wire", &["tokio"]),
    ("helper", &["tokio"]),
];

/// What only one system has, and where it may be named. Elsewhere it would keep the others from building.
const SYSTEM: &[&str] = &["rustix", "nix", "libc", "windows_sys", "windows"];
const SYSTEM_PARTS: &[&str] = &["unix", "fd", "linux", "macos", "windows"];
const SYSTEM_FILES: &[&str] = &[
    "src/host/",
    "src/wire/host.rs",
    "src/wire/socket_path.rs",
    "src/wire/client.rs",
    "src/wire/start.rs",
    // The git helper's half of the socket.
    "src/wire/stream.rs",
    "src/wire/until.rs",
    // Signals of the child of `oam exec`.
    "src/cli/system.rs",
    // Whose a connection of the gateway is: Linux alone tells; elsewhere the capability decides.
    "src/gateway/peer.rs",
    "src/gateway/peer/socket.rs",
    // Whether a file with a secret is private.
    "src/issuer/place.rs",
    "src/http/proxy.rs",
    // The clock that counts suspend, the kernel's random numbers.
    "src/system/clock.rs",
    // Hardening and signals.
    "src/system/process.rs",
    // Open files and readiness of the issuer.
    "src/issuer/process.rs",
    // Whether a file is still the one that was read: its inode.
    "src/issuer/files.rs",
    // A private key of the tests is private.
    "src/issuer/fixture.rs",
    // Mode and identity of the database.
    "src/store/sqlite/file.rs",
];

/// Where output is written. Everything else is given a writer.
const PRINTERS: &[&str] = &["src/terminal/show.rs", "src/demo/"];

/// Names that say nothing about what is inside.
const VAGUE: &[&str] = &[
    "util", "utils", "common", "manager", "managers", "helper", "helpers",
];

const FILE_LINES: usize = 400;
const BIN_LINES: usize = 20;

/// All faults of one file; `path` is relative to the package, with `/`.
fn faults(path: &str, source: &str) -> Vec<String> {
    let text = Text::read(path, source);
    let mut found = Vec::new();
    let mut say = |line: usize, what: String| found.push(format!("{path}:{line}: {what}"));
    let lines = source.lines().count();
    if lines > FILE_LINES {
        say(
            lines,
            format!("{lines} lines: a file is one idea, at most {FILE_LINES} lines"),
        );
    }
    for (line, name) in text.modules() {
        if VAGUE.contains(&name.as_str()) {
            say(line, format!("module `{name}`: name it after what it does"));
        }
    }
    for word in text.words().filter(|word| word.is("unsafe")) {
        say(
            word.line,
            "`unsafe`: no file of this package needs it".to_owned(),
        );
    }
    let Some(krate) = crate_of(path) else {
        say(
            1,
            "a file of `src/` belongs to a crate, `src/NAME/`".to_owned(),
        );
        return found;
    };
    if path.ends_with("/main.rs") && text.code_lines() > BIN_LINES {
        say(
            1,
            format!("a program is at most {BIN_LINES} lines: arguments, one call, exit code"),
        );
    }
    if !allowed(PRINTERS, path) {
        for (line, name) in text.prints() {
            say(line, format!("`{name}!`: only {PRINTERS:?} print"));
        }
    }
    found.extend(faults_of_paths(path, krate, &text));
    found
}

fn faults_of_paths(path: &str, krate: &str, text: &Text) -> Vec<String> {
    let banned = BANNED
        .iter()
        .find(|(name, _)| *name == krate)
        .map_or(&[][..], |row| row.1);
    let mut found = Vec::new();
    for used in text.paths() {
        let mut say = |what: String| found.push(format!("{path}:{}: {what}", used.line));
        if used.hides_root() {
            say(format!(
                "`{}`: no other name for a root, it hides what is used",
                used.join()
            ));
        }
        if let Some(word) = banned.iter().find(|word| named_path(&used, word)) {
            say(format!(
                "`{krate}` may not name `{word}`; it is an argument, or belongs to `host`"
            ));
        }
        let system =
            SYSTEM.iter().any(|krate| used.leads_into(krate)) || used.has_pair("os", SYSTEM_PARTS);
        if system && !used.in_test && !allowed(SYSTEM_FILES, path) {
            say(format!(
                "`{}`: what one system has belongs to {SYSTEM_FILES:?}",
                used.join()
            ));
        }
    }
    found.sort();
    found.dedup();
    found
}

/// The crate of a file: its folder below `src/`.
fn crate_of(path: &str) -> Option<&str> {
    Some(path.strip_prefix("src/")?.split_once('/')?.0)
}

fn allowed(places: &[&str], path: &str) -> bool {
    places.iter().any(|place| {
        if place.ends_with('/') {
            path.starts_with(place)
        } else {
            path == *place
        }
    })
}

fn collect(folder: &Path, under: &str, into: &mut Vec<(String, String)>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = format!("{under}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            collect(&entry.path(), &name, into);
        } else if entry
            .path()
            .extension()
            .is_some_and(|ending| ending == "rs")
        {
            into.push((name, fs::read_to_string(entry.path()).unwrap()));
        }
    }
}

#[test]
fn the_house_stands() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let mut files = Vec::new();
    collect(&Path::new(&root).join("src"), "src", &mut files);
    assert!(files.len() > 10, "looked in the wrong place");
    let mut found: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| faults(path, text))
        .collect();
    found.sort();
    assert!(
        found.is_empty(),
        "{} faults:\n{}",
        found.len(),
        found.join("\n")
    );
}

/// Every sample breaks one law. Without these the test above would also be green if it saw nothing.
#[test]
fn a_bad_sample_of_each_law_is_caught() {
    for (path, source, expected) in samples::BAD {
        let found = faults(path, source);
        assert!(
            found.iter().any(|fault| fault.contains(expected)),
            "{path} {source:?}: {found:?}"
        );
    }
}

#[test]
fn a_good_sample_is_left_alone() {
    for (path, source) in samples::GOOD {
        assert_eq!(
            faults(path, source),
            Vec::<String>::new(),
            "{path} {source:?}"
        );
    }
}

#[test]
fn a_file_or_program_that_is_too_long_is_caught() {
    let long = "// x\n".repeat(FILE_LINES + 1);
    let program = format!("fn main() {{\n{}}}\n", "    go();\n".repeat(BIN_LINES));
    assert!(faults("src/host/a.rs", &long)[0].contains("401 lines"));
    assert!(faults("src/cli/main.rs", &program)[0].contains("at most 20 lines"));
}
