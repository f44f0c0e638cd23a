//! The demo's hub: it verifies every token that it is shown by the issuer's published keys, asks the
//! issuer whether it still lives, and counts.

use super::cgi::plain_name;
use axum::http::{HeaderMap, StatusCode, header};
use base64::prelude::*;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Claims of a role token (RFC 9068): what the hub checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleClaims {
    /// The issuer.
    pub iss: String,
    /// On whose behalf: the role.
    pub sub: String,
    /// The hub.
    pub aud: String,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds.
    pub exp: u64,
    /// Unique.
    pub jti: String,
    /// The role that it was issued to.
    pub role: String,
    /// The one repository that it opens.
    pub repository: String,
    /// What it allows there.
    pub actions: Vec<String>,
}

/// Validation without any tolerance: issuer and hub share one clock here.
fn strict(issuer: &str, audience: &str) -> Validation {
    let mut rules = Validation::new(Algorithm::ES256);
    rules.leeway = 0;
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[audience]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No token at all: git's first request is always so.
    Missing,
    /// Not a token of ours: unreadable, another algorithm, another key.
    Forged,
    /// Its time is over.
    Expired,
    /// Made for another hub, or by another issuer.
    WrongAudience,
    /// Made for another repository.
    WrongRepository,
    /// It does not allow the action.
    WrongAction,
    /// The issuer says that it no longer lives: revoked, or its person's access ended.
    Inactive,
}

impl Reason {
    /// The word shown to people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Forged => "forged",
            Self::Expired => "expired",
            Self::WrongAudience => "wrong audience",
            Self::WrongRepository => "wrong repository",
            Self::WrongAction => "wrong action",
            Self::Inactive => "no longer active",
        }
    }

    /// 401 when another token could help, 403 when this person may not.
    pub const fn status(self) -> StatusCode {
        match self {
            Self::WrongRepository | Self::WrongAction => StatusCode::FORBIDDEN,
            _ => StatusCode::UNAUTHORIZED,
        }
    }
}

/// What the hub saw. Only [`HubServer::count`] writes it, after the verification.
#[derive(Debug, Clone, Default)]
pub struct HubCounts {
    /// Requests that came with a verified token.
    pub accepted: u32,
    /// Requests that were refused, by reason.
    pub refused: BTreeMap<Reason, u32>,
    /// The different tokens accepted, by `jti`.
    pub tokens: BTreeMap<String, RoleClaims>,
}

impl HubCounts {
    /// Refused requests that did carry a token.
    pub fn refused_tokens(&self) -> u32 {
        let shown = self
            .refused
            .iter()
            .filter(|(reason, _)| **reason != Reason::Missing);
        shown.map(|(_, count)| count).sum()
    }

    /// The actions of the token that was accepted last for `role`, the least first.
    pub fn last_actions(&self, role: &str) -> Option<&[String]> {
        let of_role = self.tokens.values().filter(|claims| claims.role == role);
        of_role
            .max_by_key(|claims| claims.iat)
            .map(|claims| claims.actions.as_slice())
    }
}

pub struct HubServer {
    url: String,
    keys: BTreeMap<String, DecodingKey>,
    rules: Validation,
    /// What it saw.
    pub ledger: HubCounts,
}

impl HubServer {
    /// A hub at `url` that trusts the tokens of `issuer` once it knows its keys.
    pub fn new(url: String, issuer: &str) -> Self {
        let rules = strict(issuer, &url);
        Self {
            url,
            keys: BTreeMap::new(),
            rules,
            ledger: HubCounts::default(),
        }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Takes the issuer's published keys (RFC 7517 §5).
    ///
    /// # Errors
    /// What is there is not a key set.
    pub fn trust(&mut self, jwks: &str) -> Result<(), String> {
        let set: JwkSet =
            serde_json::from_str(jwks).map_err(|_| "the issuer's keys can't be read".to_owned())?;
        let usable = set.keys.iter().filter_map(|jwk| {
            let key = DecodingKey::from_jwk(jwk).ok()?;
            Some((jwk.common.key_id.clone()?, key))
        });
        self.keys = usable.collect();
        Ok(())
    }

    /// Whether the token of a request names a key that is not known yet.
    pub fn lacks_key(&self, headers: &HeaderMap) -> bool {
        let kid = token_of(headers)
            .ok()
            .and_then(|token| jsonwebtoken::decode_header(token).ok()?.kid);
        kid.is_some_and(|kid| !self.keys.contains_key(&kid))
    }

    /// Checks a request for `action` on `repository`, all but whether the token still lives.
    ///
    /// # Errors
    /// The reason.
    pub fn check(
        &self,
        headers: &HeaderMap,
        repository: &str,
        action: &str,
    ) -> Result<RoleClaims, Reason> {
        let claims = self.verify(headers)?;
        if claims.repository != repository {
            Err(Reason::WrongRepository)
        } else if !claims.actions.iter().any(|a| a == action) {
            Err(Reason::WrongAction)
        } else {
            Ok(claims)
        }
    }

    /// Who the bearer is, whatever the repository.
    ///
    /// # Errors
    /// The reason.
    pub fn verify(&self, headers: &HeaderMap) -> Result<RoleClaims, Reason> {
        let token = token_of(headers)?;
        let kid = jsonwebtoken::decode_header(&token)
            .ok()
            .and_then(|header| header.kid);
        let key = kid
            .and_then(|kid| self.keys.get(&kid))
            .ok_or(Reason::Forged)?;
        jsonwebtoken::decode::<RoleClaims>(token, key, &self.rules)
            .map(|data| data.claims)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Reason::Expired,
                ErrorKind::InvalidAudience | ErrorKind::InvalidIssuer => Reason::WrongAudience,
                _ => Reason::Forged,
            })
    }

    /// Writes down how a request ended.
    ///
    /// # Errors
    /// `outcome` itself.
    pub fn count(&mut self, outcome: Result<RoleClaims, Reason>) -> Result<RoleClaims, Reason> {
        match &outcome {
            Ok(claims) => {
                self.ledger.accepted += 1;
                self.ledger
                    .tokens
                    .insert(claims.jti.clone(), claims.clone());
            }
            Err(reason) => *self.ledger.refused.entry(*reason).or_default() += 1,
        }
        outcome
    }
}

/// The token of a request: the password of Basic, or Bearer. Two headers are one too many.
///
/// # Errors
/// There is none, or what is there is none.
pub fn token_of(headers: &HeaderMap) -> Result<String, Reason> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let value = values.next().ok_or(Reason::Missing)?;
    if values.next().is_some() {
        return Err(Reason::Forged);
    }
    let (scheme, rest) = value
        .to_str()
        .ok()
        .and_then(|v| v.split_once(' '))
        .ok_or(Reason::Forged)?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Ok(rest.to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(Reason::Forged);
    }
    BASE64_STANDARD
        .decode(rest)
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pair| {
            pair.split_once(':')
                .map(|(_, password)| password.to_owned())
        })
        .ok_or(Reason::Forged)
}

/// A path of git's smart HTTP, as asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct SmartHttpPath {
    /// `acme/model`, without `.git`.
    pub repository: String,
    /// `info/refs`, `git-upload-pack`, `git-receive-pack`.
    pub service: &'static str,
    /// `read` or `write`.
    pub action: &'static str,
}

/// Reads method, path and query. `None`: not git's smart HTTP (the dumb one is not served).
pub fn wanted(get: bool, path: &str, query: &str) -> Option<SmartHttpPath> {
    let mut parts = path.strip_prefix('/')?.splitn(3, '/');
    let (namespace, name, rest) = (parts.next()?, parts.next()?, parts.next()?);
    let name = name.strip_suffix(".git").unwrap_or(name);
    let (service, action) = match (get, rest) {
        (true, "info/refs") if query == "service=git-upload-pack" => ("info/refs", "read"),
        (true, "info/refs") if query == "service=git-receive-pack" => ("info/refs", "write"),
        (false, "git-upload-pack") => ("git-upload-pack", "read"),
        (false, "git-receive-pack") => ("git-receive-pack", "write"),
        _ => return None,
    };
    let safe = plain_name(namespace) && plain_name(name);
    safe.then(|| SmartHttpPath {
        repository: format!("{namespace}/{name}"),
        service,
        action,
    })
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
