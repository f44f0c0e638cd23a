//! The token of a CI job in a private folder, for as long as the child runs.
//!
//! `token` is for tools (`HF_TOKEN_PATH`, `OAM_TOKEN_FILE`), `answer` for git's helper: one reply as
//! an agent would give it. Both change by a rename, so no reader sees half of one.

use crate::system::{self, FileAccess, access_folder, access_options};
use oam_model::granted::TokenAnswer;
use oam_model::job::JobToken;
use oam_model::refusal::Refusal;
use oam_model::system_error::reason;
use oam_wire::frame;
use oam_wire::message::{Reply, ReplyFrame};
use std::collections::hash_map::RandomState;
use std::env;
use std::fs::{self, File};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How a folder is named before it is locked, and after.
const UNLOCKED: &str = "oam-new-";
const LOCKED: &str = "oam-exec-";

/// The folder and what is in it.
pub struct TokenFolder {
    folder: PathBuf,
    /// Its lock, which goes with this process however that ends: see [`sweep`]. None where the system
    /// locks no folders.
    _lock: Option<File>,
    /// Set when the child is gone: nothing is written after that.
    over: Mutex<bool>,
    ended: Condvar,
}

impl TokenFolder {
    /// A new folder of our own, in memory where there is such a place.
    ///
    /// # Errors
    /// There is no place for it.
    pub fn make() -> Result<Self, Refusal> {
        let mut why = None;
        let places = places(env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from));
        for base in &places {
            sweep(base);
        }
        for base in places {
            match make_in(&base) {
                Ok((folder, lock)) => {
                    return Ok(Self {
                        folder,
                        _lock: lock,
                        over: Mutex::new(false),
                        ended: Condvar::new(),
                    });
                }
                Err(error) => why = Some(reason(error.kind()).to_owned()),
            }
        }
        Err(Refusal::unavailable(
            format!(
                "there is no place for the token file: {}",
                why.unwrap_or_default()
            ),
            "set XDG_RUNTIME_DIR or TMPDIR to a folder that you can write to",
        ))
    }

    /// Whether it touches the disk, as far as is known.
    pub fn on_disk(&self) -> bool {
        system::is_in_memory(&self.folder) != Some(true)
    }

    /// The file with the token and nothing else in it.
    pub fn token(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// The file for git's helper.
    pub fn answer(&self) -> PathBuf {
        self.folder.join("answer")
    }

    /// Puts a token in the place of the one before; after [`TokenFolder::close`] does nothing.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn put(&self, token: &JobToken) -> io::Result<()> {
        let over = self.lock();
        if *over {
            return Ok(());
        }
        let answer = TokenAnswer {
            granted: token.answer.granted.clone(),
            token: Arc::clone(&token.answer.token),
        };
        let text = token.answer.token.expose().as_bytes();
        swap(&self.token(), text)?;
        swap(&self.answer(), &line(Reply::Token(answer))?)
    }

    /// Takes the token away; git is told why.
    pub fn take_back(&self, refusal: &Refusal) {
        let over = self.lock();
        if *over {
            return;
        }
        let _ = fs::remove_file(self.token());
        let refusal = refusal.clone();
        let told = line(Reply::Refused { refusal, epoch: 0 })
            .and_then(|bytes| swap(&self.answer(), &bytes));
        if told.is_err() {
            let _ = fs::remove_file(self.answer());
        }
    }

    /// The child is gone: so is all of this.
    pub fn close(&self) {
        *self.lock() = true;
        self.ended.notify_all();
        let _ = fs::remove_dir_all(&self.folder);
    }

    /// Waits so long; `true`: the child is gone, and there is nothing left to do.
    pub fn is_over_after(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut over = self.lock();
        while !*over {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.ended.wait_timeout(over, left);
            over = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn line(reply: Reply) -> io::Result<oam_wire::buffer::Buffer> {
    frame::encode(&ReplyFrame::new(reply)).map_err(|_| io::ErrorKind::FileTooLarge.into())
}

/// A runtime directory is in memory and nobody else's. CI machines often have none; then what every
/// Linux has in memory, and at last the disk.
fn places(runtime: Option<PathBuf>) -> Vec<PathBuf> {
    let memory = PathBuf::from("/dev/shm");
    let memory = (system::is_in_memory(&memory) == Some(true)).then_some(memory);
    let runtime = runtime.filter(|path| path.is_absolute());
    runtime
        .into_iter()
        .chain(memory)
        .chain([env::temp_dir()])
        .collect()
}

/// Others may write to the folder above. Making ours fails when anything of its name is there, a
/// link too, so it is ours from its first moment, and open to nobody else.
///
/// It gets the name under which it is swept only once it is locked.
fn make_in(base: &Path) -> io::Result<(PathBuf, Option<File>)> {
    let number = RandomState::new().build_hasher().finish();
    let name = format!("{}-{number:016x}", std::process::id());
    let unlocked = base.join(format!("{UNLOCKED}{name}"));
    access_folder(FileAccess::Private).create(&unlocked)?;
    let lock = File::open(&unlocked)
        .ok()
        .filter(|file| file.try_lock().is_ok());
    if lock.is_none() {
        return Ok((unlocked, None));
    }
    let folder = base.join(format!("{LOCKED}{name}"));
    fs::rename(&unlocked, &folder)?;
    Ok((folder, lock))
}

/// Deletes what `oam exec` left there when it was killed: folders whose lock nobody holds any more. A
/// process id would not do, it means nothing in another namespace.
fn sweep(base: &Path) {
    for entry in fs::read_dir(base).into_iter().flatten().flatten() {
        let ours = entry
            .file_name()
            .as_encoded_bytes()
            .starts_with(LOCKED.as_bytes())
            && entry.file_type().is_ok_and(|kind| kind.is_dir());
        if !ours {
            continue;
        }
        let left = File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if left {
            // Fails for a folder of somebody else, which is theirs to sweep.
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

fn swap(path: &Path, bytes: impl AsRef<[u8]>) -> io::Result<()> {
    let beside = path.with_extension("new");
    let _ = fs::remove_file(&beside);
    access_options(FileAccess::Private)
        .write(true)
        .create_new(true)
        .open(&beside)?
        .write_all(bytes.as_ref())?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::{TokenFolder, make_in, places, sweep};
    use oam_model::job::JobToken;
    use oam_model::refusal::Refusal;
    use std::fs;
    use std::path::PathBuf;
    use std::sync::{Condvar, Mutex};
    use std::time::Duration;

    fn token(text: &str) -> JobToken {
        let value = serde_json::json!({
            "org": "acme", "hub": "models", "hub_url": "https://hub.example", "role": "publisher",
            "repository": null, "action": "write", "wider_than_asked": false, "expires_at": 9,
            "token_sha256": "", "epoch": 0, "scheme": "basic", "username": "oam",
            "expires_in_s": 1, "token": text
        });
        JobToken {
            answer: serde_json::from_value(value).unwrap(),
            rule: String::new(),
            request_id: String::new(),
        }
    }

    fn kept(home: &tempfile::TempDir) -> TokenFolder {
        let (folder, lock) = make_in(home.path()).unwrap();
        TokenFolder {
            folder,
            _lock: lock,
            over: Mutex::new(false),
            ended: Condvar::new(),
        }
    }

    #[test]
    fn the_token_is_swapped_and_taken_back_and_nothing_is_left() {
        let home = tempfile::tempdir().unwrap();
        let kept = kept(&home);
        kept.put(&token("one")).unwrap();
        kept.put(&token("two")).unwrap();
        assert_eq!(fs::read_to_string(kept.token()).unwrap(), "two");
        assert!(
            fs::read_to_string(kept.answer())
                .unwrap()
                .contains("\"two\"")
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(kept.token()), 0o600);
            assert_eq!(mode(kept.folder.clone()), 0o700);
        }
        kept.take_back(&Refusal::denied("no longer", "ask"));
        assert!(!kept.token().exists());
        let told = fs::read_to_string(kept.answer()).unwrap();
        assert!(
            told.contains("no longer") && !told.contains("two"),
            "{told}"
        );
        assert!(!kept.is_over_after(Duration::ZERO));
        kept.close();
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_renewal_that_comes_too_late_leaves_nothing_behind() {
        let home = tempfile::tempdir().unwrap();
        let kept = kept(&home);
        kept.close();
        kept.put(&token("late")).unwrap();
        kept.take_back(&Refusal::denied("a", "b"));
        assert!(kept.is_over_after(Duration::from_mins(10)));
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_killed_program_left_is_swept_and_a_living_one_keeps_its_file() {
        let home = tempfile::tempdir().unwrap();
        let (killed, living) = (kept(&home), kept(&home));
        killed.put(&token("left")).unwrap();
        living.put(&token("kept")).unwrap();
        let left = killed.token();
        // As the kernel does it for a process that was killed: the lock goes, the files stay.
        drop(killed);
        assert!(left.exists());
        fs::write(home.path().join("oam-exec-file"), "not ours").unwrap();
        sweep(home.path());
        assert!(!left.exists());
        assert_eq!(fs::read_to_string(living.token()).unwrap(), "kept");
        assert!(home.path().join("oam-exec-file").exists());
    }

    #[test]
    fn a_relative_runtime_directory_counts_as_none() {
        assert!(!places(Some("run".into())).contains(&PathBuf::from("run")));
        assert_eq!(places(Some("/run/x".into()))[0], PathBuf::from("/run/x"));
    }
}
