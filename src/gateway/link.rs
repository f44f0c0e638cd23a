//! Addresses below the gateway that stand for one address at the hub.
//!
//! A Git LFS answer holds links, and clients follow them without their credential, because such links are usually signed.
//! So the gateway signs its own: a link is good for its one address and operation, at this listener alone, and
//! tells nobody the capability.

use crate::source::{HubOperation, Target};
use aws_lc_rs::hmac;
use oam_model::name::Repository;
use oam_system::clock;
use zeroize::Zeroizing;

/// Where they lie; no hub has anything there.
const BELOW: &str = "/.oam/link/";

/// Signs and reads links; the key lives as long as the listener.
pub struct Links(hmac::Key);

/// What a link stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// Which token it needs.
    pub target: Target,
    /// Path and query at the hub's host.
    pub address: String,
}

impl Links {
    /// With a new key.
    pub fn new() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        clock::fill(&mut *key);
        Self(hmac::Key::new(hmac::HMAC_SHA256, &*key))
    }

    /// The path and query of a link; `address` begins with a slash.
    pub fn sign(&self, repository: &Repository, operation: HubOperation, address: &str) -> String {
        let name = repository.encoded();
        let segments = name.split('/').count();
        let signed = format!("{}/{segments}/{name}{address}", word(operation));
        let tag = hmac::sign(&self.0, signed.as_bytes());
        format!("{BELOW}{}/{signed}", hex::encode(tag.as_ref()))
    }

    /// Whether a path is a link, good or not.
    pub fn is_link(path: &str) -> bool {
        path.starts_with("/.oam/")
    }

    /// Reads a link's path and query. `None`: it was not signed here.
    pub fn read(&self, path_and_query: &str) -> Option<Linked> {
        let (tag, signed) = path_and_query.strip_prefix(BELOW)?.split_once('/')?;
        hmac::verify(&self.0, signed.as_bytes(), &hex::decode(tag).ok()?).ok()?;
        let (word, rest) = signed.split_once('/')?;
        let (count, rest) = rest.split_once('/')?;
        let count: usize = count.parse().ok()?;
        let (at, _) = rest.match_indices('/').nth(count.checked_sub(1)?)?;
        let (name, address) = rest.split_at(at);
        let target = Target {
            repository: Some(Repository::decoded(name).ok()?),
            operation: operation(word)?,
        };
        Some(Linked {
            target,
            address: address.to_owned(),
        })
    }
}

impl Default for Links {
    fn default() -> Self {
        Self::new()
    }
}

const fn word(operation: HubOperation) -> &'static str {
    match operation {
        HubOperation::Read => "r",
        HubOperation::Write => "w",
    }
}

fn operation(word: &str) -> Option<HubOperation> {
    match word {
        "r" => Some(HubOperation::Read),
        "w" => Some(HubOperation::Write),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Linked, Links};
    use crate::source::HubOperation::{Read, Write};
    use crate::source::Target;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_link_is_read_as_it_was_signed_and_no_other_is(
            name in "[a-z]{1,4}(/[a-z0-9._+-]{1,6}){0,2}",
            address in "(/[a-z%20]{0,5}){1,4}(\\?[a-z=&/]{0,9})?",
            write: bool,
            at in 0usize..400,
        ) {
            let (links, operation) = (Links::new(), if write { Write } else { Read });
            let Ok(repository) = name.parse::<oam_model::name::Repository>() else { return Ok(()) };
            let link = links.sign(&repository, operation, &address);
            let target = Target { repository: Some(repository), operation };
            prop_assert_eq!(links.read(&link), Some(Linked { target, address }));
            prop_assert_eq!(Links::new().read(&link), None);
            let mut bent = link.clone().into_bytes();
            let at = at % bent.len();
            bent[at] = if bent[at] == b'a' { b'b' } else { b'a' };
            prop_assert_eq!(links.read(std::str::from_utf8(&bent).unwrap()), None);
        }
    }
}
