//! The demo's token endpoint (RFC 8693): an ID token in, a role token for one repository out.

use super::idp::{IdClaims, Idp};
use super::key::random_text;
use super::oauth::{OauthError, Params};
use super::seed::{CLIENT, ROLE_TOKEN_S, ROLES, SeededRole};
use jsonwebtoken::{Algorithm, Validation};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// Claims of a role token: what the hub checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleClaims {
    /// The token endpoint.
    pub iss: String,
    /// On whose behalf.
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

/// Validation without any tolerance: endpoint, provider and hub share one clock here.
pub fn strict(issuer: &str, audience: &str) -> Validation {
    let mut rules = Validation::new(Algorithm::ES256);
    rules.leeway = 0;
    rules.set_issuer(&[issuer]);
    rules.set_audience(&[audience]);
    rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    rules
}

/// One exchange for the hub at `hub`.
///
/// # Errors
/// As RFC 8693 §2.2.2 names them; `invalid_grant` when the session is over.
pub fn exchange(idp: &mut Idp, hub: &str, asked: &Params, now_s: u64) -> Result<Value, OauthError> {
    let person = subject(idp, asked, now_s)?;
    if !asked.is("audience", hub) {
        return Err(OauthError::new(
            "invalid_target",
            "audience must be the hub's URL",
        ));
    }
    let repository = asked.get("resource").ok_or(OauthError::new(
        "invalid_target",
        "resource must name a repository",
    ))?;
    let scope = asked.get("scope").unwrap_or_default();
    let (role, action) =
        wanted(scope).ok_or(OauthError::new("invalid_scope", "role:NAME ACTION"))?;
    if !holds(&person, role) || !role.actions.contains(&action) {
        return Err(OauthError::new(
            "invalid_scope",
            "this person does not hold that role or action",
        ));
    }
    if !covers(role, repository) {
        return Err(OauthError::new(
            "invalid_target",
            "the role does not cover this repository",
        ));
    }
    let upto = role.actions.iter().position(|&a| a == action).unwrap_or(0);
    let claims = RoleClaims {
        iss: idp.issuer().to_owned(),
        sub: person.sub,
        aud: hub.to_owned(),
        iat: now_s,
        exp: now_s + ROLE_TOKEN_S,
        jti: random_text().map_err(|_| OauthError::server())?,
        role: role.name.to_owned(),
        repository: repository.to_owned(),
        actions: role
            .actions
            .iter()
            .take(upto + 1)
            .map(|&a| a.to_owned())
            .collect(),
    };
    let token = idp
        .key()
        .sign("at+jwt", &claims)
        .map_err(|_| OauthError::server())?;
    idp.traffic.exchanges += 1;
    Ok(json!({
        "access_token": token,
        "issued_token_type": ACCESS_TOKEN,
        "token_type": "Bearer",
        "expires_in": ROLE_TOKEN_S,
        "scope": scope,
    }))
}

/// The person behind the subject token: signature, issuer, audience, expiry, and the session.
fn subject(idp: &mut Idp, asked: &Params, now_s: u64) -> Result<IdClaims, OauthError> {
    if !asked.is("grant_type", GRANT) {
        return Err(OauthError::new("unsupported_grant_type", "token-exchange"));
    }
    if !asked.is("subject_token_type", ID_TOKEN) {
        return Err(OauthError::new(
            "invalid_request",
            "subject_token_type must be that of an ID token",
        ));
    }
    let token = asked.get("subject_token").ok_or(OauthError::new(
        "invalid_request",
        "subject_token is missing",
    ))?;
    let refused = OauthError::new("invalid_request", "the subject token was not accepted");
    let mut rules = strict(idp.issuer(), CLIENT);
    // Checked below against the clock that is given.
    rules.validate_exp = false;
    let claims = jsonwebtoken::decode::<IdClaims>(token, idp.key().public(), &rules)
        .map_err(|_| refused)?
        .claims;
    if now_s >= claims.exp {
        return Err(refused);
    }
    if !idp.alive(&claims.sid) {
        idp.traffic.refused += 1;
        return Err(OauthError::new("invalid_grant", "the session is over"));
    }
    Ok(claims)
}

/// `role:NAME ACTION`.
fn wanted(scope: &str) -> Option<(&'static SeededRole, &str)> {
    let (role, action) = scope.split_once(' ')?;
    let name = role.strip_prefix("role:")?;
    let role = ROLES.iter().find(|role| role.name == name)?;
    (!action.contains(' ')).then_some((role, action))
}

fn holds(person: &IdClaims, role: &SeededRole) -> bool {
    role.group
        .is_none_or(|group| person.groups.iter().any(|g| g == group))
}

fn covers(role: &SeededRole, repository: &str) -> bool {
    repository.split_once('/').is_some_and(|(namespace, name)| {
        namespace == role.namespace && super::cgi::plain_name(name)
    })
}

#[cfg(test)]
#[path = "exchange_tests.rs"]
mod tests;
