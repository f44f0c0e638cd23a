//! Request bodies in buffers that are wiped.

use bytes::Bytes;
use url::form_urlencoded::byte_serialize;
use zeroize::Zeroizing;

/// A request body, encoded.
pub struct Payload {
    content_type: &'static str,
    bytes: Zeroizing<Vec<u8>>,
}

impl Payload {
    /// `application/x-www-form-urlencoded`.
    pub fn form(pairs: &[(&str, &str)]) -> Self {
        // A byte becomes three at most; room for all of it at once, because a buffer that grows
        // leaves its old bytes behind.
        let room = pairs.iter().map(|(k, v)| 3 * (k.len() + v.len()) + 2).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room));
        for (name, value) in pairs {
            if !bytes.is_empty() {
                bytes.push(b'&');
            }
            for part in byte_serialize(name.as_bytes()) {
                bytes.extend_from_slice(part.as_bytes());
            }
            bytes.push(b'=');
            for part in byte_serialize(value.as_bytes()) {
                bytes.extend_from_slice(part.as_bytes());
            }
        }
        Self {
            content_type: "application/x-www-form-urlencoded",
            bytes,
        }
    }

    /// `application/json`: one flat object of texts.
    pub fn json(pairs: &[(&str, &str)]) -> Self {
        // A byte becomes six at most (`\u0000`).
        let room: usize = pairs.iter().map(|(k, v)| 6 * (k.len() + v.len()) + 6).sum();
        let mut bytes = Zeroizing::new(Vec::with_capacity(room + 2));
        bytes.push(b'{');
        for (name, value) in pairs {
            if bytes.len() > 1 {
                bytes.push(b',');
            }
            json_text(&mut bytes, name);
            bytes.push(b':');
            json_text(&mut bytes, value);
        }
        bytes.push(b'}');
        Self {
            content_type: "application/json",
            bytes,
        }
    }

    /// `application/json`: any value that holds no secret, since its buffer may grow.
    pub fn value(value: &impl serde::Serialize) -> Option<Self> {
        Some(Self {
            content_type: "application/json",
            bytes: Zeroizing::new(serde_json::to_vec(value).ok()?),
        })
    }

    /// The value of `Content-Type`.
    pub const fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// A body that is wiped when the last one who sends it lets go.
    pub(super) fn into_body(self) -> reqwest::Body {
        Bytes::from_owner(self.bytes).into()
    }
}

/// Written by hand, because the general writer gives an error that can't happen here.
fn json_text(out: &mut Vec<u8>, text: &str) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for byte in text.bytes() {
        match byte {
            b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
            0..0x20 => {
                out.extend_from_slice(b"\\u00");
                out.push(HEX[usize::from(byte >> 4)]);
                out.push(HEX[usize::from(byte & 15)]);
            }
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

/// Appends to a buffer that must not leave its old bytes behind when it grows.
pub(super) fn append(buffer: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    if buffer.capacity() - buffer.len() < more.len() {
        let mut larger = Zeroizing::new(Vec::with_capacity(2 * (buffer.len() + more.len())));
        larger.extend_from_slice(buffer);
        std::mem::swap(buffer, &mut larger);
    }
    buffer.extend_from_slice(more);
}

#[cfg(test)]
mod tests {
    use super::{Payload, append};
    use zeroize::Zeroizing;

    const PAIRS: [(&str, &str); 2] = [("a", "x y&=ü+"), ("b\"", "\u{1}\\\"ß\n")];

    #[test]
    fn a_form_is_read_back_as_it_was() {
        let body = Payload::form(&PAIRS);
        let back: Vec<(String, String)> = url::form_urlencoded::parse(&body.bytes)
            .into_owned()
            .collect();
        assert_eq!(back, PAIRS.map(|(k, v)| (k.into(), v.into())));
    }

    #[test]
    fn a_json_object_is_read_back_as_it_was() {
        let body = Payload::json(&PAIRS);
        let back: serde_json::Value = serde_json::from_slice(&body.bytes).unwrap();
        assert_eq!(
            back,
            serde_json::json!({"a": PAIRS[0].1, "b\"": PAIRS[1].1})
        );
        let empty: serde_json::Value = serde_json::from_slice(&Payload::json(&[]).bytes).unwrap();
        assert_eq!(empty, serde_json::json!({}));
    }

    #[test]
    fn encoding_never_outgrows_the_first_buffer() {
        let worst = "\u{1}".repeat(1000);
        for make in [Payload::form, Payload::json] {
            let body = make(&[("n", &worst), ("m", &worst)]);
            let room: usize = body.bytes.capacity();
            assert!(body.bytes.len() <= room && room < 14_000, "{room}");
        }
    }

    #[test]
    fn a_growing_answer_keeps_its_bytes() {
        let mut buffer = Zeroizing::new(Vec::with_capacity(1));
        for part in [b"abc".as_slice(), b"", b"defghijklmnop"] {
            append(&mut buffer, part);
        }
        assert_eq!(buffer.as_slice(), b"abcdefghijklmnop");
    }
}
