//! An ID token's header and signature. Its claims are checked in `claims`.

use super::claims::{ClaimError, VerifiedClaims};
use jsonwebtoken::Algorithm;
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::secret::Secret;
use oam_oidc::jose::{self, Unaccepted};
use oam_oidc::jwks::VerificationKey;

/// What came of checking an ID token.
pub(super) enum IdTokenCheck {
    /// Every check passed.
    Right(Identity),
    /// A check failed.
    Wrong(EndpointFault),
    /// No verdict: the provider's keys can't be had.
    NoKeys(EndpointFault),
}

/// What of the header is used.
pub(super) struct IdTokenHeader {
    pub(super) alg: Algorithm,
    pub(super) kid: Option<String>,
}

/// Reads the header of a token of at most `longest` bytes. Only asymmetric algorithms are taken: with a public client
/// anybody knows what a symmetric one would be keyed with, and `none` is no signature (R30).
pub(super) fn header(token: &Secret, longest: usize) -> Result<IdTokenHeader, ClaimError> {
    if token.expose().len() > longest {
        let why = format!("the ID token is longer than {} KiB", longest / 1024);
        return Err(ClaimError::new("size", why));
    }
    let header = jose::header(token.expose())
        .ok_or_else(|| ClaimError::new("id_token", "it is not a signed token"))?;
    let alg = header.accepted().map_err(|why| match why {
        Unaccepted::Unknown => {
            let why = format!("`{}` is no algorithm that is accepted", header.alg);
            ClaimError::new("alg", why)
        }
        Unaccepted::Symmetric => ClaimError::new("alg", "symmetric algorithms are not accepted"),
        Unaccepted::Extension => ClaimError::new("crit", "its header demands an extension"),
    })?;
    Ok(IdTokenHeader {
        alg,
        kid: header.kid,
    })
}

/// Verifies the signature with this key and algorithm, and nothing else: the library's own checks of
/// claims read the system's clock and take a missing claim for a right one.
pub(super) fn verified(
    token: &Secret,
    header: &IdTokenHeader,
    key: &VerificationKey,
) -> Result<VerifiedClaims, ClaimError> {
    if !key.has_signed(token.expose(), header.alg) {
        return Err(ClaimError::new(
            "signature",
            "it was not made with the provider's key",
        ));
    }
    jose::claims(token.expose())
        .map(VerifiedClaims::new)
        .ok_or_else(|| ClaimError::new("id_token", "its claims can't be read"))
}
