//! What the issuer does to itself: open files, readiness, room.

use oam_model::system_error::reason;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::os::unix::net::UnixDatagram;

/// As many open files as the system allows us: 10,000 feeds are 10,000 sockets, and the usual soft
/// limit is 1,024. Answers the limit that holds now.
pub fn raise_open_files() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    let now = match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    now.unwrap_or(u64::MAX)
}

/// The limit of open files that holds now.
pub fn open_files() -> u64 {
    rustix::process::getrlimit(Resource::Nofile)
        .current
        .unwrap_or(u64::MAX)
}

/// Tells the service manager about us (`sd_notify`): `READY=1`, `STOPPING=1`, `STATUS=…`. Nothing
/// happens without one.
pub fn notify(state: &str) {
    let Some(place) = std::env::var_os("NOTIFY_SOCKET") else {
        return;
    };
    let sent = UnixDatagram::unbound().and_then(|socket| {
        #[cfg(target_os = "linux")]
        if let Some(name) = place.to_str().and_then(|text| text.strip_prefix('@')) {
            use std::os::linux::net::SocketAddrExt;
            let address = std::os::unix::net::SocketAddr::from_abstract_name(name)?;
            return socket.send_to_addr(state.as_bytes(), &address);
        }
        socket.send_to(state.as_bytes(), &place)
    });
    if let Err(error) = sent {
        tracing::warn!(
            kind = reason(error.kind()),
            "the service manager could not be told"
        );
    }
}

/// Room for this user on the disk of a folder, bytes; none where it can't be told.
pub fn free_room(folder: &std::path::Path) -> Option<u64> {
    let about = rustix::fs::statvfs(folder).ok()?;
    Some(about.f_bavail.saturating_mul(about.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::{Resource, raise_open_files};

    #[test]
    fn the_limit_of_open_files_is_as_high_as_allowed() {
        let raised = raise_open_files();
        let limit = rustix::process::getrlimit(Resource::Nofile);
        assert_eq!(limit.current.unwrap_or(u64::MAX), raised);
    }
}
