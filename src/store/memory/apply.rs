//! Changes.

use super::{Person, RecordRow, Rows};
use crate::ends::{changes_something, verification_after};
use crate::person::SessionRow;
use crate::step::Ends;
use crate::{
    AgentLogRow, Batch, Committed, KeyRow, PersonRow, Pruned, SecretRow, StoreChange, StoreFault,
    TokenRow,
};
use oam_audit::record::{self, KnownEntry};
use oam_audit::retention::{self, Marks};
use oam_model::audit::AuditRecord;
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_model::signal::SignalSubject;
use oam_policy::account::AccountEvent;

type Done = Result<(), StoreFault>;

fn unless(fault: StoreFault, fits: bool) -> Done {
    if fits { Ok(()) } else { Err(fault) }
}

impl Rows {
    pub(super) fn commit(&mut self, batch: &Batch) -> Result<Committed, StoreFault> {
        let mut changes = batch.changes.iter();
        changes.try_for_each(|change| self.check(change))?;
        let mut committed = Committed::default();
        for change in &batch.changes {
            self.apply(change, &mut committed.revoked)?;
        }
        for entry in &batch.entries {
            self.append(entry)?;
            committed.audit_seq = self.head.seq;
        }
        Ok(committed)
    }

    /// Whether a change will be refused, by what is there before its batch.
    fn check(&self, change: &StoreChange) -> Done {
        match change {
            StoreChange::Issue {
                token,
                epoch: Some(epoch),
            } => self.same_epoch(&token.key, *epoch),
            StoreChange::AtEpoch { key, epoch } => self.same_epoch(key, *epoch),
            StoreChange::End { .. } | StoreChange::Restore { .. } => {
                change.order().map_or(Ok(()), |order| {
                    let row = self.person(order.0);
                    changes_something(&row.map(|row| row.account).unwrap_or_default(), &order.1)
                })
            }
            StoreChange::RolesChanged { key, .. } | StoreChange::Held { key, .. } => {
                change.is_decided_from(self.person(key).as_ref())
            }
            StoreChange::Seen(seen) => {
                let first = PersonRow::is_first_sight(self.person(&seen.key).as_ref());
                unless(
                    StoreFault::Overtaken,
                    !first || self.said_of(seen).is_empty(),
                )
            }
            StoreChange::Unmatched {
                source, subjects, ..
            } => {
                let nobody = |subject| self.by_signal(source, subject).is_empty();
                unless(StoreFault::Overtaken, subjects.iter().all(nobody))
            }
            StoreChange::Once {
                transmitter, id, ..
            } => {
                let taken = self.once.contains(&(transmitter.clone(), id.clone()));
                unless(StoreFault::Replayed, !taken)
            }
            StoreChange::RecordQuota(quota) => {
                let kept = self.quotas.get(&quota.key).copied();
                quota.counted(kept).map(drop)
            }
            StoreChange::AgentLog(row, lines) => row.numbers(self.held(row), lines).map(drop),
            _ => self.check_directory(change),
        }
    }

    fn same_epoch(&self, key: &PrincipalKey, epoch: u64) -> Done {
        let kept = self.person(key).map_or(0, |row| row.epoch);
        unless(StoreFault::Overtaken, kept == epoch)
    }

    fn held(&self, row: &AgentLogRow) -> u64 {
        let log = self.log(&row.key, &row.log);
        log.map_or(0, |at| self.logs[at].seq)
    }

    fn apply(&mut self, change: &StoreChange, revoked: &mut Vec<TokenRow>) -> Done {
        match change {
            StoreChange::Issue { token, .. } => self.issue(token),
            StoreChange::AtEpoch { .. } => {}
            StoreChange::RevokeToken { sha256, at_ms } => self.revoke(sha256, *at_ms, revoked),
            StoreChange::Unseal(sha256) => {
                for row in self.tokens.iter_mut().filter(|row| row.sha256 == *sha256) {
                    row.sealed = None;
                }
            }
            StoreChange::Unmatched {
                source,
                subjects,
                event,
            } => self.keep(source, subjects, event),
            StoreChange::Once {
                transmitter, id, ..
            } => {
                let new = self.once.insert((transmitter.clone(), id.clone()));
                return unless(StoreFault::Replayed, new);
            }
            StoreChange::StreamVerified { transmitter, at_ms } => {
                let kept = self.streams.get(transmitter).copied();
                let after = verification_after(kept, *at_ms);
                self.streams.insert(transmitter.clone(), after);
            }
            StoreChange::RecordQuota(quota) => {
                let after = quota.counted(self.quotas.get(&quota.key).copied())?;
                self.quotas.insert(quota.key.clone(), after);
            }
            StoreChange::AgentLog(row, lines) => return self.hold(row, lines),
            StoreChange::PutKey(row) => self.put_key(row),
            StoreChange::DropKey(kid) => self.keys.retain(|row| row.kid != *kid),
            StoreChange::PutSecret(row) => self.put_secret(row),
            StoreChange::DropSecret { owner, number } => self
                .secrets
                .retain(|row| row.owner != *owner || row.number != *number),
            StoreChange::PolicyDigest(digest) => self.policy_digest = Some(digest.clone()),
            StoreChange::Seen(_)
            | StoreChange::TakeOver(_)
            | StoreChange::End { .. }
            | StoreChange::Restore { .. }
            | StoreChange::RolesChanged { .. }
            | StoreChange::Held { .. } => self.person_changes(change, revoked),
            StoreChange::PutDirectoryUser { .. }
            | StoreChange::DropDirectoryUser { .. }
            | StoreChange::PutDirectoryGroup { .. }
            | StoreChange::DropDirectoryGroup { .. }
            | StoreChange::PollTaken { .. }
            | StoreChange::PollNoted { .. }
            | StoreChange::ForgetDirectory(_)
            | StoreChange::DirectoryHeard { .. } => self.change_directory(change),
            StoreChange::PutTeam { .. }
            | StoreChange::DropTeam { .. }
            | StoreChange::Account { .. }
            | StoreChange::TeamsRead { .. }
            | StoreChange::TeamsHeard { .. }
            | StoreChange::ForgetTeams(_) => return self.change_teams(change),
        }
        Ok(())
    }

    fn revoke(&mut self, sha256: &str, at_ms: u64, revoked: &mut Vec<TokenRow>) {
        let row = self.tokens.iter_mut().find(|row| row.sha256 == sha256);
        if let Some(row) = row.filter(|row| row.revoked_at_ms.is_none()) {
            row.revoked_at_ms = Some(at_ms);
            // One that expired is dead at its hub too.
            revoked.extend((row.expires_at > at_ms / 1000).then(|| row.clone()));
        }
    }

    fn put_key(&mut self, row: &KeyRow) {
        self.keys.retain(|known| known.kid != row.kid);
        self.keys.push(row.clone());
    }

    fn put_secret(&mut self, row: &SecretRow) {
        let is_same = |known: &SecretRow| (&known.owner, known.number) == (&row.owner, row.number);
        self.secrets.retain(|known| !is_same(known));
        self.secrets.push(row.clone());
    }

    fn person_changes(&mut self, change: &StoreChange, revoked: &mut Vec<TokenRow>) {
        let Some(key) = change.person() else { return };
        let (said, seen) = match change {
            StoreChange::TakeOver(seen) => (self.said_of(seen), Some(seen)),
            StoreChange::Seen(seen) => (Vec::new(), Some(seen)),
            _ => (Vec::new(), None),
        };
        let kept = self.people.get(key).cloned();
        let (row, mut sessions) =
            kept.map_or((None, Vec::new()), |kept| (Some(kept.row), kept.sessions));
        if let Some(seen) = seen
            && PersonRow::tells_a_session(row.as_ref(), seen)
            && let Some(sid) = &seen.session
        {
            sessions = SessionRow::used(sessions, sid, seen.proven_at);
        }
        let Some(step) = change.step(row, &said) else {
            return;
        };
        let row = step.row;
        self.people.insert(key.clone(), Person { row, sessions });
        if let Some(ends) = &step.ends {
            self.end(key, ends, revoked);
        }
        self.feed
            .extend(step.feed.map(|event| (key.clone(), event.clone())));
    }

    /// Writes a row of somebody whose sessions stay as they are.
    pub(super) fn put_person(&mut self, row: PersonRow) {
        let key = row.seen.key.clone();
        let sessions = self.people.remove(&key).map(|kept| kept.sessions);
        let sessions = sessions.unwrap_or_default();
        self.people.insert(key, Person { row, sessions });
    }

    fn end(&mut self, key: &PrincipalKey, ends: &Ends<'_>, revoked: &mut Vec<TokenRow>) {
        for row in &mut self.tokens {
            let stays = ends.but.is_some_and(|held| held.contains(&row.role));
            let lives = row.revoked_at_ms.is_none() && row.expires_at > ends.at_ms / 1000;
            if row.key == *key && lives && !stays {
                row.revoked_at_ms = Some(ends.at_ms);
                revoked.push(row.clone());
            }
        }
    }

    /// A token that a hub gives a second time is the later row. Our own are never the same twice.
    fn issue(&mut self, token: &TokenRow) {
        if token.sealed.is_some() {
            self.tokens.retain(|row| row.sha256 != token.sha256);
        }
        self.tokens.push(token.clone());
    }

    /// Keeps an event under each name.
    fn keep(&mut self, source: &SourceName, subjects: &[SignalSubject], event: &AccountEvent) {
        for subject in subjects.iter().filter(|subject| !subject.is_empty()) {
            let mut subject = subject.clone();
            subject.email = subject.email.map(|mail| mail.to_ascii_lowercase());
            let kept = self
                .unmatched
                .iter()
                .position(|(of, name, _)| (of, name) == (source, &subject));
            let kept = kept.map(|at| self.unmatched.swap_remove(at).2);
            let account = kept.unwrap_or_default().after(event);
            self.unmatched.push((source.clone(), subject, account));
        }
    }

    fn hold(&mut self, row: &AgentLogRow, lines: &[String]) -> Done {
        let numbers = row.numbers(self.held(row), lines)?;
        let mut row = row.clone();
        let log = if let Some(at) = self.log(&row.key, &row.log) {
            row.dropped.clone_from(&self.logs[at].dropped);
            self.logs[at] = row.clone();
            at
        } else {
            row.dropped = KnownEntry {
                seq: 0,
                hash: String::new(),
            };
            self.logs.push(row.clone());
            self.logs.len() - 1
        };
        for (seq, line) in numbers.into_iter().zip(lines) {
            self.arrivals += 1;
            self.records.push(RecordRow {
                arrival: self.arrivals,
                log,
                seq,
                at_ms: row.at_ms,
                line: line.clone(),
            });
        }
        Ok(())
    }

    fn append(&mut self, entry: &AuditRecord) -> Done {
        let link = record::chain(self.head.seq + 1, &self.head.hash, entry)
            .map_err(StoreFault::Unavailable)?;
        self.head = KnownEntry {
            seq: link.seq,
            hash: link.hash.clone(),
        };
        if let (Some(person), Some(name)) = (&entry.person, &entry.name) {
            self.names
                .insert((name.to_ascii_lowercase(), person.clone()));
        }
        self.audit.push((entry.at_ms, link));
        self.entries.push(entry.clone());
        Ok(())
    }

    /// Drops what comes before the first entry, and the first arrival, that is not older than `before_ms`.
    pub(super) fn prune(&mut self, before_ms: u64, at_ms: u64) -> Result<Pruned, StoreFault> {
        let org = || "acme".parse().unwrap();
        let kept = self.audit.iter().position(|(at_ms, _)| *at_ms >= before_ms);
        let entries = kept.unwrap_or(self.audit.len());
        let kept = self.records.iter().position(|row| row.at_ms >= before_ms);
        let records = kept.unwrap_or(self.records.len());
        let last = self.audit.drain(..entries).next_back();
        if let Some((_, last)) = last {
            let last = KnownEntry {
                seq: last.seq,
                hash: last.hash,
            };
            self.append(&retention::entries_dropped(org(), at_ms, &last))?;
        }
        for row in self.records.drain(..records) {
            let (link, _) = record::placed(&row.line)
                .map_err(|_| StoreFault::Unavailable("a record was changed".into()))?;
            let dropped = &mut self.logs[row.log].dropped;
            if link.seq > dropped.seq {
                (dropped.seq, dropped.hash) = (link.seq, link.hash);
            }
        }
        if entries > 0 || records > 0 {
            let mut logs: Vec<_> = self.logs.iter().filter(|log| log.dropped.seq > 0).collect();
            logs.sort_by(|a, b| (&a.key, &a.log).cmp(&(&b.key, &b.log)));
            let mut marks = Marks::default();
            for log in logs {
                marks.add(&log.key, &log.log, &log.dropped);
            }
            if let Some(dropped) = marks.finish() {
                self.append(&retention::records_dropped(org(), at_ms, &dropped))?;
            }
        }
        Ok(Pruned {
            entries: entries as u64,
            records: records as u64,
        })
    }
}
