//! The session machine is asked in one place. Whoever asked it besides would decide on a state whose last decision is
//! not carried out yet.

use super::collect;
use std::path::Path;

/// The one place.
const PLACE: &str = "src/agent/org_session.rs";

/// How often a file asks, its tests aside.
fn asks(source: &str) -> usize {
    let code = source.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = code.lines().map(str::trim);
    let code: String = lines.filter(|line| !line.starts_with("//")).collect();
    code.matches("machine.step(").count()
}

#[test]
fn the_session_machine_is_asked_in_one_place() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let mut files = Vec::new();
    collect(&Path::new(&root).join("src/agent"), "src/agent", &mut files);
    files.retain(|(path, _)| !path.contains("/tests"));
    let found: Vec<(&str, usize)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), asks(text)))
        .filter(|(_, asks)| *asks > 0)
        .collect();
    assert_eq!(found, [(PLACE, 1)]);
}

#[test]
fn a_call_is_seen_over_a_line_break_and_not_in_a_comment_or_a_test() {
    let source = "// machine.step(\nself.machine\n    .step(event);\n#[cfg(test)]\nmachine.step(x)";
    assert_eq!(asks(source), 1);
}
