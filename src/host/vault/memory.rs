//! What the vault holds in memory: the key, and where it is kept otherwise.

use oam_wire::message::StoreChoice;
use std::rc::Rc;
use zeroize::Zeroizing;

/// The sealing key: 256 random bits. Boxed, so that moving it copies no bytes; wiped at the end.
///
/// Its page is not locked by itself: the session's tokens lie in the same heap, so the whole process is
/// locked where its limit allows that (`system/process.rs`).
pub(super) struct SealingKey(Box<Zeroizing<[u8; 32]>>);

impl SealingKey {
    /// A new one.
    pub(super) fn random() -> Self {
        let mut bytes = Box::new(Zeroizing::new([0; 32]));
        oam_system::clock::fill(bytes.as_mut_slice());
        Self(bytes)
    }

    pub(super) fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// As a keyring keeps it: 64 hex digits, which every store and viewer takes as text.
    pub(super) fn to_hex(&self) -> Zeroizing<Vec<u8>> {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let mut text = Zeroizing::new(Vec::with_capacity(64));
        for byte in self.0.iter() {
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
        text
    }

    /// `None` when the text is not a key.
    pub(super) fn from_hex(text: &[u8]) -> Option<Self> {
        if text.len() != 64 {
            return None;
        }
        let mut bytes = Box::new(Zeroizing::new([0u8; 32]));
        for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
            let [high, low] = pair else { return None };
            let value = char::from(*high).to_digit(16)? * 16 + char::from(*low).to_digit(16)?;
            *byte = u8::try_from(value).ok()?;
        }
        Some(Self(bytes))
    }
}

/// A store and its key; [`StoreChoice::Memory`] has none.
#[derive(Clone)]
pub(super) struct OpenVault {
    pub(super) store: StoreChoice,
    pub(super) key: Option<Rc<SealingKey>>,
}

#[cfg(test)]
mod tests {
    use super::SealingKey;

    #[test]
    fn a_key_comes_back_from_its_text_and_nothing_else_is_taken_for_one() {
        let key = SealingKey::random();
        let text = key.to_hex();
        assert_eq!(SealingKey::from_hex(&text).unwrap().bytes(), key.bytes());
        assert_ne!(SealingKey::random().bytes(), key.bytes());
        let mut odd = text.to_vec();
        odd[3] = b'g';
        for wrong in [&odd[..], &text[1..], b"", &[0xff; 64]] {
            assert!(SealingKey::from_hex(wrong).is_none());
        }
    }
}
