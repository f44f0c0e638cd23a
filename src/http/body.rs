//! Request bodies in buffers that are wiped.

use bytes::Bytes;
use serde::Serialize;
use std::io;
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
            form_text(&mut bytes, name);
            bytes.push(b'=');
            form_text(&mut bytes, value);
        }
        Self {
            content_type: "application/x-www-form-urlencoded",
            bytes,
        }
    }

    /// `application/json`: one flat object of texts.
    ///
    /// # Errors
    /// None in practice: texts are JSON.
    pub fn object(pairs: &[(&str, &str)]) -> Result<Self, String> {
        Self::json(&Flat(pairs))
    }

    /// `application/json`. Written twice, the first time only to count.
    ///
    /// # Errors
    /// The value is none that JSON can hold.
    pub fn json<T: Serialize>(value: &T) -> Result<Self, String> {
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
    pub const fn content_type(&self) -> &'static str {
        self.content_type
    }

    /// A body that is wiped when the last one who sends it lets go.
    pub(crate) fn into_body(self) -> reqwest::Body {
        Bytes::from_owner(self.bytes).into()
    }
}

/// Appends a text as a form has it.
pub(crate) fn form_text(out: &mut Vec<u8>, text: &str) {
    for part in byte_serialize(text.as_bytes()) {
        out.extend_from_slice(part.as_bytes());
    }
}

struct Flat<'a>(&'a [(&'a str, &'a str)]);

impl Serialize for Flat<'_> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_map(self.0.iter().copied())
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

/// Appends to a buffer that must not leave its old bytes behind when it grows.
pub(crate) fn append(buffer: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
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
    fn a_json_body_is_written_in_one_allocation() {
        let value = serde_json::json!({"a": "x\u{1}\\\"ß\n".repeat(1000)});
        let body = Payload::json(&value).unwrap();
        assert_eq!(body.bytes.len(), body.bytes.capacity());
        let back: serde_json::Value = serde_json::from_slice(&body.bytes).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn a_json_object_is_read_back_as_it_was() {
        let body = Payload::object(&PAIRS).unwrap();
        let back: serde_json::Value = serde_json::from_slice(&body.bytes).unwrap();
        assert_eq!(
            back,
            serde_json::json!({"a": PAIRS[0].1, "b\"": PAIRS[1].1})
        );
        let empty = Payload::object(&[]).unwrap();
        assert_eq!(empty.bytes.as_slice(), b"{}");
    }

    #[test]
    fn encoding_never_outgrows_the_first_buffer() {
        let worst = "\u{1}".repeat(1000);
        let body = Payload::form(&[("n", &worst), ("m", &worst)]);
        let room: usize = body.bytes.capacity();
        assert!(body.bytes.len() <= room && room < 14_000, "{room}");
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
