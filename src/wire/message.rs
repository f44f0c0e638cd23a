//! The messages. One JSON object a line; unknown fields are ignored, `v` is checked.

use oam_model::granted::{Granted, TokenAnswer};
use oam_model::name::{HubName, OrgName};
use oam_model::organization::{Organization, Route};
use oam_model::refusal::Refusal;
use oam_model::report::{AnchorReport, ProviderReport, RolesReport, StatusReport, WhyReport};
use oam_model::secret::{self, Secret};
use oam_model::served::ServedTraffic;
use oam_model::sign_in::{DevicePrompt, SignInBy};
use oam_model::token_request::TokenRequest;
use serde::{Deserialize, Serialize};

/// Version of the protocol. It grows when an old peer would misread a message.
pub const PROTOCOL: u32 = 1;

/// Version of the product, sent both ways so that a client can name an agent of another version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A request with its envelope.
#[derive(Serialize, Deserialize)]
pub struct RequestFrame {
    /// [`PROTOCOL`] of the sender.
    pub v: u32,
    /// [`VERSION`] of the sender.
    #[serde(default)]
    pub version: String,
    /// What is wanted.
    #[serde(flatten)]
    pub request: Request,
}

/// What a client can want.
#[derive(Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case")]
pub enum Request {
    /// A token for one ask: [`Reply::Token`], [`Reply::Refused`] or [`Reply::NotOurs`].
    Get {
        /// The ask.
        ask: TokenRequest,
        /// For the record: `git`, `token`, `exec`, `gateway`.
        front: String,
    },
    /// The hub rejected this token: drops it, never the session. [`Reply::Done`].
    Erase {
        /// The ask that it was given for.
        ask: TokenRequest,
        /// The token.
        #[serde(with = "secret::wire")]
        token: Secret,
    },
    /// A token kept fresh in a private file for as long as this connection is open:
    /// [`Reply::Following`], then [`Reply::Renewed`] or [`Reply::Paused`], and at last [`Reply::Withdrawn`].
    Follow {
        /// The ask.
        ask: TokenRequest,
        /// The name of the file's folder from before the connection was lost, to get the same path.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<String>,
        /// Whether the token itself is wanted in [`Reply::Following`] (tools that only know a variable).
        #[serde(default)]
        with_token: bool,
    },
    /// Whether the session behind a hub ends: [`Reply::Watching`], then [`Reply::Withdrawn`]. The connection stays open for
    /// as long as the gateway lives: one that closes without [`Request::Served`] was killed.
    Watch {
        /// The hub, and what would be asked there.
        ask: TokenRequest,
    },
    /// What passed a gateway by now, while its command runs: the agent's record of it where the gateway is killed.
    /// [`Reply::Done`].
    Serving {
        /// The organization.
        org: OrgName,
        /// The sum so far.
        served: ServedTraffic,
    },
    /// What passed a gateway, told when its command has ended: [`Reply::Done`].
    Served {
        /// The organization.
        org: OrgName,
        /// The hub.
        hub: HubName,
        /// The sum.
        served: ServedTraffic,
    },
    /// Signs in: [`Reply::Challenge`], then [`Reply::SignedIn`] or [`Reply::Refused`]. Closing the
    /// connection cancels.
    Login {
        /// The organization; none: the only or default one.
        org: Option<OrgName>,
        /// Where to keep the session.
        store: StoreChoice,
        /// Where this machine has no such store: in the next best one, told by [`Reply::Challenge`].
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        or_next_best: bool,
        /// In which way.
        #[serde(default, skip_serializing_if = "SignInBy::is_browser")]
        by: SignInBy,
    },
    /// Signs out: [`Reply::SignedOut`].
    Logout {
        /// The organization; none: the only or default one.
        org: Option<OrgName>,
    },
    /// [`Reply::Status`].
    Status {
        /// Whether sessions whose last proof is not fresh are proven first: the identity provider is asked, once and for
        /// not longer than an ask for a token waits. Else it is told what is known.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        proof: bool,
    },
    /// [`Reply::Roles`].
    Roles,
    /// [`Reply::Why`].
    Why {
        /// The ask.
        ask: TokenRequest,
    },
    /// [`Reply::Anchor`].
    Anchor,
    /// A person knows that the log is not as it was left: the warnings end. [`Reply::Anchor`].
    AcknowledgeLog,
    /// What an organization publishes about itself at its issuer: [`Reply::Organization`]. Nothing is
    /// set up by it.
    Organization {
        /// The issuer's URL.
        url: String,
        /// By which roots and proxy it is reached, where those of its configuration are not meant.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<Route>,
    },
    /// Asks an organization's identity provider what would stop a sign-in: [`Reply::Provider`].
    Provider {
        /// The organization.
        org: OrgName,
    },
    /// Reads the configuration now: [`Reply::Done`] when it is in force, [`Reply::Refused`] when the
    /// old one stays.
    Reload,
    /// Asks an agent of another version to end when idle: [`Reply::Done`] or [`Reply::Refused`] (busy).
    Retire,
}

/// Where a session is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "kebab-case")]
pub enum StoreChoice {
    /// The operating system's keyring holds the key (the default).
    #[default]
    Keyring,
    /// The kernel's keyring holds the key: gone at the next boot.
    Kernel,
    /// Nothing is stored: the session is gone with the agent.
    Memory,
}

/// A reply with its envelope.
#[derive(Serialize, Deserialize)]
pub struct ReplyFrame {
    /// [`PROTOCOL`] of the agent.
    pub v: u32,
    /// [`VERSION`] of the agent.
    #[serde(default)]
    pub version: String,
    /// The reply.
    #[serde(flatten)]
    pub reply: Reply,
}

/// What the agent says.
#[expect(
    clippy::large_enum_variant,
    reason = "a reply is made once and written at once; a box would buy nothing"
)]
#[derive(Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Reply {
    /// No configured hub owns the host.
    NotOurs,
    /// A token.
    Token(TokenAnswer),
    /// A refusal.
    Refused {
        /// The refusal.
        refusal: Refusal,
        /// Epoch of the session when it was made.
        epoch: u64,
    },
    /// Done, nothing to tell.
    Done,
    /// A file is being kept fresh.
    Following(Following),
    /// The session stands, and its end will be told.
    Watching(Watching),
    /// The file now holds another token.
    Renewed {
        /// Unix seconds at which the new token expires.
        expires_at: u64,
    },
    /// The file is gone until the session is proven again; [`Reply::Renewed`] says that it is back.
    Paused {
        /// Why.
        refusal: Refusal,
    },
    /// The file is gone for good.
    Withdrawn {
        /// Why.
        refusal: Refusal,
    },
    /// Open this in a browser.
    Challenge {
        /// The authorization URL. It holds state and challenge, no secret.
        url: String,
        /// The organization that is signed in to.
        org: OrgName,
        /// The identity provider's issuer, for display.
        issuer: String,
        /// Any browser will do, with this code; then `url` is the page for it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<DevicePrompt>,
        /// Where the session will be kept.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        kept_in: Option<StoreChoice>,
    },
    /// Signed in.
    SignedIn {
        /// The organization.
        org: OrgName,
        /// Who.
        subject: String,
        /// For display.
        email: Option<String>,
        /// Roles held, for display.
        roles: Vec<String>,
        /// Why they are not known, when they could not be read: then `roles` says nothing.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        roles_unread: Option<String>,
    },
    /// Signed out.
    SignedOut {
        /// The organization.
        org: OrgName,
        /// Whether somebody had been signed in.
        was_signed_in: bool,
        /// What could not be revoked at the provider, in words.
        warning: Option<String>,
        /// Why the organization's issuer could not be told, in words.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        issuer_warning: Option<String>,
    },
    /// `oam status`.
    Status(StatusReport),
    /// `oam roles`.
    Roles(RolesReport),
    /// `oam why`.
    Why(WhyReport),
    /// Head of the audit log.
    Anchor(AnchorReport),
    /// What an organization publishes about itself, checked.
    Organization {
        /// The document, under a name of its own: it has a `v`, like the envelope.
        organization: Box<Organization>,
    },
    /// What of an identity provider does not fit.
    Provider(ProviderReport),
}

/// A hub whose session is watched.
#[derive(Serialize, Deserialize)]
pub struct Watching {
    /// The organization.
    pub org: OrgName,
    /// The hub.
    pub hub: HubName,
    /// Its URL, without trailing slash.
    pub hub_url: String,
    /// Kind of hub: decides which variables are set.
    pub hub_kind: String,
    /// Variables that this hub's tools read a token from, as configured.
    pub variables: Vec<String>,
    /// How the organization's hosts are reached.
    #[serde(default)]
    pub route: Route,
    /// What the file of roots held when it was last trusted (SHA-256, lower-case hex).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_sha256: Option<String>,
}

/// A token file that the agent keeps fresh.
#[derive(Serialize, Deserialize)]
pub struct Following {
    /// What was granted at first.
    pub granted: Granted,
    /// The file with the token and nothing else in it.
    pub path: String,
    /// Name of its folder, for [`Request::Follow::again`].
    pub name: String,
    /// Kind of hub: decides which variables are set.
    pub hub_kind: String,
    /// Variables that this hub's tools read a token from (`GH_TOKEN`, …), as configured.
    pub variables: Vec<String>,
    /// The runtime directory is not in memory.
    pub on_disk: bool,
    /// The token, when it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<TokenAnswer>,
}

impl RequestFrame {
    /// A request of this version.
    pub fn new(request: Request) -> Self {
        Self {
            v: PROTOCOL,
            version: VERSION.to_owned(),
            request,
        }
    }
}

impl ReplyFrame {
    /// A reply of this version.
    pub fn new(reply: Reply) -> Self {
        Self {
            v: PROTOCOL,
            version: VERSION.to_owned(),
            reply,
        }
    }
}
