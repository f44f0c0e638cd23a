//! Who is at the other end of a connection, by the kernel's word: every user of the machine reaches a loopback address,
//! and a capability can be read by whoever may look into the child.
//!
//! On Linux a connection is served when its socket is this user's and a descendant of this program (`oam exec`) holds it.
//! Other systems tell neither by a documented interface; there the capability alone decides.

#[cfg(target_os = "linux")]
mod socket;
#[cfg(target_os = "linux")]
mod tree;

use std::net::SocketAddr;

/// Why a connection is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stranger {
    /// Another user's.
    OtherUser,
    /// This user's, and of no process that the command started.
    OtherTree,
    /// The kernel does not say whose it is.
    Unknown,
}

impl Stranger {
    /// Sentence and next step, for those that are told.
    pub const fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::OtherUser | Self::OtherTree => (
                "this gateway serves one command and what it starts, and this process is none of them",
                "start it with `oam exec` of its own",
            ),
            Self::Unknown => (
                "the kernel does not say which process this connection belongs to",
                "use `oam exec --token-file`, or a system with socket diagnostics and /proc",
            ),
        }
    }
}

/// Looks who made the connection from `peer` to `own`. Blocks for some file reads.
///
/// # Errors
/// It is not to be served.
#[cfg(target_os = "linux")]
pub fn check(peer: SocketAddr, own: SocketAddr) -> Result<(), Stranger> {
    let (SocketAddr::V4(peer), SocketAddr::V4(own)) = (peer, own) else {
        return Err(Stranger::Unknown);
    };
    let socket = socket::of(peer, own).ok_or(Stranger::Unknown)?;
    if socket.uid != rustix::process::geteuid().as_raw() {
        return Err(Stranger::OtherUser);
    }
    match tree::holds(std::process::id(), socket.inode) {
        Some(true) => Ok(()),
        Some(false) => Err(Stranger::OtherTree),
        None => Err(Stranger::Unknown),
    }
}

/// Looks who made the connection.
///
/// # Errors
/// None: this system does not tell.
#[cfg(not(target_os = "linux"))]
pub fn check(_peer: SocketAddr, _own: SocketAddr) -> Result<(), Stranger> {
    Ok(())
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::{Stranger, check, socket, tree};
    use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};
    use std::os::fd::AsRawFd;
    use std::os::unix::fs::MetadataExt;
    use std::process::{Command, Stdio};

    fn v4(address: SocketAddr) -> SocketAddrV4 {
        match address {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(_) => panic!("{address}"),
        }
    }

    fn inode(stream: &TcpStream) -> u64 {
        let path = format!("/proc/self/fd/{}", stream.as_raw_fd());
        std::fs::metadata(path).unwrap().ino()
    }

    #[test]
    fn the_kernel_tells_user_and_socket_of_the_other_end() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = listener.local_addr().unwrap();
        let client = TcpStream::connect(own).unwrap();
        let (accepted, peer) = listener.accept().unwrap();
        let found = socket::of(v4(peer), v4(own)).unwrap();
        assert_eq!(found.uid, rustix::process::geteuid().as_raw());
        assert_eq!(u64::from(found.inode), inode(&client));
        assert_ne!(
            u64::from(found.inode),
            inode(&accepted),
            "the other end's, not ours"
        );
        assert_eq!(check(peer, own), Ok(()), "this process is of its own tree");
        // A connection that is not there, and one that is only listened for.
        assert!(socket::of(v4(own), v4(own)).is_none());
        drop(client);
        assert_eq!(check(peer, own), Err(Stranger::Unknown));
    }

    #[test]
    fn a_descendants_socket_is_found_and_one_that_left_the_tree_is_not() {
        // The shell and its child have the connection as their standard input.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let inode = u32::try_from(inode(&client)).unwrap();
        let mut child = Command::new("sh")
            .args(["-c", "sleep 600 & echo ready; wait"])
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(client)))
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = [0; 6];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut line).unwrap();
        assert_eq!(tree::holds(std::process::id(), inode), Some(true));
        assert_eq!(tree::holds(child.id(), inode), Some(true));
        let other = Command::new("sleep").arg("600").spawn().unwrap();
        assert_eq!(tree::holds(other.id(), inode), Some(false), "another tree");
        for mut child in [child, other] {
            let children =
                std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id()));
            child.kill().unwrap();
            child.wait().unwrap();
            for pid in children.unwrap_or_default().split_whitespace() {
                let pid = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
    }
}
