use super::{LockOutcome, StateLock, held, host_name, lock, open, take};
use crate::listen::{self, Listening};
use oam_model::refusal::RefusalCode;
use oam_wire::host::{Holder, LOCK, folder};
use oam_wire::socket_path::SocketPath;
use std::fs;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

fn base() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let base = home.path().canonicalize().unwrap().join("state/oam");
    (home, base)
}

fn ours(base: &Path) -> StateLock {
    match take(base, None).unwrap() {
        LockOutcome::Ours(lock) => lock,
        LockOutcome::Theirs(place) => panic!("somebody else is at {}", place.socket.display()),
    }
}

fn listening(folder: PathBuf) -> (SocketPath, Listening) {
    let place = SocketPath::in_folder(folder).unwrap();
    match listen::take(&place, None).unwrap() {
        listen::ListenOutcome::Ours(listening) => (place, listening),
        listen::ListenOutcome::Theirs => panic!("somebody else is there"),
    }
}

#[test]
fn a_second_agent_finds_the_first_whatever_its_runtime_folder_and_the_lock_goes_with_it() {
    let (home, base) = base();
    let first = ours(&base);
    let (place, listening) = listening(home.path().canonicalize().unwrap().join("run/oam"));
    first.record(&place.socket);
    let LockOutcome::Theirs(found) = take(&base, None).unwrap() else {
        panic!("two agents have one state");
    };
    assert_eq!(found.socket, place.socket);
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(first.folder()), 0o700);
    assert_eq!(mode(&first.folder().join(LOCK)), 0o600);
    drop((listening, first));
    let next = ours(&base);
    assert_eq!(Holder::read(next.folder()).unwrap().socket(), None);
}

#[test]
fn a_holder_out_of_reach_is_named_and_what_is_amiss_with_the_machine_too() {
    let (_home, base) = base();
    let lock = ours(&base);
    lock.record(Path::new("/run/user/7/oam/agent.sock"));
    let holder = Holder::read(lock.folder());
    let refusal = held(lock.folder(), holder.as_ref());
    assert_eq!(refusal.code, RefusalCode::Busy);
    for part in [
        &format!("process {} on {}", std::process::id(), host_name()),
        "/run/user/7/oam/agent.sock",
    ] {
        assert!(refusal.sentence.contains(part), "{refusal:?}");
    }
    assert!(refusal.next.contains("XDG_RUNTIME_DIR"), "{refusal:?}");
    let lines = "pid 7\nhost elsewhere.example\nboot x\nsocket /x/agent.sock\n";
    fs::write(lock.folder().join(LOCK), lines).unwrap();
    let refusal = held(lock.folder(), Holder::read(lock.folder()).as_ref());
    assert!(refusal.sentence.contains("elsewhere.example"));
    assert!(refusal.next.contains("machine-id"), "{refusal:?}");
    assert!(!refusal.next.contains("remove"), "{refusal:?}");
}

#[test]
fn the_lock_is_the_open_files_and_nobody_else_gets_it_in_this_process_either() {
    let (_home, base) = base();
    let first = ours(&base);
    let second = open(first.folder()).unwrap();
    assert!(!lock(&second).unwrap());
    // A closed look at the file must not let it go, as the older kind of lock would.
    drop(Holder::read(first.folder()));
    drop(second);
    assert!(!lock(&open(first.folder()).unwrap()).unwrap());
}

#[test]
fn a_lock_that_was_deleted_or_replaced_is_no_longer_ours() {
    let (_home, base) = base();
    let first = ours(&base);
    assert!(first.is_ours());
    fs::remove_dir_all(&base).unwrap();
    assert!(!first.is_ours());
    let second = ours(&base);
    assert!(second.is_ours() && !first.is_ours());
}

#[test]
fn a_link_in_the_place_of_the_lock_or_the_folder_is_refused() {
    let (home, base) = base();
    drop(ours(&base));
    let target = home.path().join("target");
    let lock = folder(&base).join(LOCK);
    fs::remove_file(&lock).unwrap();
    symlink(&target, &lock).unwrap();
    assert!(take(&base, None).is_err());
    assert!(!target.exists());
    fs::remove_dir_all(folder(&base)).unwrap();
    symlink(home.path(), folder(&base)).unwrap();
    assert!(take(&base, None).is_err());
}

/// What an earlier version kept for all hosts.
fn earlier(base: &Path) {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(base.join("audit")).unwrap();
    for name in [
        "sealed",
        "tombstones.json",
        "sealed.unreadable-7",
        "audit/audit.jsonl",
    ] {
        fs::write(base.join(name), name).unwrap();
    }
    fs::write(base.join("setup-git.json"), "not the agent's").unwrap();
}

#[test]
fn the_state_of_an_earlier_version_moves_here_once() {
    let (_home, base) = base();
    earlier(&base);
    let lock = ours(&base);
    for name in [
        "sealed",
        "tombstones.json",
        "sealed.unreadable-7",
        "audit/audit.jsonl",
    ] {
        let moved = lock.folder().join(name);
        assert_eq!(fs::read_to_string(moved).unwrap(), name);
        assert!(!base.join(name).exists(), "{name}");
    }
    assert!(base.join("setup-git.json").exists());
    drop(lock);
    // A start that was cut short goes on; what is here already is not replaced.
    fs::write(base.join("tombstones.json"), "of an older program").unwrap();
    let lock = ours(&base);
    let kept = fs::read_to_string(lock.folder().join("tombstones.json"));
    assert_eq!(kept.unwrap(), "tombstones.json");
}

#[test]
fn the_state_of_an_earlier_version_stays_while_its_agent_runs() {
    let (_home, base) = base();
    earlier(&base);
    // An agent of that version locks in the socket's folder alone.
    let (place, listening) = listening(base.join("run"));
    let LockOutcome::Theirs(found) = take(&base, None).unwrap() else {
        panic!("two agents have one state");
    };
    assert_eq!(found.socket, place.socket);
    assert!(base.join("sealed").exists());
    drop(listening);
    assert!(ours(&base).folder().join("sealed").exists());
}

/// Needs root, as a test of root's mistake does.
#[test]
fn nothing_is_made_in_the_home_of_another_user_as_root() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let home = tempfile::tempdir().unwrap();
    let theirs = home.path().join("ada");
    fs::create_dir(&theirs).unwrap();
    std::os::unix::fs::chown(&theirs, Some(4242), Some(4242)).unwrap();
    let refusal = take(&theirs.join(".local/state/oam"), None).err().unwrap();
    assert!(refusal.sentence.contains("4242"), "{refusal:?}");
    let socket = SocketPath::in_folder(theirs.join("run/oam")).unwrap();
    let refusal = listen::take(&socket, None).err().unwrap();
    assert!(refusal.sentence.contains("4242"), "{refusal:?}");
    assert!(!format!("{refusal:?}").contains("remove"), "{refusal:?}");
    assert_eq!(fs::read_dir(&theirs).unwrap().count(), 0);
}
