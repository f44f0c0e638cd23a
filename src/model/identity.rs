//! Who the session belongs to, as the identity provider said it.

use serde::{Deserialize, Serialize};

/// The subject and claims of a session. No secret is in here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// The identity provider's issuer, byte for byte.
    pub issuer: String,
    /// The subject; with the issuer it names a person (never an e-mail alone).
    pub subject: String,
    /// For display only.
    pub email: Option<String>,
    /// Groups as the configured claim lists them.
    #[serde(default)]
    pub groups: Vec<String>,
    /// `auth_time` of the ID token, Unix seconds, when the provider sends it.
    pub auth_time: Option<u64>,
    /// `exp` of the last ID token, Unix seconds.
    pub id_token_expires: Option<u64>,
}
