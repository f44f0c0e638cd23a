use super::{with_block, without_block};
use crate::args::SetupWhat;
use crate::setup::set_up as run;
use crate::setup::surroundings::private::TemporaryHome;
use proptest::prelude::*;
use std::fs;
use std::process::Command;

fn setup(home: &TemporaryHome, undo: bool) -> crate::setup::report::SetupReport {
    run(SetupWhat::Shell, undo, &[], &home.around).unwrap()
}

#[test]
fn the_folder_of_the_wrappers_comes_first_and_once() {
    let home = TemporaryHome::new();
    setup(&home, false);
    let wrappers = home.around.wrappers();
    let said = Command::new("sh")
        .args(["-c", ". \"$1\"; . \"$1\"; printf %s \"$PATH\"", "sh"])
        .arg(home.file(".bashrc"))
        .env("PATH", format!("/usr/bin:{}", wrappers.display()))
        .output()
        .unwrap();
    let said = String::from_utf8(said.stdout).unwrap();
    assert_eq!(said, format!("{0}:/usr/bin:{0}", wrappers.display()));
}

#[test]
fn a_second_run_changes_nothing_and_undo_gives_back_every_byte() {
    let home = TemporaryHome::new();
    let texts: [(&str, &[u8]); 2] = [
        (".zshrc", b"export A=1\nno end"),
        (".profile", b"\xff not UTF-8\n"),
    ];
    for (name, text) in texts {
        fs::write(home.file(name), text).unwrap();
    }
    assert_eq!(setup(&home, false).changes.len(), 3);
    assert!(setup(&home, false).changes.is_empty());
    assert_eq!(setup(&home, true).changes.len(), 3);
    for (name, text) in texts {
        assert_eq!(fs::read(home.file(name)).unwrap(), text);
    }
    assert!(!home.file(".bashrc").exists(), "made by us");
    assert!(setup(&home, true).changes.is_empty());
}

#[test]
fn a_block_whose_end_is_gone_is_not_guessed() {
    let home = TemporaryHome::new();
    let text = "a\n# >>> oam >>>\nb\nprecious\n";
    fs::write(home.file(".bashrc"), text).unwrap();
    let refusal = run(SetupWhat::Shell, true, &[], &home.around).unwrap_err();
    assert!(
        refusal.sentence.contains(".bashrc:2:"),
        "{}",
        refusal.sentence
    );
    assert_eq!(fs::read_to_string(home.file(".bashrc")).unwrap(), text);
}

proptest! {
    #[test]
    fn any_file_comes_back(text in "[a-z#\r\n ]{0,40}", made in any::<bool>()) {
        let once = with_block(text.as_bytes(), made, "x\n");
        let (back, _) = without_block(&once).unwrap();
        prop_assert_eq!(&back, text.as_bytes());
        prop_assert_eq!(with_block(&back, made, "x\n"), once);
    }
}
