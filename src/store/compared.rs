//! What a decision about roles was made from. Who decides reads a row first, and another may write it before the
//! decision is committed: each decision brings along what it saw, and a store refuses one that saw something else.

use super::{PersonRow, StoreChange, StoreFault};
use oam_model::name::RoleName;

/// What somebody's roles are decided from, as it was read. The default: of somebody of whom nothing is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Compared {
    /// [`PersonRow::held`].
    held: Vec<RoleName>,
    /// The groups kept.
    groups: Option<Vec<String>>,
    /// Whether these are the groups of this evidence.
    proven_at: u64,
    /// Or of a signal that is later.
    groups_changed_at_ms: Option<u64>,
    /// The directory's groups.
    directory: Option<Vec<String>>,
    /// The groups that teams are.
    teams: Vec<String>,
}

impl Compared {
    /// Of a row, if there is one.
    pub fn of(row: Option<&PersonRow>) -> Self {
        row.map(PersonRow::compared).unwrap_or_default()
    }
}

impl PersonRow {
    /// What a decision about roles is made from.
    pub fn compared(&self) -> Compared {
        Compared {
            held: self.held.clone(),
            groups: self.seen.groups.clone(),
            proven_at: self.seen.proven_at,
            groups_changed_at_ms: self.groups_changed_at_ms,
            directory: self.directory_groups().map(<[String]>::to_vec),
            teams: self.team_groups().to_vec(),
        }
    }

    /// Whether the groups that are kept are later than a signal of this moment: those of another signal, or of a
    /// token. Tokens tell whole seconds: of the same second the signal is the later one.
    pub fn has_groups_after(&self, at_ms: u64) -> bool {
        let told = self.groups_changed_at_ms.is_some_and(|told| told > at_ms);
        told || self.seen.proven_at.saturating_mul(1000) > at_ms
    }
}

impl StoreChange {
    /// Refuses roles that were decided from something else than what is kept of them now: whoever decided reads
    /// again. Not where they are kept already and nobody is told, as when somebody comes by many ways at once.
    pub(super) fn is_decided_from(&self, kept: Option<&PersonRow>) -> Result<(), StoreFault> {
        let from = match self {
            Self::Held {
                held,
                lost,
                feed: None,
                ..
            } if lost.is_empty() && kept.is_some_and(|row| row.held == *held) => return Ok(()),
            Self::RolesChanged { from, .. } | Self::Held { from, .. } => from,
            _ => return Ok(()),
        };
        if Compared::of(kept) == *from {
            return Ok(());
        }
        Err(StoreFault::Overtaken)
    }
}
