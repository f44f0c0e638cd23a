//! Users made, changed and deleted.

use super::{Directory, IfMatch, ProvisionError, Turn, until_kept};
use crate::scim::ScimError;
use crate::scim::user::UserDocument;
use oam_policy::evidence::EvidenceKind;
use oam_store::{DirectoryUser, PersonRow, StoreChange};
use serde_json::Value;
use std::collections::BTreeSet;

impl Directory<'_> {
    /// A user by its id.
    ///
    /// # Errors
    /// There is none, or the store is not there.
    pub async fn user(&self, id: &str) -> Result<DirectoryUser, ScimError> {
        let found = self
            .issuer
            .store
            .directory_user(self.source.clone(), id.to_owned());
        let found = found.await.map_err(|fault| ScimError::of(&fault))?;
        found.ok_or_else(|| ScimError::nothing("user"))
    }

    /// Makes a user.
    ///
    /// # Errors
    /// What is missing, wrong or taken.
    pub async fn create_user(&self, body: Value) -> Result<DirectoryUser, ScimError> {
        let document = UserDocument::new(body)?;
        let turn = self.turn().await;
        let state = self.issuer.store.directory_state(self.source.clone());
        let state = state.await.map_err(|fault| ScimError::of(&fault))?;
        if state.users >= self.settings.most_users {
            return Err(ScimError::new(
                403,
                None,
                "the directory has as many users here as are kept: `most_users` in the issuer's configuration",
            ));
        }
        let empty = DirectoryUser {
            source: self.source.clone(),
            kind: EvidenceKind::Scim,
            id: Self::fresh_id(),
            key: String::new(),
            user_name: String::new(),
            external_id: None,
            emails: Vec::new(),
            active: true,
            attributes: String::new(),
            version: 0,
            created_at_ms: oam_system::clock::now_ms(),
            changed_at_ms: 0,
        };
        let user = document.record(&empty, &self.settings)?;
        until_kept(|| self.keep_user(&turn, None, user.clone())).await
    }

    /// Writes a user anew, or changes it.
    ///
    /// # Errors
    /// What is wrong or taken, or another version than the one that was named.
    pub async fn change_user(
        &self,
        id: &str,
        expected: &IfMatch,
        change: impl Fn(&DirectoryUser) -> Result<UserDocument, ScimError>,
    ) -> Result<DirectoryUser, ScimError> {
        let turn = self.turn().await;
        until_kept(|| async {
            let before = self.user(id).await?;
            expected.check(before.version)?;
            let after = change(&before)?.record(&before, &self.settings)?;
            self.keep_user(&turn, Some(&before), after).await
        })
        .await
    }

    /// Deletes a user: the account ends.
    ///
    /// # Errors
    /// There is none, or another version than the one that was named.
    pub async fn delete_user(&self, id: &str, expected: &IfMatch) -> Result<(), ScimError> {
        let turn = self.turn().await;
        until_kept(|| async {
            let before = self.user(id).await?;
            expected.check(before.version)?;
            let key = before.principal();
            let row = self.issuer.store.person(key.clone()).await?;
            let mut draft = self.draft(&turn);
            let change = StoreChange::DropDirectoryUser {
                source: self.source.clone(),
                id: id.to_owned(),
                from: before.version,
                at_ms: draft.now_ms,
            };
            let detail = format!("user {id} was deleted");
            draft.change(change, Some(&before), detail);
            if row
                .as_ref()
                .is_none_or(|row| row.account.directory.is_none())
            {
                draft.end(
                    &key,
                    row.as_ref(),
                    Some(&before),
                    "deleted in the directory",
                );
            }
            draft.commit().await?;
            Ok::<(), ProvisionError>(())
        })
        .await
    }

    async fn keep_user(
        &self,
        turn: &Turn<'_>,
        before: Option<&DirectoryUser>,
        mut after: DirectoryUser,
    ) -> Result<DirectoryUser, ProvisionError> {
        let store = &self.issuer.store;
        if let Some(twin) = store.directory_twin(after.clone()).await? {
            return Err(taken(&twin, &after, self.settings.subject.word()).into());
        }
        let mut draft = self.draft(turn);
        if before != Some(&after) {
            after.version = before.map_or(1, |before| before.version + 1);
            after.changed_at_ms = draft.now_ms;
            let change = StoreChange::PutDirectoryUser {
                user: after.clone(),
                from: before.map(|before| before.version),
            };
            draft.change(change, Some(&after), detail(before, &after));
        }
        let row = store.person(after.principal()).await?;
        draft.standing(row.as_ref(), &after);
        if let Some(before) = before.filter(|before| before.key != after.key) {
            let was = store.person(before.principal()).await?;
            let ended = was
                .as_ref()
                .is_some_and(|was| was.account.directory.is_some());
            if !ended {
                let why = "the directory says that its account is another person's";
                draft.end(&before.principal(), was.as_ref(), None, why);
            }
            let groups = was.as_ref().and_then(PersonRow::directory_groups);
            if let (Some(row), Some(groups)) = (row.filter(|row| !row.is_never_seen()), groups) {
                let groups: BTreeSet<String> = groups.iter().cloned().collect();
                draft.roles(&row, groups, "the directory says another account");
            }
        }
        draft.commit().await?;
        Ok(after)
    }
}

fn taken(twin: &DirectoryUser, wanted: &DirectoryUser, subject: &str) -> ScimError {
    let what = if twin.user_name.eq_ignore_ascii_case(&wanted.user_name) {
        "userName"
    } else {
        subject
    };
    ScimError::taken(format!(
        "another user has this `{what}` already: {}",
        twin.id
    ))
}

fn detail(before: Option<&DirectoryUser>, after: &DirectoryUser) -> String {
    let id = &after.id;
    let active = if after.active { "active" } else { "not active" };
    match before {
        None => format!("user {id} was made, {active}"),
        Some(before) if before.active != after.active => format!("user {id} is {active} now"),
        Some(_) => format!("user {id} was changed, {active}"),
    }
}
