//! Who asks: subject tokens of the identity sources, verified (R29, R30, RFC 8693 §2.1).
//!
//! A token is read before it is trusted only to choose whose keys to try. What it says counts after the
//! signature fits a key of that source, or after the provider itself was asked; the claims are checked by
//! [`oam_policy::claims`].

mod access;
mod jose;
mod jwks_cache;
mod metadata_cache;
mod single_flight;
mod verified_tokens;

pub(crate) use jose::{Token, asymmetric, token_id};
pub(crate) use jwks_cache::JwksCache;
pub(crate) use metadata_cache::{Dialect, MetadataCache};

use super::outbound::OutboundClient;
use access::{AccessTokenChecker, PresentedToken};
use aws_lc_rs::digest;
use jsonwebtoken::Algorithm;
use oam_model::answer::EndpointFault;
use oam_model::issuer::{IdentitySource, IssuerSettings};
use oam_model::organization::SubjectKind;
use oam_model::principal::Principal;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_model::time::Moment;
use oam_policy::claims::groups::{GroupClaims, told};
use oam_policy::claims::{self, Claims};
use std::net::IpAddr;
use std::sync::Arc;
use verified_tokens::VerifiedTokenCache;

pub use oam_policy::claims::LONGEST_TOKEN;

/// What a subject token is said to be (`subject_token_type`, RFC 8693 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubjectTokenKind {
    /// An ID token.
    Id,
    /// An access token, checked by asking the provider.
    Access,
    /// A JWT: a job's or workload's token, or one of the two above.
    Jwt,
}

/// A source with what is needed to check its tokens.
pub(crate) struct Trusted {
    pub(crate) source: IdentitySource,
    pub(crate) keys: JwksCache,
    algorithms: Vec<Algorithm>,
    access: Option<AccessTokenChecker>,
}

/// The identity sources. One for the whole server; it keeps their keys.
pub struct Identities {
    sources: Vec<Trusted>,
    remembered: VerifiedTokenCache,
}

impl Identities {
    /// Reads the secrets that asking about access tokens needs; nothing is fetched yet.
    ///
    /// # Errors
    /// A secret is not where the settings say.
    pub fn new(settings: &IssuerSettings, outside: &Arc<OutboundClient>) -> Result<Self, Refusal> {
        let trusted = |source: &IdentitySource| -> Result<Trusted, Refusal> {
            let directory =
                MetadataCache::new(Arc::clone(outside), source.issuer.clone(), Dialect::OpenId);
            let directory = Arc::new(directory);
            let access = source
                .access_tokens
                .as_ref()
                .map(|check| AccessTokenChecker::new(source, check, outside, &directory))
                .transpose()?;
            Ok(Trusted {
                source: source.clone(),
                keys: JwksCache::new(source.keys.clone(), Arc::clone(outside), directory),
                algorithms: jose::allowed(&source.algorithms),
                access,
            })
        };
        Ok(Self {
            sources: settings
                .sources
                .iter()
                .map(trusted)
                .collect::<Result<_, _>>()?,
            remembered: VerifiedTokenCache::default(),
        })
    }

    /// Who this token speaks of. `from`: the address that shows it; `now`: of both clocks.
    ///
    /// # Errors
    /// `bad-request` for a token that is not taken, `unavailable` when the source can't be asked, `busy`
    /// when too many are being asked at once. The words name the check, never the token's own text.
    pub async fn verify(
        &self,
        token: &Secret,
        kind: SubjectTokenKind,
        from: IpAddr,
        now: Moment,
    ) -> Result<Principal, Refusal> {
        short_enough(token)?;
        let digest = sha256(token);
        match kind {
            SubjectTokenKind::Access => Box::pin(self.asked(token, digest, from, now)).await,
            SubjectTokenKind::Id | SubjectTokenKind::Jwt => {
                if let Some(known) = self.remembered.get(&digest, now) {
                    return Ok(known);
                }
                let read = Token::read(token)?;
                if kind == SubjectTokenKind::Jwt && read.header.is_access_token() {
                    return Box::pin(self.asked(token, digest, from, now)).await;
                }
                let principal = self.signed(token, &read, now).await?;
                self.remembered.put(digest, &principal, now);
                Ok(principal)
            }
        }
    }

    /// Who this bearer speaks of: the same token that is exchanged, without a word on its type.
    ///
    /// # Errors
    /// As [`Identities::verify`].
    pub async fn bearer(
        &self,
        token: &Secret,
        from: IpAddr,
        now: Moment,
    ) -> Result<Principal, Refusal> {
        short_enough(token)?;
        let kind = self.kind_of(token);
        self.verify(token, kind, from, now).await
    }

    /// An opaque token is an access token; a JWT is what its source's agents send.
    fn kind_of(&self, token: &Secret) -> SubjectTokenKind {
        let Ok(read) = Token::read(token) else {
            return SubjectTokenKind::Access;
        };
        let asked = self
            .sources
            .iter()
            .any(|one| one.is_issuer(&read) && one.source.subject == SubjectKind::AccessToken);
        if asked || read.header.is_access_token() {
            SubjectTokenKind::Access
        } else {
            SubjectTokenKind::Id
        }
    }

    /// By signature. Where several sources share an issuer (people and jobs of one provider), those whose
    /// audience it has are tried in order.
    async fn signed(
        &self,
        token: &Secret,
        read: &Token,
        now: Moment,
    ) -> Result<Principal, Refusal> {
        let of_issuer = || self.sources.iter().filter(|one| one.is_issuer(read));
        let ours = of_issuer().filter(|one| read.has_audience(&one.source.audiences));
        let mut tried: Vec<&Trusted> = ours.collect();
        if tried.is_empty() {
            tried = of_issuer().take(1).collect();
        }
        let mut refusal = None;
        for trusted in tried {
            match trusted.verified(token, read, now).await {
                Ok(principal) => return Ok(principal),
                Err(first) => refusal = refusal.or(Some(first)),
            }
        }
        Err(refusal.unwrap_or_else(no_source))
    }

    /// By asking the provider. An opaque token does not say whose it is: it is shown to one provider only
    /// when just one can have issued it, for every other would learn it.
    async fn asked(
        &self,
        token: &Secret,
        digest: [u8; 32],
        from: IpAddr,
        now: Moment,
    ) -> Result<Principal, Refusal> {
        let mut of_issuer = Vec::new();
        if let Ok(read) = Token::read(token) {
            of_issuer.extend(self.sources.iter().filter(|one| one.is_issuer(&read)));
        }
        let known = !of_issuer.is_empty();
        let tried = if known {
            of_issuer
        } else {
            self.sources.iter().collect()
        };
        let mut takers = tried
            .into_iter()
            .filter_map(|one| Some((&one.source, one.access.as_ref()?)));
        match (takers.next(), takers.next()) {
            (Some((source, access)), None) => {
                let shown = PresentedToken { digest, from };
                access.principal(source, token, shown, now).await
            }
            (None, _) => Err(Refusal::bad_request(
                "no identity source takes access tokens of this kind",
                "send the ID token, or set `access_tokens` for the source",
            )),
            (Some(_), Some(_)) => Err(Refusal::bad_request(
                "several identity sources take access tokens, and this one does not say whose it is",
                "send the ID token, or let one source only take access tokens",
            )),
        }
    }

    /// Sources whose keys can't be had, in words, for `/readyz`.
    pub fn problems(&self) -> Vec<String> {
        self.sources
            .iter()
            .filter(|one| one.keys.is_failing())
            .map(|one| {
                format!(
                    "the keys of the identity source {} can't be had",
                    one.source.name
                )
            })
            .collect()
    }

    /// Sources of this issuer, for logout tokens.
    pub(crate) fn of_issuer<'a>(&'a self, read: &'a Token) -> impl Iterator<Item = &'a Trusted> {
        self.sources.iter().filter(|one| one.is_issuer(read))
    }

    /// The source of this name.
    pub(crate) fn source(&self, name: &oam_model::name::SourceName) -> Option<&IdentitySource> {
        self.sources
            .iter()
            .map(|one| &one.source)
            .find(|source| source.name == *name)
    }
}

impl Trusted {
    fn is_issuer(&self, read: &Token) -> bool {
        read.issuer() == Some(self.source.issuer.as_str())
    }

    async fn verified(
        &self,
        token: &Secret,
        read: &Token,
        now: Moment,
    ) -> Result<Principal, Refusal> {
        let signed = self.claims(token, read, now).await;
        let claims = signed.map_err(|fault| fault.refusal(self.source.name.as_str()))?;
        let typ = read.header.typ.as_deref();
        if let GroupClaims::Known { unusable, .. } = told(claims, &self.source.groups_claim)
            && unusable > 0
        {
            tracing::warn!(source = %self.source.name, unusable, "entries that can be nobody's group are skipped");
        }
        claims::principal(&self.source, typ, claims, now.unix())
    }

    /// The claims, after the signature fitted a key of this source.
    pub(crate) async fn claims<'t>(
        &self,
        token: &Secret,
        read: &'t Token,
        now: Moment,
    ) -> Result<&'t Arc<Claims>, Unsigned> {
        self.keys.verified(token, read, &self.algorithms, now).await
    }
}

/// Why a signature was not taken.
#[derive(Debug)]
pub(crate) enum Unsigned {
    /// The algorithm is none that the source uses.
    Algorithm,
    /// No key of the source has its id, or fits the algorithm.
    Key,
    /// It was not made with that key.
    Signature,
    /// No verdict: the keys can't be had.
    NoKeys(EndpointFault),
}

impl Unsigned {
    fn refusal(&self, source: &str) -> Refusal {
        match self {
            Self::Algorithm => Refusal::bad_request(
                format!("this token is not signed with an algorithm that {source} is trusted with"),
                "compare `algorithms` of the source with what the provider signs with",
            ),
            Self::Key => Refusal::bad_request(
                format!("this token is signed with a key that {source} does not publish"),
                "get a new token and try again",
            ),
            Self::Signature => Refusal::bad_request(
                format!("the signature of this token was not made by {source}"),
                "get a new token and try again",
            ),
            Self::NoKeys(fault) => Refusal::unavailable(
                format!("the keys of {source} can't be had: {}", words(fault)),
                "try again in a few seconds; if it stays, look at `keys` of the source",
            ),
        }
    }
}

/// A fault of an endpoint in our own words.
pub(crate) fn words(fault: &EndpointFault) -> String {
    match fault {
        EndpointFault::NotSent { why }
        | EndpointFault::Lost { why }
        | EndpointFault::Unfit { why }
        | EndpointFault::Unreadable { why } => why.clone(),
        EndpointFault::Status { status, .. } | EndpointFault::Denied { status, .. } => {
            format!("status {status}")
        }
        EndpointFault::Check { name, why } => format!("{name}: {why}"),
    }
}

/// Before anything is parsed, and before its digest is made.
fn short_enough(token: &Secret) -> Result<(), Refusal> {
    if token.expose().len() <= LONGEST_TOKEN {
        return Ok(());
    }
    Err(Refusal::bad_request(
        "this token is longer than 16 KiB",
        "let the provider put fewer claims into it, for example only groups of this application",
    ))
}

fn no_source() -> Refusal {
    Refusal::bad_request(
        "this token comes from an issuer that is no identity source here",
        "compare its `iss` with the sources in the issuer's configuration, byte for byte",
    )
}

fn sha256(token: &Secret) -> [u8; 32] {
    let mut out = [0; 32];
    let digest = digest::digest(&digest::SHA256, token.expose().as_bytes());
    out.copy_from_slice(digest.as_ref());
    out
}

#[cfg(test)]
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;
