//! The teams of a GitHub organization as groups: `ORGANIZATION/TEAM`, and `ORGANIZATION` for all its members.
//!
//! A team and a member are known by GitHub's numbers, never by their names: a renamed team stays the same, and an
//! account that took over a freed login is a stranger. What GitHub says is always read anew as a whole; an event only
//! tells that there is something to read, so that events may come in any order, twice, late or never. What was not
//! read to its end changes nothing.

pub mod event;
pub mod pace;
pub mod schedule;
#[cfg(test)]
mod tests;

use oam_model::principal::Groups;
use std::collections::BTreeSet;

/// The number that stands for the organization among its teams: its members are everybody in it.
pub const EVERYBODY: u64 = 0;

/// What GitHub says of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamEvidence {
    /// The number of their account.
    pub account: u64,
    /// The groups that their teams are, in order.
    pub groups: Vec<String>,
    /// When GitHub was last read as a whole, Unix milliseconds.
    pub at_ms: u64,
}

/// A team as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Team {
    /// GitHub's number, or [`EVERYBODY`].
    pub id: u64,
    /// The group, as the policy names it.
    pub name: String,
}

/// A team with its place among the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTeam {
    /// GitHub's number.
    pub id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// The team that it is a part of: its members are members of that one too.
    pub parent: Option<u64>,
}

/// What is to be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// These teams, and those that they are a part of.
    Teams(BTreeSet<u64>),
    /// Everything.
    All,
}

impl Scope {
    /// Both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Teams(mut one), Self::Teams(other)) => {
                one.extend(other);
                Self::Teams(one)
            }
            _ => Self::All,
        }
    }

    /// Whether it means this team by itself.
    pub fn names(&self, team: u64) -> bool {
        match self {
            Self::All => true,
            Self::Teams(teams) => teams.contains(&team),
        }
    }

    /// The teams of a list whose members are to be read: those that are meant, and what they are a part of.
    pub fn chosen<'t>(&self, listed: &'t [ListedTeam]) -> Vec<&'t ListedTeam> {
        let Self::Teams(named) = self else {
            return listed.iter().collect();
        };
        let mut wanted = named.clone();
        // Each round reaches the parents of those before: as many rounds as there are teams, whatever the list says.
        for _ in 0..listed.len() {
            let of_wanted = listed.iter().filter(|team| wanted.contains(&team.id));
            let parents: BTreeSet<u64> = of_wanted.filter_map(|team| team.parent).collect();
            if parents.is_subset(&wanted) {
                break;
            }
            wanted.extend(parents);
        }
        let chosen = listed.iter().filter(|team| wanted.contains(&team.id));
        chosen.collect()
    }

    /// Which of the teams that are kept are no more. A list that has several pages is not of one moment, so a team
    /// counts as gone only where neither of two lists has it.
    pub fn gone(&self, kept: &[Team], lists: [&[ListedTeam]; 2]) -> Vec<Team> {
        let is_listed = |id| {
            let mut both = lists.iter().flat_map(|list| list.iter());
            both.any(|team| team.id == id)
        };
        let gone =
            |team: &&Team| team.id != EVERYBODY && self.names(team.id) && !is_listed(team.id);
        kept.iter().filter(gone).cloned().collect()
    }
}

/// Whether a team was the same one before and after its members were read by its name.
pub fn is_settled(team: &ListedTeam, after: &[ListedTeam]) -> bool {
    let mut same = after.iter().filter(|other| other.id == team.id);
    same.any(|other| other.slug == team.slug)
}

/// The group that a team is.
pub fn group(organization: &str, slug: &str) -> String {
    format!("{organization}/{slug}")
}

/// Whether a group can only be a team of this organization: nobody else's word on it counts. Names at GitHub are the
/// same in capital letters.
pub fn is_of(organization: &str, group: &str) -> bool {
    let organization = organization.as_bytes();
    let (group, length) = (group.as_bytes(), organization.len());
    let begins = group.len() >= length && group[..length].eq_ignore_ascii_case(organization);
    begins && (group.len() == length || group[length] == b'/')
}

/// The groups that count for somebody, with those of their teams. Where the others are unknown they stay so.
pub fn beside(counting: Groups, teams: &[String]) -> Groups {
    match counting {
        Groups::Known(mut groups) => {
            groups.extend_from_slice(teams);
            Groups::Known(groups)
        }
        unknown @ Groups::Unknown { .. } => unknown,
    }
}

/// A team whose members were read, compared with what is kept of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamChange {
    /// As it is now.
    pub team: Team,
    /// Its name before; none: it is new.
    pub was: Option<String>,
    /// Accounts.
    pub added: Vec<u64>,
    /// Accounts.
    pub removed: Vec<u64>,
}

impl TeamChange {
    /// What a reading changes; none: nothing.
    pub fn of(
        kept: Option<(&Team, &BTreeSet<u64>)>,
        team: Team,
        members: &BTreeSet<u64>,
    ) -> Option<Self> {
        let none = BTreeSet::new();
        let (was, had) = kept.map_or((None, &none), |(team, had)| (Some(team.name.clone()), had));
        let change = Self {
            added: members.difference(had).copied().collect(),
            removed: had.difference(members).copied().collect(),
            was,
            team,
        };
        let same = change.was.as_ref() == Some(&change.team.name);
        (!same || !change.added.is_empty() || !change.removed.is_empty()).then_some(change)
    }

    /// Whether the policy names it otherwise than before.
    pub fn is_renamed(&self) -> bool {
        self.was.as_ref().is_some_and(|was| *was != self.team.name)
    }
}
