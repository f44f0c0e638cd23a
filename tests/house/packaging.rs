//! The commands of packaging, which no other test runs: each says what it does, and none has a fault of grammar.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn scripts(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scripts(&path, into);
        } else if fs::read(&path).unwrap().starts_with(b"#!/") {
            into.push(path);
        }
    }
}

#[test]
fn every_command_of_packaging_can_be_read_and_says_what_it_does() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let mut all = Vec::new();
    scripts(&Path::new(&root).join("packaging"), &mut all);
    let mut commands = 0;
    for path in &all {
        let name = path.display();
        let bash = fs::read(path).unwrap().starts_with(b"#!/usr/bin/env bash");
        let shell = if bash { "bash" } else { "sh" };
        let read = Command::new(shell).arg("-n").arg(path).output().unwrap();
        assert!(read.status.success(), "{name}: {read:?}");
        // The others are run by a package manager, with words of its own.
        if bash {
            let help = Command::new("bash")
                .arg(path)
                .arg("--help")
                .output()
                .unwrap();
            let said = String::from_utf8(help.stdout).unwrap();
            let first = said.lines().next().unwrap_or_default();
            assert!(
                help.status.success() && help.stderr.is_empty(),
                "{name}: {said}"
            );
            assert!(
                first.len() > 40 && !said.contains("set -e"),
                "{name}: {said}"
            );
            commands += 1;
        }
    }
    assert!(commands >= 11, "{commands} commands in {all:?}");
}
