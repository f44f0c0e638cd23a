//! Signing keys and client secrets at rest.

use oam_model::issuer::SigningAlgorithm;
use oam_model::name::{HubName, SourceName};

/// A signing key at rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// `kid`.
    pub kid: String,
    pub algorithm: SigningAlgorithm,
    /// PKCS#8, sealed with the master key.
    pub sealed: Vec<u8>,
    /// Public JWK, JSON.
    pub public: String,
    /// Unix milliseconds at which it was published.
    pub made_at_ms: u64,
    /// Unix milliseconds from which it signs.
    pub signs_from_ms: u64,
    /// Unix milliseconds at which it left the set: set at the rotation after it.
    pub gone_at_ms: Option<u64>,
}

/// Whose secret.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecretOwner {
    /// The issuer's client secret at this hub: sealed, for it must be sent.
    Hub(HubName),
    /// A client registered here, to introspect: as a salted hash.
    Client(String),
    /// The directory of a source, which shows it with every request: as a salted hash.
    Directory(SourceName),
}

/// A client secret at rest. The newest is used; older ones stay good for `until_ms`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretRow {
    /// Whose.
    pub owner: SecretOwner,
    /// Grows with every rotation.
    pub number: u64,
    /// Sealed text, or salt and hash.
    pub value: Vec<u8>,
    /// For a client: the hub whose tokens it may look at.
    pub hub: Option<HubName>,
    /// Unix milliseconds.
    pub made_at_ms: u64,
    /// Unix milliseconds at which it is no longer good.
    pub until_ms: Option<u64>,
}
