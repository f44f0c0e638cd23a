//! The kernel's keyring as a store of the key: survives a restart of the agent, not of the machine.
//!
//! For machines without a desktop, by explicit choice. Its calls are system calls and never wait
//! for a person, so they need no thread and no deadline.

use super::memory::SealingKey;
use oam_model::refusal::Refusal;

/// The key, `None` when the kernel holds none.
#[cfg(target_os = "linux")]
pub(super) fn fetch() -> Result<Option<SealingKey>, Refusal> {
    use keyring_core::Error;
    use zeroize::Zeroizing;
    match entry().and_then(|entry| entry.get_secret()) {
        Ok(text) => match SealingKey::from_hex(&Zeroizing::new(text)) {
            Some(key) => Ok(Some(key)),
            None => Err(super::refusals::not_a_key("the kernel's keyring")),
        },
        Err(Error::NoEntry) => Ok(None),
        Err(fault) => Err(refused(&fault)),
    }
}

/// Keeps the key and reads it back: a kernel that takes a key but does not give it to the next
/// agent must be known before somebody signs in.
#[cfg(target_os = "linux")]
pub(super) fn keep(key: &SealingKey) -> Result<(), Refusal> {
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

#[cfg(target_os = "linux")]
fn refused(fault: &keyring_core::Error) -> Refusal {
    tracing::debug!("kernel keyring: {fault}");
    Refusal::unavailable(
        "the kernel's keyring can't be used here (a container or a system policy forbids it)",
        "sign in with `oam login --store memory`, then the session lasts as long as the agent",
    )
}

#[cfg(not(target_os = "linux"))]
pub(super) fn fetch() -> Result<Option<SealingKey>, Refusal> {
    Err(absent())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn keep(_key: &SealingKey) -> Result<(), Refusal> {
    Err(absent())
}

#[cfg(not(target_os = "linux"))]
fn absent() -> Refusal {
    Refusal::unavailable(
        "this system has no kernel keyring",
        "sign in without `--store kernel`",
    )
}
