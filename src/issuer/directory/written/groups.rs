//! Groups of a reading, written: what moves somebody is told once, with all that a batch moves.

use super::Written;
use crate::scim::provision::{Directory, DirectoryDraft};
use oam_policy::directory::GroupChange;
use oam_store::{DirectoryGroup, StoreChange, StoreFault};
use std::collections::{BTreeMap, BTreeSet};

/// Memberships of one batch.
const MEMBERSHIPS: usize = 20_000;

/// Groups in portions that a batch can hold: a group of many members is more than one change.
pub(super) fn portions(groups: &[GroupChange]) -> Vec<Vec<&GroupChange>> {
    let mut portions: Vec<Vec<&GroupChange>> = vec![Vec::new()];
    let mut room = MEMBERSHIPS;
    for group in groups {
        let size = group.added.len() + group.removed.len();
        if size > room {
            portions.push(Vec::new());
            room = MEMBERSHIPS;
        }
        room = room.saturating_sub(size);
        if let Some(last) = portions.last_mut() {
            last.push(group);
        }
    }
    portions
}

impl Written<'_> {
    pub(super) async fn groups_gone(&self, records: &[String]) -> Result<(), StoreFault> {
        let mut draft = self.draft();
        let mut moves = Moves::default();
        for record in records {
            let Some(group) = self.kept.groups.get(record) else {
                continue;
            };
            let change = StoreChange::DropDirectoryGroup {
                source: self.source.clone(),
                id: group.id.clone(),
                from: group.version,
                at_ms: draft.now_ms,
            };
            let name = &group.name;
            draft.change(change, None, format!("group {name} ({}) is gone", group.id));
            let members = self
                .issuer
                .store
                .directory_members(self.source.clone(), group.id.clone());
            for id in members.await? {
                moves.goes(id, name);
            }
        }
        self.tell(&mut draft, moves).await?;
        draft.commit().await
    }

    pub(super) async fn groups(
        &self,
        groups: &[&GroupChange],
        ids: &BTreeMap<String, String>,
    ) -> Result<(), StoreFault> {
        let mut draft = self.draft();
        let mut moves = Moves::default();
        let of = |keys: &[String]| -> Vec<String> {
            keys.iter()
                .filter_map(|key| ids.get(key))
                .cloned()
                .collect()
        };
        for group in groups {
            let before = group
                .record
                .as_ref()
                .and_then(|record| self.kept.groups.get(record));
            let (added, removed) = (of(&group.added), of(&group.removed));
            for id in &added {
                moves.comes(id.clone(), &group.name);
            }
            for id in &removed {
                moves.goes(id.clone(), &group.name);
            }
            let detail = format!(
                "group {} was read: {} came in, {} went",
                group.name,
                added.len(),
                removed.len()
            );
            // Whoever was deleted made the group another version.
            let kept = match before {
                Some(before) => {
                    let now = self
                        .issuer
                        .store
                        .directory_group(self.source.clone(), before.id.clone());
                    now.await?
                }
                None => None,
            };
            let change = StoreChange::PutDirectoryGroup {
                from: kept.as_ref().map(|kept| kept.version),
                group: self.group(group, kept.as_ref(), draft.now_ms),
                added,
                removed,
                renamed: false,
            };
            draft.change(change, None, detail);
        }
        if !self.first {
            self.tell(&mut draft, moves).await?;
        }
        draft.commit().await
    }

    fn group(
        &self,
        read: &GroupChange,
        before: Option<&DirectoryGroup>,
        now_ms: u64,
    ) -> DirectoryGroup {
        DirectoryGroup {
            source: self.source.clone(),
            id: before.map_or_else(Directory::fresh_id, |before| before.id.clone()),
            name: read.name.clone(),
            display_name: read.display_name.clone(),
            external_id: Some(read.id.clone()),
            version: before.map_or(1, |before| before.version + 1),
            created_at_ms: before.map_or(now_ms, |before| before.created_at_ms),
            changed_at_ms: now_ms,
        }
    }

    /// What it means for the roles of those who came here already: once for each, with all that the batch moves.
    async fn tell(&self, draft: &mut DirectoryDraft<'_>, moves: Moves) -> Result<(), StoreFault> {
        if moves.of.is_empty() {
            return Ok(());
        }
        let key_of = |id: &String| self.kept.users.get(id).map(|user| user.key.clone());
        let ids: Vec<String> = moves.of.keys().cloned().collect();
        let mut by_key: BTreeMap<String, GroupMoves> = BTreeMap::new();
        for (id, of) in moves.of {
            // Somebody who was not known when this began: read again.
            let mut key = key_of(&id);
            if key.is_none() {
                let user = self.issuer.store.directory_user(self.source.clone(), id);
                key = user.await?.map(|user| user.key);
            }
            if let Some(key) = key {
                by_key.insert(key, of);
            }
        }
        for row in self
            .issuer
            .store
            .directory_seen(self.source.clone(), ids)
            .await?
        {
            let Some(of) = by_key.get(&row.seen.key.key) else {
                continue;
            };
            let mut groups: BTreeSet<String> = row
                .directory_groups()
                .unwrap_or_default()
                .iter()
                .cloned()
                .collect();
            groups.retain(|group| !of.out.contains(group));
            groups.extend(of.into.iter().cloned());
            draft.roles(&row, groups, &of.words());
        }
        Ok(())
    }
}

/// Who comes into which groups and goes out of which, by the records of users.
#[derive(Default)]
struct Moves {
    of: BTreeMap<String, GroupMoves>,
}

#[derive(Default)]
struct GroupMoves {
    into: BTreeSet<String>,
    out: BTreeSet<String>,
}

impl Moves {
    fn comes(&mut self, id: String, group: &str) {
        self.of.entry(id).or_default().into.insert(group.to_owned());
    }

    fn goes(&mut self, id: String, group: &str) {
        self.of.entry(id).or_default().out.insert(group.to_owned());
    }
}

impl GroupMoves {
    fn words(&self) -> String {
        let listed =
            |groups: &BTreeSet<String>| groups.iter().cloned().collect::<Vec<_>>().join(", ");
        match (self.into.is_empty(), self.out.is_empty()) {
            (false, true) => format!("the directory put them into {}", listed(&self.into)),
            (true, _) => format!("the directory took them out of {}", listed(&self.out)),
            (false, false) => {
                format!(
                    "the directory moved them from {} to {}",
                    listed(&self.out),
                    listed(&self.into)
                )
            }
        }
    }
}
