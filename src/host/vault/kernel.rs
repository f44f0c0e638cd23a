//! The kernel's keyring as a store of the key: survives a restart of the agent, not of the machine.
//!
//! For machines without a desktop. Where the kernel has persistent keyrings, the key outlives the person's logins
//! until nobody has asked for it for as long as the system says (keyrings(7), three days unless set otherwise). Its
//! calls are system calls and never wait for a person, so they need no thread and no deadline.

use super::memory::SealingKey;
use super::refusals::Obstacle;

/// The key, `None` when the kernel holds none.
#[cfg(target_os = "linux")]
pub(super) fn fetch() -> Result<Option<SealingKey>, Obstacle> {
    use keyring_core::Error;
    use zeroize::Zeroizing;
    match entry().and_then(|entry| entry.get_secret()) {
        Ok(text) => match SealingKey::from_hex(&Zeroizing::new(text)) {
            Some(key) => Ok(Some(key)),
            None => Err(Obstacle::NotAKey("the kernel's keyring")),
        },
        Err(Error::NoEntry) => Ok(None),
        Err(fault) => Err(refused(&fault)),
    }
}

/// Keeps the key and reads it back: a kernel that takes a key but does not give it to the next
/// agent must be known before somebody signs in.
#[cfg(target_os = "linux")]
pub(super) fn keep(key: &SealingKey) -> Result<(), Obstacle> {
    entry()
        .and_then(|entry| entry.set_secret(&key.to_hex()))
        .map_err(|fault| refused(&fault))?;
    match fetch()? {
        Some(kept) if kept.bytes() == key.bytes() => Ok(()),
        _ => Err(refused(&keyring_core::Error::NoEntry)),
    }
}

#[cfg(target_os = "linux")]
fn entry() -> keyring_core::Result<keyring_core::Entry> {
    use keyring_core::api::CredentialStoreApi;
    // Anew each time: an entry that is kept holds the numbers of keyrings that can go.
    let store = linux_keyutils_keyring_store::Store::new()?;
    // Twice, because the first one can look in the wrong place: a process without a session keyring
    // of its own first gets the user's, then, while the persistent keyring is linked, a new one.
    // The entry keeps the number of the former, where the key of an earlier agent is not.
    store.build("oam", "seal", None)?;
    store.build("oam", "seal", None)
}

/// Asks for the key, so that the time after which the kernel forgets it begins anew.
pub(super) fn touch() {
    let _ = fetch();
}

#[cfg(target_os = "linux")]
fn refused(fault: &keyring_core::Error) -> Obstacle {
    tracing::debug!("kernel keyring: {fault}");
    Obstacle::NoKernelKeyring
}

#[cfg(not(target_os = "linux"))]
pub(super) fn fetch() -> Result<Option<SealingKey>, Obstacle> {
    Err(Obstacle::NoKernelKeyring)
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep(_key: &SealingKey) -> Result<(), Obstacle> {
    Err(Obstacle::NoKernelKeyring)
}
