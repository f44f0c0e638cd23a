//! Reading, never on the writer's way. A look-up by a key is answered on the caller's own thread with one
//! of a few idle connections: it takes some ten microseconds, and a thread of its own costs more than that
//! by the two switches between threads. Long scans, and look-ups that find no idle connection, have
//! threads, so that an export does not hold up an introspection.

use super::open;
use super::place::{Place, Shared};
use super::words;
use crate::issuer::store::StoreFault;
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

/// A question with the way of its answer. It tells whether the connection is to be opened anew.
type Question = Box<dyn FnOnce(Result<(&Connection, &Place), StoreFault>) -> bool + Send>;

/// How long a question takes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    /// By a key.
    Quick,
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
        shared: &Arc<Shared>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> std::io::Result<Self> {
        let reader = || Reader {
            path: path.to_owned(),
            shared: Arc::clone(shared),
            open: None,
        };
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

    /// Asks, and gives where the answer will be.
    ///
    /// # Errors
    /// Too many wait, or the store is closed.
    pub(super) fn ask<T: Send + 'static>(
        &self,
        path: &Arc<Path>,
        kind: Kind,
        question: impl FnOnce(&Connection, &Place) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<oneshot::Receiver<Result<T, StoreFault>>, StoreFault> {
        let (reply, answer) = oneshot::channel();
        let path = Arc::clone(path);
        let question: Question = Box::new(move |database| {
            let (result, anew) = match database.map(|(database, place)| question(database, place)) {
                Ok(Ok(value)) => (Ok(value), false),
                Ok(Err(error)) => (Err(words::fault(&path, &error)), may_heal(&error)),
                Err(fault) => (Err(fault), false),
            };
            let _ = reply.send(result);
            anew
        });
        let lane = match kind {
            Kind::Long => &self.long,
            Kind::Quick => match self.take() {
                None => &self.quick,
                Some(mut reader) => {
                    reader.answer(question);
                    self.idle().push(reader);
                    return Ok(answer);
                }
            },
        };
        match lane.try_send(question) {
            Ok(()) => Ok(answer),
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

struct Reader {
    path: PathBuf,
    shared: Arc<Shared>,
    /// The connection, and which opening of the database it belongs to.
    open: Option<(Connection, u64)>,
}

impl Reader {
    fn run(mut self, asked: &Receiver<Question>) {
        while let Ok(question) = asked.recv() {
            self.answer(question);
        }
    }

    fn answer(&mut self, question: Question) {
        let place = self.shared.place();
        let anew = match self.database(&place) {
            Ok(database) => question(Ok((database, &place))),
            Err(fault) => question(Err(fault)),
        };
        if anew {
            self.open = None;
        }
    }

    fn database(&mut self, place: &Place) -> Result<&Connection, StoreFault> {
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
