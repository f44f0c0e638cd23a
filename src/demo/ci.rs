//! The demo's CI host: gives each job an ID token that says which repository it runs for, as GitHub
//! Actions does, and keeps no secret anywhere.

use super::key::{SigningKey, random_text};
use super::oauth::{OauthError, Params};
use super::seed::{CI_JOB_S, CI_OWNER_ID, CI_REPOSITORY_ID, REPOSITORY};
use serde_json::{Value, json};

/// The CI host: its keys, and the one job that runs there.
pub struct Ci {
    issuer: String,
    key: SigningKey,
    /// What the job may ask for its token with. Its runner is given it, nobody else.
    ticket: String,
    /// Tokens given.
    pub given: u32,
}

impl Ci {
    /// A host at `issuer` with one job.
    ///
    /// # Errors
    /// No key or no randomness; in words.
    pub fn new(issuer: String) -> Result<Self, String> {
        Ok(Self {
            issuer,
            key: SigningKey::generate()?,
            ticket: random_text()?,
            given: 0,
        })
    }

    /// Its metadata (OIDC Discovery §3).
    pub fn metadata(&self) -> Value {
        json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{}/jwks.json", self.issuer),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
        })
    }

    /// Its keys.
    pub fn jwks(&self) -> Value {
        self.key.jwks()
    }

    /// The variables that a runner gives to its job.
    pub fn variables(&self) -> [(&'static str, String); 2] {
        [
            (
                "ACTIONS_ID_TOKEN_REQUEST_URL",
                format!("{}/token?api-version=2.0", self.issuer),
            ),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", self.ticket.clone()),
        ]
    }

    /// An ID token for the job, with the claims that GitHub documents.
    ///
    /// # Errors
    /// The ticket is not that of the job, or no audience is named.
    pub fn token(&mut self, bearer: &str, asked: &Params, now_s: u64) -> Result<Value, OauthError> {
        if bearer != self.ticket {
            return Err(OauthError::new("invalid_client", "not the job's ticket"));
        }
        let audience = asked
            .get("audience")
            .ok_or(OauthError::new("invalid_request", "audience is missing"))?;
        let claims = json!({
            "iss": self.issuer,
            "aud": audience,
            "sub": format!("repo:{REPOSITORY}:ref:refs/heads/main"),
            "jti": random_text().map_err(|_| OauthError::server())?,
            "iat": now_s,
            "nbf": now_s,
            "exp": now_s + CI_JOB_S,
            "repository": REPOSITORY,
            "repository_id": CI_REPOSITORY_ID,
            "repository_owner": "acme",
            "repository_owner_id": CI_OWNER_ID,
            "ref": "refs/heads/main",
            "ref_type": "branch",
            "event_name": "push",
            "workflow": "release",
            "run_id": "1",
            "run_attempt": "1",
            "runner_environment": "github-hosted",
        });
        let token = self
            .key
            .sign("JWT", &claims)
            .map_err(|_| OauthError::server())?;
        self.given += 1;
        Ok(json!({ "value": token }))
    }
}

#[cfg(test)]
mod tests {
    use super::Ci;
    use crate::oauth::Params;

    #[test]
    fn only_the_jobs_ticket_gets_a_token_and_only_for_a_named_audience() {
        let mut ci = Ci::new("http://127.0.0.1:1".into()).unwrap();
        let asked = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            Params::new(pairs.collect()).unwrap()
        };
        let good = asked(&[("audience", "https://issuer.example")]);
        let ticket = ci.variables()[1].1.clone();
        assert!(ci.token("another", &good, 1).is_err());
        assert!(ci.token(&ticket, &asked(&[]), 1).is_err());
        assert!(ci.token(&ticket, &good, 1).unwrap()["value"].is_string());
        assert_eq!(ci.given, 1);
    }
}
