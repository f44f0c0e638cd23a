//! [`Store`] in memory, for tests: no files, and what is forgotten by age stays. It keeps the whole contract, and
//! decides by the same functions as [`super::sqlite`].

mod apply;
mod directory;
mod read;
mod teams;

use super::agent_log::DayUse;
use super::person::SessionRow;
use super::{
    AgentLogRow, AgentRecords, AuditFilter, AuditLine, AuditTrail, Batch, BoxFuture, Committed,
    Cursor, FeedOfAll, FeedPage, IssuedTokens, KeyRow, People, PersonRow, PersonSeen, Policies,
    Pruned, Revocations, SecretOwner, SecretRow, Secrets, Store, StoreFault, TokenRow,
};
use directory::DirectoryRows;
use oam_audit::history::History;
use oam_audit::record::{ChainEntry, GENESIS, KnownEntry};
use oam_model::audit::AuditRecord;
use oam_model::feed::FeedEvent;
use oam_model::name::SourceName;
use oam_model::principal::PrincipalKey;
use oam_model::signal::SignalSubject;
use oam_policy::account::Account;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard};
use teams::TeamRows;
use tokio::sync::watch;

/// Rows as they lie.
#[derive(Clone)]
pub struct Rows {
    /// Signing keys.
    pub keys: Vec<KeyRow>,
    /// Secrets of all owners.
    pub secrets: Vec<SecretRow>,
    /// Tokens in the order in which they were issued.
    pub tokens: Vec<TokenRow>,
    /// What was written to the audit log, to look at.
    pub entries: Vec<AuditRecord>,
    /// The next commit fails.
    pub broken: bool,
    people: BTreeMap<PrincipalKey, Person>,
    unmatched: Vec<(SourceName, SignalSubject, Account)>,
    feed: Vec<(PrincipalKey, FeedEvent)>,
    once: BTreeSet<(String, String)>,
    streams: BTreeMap<String, u64>,
    logs: Vec<AgentLogRow>,
    records: Vec<RecordRow>,
    arrivals: u64,
    quotas: BTreeMap<PrincipalKey, DayUse>,
    policy_digest: Option<String>,
    audit: Vec<(u64, ChainEntry)>,
    head: KnownEntry,
    /// Every name, in lower case, under which a stable key stands in the log.
    names: BTreeSet<(String, String)>,
    directory: DirectoryRows,
    teams: TeamRows,
}

#[derive(Clone)]
struct Person {
    row: PersonRow,
    sessions: Vec<SessionRow>,
}

/// A record of an agent; `log` is the place in [`Rows::logs`].
#[derive(Clone)]
struct RecordRow {
    arrival: u64,
    log: usize,
    seq: u64,
    at_ms: u64,
    line: String,
}

impl Default for Rows {
    fn default() -> Self {
        Self {
            keys: Vec::new(),
            secrets: Vec::new(),
            tokens: Vec::new(),
            entries: Vec::new(),
            broken: false,
            people: BTreeMap::new(),
            unmatched: Vec::new(),
            feed: Vec::new(),
            once: BTreeSet::new(),
            streams: BTreeMap::new(),
            logs: Vec::new(),
            records: Vec::new(),
            arrivals: 0,
            quotas: BTreeMap::new(),
            policy_digest: None,
            audit: Vec::new(),
            head: KnownEntry {
                seq: 0,
                hash: GENESIS.to_owned(),
            },
            names: BTreeSet::new(),
            directory: DirectoryRows::default(),
            teams: TeamRows::default(),
        }
    }
}

/// The store, of the organization acme.
#[derive(Default)]
pub struct MemoryStore {
    rows: Mutex<Rows>,
    changes: watch::Sender<u64>,
}

impl MemoryStore {
    /// The rows, to look at or to change.
    pub fn rows(&self) -> MutexGuard<'_, Rows> {
        self.rows.lock().unwrap()
    }

    /// The details of all entries, in order.
    pub fn details(&self) -> Vec<String> {
        let rows = self.rows();
        let details = rows.entries.iter().filter_map(|e| e.detail.clone());
        details.collect()
    }

    /// Changes rows: all of it or nothing.
    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Rows) -> Result<T, StoreFault>,
    ) -> BoxFuture<'_, T> {
        let done = {
            let mut rows = self.rows();
            if std::mem::take(&mut rows.broken) {
                Err(StoreFault::Unavailable("the disk is full".into()))
            } else {
                let mut after = rows.clone();
                work(&mut after).inspect(|_| *rows = after)
            }
        };
        if done.is_ok() {
            self.changes.send_modify(|count| *count += 1);
        }
        now(done)
    }

    fn read<T: Send + 'static>(&self, question: impl FnOnce(&Rows) -> T) -> BoxFuture<'_, T> {
        now(Ok(question(&self.rows())))
    }
}

fn now<'a, T: Send + 'a>(value: Result<T, StoreFault>) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Store for MemoryStore {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Committed> {
        self.write(|rows| rows.commit(&batch))
    }
    fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }
}

impl People for MemoryStore {
    fn session_since(&self, key: PrincipalKey, session: String) -> BoxFuture<'_, Option<u64>> {
        self.read(|rows| rows.session_since(&key, &session))
    }
    fn code_exchanged(&self, key: PrincipalKey) -> BoxFuture<'_, Option<u64>> {
        self.read(|rows| rows.code_exchanged(&key))
    }
    fn person(&self, key: PrincipalKey) -> BoxFuture<'_, Option<PersonRow>> {
        self.read(|rows| rows.person(&key))
    }
    fn people(&self, source: SourceName, subject: SignalSubject) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(|rows| rows.by_signal(&source, &subject))
    }
    fn is_spoken_of(&self, seen: PersonSeen) -> BoxFuture<'_, bool> {
        self.read(|rows| !rows.said_of(&seen).is_empty())
    }
    fn find_people(&self, text: String) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(|rows| rows.by_text(&text))
    }
    fn recent_people(
        &self,
        since_ms: u64,
        after: Option<PrincipalKey>,
        limit: usize,
    ) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(|rows| rows.recent(since_ms, after.as_ref(), limit))
    }
}

impl IssuedTokens for MemoryStore {
    fn token(&self, sha256: String) -> BoxFuture<'_, Option<TokenRow>> {
        self.read(|rows| rows.tokens.iter().find(|row| row.sha256 == sha256).cloned())
    }
    fn live_tokens(&self, key: PrincipalKey, now_s: u64) -> BoxFuture<'_, Vec<TokenRow>> {
        self.read(|rows| rows.live_tokens(&key, now_s))
    }
    fn outstanding_tokens(&self, key: PrincipalKey, now_s: u64) -> BoxFuture<'_, Vec<TokenRow>> {
        self.read(|rows| rows.outstanding_tokens(&key, now_s))
    }
    fn due_at_hubs(
        &self,
        now_s: u64,
        revoked_until_ms: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<TokenRow>> {
        self.read(|rows| rows.due_at_hubs(now_s, revoked_until_ms, limit))
    }
}

impl Revocations for MemoryStore {
    fn feed(&self, key: PrincipalKey, after: Option<Cursor>) -> BoxFuture<'_, FeedPage> {
        self.read(|rows| rows.feed(&key, after.as_ref()))
    }
    fn feed_of_all(&self, after: u64, limit: usize) -> BoxFuture<'_, FeedOfAll> {
        self.read(|rows| rows.feed_of_all(after, limit))
    }
    fn is_taken(&self, transmitter: String, id: String) -> BoxFuture<'_, bool> {
        self.read(|rows| rows.once.contains(&(transmitter, id)))
    }
    fn stream_verified(&self, transmitter: String) -> BoxFuture<'_, Option<u64>> {
        self.read(|rows| rows.streams.get(&transmitter).copied())
    }
}

impl AgentRecords for MemoryStore {
    fn agent_log(&self, key: PrincipalKey, log: String) -> BoxFuture<'_, Option<AgentLogRow>> {
        self.read(|rows| rows.log(&key, &log).map(|at| rows.logs[at].clone()))
    }
    fn agent_logs_of(&self, key: PrincipalKey) -> BoxFuture<'_, u64> {
        self.read(|rows| rows.logs.iter().filter(|row| row.key == key).count() as u64)
    }
    fn agent_log_owner(&self, log: String) -> BoxFuture<'_, Option<PrincipalKey>> {
        self.read(|rows| {
            let first = rows.logs.iter().find(|row| row.log == log);
            first.map(|row| row.key.clone())
        })
    }
    fn agent_record(
        &self,
        key: PrincipalKey,
        log: String,
        seq: u64,
    ) -> BoxFuture<'_, Option<String>> {
        self.read(|rows| rows.record(&key, &log, seq))
    }
    fn agent_records(
        &self,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<(u64, PrincipalKey, String, String)>> {
        self.read(|rows| rows.records(after, limit))
    }
    fn agent_logs(&self, after: u64, limit: usize) -> BoxFuture<'_, Vec<(u64, AgentLogRow)>> {
        self.read(|rows| {
            let all = (1..).zip(rows.logs.iter().cloned());
            all.filter(|(id, _)| *id > after).take(limit).collect()
        })
    }
}

impl Secrets for MemoryStore {
    fn keys(&self) -> BoxFuture<'_, Vec<KeyRow>> {
        self.read(|rows| {
            let mut found = rows.keys.clone();
            found.sort_by(|a, b| (a.signs_from_ms, &a.kid).cmp(&(b.signs_from_ms, &b.kid)));
            found
        })
    }
    fn secrets(&self, owner: SecretOwner) -> BoxFuture<'_, Vec<SecretRow>> {
        self.read(|rows| {
            let mut found = rows.secrets.clone();
            found.retain(|row| row.owner == owner);
            found.sort_by_key(|row| std::cmp::Reverse(row.number));
            found
        })
    }
    fn secret_owners(&self) -> BoxFuture<'_, Vec<SecretOwner>> {
        self.read(|rows| {
            let owners: BTreeSet<_> = rows.secrets.iter().map(|row| row.owner.clone()).collect();
            owners.into_iter().collect()
        })
    }
}

impl Policies for MemoryStore {
    fn policy_digest(&self) -> BoxFuture<'_, Option<String>> {
        self.read(|rows| rows.policy_digest.clone())
    }
}

impl AuditTrail for MemoryStore {
    fn audit(
        &self,
        filter: AuditFilter,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<AuditLine>> {
        self.read(|rows| rows.audit(&filter, after, limit))
    }
    fn history(&self) -> BoxFuture<'_, History> {
        self.read(|rows| History {
            restored_at: Vec::new(),
            last: (rows.head.seq > 0).then(|| rows.head.clone()),
            marked: false,
        })
    }
    fn audit_hash(&self, seq: u64) -> BoxFuture<'_, Option<String>> {
        self.read(|rows| {
            let found = rows.audit.iter().find(|(_, link)| link.seq == seq);
            found.map(|(_, link)| link.hash.clone())
        })
    }
    fn prune(&self, before_ms: u64, at_ms: u64) -> BoxFuture<'_, Pruned> {
        self.write(|rows| rows.prune(before_ms, at_ms))
    }
}
