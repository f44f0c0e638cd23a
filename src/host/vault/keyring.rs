//! The operating system's keyring as a store of the key.
//!
//! On Linux the Secret Service is spoken to directly and asynchronously: the blocking stores wait
//! without limit for the prompt of a locked keyring, panic inside the runtime, and answer "no
//! entry" where there is no collection at all. The agent never causes a prompt: it asks first
//! whether the keyring is locked. The connection is closed after each use, so that the idle agent
//! is not woken by the bus and a restart of the keyring's daemon needs no care.

use super::memory::SealingKey;
use super::refusals::Obstacle;
use std::time::Duration;

/// Longest time for one call; a locked or stuck keyring must not hold up the agent.
const DEADLINE: Duration = Duration::from_secs(3);

/// The key, `None` when the keyring can be read and holds none.
pub(super) async fn fetch() -> Result<Option<SealingKey>, Obstacle> {
    system::fetch().await
}

/// Keeps the key, in the place of an earlier one.
pub(super) async fn keep(key: &SealingKey) -> Result<(), Obstacle> {
    system::keep(key).await
}

#[cfg(target_os = "linux")]
mod system {
    use super::{DEADLINE, Obstacle, SealingKey};
    use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
    use std::collections::HashMap;
    use zeroize::Zeroizing;

    fn attributes() -> HashMap<&'static str, &'static str> {
        HashMap::from([("application", "oam"), ("purpose", "seal")])
    }

    pub(super) async fn fetch() -> Result<Option<SealingKey>, Obstacle> {
        let service = connect().await?;
        let collection = default_collection(&service).await?;
        let found = find(&service, &collection).await?;
        let Some(item) = found else { return Ok(None) };
        let text = within(item.get_secret()).await?;
        match SealingKey::from_hex(&Zeroizing::new(text)) {
            Some(key) => Ok(Some(key)),
            None => Err(Obstacle::NotAKey("the keyring")),
        }
    }

    pub(super) async fn keep(key: &SealingKey) -> Result<(), Obstacle> {
        let service = connect().await?;
        let collection = default_collection(&service).await?;
        unlocked(&collection).await?;
        let text = key.to_hex();
        within(collection.create_item("OAM session key", attributes(), &text, true, "text/plain"))
            .await?;
        Ok(())
    }

    async fn connect() -> Result<SecretService<'static>, Obstacle> {
        within(SecretService::connect(EncryptionType::Dh)).await
    }

    /// Without a default collection a search finds nothing, which looks like "never stored".
    async fn default_collection<'a>(
        service: &'a SecretService<'static>,
    ) -> Result<Collection<'a>, Obstacle> {
        within(service.get_default_collection()).await
    }

    async fn unlocked(collection: &Collection<'_>) -> Result<(), Obstacle> {
        if within(collection.is_locked()).await? {
            return Err(Obstacle::Locked);
        }
        Ok(())
    }

    /// The item, wherever it was kept: the default collection can have changed since.
    async fn find<'a>(
        service: &'a SecretService<'static>,
        collection: &Collection<'_>,
    ) -> Result<Option<Item<'a>>, Obstacle> {
        let mut found = within(service.search_items(attributes())).await?;
        if !found.unlocked.is_empty() {
            return Ok(Some(found.unlocked.swap_remove(0)));
        }
        if !found.locked.is_empty() {
            return Err(Obstacle::Locked);
        }
        // Not every keyring searches what is locked.
        unlocked(collection).await?;
        Ok(None)
    }

    async fn within<T>(call: impl Future<Output = Result<T, Error>>) -> Result<T, Obstacle> {
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(fault)) => {
                tracing::debug!("secret service: {fault}");
                Err(obstacle(&fault))
            }
            Err(_) => Err(Obstacle::Silent),
        }
    }

    /// Bus errors are told by their name in the text: naming their type would tie this file to the
    /// version of the D-Bus library that `secret-service` happens to use.
    fn obstacle(fault: &Error) -> Obstacle {
        match fault {
            Error::Unavailable => Obstacle::NoBus,
            Error::Locked | Error::Prompt | Error::PromptDisconnected => Obstacle::Locked,
            Error::NoResult => Obstacle::NoCollection,
            other => {
                let text = other.to_string();
                let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
                if says(&["IsLocked"]) {
                    Obstacle::Locked
                } else if says(&["Failed to connect to address"]) {
                    Obstacle::NoBus
                } else if says(&["ServiceUnknown", "NameHasNoOwner", "Spawn."]) {
                    Obstacle::NoService
                } else if says(&["NoReply", "Timeout", "TimedOut"]) {
                    Obstacle::Silent
                } else {
                    Obstacle::Other
                }
            }
        }
    }
}

#[cfg(any(target_os = "macos", windows))]
mod system {
    use super::{DEADLINE, Obstacle, SealingKey};
    use keyring_core::api::CredentialStoreApi;
    use keyring_core::{Entry, Error};
    use zeroize::Zeroizing;

    pub(super) async fn fetch() -> Result<Option<SealingKey>, Obstacle> {
        let read = aside(|| match entry()?.get_secret() {
            Ok(text) => Ok(Some(Zeroizing::new(text))),
            Err(Error::NoEntry) => Ok(None),
            Err(fault) => Err(fault),
        });
        let Some(text) = read.await? else {
            return Ok(None);
        };
        match SealingKey::from_hex(&text) {
            Some(key) => Ok(Some(key)),
            None => Err(Obstacle::NotAKey("the keyring")),
        }
    }

    pub(super) async fn keep(key: &SealingKey) -> Result<(), Obstacle> {
        let text = key.to_hex();
        aside(move || entry()?.set_secret(&text)).await
    }

    fn entry() -> keyring_core::Result<Entry> {
        #[cfg(target_os = "macos")]
        let store = apple_native_keyring_store::keychain::Store::new()?;
        #[cfg(windows)]
        let store = windows_native_keyring_store::Store::new()?;
        store.build("oam", "seal", None)
    }

    /// These stores block, and can ask the person.
    async fn aside<T: Send + 'static>(
        call: impl FnOnce() -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<T, Obstacle> {
        let answer = tokio::time::timeout(DEADLINE, tokio::task::spawn_blocking(call)).await;
        match answer {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(Error::NoStorageAccess(_)))) => Err(Obstacle::Locked),
            Ok(_) => Err(Obstacle::Other),
            Err(_) => Err(Obstacle::Silent),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod system {
    use super::{Obstacle, SealingKey};

    pub(super) async fn fetch() -> Result<Option<SealingKey>, Obstacle> {
        Err(Obstacle::NoService)
    }

    pub(super) async fn keep(_key: &SealingKey) -> Result<(), Obstacle> {
        Err(Obstacle::NoService)
    }
}
