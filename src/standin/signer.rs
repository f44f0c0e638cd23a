//! Keys that sign.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::Value;

/// A key pair that signs.
pub struct Signer {
    private: EncodingKey,
    pub algorithm: Algorithm,
    pub kid: String,
    /// The public half.
    pub jwk: Value,
}

impl Signer {
    pub fn ec(kid: &str) -> Self {
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new())
                .unwrap();
        Self::of(
            EncodingKey::from_ec_der(pair.as_ref()),
            Algorithm::ES256,
            kid,
        )
    }

    pub fn ec384(kid: &str) -> Self {
        let pair =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_FIXED_SIGNING, &SystemRandom::new())
                .unwrap();
        let private = EncodingKey::from_ec_der(pair.as_ref());
        Self::of(private, Algorithm::ES384, kid)
    }

    pub fn rsa(kid: &str) -> Self {
        /// What stands before the key itself in PKCS#8 for 2048 bits.
        const PREFIX: usize = 26;
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        Self::of(
            EncodingKey::from_rsa_der(&der.as_ref()[PREFIX..]),
            Algorithm::RS256,
            kid,
        )
    }

    /// From its private half.
    fn of(private: EncodingKey, algorithm: Algorithm, kid: &str) -> Self {
        let mut jwk = Jwk::from_encoding_key(&private, algorithm).unwrap();
        jwk.common.key_id = Some(kid.to_owned());
        Self {
            private,
            algorithm,
            kid: kid.to_owned(),
            jwk: serde_json::to_value(jwk).unwrap(),
        }
    }

    pub fn sign(&self, typ: Option<&str>, claims: &Value) -> String {
        self.sign_as(typ, Some(&self.kid), claims)
    }

    pub fn sign_as(&self, typ: Option<&str>, kid: Option<&str>, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.typ = typ.map(str::to_owned);
        header.kid = kid.map(str::to_owned);
        jsonwebtoken::encode(&header, claims, &self.private).unwrap()
    }
}
