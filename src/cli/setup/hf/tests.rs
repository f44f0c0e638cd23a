use crate::args::SetupWhat;
use crate::setup::set_up as run;
use crate::setup::surroundings::private::TemporaryHome;
use std::fs;
use std::path::Path;
use std::process::Command;

const REAL: &str = "#!/bin/sh\nprintf 'real:%s' \"$*\"\n";

/// A home with a real `hf` and an `oam` that tells how it was called.
fn home() -> TemporaryHome {
    let home = TemporaryHome::new();
    home.program("hf", REAL);
    let oam = "#!/bin/sh\nprintf 'oam[%s]' \"$#\"; shift 2; OAM_EXEC=1 exec \"$@\"\n";
    fs::write(home.around.programs.join("oam"), oam).unwrap();
    run(SetupWhat::Hf, false, &[], &home.around).unwrap();
    home
}

fn call(home: &TemporaryHome, folders: &[&Path], inside: bool) -> (String, Option<i32>) {
    let path = std::env::join_paths(
        folders
            .iter()
            .chain([&Path::new("/usr/bin"), &Path::new("/bin")]),
    )
    .unwrap();
    let mut command = Command::new(home.around.wrappers().join("hf"));
    command
        .args(["upload", "a b", "*"])
        .env("PATH", path)
        .env_remove("OAM_EXEC");
    if inside {
        command.env("OAM_EXEC", "1");
    }
    let output = command.output().unwrap();
    (
        String::from_utf8(output.stdout).unwrap(),
        output.status.code(),
    )
}

#[test]
fn plain_hf_goes_through_oam_exec_with_its_arguments_untouched() {
    let home = home();
    let wrappers = home.around.wrappers();
    let (said, _) = call(&home, &[&wrappers], false);
    assert_eq!(said, "oam[6]real:upload a b *");
}

#[test]
fn inside_oam_exec_the_wrapper_steps_aside() {
    let home = home();
    assert_eq!(call(&home, &[], true).0, "real:upload a b *");
}

#[test]
fn a_real_hf_that_moved_is_found_again_and_never_the_wrapper_itself() {
    let home = home();
    let wrappers = home.around.wrappers();
    let linked = home.file("linked");
    std::os::unix::fs::symlink(&wrappers, &linked).unwrap();
    let moved = home.file("moved");
    fs::create_dir(&moved).unwrap();
    fs::rename(home.folder.path().join("bin/hf"), moved.join("hf")).unwrap();
    let (said, _) = call(&home, &[&wrappers, &linked, &moved], false);
    assert_eq!(said, "oam[6]real:upload a b *");
    let (said, code) = call(&home, &[&wrappers, &linked], false);
    assert_eq!((said.as_str(), code), ("", Some(127)));
}

#[test]
fn without_oam_the_real_hf_still_runs() {
    let home = home();
    fs::remove_file(home.around.programs.join("oam")).unwrap();
    assert_eq!(call(&home, &[], false).0, "real:upload a b *");
}

#[test]
fn a_second_run_does_not_wrap_the_wrapper_and_undo_removes_it() {
    let mut home = home();
    let wrappers = home.around.wrappers();
    home.around.path.insert(0, wrappers.clone());
    let report = run(SetupWhat::Hf, false, &[], &home.around).unwrap();
    assert!(
        report.changes.is_empty() && report.next.is_empty(),
        "{report:?}"
    );
    let report = run(SetupWhat::Hf, true, &[], &home.around).unwrap();
    assert_eq!(report.changes.len(), 1);
    assert!(!wrappers.exists());
    assert!(
        run(SetupWhat::Hf, true, &[], &home.around)
            .unwrap()
            .changes
            .is_empty()
    );
}

#[test]
fn somebody_s_own_hf_in_our_place_is_left_alone() {
    let home = home();
    let path = home.around.wrappers().join("hf");
    fs::write(&path, REAL).unwrap();
    for undo in [false, true] {
        assert!(run(SetupWhat::Hf, undo, &[], &home.around).is_err());
    }
    assert_eq!(fs::read_to_string(path).unwrap(), REAL);
}

#[test]
fn a_late_folder_in_path_is_told() {
    let mut home = home();
    let wrappers = home.around.wrappers();
    home.around.path.push(wrappers);
    let report = run(SetupWhat::Hf, false, &[], &home.around).unwrap();
    assert!(report.next[0].contains("export PATH="), "{report:?}");
}
