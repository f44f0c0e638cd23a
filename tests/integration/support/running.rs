//! Programs that are left running while the test goes on.

use super::World;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Stdio};

/// One line that a running program prints.
pub fn read_line(child: &mut Child) -> String {
    let stdout = child.stdout.as_mut().expect("its output is ours");
    let mut line = Vec::new();
    let mut byte = [0];
    // Byte by byte: a buffer would swallow what comes after the line.
    while stdout.read(&mut byte).unwrap_or(0) == 1 && byte != *b"\n" {
        line.push(byte[0]);
    }
    String::from_utf8_lossy(&line).into_owned()
}

/// A child of `oam exec` that runs until its stdin is closed.
pub fn child_that_waits(world: &World) -> Child {
    let mut child = world
        .oam_command(&["exec", "--repo", "acme/model", "--hub", "hub", "--"])
        .args(["sh", "-c", "echo \"$HF_TOKEN_PATH\"; cat >/dev/null"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("oam starts");
    let path = read_line(&mut child);
    assert!(Path::new(&path).exists(), "a token file at {path}");
    child
}
