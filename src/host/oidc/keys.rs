//! The provider's signing keys (JWKS), kept in memory.

use super::super::http::{Http, TOTAL, Via};
use super::claims::ClaimError;
use jsonwebtoken::Algorithm;
use oam_model::answer::EndpointFault;
use oam_oidc::jwks::{self, VerificationKey};
use oam_oidc::ttl_cache::{CacheMiss, TtlCache};
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

type KeySet = TtlCache<Vec<Arc<VerificationKey>>>;

/// Key sets by address and way.
pub(super) struct Keys {
    http: Rc<Http>,
    sets: RefCell<HashMap<(String, Via), Rc<KeySet>>>,
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
        let set = {
            let mut sets = self.sets.borrow_mut();
            Rc::clone(sets.entry((uri.to_owned(), via.clone())).or_default())
        };
        let wanted = |set: &Vec<Arc<VerificationKey>>| {
            jwks::pick(set, kid, alg).filter(|key| Some(&**key) != failed)
        };
        let found = set.find(self.http.now(), wanted, || self.fetch(via, uri));
        found.await.map_err(|miss| match miss {
            CacheMiss::Absent => NoKey::Unknown(ClaimError::new(
                "kid",
                "the provider has no such signing key",
            )),
            CacheMiss::Unreachable(fault) => NoKey::Unreachable(fault),
        })
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
