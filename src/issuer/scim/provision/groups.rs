//! Groups made, changed and deleted.

use super::{Directory, DirectoryDraft, IfMatch, ProvisionError, Turn, until_kept};
use crate::scim::ScimError;
use crate::scim::group::{GroupDocument, Members};
use oam_policy::claims::groups::is_team;
use oam_store::{DirectoryGroup, StoreChange};
use serde_json::Value;
use std::collections::BTreeSet;

/// Most members of a change that its entry names.
const NAMED: usize = 10;

impl Directory<'_> {
    /// A group by its id.
    ///
    /// # Errors
    /// There is none, or the store is not there.
    pub async fn group(&self, id: &str) -> Result<DirectoryGroup, ScimError> {
        let found = self
            .issuer
            .store
            .directory_group(self.source.clone(), id.to_owned());
        let found = found.await.map_err(|fault| ScimError::of(&fault))?;
        found.ok_or_else(|| ScimError::nothing("group"))
    }

    /// Ids of a group's members, in order.
    ///
    /// # Errors
    /// The store is not there.
    pub async fn members(&self, id: &str) -> Result<Vec<String>, ScimError> {
        let members = self
            .issuer
            .store
            .directory_members(self.source.clone(), id.to_owned());
        members.await.map_err(|fault| ScimError::of(&fault))
    }

    /// Makes a group.
    ///
    /// # Errors
    /// What is missing, wrong or taken.
    pub async fn create_group(&self, body: Value) -> Result<DirectoryGroup, ScimError> {
        let document = GroupDocument::new(body)?;
        let turn = self.turn().await;
        let state = self.issuer.store.directory_state(self.source.clone());
        let state = state.await.map_err(|fault| ScimError::of(&fault))?;
        if state.groups >= self.settings.most_groups {
            return Err(ScimError::new(
                403,
                None,
                "the directory has as many groups here as are kept: `most_groups` in the issuer's configuration",
            ));
        }
        let empty = DirectoryGroup {
            source: self.source.clone(),
            id: Self::fresh_id(),
            name: String::new(),
            display_name: String::new(),
            external_id: None,
            version: 0,
            created_at_ms: oam_system::clock::now_ms(),
            changed_at_ms: 0,
        };
        let group = document.record(&empty, &self.settings)?;
        until_kept(|| self.keep_group(&turn, None, group.clone(), &document.members)).await
    }

    /// Writes a group anew, or changes it.
    ///
    /// # Errors
    /// What is wrong or taken, or another version than the one that was named.
    pub async fn change_group(
        &self,
        id: &str,
        expected: &IfMatch,
        change: impl Fn(&DirectoryGroup, Members) -> Result<GroupDocument, ScimError>,
    ) -> Result<DirectoryGroup, ScimError> {
        let turn = self.turn().await;
        until_kept(|| async {
            let before = self.group(id).await?;
            expected.check(before.version)?;
            let members: Members = self.members(id).await?.into_iter().collect();
            let document = change(&before, members.clone())?;
            let after = document.record(&before, &self.settings)?;
            self.keep_group(&turn, Some((&before, &members)), after, &document.members)
                .await
        })
        .await
    }

    /// Deletes a group: nobody is in it any more.
    ///
    /// # Errors
    /// There is none, or another version than the one that was named.
    pub async fn delete_group(&self, id: &str, expected: &IfMatch) -> Result<(), ScimError> {
        let turn = self.turn().await;
        until_kept(|| async {
            let before = self.group(id).await?;
            expected.check(before.version)?;
            let members = self.members(id).await?;
            let mut draft = self.draft(&turn);
            let change = StoreChange::DropDirectoryGroup {
                source: self.source.clone(),
                id: id.to_owned(),
                from: before.version,
                at_ms: draft.now_ms,
            };
            let name = &before.name;
            draft.change(change, None, format!("group {name} ({id}) was deleted"));
            self.tell(&mut draft, members, Some(name), None).await?;
            draft.commit().await?;
            Ok::<(), ProvisionError>(())
        })
        .await
    }

    async fn keep_group(
        &self,
        turn: &Turn<'_>,
        before: Option<(&DirectoryGroup, &Members)>,
        mut after: DirectoryGroup,
        members: &Members,
    ) -> Result<DirectoryGroup, ProvisionError> {
        let (group, had) = before.unzip();
        let none = Members::new();
        let had = had.unwrap_or(&none);
        let added: Vec<String> = members.difference(had).cloned().collect();
        let removed: Vec<String> = had.difference(members).cloned().collect();
        if group == Some(&after) && added.is_empty() && removed.is_empty() {
            return Ok(after);
        }
        self.check_group(turn, &after, &added).await?;
        let renamed = group.is_some_and(|group| group.name != after.name);
        let mut draft = self.draft(turn);
        after.version = group.map_or(1, |group| group.version + 1);
        after.changed_at_ms = draft.now_ms;
        let change = StoreChange::PutDirectoryGroup {
            group: after.clone(),
            from: group.map(|group| group.version),
            added: added.clone(),
            removed: removed.clone(),
            renamed,
        };
        draft.change(change, None, detail(group, &after, &added, &removed));
        let (was, is) = (group.map(|group| group.name.as_str()), after.name.as_str());
        self.tell(&mut draft, added, None, Some(is)).await?;
        self.tell(&mut draft, removed, was, None).await?;
        if renamed {
            let stay: Vec<String> = had.intersection(members).cloned().collect();
            self.tell(&mut draft, stay, was, Some(is)).await?;
        }
        draft.commit().await?;
        Ok(after)
    }

    /// The name is free, and whoever is added is known.
    async fn check_group(
        &self,
        turn: &Turn<'_>,
        after: &DirectoryGroup,
        added: &[String],
    ) -> Result<(), ProvisionError> {
        let source = turn.live_config.identities.source(&self.source);
        if source.is_some_and(|source| is_team(source, &after.name)) {
            let why = "this name is a team's at GitHub, which alone says who is in it";
            return Err(ScimError::taken(why).into());
        }
        let store = &self.issuer.store;
        let twin = store.directory_group_named(self.source.clone(), after.name.clone());
        if let Some(twin) = twin.await?.filter(|twin| twin.id != after.id) {
            let word = self.settings.group.word();
            let why = format!("another group has this `{word}` already: {}", twin.id);
            return Err(ScimError::taken(why).into());
        }
        let known = store.directory_known(self.source.clone(), added.to_vec());
        let known: BTreeSet<String> = known.await?.into_iter().collect();
        match added.iter().find(|id| !known.contains(*id)) {
            None => Ok(()),
            Some(id) => {
                let id: String = id.escape_debug().collect();
                let why = format!("no user has the id `{id}`: make the user before its membership");
                Err(ScimError::new(400, Some("invalidValue"), why).into())
            }
        }
    }

    /// What it means for the roles of these users that they are no longer in one group, and are in another.
    async fn tell(
        &self,
        draft: &mut DirectoryDraft<'_>,
        users: Vec<String>,
        was: Option<&str>,
        is: Option<&str>,
    ) -> Result<(), ProvisionError> {
        if users.is_empty() {
            return Ok(());
        }
        let seen = self.issuer.store.directory_seen(self.source.clone(), users);
        for row in seen.await? {
            let groups = row.directory_groups().unwrap_or_default();
            let mut groups: BTreeSet<String> = groups.iter().cloned().collect();
            let why = match (was, is) {
                (_, Some(is)) => format!("the directory put them into {is}"),
                (Some(was), None) => format!("the directory took them out of {was}"),
                (None, None) => String::new(),
            };
            if let Some(was) = was {
                groups.remove(was);
            }
            groups.extend(is.map(str::to_owned));
            draft.roles(&row, groups, &why);
        }
        Ok(())
    }
}

fn detail(
    before: Option<&DirectoryGroup>,
    after: &DirectoryGroup,
    added: &[String],
    removed: &[String],
) -> String {
    let (id, name) = (&after.id, &after.name);
    let what = match before {
        None => "was made".to_owned(),
        Some(before) if before.name != *name => format!("was renamed from {}", before.name),
        Some(_) => "was changed".to_owned(),
    };
    let mut words = vec![format!("group {name} ({id}) {what}")];
    for (word, ids) in [("added", added), ("removed", removed)] {
        if ids.is_empty() {
            continue;
        }
        let more = if ids.len() > NAMED { ", …" } else { "" };
        let named = ids[..ids.len().min(NAMED)].join(", ");
        words.push(format!("{word} {}: {named}{more}", ids.len()));
    }
    words.join("; ")
}
