//! Why the sealed state is of no use now, in words.

use super::sealed::Broken;
use oam_model::refusal::Refusal;
use oam_wire::message::StoreChoice;
use std::path::Path;

pub(super) fn unusable(path: &Path, broken: Broken) -> Refusal {
    let path = path.display();
    let (sentence, next) = match broken {
        Broken::Newer => (
            format!("the sealed session in {path} was written by a later version of the agent"),
            "start that version, or sign in again",
        ),
        Broken::Foreign => (
            format!("{path} is not a sealed session"),
            "sign in again: the file is moved aside then",
        ),
        Broken::Locked => (
            format!("the sealed session in {path} does not open with the key in the keyring"),
            "restore the keyring if you changed it, or sign in again: the file is moved aside then",
        ),
        Broken::Content => (
            format!("the content of the sealed session in {path} can't be understood"),
            "sign in again: the file is moved aside then",
        ),
    };
    Refusal::unavailable(sentence, next)
}

pub(super) fn lost_key(path: &Path, store: StoreChoice) -> Refusal {
    let path = path.display();
    if store == StoreChoice::Kernel {
        return Refusal::unavailable(
            format!(
                "the kernel no longer holds the key of {path} (the machine was restarted, or the key expired)"
            ),
            "sign in again: the file is moved aside then",
        );
    }
    Refusal::unavailable(
        format!("the keyring holds no key for {path}"),
        "restore the keyring if you changed it, or sign in again: the file is moved aside then",
    )
}

/// What keeps a store from being used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(super) enum Obstacle {
    NoBus,
    NoService,
    NoCollection,
    Locked,
    Silent,
    Other,
    NoKernelKeyring,
    /// What lies there, named, is no key of ours.
    NotAKey(&'static str),
}

impl Obstacle {
    /// There is no such store on this machine, in contrast to one that is only shut or at fault.
    pub(super) const fn is_absence(self) -> bool {
        match self {
            Self::NoBus | Self::NoService | Self::NoCollection | Self::NoKernelKeyring => true,
            Self::Locked | Self::Silent | Self::Other | Self::NotAKey(_) => false,
        }
    }

    pub(super) fn into_refusal(self) -> Refusal {
        let (sentence, next) = match self {
            Self::NoBus => (
                "the keyring can't be reached: there is no session bus".to_owned(),
                "log in to the desktop (or start a D-Bus session)",
            ),
            Self::NoService => (
                "no keyring is running: nothing on the session bus offers the Secret Service"
                    .to_owned(),
                "start gnome-keyring, KWallet or KeePassXC",
            ),
            Self::NoCollection => (
                "the keyring has no default collection".to_owned(),
                "create one (Passwords and Keys: a keyring named Login, set as default)",
            ),
            Self::Locked => (
                "the keyring is locked".to_owned(),
                "unlock it (log in to the desktop, or open its password manager)",
            ),
            Self::Silent => (
                "the keyring did not answer within 3 seconds".to_owned(),
                "look whether it waits for a password",
            ),
            Self::Other => ("the keyring reports a fault".to_owned(), "restart it"),
            Self::NoKernelKeyring => {
                return Refusal::unavailable(
                    "the kernel's keyring can't be used here (the system has none, or a container or its policy forbids it)",
                    "sign in with `oam login --store memory`, then the session lasts as long as the agent",
                );
            }
            Self::NotAKey(place) => {
                return Refusal::unavailable(
                    format!("what {place} keeps for OAM is not a key"),
                    "delete the item named \"OAM session key\", then sign in again",
                );
            }
        };
        Refusal::unavailable(sentence, format!("{next}, then try again, {OTHERWISE}"))
    }
}

/// The ways on without a keyring.
const OTHERWISE: &str = if cfg!(target_os = "linux") {
    "or sign in with `oam login --store kernel`, then the session lasts until the next boot, or with `--store memory`, then as long as the agent"
} else {
    "or sign in with `oam login --store memory`, then the session lasts as long as the agent"
};

#[cfg(test)]
mod tests {
    use super::Obstacle;

    const ALL: [Obstacle; 8] = [
        Obstacle::NoBus,
        Obstacle::NoService,
        Obstacle::NoCollection,
        Obstacle::Locked,
        Obstacle::Silent,
        Obstacle::Other,
        Obstacle::NoKernelKeyring,
        Obstacle::NotAKey("the keyring"),
    ];

    #[test]
    fn every_obstacle_has_its_own_sentence_and_a_way_on() {
        let mut sentences: Vec<String> = ALL.map(|o| o.into_refusal().sentence).to_vec();
        sentences.sort();
        sentences.dedup();
        assert_eq!(sentences.len(), ALL.len());
        assert!(
            ALL.iter()
                .all(|o| o.into_refusal().next.contains("sign in"))
        );
    }

    #[test]
    fn only_a_store_that_is_not_there_is_passed_over() {
        let there = ALL.iter().filter(|obstacle| !obstacle.is_absence());
        let there: Vec<_> = there.collect();
        assert_eq!(
            there,
            [
                &Obstacle::Locked,
                &Obstacle::Silent,
                &Obstacle::Other,
                &Obstacle::NotAKey("the keyring"),
            ]
        );
    }
}
