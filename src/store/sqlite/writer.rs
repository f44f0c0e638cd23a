//! The one thread that writes: what waits is written together in one transaction, and answered after it
//! is on disk.
//!
//! A pool of writers was measured and rejected: they wait for each other's lock and each pays its own
//! fsync (3,100 batches a second against 10,000 and more).

use super::apply::ApplyError;
use super::chain::ChainHead;
use super::checkpoint::Checkpoints;
use super::generation::SharedGeneration;
use super::group::{data_version, separately, together, told, within};
use super::marker::{self, DatabaseFiles};
use super::open::{FileCheck, OpenMode, Writing};
use super::{prune, read, sweep, words};
use crate::{Batch, Committed, Pruned, StoreFault};
use oam_model::name::OrgName;
use oam_system::clock;
use oam_system::leap::ClockWatch;
use rusqlite::{Connection, Error, ErrorCode};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// Batches in one transaction.
const GROUP: usize = 128;

/// How often an idle writer looks at the files and for commits of other processes.
const LOOK: Duration = Duration::from_millis(200);

/// How often it forgets what may be forgotten.
const SWEEP: Duration = Duration::from_mins(1);

/// Longest time that commits stand in the write-ahead log alone: a copy of the database's file made by hand is
/// at most so old.
const COPY: Duration = Duration::from_secs(15);

/// Longest time that the marker lags behind a busy database.
const MARK: Duration = Duration::from_secs(5);

/// Where an answer goes.
type Reply<T> = oneshot::Sender<Result<T, StoreFault>>;

/// What the writer is asked.
pub(super) enum WriteRequest {
    /// Write a batch.
    Commit(Batch, Reply<Committed>),
    /// Drop audit entries.
    Prune {
        /// Unix milliseconds.
        before_ms: u64,
        /// Now, Unix milliseconds.
        at_ms: u64,
        /// What is dropped.
        reply: Reply<Pruned>,
    },
    /// Something that only a test asks.
    #[cfg(test)]
    Work(Box<dyn FnOnce(&mut Writer) + Send>),
}

/// The writer's own state.
pub(super) struct Writer {
    files: DatabaseFiles,
    org: OrgName,
    jobs: Receiver<WriteRequest>,
    shared: Arc<SharedGeneration>,
    checkpoints: Checkpoints,
    /// When what was committed last must stand in the marker, and in the database's own file; none: it does.
    mark_at: Option<Instant>,
    copy_at: Option<Instant>,
    /// None while there is no database to write to.
    writing: Option<Writing>,
    /// The audit log's end; none when another process may have moved it.
    head: Option<ChainHead>,
    /// `PRAGMA data_version` when last looked at.
    data_version: i64,
    /// The connection failed in a way that a new one may not.
    stale: bool,
    sweep_at: Instant,
    /// What is forgotten by age is forgotten for good.
    watch: ClockWatch,
}

impl Writer {
    /// A writer of an open database, whose commits `checkpoints` follows.
    pub(super) fn new(
        files: DatabaseFiles,
        org: OrgName,
        jobs: Receiver<WriteRequest>,
        shared: Arc<SharedGeneration>,
        checkpoints: Checkpoints,
        writing: Writing,
    ) -> Self {
        let data_version = data_version(&writing.connection).unwrap_or(-1);
        Self {
            files,
            mark_at: None,
            copy_at: None,
            org,
            jobs,
            shared,
            checkpoints,
            writing: Some(writing),
            head: None,
            data_version,
            stale: false,
            sweep_at: Instant::now() + SWEEP,
            watch: ClockWatch::doubting(clock::now()),
        }
    }

    /// Serves until the store is dropped and everything that was asked is answered.
    pub(super) fn run(mut self) {
        loop {
            match self.jobs.recv_timeout(LOOK) {
                Ok(job) => self.serve(job),
                Err(RecvTimeoutError::Timeout) => {
                    self.look();
                    // Nobody waits: what there is to note is noted.
                    self.mark();
                }
                Err(RecvTimeoutError::Disconnected) => return self.end(),
            }
            let due = |at: Option<Instant>| at.is_some_and(|at| Instant::now() >= at);
            if due(self.mark_at) {
                self.mark();
            }
            if due(self.copy_at) {
                self.copy_at = None;
                self.checkpoints.ask();
            }
            if Instant::now() >= self.sweep_at {
                let now_ms = self.watch.at(clock::now());
                let more = self.sweep(now_ms).unwrap_or(false);
                self.sweep_at = Instant::now() + if more { LOOK } else { SWEEP };
            }
        }
    }

    /// Something was committed, here or by another process.
    fn moved(&mut self) {
        let now = Instant::now();
        self.mark_at.get_or_insert(now + MARK);
        self.copy_at.get_or_insert(now + COPY);
        self.shared.changed();
    }

    /// Notes in the marker up to where the database is written; not for one that the marker does not fit.
    pub(super) fn mark(&mut self) {
        let Some(writing) = self.writing.as_ref().filter(|one| one.misfit.is_none()) else {
            return;
        };
        if self.mark_at.take().is_none() || writing.found() != FileCheck::Same {
            return;
        }
        let Ok(history) = read::history(&writing.connection) else {
            return;
        };
        match marker::write_mark(&self.files.marker, history.position()) {
            Ok(()) => self.shared.marked(None),
            Err(fault) => {
                self.shared.marked(Some(fault.kind()));
                self.mark_at = Some(Instant::now() + MARK);
            }
        }
    }

    /// The last that is done: everything stands in the database's own file, and in the marker.
    fn end(mut self) {
        self.look();
        self.mark();
        if let Some(writing) = self
            .writing
            .as_ref()
            .filter(|one| one.found() == FileCheck::Same)
        {
            // Another process may have it open, and copies it then.
            let _ = writing
                .connection
                .query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(()));
        }
    }

    /// The open connection, for a test that spoils it.
    #[cfg(test)]
    pub(super) fn connection(&self) -> &Connection {
        &self
            .writing
            .as_ref()
            .expect("a database is open")
            .connection
    }

    fn serve(&mut self, first: WriteRequest) {
        let mut group = Vec::new();
        let mut other = None;
        let mut next = Some(first);
        while let Some(job) = next.take() {
            if let WriteRequest::Commit(batch, reply) = job {
                group.push((batch, reply));
            } else {
                other = Some(job);
            }
            if other.is_none() && group.len() < GROUP {
                next = self.jobs.try_recv().ok();
            }
        }
        self.commit(group);
        match other {
            Some(WriteRequest::Prune {
                before_ms,
                at_ms,
                reply,
            }) => {
                let pruned = self.prune(before_ms, at_ms);
                let _ = reply.send(pruned);
            }
            #[cfg(test)]
            Some(WriteRequest::Work(work)) => work(self),
            // Commits are in the group.
            Some(WriteRequest::Commit(..)) | None => {}
        }
    }

    fn commit(&mut self, group: Vec<(Batch, Reply<Committed>)>) {
        if group.is_empty() {
            return;
        }
        let (batches, replies): (Vec<_>, Vec<_>) = group.into_iter().unzip();
        let count = batches.len();
        let results = match self.group(&batches) {
            Ok(results) => results,
            // One of them is bad in a way that only shows while it is written. The others need not fail
            // with it: once more in one transaction, with a way back for each; where even that is not
            // possible, each is tried alone.
            Err((_, true)) if count > 1 => self.apart(&batches).unwrap_or_else(|| {
                let alone = batches.chunks(1);
                let tried = alone.flat_map(|one| {
                    self.group(one)
                        .unwrap_or_else(|(fault, _)| vec![Err(fault)])
                });
                tried.collect()
            }),
            // Nothing was written yet: another process holds the database, or it is not there. Alone each
            // would wait for it as long again.
            Err((fault, _)) => vec![Err(fault); count],
        };
        for (reply, result) in replies.into_iter().zip(results) {
            // Who asked may be gone; what was written stays.
            let _ = reply.send(result);
        }
    }

    /// One transaction of several batches; the result of each. With a fault: whether writing had begun.
    fn group(
        &mut self,
        batches: &[Batch],
    ) -> Result<Vec<Result<Committed, StoreFault>>, (StoreFault, bool)> {
        let mut began = false;
        let results = self.transaction(|database, head| {
            began = true;
            together(database, head, batches)
        });
        results.map_err(|undone| (told(&self.files.database, undone), began))
    }

    /// As [`Writer::group`], where the batches that are bad are undone and the others are kept; none where
    /// the transaction as a whole did not work.
    fn apart(&mut self, batches: &[Batch]) -> Option<Vec<Result<Committed, StoreFault>>> {
        let path = self.files.database.clone();
        self.transaction(|database, head| separately(&path, database, head, batches))
            .ok()
    }

    fn prune(&mut self, before_ms: u64, at_ms: u64) -> Result<Pruned, StoreFault> {
        let org = self.org.clone();
        let pruned = self
            .transaction(|database, head| prune::begin(database, head, &org, before_ms, at_ms))
            .map_err(|undone| told(&self.files.database, undone))?;
        loop {
            let more = self
                .transaction(|database, _| Ok(prune::go_on(database)?))
                .map_err(|undone| told(&self.files.database, undone))?;
            if !more {
                return Ok(pruned);
            }
        }
    }

    /// Forgets some of what may be forgotten; tells whether there is more.
    pub(super) fn sweep(&mut self, now_ms: u64) -> Result<bool, StoreFault> {
        self.transaction(|database, _| Ok(sweep::some(database, now_ms)?))
            .map_err(|undone| told(&self.files.database, undone))
    }

    /// Runs `work` in one durable transaction on the right files, with the audit log's end.
    fn transaction<T>(
        &mut self,
        work: impl FnOnce(&Connection, &mut ChainHead) -> Result<T, ApplyError>,
    ) -> Result<T, ApplyError> {
        self.ready().map_err(ApplyError::Told)?;
        let Some(writing) = &self.writing else {
            return Err(ApplyError::Told(words::closed()));
        };
        let database = &writing.connection;
        let known = (self.data_version, self.head.take());
        match within(database, known, work) {
            Ok((value, version, head)) => {
                (self.data_version, self.head) = (version, Some(head));
                self.moved();
                Ok(value)
            }
            Err(undone) => {
                if let ApplyError::Database(error) = &undone {
                    self.stale = may_heal(error);
                }
                Err(undone)
            }
        }
    }

    /// Makes sure that what is written goes to the database that others find.
    fn ready(&mut self) -> Result<(), StoreFault> {
        let found = self.writing.as_ref().map(Writing::found);
        match found {
            Some(FileCheck::Same) if !self.stale => {
                self.shared.back();
                return Ok(());
            }
            Some(FileCheck::Gone) => {
                let fault = words::as_fault(&words::gone(&self.files.database));
                self.shared.lost(&fault);
                return Err(fault);
            }
            _ => {}
        }
        let how = match found {
            Some(FileCheck::Same) => OpenMode::Existing,
            _ => OpenMode::Replaced,
        };
        self.head = None;
        if let Some(old) = self.writing.take() {
            old.abandon();
        }
        let opened = Writing::open(&self.files, &self.org, how).and_then(|mut writing| {
            let followed = self.checkpoints.follow(&mut writing.connection);
            followed.map_err(|error| words::refusal(&self.files.database, &error))?;
            Ok(writing)
        });
        match opened {
            Ok(writing) => {
                self.data_version = data_version(&writing.connection).unwrap_or(-1);
                self.stale = false;
                self.shared.opened(writing.generation.clone());
                self.writing = Some(writing);
                Ok(())
            }
            Err(refusal) => {
                let fault = words::as_fault(&refusal);
                self.shared.lost(&fault);
                Err(fault)
            }
        }
    }

    /// Nothing to do: looks whether the files are the same and whether another process committed.
    fn look(&mut self) {
        if self.ready().is_err() {
            return;
        }
        let Some(writing) = &self.writing else { return };
        if let Ok(version) = data_version(&writing.connection)
            && version != self.data_version
        {
            self.data_version = version;
            self.head = None;
            self.moved();
        }
    }
}

/// Whether a new connection may work where this one did not.
fn may_heal(error: &Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
        )
    )
}
