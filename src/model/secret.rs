//! A value that must not be shown, copied or left in memory.

use serde::{Deserialize, Deserializer, Serializer};
use std::sync::Arc;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A token or key as text. It has no `Debug`, `Display` or `Clone` on purpose: waiters share one
/// (`Arc<Secret>`), and the bytes are wiped when the last owner lets go.
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct Secret(String);

impl Secret {
    /// Takes ownership of `text`; no copy of the bytes is made.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself. Every call of this is a place where a secret can leave: keep them few.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Compares in a time that depends on the length only.
    pub fn matches(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0u8, |acc, (x, y)| acc | (x ^ y)) == 0
    }
}

/// `#[serde(with = "secret::wire")]`: the only way a [`Secret`] is written down, so that a derive
/// on a surrounding type never does it by accident.
pub mod wire {
    use super::{Deserialize, Deserializer, Secret, Serializer};

    /// Writes the text.
    pub fn serialize<S: Serializer>(secret: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(secret.expose())
    }

    /// Reads the text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Secret, D::Error> {
        String::deserialize(deserializer).map(Secret::new)
    }
}

/// `#[serde(with = "secret::shared")]`: the same for a secret with several owners.
pub mod shared {
    use super::{Arc, Deserializer, Secret, Serializer, wire};

    /// Writes the text.
    pub fn serialize<S: Serializer>(
        secret: &Arc<Secret>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        wire::serialize(secret, serializer)
    }

    /// Reads the text.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<Secret>, D::Error> {
        wire::deserialize(deserializer).map(Arc::new)
    }
}

#[cfg(test)]
mod tests {
    use super::Secret;

    #[test]
    fn equal_text_matches_and_other_text_does_not() {
        let secret = Secret::new("abc".into());
        assert!(secret.matches(&Secret::new("abc".into())));
        assert!(!secret.matches(&Secret::new("abd".into())));
        assert!(!secret.matches(&Secret::new("ab".into())));
    }
}
