use super::DiskAuditFile;
use oam_agent::ports::AuditFile;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};

fn line(seq: u64) -> String {
    format!("{{\"seq\":{seq},\"prev\":\"p\",\"what\":\"grant\"}}")
}

fn current(state: &Path) -> PathBuf {
    state.join("audit/audit.jsonl")
}

/// A journal of `count` lines that rotates after every third.
fn written(state: &Path, count: u64) -> DiskAuditFile {
    let journal = DiskAuditFile::new(state, 3 * u64::try_from(line(1).len() + 1).unwrap());
    for seq in 1..=count {
        journal.append(&line(seq)).unwrap();
    }
    journal
}

#[test]
fn lines_stand_in_a_private_file_in_their_order() {
    let home = tempfile::tempdir().unwrap();
    let journal = DiskAuditFile::new(&home.path().join("oam"), 1 << 20);
    assert_eq!(journal.last_line().unwrap(), None);
    assert_eq!(journal.line(1).unwrap(), None);
    assert!(!home.path().join("oam").exists(), "reading creates nothing");
    for seq in 1..=3 {
        journal.append(&line(seq)).unwrap();
    }
    journal.sync().unwrap();
    let path = current(&home.path().join("oam"));
    let expected = format!("{}\n{}\n{}\n", line(1), line(2), line(3));
    assert_eq!(fs::read_to_string(&path).unwrap(), expected);
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    assert_eq!(
        fs::metadata(path.parent().unwrap()).unwrap().mode() & 0o777,
        0o700
    );
    assert_eq!(journal.last_line().unwrap(), Some(line(3)));
    assert_eq!(journal.repaired(), None);
    assert!(journal.append("two\nlines").is_err());
}

#[test]
fn rotation_keeps_every_file_and_every_line_is_found_again() {
    let home = tempfile::tempdir().unwrap();
    let journal = written(home.path(), 10);
    let names: Vec<String> = journal
        .files()
        .unwrap()
        .iter()
        .map(|path| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect();
    assert_eq!(
        names,
        [
            "audit-000000000001.jsonl",
            "audit-000000000004.jsonl",
            "audit-000000000007.jsonl",
            "audit.jsonl"
        ]
    );
    for seq in 1..=10 {
        assert_eq!(journal.line(seq).unwrap(), Some(line(seq)), "{seq}");
    }
    assert_eq!(journal.line(11).unwrap(), None);
    assert_eq!(journal.line(0).unwrap(), None);
    // A restart goes on in the same file and rotates under the same name as without.
    let again = written(home.path(), 0);
    assert_eq!(again.last_line().unwrap(), Some(line(10)));
    for seq in 11..=13 {
        again.append(&line(seq)).unwrap();
    }
    assert!(home.path().join("audit/audit-000000000010.jsonl").exists());
    assert_eq!(again.last_line().unwrap(), Some(line(13)));
}

#[test]
fn after_a_crash_between_rotation_and_the_next_line_the_log_goes_on() {
    let home = tempfile::tempdir().unwrap();
    drop(written(home.path(), 2));
    let rotated = home.path().join("audit/audit-000000000001.jsonl");
    fs::rename(current(home.path()), &rotated).unwrap();
    let journal = written(home.path(), 0);
    assert_eq!(journal.last_line().unwrap(), Some(line(2)));
    assert_eq!(journal.repaired(), None);
    assert_eq!(journal.last_line().unwrap(), Some(line(2)));
    journal.append(&line(3)).unwrap();
    assert_eq!(journal.files().unwrap().len(), 2);
}

#[test]
fn a_line_cut_off_by_a_crash_is_taken_out_and_told_once() {
    for (kept, half) in [(2, "{\"seq\":3,\"pr"), (2, "\0\0\0\0"), (0, "{\"seq\":1")] {
        let home = tempfile::tempdir().unwrap();
        drop(written(home.path(), kept));
        fs::create_dir_all(home.path().join("audit")).unwrap();
        let before = fs::read_to_string(current(home.path())).unwrap_or_default();
        fs::write(current(home.path()), format!("{before}{half}")).unwrap();
        let journal = written(home.path(), 0);
        let last = (kept > 0).then(|| line(kept));
        assert_eq!(journal.last_line().unwrap(), last);
        // Looking cuts nothing.
        assert!(
            fs::read_to_string(current(home.path()))
                .unwrap()
                .ends_with(half)
        );
        let said = journal.repaired().unwrap();
        assert!(said.contains(&format!("({} bytes)", half.len())), "{said}");
        assert!(!said.contains('\0'));
        assert_eq!(journal.repaired(), None);
        assert_eq!(fs::read_to_string(current(home.path())).unwrap(), before);
        journal.append(&line(kept + 1)).unwrap();
        let after = format!("{before}{}\n", line(kept + 1));
        assert_eq!(fs::read_to_string(current(home.path())).unwrap(), after);
    }
}

#[test]
fn a_long_last_line_is_read_whole() {
    let home = tempfile::tempdir().unwrap();
    let journal = DiskAuditFile::new(home.path(), 1 << 30);
    let long = format!("{{\"seq\":2,\"x\":\"{}\"}}", "y".repeat(70_000));
    journal.append(&line(1)).unwrap();
    journal.append(&long).unwrap();
    assert_eq!(journal.last_line().unwrap(), Some(long.clone()));
    assert_eq!(journal.line(2).unwrap(), Some(long));
}

#[test]
fn a_log_that_was_deleted_or_replaced_is_said_at_the_next_sync_and_begun_anew() {
    let home = tempfile::tempdir().unwrap();
    let journal = DiskAuditFile::new(home.path(), 1 << 20);
    for replace in [false, true] {
        journal.append(&line(1)).unwrap();
        journal.sync().unwrap();
        fs::remove_dir_all(home.path().join("audit")).unwrap();
        journal.sync().unwrap();
        if replace {
            fs::create_dir(home.path().join("audit")).unwrap();
            fs::write(current(home.path()), "").unwrap();
        }
        journal.append(&line(2)).unwrap();
        let said = journal.sync().unwrap_err();
        assert!(said.contains("was deleted or replaced"), "{said}");
        journal.append(&line(3)).unwrap();
        journal.sync().unwrap();
        assert_eq!(
            fs::read_to_string(current(home.path())).unwrap(),
            format!("{}\n", line(3))
        );
        fs::remove_dir_all(home.path().join("audit")).unwrap();
        journal.append(&line(4)).unwrap();
        assert!(journal.sync().is_err());
    }
}

#[test]
fn a_symlink_a_folder_or_a_pipe_in_its_place_is_refused_and_mended_without_a_restart() {
    let home = tempfile::tempdir().unwrap();
    let journal = DiskAuditFile::new(home.path(), 1 << 20);
    let path = current(home.path());
    fs::create_dir(home.path().join("audit")).unwrap();
    let theirs = home.path().join("theirs");
    fs::write(&theirs, "").unwrap();
    symlink(&theirs, &path).unwrap();
    let said = journal.append(&line(1)).unwrap_err();
    assert!(said.contains("symbolic link"), "{said}");
    assert_eq!(fs::read(&theirs).unwrap(), b"");
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(journal.append(&line(1)).is_err());
    fs::remove_dir(&path).unwrap();
    journal.append(&line(1)).unwrap();
    assert_eq!(journal.last_line().unwrap(), Some(line(1)));
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_an_error_in_words_and_nothing_of_the_line_stays() {
    // /dev/full answers every write with "no space left".
    let mut full = fs::OpenOptions::new()
        .append(true)
        .open("/dev/full")
        .unwrap();
    let fault = super::write_whole(&mut full, b"line\n").unwrap_err();
    let said = super::words("write", Path::new("log"), &fault);
    assert_eq!(said, "can't write log: the disk is full");
}

#[test]
fn a_file_that_can_not_be_rotated_goes_on_growing() {
    let home = tempfile::tempdir().unwrap();
    fs::create_dir(home.path().join("audit")).unwrap();
    fs::write(home.path().join("audit/audit-000000000001.jsonl"), "").unwrap();
    let journal = written(home.path(), 8);
    assert_eq!(journal.line(8).unwrap(), Some(line(8)));
    assert_eq!(journal.files().unwrap().len(), 2);
}
