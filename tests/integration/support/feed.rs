//! A subscriber of the issuer's feed: server-sent events, frame by frame.

use super::http::{Answer, Ask, Body};
use serde_json::Value;
use std::io::{BufRead as _, BufReader, Read as _};

/// One server-sent event.
#[derive(Debug, Clone)]
pub struct Frame {
    /// `id:`.
    pub id: Option<String>,
    /// `event:`.
    pub event: String,
    /// `data:`.
    pub data: Value,
}

/// An open stream.
pub struct Feed {
    lines: BufReader<Body>,
    /// The headers of the answer.
    pub headers: Vec<(String, String)>,
}

impl Feed {
    /// Opens the feed of `issuer` for this bearer, after a cursor if there is one.
    ///
    /// # Errors
    /// The answer, when it is not 200.
    pub fn open(issuer: &str, bearer: &str, after: Option<&str>) -> Result<Self, Answer> {
        let mut ask = Ask::get(&format!("{issuer}/v1/feed"))
            .bearer(bearer)
            .header("Accept", "text/event-stream");
        if let Some(id) = after {
            ask = ask.header("Last-Event-ID", id);
        }
        let mut opened = ask.open().expect("the issuer answers");
        if opened.status == 200 {
            return Ok(Self {
                lines: BufReader::new(opened.body),
                headers: opened.headers,
            });
        }
        let mut body = Vec::new();
        let _ = opened.body.read_to_end(&mut body);
        Err(Answer {
            status: opened.status,
            headers: opened.headers,
            body,
        })
    }

    /// The next event; none when the stream has ended.
    pub fn next(&mut self) -> Option<Frame> {
        let (mut id, mut event, mut data) = (None, String::new(), String::new());
        loop {
            let mut line = String::new();
            if self.lines.read_line(&mut line).unwrap_or(0) == 0 {
                return None;
            }
            let line = line.trim_end_matches(['\r', '\n']);
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "id" => id = Some(value.to_owned()),
                "event" => value.clone_into(&mut event),
                "data" => data.push_str(value),
                "" if line.is_empty() && !event.is_empty() => {
                    let data = serde_json::from_str(&data).expect("JSON in an event");
                    // The head of the audit log comes whenever anybody does anything.
                    if event == "head" {
                        return self.next();
                    }
                    return Some(Frame { id, event, data });
                }
                _ => {}
            }
        }
    }

    /// Reads on until an event of this kind; all that came before it, and it.
    #[track_caller]
    pub fn until(&mut self, event: &str) -> Vec<Frame> {
        let mut seen = Vec::new();
        while let Some(frame) = self.next() {
            let found = frame.event == event;
            seen.push(frame);
            if found {
                return seen;
            }
        }
        panic!("the stream ended without `{event}`: {seen:?}");
    }
}
