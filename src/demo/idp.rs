//! The demo's identity provider: its state and its answers, without HTTP and without a clock.
//!
//! It approves everybody as Ada, because a demo has no login page to fill in; all the rest is as
//! strict as a real one: PKCE with S256, exact redirects, codes once, rotation with reuse detection.

use super::key::{SigningKey, challenge_of, random_text};
use super::oauth::{OauthError, Params};
use super::seed::{ADA, CLIENT, ID_TOKEN_S, Person};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use url::Url;

/// Life of a code, seconds.
const CODE_S: u64 = 60;

/// Claims of an ID token (OIDC Core §2).
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct IdClaims {
    /// Issuer.
    pub iss: String,
    /// Subject.
    pub sub: String,
    /// The client.
    pub aud: String,
    /// Unix seconds.
    pub exp: u64,
    /// Unix seconds.
    pub iat: u64,
    /// Unix seconds of the sign-in.
    pub auth_time: u64,
    /// The provider's name for the session.
    pub sid: String,
    /// As asked for at sign-in; absent after a refresh (OIDC Core §12.2).
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub nonce: Option<String>,
    /// For display.
    pub name: String,
    /// What people are called by at the command line.
    pub preferred_username: String,
    /// For display.
    pub email: String,
    pub groups: Vec<String>,
}

struct Session {
    person: &'static Person,
    auth_time: u64,
    alive: bool,
}

struct Code {
    redirect_uri: String,
    challenge: String,
    nonce: Option<String>,
    sid: String,
    expires: u64,
    used: bool,
}

struct Refresh {
    sid: String,
    used: bool,
}

/// What happened at the provider, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traffic {
    /// Codes turned into tokens.
    pub sign_ins: u32,
    /// Refreshes that were honoured.
    pub refreshes: u32,
    /// Refreshes refused because the session is over.
    pub refused: u32,
}

/// Where an authorization request leads.
#[derive(Debug, PartialEq, Eq)]
pub enum Authorized {
    /// Back to the client.
    Redirect(String),
    /// A page for the person: the request can't be trusted with a redirect (RFC 6749 §4.1.2.1).
    Page(&'static str),
}

/// The provider.
pub struct Idp {
    issuer: String,
    key: SigningKey,
    codes: BTreeMap<String, Code>,
    sessions: BTreeMap<String, Session>,
    refreshes: BTreeMap<String, Refresh>,
    /// Ada's groups: a change of teams changes them.
    groups: Vec<String>,
    /// What happened so far.
    pub traffic: Traffic,
}

impl Idp {
    /// A provider with nobody signed in.
    pub fn new(issuer: String, key: SigningKey) -> Self {
        Self {
            issuer,
            key,
            codes: BTreeMap::new(),
            sessions: BTreeMap::new(),
            refreshes: BTreeMap::new(),
            groups: ADA.groups.iter().map(|&group| group.to_owned()).collect(),
            traffic: Traffic::default(),
        }
    }

    /// Ada changes teams: tokens from now on say these groups.
    pub fn move_to(&mut self, groups: &[&str]) {
        self.groups = groups.iter().map(|&group| group.to_owned()).collect();
    }

    /// Its issuer, which is its URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Its key: it signs ID tokens and signals.
    pub const fn key(&self) -> &SigningKey {
        &self.key
    }

    /// Its metadata (OIDC Discovery §3).
    pub fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({
            "issuer": self.issuer,
            "authorization_endpoint": at("/authorize"),
            "token_endpoint": at("/token"),
            "revocation_endpoint": at("/revoke"),
            "jwks_uri": at("/jwks.json"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"],
            "scopes_supported": ["openid", "profile", "email", "groups", "offline_access"],
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "auth_time", "sid", "name", "preferred_username", "email", "groups"],
            "authorization_response_iss_parameter_supported": true,
        })
    }

    /// The authorization endpoint (RFC 6749 §4.1.1, RFC 7636 §4.3, RFC 9207).
    ///
    /// # Errors
    /// No randomness.
    pub fn authorize(&mut self, asked: &Params, now_s: u64) -> Result<Authorized, OauthError> {
        if !asked.is("client_id", CLIENT) {
            return Ok(Authorized::Page("This client is not known here."));
        }
        let Some(mut back) = asked.get("redirect_uri").and_then(loopback) else {
            return Ok(Authorized::Page(
                "The redirect must lead to http on 127.0.0.1 or [::1].",
            ));
        };
        let redirect_uri = asked.get("redirect_uri").unwrap_or_default().to_owned();
        let outcome = match fault_of(asked) {
            Some(error) => ("error", error.to_owned()),
            None => ("code", self.approve(asked, redirect_uri, now_s)?),
        };
        {
            let mut query = back.query_pairs_mut();
            query.append_pair(outcome.0, &outcome.1);
            if let Some(state) = asked.get("state") {
                query.append_pair("state", state);
            }
            query.append_pair("iss", &self.issuer);
        }
        Ok(Authorized::Redirect(back.into()))
    }

    fn approve(
        &mut self,
        asked: &Params,
        redirect_uri: String,
        now_s: u64,
    ) -> Result<String, OauthError> {
        let sid = random()?;
        let code = random()?;
        self.sessions.insert(
            sid.clone(),
            Session {
                person: &ADA,
                auth_time: now_s,
                alive: true,
            },
        );
        self.codes.insert(
            code.clone(),
            Code {
                redirect_uri,
                challenge: asked.get("code_challenge").unwrap_or_default().to_owned(),
                nonce: asked.get("nonce").map(str::to_owned),
                sid,
                expires: now_s + CODE_S,
                used: false,
            },
        );
        Ok(code)
    }

    /// The token endpoint (RFC 6749 §4.1.3 and §6).
    ///
    /// # Errors
    /// As the RFC names them.
    pub fn token(&mut self, asked: &Params, now_s: u64) -> Result<Value, OauthError> {
        if !asked.is("client_id", CLIENT) {
            return Err(OauthError::new(
                "invalid_client",
                "this client is not known here",
            ));
        }
        match asked.get("grant_type") {
            Some("authorization_code") => self.redeem(asked, now_s),
            Some("refresh_token") => self.refresh(asked, now_s),
            _ => Err(OauthError::new(
                "unsupported_grant_type",
                "authorization_code or refresh_token",
            )),
        }
    }

    fn redeem(&mut self, asked: &Params, now_s: u64) -> Result<Value, OauthError> {
        let refused = |says| OauthError::new("invalid_grant", says);
        let code = asked
            .get("code")
            .and_then(|code| self.codes.get_mut(code))
            .ok_or_else(|| refused("no such code"))?;
        if code.used {
            // RFC 6749 §4.1.2: somebody else has it too, so nothing that came from it is kept.
            let sid = code.sid.clone();
            self.end_session(&sid);
            return Err(refused("this code was used before"));
        }
        code.used = true;
        let verified = asked
            .get("code_verifier")
            .is_some_and(|v| challenge_of(v) == code.challenge);
        if now_s >= code.expires {
            return Err(refused("the code has expired"));
        }
        if !asked.is("redirect_uri", &code.redirect_uri) {
            return Err(refused(
                "redirect_uri differs from that of the authorization request",
            ));
        }
        if !verified {
            return Err(refused("code_verifier does not match the challenge"));
        }
        let (sid, nonce) = (code.sid.clone(), code.nonce.clone());
        self.traffic.sign_ins += 1;
        self.answer(&sid, nonce, now_s)
    }

    fn refresh(&mut self, asked: &Params, now_s: u64) -> Result<Value, OauthError> {
        let refused = |says| OauthError::new("invalid_grant", says);
        let entry = asked
            .get("refresh_token")
            .and_then(|token| self.refreshes.get_mut(token))
            .ok_or_else(|| refused("no such refresh token"))?;
        let sid = entry.sid.clone();
        let second_time = std::mem::replace(&mut entry.used, true);
        if second_time {
            self.end_session(&sid);
        }
        if !self.alive(&sid) {
            self.traffic.refused += 1;
            return Err(refused("the session is over"));
        }
        self.traffic.refreshes += 1;
        self.answer(&sid, None, now_s)
    }

    fn answer(
        &mut self,
        sid: &str,
        nonce: Option<String>,
        now_s: u64,
    ) -> Result<Value, OauthError> {
        let session = self.sessions.get(sid).ok_or(OauthError::server())?;
        let claims = IdClaims {
            iss: self.issuer.clone(),
            sub: session.person.subject.to_owned(),
            aud: CLIENT.to_owned(),
            exp: now_s + ID_TOKEN_S,
            iat: now_s,
            auth_time: session.auth_time,
            sid: sid.to_owned(),
            nonce,
            name: session.person.name.to_owned(),
            preferred_username: session.person.username.to_owned(),
            email: session.person.email.to_owned(),
            groups: self.groups.clone(),
        };
        let id_token = self
            .key
            .sign("JWT", &claims)
            .map_err(|_| OauthError::server())?;
        let refresh = random()?;
        self.refreshes.insert(
            refresh.clone(),
            Refresh {
                sid: sid.to_owned(),
                used: false,
            },
        );
        Ok(json!({
            "access_token": random()?,
            "token_type": "Bearer",
            "expires_in": ID_TOKEN_S,
            "id_token": id_token,
            "refresh_token": refresh,
            "scope": "openid profile email groups offline_access",
        }))
    }

    /// RFC 7009: an unknown token is no fault.
    pub fn revoke(&mut self, asked: &Params) {
        let sid = asked
            .get("token")
            .and_then(|token| self.refreshes.get(token))
            .map(|refresh| refresh.sid.clone());
        if let Some(sid) = sid {
            self.end_session(&sid);
        }
    }

    /// Ends every session, as when a company switches a person off. Answers how many were alive.
    pub fn end_all(&mut self) -> usize {
        let alive = self.sessions.values_mut().filter(|session| session.alive);
        alive.map(|session| session.alive = false).count()
    }

    fn end_session(&mut self, sid: &str) {
        if let Some(session) = self.sessions.get_mut(sid) {
            session.alive = false;
        }
    }

    fn alive(&self, sid: &str) -> bool {
        self.sessions.get(sid).is_some_and(|session| session.alive)
    }
}

/// 256 random bits, or the answer that says they could not be had.
fn random() -> Result<String, OauthError> {
    random_text().map_err(|_| OauthError::server())
}

/// The error of an authorization request that may be told to the client.
fn fault_of(asked: &Params) -> Option<&'static str> {
    let scopes = asked.get("scope").unwrap_or_default();
    if !asked.is("response_type", "code") {
        Some("unsupported_response_type")
    } else if !scopes.split(' ').any(|scope| scope == "openid") {
        Some("invalid_scope")
    } else if asked.get("code_challenge").is_none() || !asked.is("code_challenge_method", "S256") {
        Some("invalid_request")
    } else {
        None
    }
}

/// A redirect as RFC 8252 §7.3 allows it: http, an IP literal of this machine, any port.
fn loopback(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok()?;
    let here = matches!(url.host_str(), Some("127.0.0.1" | "[::1]"));
    let plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
    (url.scheme() == "http" && here && plain).then_some(url)
}

#[cfg(test)]
#[path = "idp_tests.rs"]
mod tests;
