//! Which headers pass, each way.

use crate::source::HubCredential;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, COOKIE, EXPECT, HOST, HeaderName,
    PROXY_AUTHENTICATE, PROXY_AUTHORIZATION, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE,
    WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderValue};
use oam_model::granted::Scheme;
use zeroize::Zeroizing;

/// Of one connection (RFC 9110 §7.6.1). `Expect` is answered here, when the token is there.
const HOP: [HeaderName; 6] = [CONNECTION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, EXPECT];
const HOP_TOO: [&str; 3] = ["keep-alive", "proxy-connection", "http2-settings"];

/// What a hub would take as a credential.
const CREDENTIALS: [HeaderName; 3] = [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE];
const CREDENTIALS_TOO: [&str; 5] = [
    "private-token",
    "job-token",
    "deploy-token",
    "x-api-key",
    "x-auth-token",
];

/// What the hub would do at the child that is not the child's business.
const NOT_BACK: [HeaderName; 3] = [SET_COOKIE, WWW_AUTHENTICATE, PROXY_AUTHENTICATE];

/// The request's headers as the hub gets them, without a credential.
pub fn to_hub(headers: &HeaderMap) -> HeaderMap {
    let mut out = end_to_end(headers);
    out.remove(HOST);
    for name in CREDENTIALS {
        out.remove(name);
    }
    for name in CREDENTIALS_TOO {
        out.remove(name);
    }
    out
}

/// So that an answer can be read here.
pub fn take_no_encoding(headers: &mut HeaderMap) {
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
}

/// The answer's headers as the child gets them.
pub fn to_child(headers: &HeaderMap) -> HeaderMap {
    let mut out = end_to_end(headers);
    for name in NOT_BACK {
        out.remove(name);
    }
    out
}

fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let mut out = headers.clone();
    let listed = headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok());
    for name in listed.flat_map(|value| value.split(',')) {
        out.remove(name.trim());
    }
    for name in HOP {
        out.remove(name);
    }
    for name in HOP_TOO {
        out.remove(name);
    }
    out
}

/// The token as the hub takes it. `None`: it can't stand in a header.
pub fn credential(token: &HubCredential) -> Option<HeaderValue> {
    let text = match token.scheme {
        Scheme::Bearer => Zeroizing::new(format!("Bearer {}", token.token.expose())),
        Scheme::Basic => {
            let pair = Zeroizing::new(format!("{}:{}", token.username, token.token.expose()));
            Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())))
        }
    };
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::{to_child, to_hub};
    use http::{HeaderMap, HeaderName};

    fn map(rows: &[(&str, &str)]) -> HeaderMap {
        let mut map = HeaderMap::new();
        for (name, value) in rows {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        map
    }

    #[test]
    fn what_is_of_one_connection_and_what_is_a_credential_stays_here() {
        let sent = map(&[
            ("host", "127.0.0.1:1"),
            ("authorization", "Bearer capability"),
            ("cookie", "a=b"),
            ("private-token", "x"),
            ("connection", "keep-alive, X-Mine"),
            ("x-mine", "1"),
            ("transfer-encoding", "chunked"),
            ("te", "trailers"),
            ("expect", "100-continue"),
            ("keep-alive", "timeout=5"),
            ("range", "bytes=0-9"),
            ("content-length", "7"),
            ("accept-encoding", "gzip"),
        ]);
        assert_eq!(
            to_hub(&sent),
            map(&[
                ("range", "bytes=0-9"),
                ("content-length", "7"),
                ("accept-encoding", "gzip")
            ])
        );
        let answered = map(&[
            ("etag", "x"),
            ("set-cookie", "s=1"),
            ("www-authenticate", "Basic"),
            ("connection", "close"),
        ]);
        assert_eq!(to_child(&answered), map(&[("etag", "x")]));
    }
}
