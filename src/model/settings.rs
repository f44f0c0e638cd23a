//! The agent's settings as nouns: what `config` reads and `session` decides by.

use super::granted::Scheme;
use super::name::{HubName, OrgName};
use super::organization::Reauth;
use super::role::Role;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Everything the agent is told, after the company's and the user's files were merged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// The organization used when none is named and there is more than one.
    pub default_org: Option<OrgName>,
    /// The hub used when none is named and several would do.
    pub default_hub: Option<HubName>,
    /// What an ask of unknown intent gets.
    pub unknown_intent: UnknownIntent,
    /// The organizations, in the order of the files.
    pub orgs: Vec<Org>,
}

/// What an ask of unknown intent gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum UnknownIntent {
    /// Write if the person holds it, else read.
    #[default]
    Write,
    /// Read.
    Read,
    /// A refusal.
    Refuse,
}

/// One organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// Its name.
    pub name: OrgName,
    /// The identity provider and how to sign in there.
    pub provider: Provider,
    /// How the session becomes a role token.
    pub exchange: Exchange,
    /// The hubs that belong to it.
    pub hubs: Vec<Hub>,
    /// Its roles; none where its issuer says them.
    pub roles: Vec<Role>,
    /// A proof younger than this is fresh, ms.
    pub fresh_ms: u64,
    /// Longest age of a proof with which the agent still serves when nothing can be proven, ms.
    pub lease_ms: u64,
    /// Age at which a person must sign in again, ms.
    pub session_age_ms: u64,
}

/// The identity provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// Issuer, compared byte for byte.
    pub issuer: String,
    /// Public client id.
    pub client_id: String,
    /// Scopes asked for; `openid` is always in it.
    pub scopes: Vec<String>,
    /// Extra parameters of the authorization request (`prompt`, `audience`, `resource`, …).
    pub extra: BTreeMap<String, String>,
    /// Port of the loopback redirect; 0: any.
    pub redirect_port: u16,
    /// Path of the loopback redirect, with leading slash.
    pub redirect_path: String,
    /// Claim that holds the groups.
    pub groups_claim: String,
    /// How a new authentication is asked for.
    pub reauth: Reauth,
    /// Whether people may sign in by device code (RFC 8628).
    pub device: bool,
    /// Where a device code is asked for, when the provider's metadata does not say.
    pub device_authorization_endpoint: Option<String>,
    /// PEM file of additional roots.
    pub ca_file: Option<String>,
    /// SHA-256 of what stands in it, lower-case hex; none: there is no such file, or nobody has read it.
    pub ca_sha256: Option<String>,
    /// Proxy for all requests of this organization, `http://host:port`.
    pub proxy: Option<String>,
    /// Private file with the user name and password for the proxy.
    pub proxy_auth_file: Option<String>,
    /// SHA-256 of the variables in the agent's environment that say whom it trusts and through whom it asks,
    /// lower-case hex; none: there are none.
    pub environment: Option<String>,
}

/// How the session becomes a role token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exchange {
    /// Any RFC 8693 token endpoint.
    Rfc8693(Rfc8693),
    /// The organization's own issuer (`oam-issuer`): it says the roles, grants, and feeds the agent.
    Issuer(IssuerExchange),
}

impl Exchange {
    /// Which token of the session is exchanged; at the issuer it is the bearer too.
    pub const fn subject(&self) -> SubjectToken {
        match self {
            Self::Rfc8693(exchange) => exchange.subject,
            Self::Issuer(issuer) => issuer.subject,
        }
    }

    /// The issuer, for an organization that has one.
    pub const fn issuer(&self) -> Option<&IssuerExchange> {
        match self {
            Self::Rfc8693(_) => None,
            Self::Issuer(issuer) => Some(issuer),
        }
    }

    /// Where tokens are exchanged.
    pub fn token_endpoint(&self) -> &str {
        match self {
            Self::Rfc8693(exchange) => &exchange.token_endpoint,
            Self::Issuer(issuer) => &issuer.token_endpoint,
        }
    }
}

/// An `oam-issuer`. The endpoints follow from its URL unless they are given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerExchange {
    /// Its URL, as written.
    pub url: String,
    /// RFC 8693.
    pub token_endpoint: String,
    /// RFC 7009 for role tokens.
    pub revocation_endpoint: String,
    /// What the bearer may do.
    pub roles_endpoint: String,
    /// Why, or why not.
    pub why_endpoint: String,
    /// Revocations and heartbeats.
    pub feed_endpoint: String,
    /// Where the agent's records go.
    pub records_endpoint: String,
    /// Which token of the session is exchanged and is the bearer.
    pub subject: SubjectToken,
}

impl IssuerExchange {
    /// An issuer whose endpoints have the documented paths below `url`.
    pub fn at(url: &str) -> Self {
        let base = url.trim_end_matches('/');
        Self {
            url: url.to_owned(),
            token_endpoint: format!("{base}/oauth/token"),
            revocation_endpoint: format!("{base}/oauth/revoke"),
            roles_endpoint: format!("{base}/v1/roles"),
            why_endpoint: format!("{base}/v1/why"),
            feed_endpoint: format!("{base}/v1/feed"),
            records_endpoint: format!("{base}/v1/records"),
            subject: SubjectToken::IdToken,
        }
    }
}

/// An RFC 8693 token endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rfc8693 {
    /// The endpoint.
    pub token_endpoint: String,
    /// Form (the RFC) or JSON (some hubs).
    pub body: Body,
    /// Which token of the session is sent as `subject_token`.
    pub subject: SubjectToken,
    /// `client_id` parameter, where the endpoint wants one.
    pub client_id: Option<String>,
    /// Template of `audience`; `{hub}`, `{role}`, `{repository}`, `{action}` are filled in.
    pub audience: Option<String>,
    /// Template of `resource` (RFC 8707).
    pub resource: Option<String>,
    /// Template of `scope`.
    pub scope: Option<String>,
    /// RFC 7009 endpoint for role tokens, where there is one.
    pub revocation_endpoint: Option<String>,
}

/// Encoding of the exchange request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Body {
    /// `application/x-www-form-urlencoded`.
    #[default]
    Form,
    /// `application/json`.
    Json,
}

/// Which token is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SubjectToken {
    /// The ID token.
    #[default]
    IdToken,
    /// The access token.
    AccessToken,
}

/// A hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hub {
    /// Its name.
    pub name: HubName,
    /// Base URL without trailing slash: `https://hub.example[:port]`, or http on a loopback address.
    pub url: String,
    /// What its tools need.
    pub kind: HubKind,
    /// Basic or Bearer for git.
    pub scheme: Scheme,
    /// User name for Basic.
    pub username: String,
    /// Variables from which its tools read a token.
    pub variables: Vec<String>,
}

/// Kind of hub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum HubKind {
    /// Any git host.
    #[default]
    Git,
    /// Hugging Face Hub or one that speaks its API.
    HuggingFace,
    /// GitHub.
    GitHub,
    /// GitLab.
    GitLab,
}

impl HubKind {
    /// The word used in configuration and on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Git => "git",
            Self::HuggingFace => "huggingface",
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
        }
    }
}

impl Settings {
    /// The organization with this name.
    pub fn org(&self, name: &OrgName) -> Option<&Org> {
        self.orgs.iter().find(|org| org.name == *name)
    }
}
