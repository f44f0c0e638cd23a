//! The write-ahead log's way into the database, beside the writer.
//!
//! With `SQLite`'s own checkpoints it is the commit that makes the log long enough which copies all of it,
//! and everybody who waits for the writer waits for that too. Here a thread of its own copies most of it while commits go on, and
//! the writer only what came in the meantime, after which the log begins again at its start.

use super::generation::SharedGeneration;
use super::reader::Reader;
use rusqlite::Connection;
use rusqlite::hooks::Wal;
use rusqlite::wal::CheckpointMode;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Pages of the log from which on it is copied. With 1,000, which is `SQLite`'s own number, pages that every
/// commit writes would be copied eight times as often.
const PAGES: i32 = 8_000;

/// Pages after which it is tried again, when a reader of an old state was in the way.
const AGAIN: i32 = PAGES / 4;

/// Asks the thread that copies.
pub(super) struct Checkpoints {
    ask: SyncSender<()>,
    /// Most of the log is copied: the rest is the writer's.
    copied: Arc<AtomicBool>,
}

impl Checkpoints {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gave no thread.
    pub(super) fn start(
        path: &Path,
        shared: &Arc<SharedGeneration>,
        threads: &mut Vec<JoinHandle<()>>,
    ) -> std::io::Result<Self> {
        let (ask, asked) = sync_channel(1);
        let copied = Arc::new(AtomicBool::new(false));
        let mut reader = Reader::new(path, shared);
        let done = Arc::clone(&copied);
        let thread = thread::Builder::new().name("oam-store-copy".to_owned());
        threads.push(thread.spawn(move || {
            while let Ok(()) = asked.recv() {
                let copied = reader.answer(|database, _| {
                    database.wal_checkpoint_v2(None::<&str>, CheckpointMode::PASSIVE)
                });
                // A fault is the writer's to find: it tries by itself when the log has grown further.
                done.store(copied.is_ok(), Ordering::Release);
            }
        })?);
        Ok(Self { ask, copied })
    }

    /// Asks for a copy now, however short the log is.
    pub(super) fn ask(&self) {
        // Full: it was asked already.
        let _ = self.ask.try_send(());
    }

    /// From now on every commit of this connection looks how long the log is.
    ///
    /// # Errors
    /// The database's.
    pub(super) fn follow(&self, connection: &mut Connection) -> rusqlite::Result<()> {
        let (ask, copied) = (self.ask.clone(), Arc::clone(&self.copied));
        let mut due = PAGES;
        connection.wal_hook(Some(move |log: &mut Wal, pages: i32| {
            if copied.swap(false, Ordering::Acquire) {
                // It fails only as every later write will: the commit itself is durable.
                let _ = log.checkpoint();
            } else if pages >= due {
                // Full: it was asked already.
                let _ = ask.try_send(());
                due = pages.saturating_add(AGAIN);
            } else if pages < PAGES / 2 {
                due = PAGES;
            }
            Ok(())
        }))
    }
}
