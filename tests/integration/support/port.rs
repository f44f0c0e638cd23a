//! A port of our own that a server can leave and come back to.

use super::parts::tool;
use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Below the range from which systems take the ports of outgoing connections and of `bind(0)`: those
/// could take ours while its server is down.
const FIRST: u16 = 18_000;
const COUNT: u16 = 12_000;

/// Where locks of ports lie: one folder for all checkouts of this user, and not a temporary one, which would be
/// left over after every run.
fn locks() -> PathBuf {
    Path::new(tool("OAM_PARTS")).join("ports")
}

/// A port that no other test takes as long as this lives.
pub struct Port {
    /// Its number.
    pub number: u16,
    _lock: File,
}

impl Port {
    /// Takes a free one.
    pub fn take() -> Self {
        let folder = locks();
        std::fs::create_dir_all(&folder).unwrap();
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let start = now.subsec_nanos() ^ std::process::id().wrapping_mul(7919);
        for step in 0..u32::from(COUNT) {
            let offset = (start.wrapping_add(step * 37)) % u32::from(COUNT);
            let number = FIRST + u16::try_from(offset).unwrap();
            let Ok(lock) = File::create(folder.join(number.to_string())) else {
                continue; // another user's
            };
            let free = lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok();
            if free {
                return Self {
                    number,
                    _lock: lock,
                };
            }
        }
        panic!("no port is free");
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.number)
    }
}
