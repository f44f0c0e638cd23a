//! The batch of a change as it is put together.

use crate::grant::RequestOrigin;
use crate::record;
use crate::signal_processor::{Relaxed, end, listed, roles_by, shown};
use crate::state::{Issuer, LiveConfig};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::feed::FeedEvent;
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_policy::account::{Author, Reinstated};
use oam_store::{Batch, DirectoryUser, EndKind, Ended, PersonRow, StoreChange, StoreFault};
use oam_system::clock;
use std::collections::BTreeSet;

/// A batch for whoever speaks of people and groups: a directory, or GitHub of its teams.
pub(crate) struct DirectoryDraft<'a> {
    issuer: &'a Issuer,
    /// The request that says it; none: it was read.
    origin: Option<&'a RequestOrigin>,
    source: &'a SourceName,
    live_config: &'a LiveConfig,
    pub(crate) now_ms: u64,
    batch: Batch,
    /// Who has to hear of it.
    people: Vec<PrincipalKey>,
    relaxed: Relaxed<'a>,
}

impl<'a> DirectoryDraft<'a> {
    pub(crate) fn new(
        issuer: &'a Issuer,
        origin: Option<&'a RequestOrigin>,
        source: &'a SourceName,
        live_config: &'a LiveConfig,
    ) -> Self {
        let policy = &live_config.policy;
        Self {
            issuer,
            origin,
            source,
            live_config,
            now_ms: clock::now_ms(),
            batch: Batch::default(),
            people: Vec::new(),
            relaxed: Relaxed::new(policy, Some(policy)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.batch.changes.is_empty()
    }

    /// Adds a change of a record, with its entry.
    pub(crate) fn change(
        &mut self,
        change: StoreChange,
        user: Option<&DirectoryUser>,
        detail: String,
    ) {
        self.batch.changes.push(change);
        let entry = AuditRecord {
            person: user.map(|user| user.key.clone()),
            name: user.map(|user| user.user_name.clone()),
            ..self.entry(AuditEvent::Directory, detail)
        };
        self.batch.entries.push(entry);
    }

    fn entry(&self, event: AuditEvent, detail: String) -> AuditRecord {
        let org = self.live_config.org().name.clone();
        let mut entry = AuditRecord::new(event, org, self.now_ms);
        if let Some(origin) = self.origin {
            record::origin(&mut entry, origin);
        }
        entry.source = Some(self.source.clone());
        entry.detail = Some(detail);
        entry
    }

    fn entry_of(
        &mut self,
        event: AuditEvent,
        key: &PrincipalKey,
        name: Option<String>,
        detail: String,
    ) {
        let entry = AuditRecord {
            person: Some(key.key.clone()),
            name,
            ..self.entry(event, detail)
        };
        self.batch.entries.push(entry);
        self.people.push(key.clone());
    }

    /// Ends or lifts what the directory says of the account, where that is another than what is kept.
    pub(crate) fn standing(&mut self, row: Option<&PersonRow>, user: &DirectoryUser) {
        let ended = row.is_some_and(|row| row.account.directory.is_some());
        if !user.active && !ended {
            self.end(
                &user.principal(),
                row,
                Some(user),
                "deactivated in the directory",
            );
        }
        if user.active && ended {
            let key = user.principal();
            self.batch.changes.push(StoreChange::Restore {
                key: key.clone(),
                restored: Reinstated::ByDirectory,
            });
            let mut after = row.map(|row| row.account.clone()).unwrap_or_default();
            after.directory = None;
            let stands = after.ended().map_or("", |(author, _)| match author {
                Author::Administrator => "; an administrator's end stands",
                Author::Provider | Author::Directory => "; the provider's end stands",
            });
            let name = Some(user.user_name.clone());
            let detail = format!("active in the directory again{stands}");
            self.entry_of(AuditEvent::Restoration, &key, name, detail);
        }
    }

    /// Ends an account.
    pub(crate) fn end(
        &mut self,
        key: &PrincipalKey,
        row: Option<&PersonRow>,
        user: Option<&DirectoryUser>,
        reason: &str,
    ) {
        let ended = Ended {
            kind: EndKind::Account,
            at_ms: self.now_ms,
            reason: reason.to_owned(),
        };
        let change = end(key.clone(), Author::Directory, ended);
        self.batch.changes.push(change);
        let name = user.map(|user| user.user_name.clone());
        let name = name.or_else(|| row.and_then(shown));
        let detail = format!("account ended: {reason}");
        self.entry_of(AuditEvent::Revocation, key, name, detail);
    }

    /// Adds a change that is a part of another one, without an entry.
    pub(crate) fn quietly(&mut self, change: StoreChange) {
        self.batch.changes.push(change);
    }

    /// The roles of somebody with these groups of the directory, and their teams as they are.
    pub(crate) fn roles(&mut self, row: &PersonRow, mut groups: BTreeSet<String>, why: &str) {
        groups.extend(row.team_groups().iter().cloned());
        self.compare(row, Some(groups.into_iter().collect()), why);
    }

    /// The roles of somebody who is no longer in one team, and is in another.
    pub(crate) fn team_roles(
        &mut self,
        row: &PersonRow,
        was: Option<&String>,
        is: Option<&String>,
        why: &str,
    ) {
        let teams = row.team_groups().iter();
        let mut teams: Vec<String> = teams.filter(|team| Some(*team) != was).cloned().collect();
        teams.extend(is.cloned());
        self.all_team_roles(row, &teams, why);
    }

    /// The roles of somebody with these teams, and the other groups that count as they are.
    pub(crate) fn all_team_roles(&mut self, row: &PersonRow, teams: &[String], why: &str) {
        let others = row.counting_groups().groups;
        let groups = others.map(|others| [others, teams].concat());
        self.compare(row, groups, why);
    }

    fn compare(&mut self, row: &PersonRow, groups: Option<Vec<String>>, why: &str) {
        let relaxed = self.relaxed.of(&row.held);
        let after = roles_by(relaxed, row, groups);
        if !after.changed {
            return;
        }
        let key = row.seen.key.clone();
        let detail = format!("{why}; lost: {}", listed(&after.lost));
        self.entry_of(AuditEvent::RolesChanged, &key, shown(row), detail);
        let feed = FeedEvent::RolesChanged {
            at_ms: self.now_ms,
            held: after.held.clone(),
            lost: after.lost.clone(),
        };
        self.batch.changes.push(StoreChange::Held {
            key,
            from: row.compared(),
            held: after.held,
            lost: after.lost,
            at_ms: self.now_ms,
            feed: Some(feed),
        });
    }

    /// Writes it, and tells agents and hubs.
    pub(crate) async fn commit(self) -> Result<(), StoreFault> {
        if self.is_empty() {
            return Ok(());
        }
        let issuer = self.issuer;
        let committed = issuer.commit(self.batch).await?;
        for key in &self.people {
            issuer.feeds.wake(key);
        }
        record::settle(issuer, committed.revoked);
        Ok(())
    }
}
