//! A connected socket whose owner was checked: what differs between systems on the client's side.

use super::socket_path::SocketPath;
use interprocess::local_socket::traits::StreamCommon;
use std::io;
use std::time::Duration;

/// The stream that a client reads and writes. On Unix the bare socket type and not the enum over
/// both systems: one type less between us and the descriptor, and it can be made from our own
/// connect, which has a deadline.
#[cfg(unix)]
pub type Stream = interprocess::os::unix::uds_local_socket::Stream;
/// The stream that a client reads and writes.
#[cfg(windows)]
pub type Stream = interprocess::local_socket::Stream;

/// Why there is no stream.
#[derive(Debug)]
pub enum ConnectError {
    /// Nobody listens.
    NotRunning,
    /// The socket is served by another user.
    Foreign,
    /// Anything else.
    Fault(io::Error),
}

/// Connects. A full backlog is waited for, at most `limit`.
#[cfg(unix)]
pub fn connect(place: &SocketPath, limit: Duration) -> Result<Stream, ConnectError> {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
    let fault = |error: rustix::io::Errno| ConnectError::Fault(error.into());
    let address = SocketAddrUnix::new(&place.socket).map_err(fault)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let flags = SocketFlags::empty();
    let (family, kind) = (AddressFamily::UNIX, SocketType::STREAM);
    let socket = rustix::net::socket_with(family, kind, flags, None).map_err(fault)?;
    // SO_SNDTIMEO bounds connect too; std offers no deadline for local sockets.
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Send, Some(limit)).map_err(fault)?;
    rustix::net::connect(&socket, &address).map_err(|error| match error {
        rustix::io::Errno::NOENT | rustix::io::Errno::CONNREFUSED => ConnectError::NotRunning,
        other => fault(other),
    })?;
    checked(Stream::from(socket))
}

/// Connects. Windows offers no deadline here.
#[cfg(windows)]
pub fn connect(place: &SocketPath, _limit: Duration) -> Result<Stream, ConnectError> {
    use interprocess::local_socket::{GenericFilePath, ToFsName, traits::Stream as _};
    let name = place
        .socket
        .as_os_str()
        .to_fs_name::<GenericFilePath>()
        .map_err(ConnectError::Fault)?;
    let stream = Stream::connect(name).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ConnectError::NotRunning,
        _ => ConnectError::Fault(error),
    })?;
    checked(stream)
}

/// The kernel tells who listens there (`SO_PEERCRED`, `getpeereid`): before a byte is sent (R14).
fn checked(stream: Stream) -> Result<Stream, ConnectError> {
    let peer = stream.peer_creds().map_err(ConnectError::Fault)?;
    if serves_us(&peer) {
        Ok(stream)
    } else {
        Err(ConnectError::Foreign)
    }
}

#[cfg(unix)]
fn serves_us(peer: &interprocess::local_socket::PeerCreds) -> bool {
    peer.euid() == Some(rustix::process::geteuid().as_raw())
}

/// The pipe's access list is checked by the agent; the server's SID is not looked at yet (R38).
#[cfg(windows)]
fn serves_us(peer: &interprocess::local_socket::PeerCreds) -> bool {
    peer.pid().is_some()
}
