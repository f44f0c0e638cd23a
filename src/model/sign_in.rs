//! How a person signs in: in a browser of this machine, or by a code on another device (RFC 8628).

use serde::{Deserialize, Serialize};

/// The way of a sign-in, as it was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum SignInBy {
    /// Authorization code: the browser comes back to a port of this machine.
    #[default]
    Browser,
    /// Device code; a refusal where the organization or its provider does not have it.
    Device,
    /// Device code where organization and provider have it, else a browser.
    DeviceIfOffered,
}

impl SignInBy {
    /// Whether it is the usual way, which is not written on the wire.
    pub fn is_browser(&self) -> bool {
        *self == Self::Browser
    }
}

/// The way in which somebody signed in, for the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SignedInBy {
    /// A browser of this machine came back with the code.
    Browser,
    /// Somebody confirmed a device code, in whatever browser.
    Device,
}

/// What a person is told for a sign-in by device code (RFC 8628 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DevicePrompt {
    /// The code that is typed at the provider's page.
    pub user_code: String,
    /// The provider's page.
    pub verification_uri: String,
    /// The same page with the code in its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verification_uri_complete: Option<String>,
    /// Seconds for which the code is good.
    pub expires_in_s: u64,
    /// Identifier of the client that the provider's page must name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_id: Option<String>,
}
