//! One key pair, prepared once: parsing a private key anew for each signature would cost more than the
//! signature (which is why tokens are not written by `jsonwebtoken`, whose keys are bytes).

use crate::seal::{MasterKey, Purpose, SealFault};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use oam_model::issuer::SigningAlgorithm;
use oam_model::secret::Secret;
use serde::Serialize;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// What a signed token is, as its header's `typ` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// RFC 9068: a role token that hubs verify.
    AccessToken,
    /// An ID token: what a hub exchanges.
    IdToken,
}

impl TokenKind {
    /// The value of `typ`.
    pub const fn typ(self) -> &'static str {
        match self {
            Self::AccessToken => "at+jwt",
            Self::IdToken => "JWT",
        }
    }
}

enum Private {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
}

/// A key pair that signs. It has no `Debug`.
pub struct Pair {
    private: Private,
    kid: String,
    public: Value,
    /// The encoded headers, `.` included: those of access tokens and of ID tokens.
    headers: [String; 2],
}

/// A key that was just made: the pair, and its private half sealed.
pub struct Made {
    pub pair: Pair,
    /// PKCS#8, sealed for its `kid`.
    pub sealed: Vec<u8>,
}

/// `alg` of RFC 7518 §3.1 and RFC 8037 §3.1.
pub const fn alg(algorithm: SigningAlgorithm) -> &'static str {
    match algorithm {
        SigningAlgorithm::Es256 => "ES256",
        SigningAlgorithm::EdDsa => "EdDSA",
    }
}

impl Pair {
    /// A new pair from the system's randomness, sealed with `master`.
    ///
    /// # Errors
    /// [`SealFault::Random`].
    pub fn generate(algorithm: SigningAlgorithm, master: &MasterKey) -> Result<Made, SealFault> {
        let random = SystemRandom::new();
        let document = match algorithm {
            SigningAlgorithm::Es256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
            }
            SigningAlgorithm::EdDsa => Ed25519KeyPair::generate_pkcs8(&random),
        };
        let document = document.map_err(|_| SealFault::Random)?;
        let pair = Self::of_pkcs8(algorithm, document.as_ref()).ok_or(SealFault::Foreign)?;
        let sealed = master.seal(Purpose::SigningKey, &pair.kid, document.as_ref())?;
        Ok(Made { pair, sealed })
    }

    /// The pair of a row.
    ///
    /// # Errors
    /// The master key does not open it, or what is inside is no such key.
    pub fn open(
        algorithm: SigningAlgorithm,
        kid: &str,
        sealed: &[u8],
        master: &MasterKey,
    ) -> Result<Self, SealFault> {
        let pkcs8 = master.open(Purpose::SigningKey, kid, sealed)?;
        Self::of_pkcs8(algorithm, &pkcs8)
            .filter(|pair| pair.kid == kid)
            .ok_or(SealFault::Foreign)
    }

    fn of_pkcs8(algorithm: SigningAlgorithm, pkcs8: &[u8]) -> Option<Self> {
        let (private, required) = match algorithm {
            SigningAlgorithm::Es256 => {
                let pair =
                    EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8).ok()?;
                let required = elliptic(pair.public_key().as_ref())?;
                (Private::Es256(pair), required)
            }
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_pkcs8(pkcs8).ok()?;
                let x = URL_SAFE_NO_PAD.encode(pair.public_key());
                let required = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
                (Private::EdDsa(pair), required)
            }
        };
        let thumbprint = digest(&SHA256, required.as_bytes());
        let kid = URL_SAFE_NO_PAD.encode(thumbprint.as_ref());
        let mut public: Value = serde_json::from_str(&required).ok()?;
        public["kid"] = json!(kid);
        public["use"] = json!("sig");
        public["alg"] = json!(alg(algorithm));
        let header = |kind: TokenKind| {
            let header = json!({"alg": alg(algorithm), "kid": kid, "typ": kind.typ()});
            format!("{}.", URL_SAFE_NO_PAD.encode(header.to_string()))
        };
        Some(Self {
            private,
            headers: [header(TokenKind::AccessToken), header(TokenKind::IdToken)],
            kid,
            public,
        })
    }

    /// RFC 7638 thumbprint of the public key.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public half as a JWK (RFC 7517).
    pub const fn public(&self) -> &Value {
        &self.public
    }

    /// Signs claims: RFC 7515, compact form.
    ///
    /// # Errors
    /// The claims are no JSON, or the library refused to sign; nothing is in the words.
    pub fn sign<C: Serialize>(&self, claims: &C, kind: TokenKind) -> Result<Secret, &'static str> {
        let mut json = Zeroizing::new(Vec::with_capacity(1024));
        serde_json::to_writer(&mut *json, claims).map_err(|_| "the claims are no JSON")?;
        let header = match kind {
            TokenKind::AccessToken => &self.headers[0],
            TokenKind::IdToken => &self.headers[1],
        };
        // One allocation for the whole token: a buffer that grows leaves its old bytes behind. A
        // signature of both algorithms is 64 bytes, 86 characters.
        let room = header.len() + json.len().div_ceil(3) * 4 + 1 + 86;
        let mut token = String::with_capacity(room);
        token.push_str(header);
        URL_SAFE_NO_PAD.encode_string(&*json, &mut token);
        let signature = match &self.private {
            Private::Es256(pair) => pair.sign(&SystemRandom::new(), token.as_bytes()),
            Private::EdDsa(pair) => pair.try_sign(token.as_bytes()),
        };
        let signature = signature.map_err(|_| "signing failed")?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature.as_ref(), &mut token);
        Ok(Secret::new(token))
    }
}

/// The required members of a P-256 key (RFC 7518 §6.2.1) from its uncompressed point, written as its
/// thumbprint is taken: in the order of their names, without white space (RFC 7638 §3).
fn elliptic(point: &[u8]) -> Option<String> {
    let (form, rest) = point.split_first()?;
    if *form != 4 || rest.len() != 64 {
        return None;
    }
    let (x, y) = rest.split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    Some(format!(
        r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#
    ))
}

#[cfg(test)]
mod tests {
    use super::{Pair, TokenKind};
    use crate::seal::{MasterKey, SealFault};
    use jsonwebtoken::jwk::{Jwk, ThumbprintHash};
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    use oam_model::issuer::SigningAlgorithm;
    use oam_model::secret::Secret;
    use serde_json::{Value, json};

    fn master(byte: u8) -> MasterKey {
        MasterKey::parse(&Secret::new(format!("{byte:02x}").repeat(32))).unwrap()
    }

    const BOTH: [(SigningAlgorithm, Algorithm); 2] = [
        (SigningAlgorithm::Es256, Algorithm::ES256),
        (SigningAlgorithm::EdDsa, Algorithm::EdDSA),
    ];

    #[test]
    fn a_token_is_verified_by_the_published_key_and_no_other() {
        for (ours, theirs) in BOTH {
            let made = Pair::generate(ours, &master(1)).ok().unwrap();
            let other = Pair::generate(ours, &master(1)).ok().unwrap();
            let jwk: Jwk = serde_json::from_value(made.pair.public().clone()).unwrap();
            assert_eq!(
                jwk.thumbprint(ThumbprintHash::SHA256).unwrap(),
                made.pair.kid()
            );
            let claims = json!({"exp": 4_102_444_800_u64, "sub": "role:ü"});
            for kind in [TokenKind::AccessToken, TokenKind::IdToken] {
                let token = made.pair.sign(&claims, kind).ok().unwrap();
                let key = DecodingKey::from_jwk(&jwk).unwrap();
                let read = decode::<Value>(token.expose(), &key, &Validation::new(theirs)).unwrap();
                assert_eq!(read.claims, claims);
                assert_eq!(read.header.typ.as_deref(), Some(kind.typ()));
                assert_eq!(read.header.kid.as_deref(), Some(made.pair.kid()));
                let wrong: Jwk = serde_json::from_value(other.pair.public().clone()).unwrap();
                let wrong = DecodingKey::from_jwk(&wrong).unwrap();
                assert!(decode::<Value>(token.expose(), &wrong, &Validation::new(theirs)).is_err());
            }
        }
    }

    #[test]
    fn the_public_half_holds_no_private_member() {
        for (algorithm, _) in BOTH {
            let made = Pair::generate(algorithm, &master(1)).ok().unwrap();
            let public = made.pair.public();
            assert!(public.get("d").is_none());
            assert_eq!(public["use"], "sig");
        }
    }

    #[test]
    fn a_sealed_key_opens_with_its_master_key_and_its_kid_only() {
        let made = Pair::generate(SigningAlgorithm::Es256, &master(1))
            .ok()
            .unwrap();
        let open = |algorithm, kid: &str, byte| {
            Pair::open(algorithm, kid, &made.sealed, &master(byte)).err()
        };
        let kid = made.pair.kid();
        assert_eq!(open(SigningAlgorithm::Es256, kid, 1), None);
        assert_eq!(
            open(SigningAlgorithm::Es256, kid, 2),
            Some(SealFault::Locked)
        );
        assert_eq!(
            open(SigningAlgorithm::Es256, "k", 1),
            Some(SealFault::Locked)
        );
        assert_eq!(
            open(SigningAlgorithm::EdDsa, kid, 1),
            Some(SealFault::Foreign)
        );
    }
}
