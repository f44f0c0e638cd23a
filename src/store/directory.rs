//! What a directory says of people and groups, as it is kept; and what each of its words makes of that. Pure: every
//! store applies these to the rows that it reads in its own transaction.

use super::{PersonRow, StoreChange, StoreFault};
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_policy::evidence::EvidenceKind;
use serde::{Deserialize, Serialize};

/// Somebody as a directory knows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryUser {
    /// Of which source.
    pub source: SourceName,
    /// How the directory that it is of is known.
    pub kind: EvidenceKind,
    /// The issuer's own random name for the record; never the directory's choice.
    pub id: String,
    /// The stable key of the person ([`PrincipalKey::key`]).
    pub key: String,
    /// `userName`; another one's that differs in letter case alone is the same.
    pub user_name: String,
    pub external_id: Option<String>,
    /// E-mail addresses, to find the record by.
    pub emails: Vec<String>,
    pub active: bool,
    /// Everything else that is shown of it, JSON.
    pub attributes: String,
    /// Grows with every change.
    pub version: u64,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Unix milliseconds.
    pub changed_at_ms: u64,
}

/// A group as a directory knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryGroup {
    /// Of which source.
    pub source: SourceName,
    /// The issuer's own random name for the record.
    pub id: String,
    /// As the policy names it.
    pub name: String,
    pub display_name: String,
    pub external_id: Option<String>,
    /// Grows with every change, also of its members.
    pub version: u64,
    /// Unix milliseconds.
    pub created_at_ms: u64,
    /// Unix milliseconds.
    pub changed_at_ms: u64,
}

/// Which records are looked for. Everything given must match.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryFilter {
    pub id: Option<String>,
    pub external_id: Option<String>,
    /// `userName`, without regard to letter case in ASCII; of a group its `displayName`.
    pub name: Option<String>,
    /// One of the e-mail addresses, without regard to letter case in ASCII.
    pub email: Option<String>,
}

/// Part of what was found, in the order in which it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryPage<T> {
    /// How many there are in all.
    pub total: u64,
    /// Some of them.
    pub rows: Vec<T>,
}

/// How much a directory said, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DirectoryState {
    pub users: u64,
    pub groups: u64,
    /// When it was last heard, Unix milliseconds; none: never.
    pub heard_at_ms: Option<u64>,
    /// When it last changed something, Unix milliseconds.
    pub changed_at_ms: Option<u64>,
}

/// What the reading of a directory came to, as far as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PollState {
    /// When the last reading began that was whole and taken, Unix milliseconds: as old is what it says.
    #[serde(skip)]
    pub as_of_ms: Option<u64>,
    /// When it was last tried, Unix milliseconds.
    pub tried_at_ms: Option<u64>,
    /// Why the last try was not taken.
    pub fault: Option<String>,
    /// Since when no try was taken, Unix milliseconds.
    pub fault_since_ms: Option<u64>,
    /// It says that so much is gone that somebody has to confirm it first.
    pub held: Option<HeldFall>,
    /// As much may be gone in the next reading.
    pub confirmed: Option<HeldFall>,
    /// Where the provider goes on with what changed.
    pub cursor: Option<String>,
}

/// What is gone by a reading of a directory that was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeldFall {
    /// People who were active before and are gone or not active.
    pub people: u64,
    pub people_of: u64,
    /// Memberships that were there before.
    pub memberships: u64,
    pub memberships_of: u64,
    /// Unix milliseconds of the reading, or of its confirmation.
    pub at_ms: u64,
}

impl DirectoryUser {
    /// The person that it speaks of.
    pub fn principal(&self) -> PrincipalKey {
        PrincipalKey {
            source: self.source.clone(),
            key: self.key.clone(),
        }
    }
}

impl PersonRow {
    /// Somebody whom a directory knows: there is a row of them before they come, so that what ends or changes meanwhile
    /// is found in one place, and an administrator finds them by name. Not by their address: a provider's signal that
    /// names one is kept for whoever comes with it, and would be lost on a record whose key nobody's token has. None:
    /// nothing changes.
    pub(super) fn known_by_directory(kept: Option<Self>, user: &DirectoryUser) -> Option<Self> {
        let known = kept.is_some();
        let mut row = kept.unwrap_or_else(|| Self::unseen(&user.principal(), 0));
        if !row.is_never_seen() {
            return None;
        }
        let name = Some(user.user_name.clone());
        if known && row.seen.username == name {
            return None;
        }
        row.seen.username = name;
        Some(row)
    }
}

/// Of when what a directory says of somebody is.
pub(super) struct ToldAt {
    pub(super) kind: EvidenceKind,
    /// When it last changed, Unix milliseconds.
    pub(super) at_ms: u64,
    /// Whether anything was written of their groups.
    pub(super) groups: bool,
    /// When the last reading began that was taken.
    pub(super) as_of_ms: Option<u64>,
}

impl ToldAt {
    /// Whether the groups count: of a first reading that is not yet written as a whole they do not, for it would take
    /// the roles of every group that is still to come.
    pub(super) const fn groups(&self) -> bool {
        match self.kind {
            EvidenceKind::Scim => self.groups,
            EvidenceKind::Poll => self.groups && self.as_of_ms.is_some(),
        }
    }

    /// Unix milliseconds.
    pub(super) fn at_ms(&self) -> u64 {
        match self.kind {
            EvidenceKind::Scim => self.at_ms,
            EvidenceKind::Poll => self.as_of_ms.unwrap_or(self.at_ms),
        }
    }
}

/// Refuses a change that was decided from another version of the record than the one that is kept.
pub(super) fn same_version(from: Option<u64>, kept: Option<u64>) -> Result<(), StoreFault> {
    if from == kept {
        return Ok(());
    }
    Err(StoreFault::Overtaken)
}

impl PollState {
    /// Refuses what was decided from another note: else a confirmation could be lost to a reading that went on beside it.
    pub(super) fn is_noted(&self, from: &Self) -> Result<(), StoreFault> {
        let note = |state: &Self| Self {
            as_of_ms: None,
            ..state.clone()
        };
        if note(self) == note(from) {
            return Ok(());
        }
        Err(StoreFault::Overtaken)
    }
}

impl StoreChange {
    /// Which record of a directory it changes, and the version that it was decided from; none: there is none yet.
    pub(super) fn directory_record(&self) -> Option<(&SourceName, &str, Option<u64>)> {
        match self {
            Self::PutDirectoryUser { user, from } => Some((&user.source, &user.id, *from)),
            Self::PutDirectoryGroup { group, from, .. } => Some((&group.source, &group.id, *from)),
            Self::DropDirectoryUser {
                source, id, from, ..
            }
            | Self::DropDirectoryGroup {
                source, id, from, ..
            } => Some((source, id, Some(*from))),
            _ => None,
        }
    }
}
