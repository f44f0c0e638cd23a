//! An answer that carries a token.

use super::name::{HubName, OrgName, Repository, RoleName};
use super::role::Action;
use super::secret::{self, Secret};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How a hub takes a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum Scheme {
    /// RFC 7617, the token as password.
    #[default]
    Basic,
    /// RFC 6750.
    Bearer,
}

/// What was granted, without the token: this is what records and reports show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Granted {
    /// The organization.
    pub org: OrgName,
    /// The hub.
    pub hub: HubName,
    /// The hub's URL, without trailing slash.
    pub hub_url: String,
    /// The role that it was issued to.
    pub role: RoleName,
    /// The repository, or none where the token covers the hub.
    pub repository: Option<Repository>,
    /// The action.
    pub action: Action,
    /// The token is wider than what was asked, because no narrower one exists.
    pub wider_than_asked: bool,
    /// Unix seconds.
    pub expires_at: u64,
    /// SHA-256 of the token, lower-case hex.
    pub token_sha256: String,
    /// Epoch of the session it came from.
    pub epoch: u64,
    /// Basic or Bearer.
    pub scheme: Scheme,
    /// The user name for Basic.
    pub username: String,
    /// `expires_at` less this moment's wall clock, seconds: what is left when the answer is made.
    pub expires_in_s: u64,
}

/// A granted token. `Arc`, because waiters share one secret instead of copying it.
#[derive(Serialize, Deserialize)]
pub struct TokenAnswer {
    /// What was granted.
    #[serde(flatten)]
    pub granted: Granted,
    /// The token itself.
    #[serde(with = "secret::shared")]
    pub token: Arc<Secret>,
}
