//! From the HTTP client's errors to facts in our own words. Its own texts hold URLs and are not used.

use crate::tls;
use oam_model::answer::EndpointFault;
use std::error::Error;
use std::io;

/// A fault from before the answer's head.
pub fn of(error: &reqwest::Error) -> EndpointFault {
    // `is_connect`: name, proxy, TCP or TLS failed, so no byte of the request was written.
    if error.is_builder() || error.is_connect() {
        let why = match tls::untrusted(error) {
            Some(untrusted) => untrusted.words(),
            None => connect_words(error).to_owned(),
        };
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
    if let Some(words) = proxy_words(error) {
        return words;
    }
    if error.is_dns() {
        return "its name can't be resolved";
    }
    for cause in causes(error) {
        match cause.downcast_ref::<io::Error>().map(io::Error::kind) {
            Some(io::ErrorKind::ConnectionRefused) => return "the connection was refused",
            Some(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => {
                return "there is no route to it";
            }
            _ => {}
        }
    }
    if error.is_timeout() {
        "no connection in time"
    } else {
        "the connection could not be made"
    }
}

/// What became of the way through a proxy: without these words the fault of the proxy would pass for one of the
/// server, which was never reached.
fn proxy_words(error: &reqwest::Error) -> Option<&'static str> {
    let said = causes(error).map(ToString::to_string);
    // The client keeps the type of this error to itself; a test against a real proxy holds its words.
    let tunnel = said
        .into_iter()
        .find(|said| said.starts_with("tunnel error"))?;
    if tunnel.ends_with("proxy authorization required") {
        return Some(
            "the proxy wants a user name and password, or others than it got (407): `proxy_auth_file` names the file with them; in a CI job HTTPS_PROXY holds them",
        );
    }
    if !tunnel.ends_with("failed to create underlying connection") {
        return Some(
            "the proxy opens no way to it: ask whoever runs the proxy to allow this address",
        );
    }
    if error.is_dns() {
        return Some("the proxy's name can't be resolved: look at `proxy`");
    }
    let refused = causes(error).any(|cause| {
        let kind = cause.downcast_ref::<io::Error>().map(io::Error::kind);
        kind == Some(io::ErrorKind::ConnectionRefused)
    });
    Some(if refused {
        "the proxy refused the connection: look at `proxy`, and whether it is up"
    } else {
        "the proxy can't be reached: look at `proxy`, and whether it is up"
    })
}

fn causes<'e>(error: &'e reqwest::Error) -> impl Iterator<Item = &'e (dyn Error + 'static)> {
    std::iter::successors(error.source(), |cause: &&'e (dyn Error + 'static)| {
        (**cause).source()
    })
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
