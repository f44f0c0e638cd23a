//! What is to be minted.

use super::name::{Repository, RoleName};
use super::role::Action;

/// One role token wanted. With the session's epoch it is the cache key (R33).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TokenKey {
    /// Base URL of the hub.
    pub hub_url: String,
    /// The role.
    pub role: RoleName,
    /// The repository; none: the whole hub.
    pub repository: Option<Repository>,
    /// The action.
    pub action: Action,
    /// Longest life that the role allows, seconds.
    pub lifetime_s: u64,
}
