use super::{FileVault, OpenVault, SealingKey};
use oam_agent::ports::{LocalBoxFuture, Meanwhile, Vault};
use oam_agent::state::{AuditAnchor, Sealed, SealedSession, SessionTokens, Tombstone};
use oam_model::identity::Identity;
use oam_model::refusal::RefusalCode;
use oam_model::secret::Secret;
use oam_model::standing::{EndReason, StandingWord};
use oam_wire::message::StoreChoice;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

/// A state with one session whose refresh token is `refresh`.
pub(super) fn state(refresh: &str) -> Sealed {
    let secret = |text: &str| Arc::new(Secret::new(text.to_owned()));
    let session = SealedSession {
        tokens: SessionTokens {
            refresh: secret(refresh),
            id: secret("id \"quoted\""),
            access: secret("access"),
            access_expires: Some(9),
        },
        identity: Identity {
            issuer: "https://id.example".into(),
            subject: "s".into(),
            email: None,
            groups: vec!["g".into()],
            auth_time: None,
            id_token_expires: None,
        },
        epoch: 4,
        signed_in_at_ms: 1,
        digest: "d".into(),
        in_flight: Some(1),
        groups_by_userinfo: false,
        outstanding: Vec::new(),
        issuer: oam_agent::state::KeptOfIssuer::default(),
    };
    Sealed {
        breaks: Vec::new(),
        sessions: BTreeMap::from([("acme".parse().unwrap(), session)]),
        anchor: Some(AuditAnchor {
            seq: 3,
            hash: "h".into(),
        }),
    }
}

fn wait<T>(later: LocalBoxFuture<T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
        .block_on(later)
}

/// As after `prepare` with a keyring that answered `key`.
fn prepared(folder: &Path, store: StoreChoice, key: &Rc<SealingKey>) -> FileVault {
    let vault = FileVault::alone(folder);
    vault.inner.state.borrow_mut().next = Some(OpenVault {
        store,
        key: Some(Rc::clone(key)),
    });
    vault
}

fn refresh_in(folder: &Path, key: &SealingKey) -> String {
    let file = fs::read(folder.join("sealed")).unwrap();
    let opened = super::sealed::open(&file, key).ok().unwrap();
    opened
        .sessions
        .values()
        .next()
        .unwrap()
        .tokens
        .refresh
        .expose()
        .to_owned()
}

/// Without the room that is kept for a full disk.
fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name != "reserve")
        .collect();
    names.sort();
    names
}

#[test]
fn without_a_sealed_file_no_keyring_is_asked() {
    let home = tempfile::tempdir().unwrap();
    let vault = FileVault::alone(&home.path().join("oam"));
    assert!(wait(vault.open()).ok().unwrap().is_none());
    assert!(!home.path().join("oam").exists());
}

#[test]
fn a_save_replaces_the_private_sealed_file_and_needs_no_keyring() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("oam");
    let key = Rc::new(SealingKey::random());
    let vault = prepared(&folder, StoreChoice::Keyring, &key);
    vault.save(&state("first")).unwrap();
    vault.save(&state("second")).unwrap();
    assert_eq!(vault.store(), StoreChoice::Keyring);
    assert_eq!(refresh_in(&folder, &key), "second");
    assert_eq!(names(&folder), ["sealed"]);
    assert_eq!(
        fs::metadata(folder.join("sealed")).unwrap().mode() & 0o777,
        0o600
    );
    assert_eq!(fs::metadata(&folder).unwrap().mode() & 0o777, 0o700);
}

#[test]
fn nothing_is_saved_before_a_store_was_prepared() {
    let home = tempfile::tempdir().unwrap();
    let vault = FileVault::alone(home.path());
    assert!(vault.save(&state("t")).is_err());
    assert!(names(home.path()).is_empty());
}

#[test]
fn a_sealed_file_that_could_not_be_opened_is_kept_until_a_new_session_is_saved_and_then_aside() {
    let home = tempfile::tempdir().unwrap();
    for garbage in [&b"garbage"[..], b"more garbage"] {
        fs::write(home.path().join("sealed"), garbage).unwrap();
        let vault = FileVault::alone(home.path());
        let refusal = wait(vault.open()).err().unwrap();
        assert_eq!(refusal.code, RefusalCode::Unavailable);
        assert!(refusal.sentence.contains("is not a sealed session"));
        assert_eq!(fs::read(home.path().join("sealed")).unwrap(), garbage);
        let key = Rc::new(SealingKey::random());
        let vault = prepared(home.path(), StoreChoice::Kernel, &key);
        vault.save(&state("new")).unwrap();
        assert_eq!(refresh_in(home.path(), &key), "new");
    }
    let aside: Vec<String> = names(home.path())
        .into_iter()
        .filter(|name| name.starts_with("sealed.unreadable-"))
        .collect();
    // Each round's garbage; the first round's session was overwritten by the second's.
    assert_eq!(aside.len(), 2);
    let vault = FileVault::alone(home.path());
    vault.discard().unwrap();
    assert!(
        names(home.path()).is_empty(),
        "a discard leaves no session anywhere"
    );
}

#[test]
fn memory_only_leaves_nothing_on_disk() {
    let home = tempfile::tempdir().unwrap();
    let key = Rc::new(SealingKey::random());
    let vault = prepared(home.path(), StoreChoice::Keyring, &key);
    vault.save(&state("t")).unwrap();
    wait(vault.prepare(StoreChoice::Memory.into())).unwrap();
    assert_eq!(
        vault.store(),
        StoreChoice::Keyring,
        "a sign-in that waits changes nothing yet"
    );
    assert_eq!(names(home.path()), ["sealed"]);
    vault.adopt();
    vault.save(&state("t")).unwrap();
    assert_eq!(vault.store(), StoreChoice::Memory);
    assert!(names(home.path()).is_empty());
    vault.save(&state("t")).unwrap();
    assert!(names(home.path()).is_empty());
}

#[test]
fn a_sign_in_that_was_given_up_changes_nothing() {
    let home = tempfile::tempdir().unwrap();
    let key = Rc::new(SealingKey::random());
    let vault = prepared(home.path(), StoreChoice::Keyring, &key);
    vault.save(&state("first")).unwrap();
    wait(vault.prepare(StoreChoice::Memory.into())).unwrap();
    // A renewal of the session that is in use falls into the sign-in.
    vault.save(&state("second")).unwrap();
    vault.abandon();
    vault.adopt();
    vault.save(&state("third")).unwrap();
    assert_eq!(
        (vault.store(), refresh_in(home.path(), &key).as_str()),
        (StoreChoice::Keyring, "third")
    );
}

#[test]
fn an_earlier_session_that_was_never_opened_does_not_come_back_after_memory_only() {
    let home = tempfile::tempdir().unwrap();
    prepared(
        home.path(),
        StoreChoice::Keyring,
        &Rc::new(SealingKey::random()),
    )
    .save(&state("old"))
    .unwrap();
    let vault = FileVault::alone(home.path());
    wait(vault.prepare(StoreChoice::Memory.into())).unwrap();
    vault.adopt();
    vault.save(&state("new")).unwrap();
    assert!(
        wait(FileVault::alone(home.path()).open())
            .ok()
            .unwrap()
            .is_none()
    );
    assert_eq!(names(home.path()).len(), 1, "nothing is lost");
}

#[test]
fn a_save_that_fails_keeps_the_old_state_and_says_why() {
    let home = tempfile::tempdir().unwrap();
    let key = Rc::new(SealingKey::random());
    let vault = prepared(home.path(), StoreChoice::Keyring, &key);
    vault.save(&state("first")).unwrap();
    fs::remove_file(home.path().join("sealed")).unwrap();
    fs::create_dir(home.path().join("sealed")).unwrap();
    let said = vault.save(&state("second")).unwrap_err();
    assert!(said.contains("it is a folder"), "{said}");
    assert_eq!(names(home.path()), ["sealed"]);
}

#[test]
fn temp_files_of_a_killed_agent_are_swept_at_the_start() {
    let home = tempfile::tempdir().unwrap();
    let left = format!(".sealed.{}.tmp", "0".repeat(32));
    fs::write(home.path().join(left), "x").unwrap();
    drop(FileVault::alone(home.path()));
    assert!(names(home.path()).is_empty());
}

#[test]
fn a_symlink_is_not_read_for_the_sealed_file_or_the_tombstones() {
    let home = tempfile::tempdir().unwrap();
    let theirs = home.path().join("theirs");
    fs::write(&theirs, "{}").unwrap();
    let state = home.path().join("oam");
    fs::create_dir(&state).unwrap();
    symlink(&theirs, state.join("sealed")).unwrap();
    symlink(&theirs, state.join("tombstones.json")).unwrap();
    let vault = FileVault::alone(&state);
    assert!(wait(vault.open()).is_err());
    assert!(vault.tombstones().unwrap_err().contains("symbolic link"));
}

#[test]
fn tombstones_are_read_back_whatever_the_store_and_garbled_ones_are_a_fault() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("oam");
    let vault = FileVault::alone(&folder);
    assert!(vault.tombstones().unwrap().is_empty());
    let stone = Tombstone {
        epoch: 7,
        standing: StandingWord::Revoked,
        detail: Some(EndReason::Words("a signal".into())),
        at_ms: 5,
        outstanding: Vec::new(),
    };
    let aged = Tombstone {
        standing: StandingWord::Ended,
        detail: Some(EndReason::SessionAge {
            session_age_ms: 60_000,
        }),
        ..stone.clone()
    };
    let stones = BTreeMap::from([
        ("acme".parse().unwrap(), stone),
        ("other".parse().unwrap(), aged),
    ]);
    wait(vault.prepare(StoreChoice::Memory.into())).unwrap();
    vault.persist_tombstone(&stones).unwrap();
    assert_eq!(FileVault::alone(&folder).tombstones().unwrap(), stones);
    let path = folder.join("tombstones.json");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
    let whole = fs::read(&path).unwrap();
    for garbled in [&b""[..], b"\0\0", &whole[..whole.len() - 1], b"[]"] {
        fs::write(&path, garbled).unwrap();
        let said = vault.tombstones().unwrap_err();
        assert!(said.contains("can't be understood"), "{said}");
    }
}

#[test]
fn tombstones_that_somebody_else_wrote_are_seen_and_our_own_are_not() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("oam");
    let tombstone = |epoch| {
        let tombstone = Tombstone {
            epoch,
            standing: StandingWord::SignedOut,
            detail: None,
            at_ms: 0,
            outstanding: Vec::new(),
        };
        BTreeMap::from([("acme".parse().unwrap(), tombstone)])
    };
    let (ours, theirs) = (FileVault::alone(&folder), FileVault::alone(&folder));
    assert!(
        matches!(ours.meanwhile(), Meanwhile::Nothing),
        "not read yet"
    );
    assert!(ours.tombstones().unwrap().is_empty());
    assert!(matches!(ours.meanwhile(), Meanwhile::Nothing));
    theirs.persist_tombstone(&tombstone(1)).unwrap();
    let Meanwhile::Buried(found) = ours.meanwhile() else {
        panic!("not seen");
    };
    assert_eq!(found.values().next().unwrap().epoch, 1);
    assert!(matches!(ours.meanwhile(), Meanwhile::Nothing), "told once");
    ours.persist_tombstone(&tombstone(2)).unwrap();
    assert!(matches!(ours.meanwhile(), Meanwhile::Nothing), "our own");
    fs::write(folder.join("tombstones.json"), "garbled").unwrap();
    for _ in 0..2 {
        assert!(
            matches!(ours.meanwhile(), Meanwhile::Unreadable(_)),
            "until it is mended"
        );
    }
    theirs.persist_tombstone(&tombstone(3)).unwrap();
    assert!(matches!(ours.meanwhile(), Meanwhile::Buried(_)));
}

#[test]
fn what_was_moved_aside_goes_with_an_end_and_the_session_stays() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("oam");
    let key = Rc::new(SealingKey::random());
    let vault = prepared(&folder, StoreChoice::Keyring, &key);
    vault.save(&state("t")).unwrap();
    for name in ["sealed.unreadable-1", "sealed.unreadable"] {
        fs::write(folder.join(name), "older").unwrap();
    }
    vault.discard_aside().unwrap();
    assert_eq!(names(&folder), ["sealed"]);
}
