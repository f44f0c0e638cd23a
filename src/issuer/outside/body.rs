//! Request bodies and credentials in buffers that are wiped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use oam_model::secret::Secret;
use serde::Serialize;
use std::io;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

/// A request body, encoded.
pub(super) struct Payload {
    content_type: &'static str,
    bytes: Zeroizing<Vec<u8>>,
}

impl Payload {
    /// `application/x-www-form-urlencoded`.
    pub(super) fn form(pairs: &[(&str, &str)]) -> Self {
        // Room for all of it at once (a byte becomes three at most), because a buffer that grows
        // leaves its old bytes behind.
        let room = pairs.iter().map(|(k, v)| 3 * (k.len() + v.len()) + 2).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        for (name, value) in pairs {
            if !bytes.is_empty() {
                bytes.push(b'&');
            }
            form_text(&mut bytes, name);
            bytes.push(b'=');
            form_text(&mut bytes, value);
        }
        Self {
            content_type: "application/x-www-form-urlencoded",
            bytes,
        }
    }

    /// `application/json`. Written twice, the first time only to count.
    pub(super) fn json<T: Serialize>(value: &T) -> Result<Self, String> {
        let no_json = |_| "the request can't be written as JSON".to_owned();
        let mut length = Count(0);
        serde_json::to_writer(&mut length, value).map_err(no_json)?;
        let mut bytes = Zeroizing::new(Vec::with_capacity(length.0));
        serde_json::to_writer(&mut *bytes, value).map_err(no_json)?;
        Ok(Self {
            content_type: "application/json",
            bytes,
        })
    }

    /// The value of `Content-Type`.
    pub(super) const fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// A body that is wiped when the last one who sends it lets go.
    pub(super) fn into_body(self) -> reqwest::Body {
        Bytes::from_owner(self.bytes).into()
    }
}

/// The value of `Authorization` for client credentials: both are form-encoded first (RFC 6749
/// §2.3.1), which RFC 7617 alone does not do.
pub(super) fn basic(id: &str, secret: &Secret) -> Zeroizing<String> {
    let room = 3 * (id.len() + secret.expose().len()) + 1;
    let mut pair = Zeroizing::new(Vec::with_capacity(room));
    form_text(&mut pair, id);
    pair.push(b':');
    form_text(&mut pair, secret.expose());
    let mut text = Zeroizing::new(String::with_capacity(6 + pair.len().div_ceil(3) * 4));
    text.push_str("Basic ");
    STANDARD.encode_string(&*pair, &mut text);
    text
}

fn form_text(out: &mut Vec<u8>, text: &str) {
    for part in byte_serialize(text.as_bytes()) {
        out.extend_from_slice(part.as_bytes());
    }
}

struct Count(usize);

impl io::Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::{Payload, basic};
    use oam_model::secret::Secret;

    #[test]
    fn a_form_is_read_back_as_it_was() {
        let pairs = [("a", "x y&=ü+"), ("b\"", "\u{1}\\\"ß\n")];
        let body = Payload::form(&pairs);
        let back: Vec<(String, String)> = url::form_urlencoded::parse(&body.bytes)
            .into_owned()
            .collect();
        assert_eq!(back, pairs.map(|(k, v)| (k.into(), v.into())));
    }

    #[test]
    fn a_json_body_is_written_in_one_allocation() {
        let value = serde_json::json!({"a": "x".repeat(5000)});
        let body = Payload::json(&value).unwrap();
        assert_eq!(body.bytes.len(), body.bytes.capacity());
        let back: serde_json::Value = serde_json::from_slice(&body.bytes).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn client_credentials_are_form_encoded_before_base64() {
        let text = basic("a:b", &Secret::new("c d".into()));
        // "a%3Ab:c+d"
        assert_eq!(*text, "Basic YSUzQWI6Yytk");
    }
}
