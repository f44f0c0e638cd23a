//! The App's key: it signs a token of some minutes by which GitHub knows the App.

use super::fault::GitHubFault;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use serde_json::json;
use zeroize::Zeroizing;

/// GitHub's clock may be behind, seconds.
const BEFORE_S: u64 = 60;
/// How long the token is good, seconds: GitHub takes ten minutes at most, by its own clock.
const GOOD_S: u64 = 480;

/// An App's private key. It has no `Debug`.
pub(super) struct AppKey(RsaKeyPair);

impl AppKey {
    /// Of PEM as GitHub gives it (PKCS#1), or PKCS#8.
    pub(super) fn of_pem(pem: &Secret) -> Result<Self, Refusal> {
        let wrong = || {
            Refusal::bad_request(
                "`private_key` of an App at GitHub is no RSA key in PEM",
                "put the file there that GitHub gave when the key was made",
            )
        };
        let mut base64 = Zeroizing::new(String::with_capacity(pem.expose().len()));
        let lines = pem.expose().lines().map(str::trim);
        for line in lines.filter(|line| !line.starts_with("-----")) {
            base64.push_str(line);
        }
        let mut der = Zeroizing::new(Vec::with_capacity(base64.len()));
        STANDARD
            .decode_vec(base64.as_bytes(), &mut der)
            .map_err(|_| wrong())?;
        let pair = RsaKeyPair::from_der(&der).or_else(|_| RsaKeyPair::from_pkcs8(&der));
        pair.map(Self).map_err(|_| wrong())
    }

    /// The App's token at this time, Unix seconds.
    pub(super) fn token(&self, app: u64, now_s: u64) -> Result<Secret, GitHubFault> {
        let claims = json!({
            "iat": now_s.saturating_sub(BEFORE_S),
            "exp": now_s.saturating_add(GOOD_S),
            "iss": app.to_string(),
        });
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let header = part(r#"{"alg":"RS256","typ":"JWT"}"#);
        let signed = format!("{header}.{}", part(&claims.to_string()));
        let mut signature = vec![0; self.0.public_modulus_len()];
        let random = SystemRandom::new();
        let text = signed.as_bytes();
        self.0
            .sign(&RSA_PKCS1_SHA256, &random, text, &mut signature)
            .map_err(|_| GitHubFault::Key)?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(Secret::new(format!("{signed}.{signature}")))
    }
}
