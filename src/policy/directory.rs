//! What a reading of the company's directory says against what is known of it: who is new, who is gone, who is in which
//! group. A reading counts as a whole or not at all, and one by which a great part of the people is gone counts only when
//! somebody confirms it: a directory that answers too little looks like one whose people all left.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Losses up to this many are no great part, however few there are.
const FEW: u64 = 3;

/// Somebody as the directory shows them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadUser {
    /// The directory's own name of the record, by which groups name their members.
    pub id: String,
    /// The stable key of the person, as tokens have it.
    pub key: String,
    /// What they sign in with.
    pub user_name: String,
    pub emails: Vec<String>,
    pub active: bool,
}

/// A group as the directory shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadGroup {
    /// The directory's own name of the record.
    pub id: String,
    /// As the policy names it.
    pub name: String,
    pub display_name: String,
    /// Who is in it, by [`ReadUser::id`]. Whoever is no user is passed over: groups have members of other kinds.
    pub members: BTreeSet<String>,
}

/// All that was read in one go.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DirectoryReading {
    pub users: Vec<ReadUser>,
    /// None: groups are not asked for.
    pub groups: Option<Vec<ReadGroup>>,
}

/// A user as known before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownUser {
    /// The issuer's name of the record.
    pub record: String,
    pub read: ReadUser,
}

/// A group as known before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownGroup {
    /// The issuer's name of the record.
    pub record: String,
    /// The directory's own name of it.
    pub id: String,
    pub name: String,
    pub display_name: String,
    /// Who is in it, by [`ReadUser::key`].
    pub members: BTreeSet<String>,
}

/// All that is known of a directory.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Known {
    pub users: Vec<KnownUser>,
    pub groups: Vec<KnownGroup>,
}

/// What changed of somebody since an earlier reading; what is none is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeopleChanged {
    /// They are gone, by [`ReadUser::id`].
    Gone(String),
    Is {
        id: String,
        key: Option<String>,
        user_name: Option<String>,
        email: Option<String>,
        active: Option<bool>,
    },
}

impl Known {
    /// Everybody after these changes; none: of somebody new not everything is told.
    pub fn changed_by(&self, changes: Vec<PeopleChanged>) -> Option<Vec<ReadUser>> {
        let known = self
            .users
            .iter()
            .map(|user| (user.read.id.clone(), user.read.clone()));
        let mut users: BTreeMap<String, ReadUser> = known.collect();
        for change in changes {
            match change {
                PeopleChanged::Gone(id) => {
                    users.remove(&id);
                }
                PeopleChanged::Is {
                    id,
                    key,
                    user_name,
                    email,
                    active,
                } => {
                    let was = users.remove(&id);
                    let was = was.as_ref();
                    let emails = match email {
                        Some(email) => vec![email],
                        None => was.map(|was| was.emails.clone()).unwrap_or_default(),
                    };
                    let user = ReadUser {
                        key: key.or_else(|| was.map(|was| was.key.clone()))?,
                        user_name: user_name.or_else(|| was.map(|was| was.user_name.clone()))?,
                        active: active.or_else(|| was.map(|was| was.active))?,
                        id: id.clone(),
                        emails,
                    };
                    users.insert(id, user);
                }
            }
        }
        Some(users.into_values().collect())
    }
}

/// A user that is new or another than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserChange {
    /// None: new.
    pub record: Option<String>,
    pub user: ReadUser,
}

/// A group that is new or another than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupChange {
    /// None: new.
    pub record: Option<String>,
    pub id: String,
    pub name: String,
    pub display_name: String,
    /// Keys of people.
    pub added: Vec<String>,
    pub removed: Vec<String>,
}

/// What a reading changes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Difference {
    /// Records of users who are gone.
    pub gone: Vec<String>,
    pub users: Vec<UserChange>,
    /// Records of groups that are gone.
    pub groups_gone: Vec<String>,
    pub groups: Vec<GroupChange>,
    pub fall: Fall,
}

/// How much a reading takes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Fall {
    /// People who were active and are gone or not active.
    pub people: u64,
    /// Of so many who were active.
    pub people_of: u64,
    /// Memberships of people who stay.
    pub memberships: u64,
    pub memberships_of: u64,
}

/// Bounds of what is taken without a word of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FallLimits {
    /// Most of the active people, and of the memberships, that may be gone at once, percent.
    pub percent: u64,
    /// What somebody confirmed.
    pub confirmed: Option<Fall>,
}

/// What becomes of a reading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadingVerdict {
    /// It is taken.
    Taken(Difference),
    /// Too much is gone by it: somebody has to confirm that.
    Held(Fall),
    /// It contradicts itself.
    Refused(ReadingFault),
}

/// Why a reading can't be true.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadingFault {
    /// A user or group is in it twice: a page came twice, or two of them are called the same.
    Twice {
        /// What of it is the same.
        what: &'static str,
        value: String,
    },
    /// Something has no name.
    Nameless(&'static str),
}

impl Fall {
    /// Whether somebody has to confirm it.
    fn is_great(self, reading: &DirectoryReading, percent: u64) -> bool {
        let beyond = |lost: u64, of: u64| lost > FEW && lost * 100 > of.saturating_mul(percent);
        // Nobody at all is what a wrong filter or a lost right looks like, however few they were.
        let nobody = reading.users.is_empty() && self.people_of > 0;
        let groupless = reading.groups.as_ref().is_some_and(Vec::is_empty);
        nobody
            || (groupless && self.memberships > 0)
            || beyond(self.people, self.people_of)
            || beyond(self.memberships, self.memberships_of)
    }

    /// Whether it is no more than this one.
    const fn is_within(self, other: Self) -> bool {
        self.people <= other.people && self.memberships <= other.memberships
    }
}

/// What becomes of a reading, by what is known.
pub fn judge(known: &Known, reading: &DirectoryReading, limits: FallLimits) -> ReadingVerdict {
    if let Err(fault) = consistent(reading) {
        return ReadingVerdict::Refused(fault);
    }
    let difference = compare(known, reading);
    let fall = difference.fall;
    let confirmed = limits.confirmed.is_some_and(|most| fall.is_within(most));
    if fall.is_great(reading, limits.percent) && !confirmed {
        return ReadingVerdict::Held(fall);
    }
    ReadingVerdict::Taken(difference)
}

/// Nothing is in it twice.
fn consistent(reading: &DirectoryReading) -> Result<(), ReadingFault> {
    let users = || reading.users.iter();
    once("id of two users", users().map(|user| user.id.clone()))?;
    once("key of two users", users().map(|user| user.key.clone()))?;
    let names = users().map(|user| user.user_name.to_ascii_lowercase());
    once("name of two users", names)?;
    let groups = || reading.groups.iter().flatten();
    once("id of two groups", groups().map(|group| group.id.clone()))?;
    once(
        "name of two groups",
        groups().map(|group| group.name.clone()),
    )
}

fn once(what: &'static str, values: impl Iterator<Item = String>) -> Result<(), ReadingFault> {
    let mut seen = BTreeSet::new();
    for value in values {
        if value.is_empty() {
            return Err(ReadingFault::Nameless(what));
        }
        if !seen.insert(value.clone()) {
            return Err(ReadingFault::Twice { what, value });
        }
    }
    Ok(())
}

fn compare(known: &Known, reading: &DirectoryReading) -> Difference {
    let mut difference = Difference::default();
    people(known, reading, &mut difference);
    if let Some(read) = &reading.groups {
        groups(known, reading, read, &mut difference);
    }
    difference
}

fn people(known: &Known, reading: &DirectoryReading, difference: &mut Difference) {
    let before: BTreeMap<&str, &KnownUser> = known
        .users
        .iter()
        .map(|user| (user.read.key.as_str(), user))
        .collect();
    let after: BTreeMap<&str, &ReadUser> = reading
        .users
        .iter()
        .map(|user| (user.key.as_str(), user))
        .collect();
    for user in &known.users {
        let now = after.get(user.read.key.as_str());
        if now.is_none() {
            difference.gone.push(user.record.clone());
        }
        if user.read.active {
            difference.fall.people_of += 1;
            difference.fall.people += u64::from(!now.is_some_and(|now| now.active));
        }
    }
    for user in &reading.users {
        let was = before.get(user.key.as_str());
        if was.is_none_or(|was| was.read != *user) {
            difference.users.push(UserChange {
                record: was.map(|was| was.record.clone()),
                user: user.clone(),
            });
        }
    }
}

fn groups(
    known: &Known,
    reading: &DirectoryReading,
    read: &[ReadGroup],
    difference: &mut Difference,
) {
    let by_id: BTreeMap<&str, &str> = reading
        .users
        .iter()
        .map(|user| (user.id.as_str(), user.key.as_str()))
        .collect();
    let stay: BTreeSet<&str> = by_id.values().copied().collect();
    let before: BTreeMap<&str, &KnownGroup> = known
        .groups
        .iter()
        .map(|group| (group.name.as_str(), group))
        .collect();
    let named: BTreeSet<&str> = read.iter().map(|group| group.name.as_str()).collect();
    let remain = |members: &BTreeSet<String>| {
        let members = members.iter().map(String::as_str);
        members
            .filter(|key| stay.contains(key))
            .map(str::to_owned)
            .collect::<BTreeSet<_>>()
    };
    for group in &known.groups {
        let were = remain(&group.members).len() as u64;
        difference.fall.memberships_of += were;
        if !named.contains(group.name.as_str()) {
            difference.groups_gone.push(group.record.clone());
            difference.fall.memberships += were;
        }
    }
    for group in read {
        let was = before.get(group.name.as_str());
        let ids = group.members.iter();
        let are: BTreeSet<String> = ids
            .filter_map(|id| by_id.get(id.as_str()))
            .map(|key| (*key).to_owned())
            .collect();
        // Whoever is gone is in no group any more by that alone.
        let were = was.map(|was| remain(&was.members)).unwrap_or_default();
        let change = GroupChange {
            record: was.map(|was| was.record.clone()),
            id: group.id.clone(),
            name: group.name.clone(),
            display_name: group.display_name.clone(),
            added: are.difference(&were).cloned().collect(),
            removed: were.difference(&are).cloned().collect(),
        };
        difference.fall.memberships += change.removed.len() as u64;
        let same =
            was.is_some_and(|was| was.id == change.id && was.display_name == change.display_name);
        if !same || !change.added.is_empty() || !change.removed.is_empty() {
            difference.groups.push(change);
        }
    }
}
