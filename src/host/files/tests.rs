use super::{TokenFiles, durable_remove, durable_write, private_folder, sweep_temps};
use oam_agent::ports::ChildTokenFiles;
use oam_model::secret::Secret;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

const NAME: &str = "0123456789abcdef0123456789abcdef";

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o777
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

#[test]
fn a_durable_write_replaces_the_whole_file_and_leaves_nothing_beside_it() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("state");
    durable_write(&path, b"one, and longer", 0o600).unwrap();
    durable_write(&path, b"two", 0o600).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"two");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    durable_remove(&path).unwrap();
    durable_remove(&path).unwrap();
    assert!(!path.exists());
}

#[test]
fn a_symlink_in_the_place_of_the_file_is_replaced_and_not_followed() {
    let home = tempfile::tempdir().unwrap();
    let target = home.path().join("target");
    fs::write(&target, "theirs").unwrap();
    let path = home.path().join("state");
    symlink(&target, &path).unwrap();
    durable_write(&path, b"ours", 0o600).unwrap();
    assert_eq!(fs::read(&target).unwrap(), b"theirs");
    assert!(!fs::symlink_metadata(&path).unwrap().is_symlink());
}

#[test]
fn a_write_that_fails_keeps_the_old_content_and_says_why() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("state");
    fs::create_dir(&path).unwrap();
    let said = durable_write(&path, b"x", 0o600).unwrap_err();
    assert!(said.contains("it is a folder"), "{said}");
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    let missing = durable_write(&home.path().join("no/state"), b"x", 0o600).unwrap_err();
    assert!(missing.contains("it is not there"), "{missing}");
}

#[test]
fn only_temp_files_of_a_killed_writer_are_swept() {
    let home = tempfile::tempdir().unwrap();
    let left = home.path().join(format!(".sealed.{NAME}.tmp"));
    for name in ["sealed", ".sealed.tmp", "notes.tmp", ".x.0123.tmp"] {
        fs::write(home.path().join(name), "").unwrap();
    }
    fs::write(&left, "").unwrap();
    sweep_temps(home.path());
    assert!(!left.exists());
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 4);
    sweep_temps(Path::new("/nonexistent"));
}

#[test]
fn a_folder_is_made_private_or_refused() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("a/b");
    private_folder(&folder).unwrap();
    assert_eq!(
        (mode(&folder), mode(&home.path().join("a"))),
        (0o700, 0o700)
    );
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
    private_folder(&folder).unwrap();
    assert_eq!(mode(&folder), 0o700);
    let link = home.path().join("link");
    symlink(&folder, &link).unwrap();
    assert!(private_folder(&link).is_err());
    let file = home.path().join("file");
    fs::write(&file, "").unwrap();
    assert!(private_folder(&file).is_err());
}

#[test]
fn a_token_file_is_private_holds_the_bare_token_and_follows_renewal() {
    let home = tempfile::tempdir().unwrap();
    let files = TokenFiles::new(&home.path().join("oam"));
    let path = files.put(NAME, &secret("first")).unwrap();
    assert_eq!(
        path,
        home.path()
            .join("oam/exec")
            .join(NAME)
            .join("token")
            .to_str()
            .unwrap()
    );
    assert_eq!(fs::read(&path).unwrap(), b"first");
    // A reader that opened it before sees one token whole, never a mix.
    let held = fs::File::open(&path).unwrap();
    assert_eq!(files.put(NAME, &secret("second token")).unwrap(), path);
    assert_eq!(std::io::read_to_string(held).unwrap(), "first");
    assert_eq!(fs::read(&path).unwrap(), b"second token");
    assert_eq!(mode(Path::new(&path)), 0o600);
    for folder in ["oam", "oam/exec"] {
        assert_eq!(mode(&home.path().join(folder)), 0o700);
    }
    assert_eq!(mode(Path::new(&path).parent().unwrap()), 0o700);
}

#[test]
fn a_withdrawn_file_is_gone_with_its_folder_and_a_missing_one_is_no_fault() {
    let home = tempfile::tempdir().unwrap();
    let files = TokenFiles::new(home.path());
    let path = files.put(NAME, &secret("t")).unwrap();
    files.withdraw(NAME).unwrap();
    assert!(!Path::new(&path).parent().unwrap().exists());
    files.withdraw(NAME).unwrap();
}

#[test]
fn a_sweep_takes_all_that_an_earlier_agent_left() {
    let home = tempfile::tempdir().unwrap();
    let files = TokenFiles::new(home.path());
    files.sweep().unwrap();
    for digit in ["0", "1", "2"] {
        files.put(&digit.repeat(32), &secret("t")).unwrap();
    }
    files.sweep().unwrap();
    assert!(!home.path().join("exec").exists());
}

#[test]
fn a_name_off_the_wire_leads_nowhere_else() {
    let home = tempfile::tempdir().unwrap();
    let files = TokenFiles::new(home.path());
    let upper = NAME.to_uppercase();
    let long = format!("{NAME}0");
    for name in [
        "",
        "..",
        "../../x",
        "a/b",
        &upper,
        &long,
        &NAME[1..],
        "0123456789abcdef0123456789abcde\n",
    ] {
        assert!(files.put(name, &secret("t")).is_err(), "{name:?}");
        assert!(files.withdraw(name).is_err(), "{name:?}");
    }
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn a_symlink_where_the_token_folder_belongs_is_refused_and_what_it_points_to_stays() {
    let home = tempfile::tempdir().unwrap();
    let theirs = home.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    fs::write(theirs.join("keep"), "").unwrap();
    let files = TokenFiles::new(&home.path().join("oam"));
    fs::create_dir_all(home.path().join("oam/exec")).unwrap();
    symlink(&theirs, home.path().join("oam/exec").join(NAME)).unwrap();
    assert!(files.put(NAME, &secret("t")).is_err());
    files.withdraw(NAME).unwrap();
    symlink(&theirs, home.path().join("oam/exec").join(NAME)).unwrap();
    files.sweep().unwrap();
    assert!(theirs.join("keep").exists());
    fs::remove_dir_all(home.path().join("oam")).unwrap();
    symlink(&theirs, home.path().join("oam")).unwrap();
    assert!(files.put(NAME, &secret("t")).is_err());
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_told_from_disk() {
    assert!(TokenFiles::new(Path::new("/dev/shm/oam-not-there")).in_memory());
    assert!(!TokenFiles::new(Path::new("/proc")).in_memory());
}
