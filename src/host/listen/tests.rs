use super::{ListenOutcome, Listening, take};
use oam_model::refusal::Refusal;
use oam_wire::client::Client;
use oam_wire::socket_path::SocketPath;
use std::os::unix::fs::{FileTypeExt, PermissionsExt, symlink};
use std::os::unix::net::UnixListener;

fn place() -> (tempfile::TempDir, SocketPath) {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().canonicalize().unwrap().join("deep/oam");
    let place = SocketPath::in_folder(folder).unwrap();
    (home, place)
}

fn ours(place: &SocketPath) -> Listening {
    match take(place, None).unwrap() {
        ListenOutcome::Ours(listening) => listening,
        ListenOutcome::Theirs => panic!("somebody else is there"),
    }
}

fn refusal(place: &SocketPath) -> Refusal {
    take(place, None).err().unwrap()
}

fn mode(path: &std::path::Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o7777
}

#[test]
fn folder_and_socket_are_for_the_user_alone_and_gone_after_an_orderly_end() {
    let (_home, place) = place();
    let listening = ours(&place);
    assert_eq!(mode(&place.folder), 0o700);
    assert_eq!(mode(place.folder.parent().unwrap()), 0o700);
    assert_eq!(mode(&place.socket), 0o600);
    assert_eq!(mode(&place.folder.join("agent.lock")), 0o600);
    assert!(!place.folder.join("agent.new").exists());
    assert!(Client::connect(&place).is_ok());
    drop(listening);
    assert!(!place.socket.exists());
    assert!(Client::connect(&place).is_err());
}

#[test]
fn a_server_that_stops_accepts_nobody_while_it_still_holds_the_place() {
    let (_home, place) = place();
    let Listening { listener, hold } = ours(&place);
    drop(listener);
    assert!(Client::connect(&place).is_err(), "queued for nobody");
    assert!(place.folder.join("agent.lock").exists());
    drop(hold);
    assert!(!place.socket.exists());
}

#[test]
fn a_live_agent_is_respected() {
    let (_home, place) = place();
    let first = ours(&place);
    assert!(matches!(take(&place, None).unwrap(), ListenOutcome::Theirs));
    assert!(Client::connect(&place).is_ok());
    drop(first);
    drop(ours(&place));
}

#[test]
fn a_live_socket_without_a_lock_is_respected_too() {
    let (_home, place) = place();
    drop(ours(&place));
    let _other = UnixListener::bind(&place.socket).unwrap();
    assert!(matches!(take(&place, None).unwrap(), ListenOutcome::Theirs));
}

#[test]
fn a_socket_left_over_is_replaced() {
    let (_home, place) = place();
    drop(ours(&place));
    drop(UnixListener::bind(&place.socket).unwrap());
    drop(UnixListener::bind(place.folder.join("agent.new")).unwrap());
    let listening = ours(&place);
    assert!(Client::connect(&place).is_ok());
    drop(listening);
}

#[test]
fn something_that_is_no_socket_is_never_deleted() {
    let (_home, place) = place();
    drop(ours(&place));
    for name in ["agent.sock", "agent.new"] {
        let path = place.folder.join(name);
        std::fs::write(&path, "precious").unwrap();
        assert!(
            refusal(&place)
                .sentence
                .contains("something else than a socket")
        );
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "precious");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn a_link_in_place_of_lock_or_socket_is_refused() {
    let (home, place) = place();
    drop(ours(&place));
    let target = home.path().join("target");
    symlink(&target, &place.socket).unwrap();
    assert!(refusal(&place).sentence.contains("something else"));
    std::fs::remove_file(&place.socket).unwrap();
    std::fs::remove_file(place.folder.join("agent.lock")).unwrap();
    symlink(&target, place.folder.join("agent.lock")).unwrap();
    let _ = refusal(&place);
    assert!(!target.exists());
}

#[test]
fn an_open_folder_is_refused_and_not_mended() {
    let (_home, place) = place();
    drop(ours(&place));
    std::fs::set_permissions(&place.folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    assert!(refusal(&place).sentence.contains("open to other users"));
    assert_eq!(mode(&place.folder), 0o755);
}

#[test]
fn a_passed_socket_is_served_and_stays() {
    let (_home, place) = place();
    drop(ours(&place));
    let passed = UnixListener::bind(&place.socket).unwrap();
    let taken = take(&place, Some(passed)).unwrap();
    assert!(matches!(taken, ListenOutcome::Ours(_)));
    assert!(Client::connect(&place).is_ok());
    drop(taken);
    assert!(
        place
            .socket
            .symlink_metadata()
            .unwrap()
            .file_type()
            .is_socket()
    );
}

#[test]
fn an_activated_agent_takes_over_when_the_one_before_lets_go() {
    let (_home, place) = place();
    let before = ours(&place);
    let passed = UnixListener::bind(place.folder.join("passed.sock")).unwrap();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| take(&place, Some(passed)));
        // Were it asked to make way for an agent that answers, it would leave its own socket to nobody.
        drop(before);
        let taken = waits.join().unwrap().unwrap();
        let ListenOutcome::Ours(listening) = taken else {
            panic!("it left");
        };
        assert!(listening.hold.is_passed());
        assert!(listening.hold.socket().ends_with("passed.sock"));
    });
}
