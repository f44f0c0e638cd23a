//! What is refused whoever asks: what only a browser or a rebound name sends, and what has no one meaning.

use crate::path;
use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Method, Uri};
use oam_model::name::percent_decoded;
use std::net::SocketAddr;

/// Why a request is turned away before its capability is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestError {
    /// `Host` is not this listener's address: a name that was rebound to it, or a proxy's request.
    Host,
    /// `Origin` or a preflight: a web page.
    WebPage,
    /// CONNECT, TRACE.
    Method,
    /// The path is read differently by different programs.
    Path,
    /// A credential in the address.
    Credential,
}

impl RequestError {
    /// One sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Host => "the gateway answers only at its own address",
            Self::WebPage => "the gateway does not answer web pages",
            Self::Method => "the gateway does not take this method",
            Self::Path => "this path could be read in two ways",
            Self::Credential => "the gateway takes no credential in an address",
        }
    }
}

/// Query parameters that hubs take as credential.
const CREDENTIALS: [&str; 4] = ["access_token", "private_token", "job_token", "oauth_token"];

/// Looks at what stands before the body; `own` is where this gateway listens.
///
/// # Errors
/// Why it is turned away.
pub fn admit(
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    own: SocketAddr,
) -> Result<(), RequestError> {
    let mut hosts = headers.get_all(HOST).iter();
    let host = hosts
        .next()
        .is_some_and(|host| host.as_bytes() == own.to_string().as_bytes());
    if !host || hosts.next().is_some() || uri.authority().is_some() {
        return Err(RequestError::Host);
    }
    if headers.contains_key(ORIGIN) || method == Method::OPTIONS {
        return Err(RequestError::WebPage);
    }
    if method == Method::CONNECT || method == Method::TRACE {
        return Err(RequestError::Method);
    }
    if !path::is_plain(uri.path()) {
        return Err(RequestError::Path);
    }
    let names = uri.query().unwrap_or_default().split(['&', ';']);
    let names = names.map(|pair| pair.split('=').next().unwrap_or(pair));
    for name in names {
        let name = percent_decoded(name).ok_or(RequestError::Path)?;
        if CREDENTIALS
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
        {
            return Err(RequestError::Credential);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{RequestError, admit};
    use http::{HeaderMap, HeaderName, Method, Uri};

    fn of(method: &Method, uri: &str, headers: &[(&str, &str)]) -> Result<(), RequestError> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        admit(
            method,
            &uri.parse::<Uri>().unwrap(),
            &map,
            "127.0.0.1:4711".parse().unwrap(),
        )
    }

    #[test]
    fn only_the_listeners_own_address_is_a_host() {
        let own = ("host", "127.0.0.1:4711");
        assert_eq!(of(&Method::GET, "/a/b", &[own]), Ok(()));
        for host in [
            "localhost:4711",
            "127.0.0.1",
            "evil.example:4711",
            "127.0.0.1:4712",
            "[::1]:4711",
            "127.0.0.1:4711.",
        ] {
            assert_eq!(
                of(&Method::GET, "/", &[("host", host)]),
                Err(RequestError::Host),
                "{host}"
            );
        }
        assert_eq!(of(&Method::GET, "/", &[]), Err(RequestError::Host));
        assert_eq!(of(&Method::GET, "/", &[own, own]), Err(RequestError::Host));
        assert_eq!(
            of(&Method::GET, "http://127.0.0.1:4711/", &[own]),
            Err(RequestError::Host)
        );
    }

    #[test]
    fn web_pages_and_tricks_are_turned_away() {
        let own = ("host", "127.0.0.1:4711");
        assert_eq!(
            of(&Method::OPTIONS, "/", &[own]),
            Err(RequestError::WebPage)
        );
        assert_eq!(
            of(&Method::GET, "/", &[own, ("origin", "null")]),
            Err(RequestError::WebPage)
        );
        assert_eq!(of(&Method::TRACE, "/", &[own]), Err(RequestError::Method));
        assert_eq!(of(&Method::GET, "/a/../b", &[own]), Err(RequestError::Path));
        for query in [
            "access_token=x",
            "a=b&Private_Token=x",
            "%61ccess_token=x",
            "job_token",
        ] {
            assert_eq!(
                of(&Method::GET, &format!("/a?{query}"), &[own]),
                Err(RequestError::Credential),
                "{query}"
            );
        }
        assert_eq!(
            of(&Method::GET, "/a?service=git-upload-pack", &[own]),
            Ok(())
        );
    }
}
