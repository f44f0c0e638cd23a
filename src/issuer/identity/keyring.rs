//! The signing keys of a source or transmitter (RFC 7517), and the check of a signature with them.

use super::Unsigned;
use super::directory::Directory;
use super::jose::{Header, Token};
use super::kept::{Kept, Miss};
use crate::outside::Outside;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use oam_model::answer::EndpointFault;
use oam_model::issuer::SourceKeys;
use oam_model::secret::Secret;
use oam_model::time::Moment;
use oam_policy::claims::Claims;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a key set: requests hang on it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest file of keys, bytes.
const FILE_CAP: u64 = 1024 * 1024;

/// A public key, ready for use.
struct Key {
    jwk: Jwk,
    decoding: DecodingKey,
}

/// Keys of one issuer.
pub(crate) struct KeyRing {
    place: SourceKeys,
    outside: Arc<Outside>,
    directory: Arc<Directory>,
    kept: Kept<Vec<Arc<Key>>>,
}

impl KeyRing {
    pub(crate) fn new(place: SourceKeys, outside: Arc<Outside>, directory: Arc<Directory>) -> Self {
        Self {
            place,
            outside,
            directory,
            kept: Kept::new(),
        }
    }

    /// Whether the last fetch failed.
    pub(crate) fn is_failing(&self) -> bool {
        self.kept.is_failing()
    }

    /// The claims of a token whose algorithm is one of these and whose signature fits the one key that it
    /// names; without a name, the one key that can be meant (OIDC Core §10.1).
    pub(crate) async fn verified<'t>(
        &self,
        token: &Secret,
        read: &'t Token,
        algorithms: &[Algorithm],
        now: Moment,
    ) -> Result<&'t Arc<Claims>, Unsigned> {
        let header = &read.header;
        if !algorithms.contains(&header.algorithm) {
            return Err(Unsigned::Algorithm);
        }
        let want = |keys: &Vec<Arc<Key>>| pick(keys, header);
        let key = self
            .kept
            .find(now, want, || Box::pin(self.fetch(now)))
            .await
            .map_err(|miss| match miss {
                Miss::Absent => Unsigned::Key,
                Miss::Unreachable(fault) => Unsigned::NoKeys(fault),
            })?;
        let verdict = read.verified(token, &key.decoding);
        if !matches!(verdict, Err(Unsigned::Signature)) {
            return verdict;
        }
        // A source may have another key under the same name now: asked for as often as an unknown one.
        let other = |keys: &Vec<Arc<Key>>| pick(keys, header).filter(|one| one.jwk != key.jwk);
        let fetched = self.kept.find(now, other, || Box::pin(self.fetch(now)));
        match fetched.await {
            Ok(other) => read.verified(token, &other.decoding),
            Err(_) => verdict,
        }
    }

    async fn fetch(&self, now: Moment) -> Result<Vec<Arc<Key>>, EndpointFault> {
        match &self.place {
            SourceKeys::File(path) => keys(&file(path)?),
            SourceKeys::Address(address) => self.from(address).await,
            SourceKeys::Discovery => {
                let address = self.directory.jwks_uri(now).await?;
                self.from(&address).await
            }
        }
    }

    async fn from(&self, address: &str) -> Result<Vec<Arc<Key>>, EndpointFault> {
        let answer = self.outside.within(PATIENCE).get_json(address, None).await;
        keys(&answer?.ok()?.body)
    }
}

fn file(path: &str) -> Result<Vec<u8>, EndpointFault> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_CAP).read_to_end(&mut bytes))
        .map_err(|e| EndpointFault::NotSent {
            why: format!("the file of keys can't be read ({})", e.kind()),
        })?;
    Ok(bytes)
}

/// Key by key: a kind of key that is not known here must not hide the others (RFC 7517 §5).
fn keys(body: &[u8]) -> Result<Vec<Arc<Key>>, EndpointFault> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<serde_json::Value>,
    }
    let set: Set = serde_json::from_slice(body).map_err(|_| EndpointFault::Unreadable {
        why: "the answer is not a set of keys".to_owned(),
    })?;
    let read = |value| {
        let jwk: Jwk = serde_json::from_value(oam_oidc::jose::tidied(value)).ok()?;
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Arc::new(Key { jwk, decoding }))
    };
    Ok(set
        .keys
        .into_iter()
        .filter_map(read)
        .take(oam_oidc::jose::MOST_KEYS)
        .collect())
}

fn pick(keys: &[Arc<Key>], header: &Header) -> Option<Arc<Key>> {
    let mut fitting = keys.iter().filter(|key| fits(&key.jwk, header.algorithm));
    let found = match &header.kid {
        Some(kid) => fitting.find(|key| key.jwk.common.key_id.as_deref() == Some(kid)),
        None => fitting.next().filter(|_| fitting.next().is_none()),
    };
    found.cloned()
}

/// The key's own type must fit the algorithm: a public RSA key as the secret of an HMAC, or a curve of
/// another size, is an attack and not a mistake (RFC 8725 §2.1).
fn fits(key: &Jwk, algorithm: Algorithm) -> bool {
    use Algorithm as A;
    let kind = match (&key.algorithm, algorithm) {
        (
            AlgorithmParameters::RSA(_),
            A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512,
        ) => true,
        (AlgorithmParameters::EllipticCurve(curve), A::ES256) => curve.curve == EllipticCurve::P256,
        (AlgorithmParameters::EllipticCurve(curve), A::ES384) => curve.curve == EllipticCurve::P384,
        (AlgorithmParameters::OctetKeyPair(pair), A::EdDSA) => pair.curve == EllipticCurve::Ed25519,
        _ => false,
    };
    let common = &key.common;
    let signs = |purpose: &PublicKeyUse| *purpose == PublicKeyUse::Signature;
    let verifies = |ops: &Vec<KeyOperations>| ops.contains(&KeyOperations::Verify);
    kind && common.public_key_use.as_ref().is_none_or(signs)
        && common.key_operations.as_ref().is_none_or(verifies)
        && common
            .key_algorithm
            .is_none_or(|known| known == algorithm.into())
}
