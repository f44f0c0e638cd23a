//! The operating system's keyring as a store of the key.
//!
//! On Linux the Secret Service is spoken to directly and asynchronously: the blocking stores wait
//! without limit for the prompt of a locked keyring, panic inside the runtime, and answer "no
//! entry" where there is no collection at all. The agent never causes a prompt: it asks first
//! whether the keyring is locked. The connection is closed after each use, so that the idle agent
//! is not woken by the bus and a restart of the keyring's daemon needs no care.

use super::memory::SealingKey;
use oam_model::refusal::Refusal;
use std::time::Duration;

/// Longest time for one call; a locked or stuck keyring must not hold up the agent.
const DEADLINE: Duration = Duration::from_secs(3);

/// The key, `None` when the keyring can be read and holds none.
pub(super) async fn fetch() -> Result<Option<SealingKey>, Refusal> {
    system::fetch().await
}

/// Keeps the key, in the place of an earlier one.
pub(super) async fn keep(key: &SealingKey) -> Result<(), Refusal> {
    system::keep(key).await
}

/// What keeps the keyring from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
enum Obstacle {
    NoBus,
    NoService,
    NoCollection,
    Locked,
    Silent,
    Other,
}

fn refusal(obstacle: Obstacle) -> Refusal {
    let otherwise = if cfg!(target_os = "linux") {
        "or sign in with `oam login --store kernel`, then the session lasts until the next boot, or with `--store memory`, then as long as the agent"
    } else {
        "or sign in with `oam login --store memory`, then the session lasts as long as the agent"
    };
    let (sentence, next) = match obstacle {
        Obstacle::NoBus => (
            "the keyring can't be reached: there is no session bus",
            format!(
                "log in to the desktop (or start a D-Bus session), then try again, {otherwise}"
            ),
        ),
        Obstacle::NoService => (
            "no keyring is running: nothing on the session bus offers the Secret Service",
            format!("start gnome-keyring, KWallet or KeePassXC, then try again, {otherwise}"),
        ),
        Obstacle::NoCollection => (
            "the keyring has no default collection",
            format!(
                "create one (Passwords and Keys: a keyring named Login, set as default), then try again, {otherwise}"
            ),
        ),
        Obstacle::Locked => (
            "the keyring is locked",
            format!(
                "unlock it (log in to the desktop, or open its password manager), then try again, {otherwise}"
            ),
        ),
        Obstacle::Silent => (
            "the keyring did not answer within 3 seconds",
            format!("look whether it waits for a password, then try again, {otherwise}"),
        ),
        Obstacle::Other => (
            "the keyring reports a fault",
            format!("restart it, then try again, {otherwise}"),
        ),
    };
    Refusal::unavailable(sentence, next)
}

#[cfg(target_os = "linux")]
mod system {
    use super::{DEADLINE, Obstacle, Refusal, SealingKey, refusal};
    use secret_service::{Collection, EncryptionType, Error, Item, SecretService};
    use std::collections::HashMap;
    use zeroize::Zeroizing;

    fn attributes() -> HashMap<&'static str, &'static str> {
        HashMap::from([("application", "oam"), ("purpose", "seal")])
    }

    pub(super) async fn fetch() -> Result<Option<SealingKey>, Refusal> {
        let service = connect().await.map_err(refusal)?;
        let collection = default_collection(&service).await.map_err(refusal)?;
        let found = find(&service, &collection).await.map_err(refusal)?;
        let Some(item) = found else { return Ok(None) };
        let text = within(item.get_secret()).await.map_err(refusal)?;
        match SealingKey::from_hex(&Zeroizing::new(text)) {
            Some(key) => Ok(Some(key)),
            None => Err(super::super::refusals::not_a_key("the keyring")),
        }
    }

    pub(super) async fn keep(key: &SealingKey) -> Result<(), Refusal> {
        let service = connect().await.map_err(refusal)?;
        let collection = default_collection(&service).await.map_err(refusal)?;
        unlocked(&collection).await.map_err(refusal)?;
        let text = key.to_hex();
        within(collection.create_item("OAM session key", attributes(), &text, true, "text/plain"))
            .await
            .map_err(refusal)?;
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
    use super::{DEADLINE, Key, Obstacle, Refusal, refusal};
    use keyring_core::api::CredentialStoreApi;
    use keyring_core::{Entry, Error};
    use zeroize::Zeroizing;

    pub(super) async fn fetch() -> Result<Option<SealingKey>, Refusal> {
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
            None => Err(super::super::refusals::not_a_key("the keyring")),
        }
    }

    pub(super) async fn keep(key: &SealingKey) -> Result<(), Refusal> {
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
    ) -> Result<T, Refusal> {
        let answer = tokio::time::timeout(DEADLINE, tokio::task::spawn_blocking(call)).await;
        match answer {
            Ok(Ok(Ok(value))) => Ok(value),
            Ok(Ok(Err(Error::NoStorageAccess(_)))) => Err(refusal(Obstacle::Locked)),
            Ok(_) => Err(refusal(Obstacle::Other)),
            Err(_) => Err(refusal(Obstacle::Silent)),
        }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
mod system {
    use super::{Key, Obstacle, Refusal, refusal};

    pub(super) async fn fetch() -> Result<Option<SealingKey>, Refusal> {
        Err(refusal(Obstacle::NoService))
    }

    pub(super) async fn keep(_key: &SealingKey) -> Result<(), Refusal> {
        Err(refusal(Obstacle::NoService))
    }
}

#[cfg(test)]
mod tests {
    use super::{Obstacle, refusal};

    #[test]
    fn every_obstacle_has_its_own_sentence_and_a_way_on() {
        let all = [
            Obstacle::NoBus,
            Obstacle::NoService,
            Obstacle::NoCollection,
            Obstacle::Locked,
            Obstacle::Silent,
            Obstacle::Other,
        ];
        let mut sentences: Vec<String> = all.map(|o| refusal(o).sentence).to_vec();
        sentences.sort();
        sentences.dedup();
        assert_eq!(sentences.len(), all.len());
        assert!(all.iter().all(|o| refusal(*o).next.contains("try again")));
    }
}
