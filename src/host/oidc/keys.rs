//! The provider's signing keys (JWKS), kept in memory.

use super::super::http::{Http, TOTAL, Via};
use super::claims::ClaimError;
use jsonwebtoken::Algorithm;
use oam_model::answer::EndpointFault;
use oam_model::time::Moment;
use oam_oidc::jwks::{self, VerificationKey};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

/// Keys younger than this are used without asking: a key that the provider withdrew is not trusted
/// for longer.
const AGE_MS: u64 = 3600 * 1000;
/// Keys older than this are not used even when the provider can't be asked.
const LIMIT_MS: u64 = 24 * 3600 * 1000;
/// An unknown key asks again, but not more often than this: a `kid` is the sender's to choose.
const PAUSE_MS: u64 = 30 * 1000;

/// A key set, and when it was asked for.
type Known = (Rc<Vec<Arc<VerificationKey>>>, Moment);

/// Key sets by address and way.
pub(super) struct Keys {
    http: Rc<Http>,
    sets: RefCell<HashMap<(String, Via), Known>>,
}

/// Why there is no key.
pub(super) enum NoKey {
    /// The provider has no such key: a verdict.
    Unknown(ClaimError),
    /// The provider's keys can't be had: no verdict.
    Unreachable(EndpointFault),
}

impl Keys {
    pub(super) fn new(http: Rc<Http>) -> Self {
        Self {
            http,
            sets: RefCell::default(),
        }
    }

    /// The key with this id for this algorithm. Keys rotate: an unknown one asks once more, and so does `failed`, a
    /// key of this id with which the signature was not made.
    pub(super) async fn find(
        &self,
        via: &Via,
        uri: &str,
        kid: Option<&str>,
        alg: Algorithm,
        failed: Option<&VerificationKey>,
    ) -> Result<Arc<VerificationKey>, NoKey> {
        let unknown = || {
            NoKey::Unknown(ClaimError::new(
                "kid",
                "the provider has no such signing key",
            ))
        };
        let place = (uri.to_owned(), via.clone());
        let held = self.sets.borrow().get(&place).cloned();
        let age = held.as_ref().map(|(_, at)| self.http.now().since(*at));
        let wanted = |set: &[Arc<VerificationKey>]| {
            jwks::pick(set, kid, alg).filter(|key| Some(&**key) != failed)
        };
        let known = held.and_then(|(set, _)| wanted(&set));
        match (age, known) {
            (Some(age), Some(key)) if age < AGE_MS => Ok(key),
            (Some(age), None) if age < PAUSE_MS => Err(unknown()),
            (age, known) => match self.fetch(via, uri).await {
                Ok(set) => {
                    let found = wanted(&set).ok_or_else(unknown);
                    let entry = (Rc::new(set), self.http.now());
                    self.sets.borrow_mut().insert(place, entry);
                    found
                }
                Err(fault) => known
                    .filter(|_| age.is_some_and(|age| age < LIMIT_MS))
                    .ok_or(NoKey::Unreachable(fault)),
            },
        }
    }

    async fn fetch(
        &self,
        via: &Via,
        uri: &str,
    ) -> Result<Vec<Arc<VerificationKey>>, EndpointFault> {
        let answer = self.http.get(via, uri, TOTAL).await?.ok()?;
        jwks::read(&answer.body).ok_or_else(|| EndpointFault::Unreadable {
            why: "the answer is not a set of keys".to_owned(),
        })
    }
}
