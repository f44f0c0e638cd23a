//! An ID token's claims, each checked by name (R30; OIDC Core §3.1.3.7 and §12.2).

use aws_lc_rs::digest;
use jsonwebtoken::Algorithm;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::secret::Secret;
use oam_policy::claims::groups::{self, GroupClaims};
use oam_policy::claims::{LONGEST_TOKEN, read};
use serde_json::{Map, Value};

/// Clocks differ by up to this, seconds (R41).
pub(super) const SKEW_S: u64 = 60;
/// An ID token of a sign-in is made when the code is exchanged, or a little before: one issued longer ago
/// than this, seconds, is not of this sign-in.
const OLD_S: u64 = 3600;
/// Longest ID token where no issuer reads it, bytes.
const CAP: usize = 64 * 1024;

/// A check that failed.
#[derive(Debug)]
pub(super) struct ClaimError {
    name: &'static str,
    why: String,
}

impl ClaimError {
    /// Whether the signature was not made with the key that was tried.
    pub(super) fn is_signature(&self) -> bool {
        self.name == "signature"
    }

    /// The check's name, and why, in our own words.
    pub(super) fn new(name: &'static str, why: impl Into<String>) -> Self {
        Self {
            name,
            why: why.into(),
        }
    }
}

impl From<ClaimError> for EndpointFault {
    fn from(wrong: ClaimError) -> Self {
        Self::Check {
            name: wrong.name.to_owned(),
            why: wrong.why,
        }
    }
}

/// What the claims are measured against.
pub(super) struct Expect<'a> {
    issuer: &'a str,
    client_id: &'a str,
    groups_claim: &'a str,
    /// Whether groups choose roles here. Where an issuer reads them, what the agent makes of them is for display.
    judges_groups: bool,
    /// Longest ID token that is taken where it is sent, bytes.
    pub(super) longest_token: usize,
    now: u64,
    phase: Phase<'a>,
}

/// Where the token came from.
pub(super) enum Phase<'a> {
    /// A sign-in with this nonce.
    Login(&'a str),
    /// A sign-in by device code that was asked for with this nonce. RFC 8628 knows none and many providers leave it
    /// out; the tokens come straight from the provider, for a code that nobody else saw.
    Device(&'a str),
    /// A refresh of this identity's session.
    Refresh(&'a Identity),
}

impl<'a> Expect<'a> {
    /// For this provider at `now`, Unix seconds.
    pub(super) fn of(org: &'a Org, now: u64, phase: Phase<'a>) -> Self {
        let provider = &org.provider;
        let issuer = org.exchange.issuer().is_some();
        Self {
            judges_groups: !issuer,
            longest_token: if issuer { LONGEST_TOKEN } else { CAP },
            issuer: &provider.issuer,
            client_id: &provider.client_id,
            groups_claim: &provider.groups_claim,
            now,
            phase,
        }
    }
}

/// Claims whose signature was verified.
pub(super) struct VerifiedClaims(Map<String, Value>);

impl VerifiedClaims {
    /// Takes what the signature covers.
    pub(super) const fn new(claims: Map<String, Value>) -> Self {
        Self(claims)
    }

    /// Makes all checks and gives the identity. `access` is what `at_hash` is measured against.
    pub(super) fn identity(
        &self,
        expect: &Expect<'_>,
        alg: Algorithm,
        access: Option<&Secret>,
    ) -> Result<Identity, ClaimError> {
        if self.text("iss")? != expect.issuer {
            return Err(ClaimError::new("iss", "it comes from another issuer"));
        }
        self.audience(expect.client_id)?;
        let expires = self.times(expect)?;
        self.at_hash(alg, access)?;
        let subject = self.text("sub")?;
        if subject.is_empty() || subject.chars().any(char::is_control) {
            return Err(ClaimError::new("sub", "it names nobody"));
        }
        // 0 is how some say that they do not know it.
        let auth_time = self.seconds("auth_time")?.filter(|at| *at > 0);
        match expect.phase {
            Phase::Login(nonce) => self.nonce(nonce)?,
            Phase::Refresh(known) if known.issuer != expect.issuer => {
                return Err(ClaimError::new("iss", "the session is another issuer's"));
            }
            // OIDC Core §12.2; `iss` is compared already. The nonce may be absent and is not kept. A later
            // `auth_time` of the same person is a newer sign-in of theirs, and no evidence against this one.
            Phase::Refresh(known) if known.subject != subject => {
                return Err(ClaimError::new("sub", "it is about somebody else"));
            }
            Phase::Device(nonce) if self.0.contains_key("nonce") => self.nonce(nonce)?,
            Phase::Device(_) | Phase::Refresh(_) => {}
        }
        Ok(Identity {
            issuer: expect.issuer.to_owned(),
            subject: subject.to_owned(),
            email: self.email(),
            groups: self.groups(expect)?,
            auth_time,
            id_token_expires: Some(expires),
        })
    }

    fn text(&self, name: &'static str) -> Result<&str, ClaimError> {
        match self.0.get(name) {
            Some(Value::String(text)) => Ok(text),
            None | Some(Value::Null) => Err(ClaimError::new(name, "it is missing")),
            Some(_) => Err(ClaimError::new(name, "it is not a text")),
        }
    }

    fn seconds(&self, name: &'static str) -> Result<Option<u64>, ClaimError> {
        let wrong = || ClaimError::new(name, "it is not a time");
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => read::seconds(value).map(Some).ok_or_else(wrong),
        }
    }

    fn audience(&self, client_id: &str) -> Result<(), ClaimError> {
        let several = match self.0.get("aud") {
            Some(Value::String(one)) if one == client_id => false,
            Some(Value::Array(list)) if list.iter().any(|one| one == client_id) => list.len() > 1,
            Some(Value::Array(list)) if list.is_empty() => {
                return Err(ClaimError::new("aud", "it names no audience"));
            }
            None | Some(Value::Null) => return Err(ClaimError::new("aud", "it is missing")),
            Some(_) => return Err(ClaimError::new("aud", "it is for another client")),
        };
        match self.0.get("azp") {
            Some(Value::String(party)) if party == client_id => Ok(()),
            None | Some(Value::Null) if several => Err(ClaimError::new(
                "azp",
                "it is missing, though there are several audiences",
            )),
            None | Some(Value::Null) => Ok(()),
            Some(_) => Err(ClaimError::new("azp", "it was issued to another client")),
        }
    }

    /// `exp`, `iat`, `nbf`; gives `exp`.
    fn times(&self, expect: &Expect<'_>) -> Result<u64, ClaimError> {
        let missing = |name| ClaimError::new(name, "it is missing");
        let latest = expect.now.saturating_add(SKEW_S);
        let expires = self.seconds("exp")?.ok_or_else(|| missing("exp"))?;
        if expires.saturating_add(SKEW_S) <= expect.now {
            return Err(ClaimError::new("exp", "it has expired"));
        }
        let issued = self.seconds("iat")?.ok_or_else(|| missing("iat"))?;
        if issued > latest {
            return Err(ClaimError::new("iat", "it was issued in the future"));
        }
        // Not at a refresh: some providers send the same ID token again until it expires.
        if matches!(expect.phase, Phase::Login(_) | Phase::Device(_))
            && issued.saturating_add(OLD_S) < expect.now
        {
            return Err(ClaimError::new("iat", "it was issued too long ago"));
        }
        if self.seconds("nbf")?.is_some_and(|from| from > latest) {
            return Err(ClaimError::new("nbf", "it is not valid yet"));
        }
        Ok(expires)
    }

    fn nonce(&self, expected: &str) -> Result<(), ClaimError> {
        let nonce = Secret::new(self.text("nonce")?.to_owned());
        if nonce.matches(&Secret::new(expected.to_owned())) {
            Ok(())
        } else {
            Err(ClaimError::new(
                "nonce",
                "it is not the one of this sign-in",
            ))
        }
    }

    /// OIDC Core §3.1.3.6: the left half of the access token's hash. Optional in this flow.
    fn at_hash(&self, alg: Algorithm, access: Option<&Secret>) -> Result<(), ClaimError> {
        let claimed = self.0.get("at_hash").filter(|hash| !hash.is_null());
        let (Some(claimed), Some(access)) = (claimed, access) else {
            return Ok(());
        };
        let hash = match alg {
            Algorithm::RS256 | Algorithm::PS256 | Algorithm::ES256 => &digest::SHA256,
            Algorithm::RS384 | Algorithm::PS384 | Algorithm::ES384 => &digest::SHA384,
            _ => &digest::SHA512,
        };
        let full = digest::digest(hash, access.expose().as_bytes());
        let half = full.as_ref().split_at(hash.output_len() / 2).0;
        if claimed.as_str() == Some(&base64url(half)) {
            Ok(())
        } else {
            Err(ClaimError::new(
                "at_hash",
                "the access token is another one",
            ))
        }
    }

    /// For display only: kept when it looks like one.
    fn email(&self) -> Option<String> {
        let email = self.0.get("email")?.as_str()?;
        let plain = email.len() <= 254 && !email.chars().any(char::is_control);
        plain.then(|| email.to_owned())
    }

    /// In every shape that the issuer reads too. Absent means none: providers leave an empty list out.
    fn groups(&self, expect: &Expect<'_>) -> Result<Vec<String>, ClaimError> {
        let claim = expect.groups_claim;
        match groups::told(&self.0, claim) {
            GroupClaims::Known { groups, unusable } => {
                if unusable > 0 {
                    tracing::warn!(
                        claim,
                        unusable,
                        "entries that can be nobody's group are skipped"
                    );
                }
                Ok(groups)
            }
            GroupClaims::Absent => Ok(Vec::new()),
            _ if !expect.judges_groups => Ok(Vec::new()),
            // To take it for "no groups" would drop roles without a word.
            GroupClaims::Elsewhere => Err(ClaimError::new(
                "groups",
                "there are too many of them for the token, and the provider sent only a reference",
            )),
            GroupClaims::Unreadable { object } => Err(ClaimError::new(
                "groups",
                if object {
                    format!(
                        "they are an object; write `groups_claim = \"{claim}.*\"` if its keys are the groups"
                    )
                } else {
                    "they are neither a list of names nor one name".to_owned()
                },
            )),
        }
    }
}

/// RFC 4648 §5 without padding.
fn base64url(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let at = |i: usize| usize::from(chunk.get(i).copied().unwrap_or(0));
        let word = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..=chunk.len() {
            out.push(char::from(ALPHABET[word >> (18 - 6 * digit) & 63]));
        }
    }
    out
}

#[cfg(test)]
mod tests;
