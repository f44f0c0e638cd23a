//! What the texts tell people to type is taken by our programs.

use oam_cli::check;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

/// The pages of `oam help`, and the README.
fn texts() -> Vec<(PathBuf, String)> {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let root = Path::new(&root);
    let pages = fs::read_dir(root.join("src/cli/help")).unwrap();
    let mut paths: Vec<PathBuf> = pages
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "md"))
        .collect();
    paths.push(root.join("README.md"));
    paths
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// The lines of the blocks of code.
fn code(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("```").skip(1).step_by(2);
    blocks.flat_map(|block| block.lines().skip(1))
}

/// Words as a shell tells them apart, as far as our texts need it: double quotes hold a word together, and a
/// comment, another command or a redirection ends the line.
fn words(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let (mut word, mut quoted, mut redirected) = (String::new(), false, false);
    for c in line.chars().chain(" ".chars()) {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => word.push(c),
            '#' if word.is_empty() => break,
            '<' | '>' => redirected = true,
            ' ' | ';' | '|' | '&' | '\'' | '(' | ')' => {
                let whole = std::mem::take(&mut word);
                if !whole.is_empty() && !redirected {
                    commands.last_mut().unwrap().push(whole);
                }
                if c != ' ' {
                    commands.push(Vec::new());
                    redirected = false;
                }
            }
            _ => word.push(c),
        }
    }
    commands
}

/// Our own commands in a line: program and arguments. `sudo -u oam` names the user, not the program.
fn ours(line: &str) -> Vec<Vec<String>> {
    let begins = |command: &[String], at: usize| {
        let name = command[at].rsplit('/').next().unwrap();
        let user = at > 0 && command[at - 1] == "-u";
        let before = &command[..at];
        let led = before
            .iter()
            .all(|word| ["sudo", "-u", "oam", "-", "run:"].contains(&word.as_str()));
        !user && led && ["oam", "oam-issuer"].contains(&name)
    };
    words(line)
        .into_iter()
        .filter_map(|command| {
            let at = (0..command.len()).find(|at| begins(&command, *at))?;
            Some(command[at..].to_vec())
        })
        .collect()
}

#[test]
fn every_command_line_of_the_help_pages_and_the_readme_is_taken() {
    let (mut seen, mut faults) = (0, Vec::new());
    for (path, text) in texts() {
        for command in code(&text).flat_map(ours) {
            seen += 1;
            let line = command.iter().map(OsString::from);
            let taken = if command[0].ends_with("oam-issuer") {
                oam_admin::check(line)
            } else {
                check(line)
            };
            if let Err(fault) = taken {
                faults.push(format!("{}: {command:?}: {fault}", path.display()));
            }
        }
    }
    assert!(seen > 60, "only {seen}: looked in the wrong place");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_command_is_found_wherever_it_stands_in_a_line() {
    let found = |line: &str| -> Vec<String> { ours(line).iter().map(|c| c.join(" ")).collect() };
    assert_eq!(
        found("  - run: oam exec -- git push"),
        ["oam exec -- git push"]
    );
    assert_eq!(
        found("sudo -u oam oam-issuer init  # once"),
        ["oam-issuer init"]
    );
    assert_eq!(
        found("sudo -u oam sh -c 'umask 077; oam-issuer keys master > /etc/x'"),
        ["oam-issuer keys master"]
    );
    assert_eq!(
        found(
            "cargo build && target/release/oam demo | cat; oam-issuer revoke ada --reason \"left on Friday\""
        ),
        [
            "target/release/oam demo",
            "oam-issuer revoke ada --reason left on Friday"
        ]
    );
    assert!(
        found("chown oam /srv/oam").is_empty() && found("sudo apt install ./oam.deb").is_empty()
    );
    assert!(check(["oam", "stauts"].map(OsString::from)).is_err());
    assert!(oam_admin::check(["oam-issuer", "stauts"].map(OsString::from)).is_err());
}

/// The others are made from the program itself.
#[test]
fn a_manual_page_written_by_hand_names_every_option_and_variable_of_its_program() {
    let root = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    for name in ["oam-agent", "git-credential-oam"] {
        let help = std::process::Command::new(oam::program(name))
            .arg("--help")
            .env_clear()
            .output()
            .unwrap();
        let help = String::from_utf8_lossy(&help.stdout).into_owned()
            + &String::from_utf8_lossy(&help.stderr);
        let page = Path::new(&root).join(format!("packaging/man/{name}.1"));
        let page = fs::read_to_string(page).unwrap().replace("\\-", "-");
        let named = |c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        let mut count = 0;
        for word in help.split(named) {
            if word.starts_with("--") || word.starts_with("OAM_") {
                assert!(page.contains(word), "{name}.1 has no {word}");
                count += 1;
            }
        }
        assert!(count >= 3, "{help}");
    }
}
