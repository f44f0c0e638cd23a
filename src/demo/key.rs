//! A signing key of the demo: ES256, made at start. The identity provider has one, and the CI host.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::prelude::*;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;
use serde_json::{Value, json};

/// A P-256 key pair.
pub struct SigningKey {
    private: EncodingKey,
    public: DecodingKey,
    jwk: Jwk,
    kid: String,
}

impl SigningKey {
    /// A new pair from the system's randomness.
    ///
    /// # Errors
    /// The crypto library's fault, in words.
    pub fn generate() -> Result<Self, String> {
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .map_err(|_| "no signing key could be made".to_owned())?;
        let private = EncodingKey::from_ec_der(pair.as_ref());
        let said =
            |error: jsonwebtoken::errors::Error| format!("the signing key is unusable: {error}");
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::ES256).map_err(said)?;
        let kid = jwk.thumbprint(ThumbprintHash::SHA256).map_err(said)?;
        jwk.common.key_id = Some(kid.clone());
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk).map_err(said)?;
        Ok(Self {
            private,
            public,
            jwk,
            kid,
        })
    }

    /// A signed token (RFC 7515 compact form); `typ` as RFC 9068 wants it.
    ///
    /// # Errors
    /// The claims can't be written as JSON, or signing failed.
    pub fn sign<C: Serialize>(&self, typ: &str, claims: &C) -> Result<String, String> {
        let mut header = Header::new(Algorithm::ES256);
        header.typ = Some(typ.to_owned());
        header.kid = Some(self.kid.clone());
        jsonwebtoken::encode(&header, claims, &self.private)
            .map_err(|error| format!("signing failed: {error}"))
    }

    /// The public half, for those who verify.
    pub const fn public(&self) -> &DecodingKey {
        &self.public
    }

    /// The public half as a key set (RFC 7517 §5).
    pub fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }
}

/// 256 random bits as text: codes, refresh tokens, names of sessions.
///
/// # Errors
/// The system gave no randomness.
pub fn random_text() -> Result<String, String> {
    let mut bytes = [0u8; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "the system gave no randomness".to_owned())?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(bytes))
}

/// SHA-256 in the form of a PKCE challenge (RFC 7636 §4.2).
pub fn challenge_of(verifier: &str) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::{SigningKey, challenge_of};
    use jsonwebtoken::{Algorithm, Validation, decode};
    use serde_json::{Value, json};

    #[test]
    fn the_challenge_is_that_of_the_rfc() {
        // RFC 7636, appendix B.
        assert_eq!(
            challenge_of("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"),
            "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
        );
    }

    #[test]
    fn a_signed_token_is_verified_by_the_published_key_only() {
        let (ours, theirs) = (
            SigningKey::generate().unwrap(),
            SigningKey::generate().unwrap(),
        );
        let token = ours
            .sign("JWT", &json!({ "exp": 4_102_444_800_u64 }))
            .unwrap();
        let rules = Validation::new(Algorithm::ES256);
        assert!(decode::<Value>(&token, ours.public(), &rules).is_ok());
        assert!(decode::<Value>(&token, theirs.public(), &rules).is_err());
        let published = &ours.jwks()["keys"][0];
        assert_eq!(published["kty"], "EC");
        assert_eq!(published["use"], "sig");
        assert!(published.get("d").is_none());
    }
}
