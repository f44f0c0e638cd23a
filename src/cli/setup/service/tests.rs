use super::{plist, unit_word};
use crate::args::SetupWhat;
use crate::setup::set_up as run;
use crate::setup::surroundings::private::TemporaryHome;
use std::fs;
use std::path::Path;

/// A home with a service manager that notes what it is told, and answers with `code`.
fn home(code: u8) -> TemporaryHome {
    let home = TemporaryHome::new();
    let log = home.file("told");
    let text = format!(
        "#!/bin/sh\necho \"$*\" >>'{}'\nexit {code}\n",
        log.display()
    );
    home.program("systemctl", &text);
    home
}

fn setup(home: &TemporaryHome, undo: bool) -> crate::setup::report::SetupReport {
    run(SetupWhat::Service, undo, &[], &home.around).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn units_name_this_agent_and_are_enabled_once() {
    let home = home(0);
    let report = setup(&home, false);
    assert!(
        report.next.is_empty() && report.changes.len() == 2,
        "{report:?}"
    );
    let folder = home.file(".config/systemd/user");
    let service = fs::read_to_string(folder.join("oam-agent.service")).unwrap();
    let line = format!("\nExecStart={}/oam-agent\n", home.around.programs.display());
    assert!(service.contains(&line), "{service}");
    let told = fs::read_to_string(home.file("told")).unwrap();
    assert!(told.ends_with("--user enable --now oam-agent.socket\n"));
    assert!(setup(&home, false).changes.is_empty());
    assert_eq!(setup(&home, true).changes.len(), 2);
    assert_eq!(fs::read_dir(folder).unwrap().count(), 0);
    assert!(setup(&home, true).changes.is_empty());
}

#[cfg(target_os = "linux")]
#[test]
fn a_service_manager_that_does_not_answer_leaves_a_command_to_run() {
    let report = setup(&home(1), false);
    assert!(report.next[0].contains("systemctl --user enable --now oam-agent.socket"));
}

#[cfg(target_os = "linux")]
#[test]
fn units_of_the_person_are_left_alone_and_none_is_half_written() {
    let home = home(0);
    let folder = home.file(".config/systemd/user");
    fs::create_dir_all(&folder).unwrap();
    fs::write(folder.join("oam-agent.socket"), "[Socket]\n").unwrap();
    assert!(run(SetupWhat::Service, false, &[], &home.around).is_err());
    assert!(!folder.join("oam-agent.service").exists());
    assert!(setup(&home, true).changes.is_empty());
    assert!(folder.join("oam-agent.socket").exists());
}

#[test]
fn an_odd_path_is_taken_literally() {
    let word = |path: &str| unit_word(Path::new(path)).map_err(|refusal| refusal.sentence);
    assert_eq!(word("/opt/oam-agent"), Ok("/opt/oam-agent".to_owned()));
    assert_eq!(word("/a b/%h$x"), Ok("\"/a b/%%h$x\"".to_owned()));
    assert!(word("/it's").is_err() && word("/a\\b").is_err());
    let text = plist("/a&b/<oam>");
    assert!(text.contains("<string>/a&amp;b/&lt;oam&gt;</string>"));
    assert!(text.contains("Written by `oam setup service`"));
}
