//! What an HTTP endpoint answered when it did not give what was asked, as facts.
//!
//! Edges collect the facts; `session/standing.rs` decides what they mean (promise 3).

use super::organization::Denial;
use super::refusal::Refusal;
use serde::{Deserialize, Serialize};

/// Facts about a token endpoint's unsuccessful answer. Nothing in it is the endpoint's own prose:
/// descriptions can quote tokens and SQL (facts of real providers), so they are never kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointFault {
    /// The request did not leave: no route, refused connection, TLS failure, unresolvable name.
    NotSent {
        /// Our own short words.
        why: String,
    },
    /// The request may have arrived, its answer did not: reset, time-out, cut body.
    Lost {
        /// Our own short words.
        why: String,
    },
    /// An answer with a status other than 200.
    Status {
        /// The HTTP status.
        status: u16,
        /// The `error` code when the body is an OAuth error (RFC 6749 §5.2), cut to 64 plain characters.
        error: Option<String>,
        /// The body was empty, or nothing OAuth-shaped was in it.
        bare: bool,
    },
    /// The organization's own issuer refused, in the words that people read: they are ours, and the
    /// session is bound to that issuer (promise 9).
    Denied {
        /// The HTTP status.
        status: u16,
        /// The `error` code, as above.
        error: Option<String>,
        /// Member `oam` of the answer, cut to plain text.
        denial: Box<Denial>,
        /// `Retry-After`, seconds.
        retry_after_s: Option<u64>,
    },
    /// What is asked for can't be said in such a request, so none was sent, and none ever will be.
    Unfit {
        /// Our own short words.
        why: String,
    },
    /// Status 200 whose body can't be read as what was asked.
    Unreadable {
        /// Our own short words.
        why: String,
    },
    /// A readable answer that fails a check by name: `iss`, `aud`, `nonce`, `alg`, `scope`, …
    Check {
        /// The check's name.
        name: String,
        /// Our own short words.
        why: String,
    },
}

impl EndpointFault {
    /// The issuer's own refusal, if it is one.
    pub const fn denial(&self) -> Option<&Denial> {
        if let Self::Denied { denial, .. } = self {
            Some(denial)
        } else {
            None
        }
    }

    /// That refusal in its three parts.
    pub fn refusal(&self) -> Option<Refusal> {
        let denial = self.denial()?;
        let refusal = Refusal::new(denial.code, denial.sentence.clone(), denial.next.clone());
        Some(refusal.because(denial.reason.as_deref()))
    }
}
