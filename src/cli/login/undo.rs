//! Taking a set-up back when the sign-in to it came to nothing: else the session that was there would
//! wait for one that nobody wants (promise 9).

use crate::setup::disk::{self, FileAccess};
use crate::system;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The file as it was, and as we wrote it.
pub struct Undo {
    path: PathBuf,
    before: Option<String>,
    after: String,
}

impl Undo {
    /// Nothing is written by this.
    pub const fn new(path: PathBuf, before: Option<String>, after: String) -> Self {
        Self {
            path,
            before,
            after,
        }
    }

    /// Puts back what was there, unless somebody has written to it since.
    pub fn give_back(self) {
        if !disk::read_text(&self.path).is_ok_and(|now| now.as_deref() == Some(&*self.after)) {
            return;
        }
        // Whoever called has a refusal to tell already; the next sign-in asks about the rest.
        let _ = match self.before {
            Some(text) => disk::write(&self.path, text.as_bytes(), FileAccess::Private),
            None => disk::remove(&self.path).map(|_| ()),
        };
    }
}

/// An undo that is due until the sign-in has succeeded, also when Ctrl-C ends the waiting.
#[derive(Clone)]
pub struct Pending(Arc<Mutex<Option<Undo>>>);

impl Pending {
    /// From now on.
    pub fn begin(undo: Option<Undo>) -> Self {
        let watched = undo.is_some();
        let pending = Self(Arc::new(Mutex::new(undo)));
        if watched {
            let at_end = pending.clone();
            system::before_end(move || at_end.give_back());
        }
        pending
    }

    /// The sign-in succeeded: what was written stays.
    pub fn settle(&self) {
        self.take();
    }

    /// The sign-in came to nothing.
    pub fn give_back(&self) {
        if let Some(undo) = self.take() {
            undo.give_back();
        }
    }

    fn take(&self) -> Option<Undo> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

#[cfg(test)]
mod tests {
    use super::Undo;
    use std::fs;

    #[test]
    fn the_file_is_put_back_only_while_it_is_ours() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("config.toml");
        for (before, now, left) in [
            (Some("old"), "new", Some("old")),
            (None, "new", None),
            (Some("old"), "edited", Some("edited")),
        ] {
            fs::write(&path, now).unwrap();
            Undo::new(path.clone(), before.map(Into::into), "new".into()).give_back();
            assert_eq!(fs::read_to_string(&path).ok().as_deref(), left);
        }
    }
}
