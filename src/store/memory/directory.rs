//! What directories say, in memory.

mod nouns;

use super::Rows;
use crate::directory::{ToldAt, same_version};
use crate::{DirectoryGroup, DirectoryUser, PersonRow, PollState, StoreChange, StoreFault};
use oam_model::name::SourceName;
use oam_policy::evidence::{DirectoryEvidence, EvidenceKind};
use std::collections::BTreeMap;

/// The rows of all directories, in the order in which they were made.
#[derive(Clone, Default)]
pub(super) struct DirectoryRows {
    users: Vec<UserRow>,
    groups: Vec<GroupRow>,
    /// When each was heard, and when it changed something.
    heard: BTreeMap<SourceName, (u64, Option<u64>)>,
    polls: BTreeMap<SourceName, PollState>,
}

#[derive(Clone)]
struct UserRow {
    user: DirectoryUser,
    groups_at_ms: Option<u64>,
}

#[derive(Clone)]
struct GroupRow {
    group: DirectoryGroup,
    /// Ids of users.
    members: Vec<String>,
}

impl DirectoryRows {
    fn user(&self, source: &SourceName, id: &str) -> Option<&UserRow> {
        let mut users = self.users.iter();
        users.find(|row| row.user.source == *source && row.user.id == id)
    }

    fn group(&self, source: &SourceName, id: &str) -> Option<&GroupRow> {
        let mut groups = self.groups.iter();
        groups.find(|row| row.group.source == *source && row.group.id == id)
    }

    fn twin(&self, wanted: &DirectoryUser) -> Option<&DirectoryUser> {
        let mut users = self.users.iter().map(|row| &row.user);
        users.find(|user| {
            let same_name = user.user_name.eq_ignore_ascii_case(&wanted.user_name);
            let same = user.key == wanted.key || same_name;
            user.source == wanted.source && same && user.id != wanted.id
        })
    }

    fn group_named(&self, source: &SourceName, name: &str) -> Option<&DirectoryGroup> {
        let mut groups = self.groups.iter().map(|row| &row.group);
        groups.find(|group| group.source == *source && group.name == name)
    }

    /// What is said of a person.
    pub(super) fn evidence(
        &self,
        key: &oam_model::principal::PrincipalKey,
    ) -> Option<DirectoryEvidence> {
        let mut users = self.users.iter();
        let row = users.find(|row| row.user.source == key.source && row.user.key == key.key)?;
        let mut groups: Vec<String> = self
            .groups
            .iter()
            .filter(|group| {
                group.group.source == key.source && group.members.contains(&row.user.id)
            })
            .map(|group| group.group.name.clone())
            .collect();
        groups.sort();
        let said = ToldAt {
            kind: row.user.kind,
            at_ms: row.groups_at_ms.unwrap_or(row.user.changed_at_ms),
            groups: row.groups_at_ms.is_some(),
            as_of_ms: self.polls.get(&key.source).and_then(|poll| poll.as_of_ms),
        };
        Some(DirectoryEvidence {
            kind: said.kind,
            active: row.user.active,
            groups: said.groups().then_some(groups),
            at_ms: said.at_ms(),
        })
    }

    fn told(&mut self, source: &SourceName, ids: &[String], at_ms: u64) {
        for row in &mut self.users {
            if row.user.source == *source && ids.contains(&row.user.id) {
                row.groups_at_ms = Some(at_ms);
            }
        }
    }

    fn changed(&mut self, source: &SourceName, at_ms: u64) {
        let entry = self.heard.entry(source.clone()).or_insert((at_ms, None));
        entry.0 = entry.0.max(at_ms);
        entry.1 = entry.1.max(Some(at_ms));
    }

    fn put_group(&mut self, change: &StoreChange) {
        let StoreChange::PutDirectoryGroup {
            group,
            added,
            removed,
            renamed,
            ..
        } = change
        else {
            return;
        };
        let (source, at_ms) = (&group.source, group.changed_at_ms);
        let known = self.groups.iter();
        let at = known
            .enumerate()
            .find(|(_, row)| row.group.source == *source && row.group.id == group.id);
        let at = at.map_or(self.groups.len(), |(at, _)| at);
        if at == self.groups.len() {
            self.groups.push(GroupRow {
                group: group.clone(),
                members: Vec::new(),
            });
        }
        let row = &mut self.groups[at];
        row.group = DirectoryGroup {
            created_at_ms: row.group.created_at_ms,
            ..group.clone()
        };
        let before = row.members.clone();
        row.members.retain(|id| !removed.contains(id));
        let new = added.iter().filter(|id| !before.contains(id));
        row.members.extend(new.cloned());
        self.told(source, added, at_ms);
        self.told(source, removed, at_ms);
        if *renamed {
            self.told(source, &before, at_ms);
        }
        self.changed(source, at_ms);
    }

    fn taken(&mut self, source: &SourceName, as_of_ms: u64, groups: bool) {
        let poll = self.polls.entry(source.clone()).or_default();
        poll.as_of_ms = poll.as_of_ms.max(Some(as_of_ms));
        for row in &mut self.users {
            if row.user.source == *source && row.user.kind == EvidenceKind::Poll {
                row.groups_at_ms = groups.then(|| row.groups_at_ms.unwrap_or(as_of_ms));
            }
        }
    }

    fn drop_user(&mut self, source: &SourceName, id: &str, at_ms: u64) {
        for row in &mut self.groups {
            if row.group.source == *source && row.members.iter().any(|one| one == id) {
                row.members.retain(|one| one != id);
                row.group.version += 1;
                row.group.changed_at_ms = at_ms;
            }
        }
        self.users
            .retain(|row| row.user.source != *source || row.user.id != id);
        self.changed(source, at_ms);
    }

    fn drop_group(&mut self, source: &SourceName, id: &str, at_ms: u64) {
        let members = self.group(source, id).map(|row| row.members.clone());
        self.told(source, &members.unwrap_or_default(), at_ms);
        self.groups
            .retain(|row| row.group.source != *source || row.group.id != id);
        self.changed(source, at_ms);
    }
}

impl Rows {
    pub(super) fn check_directory(&self, change: &StoreChange) -> Result<(), StoreFault> {
        let rows = &self.directory;
        if let StoreChange::PollNoted {
            source,
            from: Some(from),
            ..
        } = change
        {
            let kept = rows.polls.get(source).cloned().unwrap_or_default();
            return kept.is_noted(from);
        }
        let Some((source, id, from)) = change.directory_record() else {
            return Ok(());
        };
        let kept = match change {
            StoreChange::PutDirectoryUser { .. } | StoreChange::DropDirectoryUser { .. } => {
                rows.user(source, id).map(|row| row.user.version)
            }
            _ => rows.group(source, id).map(|row| row.group.version),
        };
        same_version(from, kept)?;
        match change {
            StoreChange::PutDirectoryUser { user, .. } if rows.twin(user).is_some() => {
                Err(StoreFault::Taken)
            }
            StoreChange::PutDirectoryGroup { group, added, .. } => {
                let twin = rows.group_named(source, &group.name);
                if twin.is_some_and(|twin| twin.id != group.id) {
                    return Err(StoreFault::Taken);
                }
                if !added.iter().all(|id| rows.user(source, id).is_some()) {
                    return Err(StoreFault::Overtaken);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    pub(super) fn change_directory(&mut self, change: &StoreChange) {
        match change {
            StoreChange::PutDirectoryUser { user, .. } => {
                let rows = &mut self.directory;
                let mut users = rows.users.iter_mut();
                let own =
                    |row: &&mut UserRow| row.user.source == user.source && row.user.id == user.id;
                match users.find(own) {
                    Some(row) => {
                        row.user = DirectoryUser {
                            created_at_ms: row.user.created_at_ms,
                            ..user.clone()
                        };
                    }
                    None => rows.users.push(UserRow {
                        user: user.clone(),
                        groups_at_ms: None,
                    }),
                }
                rows.changed(&user.source, user.changed_at_ms);
                let kept = self.person(&user.principal());
                if let Some(row) = PersonRow::known_by_directory(kept, user) {
                    self.put_person(row);
                }
            }
            StoreChange::PutDirectoryGroup { .. } => self.directory.put_group(change),
            StoreChange::DropDirectoryUser {
                source, id, at_ms, ..
            } => self.directory.drop_user(source, id, *at_ms),
            StoreChange::DropDirectoryGroup {
                source, id, at_ms, ..
            } => self.directory.drop_group(source, id, *at_ms),
            StoreChange::ForgetDirectory(source) => {
                let rows = &mut self.directory;
                rows.users.retain(|row| row.user.source != *source);
                rows.groups.retain(|row| row.group.source != *source);
                rows.heard.remove(source);
                rows.polls.remove(source);
            }
            StoreChange::DirectoryHeard { source, at_ms } => {
                let heard = &mut self.directory.heard;
                let entry = heard.entry(source.clone()).or_insert((*at_ms, None));
                entry.0 = entry.0.max(*at_ms);
            }
            StoreChange::PollTaken {
                source,
                as_of_ms,
                groups,
            } => self.directory.taken(source, *as_of_ms, *groups),
            StoreChange::PollNoted { source, state, .. } => {
                let poll = self.directory.polls.entry(source.clone()).or_default();
                *poll = PollState {
                    as_of_ms: poll.as_of_ms,
                    ..state.clone()
                };
            }
            _ => {}
        }
    }
}
