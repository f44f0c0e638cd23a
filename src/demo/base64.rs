//! The two corners of base64 (RFC 4648) that the demo's servers need.
//!
//! Rejected: a dependency for forty lines that only a demo runs.

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// URL-safe without padding (RFC 7636 §4.2 wants exactly this for PKCE).
pub fn url_safe(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0u32, |word, b| (word << 8) | u32::from(*b));
        let word = word << (8 * (3 - chunk.len()));
        for place in 0..=chunk.len() {
            let index = (word >> (18 - 6 * place)) & 63;
            let letter = STANDARD.get(index as usize).copied().unwrap_or(b'A');
            text.push(match letter {
                b'+' => '-',
                b'/' => '_',
                other => char::from(other),
            });
        }
    }
    text
}

/// The standard alphabet with padding, as HTTP Basic wants it (RFC 7617).
pub fn standard_text(bytes: &[u8]) -> String {
    let mut text = url_safe(bytes).replace('-', "+").replace('_', "/");
    while !text.len().is_multiple_of(4) {
        text.push('=');
    }
    text
}

/// Decodes the standard alphabet, as in HTTP Basic (RFC 7617). `None`: not base64.
pub fn standard(text: &str) -> Option<Vec<u8>> {
    let text = text.trim_end_matches('=').as_bytes();
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3 + 2);
    for chunk in text.chunks(4) {
        if chunk.len() == 1 {
            return None;
        }
        let mut word = 0u32;
        for place in 0..4 {
            let value = match chunk.get(place) {
                Some(letter) => u32::try_from(STANDARD.iter().position(|l| l == letter)?).ok()?,
                None => 0,
            };
            word = (word << 6) | value;
        }
        bytes.extend(word.to_be_bytes().iter().skip(1).take(chunk.len() - 1));
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::{standard, standard_text, url_safe};

    #[test]
    fn url_safe_text_has_no_padding_and_no_reserved_letters() {
        assert_eq!(url_safe(b""), "");
        assert_eq!(url_safe(b"f"), "Zg");
        assert_eq!(url_safe(b"fo"), "Zm8");
        assert_eq!(url_safe(b"foo"), "Zm9v");
        assert_eq!(url_safe(&[0xfb, 0xff, 0xfe]), "-__-");
        assert_eq!(standard_text(b"f"), "Zg==");
        assert_eq!(standard_text(&[0xfb, 0xff, 0xfe]), "+//+");
    }

    #[test]
    fn standard_text_is_decoded_with_and_without_padding() {
        assert_eq!(standard("Zm9vYg==").as_deref(), Some(b"foob".as_slice()));
        assert_eq!(standard("Zm9vYmE").as_deref(), Some(b"fooba".as_slice()));
        assert_eq!(standard("Zm9v").as_deref(), Some(b"foo".as_slice()));
    }

    #[test]
    fn text_that_is_not_base64_is_refused() {
        assert_eq!(standard("Zm9v!"), None);
        assert_eq!(standard("Z"), None);
        assert_eq!(standard("Zm 9"), None);
    }
}
