//! Samples for the check itself: without them it would also be green if it saw nothing.

/// Path, text, and a part of the fault that must be found. Each breaks one law.
pub const BAD: &[(&str, &str, &str)] = &[
    ("src/host/d.rs", "use crate as house;", "hides what is used"),
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
    ("src/model/d.rs", "use std as s;", "hides what is used"),
    ("src/policy/b.rs", "use std::time::Instant;", "may not name"),
    (
        "src/policy/c.rs",
        "fn f(now: SystemTime) {}",
        "may not name `SystemTime`",
    ),
    (
        "src/policy/d.rs",
        "fn f() -> u8 { rand::random() }",
        "may not name `rand`",
    ),
    (
        "src/policy/e.rs",
        "#[cfg(test)] mod tests { use std::process; }",
        "may not name `std::process`",
    ),
    (
        "src/helper/b.rs",
        "#[tokio::main] async fn main() {}",
        "may not name `tokio`",
    ),
    (
        "src/cli/b.rs",
        "use std::os::unix::fs::PermissionsExt;",
        "what one system has",
    ),
    (
        "src/helper/c.rs",
        "use interprocess::os::{unix, windows};",
        "what one system has",
    ),
    (
        "src/wire/frame.rs",
        "fn f() { rustix::process::getuid(); }",
        "what one system has",
    ),
    ("src/cli/c.rs", "fn f() { println!(\"x\") }", "`println!`"),
    ("src/host/e.rs", "fn f() { eprint ! (\"x\") }", "`eprint!`"),
    ("src/host/f.rs", "fn f() { unsafe { g() } }", "`unsafe`"),
    ("src/host/g.rs", "mod util;", "module `util`"),
    ("src/host/helpers.rs", "", "module `helpers`"),
    ("src/common/mod.rs", "", "module `common`"),
    ("src/attic.rs", "", "belongs to a crate"),
];

/// Path and text in which nothing may be found.
pub const GOOD: &[(&str, &str)] = &[
    (
        "src/cli/a.rs",
        "#[cfg(windows)] fn f(a: &[u8]) { a.windows(2); }",
    ),
    (
        "src/model/a.rs",
        "//! Not `oam_host`.\n/* std::fs /* tokio */ */ const A: &str = \"std::fs tokio\";",
    ),
    (
        "src/model/b.rs",
        "const A: &str = r#\"oam_host \"unsafe\" \"#; fn f<'a>(c: char) { let _ = ('\"', b'\"'); }",
    ),
    (
        "src/policy/a.rs",
        "use super::claims; use oam_model::{ask::Ask, time}; use std::time::Duration;",
    ),
    (
        "src/policy/b.rs",
        "mod tests { use super::super::claims; } fn f(random: u64, instant: u64) {}",
    ),
    (
        "src/helper/a.rs",
        "use std::io::Write; fn f(out: &mut dyn Write) { let _ = writeln!(out, \"x\"); }",
    ),
    (
        "src/wire/socket_path.rs",
        "use std::os::unix::fs::MetadataExt;",
    ),
    (
        "src/wire/frame.rs",
        "#[cfg(test)] mod tests { use std::os::unix::net::UnixStream; #[test] fn a() { println!(); } }",
    ),
    (
        "src/demo/scenario.rs",
        "use oam_cli::show; fn f() { println!(\"x\") }",
    ),
    (
        "src/cli/main.rs",
        "fn main() -> std::process::ExitCode { oam_cli::main() }",
    ),
];
