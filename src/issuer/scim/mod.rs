//! SCIM 2.0 (RFC 7643, RFC 7644): the company's directory tells who is active and who is in which group.
//!
//! `filter` and `patch` read what directories send, as pure functions; `schema` says which attributes are kept;
//! `user` and `group` turn a record into what is shown and back; `provision` makes one durable batch of each
//! change, with what follows for the people that it is about.

pub mod filter;
#[cfg(test)]
mod filter_tests;
pub mod group;
mod patch;
pub mod provision;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod user;

use crate::http::limiter::Limiter;
use oam_model::name::SourceName;
use oam_store::StoreFault;
use tokio::sync::{Mutex, MutexGuard};

/// Longest text that is kept, characters.
const LONGEST: usize = 256;

/// Directories whose pace is remembered.
const DIRECTORIES: usize = 1_000;

/// What directories send.
pub struct DirectoryTraffic {
    /// The pace of each.
    pub requests: Limiter<SourceName>,
    /// When it was last noted that one was heard.
    pub heard: Limiter<SourceName>,
    /// What they say is taken one after the other: two of their words together can take a role that neither takes
    /// alone.
    turn: Mutex<()>,
}

impl DirectoryTraffic {
    /// Waits until nothing that a directory says is being decided. Another policy is compared with everybody's groups
    /// in such a turn too: what takes a role together would else be seen by neither.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }
}

impl Default for DirectoryTraffic {
    fn default() -> Self {
        Self {
            requests: Limiter::new(DIRECTORIES),
            heard: Limiter::new(DIRECTORIES),
            turn: Mutex::default(),
        }
    }
}

/// Why a request of a directory is refused: the error of RFC 7644 §3.12.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimError {
    /// The HTTP status.
    pub status: u16,
    /// `scimType`.
    pub kind: Option<&'static str>,
    /// What is wrong and what to send instead.
    pub detail: String,
    /// Seconds after which another try makes sense.
    pub retry_after_s: Option<u64>,
}

impl ScimError {
    /// An error of this status.
    pub fn new(status: u16, kind: Option<&'static str>, detail: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            detail: detail.into(),
            retry_after_s: None,
        }
    }

    fn bad(kind: &'static str, detail: impl Into<String>) -> Self {
        Self::new(400, Some(kind), detail)
    }

    fn value(detail: impl Into<String>) -> Self {
        Self::bad("invalidValue", detail)
    }

    fn path(detail: impl Into<String>) -> Self {
        Self::bad("invalidPath", detail)
    }

    fn filter(detail: impl Into<String>) -> Self {
        Self::bad("invalidFilter", detail)
    }

    /// The body can't be read as SCIM.
    pub fn syntax(detail: impl Into<String>) -> Self {
        Self::bad("invalidSyntax", detail)
    }

    fn taken(detail: impl Into<String>) -> Self {
        Self::new(409, Some("uniqueness"), detail)
    }

    /// There is no such record.
    pub fn nothing(what: &str) -> Self {
        Self::new(404, None, format!("there is no {what} with this id"))
    }

    fn other_version() -> Self {
        Self::new(
            412,
            None,
            "the record has another version than If-Match names: read it again",
        )
    }

    /// Of the store's fault.
    pub fn of(fault: &StoreFault) -> Self {
        let refusal = fault.refusal();
        let status = match fault {
            StoreFault::Taken => 409,
            StoreFault::Invalid(_) => 400,
            _ => 503,
        };
        let kind = (status == 409).then_some("uniqueness");
        let detail = format!("{}: {}", refusal.sentence, refusal.next);
        Self {
            retry_after_s: (status == 503).then_some(5),
            ..Self::new(status, kind, detail)
        }
    }
}

/// A version as a weak entity tag.
pub fn etag(version: u64) -> String {
    format!("W/\"{version}\"")
}

fn shown_time(at_ms: u64) -> String {
    crate::when::when(at_ms)
}
