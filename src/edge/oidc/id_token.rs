//! An ID token's header and signature. Its claims are checked in `claims`.

use super::claims::{Claims, Wrong};
use crate::model::answer::EndpointFault;
use crate::model::identity::Identity;
use crate::model::secret::Secret;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Validation};

/// Longest ID token, bytes.
const CAP: usize = 64 * 1024;

/// What came of checking an ID token.
pub(super) enum Verdict {
    /// Every check passed.
    Right(Identity),
    /// A check failed.
    Wrong(EndpointFault),
    /// No verdict: the provider's keys can't be had.
    NoKeys(EndpointFault),
}

/// What of the header is used.
pub(super) struct Header {
    pub(super) alg: Algorithm,
    pub(super) kid: Option<String>,
}

/// Reads the header. Only asymmetric algorithms are taken: with a public client anybody knows what a
/// symmetric one would be keyed with, and `none` is no signature (R30).
pub(super) fn header(token: &Secret) -> Result<Header, Wrong> {
    if token.expose().len() > CAP {
        return Err(Wrong::new("id_token", "it is longer than 64 KiB"));
    }
    let header =
        jsonwebtoken::decode_header(token.expose()).map_err(|error| match error.kind() {
            // The header's own reader knows the allowed names and a few more; any other is none of ours.
            ErrorKind::Json(_) => {
                Wrong::new("alg", "its header names no algorithm that is accepted")
            }
            _ => Wrong::new("id_token", "it is not a signed token"),
        })?;
    if header.alg.family() == AlgorithmFamily::Hmac {
        return Err(Wrong::new("alg", "symmetric algorithms are not accepted"));
    }
    if header.crit.is_some() {
        return Err(Wrong::new("crit", "its header demands an extension"));
    }
    Ok(Header {
        alg: header.alg,
        kid: header.kid,
    })
}

/// Verifies the signature with this key and algorithm, and nothing else: the library's own checks of
/// claims are off, because it reads the system's clock and takes a missing claim for a right one.
pub(super) fn verified(token: &Secret, header: &Header, key: &Jwk) -> Result<Claims, Wrong> {
    let key = DecodingKey::from_jwk(key)
        .map_err(|_| Wrong::new("kid", "the provider's key can't be used"))?;
    let mut validation = Validation::new(header.alg);
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    jsonwebtoken::decode(token.expose(), &key, &validation)
        .map(|data| Claims::new(data.claims))
        .map_err(|error| match error.kind() {
            ErrorKind::Json(_) | ErrorKind::Utf8(_) => {
                Wrong::new("id_token", "its claims can't be read")
            }
            _ => Wrong::new("signature", "it was not made with the provider's key"),
        })
}
