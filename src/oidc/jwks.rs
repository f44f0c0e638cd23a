//! Signing keys of a provider or a transmitter (RFC 7517): read, chosen by what a token's header says, and the check
//! of a signature with one of them.

use crate::jose;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde_json::Value;
use std::sync::Arc;

/// A public key, ready for use.
pub struct VerificationKey {
    jwk: Jwk,
    decoding: DecodingKey,
}

impl PartialEq for VerificationKey {
    fn eq(&self, other: &Self) -> bool {
        self.jwk == other.jwk
    }
}

impl VerificationKey {
    fn read(value: Value) -> Option<Arc<Self>> {
        let jwk: Jwk = serde_json::from_value(jose::tidied(value)).ok()?;
        let decoding = DecodingKey::from_jwk(&jwk).ok()?;
        Some(Arc::new(Self { jwk, decoding }))
    }

    /// Whether the signature of this token was made with it, by this algorithm. The library's own `decode` is not
    /// asked: it reads the token a second time, looks at the system's clock, and takes a missing claim for a right one.
    pub fn has_signed(&self, token: &str, algorithm: Algorithm) -> bool {
        token.rsplit_once('.').is_some_and(|(message, signature)| {
            crypto::verify(signature, message.as_bytes(), &self.decoding, algorithm)
                .unwrap_or(false)
        })
    }

    /// The key's own type must fit the algorithm: a public RSA key as the secret of an HMAC, or a curve of
    /// another size, is an attack and not a mistake (RFC 8725 §2.1).
    fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm as A;
        let kind = match (&self.jwk.algorithm, algorithm) {
            (
                AlgorithmParameters::RSA(_),
                A::RS256 | A::RS384 | A::RS512 | A::PS256 | A::PS384 | A::PS512,
            ) => true,
            (AlgorithmParameters::EllipticCurve(curve), A::ES256) => {
                curve.curve == EllipticCurve::P256
            }
            (AlgorithmParameters::EllipticCurve(curve), A::ES384) => {
                curve.curve == EllipticCurve::P384
            }
            (AlgorithmParameters::OctetKeyPair(pair), A::EdDSA) => {
                pair.curve == EllipticCurve::Ed25519
            }
            _ => false,
        };
        let common = &self.jwk.common;
        let signs = |purpose: &PublicKeyUse| *purpose == PublicKeyUse::Signature;
        let verifies = |ops: &Vec<KeyOperations>| ops.contains(&KeyOperations::Verify);
        kind && common.public_key_use.as_ref().is_none_or(signs)
            && common.key_operations.as_ref().is_none_or(verifies)
            && common
                .key_algorithm
                .is_none_or(|known| known == algorithm.into())
    }
}

/// The usable keys of a set; none: it is no set of keys. Key by key: a kind of key that is not known here must not
/// hide the others (RFC 7517 §5).
pub fn read(body: &[u8]) -> Option<Vec<Arc<VerificationKey>>> {
    #[derive(serde::Deserialize)]
    struct Set {
        keys: Vec<Value>,
    }
    let set: Set = serde_json::from_slice(body).ok()?;
    let keys = set.keys.into_iter().filter_map(VerificationKey::read);
    Some(keys.take(jose::MOST_KEYS).collect())
}

/// The key of this name for this algorithm; without a name only where there is no choice (OIDC Core §10.1).
pub fn pick(
    keys: &[Arc<VerificationKey>],
    kid: Option<&str>,
    algorithm: Algorithm,
) -> Option<Arc<VerificationKey>> {
    let mut fitting = keys.iter().filter(|key| key.fits(algorithm));
    let found = match kid {
        Some(kid) => fitting.find(|key| key.jwk.common.key_id.as_deref() == Some(kid)),
        None => fitting.next().filter(|_| fitting.next().is_none()),
    };
    found.cloned()
}

#[cfg(test)]
mod tests {
    use super::{VerificationKey, pick, read};
    use jsonwebtoken::Algorithm;
    use serde_json::{Value, json};
    use std::sync::Arc;

    fn ed25519(kid: &str) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "kid": kid, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
    }

    fn set(keys: &[Value]) -> Vec<Arc<VerificationKey>> {
        read(json!({ "keys": keys }).to_string().as_bytes()).unwrap()
    }

    #[test]
    fn a_key_that_is_not_known_hides_no_other_and_what_is_no_set_is_none() {
        let keys = set(&[json!({"kty": "new"}), json!(7), json!({}), ed25519("a")]);
        assert_eq!(keys.len(), 1);
        assert_eq!(set(&vec![ed25519("a"); 100]).len(), super::jose::MOST_KEYS);
        for bad in ["", "[]", "{}", r#"{"keys":{}}"#] {
            assert!(read(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_key_is_picked_by_its_name_or_where_there_is_no_choice() {
        let keys = set(&[ed25519("a"), ed25519("b")]);
        let picked =
            |keys: &[Arc<VerificationKey>], kid| pick(keys, kid, Algorithm::EdDSA).is_some();
        assert!(picked(&keys, Some("b")) && !picked(&keys, Some("c")));
        assert!(picked(&keys[..1], None) && !picked(&keys, None));
    }

    #[test]
    fn a_key_serves_only_the_algorithm_and_purpose_that_it_is_for() {
        let with = |name: &str, value: Value| {
            let mut key = ed25519("a");
            key[name] = value;
            let keys = set(&[key]);
            pick(&keys, Some("a"), Algorithm::EdDSA).is_some()
        };
        assert!(with("use", json!("sig")) && with("key_ops", json!(["verify"])));
        assert!(with("alg", json!("Ed25519")) && with("use", Value::Null));
        assert!(!with("use", json!("enc")) && !with("key_ops", json!(["sign"])));
        assert!(!with("alg", json!("ES256")));
        let keys = set(&[ed25519("a")]);
        for other in [Algorithm::ES256, Algorithm::RS256, Algorithm::HS256] {
            assert!(pick(&keys, Some("a"), other).is_none(), "{other:?}");
        }
    }

    #[test]
    fn a_signature_that_is_none_is_not_the_keys() {
        let keys = set(&[ed25519("a")]);
        for bad in ["", "a.b", "e30.e30.", "e30.e30.AAAA", "e30.e30.!"] {
            assert!(!keys[0].has_signed(bad, Algorithm::EdDSA), "{bad}");
        }
    }
}
