//! Why the sealed state is of no use now, in words.

use super::sealed::Broken;
use oam_agent::ports::SessionStore;
use oam_model::refusal::Refusal;
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

pub(super) fn lost_key(path: &Path, store: SessionStore) -> Refusal {
    let path = path.display();
    if store == SessionStore::Kernel {
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

pub(super) fn not_a_key(place: &str) -> Refusal {
    Refusal::unavailable(
        format!("what {place} keeps for OAM is not a key"),
        "delete the item named \"OAM session key\", then sign in again",
    )
}
