//! The demo's hub: it verifies every token that it is shown, and counts.

use super::base64;
use super::cgi::plain_name;
use super::exchange::{RoleClaims, strict};
use axum::http::{HeaderMap, StatusCode, header};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{DecodingKey, Validation};
use std::collections::{BTreeMap, BTreeSet};

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

/// What the hub saw. Only [`Hub::admit`] and [`Hub::who`] write it, after the verification.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Requests that came with a verified token.
    pub accepted: u32,
    /// Requests that were refused, by reason.
    pub refused: BTreeMap<Reason, u32>,
    /// The different tokens accepted, by `jti`.
    pub tokens: BTreeSet<String>,
}

impl Ledger {
    /// Refused requests that did carry a token.
    pub fn refused_tokens(&self) -> u32 {
        let shown = self
            .refused
            .iter()
            .filter(|(reason, _)| **reason != Reason::Missing);
        shown.map(|(_, count)| count).sum()
    }
}

/// The hub.
pub struct Hub {
    url: String,
    key: DecodingKey,
    rules: Validation,
    /// What it saw.
    pub ledger: Ledger,
}

impl Hub {
    /// A hub at `url` that trusts the tokens of `issuer`, signed by `key`.
    pub fn new(url: String, issuer: &str, key: DecodingKey) -> Self {
        let rules = strict(issuer, &url);
        Self {
            url,
            key,
            rules,
            ledger: Ledger::default(),
        }
    }

    /// Its URL.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Lets a request for `action` on `repository` in, or says why not.
    ///
    /// # Errors
    /// The reason.
    pub fn admit(
        &mut self,
        headers: &HeaderMap,
        repository: &str,
        action: &str,
    ) -> Result<RoleClaims, Reason> {
        let outcome = self.verify(headers).and_then(|claims| {
            if claims.repository != repository {
                Err(Reason::WrongRepository)
            } else if !claims.actions.iter().any(|a| a == action) {
                Err(Reason::WrongAction)
            } else {
                Ok(claims)
            }
        });
        self.count(outcome)
    }

    /// Who the bearer is, whatever the repository.
    ///
    /// # Errors
    /// The reason.
    pub fn who(&mut self, headers: &HeaderMap) -> Result<RoleClaims, Reason> {
        let outcome = self.verify(headers);
        self.count(outcome)
    }

    fn verify(&self, headers: &HeaderMap) -> Result<RoleClaims, Reason> {
        let token = token_of(headers)?;
        jsonwebtoken::decode::<RoleClaims>(token, &self.key, &self.rules)
            .map(|data| data.claims)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Reason::Expired,
                ErrorKind::InvalidAudience | ErrorKind::InvalidIssuer => Reason::WrongAudience,
                _ => Reason::Forged,
            })
    }

    fn count(&mut self, outcome: Result<RoleClaims, Reason>) -> Result<RoleClaims, Reason> {
        match &outcome {
            Ok(claims) => {
                self.ledger.accepted += 1;
                self.ledger.tokens.insert(claims.jti.clone());
            }
            Err(reason) => *self.ledger.refused.entry(*reason).or_default() += 1,
        }
        outcome
    }
}

/// The token of a request: the password of Basic, or Bearer. Two headers are one too many.
fn token_of(headers: &HeaderMap) -> Result<String, Reason> {
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
    base64::standard(rest)
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .and_then(|pair| {
            pair.split_once(':')
                .map(|(_, password)| password.to_owned())
        })
        .ok_or(Reason::Forged)
}

/// A path of git's smart HTTP, as asked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Wanted {
    /// `acme/model`, without `.git`.
    pub repository: String,
    /// `info/refs`, `git-upload-pack`, `git-receive-pack`.
    pub service: &'static str,
    /// `read` or `write`.
    pub action: &'static str,
}

/// Reads method, path and query. `None`: not git's smart HTTP (the dumb one is not served).
pub fn wanted(get: bool, path: &str, query: &str) -> Option<Wanted> {
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
    safe.then(|| Wanted {
        repository: format!("{namespace}/{name}"),
        service,
        action,
    })
}

#[cfg(test)]
#[path = "hub_tests.rs"]
mod tests;
