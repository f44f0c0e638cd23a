//! A server in the place of an LDAP server that answers with anything but LDAP.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What whoever asks gets.
#[derive(Clone)]
pub struct Lie {
    /// The first words; an answer to the sign-in, or to the wish for TLS.
    pub says: Vec<u8>,
    /// What follows them.
    pub then: Then,
}

/// What follows the first words.
#[derive(Clone, Copy)]
pub enum Then {
    /// The connection ends.
    Closes,
    /// Nothing, until the client goes.
    Waits,
    /// More bytes, until the client goes.
    GoesOn,
}

/// The server, until it is dropped.
pub struct LdapLiar {
    lie: Arc<Mutex<Lie>>,
    stop: Arc<AtomicBool>,
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl LdapLiar {
    /// Listens on this port of loopback.
    pub fn start(port: u16, lie: Lie) -> Self {
        let door = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
        let lie = Arc::new(Mutex::new(lie));
        let stop = Arc::new(AtomicBool::new(false));
        let (told, ended) = (Arc::clone(&lie), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            for stream in door.incoming().map_while(Result::ok) {
                if ended.load(Ordering::SeqCst) {
                    return;
                }
                let lie = told.lock().unwrap().clone();
                std::thread::spawn(move || answer(stream, &lie));
            }
        });
        Self {
            lie,
            stop,
            port,
            thread: Some(thread),
        }
    }

    /// Another lie from the next connection on.
    pub fn tells(&self, lie: Lie) {
        *self.lie.lock().unwrap() = lie;
    }
}

impl Drop for LdapLiar {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // One more, to be looked at.
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The client speaks first, and may be gone at any time.
fn answer(mut stream: TcpStream, lie: &Lie) {
    let mut asked = [0; 4096];
    if !matches!(stream.read(&mut asked), Ok(1..)) || stream.write_all(&lie.says).is_err() {
        return;
    }
    let more = vec![b'x'; 65_536];
    match lie.then {
        Then::Closes => {}
        Then::Waits => while matches!(stream.read(&mut asked), Ok(1..)) {},
        Then::GoesOn => while stream.write_all(&more).is_ok() {},
    }
}

/// A message with this in it (RFC 4511 §4.1.1): a sequence of the number and the operation.
pub fn message(number: u8, operation: &[u8]) -> Vec<u8> {
    sequence(&[&[2, 1, number], operation].concat())
}

/// A sequence of these bytes.
pub fn sequence(inner: &[u8]) -> Vec<u8> {
    let length = u32::try_from(inner.len()).unwrap().to_be_bytes();
    [&[0x30, 0x84], &length[..], inner].concat()
}

/// Sequences in sequences.
pub fn nested(deep: usize) -> Vec<u8> {
    // From the innermost one, which is empty, to the outermost, backwards.
    let mut backwards: Vec<u8> = Vec::new();
    for _ in 0..deep {
        let length = u32::try_from(backwards.len()).unwrap();
        backwards.extend(length.to_le_bytes());
        backwards.extend([0x84, 0x30]);
    }
    backwards.reverse();
    backwards
}
