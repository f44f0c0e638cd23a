//! Samples for the check itself: without them it would also be green if it saw nothing.

/// Path, text, and a part of the fault that must be found. Each breaks one law.
pub const BAD: &[(&str, &str, &str)] = &[
    (
        "src/model/a.rs",
        "use crate::rules::role;",
        "`model` imports `rules`",
    ),
    (
        "src/wire/a.rs",
        "use crate::{model::ask, agent::state::State};",
        "`wire` imports `agent`",
    ),
    (
        "src/config/a.rs",
        "fn f() { crate :: rules :: go() }",
        "`config` imports `rules`",
    ),
    (
        "src/rules/a.rs",
        "use super::super::config::agent;",
        "`rules` imports `config`",
    ),
    (
        "src/rules/mod.rs",
        "use super::wire::frame;",
        "`rules` imports `wire`",
    ),
    (
        "src/agent/a.rs",
        "mod tests { use super::super::super::edge::x; }",
        "`agent` imports `edge`",
    ),
    (
        "src/agent/b.rs",
        "use oam::cli::show;",
        "`agent` imports `cli`",
    ),
    (
        "src/front/a.rs",
        "use crate::config::agent;",
        "`front` imports `config`",
    ),
    (
        "src/cli/a.rs",
        "pub use crate::edge::socket;",
        "`cli` imports `edge`",
    ),
    (
        "src/edge/a.rs",
        "use crate::issuer::keys;",
        "`edge` imports `issuer`",
    ),
    ("src/edge/b.rs", "use crate::*;", "name the room"),
    (
        "src/edge/c.rs",
        "use crate::{self as house};",
        "name the room",
    ),
    ("src/edge/d.rs", "use crate as house;", "hides the arrow"),
    (
        "src/model/b.rs",
        "use std::{fmt, fs::File};",
        "may not name `std::fs`",
    ),
    (
        "src/model/c.rs",
        "fn f() { ::std::env::var(\"X\"); }",
        "may not name `std::env`",
    ),
    ("src/model/d.rs", "use std as s;", "hides the arrow"),
    ("src/rules/b.rs", "use std::time::Instant;", "may not name"),
    (
        "src/rules/c.rs",
        "fn f(now: SystemTime) {}",
        "may not name `SystemTime`",
    ),
    (
        "src/rules/d.rs",
        "fn f() -> u8 { rand::random() }",
        "may not name `rand`",
    ),
    (
        "src/rules/e.rs",
        "#[cfg(test)] mod tests { use std::process; }",
        "may not name `std::process`",
    ),
    (
        "src/front/b.rs",
        "#[tokio::main] async fn main() {}",
        "may not name `tokio`",
    ),
    (
        "src/cli/b.rs",
        "use std::os::unix::fs::PermissionsExt;",
        "what one system has",
    ),
    (
        "src/front/c.rs",
        "use interprocess::os::{unix, windows};",
        "what one system has",
    ),
    (
        "src/wire/frame.rs",
        "fn f() { rustix::process::getuid(); }",
        "what one system has",
    ),
    ("src/cli/c.rs", "fn f() { println!(\"x\") }", "`println!`"),
    ("src/edge/e.rs", "fn f() { eprint ! (\"x\") }", "`eprint!`"),
    ("src/edge/f.rs", "fn f() { unsafe { g() } }", "`unsafe`"),
    ("src/edge/g.rs", "mod util;", "module `util`"),
    ("src/edge/helpers.rs", "", "module `helpers`"),
    ("src/common/mod.rs", "", "module `common`"),
    ("src/attic/mod.rs", "", "not on the plan"),
    ("src/lib.rs", "pub mod attic;", "not on the plan"),
    (
        "src/lib.rs",
        "pub mod model; pub fn f() {}",
        "the list of rooms",
    ),
];

/// Path and text in which nothing may be found.
pub const GOOD: &[(&str, &str)] = &[
    (
        "src/cli/a.rs",
        "#[cfg(windows)] fn f(a: &[u8]) { a.windows(2); }",
    ),
    (
        "src/model/a.rs",
        "//! Not `crate::edge`.\n/* std::fs /* tokio */ */ const A: &str = \"std::fs tokio\";",
    ),
    (
        "src/model/b.rs",
        "const A: &str = r#\"crate::edge \"unsafe\" \"#; fn f<'a>(c: char) { let _ = ('\"', b'\"'); }",
    ),
    (
        "src/rules/a.rs",
        "use super::role; use crate::model::{ask::Ask, time}; use std::time::Duration;",
    ),
    (
        "src/rules/b.rs",
        "mod tests { use super::super::role; } fn f(random: u64, instant: u64) {}",
    ),
    (
        "src/front/a.rs",
        "use std::io::Write; fn f(out: &mut dyn Write) { let _ = writeln!(out, \"x\"); }",
    ),
    ("src/wire/place.rs", "use std::os::unix::fs::MetadataExt;"),
    (
        "src/wire/frame.rs",
        "#[cfg(test)] mod tests { use std::os::unix::net::UnixStream; #[test] fn a() { println!(); } }",
    ),
    (
        "src/demo/tour.rs",
        "use crate::cli::show; fn f() { println!(\"x\") }",
    ),
    (
        "src/bin/oam.rs",
        "fn main() -> std::process::ExitCode { oam::cli::main() }",
    ),
    (
        "src/lib.rs",
        "//! List.\n#![deny(unsafe_code)]\n#[cfg(feature = \"x\")]\npub mod model;",
    ),
];
