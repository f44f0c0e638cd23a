//! The signing keys of a source or transmitter (RFC 7517), and the check of a signature with them.

use super::Unsigned;
use super::jose::Token;
use super::metadata_cache::MetadataCache;
use crate::outbound::OutboundClient;
use jsonwebtoken::Algorithm;
use oam_model::answer::EndpointFault;
use oam_model::issuer::SourceKeys;
use oam_model::secret::Secret;
use oam_model::system_error::reason;
use oam_model::time::Moment;
use oam_oidc::jwks::{self, VerificationKey};
use oam_oidc::ttl_cache::{CacheMiss, TtlCache};
use oam_policy::claims::Claims;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a key set: requests hang on it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Largest file of keys, bytes.
const FILE_CAP: u64 = 1024 * 1024;

/// Keys of one issuer.
pub(crate) struct JwksCache {
    place: SourceKeys,
    outside: Arc<OutboundClient>,
    directory: Arc<MetadataCache>,
    kept: TtlCache<Vec<Arc<VerificationKey>>>,
}

impl JwksCache {
    pub(crate) fn new(
        place: SourceKeys,
        outside: Arc<OutboundClient>,
        directory: Arc<MetadataCache>,
    ) -> Self {
        Self {
            place,
            outside,
            directory,
            kept: TtlCache::default(),
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
        let pick = |keys: &Vec<Arc<VerificationKey>>| {
            jwks::pick(keys, header.kid.as_deref(), header.algorithm)
        };
        let key = self
            .kept
            .find(now, pick, || Box::pin(self.fetch(now)))
            .await
            .map_err(|miss| match miss {
                CacheMiss::Absent => Unsigned::Key,
                CacheMiss::Unreachable(fault) => Unsigned::NoKeys(fault),
            })?;
        let verdict = read.verified(token, &key);
        if !matches!(verdict, Err(Unsigned::Signature)) {
            return verdict;
        }
        // A source may have another key under the same name now: asked for as often as an unknown one.
        let other = |keys: &Vec<Arc<VerificationKey>>| pick(keys).filter(|one| *one != key);
        let fetched = self.kept.find(now, other, || Box::pin(self.fetch(now)));
        match fetched.await {
            Ok(other) => read.verified(token, &other),
            Err(_) => verdict,
        }
    }

    async fn fetch(&self, now: Moment) -> Result<Vec<Arc<VerificationKey>>, EndpointFault> {
        match &self.place {
            SourceKeys::File(path) => keys(&file(path)?),
            SourceKeys::Address(address) => self.from(address).await,
            SourceKeys::Discovery => {
                let address = self.directory.jwks_uri(now).await?;
                self.from(&address).await
            }
        }
    }

    async fn from(&self, address: &str) -> Result<Vec<Arc<VerificationKey>>, EndpointFault> {
        let answer = self.outside.within(PATIENCE).get_json(address, None).await;
        keys(&answer?.ok()?.body)
    }
}

fn file(path: &str) -> Result<Vec<u8>, EndpointFault> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(FILE_CAP).read_to_end(&mut bytes))
        .map_err(|e| EndpointFault::NotSent {
            why: format!("the file of keys can't be read ({})", reason(e.kind())),
        })?;
    Ok(bytes)
}

fn keys(body: &[u8]) -> Result<Vec<Arc<VerificationKey>>, EndpointFault> {
    jwks::read(body).ok_or_else(|| EndpointFault::Unreadable {
        why: "the answer is not a set of keys".to_owned(),
    })
}
