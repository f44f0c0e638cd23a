//! What the writer tells the readers: which database is open, and whether it is there.

use crate::StoreFault;
use arc_swap::ArcSwap;
use std::io::ErrorKind;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::watch;

/// The database as the writer last found it.
#[derive(Debug, Clone)]
pub(super) struct DbGeneration {
    /// Its generation, for cursors.
    pub(super) generation: Arc<str>,
    /// Grows when files are opened anew: readers then open theirs anew.
    pub(super) opened: u64,
    /// Why it can't be used now.
    pub(super) lost: Option<StoreFault>,
}

/// Shared by writer, readers and watchers.
pub(super) struct SharedGeneration {
    /// Why the marker could not be written the last time.
    unmarked: Mutex<Option<ErrorKind>>,
    place: ArcSwap<DbGeneration>,
    changes: watch::Sender<u64>,
}

impl SharedGeneration {
    /// For a database that was just opened.
    pub(super) fn new(generation: String) -> Self {
        Self {
            unmarked: Mutex::new(None),
            place: ArcSwap::from_pointee(DbGeneration {
                generation: generation.into(),
                opened: 0,
                lost: None,
            }),
            changes: watch::Sender::new(0),
        }
    }

    /// The database as last found.
    pub(super) fn place(&self) -> Arc<DbGeneration> {
        self.place.load_full()
    }

    /// What came of writing the marker. Logged when it is new.
    pub(super) fn marked(&self, fault: Option<ErrorKind>) {
        let mut known = self.unmarked.lock().unwrap_or_else(PoisonError::into_inner);
        if *known != fault {
            if let Some(kind) = fault {
                tracing::error!(%kind, "the database's marker could not be written");
            }
            *known = fault;
        }
    }

    /// Something was committed.
    pub(super) fn changed(&self) {
        self.changes.send_modify(|count| *count += 1);
    }

    /// Watches commits.
    pub(super) fn watch(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// Files were opened anew.
    pub(super) fn opened(&self, generation: String) {
        let opened = self.place.load().opened + 1;
        self.place.store(Arc::new(DbGeneration {
            generation: generation.into(),
            opened,
            lost: None,
        }));
        self.changed();
    }

    /// The database is not there.
    pub(super) fn lost(&self, why: &StoreFault) {
        let place = self.place.load();
        if place.lost.as_ref() != Some(why) {
            self.place.store(Arc::new(DbGeneration {
                lost: Some(why.clone()),
                ..DbGeneration::clone(&place)
            }));
        }
    }

    /// The database that was open is there again.
    pub(super) fn back(&self) {
        let place = self.place.load();
        if place.lost.is_some() {
            self.place.store(Arc::new(DbGeneration {
                lost: None,
                ..DbGeneration::clone(&place)
            }));
            self.changed();
        }
    }
}
