//! From the HTTP client's errors to facts in our own words. Its own texts hold URLs and are not used.

use oam_model::answer::EndpointFault;
use oam_model::organization::Denial;
use std::error::Error;
use std::io;

/// A fault from before the answer's head.
pub(super) fn of(error: &reqwest::Error) -> EndpointFault {
    // `is_connect`: name, proxy, TCP or TLS failed, so no byte of the request was written.
    if error.is_builder() || error.is_connect() {
        EndpointFault::NotSent {
            why: connect_words(error).to_owned(),
        }
    } else {
        lost(error)
    }
}

/// A fault from after the request may have arrived.
pub(super) fn lost(error: &reqwest::Error) -> EndpointFault {
    let why = if error.is_timeout() {
        "no answer in time"
    } else {
        "the connection broke before the whole answer was there"
    };
    EndpointFault::Lost {
        why: why.to_owned(),
    }
}

/// An answer longer than what is read.
pub(super) fn too_long(status: u16) -> EndpointFault {
    if status == 200 {
        EndpointFault::Unreadable {
            why: "the answer is longer than 1 MiB".to_owned(),
        }
    } else {
        EndpointFault::Status {
            status,
            error: None,
            bare: false,
        }
    }
}

fn connect_words(error: &reqwest::Error) -> &'static str {
    if error.is_dns() {
        return "its name can't be resolved";
    }
    let mut next: Option<&(dyn Error + 'static)> = error.source();
    while let Some(cause) = next {
        if cause.to_string().contains("certificate") {
            return "its TLS certificate is not trusted; a company's own roots go into `ca_file`";
        }
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            match io.kind() {
                io::ErrorKind::ConnectionRefused => return "the connection was refused",
                io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable => {
                    return "there is no route to it";
                }
                _ => {}
            }
        }
        next = cause.source();
    }
    if error.is_timeout() {
        "no connection in time"
    } else {
        "the connection could not be made"
    }
}

/// The `error` code of an OAuth error (RFC 6749 §5.2), when the body is one. Only plain characters:
/// the code is shown and logged, and an endpoint's prose must not come in that way.
pub(super) fn oauth_error(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct OAuthError {
        error: String,
    }
    let code = serde_json::from_slice::<OAuthError>(body).ok()?.error;
    plain_code(&code)
}

/// An error code as it may be shown: 1 to 64 letters, digits, `_`, `-`, `.`, `:`.
pub(crate) fn plain_code(code: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let short: String = code.chars().take(64).collect();
    (!short.is_empty() && short.chars().all(plain)).then_some(short)
}

/// Longest sentence taken over from an issuer, characters.
const SENTENCE: usize = 400;

/// The issuer's refusal in an error's body, made fit to be shown: one line, nothing that moves a
/// cursor or turns text around (R42).
pub(super) fn denial(body: &[u8]) -> Option<(Option<String>, Denial)> {
    #[derive(serde::Deserialize)]
    struct Refused {
        #[serde(default)]
        error: Option<String>,
        oam: Denial,
    }
    let Refused { error, oam } = serde_json::from_slice(body).ok()?;
    let error = error.as_deref().and_then(plain_code);
    let denial = Denial {
        code: oam.code,
        sentence: plain_text(&oam.sentence),
        next: plain_text(&oam.next),
        reason: oam.reason.as_deref().map(plain_text),
        request_id: plain_id(&oam.request_id),
    };
    (!denial.sentence.is_empty()).then_some((error, denial))
}

/// Text of the issuer's as it may be shown and logged.
pub(crate) fn plain_text(text: &str) -> String {
    let turns = |c: char| {
        matches!(
            c,
            '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}' | '\u{feff}'
        ) || ('\u{202a}'..='\u{202e}').contains(&c)
            || ('\u{2066}'..='\u{2069}').contains(&c)
    };
    text.chars()
        .filter(|c| !c.is_control() && !turns(*c))
        .take(SENTENCE)
        .collect()
}

/// A request id as the contract has it; empty when it is none.
pub(crate) fn plain_id(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    if id.len() <= 64 && id.chars().all(plain) {
        id.to_owned()
    } else {
        String::new()
    }
}

#[cfg(test)]
mod tests {
    use super::{denial, plain_text};

    #[test]
    fn an_issuers_words_are_one_harmless_line() {
        assert_eq!(plain_text("a\u{1b}[2J\nb\u{202e}c"), "a[2Jbc");
        assert_eq!(plain_text(&"x".repeat(9_000)).len(), 400);
        let body = br#"{"error":"invalid_scope","oam":{"code":"denied","sentence":"no\r role","next":"ask","request_id":"a b"}}"#;
        let (error, denied) = denial(body).unwrap();
        assert_eq!(error.as_deref(), Some("invalid_scope"));
        assert_eq!(
            (denied.sentence.as_str(), denied.request_id.as_str()),
            ("no role", "")
        );
    }

    #[test]
    fn what_is_no_refusal_of_an_issuer_is_none() {
        for body in [
            "{\"error\":\"invalid_scope\"}",
            "{\"oam\":{\"code\":\"whatever\",\"sentence\":\"s\",\"next\":\"n\",\"request_id\":\"\"}}",
            "{\"oam\":{\"code\":\"denied\",\"sentence\":\"\",\"next\":\"n\",\"request_id\":\"\"}}",
            "<html>",
        ] {
            assert!(denial(body.as_bytes()).is_none(), "{body}");
        }
    }
}
