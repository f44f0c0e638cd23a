//! The sealed state: one file, sealed under one key, which a keyring keeps.
//!
//! The key is fetched at the start or at a sign-in and stays in memory, so that a rotation of the
//! refresh token is one durable write and no keyring call, also while the keyring is away.

mod kernel;
mod keyring;
mod memory;
mod notices;
mod refusals;
mod sealed;
mod tombstones;

use super::files::{durable_remove, durable_write, private, private_folder, sweep_temps, words};
use super::reserve::with_room;
use super::state_lock::StateLock;
use memory::{OpenVault, SealingKey};
use oam_agent::notice_memory::NoticeMemory;
use oam_agent::ports::{LocalBoxFuture, Meanwhile, StoreWish, Vault};
use oam_agent::state::{Sealed, Tombstone};
use oam_model::name::OrgName;
use oam_model::refusal::Refusal;
use oam_system::clock;
use oam_wire::message::StoreChoice;
use refusals::{Obstacle, lost_key, unusable};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A sealed file is a few KiB; anything beyond this is not one.
const LARGEST: u64 = 16 * 1024 * 1024;

/// The vault in the state folder.
pub struct FileVault {
    inner: Rc<Inner>,
}

struct Inner {
    folder: PathBuf,
    /// Held for as long as the state is ours; none in tests of the vault alone.
    lock: Option<Rc<StateLock>>,
    state: RefCell<State>,
    /// The tombstones as they were last read or written here; none before.
    tombs_seen: Cell<Option<tombstones::FileStamp>>,
}

struct State {
    now: OpenVault,
    /// Prepared for a sign-in that is under way.
    prepared: Option<OpenVault>,
    /// Adopted by a sign-in that arrived: takes over at the next save.
    next: Option<OpenVault>,
    /// The sealed file is the one that this agent opened or wrote.
    ours: bool,
    /// The kernel no longer held the key when the file was to be opened.
    kernel_forgot: bool,
}

impl FileVault {
    /// The vault in the folder of `lock`. Deletes temp files that a killed agent left; touches no
    /// keyring.
    pub fn new(lock: Rc<StateLock>) -> Self {
        Self::within(lock.folder().to_owned(), Some(lock))
    }

    /// A vault in a folder that nobody else knows.
    #[cfg(test)]
    fn alone(folder: &Path) -> Self {
        Self::within(folder.to_owned(), None)
    }

    fn within(folder: PathBuf, lock: Option<Rc<StateLock>>) -> Self {
        sweep_temps(&folder);
        Self {
            inner: Rc::new(Inner {
                folder,
                lock,
                tombs_seen: Cell::new(None),
                state: RefCell::new(State {
                    now: OpenVault {
                        store: StoreChoice::default(),
                        key: None,
                    },
                    prepared: None,
                    next: None,
                    ours: false,
                    kernel_forgot: false,
                }),
            }),
        }
    }
}

impl Vault for FileVault {
    fn prepare(&self, wish: StoreWish) -> LocalBoxFuture<Result<StoreChoice, Refusal>> {
        let inner = Rc::clone(&self.inner);
        Box::pin(async move { inner.prepare(wish).await })
    }

    fn adopt(&self) {
        let mut state = self.inner.state.borrow_mut();
        if let Some(prepared) = state.prepared.take() {
            state.next = Some(prepared);
        }
    }

    fn abandon(&self) {
        let mut state = self.inner.state.borrow_mut();
        state.prepared = None;
        state.next = None;
    }

    fn has_key(&self) -> bool {
        self.inner.state.borrow().now.key.is_some()
    }

    fn open(&self) -> LocalBoxFuture<Result<Option<Sealed>, Refusal>> {
        let inner = Rc::clone(&self.inner);
        Box::pin(async move { inner.open().await })
    }

    fn save(&self, sealed: &Sealed) -> Result<(), String> {
        self.inner.save(sealed)
    }

    /// Deletes also the sealed files that were moved aside: no session is left anywhere.
    fn discard(&self) -> Result<(), String> {
        self.inner.discard()
    }

    fn discard_aside(&self) -> Result<(), String> {
        self.inner.discard_aside()
    }

    fn meanwhile(&self) -> Meanwhile {
        self.inner.meanwhile()
    }

    fn key_went_with_the_boot(&self) -> bool {
        self.inner.state.borrow().kernel_forgot
    }

    fn store(&self) -> StoreChoice {
        self.inner.state.borrow().now.store
    }

    fn tombstones(&self) -> Result<BTreeMap<OrgName, Tombstone>, String> {
        self.inner.read_tombstones()
    }

    fn persist_tombstone(&self, tombstones: &BTreeMap<OrgName, Tombstone>) -> Result<(), String> {
        private_folder(&self.inner.folder)?;
        let path = self.inner.tombstones();
        let written = with_room(&self.inner.folder, || tombstones::write(&path, tombstones));
        self.inner.tombs_seen.set(Some(tombstones::look(&path)));
        written
    }

    fn notices(&self) -> NoticeMemory {
        notices::read(&self.inner.folder)
    }

    fn persist_notices(&self, memory: &NoticeMemory) {
        notices::keep(&self.inner.folder, memory);
    }
}

impl Inner {
    fn sealed(&self) -> PathBuf {
        self.folder.join("sealed")
    }

    fn tombstones(&self) -> PathBuf {
        self.folder.join("tombstones.json")
    }

    /// Looked at before it is read: what is written in between is read once more.
    fn read_tombstones(&self) -> Result<BTreeMap<OrgName, Tombstone>, String> {
        let path = self.tombstones();
        let look = tombstones::look(&path);
        let tombstones = tombstones::read(&path)?;
        self.tombs_seen.set(Some(look));
        Ok(tombstones)
    }

    fn meanwhile(&self) -> Meanwhile {
        if self.lock.as_ref().is_some_and(|lock| !lock.is_ours()) {
            return Meanwhile::Lost(format!(
                "the lock in {} was removed or replaced",
                self.folder.display()
            ));
        }
        match self.tombs_seen.get() {
            Some(seen) if seen != tombstones::look(&self.tombstones()) => {
                match self.read_tombstones() {
                    Ok(tombstones) => Meanwhile::Buried(tombstones),
                    Err(why) => Meanwhile::Unreadable(why),
                }
            }
            _ => Meanwhile::Nothing,
        }
    }

    async fn prepare(&self, wish: StoreWish) -> Result<StoreChoice, Refusal> {
        let now = self.in_use();
        // Before the keyring is asked: a state folder that can't be written is known first, too.
        private_folder(&self.folder)
            .map_err(|words| Refusal::unavailable(words, "repair the folder, then try again"))?;
        let mut wish = wish;
        let key = loop {
            match key_in(wish.store, &now).await {
                Ok(key) => break key,
                Err(obstacle) => {
                    let gone = obstacle.is_absence() && !self.is_sealed_by(wish.store);
                    let next = wish.next_best().filter(|_| gone);
                    wish = next.ok_or_else(|| obstacle.into_refusal())?;
                }
            }
        };
        let store = wish.store;
        let same = now.store == store
            && match (&now.key, &key) {
                (Some(held), Some(key)) => held.bytes() == key.bytes(),
                (None, None) => true,
                _ => false,
            };
        if !same {
            self.state.borrow_mut().prepared = Some(OpenVault { store, key });
        }
        Ok(store)
    }

    /// Whether sessions lie here whose key `store` keeps. They are not given up because it is away: it may
    /// come back, and a person who wants another store can name it.
    fn is_sealed_by(&self, store: StoreChoice) -> bool {
        let file = read_private(&self.sealed());
        file.is_ok_and(|file| sealed::store(&file).is_ok_and(|by| by == store))
    }

    /// What is in use; what an earlier sign-in prepared is forgotten.
    fn in_use(&self) -> OpenVault {
        let mut state = self.state.borrow_mut();
        state.prepared = None;
        state.now.clone()
    }

    async fn open(&self) -> Result<Option<Sealed>, Refusal> {
        let path = self.sealed();
        let file = match read_private(&path) {
            Ok(file) => file,
            Err(fault) if fault.kind() == ErrorKind::NotFound => return Ok(None),
            Err(fault) => {
                return Err(Refusal::unavailable(
                    words("read", &path, &fault),
                    "repair it, or move it away and sign in again",
                ));
            }
        };
        let store = sealed::store(&file).map_err(|broken| unusable(&path, broken))?;
        let key = match store {
            StoreChoice::Kernel => kernel::fetch(),
            StoreChoice::Keyring | StoreChoice::Memory => keyring::fetch().await,
        };
        let key = key.map_err(Obstacle::into_refusal)?;
        self.state.borrow_mut().kernel_forgot = key.is_none() && store == StoreChoice::Kernel;
        let key = key.ok_or_else(|| lost_key(&path, store))?;
        let opened = sealed::open(&file, &key).map_err(|broken| unusable(&path, broken))?;
        let mut state = self.state.borrow_mut();
        state.now = OpenVault {
            store,
            key: Some(Rc::new(key)),
        };
        state.ours = true;
        Ok(Some(opened))
    }

    fn save(&self, sealed: &Sealed) -> Result<(), String> {
        let mut state = self.state.borrow_mut();
        let holding = state.next.as_ref().unwrap_or(&state.now).clone();
        let path = self.sealed();
        if let Some(key) = &holding.key {
            let file =
                sealed::seal(sealed, holding.store, key).ok_or("the session can't be sealed")?;
            private_folder(&self.folder)?;
            if !state.ours {
                self.move_aside(&path)?;
            }
            with_room(&self.folder, || durable_write(&path, &file, 0o600))?;
            state.ours = true;
            if holding.store == StoreChoice::Kernel {
                kernel::touch();
            }
        } else if holding.store != StoreChoice::Memory {
            return Err("no store was prepared for the session".into());
        } else if state.ours {
            // Memory only means that nothing stays on disk.
            durable_remove(&path)?;
            state.ours = false;
        } else {
            // Left in its place it would come back at the next start, older than what ended since.
            self.move_aside(&path)?;
        }
        state.now = holding;
        state.next = None;
        Ok(())
    }

    /// A sealed file that this agent could not open makes room for a new one; nothing is lost.
    fn move_aside(&self, path: &Path) -> Result<(), String> {
        if fs::symlink_metadata(path).is_err() {
            return Ok(());
        }
        let second = clock::now_ms() / 1000;
        let free = (second..second + 60)
            .map(|second| self.folder.join(format!("sealed.unreadable-{second}")))
            .find(|aside| fs::symlink_metadata(aside).is_err())
            .unwrap_or_else(|| self.folder.join("sealed.unreadable"));
        fs::rename(path, &free).map_err(|fault| words("move aside", path, &fault))
    }

    fn discard(&self) -> Result<(), String> {
        let path = self.sealed();
        let result = durable_remove(&path);
        self.state.borrow_mut().ours = false;
        let result = result.and(self.discard_aside());
        sweep_temps(&self.folder);
        result
    }

    fn discard_aside(&self) -> Result<(), String> {
        let mut result = Ok(());
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return result;
        };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let aside = name
                .to_str()
                .is_some_and(|name| name.starts_with("sealed.unreadable"));
            if aside {
                result = result.and(durable_remove(&entry.path()));
            }
        }
        result
    }
}

/// The key that `store` keeps, none for [`StoreChoice::Memory`]. Where it keeps none it gets the one in memory, which may
/// already seal a session, or else a new one.
async fn key_in(store: StoreChoice, now: &OpenVault) -> Result<Option<Rc<SealingKey>>, Obstacle> {
    let found = match store {
        StoreChoice::Memory => return Ok(None),
        StoreChoice::Kernel => kernel::fetch()?,
        StoreChoice::Keyring => keyring::fetch().await?,
    };
    if let Some(key) = found {
        return Ok(Some(Rc::new(key)));
    }
    let held = now.key.clone().filter(|_| now.store == store);
    let key = held.unwrap_or_else(|| Rc::new(SealingKey::random()));
    match store {
        StoreChoice::Memory => {}
        StoreChoice::Kernel => kernel::keep(&key)?,
        StoreChoice::Keyring => keyring::keep(&key).await?,
    }
    Ok(Some(key))
}

/// Reads a file of the user's own, never through a symlink.
fn read_private(path: &Path) -> io::Result<Vec<u8>> {
    let mut options = OpenOptions::new();
    options.read(true);
    private(&mut options, 0o600);
    let file = options.open(path)?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(ErrorKind::IsADirectory.into());
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        if meta.uid() != rustix::process::geteuid().as_raw() {
            return Err(ErrorKind::PermissionDenied.into());
        }
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > LARGEST) {
        return Err(ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests;
