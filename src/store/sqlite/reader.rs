//! Reading, never on the writer's way. A look-up by a key is answered on the caller's own thread with one
//! of a few idle connections: it takes some ten microseconds, and a thread of its own costs more than that
//! by the two switches between threads. Long scans, and look-ups that find no idle connection, have
//! threads, so that an export does not hold up an introspection.

use super::generation::{DbGeneration, SharedGeneration};
use super::open;
use super::words;
use crate::StoreFault;
use rusqlite::{Connection, ErrorCode};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use tokio::sync::oneshot;

/// Connections for look-ups on the caller's thread.
const IDLE: usize = 4;

/// Questions that may wait in each queue.
const WAITING: usize = 4_096;

/// A question with the way of its answer.
type Question = Box<dyn FnOnce(&mut Reader) + Send>;

/// How long a question takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// By a key: some ten microseconds, on the caller's own thread.
    Key,
    /// Over some rows: a thread's, which no export holds up.
    Search,
    /// Over many rows.
    Long,
}

/// The queues of the readers, and the connections that wait for look-ups.
pub(super) struct Readers {
    idle: Mutex<Vec<Reader>>,
    quick: SyncSender<Question>,
    long: SyncSender<Question>,
}

impl Readers {
    /// Starts the threads.
    ///
    /// # Errors
    /// The system gave no thread.
    pub(super) fn start(
        path: &Path,
        shared: &Arc<SharedGeneration>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> std::io::Result<Self> {
        let reader = || Reader::new(path, shared);
        let mut lane = || -> std::io::Result<SyncSender<Question>> {
            let (ask, asked) = sync_channel::<Question>(WAITING);
            let reader = reader();
            let thread = thread::Builder::new().name("oam-store-read".to_owned());
            threads.push(thread.spawn(move || reader.run(&asked))?);
            Ok(ask)
        };
        Ok(Self {
            idle: Mutex::new((0..IDLE).map(|_| reader()).collect()),
            quick: lane()?,
            long: lane()?,
        })
    }

    /// Asks.
    ///
    /// # Errors
    /// Too many wait, the store is closed, or what the database says.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        kind: Kind,
        question: impl FnOnce(&Connection, &DbGeneration) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreFault> {
        let lane = match kind {
            Kind::Long => &self.long,
            Kind::Search => &self.quick,
            Kind::Key => match self.take() {
                None => &self.quick,
                Some(mut reader) => {
                    let answer = reader.answer(question);
                    self.idle().push(reader);
                    return answer;
                }
            },
        };
        let (reply, answer) = oneshot::channel();
        let question: Question = Box::new(move |reader| drop(reply.send(reader.answer(question))));
        match lane.try_send(question) {
            Ok(()) => answer.await.unwrap_or_else(|_| Err(words::closed())),
            Err(TrySendError::Full(_)) => Err(words::busy()),
            Err(TrySendError::Disconnected(_)) => Err(words::closed()),
        }
    }

    fn take(&self) -> Option<Reader> {
        self.idle().pop()
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Reader>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn may_heal(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
        )
    )
}

/// A connection that only reads, opened when it is needed, and anew when the database is another one.
pub(super) struct Reader {
    path: PathBuf,
    shared: Arc<SharedGeneration>,
    /// The connection, and which opening of the database it belongs to.
    open: Option<(Connection, u64)>,
}

impl Reader {
    /// Nothing is opened yet.
    pub(super) fn new(path: &Path, shared: &Arc<SharedGeneration>) -> Self {
        Self {
            path: path.to_owned(),
            shared: Arc::clone(shared),
            open: None,
        }
    }

    fn run(mut self, asked: &Receiver<Question>) {
        while let Ok(question) = asked.recv() {
            question(&mut self);
        }
    }

    /// Answers a question.
    ///
    /// # Errors
    /// There is no database, or what it says.
    pub(super) fn answer<T>(
        &mut self,
        question: impl FnOnce(&Connection, &DbGeneration) -> rusqlite::Result<T>,
    ) -> Result<T, StoreFault> {
        let place = self.shared.place();
        let answer = question(self.database(&place)?, &place);
        answer.map_err(|error| {
            if may_heal(&error) {
                self.open = None;
            }
            words::fault(&self.path, &error)
        })
    }

    fn database(&mut self, place: &DbGeneration) -> Result<&Connection, StoreFault> {
        if let Some(fault) = &place.lost {
            return Err(fault.clone());
        }
        if self
            .open
            .as_ref()
            .is_none_or(|(_, opened)| *opened != place.opened)
        {
            self.open = None;
            let connection = open::reading(&self.path).map_err(|e| words::fault(&self.path, &e))?;
            self.open = Some((connection, place.opened));
        }
        self.open
            .as_ref()
            .map(|(connection, _)| connection)
            .ok_or_else(words::closed)
    }
}
