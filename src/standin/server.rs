//! A loopback server with canned answers.

use std::sync::{Arc, Mutex};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What a request is answered with.
#[derive(Clone)]
pub enum Canned {
    /// Status, content type, body.
    Say(u16, &'static str, String),
    /// The whole answer's bytes.
    Raw(Vec<u8>),
    /// The same in parts, each sent by itself.
    Parts(Vec<Vec<u8>>),
    /// The connection is reset without an answer.
    Reset,
    /// Nothing, for ever.
    Silence,
}

impl Canned {
    /// Status 200 with this JSON.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::Say(200, "application/json", value.to_string())
    }

    /// An OAuth error.
    pub fn error(status: u16, code: &str) -> Self {
        let body = serde_json::json!({"error": code, "error_description": "SELECT token"});
        Self::Say(status, "application/json", body.to_string())
    }
}

/// A request as it arrived.
#[derive(Clone)]
pub struct Seen {
    /// `GET /path?query`.
    pub line: String,
    /// The header lines.
    pub head: String,
    pub body: String,
}

impl Seen {
    /// The body's parameters.
    pub fn form(&self) -> std::collections::BTreeMap<String, String> {
        url::form_urlencoded::parse(self.body.as_bytes())
            .into_owned()
            .collect()
    }
}

/// The server. It ends with the test's runtime.
pub struct StandIn {
    /// `http://127.0.0.1:PORT`.
    pub base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl StandIn {
    /// Answers every request with what `script` says about it (and about the server's own base).
    pub async fn start(script: impl Fn(&str, &Seen) -> Canned + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (script, log, own) = (Arc::new(script), Arc::clone(&seen), base.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (script, log, own) = (Arc::clone(&script), Arc::clone(&log), own.clone());
                tokio::spawn(async move {
                    let mut stream = stream;
                    if let Some(request) = read(&mut stream).await {
                        log.lock().unwrap().push(request.clone());
                        let canned = script(&own, &request);
                        answer(stream, canned).await;
                    }
                });
            }
        });
        Self { base, seen }
    }

    /// All requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many requests so far had this path.
    pub fn count(&self, path: &str) -> usize {
        let hit = |s: &Seen| s.line.split(' ').nth(1) == Some(path);
        self.seen().iter().filter(|s| hit(s)).count()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut part = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|w| w == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .find_map(|l| {
                    l.to_ascii_lowercase()
                        .strip_prefix("content-length:")?
                        .trim()
                        .parse()
                        .ok()
                })
                .unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                let (line, head) = head.split_once("\r\n").unwrap_or((&head, ""));
                let body = String::from_utf8_lossy(&bytes[end + 4..]).into_owned();
                return Some(Seen {
                    line: line.trim_end_matches(" HTTP/1.1").to_owned(),
                    head: head.to_owned(),
                    body,
                });
            }
        }
        match stream.read(&mut part).await {
            Ok(n) if n > 0 => bytes.extend_from_slice(&part[..n]),
            _ => return None,
        }
    }
}

async fn answer(mut stream: TcpStream, canned: Canned) {
    match canned {
        Canned::Say(status, kind, body) => {
            let head = format!(
                "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body.as_bytes()).await;
        }
        Canned::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
        }
        Canned::Parts(parts) => {
            for part in parts {
                let _ = stream.write_all(&part).await;
                let _ = stream.flush().await;
                tokio::task::yield_now().await;
            }
        }
        Canned::Reset => {
            // Dropped without a byte; the client sees its connection end.
        }
        Canned::Silence => std::future::pending().await,
    }
}
