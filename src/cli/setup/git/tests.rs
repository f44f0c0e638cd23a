//! Real git in a private home.
#![cfg(unix)]

use crate::args::SetupWhat;
use crate::setup::report::SetupReport;
use crate::setup::set_up as run;
use crate::setup::surroundings::private::TemporaryHome;
use oam_model::report::HubRow;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

fn hub(name: &str, url: &str) -> HubRow {
    HubRow {
        hub: name.parse().unwrap(),
        url: url.into(),
        kind: "git".into(),
    }
}

fn hubs() -> Vec<HubRow> {
    vec![
        hub("models", "https://hub.example"),
        hub("local", "http://127.0.0.1:8123"),
    ]
}

fn setup(home: &TemporaryHome, hubs: &[HubRow]) -> SetupReport {
    run(SetupWhat::Git, false, hubs, &home.around).unwrap()
}

fn undo(home: &TemporaryHome) -> SetupReport {
    run(SetupWhat::Git, true, &[], &home.around).unwrap()
}

fn git(home: &TemporaryHome, arguments: &[&str], stdin: &str) -> String {
    let mut child = Command::new("git")
        .args(arguments)
        .current_dir(&home.around.home)
        .env("HOME", &home.around.home)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env_remove("XDG_CONFIG_HOME")
        .env_remove("GIT_CONFIG_GLOBAL")
        .env_remove("GIT_ASKPASS")
        .env_remove("SSH_ASKPASS")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(stdin.as_bytes())
        .unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

fn values(home: &TemporaryHome, key: &str) -> Vec<String> {
    let text = git(
        home,
        &["config", "--global", "--null", "--get-all", key],
        "",
    );
    text.split_terminator('\0').map(str::to_owned).collect()
}

#[test]
fn git_asks_our_helper_with_the_path_and_no_other() {
    let home = TemporaryHome::new();
    let log = home.file("asked");
    let body = format!(
        "#!/bin/sh\n{{ echo \"$@\"; cat; }} >>'{}'\n[ \"$3\" = get ] && printf 'username=oam\\npassword=t\\n'\n",
        log.display()
    );
    fs::write(home.around.programs.join("git-credential-oam"), body).unwrap();
    let other = home.file("other");
    fs::write(
        home.file(".gitconfig"),
        format!(
            "[credential]\n\thelper = \"!touch '{}'; cat >/dev/null; :\"\n",
            other.display()
        ),
    )
    .unwrap();
    setup(&home, &hubs());
    let asked = "protocol=https\nhost=hub.example\npath=acme/model.git\n\n";
    let answer = git(&home, &["credential", "fill"], asked);
    assert!(answer.contains("password=t"), "{answer}");
    git(&home, &["credential", "approve"], &answer);
    let log = fs::read_to_string(log).unwrap();
    assert!(
        log.starts_with("--hub models get\n") && log.contains("path=acme/model.git"),
        "{log}"
    );
    assert!(log.contains("--hub models store\n"));
    assert!(!other.exists(), "an inherited helper saw the token");
}

#[test]
fn a_second_run_changes_nothing_and_undo_restores_every_value_in_order() {
    let home = TemporaryHome::new();
    let before = "# mine\n[user]\n\tname = X\n[credential \"https://hub.example\"]\n\thelper = store\n\thelper = cache --timeout 9\n\tusername = me\n[credential]\n\thelper = x\n";
    fs::write(home.file(".gitconfig"), before).unwrap();
    let list = git(&home, &["config", "--global", "--list"], "");
    let first = setup(&home, &hubs());
    assert_eq!(first.changes.len(), 4);
    assert_eq!(first.changes[0].before, ["store", "cache --timeout 9"]);
    let written = fs::read(home.file(".gitconfig")).unwrap();
    let second = setup(&home, &hubs());
    assert!(second.changes.is_empty(), "{second:?}");
    assert_eq!(fs::read(home.file(".gitconfig")).unwrap(), written);
    undo(&home);
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let now = git(&home, &["config", "--global", "--list"], "");
    assert_eq!(sorted(&now), sorted(&list));
    let key = "credential.https://hub.example.helper";
    assert_eq!(values(&home, key), ["store", "cache --timeout 9"]);
    assert!(undo(&home).changes.is_empty());
    assert!(!home.around.state_home.join("oam/setup-git.json").exists());
}

#[test]
fn a_home_without_a_configuration_is_left_without_one() {
    let home = TemporaryHome::new();
    setup(&home, &hubs());
    assert_eq!(
        values(&home, "credential.http://127.0.0.1:8123.useHttpPath"),
        ["true"]
    );
    let mode = |name: &str| {
        fs::metadata(home.around.state_home.join(name))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!((mode("oam"), mode("oam/setup-git.json")), (0o700, 0o600));
    // A later run must not make us forget that the file is ours.
    setup(&home, &hubs()[..1]);
    undo(&home);
    assert!(!home.file(".gitconfig").exists());
    fs::write(home.file(".gitconfig"), "").unwrap();
    setup(&home, &hubs());
    undo(&home);
    assert!(home.file(".gitconfig").exists(), "it was there before us");
}

#[test]
fn a_hub_that_left_the_configuration_is_restored() {
    let home = TemporaryHome::new();
    setup(&home, &hubs());
    let report = setup(&home, &hubs()[..1]);
    assert_eq!(report.changes.len(), 2);
    assert!(values(&home, "credential.http://127.0.0.1:8123.helper").is_empty());
    assert_eq!(
        values(&home, "credential.https://hub.example.helper").len(),
        2
    );
}

#[test]
fn a_helper_that_was_added_below_ours_gets_no_token_after_the_next_run() {
    let home = TemporaryHome::new();
    setup(&home, &hubs());
    let path = home.file(".gitconfig");
    let text = fs::read_to_string(&path).unwrap() + "[credential]\n\thelper = store\n";
    fs::write(&path, text).unwrap();
    let report = setup(&home, &hubs());
    assert!(
        report.lines().iter().any(|line| line.contains("moved")),
        "{report:?}"
    );
    let text = fs::read_to_string(&path).unwrap();
    assert!(
        text.find("store").unwrap() < text.find("git-credential-oam").unwrap(),
        "{text}"
    );
    assert!(setup(&home, &hubs()).changes.is_empty());
}

#[test]
fn where_order_can_not_be_settled_the_person_is_told_and_nothing_is_rewritten_each_time() {
    let home = TemporaryHome::new();
    let text =
        "[credential \"https://hub.example\"]\n\tusername = me\n[credential]\n\thelper = store\n";
    fs::write(home.file(".gitconfig"), text).unwrap();
    setup(&home, &hubs()[..1]);
    let again = setup(&home, &hubs()[..1]);
    assert!(again.changes.is_empty(), "{again:?}");
    assert!(
        again.next[0].contains("move `credential.helper` above"),
        "{again:?}"
    );
}

#[test]
fn a_path_with_blanks_and_quotes_is_run_as_one_program() {
    let mut home = TemporaryHome::new();
    let odd = home.folder.path().join("it's $HOME; a");
    fs::rename(&home.around.programs, &odd).unwrap();
    home.around.programs = odd;
    fs::write(
        home.around.programs.join("git-credential-oam"),
        "#!/bin/sh\necho username=u\necho password=$2-$3\n",
    )
    .unwrap();
    setup(&home, &hubs());
    let answer = git(
        &home,
        &["credential", "fill"],
        "protocol=https\nhost=hub.example\n\n",
    );
    assert!(answer.contains("password=models-get"), "{answer}");
}

#[test]
fn a_linked_configuration_stays_a_link_and_keeps_its_permissions() {
    let home = TemporaryHome::new();
    let real = home.file("dotfiles");
    fs::write(&real, "[user]\n\tname = X\n").unwrap();
    fs::set_permissions(&real, fs::Permissions::from_mode(0o600)).unwrap();
    symlink(&real, home.file(".gitconfig")).unwrap();
    setup(&home, &hubs());
    assert!(home.file(".gitconfig").is_symlink());
    assert_eq!(
        fs::metadata(&real).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert!(fs::read_to_string(&real).unwrap().contains("--hub models"));
}

#[test]
fn while_another_git_writes_nothing_is_changed() {
    let home = TemporaryHome::new();
    fs::write(home.file(".gitconfig"), "[user]\n\tname = X\n").unwrap();
    fs::write(home.file(".gitconfig.lock"), "").unwrap();
    let refusal = run(SetupWhat::Git, false, &hubs(), &home.around).unwrap_err();
    assert!(
        refusal.sentence.contains("another git"),
        "{}",
        refusal.sentence
    );
    assert!(home.file(".gitconfig.lock").exists());
    fs::remove_file(home.file(".gitconfig.lock")).unwrap();
    fs::write(home.file(".gitconfig"), "[user\n").unwrap();
    assert!(run(SetupWhat::Git, false, &hubs(), &home.around).is_err());
    assert_eq!(
        fs::read_to_string(home.file(".gitconfig")).unwrap(),
        "[user\n"
    );
    assert!(!home.file(".gitconfig.lock").exists());
}

#[test]
fn git_s_other_place_for_the_file_is_honoured() {
    let home = TemporaryHome::new();
    let other = home.around.config_home.join("git/config");
    fs::create_dir_all(other.parent().unwrap()).unwrap();
    fs::write(&other, "").unwrap();
    setup(&home, &hubs());
    assert!(fs::read_to_string(&other).unwrap().contains("--hub models"));
    assert!(!home.file(".gitconfig").exists());
    // A .gitconfig that appears later must not leave our settings in the other file for ever.
    fs::write(home.file(".gitconfig"), "").unwrap();
    let refusal = run(SetupWhat::Git, false, &hubs(), &home.around).unwrap_err();
    assert!(refusal.next.contains("--undo"));
    undo(&home);
    assert_eq!(fs::read_to_string(&other).unwrap(), "");
}
