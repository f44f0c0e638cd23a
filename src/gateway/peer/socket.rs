//! One question of `sock_diag(7)`: whose is the socket at the other end. One message of fixed form each way, so it is
//! written here; the crates for it bring four others, to dump all sockets.

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};
use std::net::SocketAddrV4;

/// A socket of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Socket {
    /// Who made it.
    pub(super) uid: u32,
    /// Its number, as `/proc/PID/fd` names it.
    pub(super) inode: u32,
}

/// `SOCK_DIAG_BY_FAMILY`.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `nlmsghdr`.
const HEADER: usize = 16;
/// `inet_diag_req_v2` with its header.
const QUESTION: usize = HEADER + 56;
/// `inet_diag_msg` with its header.
const ANSWER: usize = HEADER + 72;

/// The socket that is bound to `peer` and connected to `own`. `None`: the kernel does not say.
pub(super) fn of(peer: SocketAddrV4, own: SocketAddrV4) -> Option<Socket> {
    let kernel = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .ok()?;
    let question = question(peer, own);
    send(&kernel, &question, SendFlags::empty()).ok()?;
    let mut bytes = [0_u8; 1024];
    // The kernel has answered before `send` returns.
    let (_, count) = recv(&kernel, &mut bytes[..], RecvFlags::DONTWAIT).ok()?;
    answer(bytes.get(..count)?, &question)
}

/// Ports and addresses as both messages have them: `inet_diag_sockid` up to its addresses.
fn ends(peer: SocketAddrV4, own: SocketAddrV4) -> [u8; 36] {
    let mut id = [0; 36];
    id[0..2].copy_from_slice(&peer.port().to_be_bytes());
    id[2..4].copy_from_slice(&own.port().to_be_bytes());
    id[4..8].copy_from_slice(&peer.ip().octets());
    id[20..24].copy_from_slice(&own.ip().octets());
    id
}

fn question(peer: SocketAddrV4, own: SocketAddrV4) -> [u8; QUESTION] {
    const INET: u8 = 2;
    const TCP: u8 = 6;
    let mut bytes = [0; QUESTION];
    bytes[0..4].copy_from_slice(&72_u32.to_ne_bytes());
    bytes[4..6].copy_from_slice(&BY_FAMILY.to_ne_bytes());
    bytes[6..8].copy_from_slice(&REQUEST.to_ne_bytes());
    bytes[16..18].copy_from_slice(&[INET, TCP]);
    // In any state, of any interface, whatever its cookie.
    bytes[20..24].copy_from_slice(&u32::MAX.to_ne_bytes());
    bytes[24..60].copy_from_slice(&ends(peer, own));
    bytes[64..72].copy_from_slice(&[0xff; 8]);
    bytes
}

/// Reads it; only about the connection that was asked for, and only where somebody still holds the socket.
fn answer(bytes: &[u8], question: &[u8; QUESTION]) -> Option<Socket> {
    let number = |at: usize| {
        let field = bytes.get(at..at + 4)?;
        Some(u32::from_ne_bytes(field.try_into().ok()?))
    };
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let same = |at: usize, end: usize| {
        bytes
            .get(at - 4..end - 4)
            .is_some_and(|part| Some(part) == question.get(at..end))
    };
    // Ports, then addresses: IPv4 fills the first four of sixteen bytes.
    let is_it =
        bytes.len() >= ANSWER && kind == BY_FAMILY && same(24, 28) && same(28, 32) && same(44, 48);
    let socket = Socket {
        uid: number(80)?,
        inode: number(84)?,
    };
    (is_it && socket.inode != 0).then_some(socket)
}

#[cfg(test)]
mod tests {
    use super::{ANSWER, Socket, answer, question};

    #[test]
    fn an_answer_about_another_connection_or_none_is_no_answer() {
        let question = question(
            "127.0.0.1:40000".parse().unwrap(),
            "127.0.0.1:4711".parse().unwrap(),
        );
        let mut bytes = [0; ANSWER];
        bytes[4..6].copy_from_slice(&20_u16.to_ne_bytes());
        bytes[20..56].copy_from_slice(&question[24..60]);
        bytes[80..84].copy_from_slice(&1000_u32.to_ne_bytes());
        bytes[84..88].copy_from_slice(&77_u32.to_ne_bytes());
        let good = Some(Socket {
            uid: 1000,
            inode: 77,
        });
        assert_eq!(answer(&bytes, &question), good);
        for at in [4, 20, 22, 24, 40] {
            let mut other = bytes;
            other[at] ^= 1;
            assert_eq!(answer(&other, &question), None, "{at}");
        }
        let mut closed = bytes;
        closed[84..88].fill(0);
        assert_eq!(answer(&closed, &question), None);
        for length in [0, 16, 20, ANSWER - 1] {
            assert_eq!(answer(&bytes[..length], &question), None);
        }
    }
}
