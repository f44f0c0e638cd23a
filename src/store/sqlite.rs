//! [`Store`] in one `SQLite` file: one thread that writes, some that read.

mod apply;
mod backup;
mod chain;
mod checkpoint;
mod directory;
mod file;
mod generation;
mod group;
mod marker;
mod open;
mod prune;
mod read;
mod reader;
mod rows;
mod sweep;
mod teams;
#[cfg(test)]
mod tests;
mod words;
mod writer;

use super::{
    AgentLogRow, AgentRecords, AuditFilter, AuditLine, AuditTrail, Batch, BoxFuture, Committed,
    Cursor, FeedOfAll, FeedPage, IssuedTokens, KeyRow, People, PersonRow, PersonSeen, Policies,
    Pruned, Revocations, SecretOwner, SecretRow, Secrets, Store, StoreFault, TokenRow,
};
pub use backup::{Backup, RestoreResult, accept, backup, inspect, is_database, put_in_place};
use checkpoint::Checkpoints;
use generation::{DbGeneration, SharedGeneration};
pub use marker::{DatabaseFiles, Mark, read_mark};
use oam_audit::history::History;
use oam_model::name::{OrgName, SourceName};
use oam_model::principal::PrincipalKey;
use oam_model::refusal::Refusal;
use oam_model::signal::SignalSubject;
use oam_model::system_error::reason;
use open::{OpenMode, Writing};
use reader::{Kind, Readers};
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use tokio::sync::{oneshot, watch};
use writer::{WriteRequest, Writer};

/// Batches that may wait for the writer: about half a second of its work.
const WAITING: usize = 4_096;

/// The store in one `SQLite` file.
///
/// Several processes may have it open: the server and the commands beside it. Dropping it waits until
/// what was asked is done.
pub struct SqliteStore {
    shared: Arc<SharedGeneration>,
    /// None only while it is dropped.
    ways: Option<(SyncSender<WriteRequest>, Readers)>,
    threads: Vec<JoinHandle<()>>,
    misfit: Option<Refusal>,
}

impl SqliteStore {
    /// Opens the database of `org` at `path`, and begins one where there is none. The folder must exist.
    ///
    /// # Errors
    /// A refusal with the next step: no folder or permission, another organization's database, a newer
    /// version's, a damaged one.
    pub fn open(files: impl Into<DatabaseFiles>, org: &OrgName) -> Result<Self, Refusal> {
        Self::start(files.into(), org, OpenMode::Create)
    }

    /// The same for commands that have nothing to do without a database.
    ///
    /// # Errors
    /// As [`Self::open`], and when there is no database.
    pub fn open_existing(files: impl Into<DatabaseFiles>, org: &OrgName) -> Result<Self, Refusal> {
        Self::start(files.into(), org, OpenMode::Existing)
    }

    /// Why this database must not be served: it is an older copy. Commands may look at it all the same.
    pub const fn misfit(&self) -> Option<&Refusal> {
        self.misfit.as_ref()
    }

    fn start(files: DatabaseFiles, org: &OrgName, how: OpenMode) -> Result<Self, Refusal> {
        let path = files.database.clone();
        let path = path.as_path();
        let mut writing = Writing::open(&files, org, how)?;
        let misfit = writing.misfit.clone();
        let shared = Arc::new(SharedGeneration::new(writing.generation.clone()));
        let (jobs, asked) = sync_channel(WAITING);
        let mut threads = Vec::new();
        let checkpoints =
            Checkpoints::start(path, &shared, &mut threads).map_err(|e| no_thread(&e))?;
        checkpoints
            .follow(&mut writing.connection)
            .map_err(|error| words::refusal(path, &error))?;
        let started = || {
            let readers = Readers::start(path, &shared, &mut threads)?;
            let writer = Writer::new(
                files,
                org.clone(),
                asked,
                Arc::clone(&shared),
                checkpoints,
                writing,
            );
            let thread = thread::Builder::new().name("oam-store-write".to_owned());
            threads.push(thread.spawn(move || writer.run())?);
            Ok(readers)
        };
        let readers = started().map_err(|error: std::io::Error| no_thread(&error))?;
        Ok(Self {
            shared,
            ways: Some((jobs, readers)),
            threads,
            misfit,
        })
    }

    /// Asks the writer.
    fn write<T: Send + 'static>(
        &self,
        job: impl FnOnce(oneshot::Sender<Result<T, StoreFault>>) -> WriteRequest + Send + 'static,
    ) -> BoxFuture<'_, T> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            let (jobs, _) = self.ways.as_ref().ok_or_else(words::closed)?;
            jobs.try_send(job(reply)).map_err(|refused| match refused {
                TrySendError::Full(_) => words::busy(),
                TrySendError::Disconnected(_) => words::closed(),
            })?;
            answer.await.unwrap_or_else(|_| Err(words::closed()))
        })
    }

    /// Asks a reader.
    fn read<T: Send + 'static>(
        &self,
        kind: Kind,
        question: impl FnOnce(&Connection, &DbGeneration) -> rusqlite::Result<T> + Send + 'static,
    ) -> BoxFuture<'_, T> {
        Box::pin(async move {
            let (_, readers) = self.ways.as_ref().ok_or_else(words::closed)?;
            readers.ask(kind, question).await
        })
    }
}

fn no_thread(error: &std::io::Error) -> Refusal {
    Refusal::unavailable(
        format!(
            "the system gave no thread for the database: {}",
            reason(error.kind())
        ),
        "look at the limits of this process (tasks), then start again",
    )
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        drop(self.ways.take());
        for thread in self.threads.drain(..) {
            // A thread that ended early was already missed by whoever asked it.
            let _ = thread.join();
        }
    }
}

impl Store for SqliteStore {
    fn commit(&self, batch: Batch) -> BoxFuture<'_, Committed> {
        self.write(move |reply| WriteRequest::Commit(batch, reply))
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.watch()
    }
}

impl People for SqliteStore {
    fn person(&self, key: PrincipalKey) -> BoxFuture<'_, Option<PersonRow>> {
        self.read(Kind::Key, move |database, _| {
            read::people::by_key(database, &key)
        })
    }

    fn session_since(&self, key: PrincipalKey, session: String) -> BoxFuture<'_, Option<u64>> {
        self.read(Kind::Key, move |database, _| {
            read::people::session_since(database, &key, &session)
        })
    }

    fn code_exchanged(&self, key: PrincipalKey) -> BoxFuture<'_, Option<u64>> {
        self.read(Kind::Key, move |database, _| {
            read::people::code_exchanged(database, &key)
        })
    }

    fn people(&self, source: SourceName, subject: SignalSubject) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(Kind::Search, move |database, _| {
            read::people::by_signal(database, &source, &subject)
        })
    }

    fn is_spoken_of(&self, seen: PersonSeen) -> BoxFuture<'_, bool> {
        self.read(Kind::Search, move |database, _| {
            Ok(!read::people::unmatched(database, &seen)?.is_empty())
        })
    }

    fn find_people(&self, text: String) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(Kind::Search, move |database, _| {
            read::people::by_text(database, &text)
        })
    }

    fn recent_people(
        &self,
        since_ms: u64,
        after: Option<PrincipalKey>,
        limit: usize,
    ) -> BoxFuture<'_, Vec<PersonRow>> {
        self.read(Kind::Long, move |database, _| {
            read::people::recent(database, since_ms, after.as_ref(), limit)
        })
    }
}

impl IssuedTokens for SqliteStore {
    fn token(&self, sha256: String) -> BoxFuture<'_, Option<TokenRow>> {
        self.read(Kind::Key, move |database, _| read::token(database, &sha256))
    }

    fn live_tokens(&self, key: PrincipalKey, now_s: u64) -> BoxFuture<'_, Vec<TokenRow>> {
        self.read(Kind::Key, move |database, _| {
            read::live_tokens(database, &key, now_s)
        })
    }

    fn outstanding_tokens(&self, key: PrincipalKey, now_s: u64) -> BoxFuture<'_, Vec<TokenRow>> {
        self.read(Kind::Key, move |database, _| {
            read::outstanding_tokens(database, &key, now_s)
        })
    }

    fn due_at_hubs(
        &self,
        now_s: u64,
        revoked_until_ms: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<TokenRow>> {
        self.read(Kind::Search, move |database, _| {
            read::due_at_hubs(database, now_s, revoked_until_ms, limit)
        })
    }
}

impl Revocations for SqliteStore {
    fn feed(&self, key: PrincipalKey, after: Option<Cursor>) -> BoxFuture<'_, FeedPage> {
        self.read(Kind::Key, move |database, place| {
            read::feed(database, place, &key, after.as_ref())
        })
    }

    fn feed_of_all(&self, after: u64, limit: usize) -> BoxFuture<'_, FeedOfAll> {
        self.read(Kind::Search, move |database, place| {
            read::feed_of_all(database, place, after, limit)
        })
    }

    fn is_taken(&self, transmitter: String, id: String) -> BoxFuture<'_, bool> {
        self.read(Kind::Key, move |database, _| {
            read::is_taken(database, &transmitter, &id)
        })
    }

    fn stream_verified(&self, transmitter: String) -> BoxFuture<'_, Option<u64>> {
        self.read(Kind::Key, move |database, _| {
            read::stream_verified(database, &transmitter)
        })
    }
}

impl AgentRecords for SqliteStore {
    fn agent_log(&self, key: PrincipalKey, log: String) -> BoxFuture<'_, Option<AgentLogRow>> {
        self.read(Kind::Key, move |database, _| {
            read::agent_log(database, &key, &log)
        })
    }

    fn agent_logs_of(&self, key: PrincipalKey) -> BoxFuture<'_, u64> {
        self.read(Kind::Search, move |database, _| {
            read::agent_logs_of(database, &key)
        })
    }

    fn agent_log_owner(&self, log: String) -> BoxFuture<'_, Option<PrincipalKey>> {
        self.read(Kind::Key, move |database, _| {
            read::agent_log_owner(database, &log)
        })
    }

    fn agent_record(
        &self,
        key: PrincipalKey,
        log: String,
        seq: u64,
    ) -> BoxFuture<'_, Option<String>> {
        self.read(Kind::Key, move |database, _| {
            read::agent_record(database, &key, &log, seq)
        })
    }

    fn agent_records(
        &self,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<(u64, PrincipalKey, String, String)>> {
        self.read(Kind::Long, move |database, _| {
            read::agent_records(database, after, limit)
        })
    }

    fn agent_logs(&self, after: u64, limit: usize) -> BoxFuture<'_, Vec<(u64, AgentLogRow)>> {
        self.read(Kind::Long, move |database, _| {
            read::agent_logs(database, after, limit)
        })
    }
}

impl Secrets for SqliteStore {
    fn keys(&self) -> BoxFuture<'_, Vec<KeyRow>> {
        self.read(Kind::Key, |database, _| read::keys(database))
    }

    fn secrets(&self, owner: SecretOwner) -> BoxFuture<'_, Vec<SecretRow>> {
        self.read(Kind::Key, move |database, _| {
            read::secrets(database, &owner)
        })
    }

    fn secret_owners(&self) -> BoxFuture<'_, Vec<SecretOwner>> {
        self.read(Kind::Key, |database, _| read::secret_owners(database))
    }
}

impl Policies for SqliteStore {
    fn policy_digest(&self) -> BoxFuture<'_, Option<String>> {
        self.read(Kind::Key, |database, _| read::policy_digest(database))
    }
}

impl AuditTrail for SqliteStore {
    fn audit(
        &self,
        filter: AuditFilter,
        after: u64,
        limit: usize,
    ) -> BoxFuture<'_, Vec<AuditLine>> {
        self.read(Kind::Long, move |database, _| {
            read::audit::page(database, &filter, after, limit)
        })
    }

    fn history(&self) -> BoxFuture<'_, History> {
        self.read(Kind::Key, |database, _| read::history(database))
    }

    fn audit_hash(&self, seq: u64) -> BoxFuture<'_, Option<String>> {
        self.read(Kind::Key, move |database, _| {
            read::audit_hash(database, seq)
        })
    }

    fn prune(&self, before_ms: u64, at_ms: u64) -> BoxFuture<'_, Pruned> {
        self.write(move |reply| WriteRequest::Prune {
            before_ms,
            at_ms,
            reply,
        })
    }
}
