//! The issuer's settings as nouns: what `config::issuer` reads from `issuer.toml`.

use super::directory::DirectoryPoll;
use super::granted::Scheme;
use super::name::{HubName, SourceName};
use super::organization::{Reauth, SubjectKind};
use super::principal::PrincipalKind;
use super::settings::HubKind;
use std::collections::BTreeMap;

/// Everything `oam-issuer serve` is told, the policy apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerSettings {
    /// Public URL without trailing slash: `iss` of what it signs.
    pub url: String,
    /// Addresses to listen on, `127.0.0.1:8443`.
    pub listen: Vec<String>,
    /// TLS by file; none: plain http, for loopback or behind a proxy.
    pub tls: Option<TlsFiles>,
    /// Networks (CIDR) of proxies whose `X-Forwarded-For` is believed; empty: nobody's.
    pub trusted_proxies: Vec<String>,
    /// Path of the `SQLite` file.
    pub database: String,
    /// Path of the database's marker; none: beside it.
    pub marker: Option<String>,
    /// Where the head of the audit log is written besides.
    pub anchors: Option<Anchors>,
    /// Path of the policy file.
    pub policy: String,
    /// The key that encrypts private keys, client secrets and hub tokens at rest: 32 bytes, base64 or hex.
    pub master_key: SecretPlace,
    /// How it signs.
    pub signing: Signing,
    /// Whose tokens it takes.
    pub sources: Vec<IdentitySource>,
    /// The hubs that it mints for.
    pub hubs: Vec<IssuerHub>,
    /// Who may send signals.
    pub transmitters: Vec<Transmitter>,
    /// Limits.
    pub limits: ServerLimits,
    /// Heartbeat of the feed, ms.
    pub heartbeat_ms: u64,
    /// Bearer of `/metrics`; none: open to loopback only.
    pub metrics_token: Option<SecretPlace>,
    /// PEM file of additional roots for requests that the issuer makes.
    pub ca_file: Option<String>,
    /// Proxy for requests that the issuer makes.
    pub proxy: Option<String>,
    /// Private file with the user name and password for the proxy.
    pub proxy_auth_file: Option<String>,
}

/// Where a secret lies. Never in the file itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretPlace {
    /// A file that only the issuer's user can read.
    File(String),
    /// An environment variable.
    Variable(String),
    /// A systemd credential: a file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
}

/// Where the issuer writes number and hash of its last audit entry now and then: outside of the database, so
/// that a log that was cut or written anew is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchors {
    /// A file that grows by a line each time.
    pub file: Option<String>,
    /// A program with its arguments that gets the line on stdin; empty: none.
    pub command: Vec<String>,
    /// Shortest time between two of them, ms.
    pub every_ms: u64,
}

/// Certificate chain and key, PEM. Read again when they change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// Chain.
    pub certificate: String,
    /// Private key.
    pub key: String,
}

/// How the issuer signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Signing {
    /// Algorithm of new keys.
    pub algorithm: SigningAlgorithm,
    /// A new key is published this long before it signs, ms: longer than hubs cache the JWKS.
    pub announce_ms: u64,
}

/// RFC 7518 §3.1, RFC 8037.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256.
    #[default]
    Es256,
    /// Ed25519.
    EdDsa,
}

/// How often a token of a source is exchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenUse {
    /// As often as it is shown while it is good.
    Repeated,
    /// Once: whoever shows it again is refused.
    Once,
}

/// An identity source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentitySource {
    /// Its name, as the policy uses it.
    pub name: SourceName,
    /// People or jobs.
    pub kind: PrincipalKind,
    /// The ready-made settings it began with (`preset`).
    pub preset: Option<&'static str>,
    /// `iss`, byte for byte.
    pub issuer: String,
    /// `aud` must be one of these.
    pub audiences: Vec<String>,
    /// Algorithms taken; never `none`, never HMAC.
    pub algorithms: Vec<String>,
    /// Where its keys are.
    pub keys: SourceKeys,
    /// What stands for the person at the agent's bearer.
    pub subject: SubjectKind,
    /// Access tokens are taken when this says how they are checked.
    pub access_tokens: Option<AccessTokenCheck>,
    /// Claim that holds the groups.
    pub groups_claim: String,
    /// Groups come from userinfo: for providers whose ID token is thin. Needs an access token.
    pub groups_from_userinfo: bool,
    /// Claim that is the stable key; none: `sub`.
    pub key_claim: Option<String>,
    /// Claim shown as user name.
    pub username_claim: String,
    /// How agents ask it for a new authentication; with none each exchange of a code is one.
    pub reauth: Reauth,
    /// Its addresses count as verified also where its tokens do not say so.
    pub verified_emails: bool,
    /// Jobs: every job of the source may be meant, also where nothing pins whose it is.
    pub every_job: bool,
    /// How often one of its tokens is exchanged.
    pub token_use: TokenUse,
    /// Claims that every token must have, each with one of these whole-string patterns.
    pub required: BTreeMap<String, Vec<String>>,
    /// Oldest `iat` taken, ms.
    pub longest_age_ms: u64,
    /// The company's directory tells here who is active and in which groups (SCIM); none: it does not.
    pub scim: Option<DirectorySettings>,
    /// The teams of a GitHub organization are groups here; none: of no organization.
    pub github: Option<GitHubSettings>,
    /// The issuer reads the company's directory; none: it does not.
    pub directory: Option<DirectoryPoll>,
}

/// How the teams of a GitHub organization are read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitHubSettings {
    /// Its name, the first part of the groups.
    pub organization: String,
    /// Its number: a name can be given up and be taken by others.
    pub organization_id: u64,
    /// The App that may read its members.
    pub app_id: u64,
    /// The App's private key, PEM.
    pub private_key: SecretPlace,
    /// With what GitHub signs its events; none: no events are taken.
    pub webhook_secret: Option<SecretPlace>,
    /// Base of the API's addresses, without trailing slash.
    pub api: String,
    /// Whose account is whose.
    pub accounts: AccountsBy,
    /// How often everything is read, ms.
    pub every_ms: u64,
}

/// What tells which account at GitHub is a person's. Never a login: one that is given up can be taken by others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountsBy {
    /// A claim of the person's token: the number.
    Claim(String),
    /// A file of the operator's: a line `"KEY" = NUMBER` for each person, TOML.
    File(String),
}

/// How a directory's words are read (RFC 7643, RFC 7644).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DirectorySettings {
    /// Which of its attributes is the stable key of a person of this source.
    pub subject: UserAttribute,
    /// Which of its attributes is a group's name in the policy.
    pub group: GroupAttribute,
    /// It is expected to be heard at least this often, ms; 0: no expectation.
    pub expect_every_ms: u64,
    /// Requests a minute that are answered.
    pub requests_per_minute: u32,
    /// Most people that are kept of it.
    pub most_users: u64,
    /// Most groups.
    pub most_groups: u64,
}

/// Attributes of a user that can be the stable key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UserAttribute {
    /// The identifier that the directory has for the person.
    ExternalId,
    /// What the person signs in with.
    UserName,
}

impl UserAttribute {
    /// As SCIM spells it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ExternalId => "externalId",
            Self::UserName => "userName",
        }
    }
}

/// Attributes of a group that can name it in the policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum GroupAttribute {
    /// Its name for people.
    DisplayName,
    /// The identifier that the directory has for it.
    ExternalId,
}

impl GroupAttribute {
    /// As SCIM spells it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::DisplayName => "displayName",
            Self::ExternalId => "externalId",
        }
    }
}

/// Where a source's signing keys are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceKeys {
    /// `jwks_uri` of its discovery document.
    Discovery,
    /// This address.
    Address(String),
    /// This file: for sources that publish nothing (Kubernetes).
    File(String),
}

/// How an access token is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessTokenCheck {
    /// RFC 7662.
    Introspection {
        /// Endpoint; none: from discovery.
        endpoint: Option<String>,
        /// Client id of the issuer there.
        client_id: String,
        /// Its secret.
        client_secret: SecretPlace,
    },
    /// OIDC Core §5.3, for access tokens that are JWTs: they say themselves for which client they are.
    UserInfo {
        /// Endpoint; none: from discovery.
        endpoint: Option<String>,
        /// Whether a token that does not say so is taken all the same. Every application that people of
        /// this provider sign in to can then act as them here.
        any_client: bool,
    },
}

/// A hub that the issuer mints for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerHub {
    /// Its name.
    pub name: HubName,
    /// Base URL without trailing slash.
    pub url: String,
    /// What its tools need.
    pub kind: HubKind,
    /// Basic or Bearer.
    pub scheme: Scheme,
    /// User name for Basic.
    pub username: String,
    /// Variables from which its tools read a token.
    pub variables: Vec<String>,
    /// How tokens for it are made.
    pub backend: Backend,
}

/// How tokens for a hub are made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// The issuer's own signed token; `aud` is the hub's URL unless given.
    Jwt {
        /// Another `aud`.
        audience: Option<String>,
    },
    /// An ID token signed for the hub and exchanged there: one repository, write, no narrower one.
    HuggingFaceTrustedPublisher,
    /// The hub's organization token exchange: as the member, with scopes.
    HuggingFaceOrg {
        /// OAuth client id of the organization; the secret is set by `oam-issuer secret set HUB`.
        client_id: String,
    },
}

/// Who may send signals about a source's people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transmitter {
    /// `iss` of its SETs, byte for byte.
    pub issuer: String,
    /// Where its keys are.
    pub keys: SourceKeys,
    /// `aud` must be one of these.
    pub audiences: Vec<String>,
    /// The source whose people it speaks of.
    pub source: SourceName,
    /// The value of `Authorization` that it sends (RFC 8935); none: its signature is all.
    pub authorization: Option<SecretPlace>,
    /// A stream that was verified this lately counts as evidence that nobody was revoked, ms; 0: never.
    pub live_for_ms: u64,
}

/// Limits of the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// Largest request body, bytes.
    pub body_bytes: usize,
    /// Longest time for a request, ms; the feed excepted.
    pub request_ms: u64,
    /// Exchanges of one identity a minute.
    pub exchanges_per_minute: u32,
    /// How many of them at once.
    pub burst: u32,
    /// Open feeds.
    pub feeds: usize,
    /// Open connections; fewer where the system allows fewer descriptors.
    pub connections: usize,
    /// Of them, those of one address from which nobody has proven yet who they are.
    pub connections_per_address: usize,
    /// Records that one person's agents may send a day.
    pub records_per_day: u64,
    /// Bytes of these records.
    pub record_bytes_per_day: u64,
    /// Days that audit entries and agents' records are kept by `oam-issuer audit prune`; 0: for ever.
    pub audit_days: u64,
}
