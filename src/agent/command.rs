//! What the outside asks the core, and what it gets back.

use super::ports::{SessionStore, StoreWish};
use oam_config::agent::Settings;
use oam_model::caller::Caller;
use oam_model::granted::{Granted, TokenAnswer};
use oam_model::name::{HubName, OrgName};
use oam_model::organization::{Organization, Route};
use oam_model::refusal::Refusal;
use oam_model::report::{AnchorReport, ProviderReport, RolesReport, StatusReport, WhyReport};
use oam_model::secret::Secret;
use oam_model::served::ServedTraffic;
use oam_model::sign_in::{DevicePrompt, SignInBy};
use oam_model::token_request::TokenRequest;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::{mpsc, oneshot};

/// One thing that the core is asked.
pub enum AgentCommand {
    /// A token.
    Get {
        ask: TokenRequest,
        /// `git`, `exec`, `token`.
        front: String,
        /// Who asks.
        caller: Caller,
        /// The one answer.
        reply: oneshot::Sender<CommandOutcome>,
    },
    /// The hub rejected a token.
    Erase {
        /// The ask that it was given for.
        ask: TokenRequest,
        token: Secret,
        /// Who asks.
        caller: Caller,
        /// Answered with [`CommandOutcome::Done`].
        reply: oneshot::Sender<CommandOutcome>,
    },
    /// A token file.
    Follow {
        ask: TokenRequest,
        /// The name to use again.
        again: Option<String>,
        /// Who asks.
        caller: Caller,
        /// News for as long as the receiver lives; dropping it ends the following.
        news: mpsc::Sender<News>,
    },
    /// Whether the session that stands behind a hub ends.
    Watch {
        /// The hub, and what would be asked there.
        ask: TokenRequest,
        /// Who asks.
        caller: Caller,
        /// [`News::Watching`], and [`News::Withdrawn`] at the end; dropping the receiver ends it.
        news: mpsc::Sender<News>,
    },
    /// What passed a gateway whose command has ended.
    Served {
        /// The organization.
        org: OrgName,
        /// The hub.
        hub: HubName,
        /// The sum, as the gateway tells it.
        served: ServedTraffic,
        /// Who tells it.
        caller: Caller,
        /// [`CommandOutcome::Done`].
        reply: oneshot::Sender<CommandOutcome>,
    },
    /// A sign-in.
    Login(LoginRequest),
    /// A sign-out.
    Logout {
        /// The organization.
        org: Option<OrgName>,
        /// Who asks.
        caller: Caller,
        /// [`CommandOutcome::SignedOut`] or [`CommandOutcome::Refused`].
        reply: oneshot::Sender<CommandOutcome>,
    },
    Report {
        /// Which one.
        kind: ReportKind,
        /// The report.
        reply: oneshot::Sender<CommandOutcome>,
    },
    /// That the log is not as it was left is acknowledged: [`CommandOutcome::Anchor`].
    AcknowledgeLog {
        /// Who asks.
        caller: Caller,
        /// The head of the log with its breaks.
        reply: oneshot::Sender<CommandOutcome>,
    },
    /// What an organization publishes about itself.
    Organization {
        /// Its issuer's URL.
        url: String,
        /// How it is reached; none: as its configuration says.
        route: Option<Route>,
        /// [`CommandOutcome::Organization`] or [`CommandOutcome::Refused`].
        reply: oneshot::Sender<CommandOutcome>,
    },
    /// The configuration is to be read now.
    Reload {
        /// [`CommandOutcome::Done`] when it is in force, or [`CommandOutcome::Refused`].
        reply: oneshot::Sender<CommandOutcome>,
    },
    /// Whether nothing is in the works, so that this agent may be replaced.
    Retire {
        /// [`CommandOutcome::Done`] (then the agent ends) or [`CommandOutcome::Refused`].
        reply: oneshot::Sender<CommandOutcome>,
    },
    /// New settings, or the reason why an edit was not taken.
    Configured(Result<Arc<Settings>, String>),
}

/// A sign-in that is asked for.
pub struct LoginRequest {
    /// The organization.
    pub org: Option<OrgName>,
    /// Where to keep it.
    pub store: StoreWish,
    /// In which way.
    pub by: SignInBy,
    /// Who asks.
    pub caller: Caller,
    /// News; dropping the receiver cancels.
    pub news: mpsc::Sender<LoginNews>,
}

/// Kinds of report.
pub enum ReportKind {
    /// `oam status`.
    Status,
    /// `oam roles`.
    Roles,
    /// `oam why`.
    Why(TokenRequest, Caller),
    /// Head of the log.
    Anchor,
    /// What of an organization's identity provider does not fit.
    Provider(OrgName),
}

/// What comes back once.
pub enum CommandOutcome {
    /// No configured hub owns the host.
    NotOurs,
    /// A token; its gate must be looked at as the last step before the socket write (promise 1).
    Token(TokenAnswer, EpochGate),
    /// A refusal and the epoch it was made in.
    Refused(Refusal, u64),
    Done,
    SignedOut {
        /// The organization.
        org: OrgName,
        /// Whether somebody had been signed in.
        was_signed_in: bool,
        /// Why the session could not be revoked at the provider.
        warning: Option<String>,
        /// Why the organization's issuer could not be told.
        issuer_warning: Option<String>,
    },
    /// `oam status`.
    Status(StatusReport),
    /// `oam roles`.
    Roles(RolesReport),
    /// `oam why`.
    Why(WhyReport),
    /// Head of the log.
    Anchor(AnchorReport),
    /// What an organization publishes.
    Organization(Box<Organization>),
    /// What of an identity provider does not fit.
    Provider(ProviderReport),
}

/// What a follower hears.
pub enum News {
    /// The file is there.
    Following(Box<Started>, EpochGate),
    /// The session stands, and its end will be told.
    Watching(Box<Watched>),
    /// The file holds another token.
    Renewed {
        /// Unix seconds.
        expires_at: u64,
    },
    /// The file is gone until the session is proven again: [`News::Renewed`] follows then.
    Paused(Refusal),
    /// The file is gone for good, or never came.
    Withdrawn(Refusal),
    /// No configured hub owns the host.
    NotOurs,
}

/// A token file that was started.
pub struct Started {
    /// What was granted.
    pub granted: Granted,
    /// The token, shared.
    pub token: Arc<Secret>,
    /// The file.
    pub path: String,
    /// Name of its folder.
    pub name: String,
    /// Kind of hub.
    pub hub_kind: &'static str,
    /// Variables of the hub's tools.
    pub variables: Vec<String>,
    /// The runtime directory is not in memory.
    pub on_disk: bool,
}

/// A hub whose session is watched.
pub struct Watched {
    /// The organization.
    pub org: OrgName,
    /// The hub.
    pub hub: HubName,
    /// Its URL, without trailing slash.
    pub hub_url: String,
    /// Kind of hub.
    pub hub_kind: &'static str,
    /// Variables of the hub's tools.
    pub variables: Vec<String>,
    /// How the organization's hosts are reached.
    pub route: Route,
    /// What its file of roots must hold (SHA-256, lower-case hex).
    pub ca_sha256: Option<String>,
}

/// What somebody signing in hears.
pub enum LoginNews {
    /// Open this.
    Challenge {
        url: String,
        /// The organization.
        org: OrgName,
        issuer: String,
        /// What is typed there; none: the browser comes back by itself.
        device: Option<DevicePrompt>,
        /// Where the session will be kept.
        kept_in: SessionStore,
    },
    SignedIn {
        /// The organization.
        org: OrgName,
        /// Who.
        subject: String,
        /// For display.
        email: Option<String>,
        /// Roles held.
        roles: Vec<String>,
        /// Why they are not known, when they could not be read.
        unread: Option<String>,
    },
    /// Not signed in.
    Refused(Refusal),
}

/// The epoch of one organization's session, shared with the tasks that write answers.
#[derive(Clone, Default)]
pub struct EpochGate(Arc<AtomicU64>);

impl EpochGate {
    /// A gate at `epoch`.
    pub fn new(epoch: u64) -> Self {
        Self(Arc::new(AtomicU64::new(epoch)))
    }

    /// Moves on: answers of earlier epochs stay in.
    pub fn set(&self, epoch: u64) {
        self.0.store(epoch, Ordering::Release);
    }

    /// The epoch now.
    pub fn now(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Whether an answer of `epoch` may still leave.
    pub fn lets(&self, epoch: u64) -> bool {
        self.now() == epoch
    }
}

/// How the outside reaches the core. A full mailbox is a refusal, not a wait.
pub type Mailbox = mpsc::Sender<AgentCommand>;
