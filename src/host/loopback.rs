//! The redirect target of a sign-in: a listener on 127.0.0.1 for as long as somebody waits (R28, R36).
//!
//! Written by hand on `httparse` and not with a web framework: it answers one kind of request, a
//! handful of times, and what it must refuse is longer than what it must understand.

mod page;
mod request;
#[cfg(test)]
mod tests;

pub use page::CallbackPage;
pub use request::Callback;

use oam_model::secret::Secret;
use request::{CallbackVerdict, ExpectedCallback};
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

/// Longest request head, bytes.
const HEAD_CAP: usize = 8 * 1024;
/// How long one connection may take to send its head, and to take its answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// Connections served at once; browsers open one or two ahead of need.
const CONNECTIONS: usize = 16;

/// A bound listener. Dropping it closes the port.
pub struct Loopback {
    listener: TcpListener,
    port: u16,
    path: String,
}

/// The browser that brought the answer and waits for its page.
pub struct Browser(TcpStream);

/// Why nothing came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoCallback {
    /// Nobody came back within the limit.
    Silence,
    /// Somebody came, but never with the `state` of this sign-in.
    WrongState,
    /// The listener failed.
    Broken,
}

impl Loopback {
    /// Binds 127.0.0.1; port 0 takes any free one (RFC 8252 §7.3).
    ///
    /// # Errors
    /// The system's kind of error, in words.
    pub async fn bind(port: u16, path: &str) -> Result<Self, String> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(|e| e.kind().to_string())?;
        let port = listener
            .local_addr()
            .map_err(|e| e.kind().to_string())?
            .port();
        Ok(Self {
            listener,
            port,
            path: path.to_owned(),
        })
    }

    /// The redirect URI: always the literal address, never `localhost` (RFC 8252 §8.3).
    pub fn redirect_uri(&self) -> String {
        format!("http://127.0.0.1:{}{}", self.port, self.path)
    }

    /// Waits for the first request that carries `state`, then closes the listener. Everybody else
    /// gets an error page and the wait goes on: a stale tab or a guessing page must not be able to
    /// end somebody's sign-in.
    ///
    /// # Errors
    /// See [`NoCallback`].
    pub async fn wait(
        self,
        state: &str,
        limit: Duration,
    ) -> Result<(Callback, Browser), NoCallback> {
        let mut wrong_state = false;
        let waited = tokio::time::timeout(limit, self.serve(state, &mut wrong_state)).await;
        match waited {
            Ok(arrived) => arrived,
            Err(_) if wrong_state => Err(NoCallback::WrongState),
            Err(_) => Err(NoCallback::Silence),
        }
    }

    async fn serve(
        self,
        state: &str,
        wrong_state: &mut bool,
    ) -> Result<(Callback, Browser), NoCallback> {
        let expected = Arc::new(ExpectedCallback {
            host: format!("127.0.0.1:{}", self.port),
            path: self.path.clone(),
            state: Secret::new(state.to_owned()),
        });
        // Dropped with this future, and all its connections with it.
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept(), if connections.len() < CONNECTIONS => {
                    let stream = match accepted {
                        Ok((stream, _)) => stream,
                        // One that hung up before it was accepted is not our failure.
                        Err(e) if e.kind() == std::io::ErrorKind::ConnectionAborted => continue,
                        Err(_) => return Err(NoCallback::Broken),
                    };
                    connections.spawn(hear(stream, Arc::clone(&expected)));
                }
                Some(heard) = connections.join_next(), if !connections.is_empty() => match heard {
                    Ok(Heard::Callback(callback, browser)) => return Ok((callback, browser)),
                    Ok(Heard::WrongState) => *wrong_state = true,
                    Ok(Heard::Other) | Err(_) => {}
                },
            }
        }
    }
}

impl Browser {
    /// Shows how the sign-in went and closes the connection. A browser that went away is no fault.
    pub async fn show(mut self, page: &CallbackPage) {
        let _ = tokio::time::timeout(PATIENCE, write(&mut self.0, page)).await;
    }
}

enum Heard {
    Callback(Callback, Browser),
    WrongState,
    Other,
}

async fn hear(mut stream: TcpStream, expected: Arc<ExpectedCallback>) -> Heard {
    let verdict = match tokio::time::timeout(PATIENCE, head(&mut stream)).await {
        Ok(Some(bytes)) => expected.judge(&bytes),
        // A connection opened ahead of need, or one that dawdles: no answer is owed.
        Ok(None) | Err(_) => return Heard::Other,
    };
    let (page, heard) = match verdict {
        CallbackVerdict::Callback(callback) => return Heard::Callback(callback, Browser(stream)),
        CallbackVerdict::WrongState => (
            CallbackPage::refused(
                400,
                "The `state` of this answer is not the one of the sign-in that waits.",
            ),
            Heard::WrongState,
        ),
        CallbackVerdict::Refused(status, why) => (CallbackPage::refused(status, why), Heard::Other),
    };
    Browser(stream).show(&page).await;
    heard
}

/// Reads up to the blank line. `None`: closed before, or longer than [`HEAD_CAP`] without an end.
async fn head(stream: &mut TcpStream) -> Option<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(vec![0; HEAD_CAP]);
    let mut filled = 0;
    loop {
        let read = stream.read(bytes.get_mut(filled..)?).await.ok()?;
        if read == 0 {
            // Closed, or the buffer is full: the latter is judged as it is, and refused.
            return (filled == HEAD_CAP).then_some(bytes);
        }
        filled += read;
        let seen = bytes.get(..filled)?;
        if seen.windows(4).any(|w| w == b"\r\n\r\n") {
            bytes.truncate(filled);
            return Some(bytes);
        }
    }
}

async fn write(stream: &mut TcpStream, page: &CallbackPage) -> std::io::Result<()> {
    stream.write_all(&page.response()).await?;
    stream.shutdown().await
}
