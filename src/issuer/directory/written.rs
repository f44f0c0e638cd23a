//! What a reading changes, written: by the same batches as what a directory pushes. Who is gone comes first, then who is
//! new or another, then the groups; and only the last batch says that the reading is taken.

mod groups;

use super::poll::KeptDirectory;
use crate::scim::provision::{Directory, DirectoryDraft};
use crate::state::{Issuer, LiveConfig};
use oam_model::name::SourceName;
use oam_policy::directory::{Difference, DirectoryReading, ReadUser, UserChange};
use oam_policy::evidence::EvidenceKind;
use oam_store::{DirectoryUser, PersonRow, PollState, StoreChange, StoreFault};
use std::collections::{BTreeMap, BTreeSet};

/// People of one batch.
const PEOPLE: usize = 200;

/// What is to be written, and where.
pub(super) struct Written<'a> {
    pub(super) issuer: &'a Issuer,
    pub(super) live_config: &'a LiveConfig,
    pub(super) source: &'a SourceName,
    pub(super) kept: &'a KeptDirectory,
    pub(super) as_of_ms: u64,
    /// No reading was taken before.
    pub(super) first: bool,
    pub(super) state: PollState,
}

/// Writes it.
///
/// # Errors
/// Others changed what it was compared with, or the store is not there. What is written by then stays: it was read, and
/// the next reading finds the rest.
pub(super) async fn write(
    write: Written<'_>,
    reading: &DirectoryReading,
    difference: &Difference,
) -> Result<(), StoreFault> {
    for records in difference.gone.chunks(PEOPLE) {
        write.gone(records).await?;
    }
    let parked = write.parked(&difference.users).await?;
    let mut ids: BTreeMap<String, String> = write
        .kept
        .users
        .values()
        .map(|user| (user.key.clone(), user.id.clone()))
        .collect();
    let mut new = Vec::new();
    for changes in difference.users.chunks(PEOPLE) {
        write.people(changes, &parked, (&mut ids, &mut new)).await?;
    }
    write.groups_gone(&difference.groups_gone).await?;
    for some in groups::portions(&difference.groups) {
        write.groups(&some, &ids).await?;
    }
    write.taken(reading, &ids, &new).await
}

impl Written<'_> {
    fn draft(&self) -> DirectoryDraft<'_> {
        DirectoryDraft::new(self.issuer, None, self.source, self.live_config)
    }

    async fn person(&self, user: &DirectoryUser) -> Result<Option<PersonRow>, StoreFault> {
        self.issuer.store.person(user.principal()).await
    }

    async fn gone(&self, records: &[String]) -> Result<(), StoreFault> {
        let mut draft = self.draft();
        for user in records
            .iter()
            .filter_map(|record| self.kept.users.get(record))
        {
            let change = StoreChange::DropDirectoryUser {
                source: self.source.clone(),
                id: user.id.clone(),
                from: user.version,
                at_ms: draft.now_ms,
            };
            draft.change(change, Some(user), format!("user {} is gone", user.id));
            let row = self.person(user).await?;
            if row
                .as_ref()
                .is_none_or(|row| row.account.directory.is_none())
            {
                draft.end(
                    &user.principal(),
                    row.as_ref(),
                    Some(user),
                    "deleted in the directory",
                );
            }
        }
        draft.commit().await
    }

    /// Two people may have taken each other's name: whoever has one that another gets is called by nobody's in between.
    async fn parked(&self, changes: &[UserChange]) -> Result<BTreeSet<String>, StoreFault> {
        let names: BTreeMap<String, &DirectoryUser> = self
            .kept
            .users
            .values()
            .map(|user| (user.user_name.to_ascii_lowercase(), user))
            .collect();
        let owner = |change: &UserChange| {
            names
                .get(&change.user.user_name.to_ascii_lowercase())
                .copied()
        };
        let other = |change: &UserChange| {
            owner(change).filter(|owner| Some(&owner.id) != change.record.as_ref())
        };
        let known: BTreeSet<&String> = changes
            .iter()
            .filter_map(|change| change.record.as_ref())
            .collect();
        let mut parked = BTreeSet::new();
        let mut draft = self.draft();
        for user in changes
            .iter()
            .filter_map(other)
            .filter(|user| known.contains(&user.id))
        {
            if parked.insert(user.id.clone()) {
                let nameless = DirectoryUser {
                    user_name: user.id.clone(),
                    version: user.version + 1,
                    changed_at_ms: draft.now_ms,
                    ..user.clone()
                };
                let change = StoreChange::PutDirectoryUser {
                    user: nameless,
                    from: Some(user.version),
                };
                draft.change(
                    change,
                    Some(user),
                    format!("user {} changes its name", user.id),
                );
            }
        }
        draft.commit().await?;
        Ok(parked)
    }

    async fn people(
        &self,
        changes: &[UserChange],
        parked: &BTreeSet<String>,
        (ids, new): (&mut BTreeMap<String, String>, &mut Vec<String>),
    ) -> Result<(), StoreFault> {
        let mut draft = self.draft();
        for change in changes {
            let before = change
                .record
                .as_ref()
                .and_then(|record| self.kept.users.get(record));
            let moved = u64::from(before.is_some_and(|before| parked.contains(&before.id)));
            let from = before.map(|before| before.version + moved);
            let user = self.user(&change.user, before, from, draft.now_ms);
            ids.insert(user.key.clone(), user.id.clone());
            if before.is_none() {
                new.push(user.id.clone());
            }
            let active = if user.active { "active" } else { "not active" };
            let what = if before.is_none() {
                "is new"
            } else {
                "was changed"
            };
            let detail = format!("user {} {what}, {active}", user.id);
            let row = self.person(&user).await?;
            let put = StoreChange::PutDirectoryUser {
                user: user.clone(),
                from,
            };
            draft.change(put, Some(&user), detail);
            draft.standing(row.as_ref(), &user);
        }
        draft.commit().await
    }

    fn user(
        &self,
        read: &ReadUser,
        before: Option<&DirectoryUser>,
        from: Option<u64>,
        now_ms: u64,
    ) -> DirectoryUser {
        DirectoryUser {
            source: self.source.clone(),
            kind: EvidenceKind::Poll,
            id: before.map_or_else(Directory::fresh_id, |before| before.id.clone()),
            key: read.key.clone(),
            user_name: read.user_name.clone(),
            external_id: Some(read.id.clone()),
            emails: read.emails.clone(),
            active: read.active,
            attributes: before.map_or_else(|| "{}".to_owned(), |before| before.attributes.clone()),
            version: from.unwrap_or(0) + 1,
            created_at_ms: before.map_or(now_ms, |before| before.created_at_ms),
            changed_at_ms: now_ms,
        }
    }

    /// The reading is taken: with the first one its groups begin to count, and so they do for whoever is new.
    async fn taken(
        &self,
        reading: &DirectoryReading,
        ids: &BTreeMap<String, String>,
        new: &[String],
    ) -> Result<(), StoreFault> {
        let mut draft = self.draft();
        draft.quietly(StoreChange::PollTaken {
            source: self.source.clone(),
            as_of_ms: self.as_of_ms,
            groups: reading.groups.is_some(),
        });
        draft.quietly(StoreChange::PollNoted {
            source: self.source.clone(),
            state: self.state.clone(),
            from: None,
        });
        draft.quietly(StoreChange::DirectoryHeard {
            source: self.source.clone(),
            at_ms: self.as_of_ms,
        });
        if let Some(groups) = &reading.groups {
            let told: Vec<String> = if self.first {
                ids.values().cloned().collect()
            } else {
                new.to_vec()
            };
            let mut of: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
            for group in groups {
                for member in &group.members {
                    of.entry(member).or_default().insert(group.name.clone());
                }
            }
            let by_key: BTreeMap<&str, &str> = reading
                .users
                .iter()
                .map(|user| (user.key.as_str(), user.id.as_str()))
                .collect();
            for row in self
                .issuer
                .store
                .directory_seen(self.source.clone(), told)
                .await?
            {
                let id = by_key.get(row.seen.key.key.as_str());
                let groups = id.and_then(|id| of.get(id)).cloned().unwrap_or_default();
                draft.roles(
                    &row,
                    groups,
                    "the directory was read, and says the groups now",
                );
            }
        }
        draft.commit().await
    }
}
