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

/// The address by which a peer calls itself, to end a sentence about it: often it is one slash off, and only who sees
/// it finds that. Empty for anything but a plain address, so that no prose of the peer's comes in that way.
pub fn named(address: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/?=%[]{}@".contains(c);
    let http = address.starts_with("https://") || address.starts_with("http://");
    if http && address.len() <= 200 && address.chars().all(plain) {
        format!(", `{address}`")
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_peer_is_called_by_an_address_and_by_nothing_else() {
        assert_eq!(
            named("https://login.acme.example/"),
            ", `https://login.acme.example/`"
        );
        for odd in [
            "",
            "acme",
            "https://a b",
            "https://a\u{1b}[31m",
            "https://a`x",
            "https://\u{202e}a",
            "javascript://x",
        ] {
            assert_eq!(named(odd), "", "{odd:?}");
        }
        assert_eq!(named(&format!("https://{}", "a".repeat(200))), "");
    }
}
