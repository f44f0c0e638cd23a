//! Roles and the grants that make them.

use super::name::{HubName, RoleName};
use serde::{Deserialize, Serialize};

/// What a grant lets its holder do. Ordered: each one includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Clone, fetch, download.
    Read,
    /// Push, upload.
    Write,
    /// Create, delete, rename, settings.
    Manage,
}

impl Action {
    /// The word used in configuration, records and scopes.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
        }
    }

    /// The words of every action that this one includes.
    pub const fn words(self) -> &'static [&'static str] {
        match self {
            Self::Read => &["read"],
            Self::Write => &["read", "write"],
            Self::Manage => &["read", "write", "manage"],
        }
    }
}

/// What a role still does when the identity can't be proven (its lease).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum OfflineRule {
    /// Serves until the lease ends.
    #[default]
    Grace,
    /// Serves only with a fresh proof.
    Strict,
}

/// One grant: on this hub, for repositories that match, these actions.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Grant {
    /// The hub that the grant is for.
    pub hub: HubName,
    /// Whole-string patterns: `*` stands for any text within a segment, `**` across segments.
    pub repositories: Vec<String>,
    /// The widest action granted; it includes the lesser ones.
    pub action: Action,
}

/// A named set of grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Role {
    /// Its name.
    pub name: RoleName,
    /// One line for people.
    pub description: Option<String>,
    /// Groups of the identity provider whose members hold the role; empty: every member of the
    /// organization does.
    pub groups: Vec<String>,
    /// Decides between roles whose grants cover an ask equally narrowly: the highest is taken.
    pub priority: u32,
    /// Longest life of a token, in seconds.
    pub lifetime_s: u64,
    /// What holds when the identity can't be proven.
    pub offline: OfflineRule,
    /// What it allows.
    pub grants: Vec<Grant>,
}
