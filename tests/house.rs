//! The laws of the house that the compiler can't hold: which room may import which, what a room may not
//! name, and how big a file may be. It reads the text under `src/`, so a wrong arrow fails with file and line.
//!
//! A workspace of crates would let the compiler check the arrows. It is not one, because the helper's size and
//! start time are the same either way and one package is one version, one install, one place to look.

#![expect(clippy::unwrap_used, reason = "a test stops at what it can't read")]

#[path = "house/cited.rs"]
mod cited;
#[path = "house/samples.rs"]
mod samples;
#[path = "house/text.rs"]
mod text;

use std::fs;
use std::path::Path;
use text::{Text, named_path};

/// Each room and what it may import besides itself. A room knows only floors below its own.
const ROOMS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("rules", &["model"]),
    ("wire", &["model"]),
    ("config", &["model"]),
    ("front", &["model", "wire"]),
    ("agent", &["model", "rules", "config"]),
    // `rules` for the one reader of tokens, keys and claims (`jose`, `claims`), which the issuer shares.
    ("edge", &["model", "rules", "wire", "config", "agent"]),
    ("issuer", &["model", "rules", "config"]),
    // `rules` for the log's chain only: its check must not depend on the agent that wrote it.
    ("cli", &["model", "wire", "config", "front", "rules"]),
    (
        "demo",
        &[
            "model", "rules", "wire", "config", "front", "agent", "edge", "issuer", "cli",
        ],
    ),
    (
        "bin",
        &[
            "model", "rules", "wire", "config", "front", "agent", "edge", "issuer", "cli", "demo",
        ],
    ),
];

/// What a pure room may not name, tests included: they are given time and randomness like everybody else.
const PURE: &[&str] = &[
    "std::fs",
    "std::net",
    "std::env",
    "std::process",
    "std::time::SystemTime",
    "std::time::Instant",
    "SystemTime",
    "Instant",
    "tokio",
    "rand",
];

/// Words that a room may not name.
const BANNED: &[(&str, &[&str])] = &[
    ("model", PURE),
    ("rules", PURE),
    ("wire", &["tokio"]),
    ("front", &["tokio"]),
];

/// What only one system has, and where it may be named. Elsewhere it would keep the others from building.
const SYSTEM: &[&str] = &["rustix", "nix", "libc", "windows_sys", "windows"];
const SYSTEM_PARTS: &[&str] = &["unix", "fd", "linux", "macos", "windows"];
const SYSTEM_FILES: &[&str] = &[
    "src/edge/",
    "src/wire/host.rs",
    "src/wire/place.rs",
    "src/wire/client.rs",
    "src/wire/start.rs",
    // The git helper's half of the socket: it is built without `edge`.
    "src/wire/stream.rs",
    "src/wire/until.rs",
    // Signals of the child of `oam exec`: this room may not import `edge`.
    "src/cli/system.rs",
    // Whether a file with a secret is private: this room may not import `edge`.
    "src/issuer/place.rs",
    // Hardening, signals, readiness of the issuer.
    "src/issuer/process.rs",
    // Whether a file is still the one that was read: its inode.
    "src/issuer/files.rs",
    // Mode and identity of the database: this room may not import `edge`.
    "src/issuer/store/sqlite/file.rs",
];

/// Where output is written. Everything else is given a writer.
const PRINTERS: &[&str] = &["src/cli/show.rs", "src/issuer/show.rs", "src/demo/"];

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
    if path == "src/lib.rs" {
        found.extend(faults_of_lib(&text));
        return found;
    }
    let Some(room) = room_of(path) else {
        say(
            1,
            "this room is not on the plan of tests/house.rs".to_owned(),
        );
        return found;
    };
    if room == "bin" && text.code_lines() > BIN_LINES {
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
    found.extend(faults_of_paths(path, room, &text));
    found
}

fn faults_of_paths(path: &str, room: &str, text: &Text) -> Vec<String> {
    let may = ROOMS
        .iter()
        .find(|(name, _)| *name == room)
        .map_or(&[][..], |row| row.1);
    let banned = BANNED
        .iter()
        .find(|(name, _)| *name == room)
        .map_or(&[][..], |row| row.1);
    let mut found = Vec::new();
    for used in text.paths() {
        let mut say = |what: String| found.push(format!("{path}:{}: {what}", used.line));
        if let Some(other) = used.room() {
            if ["*", "self"].contains(&other) {
                say(format!(
                    "`{}`: name the room, so that the arrow is seen",
                    used.join()
                ));
            } else if is_room(other) && other != room && !may.contains(&other) {
                say(format!(
                    "`{room}` imports `{other}`; it may import only {may:?}"
                ));
            }
        }
        if used.hides_root() {
            say(format!(
                "`{}`: no other name for a root, it hides the arrow",
                used.join()
            ));
        }
        if let Some(word) = banned.iter().find(|word| named_path(&used, word)) {
            say(format!(
                "`{room}` may not name `{word}`; it is an argument, or belongs to `edge`"
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

/// `lib.rs` is the list of the rooms.
fn faults_of_lib(text: &Text) -> Vec<String> {
    let mut found = Vec::new();
    for (line, name) in text.modules() {
        if !is_room(&name) {
            found.push(format!(
                "src/lib.rs:{line}: `{name}` is not on the plan of tests/house.rs"
            ));
        }
    }
    for item in [
        "fn",
        "use",
        "struct",
        "enum",
        "impl",
        "const",
        "static",
        "macro_rules",
    ] {
        if let Some(word) = text.words().find(|word| word.is(item)) {
            found.push(format!(
                "src/lib.rs:{}: `{item}`: it is the list of rooms, nothing else",
                word.line
            ));
        }
    }
    found
}

fn is_room(name: &str) -> bool {
    name != "bin" && ROOMS.iter().any(|(room, _)| *room == name)
}

fn room_of(path: &str) -> Option<&'static str> {
    let folder = path.strip_prefix("src/")?.split_once('/')?.0;
    ROOMS
        .iter()
        .map(|(room, _)| *room)
        .find(|room| *room == folder)
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
    assert!(faults("src/edge/a.rs", &long)[0].contains("401 lines"));
    assert!(faults("src/bin/oam.rs", &program)[0].contains("at most 20 lines"));
}
