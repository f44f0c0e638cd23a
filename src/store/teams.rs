//! What GitHub says of teams, as it is kept. Teams and members are those of everybody; who of them is whom here is
//! told by the accounts. Pure: every store applies these to the rows that it reads in its own transaction.

use super::PersonRow;
use oam_model::principal::PrincipalKey;

/// How much is known of teams, and how it was read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TeamsState {
    pub teams: u64,
    /// Accounts in any of them.
    pub members: u64,
    /// Accounts of which is known whose they are.
    pub accounts: u64,
    /// When all was read to its end, Unix milliseconds; none: never.
    pub read_at_ms: Option<u64>,
    /// When the last event came, Unix milliseconds.
    pub heard_at_ms: Option<u64>,
    /// Why it can't be read, and since when, Unix milliseconds.
    pub fault: Option<(String, u64)>,
}

impl PersonRow {
    /// Somebody whose account is known has a row before they come: what is said of them is found in one place. None:
    /// there is one.
    pub(super) fn with_account(kept: Option<&Self>, key: &PrincipalKey) -> Option<Self> {
        match kept {
            Some(_) => None,
            None => Some(Self::unseen(key, 0)),
        }
    }

    /// The groups that their teams are.
    pub fn team_groups(&self) -> &[String] {
        self.teams.as_ref().map_or(&[], |said| &said.groups)
    }
}
