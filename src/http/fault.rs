//! From the HTTP client's errors to facts in our own words. Its own texts hold URLs and are not used.

use oam_model::answer::EndpointFault;
use std::error::Error;
use std::io;

/// A fault from before the answer's head.
pub fn of(error: &reqwest::Error) -> EndpointFault {
    // `is_connect`: name, proxy, TCP or TLS failed, so no byte of the request was written.
    if error.is_builder() || error.is_connect() {
        let why = connect_words(error).to_owned();
        EndpointFault::NotSent { why }
    } else {
        lost(error)
    }
}

/// A fault from after the request may have arrived.
pub fn lost(error: &reqwest::Error) -> EndpointFault {
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
pub fn too_long(status: u16) -> EndpointFault {
    if status == 200 {
        let why = "the answer is longer than 1 MiB".to_owned();
        return EndpointFault::Unreadable { why };
    }
    EndpointFault::Status {
        status,
        error: None,
        bare: false,
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
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return "the connection was refused",
            Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
                return "there is no route to it";
            }
            _ => next = cause.source(),
        }
    }
    if error.is_timeout() {
        "no connection in time"
    } else {
        "the connection could not be made"
    }
}

/// The `error` code of an OAuth error (RFC 6749 §5.2), when the body is one.
pub fn oauth_error(body: &[u8]) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct OAuthError {
        error: String,
    }
    plain_code(&serde_json::from_slice::<OAuthError>(body).ok()?.error)
}

/// A code of somebody else as it may be shown and logged: its first 64 characters, when all of them
/// are letters, digits, `_`, `-`, `.` or `:`, so that no prose comes in that way.
pub fn plain_code(code: &str) -> Option<String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    let short: String = code.chars().take(64).collect();
    (!short.is_empty() && short.chars().all(plain)).then_some(short)
}
