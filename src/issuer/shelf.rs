//! A store in memory, for tests of what only reads and writes rows: no transactions, no files.

use super::store::{
    AgentLogRow, AuditFilter, AuditLine, Batch, Change, Committed, Cursor, FeedOfAll, FeedPage,
    KeyRow, Later, PersonRow, PersonSeen, Pruned, SecretOwner, SecretRow, Store, StoreFault,
    TokenRow,
};
use crate::model::audit::AuditRecord;
use crate::model::claimant::ClaimantKey;
use crate::model::name::SourceName;
use crate::model::signal::SignalSubject;
use std::sync::{Mutex, MutexGuard};
use tokio::sync::watch;

/// Rows as they lie.
#[derive(Default)]
pub(crate) struct Rows {
    pub(crate) keys: Vec<KeyRow>,
    pub(crate) secrets: Vec<SecretRow>,
    pub(crate) tokens: Vec<TokenRow>,
    pub(crate) entries: Vec<AuditRecord>,
    /// The next commit fails.
    pub(crate) broken: bool,
}

/// The store.
#[derive(Default)]
pub(crate) struct Shelf(Mutex<Rows>);

impl Shelf {
    /// The rows, to look at or to change.
    pub(crate) fn rows(&self) -> MutexGuard<'_, Rows> {
        self.0.lock().unwrap()
    }

    /// The details of all entries, in order.
    pub(crate) fn details(&self) -> Vec<String> {
        let rows = self.rows();
        rows.entries
            .iter()
            .filter_map(|e| e.detail.clone())
            .collect()
    }
}

fn now<'a, T: Send + 'a>(value: Result<T, StoreFault>) -> Later<'a, T> {
    Box::pin(async move { value })
}

fn not_here<'a, T: Send + 'a>() -> Later<'a, T> {
    now(Err(StoreFault::Unavailable("not on this shelf".into())))
}

fn apply(rows: &mut Rows, change: Change) {
    match change {
        Change::PutKey(row) => {
            rows.keys.retain(|known| known.kid != row.kid);
            rows.keys.push(row);
        }
        Change::DropKey(kid) => rows.keys.retain(|row| row.kid != kid),
        Change::PutSecret(row) => {
            rows.secrets
                .retain(|known| known.owner != row.owner || known.number != row.number);
            rows.secrets.push(row);
        }
        Change::DropSecret { owner, number } => rows
            .secrets
            .retain(|row| row.owner != owner || row.number != number),
        Change::Issue { token, .. } => rows.tokens.push(token),
        Change::Unseal(sha256) => {
            for row in rows.tokens.iter_mut().filter(|row| row.sha256 == sha256) {
                row.sealed = None;
            }
        }
        other => panic!("not on this shelf: {other:?}"),
    }
}

impl Store for Shelf {
    fn commit(&self, batch: Batch) -> Later<'_, Committed> {
        let mut rows = self.rows();
        if std::mem::take(&mut rows.broken) {
            return now(Err(StoreFault::Unavailable("the disk is full".into())));
        }
        for change in batch.changes {
            apply(&mut rows, change);
        }
        rows.entries.extend(batch.entries);
        let audit_seq = rows.entries.len() as u64;
        now(Ok(Committed {
            audit_seq,
            revoked: Vec::new(),
        }))
    }
    fn token(&self, sha256: String) -> Later<'_, Option<TokenRow>> {
        let found = self
            .rows()
            .tokens
            .iter()
            .find(|row| row.sha256 == sha256)
            .cloned();
        now(Ok(found))
    }
    fn due_at_hubs(
        &self,
        now_s: u64,
        revoked_until_ms: u64,
        limit: usize,
    ) -> Later<'_, Vec<TokenRow>> {
        let over = |row: &&TokenRow| {
            let expired = row.expires_at <= now_s;
            row.sealed.is_some()
                && row
                    .revoked_at_ms
                    .map_or(expired, |at| at <= revoked_until_ms)
        };
        let found = self
            .rows()
            .tokens
            .iter()
            .filter(over)
            .take(limit)
            .cloned()
            .collect();
        now(Ok(found))
    }
    fn keys(&self) -> Later<'_, Vec<KeyRow>> {
        now(Ok(self.rows().keys.clone()))
    }
    fn secrets(&self, owner: SecretOwner) -> Later<'_, Vec<SecretRow>> {
        let mut found = self.rows().secrets.clone();
        found.retain(|row| row.owner == owner);
        found.sort_by_key(|row| std::cmp::Reverse(row.number));
        now(Ok(found))
    }
    fn secret_owners(&self) -> Later<'_, Vec<SecretOwner>> {
        let mut found: Vec<_> = self
            .rows()
            .secrets
            .iter()
            .map(|row| row.owner.clone())
            .collect();
        found.sort();
        found.dedup();
        now(Ok(found))
    }
    fn changes(&self) -> watch::Receiver<u64> {
        watch::channel(0).1
    }
    fn person(&self, _: ClaimantKey) -> Later<'_, Option<PersonRow>> {
        not_here()
    }
    fn session_since(&self, _: ClaimantKey, _: String) -> Later<'_, Option<u64>> {
        not_here()
    }
    fn people(&self, _: SourceName, _: SignalSubject) -> Later<'_, Vec<PersonRow>> {
        not_here()
    }
    fn is_spoken_of(&self, _: PersonSeen) -> Later<'_, bool> {
        not_here()
    }
    fn find_people(&self, _: String) -> Later<'_, Vec<PersonRow>> {
        not_here()
    }
    fn recent_people(&self, _: u64, _: Option<ClaimantKey>, _: usize) -> Later<'_, Vec<PersonRow>> {
        not_here()
    }
    fn live_tokens(&self, _: ClaimantKey, _: u64) -> Later<'_, Vec<TokenRow>> {
        not_here()
    }
    fn outstanding_tokens(&self, _: ClaimantKey, _: u64) -> Later<'_, Vec<TokenRow>> {
        not_here()
    }
    fn feed(&self, _: ClaimantKey, _: Option<Cursor>) -> Later<'_, FeedPage> {
        not_here()
    }
    fn feed_of_all(&self, _: u64, _: usize) -> Later<'_, FeedOfAll> {
        not_here()
    }
    fn stream_verified(&self, _: String) -> Later<'_, Option<u64>> {
        not_here()
    }
    fn agent_log(&self, _: ClaimantKey, _: String) -> Later<'_, Option<AgentLogRow>> {
        not_here()
    }
    fn agent_logs_of(&self, _: ClaimantKey) -> Later<'_, u64> {
        not_here()
    }
    fn agent_log_owner(&self, _: String) -> Later<'_, Option<ClaimantKey>> {
        not_here()
    }
    fn agent_record(&self, _: ClaimantKey, _: String, _: u64) -> Later<'_, Option<String>> {
        not_here()
    }
    fn policy_digest(&self) -> Later<'_, Option<String>> {
        not_here()
    }
    fn audit(&self, _: AuditFilter, _: u64, _: usize) -> Later<'_, Vec<AuditLine>> {
        not_here()
    }
    fn agent_records(
        &self,
        _: u64,
        _: usize,
    ) -> Later<'_, Vec<(u64, ClaimantKey, String, String)>> {
        not_here()
    }
    fn agent_logs(&self, _: u64, _: usize) -> Later<'_, Vec<(u64, AgentLogRow)>> {
        not_here()
    }
    fn history(&self) -> Later<'_, crate::rules::history::History> {
        not_here()
    }
    fn audit_hash(&self, _: u64) -> Later<'_, Option<String>> {
        not_here()
    }
    fn prune(&self, _: u64, _: u64) -> Later<'_, Pruned> {
        not_here()
    }
}
