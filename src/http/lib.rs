//! The one way out by HTTP, of the agent and of the issuer: short requests with secrets in them, answers as facts.
//! Nothing of the peer's prose is kept.
//!
//! What is wiped here (R17): request bodies, and the buffer an answer is collected in. What is not
//! ours to wipe: header values, and the buffers of the TLS layer and of the socket below it.

mod answer;
mod auth;
mod body;
mod client;
pub mod fault;
mod proxy;
mod roots;
mod tls;

pub use answer::{Answer, collect, content_type};
pub use auth::Auth;
pub use body::Payload;
pub use client::{ClientPolicy, HttpClient, Via};
pub use roots::{ca_sha256, roots};
pub use tls::{CA_REMEDY, refused_certificate, tls_for_roots};

use std::time::Duration;
use url::{Host, Url};

/// Longest answer that is read, bytes.
pub const ANSWER_CAP: usize = 1024 * 1024;
/// Total time for a request, connecting and reading included, unless a caller has its own.
pub const TOTAL: Duration = Duration::from_secs(10);

/// Parses a URL that a request may go to: https, or http to a loopback address (R35). User names,
/// passwords and fragments are refused: nothing of ours needs them, and they hide the real host.
///
/// # Errors
/// Our own words.
pub fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "the address is not a URL".to_owned())?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => {
            return Err(
                "the address is not https (http is for loopback addresses only)".to_owned(),
            );
        }
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("the address holds a user name, a password or a fragment".to_owned());
    }
    Ok(url)
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::endpoint;

    #[test]
    fn only_https_and_loopback_http_are_endpoints() {
        for good in [
            "https://idp.example/t",
            "https://h.example/x?y=1",
            "http://127.0.0.1:8080/t",
            "http://127.9.9.9/t",
            "http://[::1]:8080/t",
            "http://localhost:1/t",
        ] {
            assert!(endpoint(good).is_ok(), "{good}");
        }
        for bad in [
            "http://idp.example/t",
            "http://localhost.example/t",
            "http://10.0.0.1/t",
            "http://127.0.0.1.example/",
            "ftp://127.0.0.1/",
            "file:///etc/passwd",
            "https://user@idp.example/t",
            "https://u:p@idp.example/t",
            "https://idp.example/t#f",
            "idp.example",
            "",
        ] {
            assert!(endpoint(bad).is_err(), "{bad}");
        }
    }
}
