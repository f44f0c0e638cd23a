//! A signed token as it is read before it is trusted, and the check of its signature (RFC 7515).

use super::Unsigned;
use crate::keys::sha256;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, AlgorithmFamily};
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_oidc::jose::{self, Unaccepted};
use oam_oidc::jwks::VerificationKey;
use oam_policy::claims::{Claims, read};
use serde_json::Value;
use std::sync::Arc;

/// What of the header is used.
pub(crate) struct SignedHeader {
    pub(crate) algorithm: Algorithm,
    pub(crate) kid: Option<String>,
    pub(crate) typ: Option<String>,
}

impl SignedHeader {
    /// RFC 9068 §2.1.
    pub(super) fn is_access_token(&self) -> bool {
        let typ = self.typ.as_deref().unwrap_or("").to_ascii_lowercase();
        typ == "at+jwt" || typ == "application/at+jwt"
    }
}

/// Whether a text is meant as a signed token: three parts, of which the first is, or begins like, a JSON
/// object in Base64url. Five parts are encrypted (RFC 7516 §3): opaque to everybody but their provider.
pub(super) fn looks_signed(token: &Secret) -> bool {
    let text = token.expose();
    let mut parts = text.split('.');
    let header = parts.next().unwrap_or_default();
    let decoded = URL_SAFE_NO_PAD.decode(header.trim_end_matches('='));
    let object = decoded.is_ok_and(|bytes| bytes.trim_ascii_start().first() == Some(&b'{'));
    parts.count() == 2 && (object || header.starts_with("ey"))
}

/// What a token is remembered by: the SHA-256 of what its provider signed, for a signature can be written in more than
/// one way; of an opaque one, of all of it. Lower-case hex.
pub(crate) fn token_id(token: &Secret) -> String {
    sha256(signed_part(token).as_bytes())
}

fn signed_part(token: &Secret) -> &str {
    let text = token.expose();
    match text.rsplit_once('.') {
        Some((signed, _)) if looks_signed(token) => signed,
        _ => text,
    }
}

/// A token that nobody has verified.
pub(crate) struct Token {
    pub(crate) header: SignedHeader,
    /// What it claims. To choose keys by, for nothing else before its signature was verified.
    claims: Arc<Claims>,
}

impl Token {
    /// Reads it. Only asymmetric algorithms are taken: what a symmetric one would be keyed with is public,
    /// and `none` is no signature (R30, RFC 8725 §3.1 and §3.2).
    ///
    /// # Errors
    /// It is no signed token, or its header demands what is not taken.
    pub(crate) fn read(token: &Secret) -> Result<Self, Refusal> {
        let text = token.expose();
        if text.split('.').count() != 3 || text.split('.').any(str::is_empty) {
            return Err(not_signed("this token is not a signed JWT"));
        }
        let header =
            jose::header(text).ok_or_else(|| not_signed("this token's header can't be read"))?;
        let algorithm = header.accepted().map_err(|why| match why {
            Unaccepted::Unknown => not_signed(&format!(
                "this token's header names no algorithm that is taken: `{}`",
                header.alg
            )),
            Unaccepted::Symmetric => not_signed("this token is signed with a shared secret"),
            Unaccepted::Extension => not_signed("this token's header demands an extension"),
        })?;
        let claims = jose::claims(text).ok_or_else(|| {
            not_signed("this token's claims can't be read, or one of them stands twice")
        })?;
        Ok(Self {
            header: SignedHeader {
                algorithm,
                kid: header.kid,
                typ: header.typ,
            },
            claims: Arc::new(claims),
        })
    }

    /// `iss` as it claims.
    pub(crate) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    /// Whether it claims to be for one of these.
    pub(crate) fn has_audience(&self, audiences: &[String]) -> bool {
        read::is_one_of(self.claims.get("aud"), audiences)
    }

    /// What it claims, for a token that its provider has just taken.
    pub(super) fn into_claims(self) -> Arc<Claims> {
        self.claims
    }

    /// The claims, if the signature was made with this key and the algorithm of the header.
    pub(super) fn verified(
        &self,
        token: &Secret,
        key: &VerificationKey,
    ) -> Result<&Arc<Claims>, Unsigned> {
        let signed = key.has_signed(token.expose(), self.header.algorithm);
        signed.then_some(&self.claims).ok_or(Unsigned::Signature)
    }
}

/// The algorithms of a source that are taken, whatever its settings say.
pub(super) fn allowed(names: &[String]) -> Vec<Algorithm> {
    let asymmetric = |alg: &Algorithm| alg.family() != AlgorithmFamily::Hmac;
    names
        .iter()
        .filter_map(|name| jose::algorithm(name).parse().ok())
        .filter(asymmetric)
        .collect()
}

/// What a transmitter may sign with: SSF's profile has RS256, others use what their keys are.
pub(crate) fn asymmetric() -> Vec<Algorithm> {
    vec![
        Algorithm::RS256,
        Algorithm::RS384,
        Algorithm::RS512,
        Algorithm::PS256,
        Algorithm::PS384,
        Algorithm::PS512,
        Algorithm::ES256,
        Algorithm::ES384,
        Algorithm::EdDSA,
    ]
}

fn not_signed(sentence: &str) -> Refusal {
    Refusal::bad_request(
        sentence,
        "send the token as the identity provider issued it, and say its type in `subject_token_type`",
    )
}

#[cfg(test)]
mod tests {
    use super::signed_part;
    use oam_model::secret::Secret;

    #[test]
    fn a_token_is_known_by_what_was_signed_however_its_signature_is_written() {
        let part = |text: &str| signed_part(&Secret::new(text.to_owned())).to_owned();
        for written in ["eyJh.e30.AA", "eyJh.e30.AB", "eyJh.e30.AA=="] {
            assert_eq!(part(written), "eyJh.e30");
        }
        for opaque in ["opaque", "ya29.a0", "with.two.dots", "eyJ.of.five.parts.x"] {
            assert_eq!(part(opaque), opaque);
        }
    }
}
