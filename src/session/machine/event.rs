//! What happens to a session machine, by who brings it: each source has its own kind, and each is told apart in full.

use super::{NotificationKind, Who};
use crate::cache::TokenId;
use crate::standing::{Meaning, MintMeaning};
use crate::state::{Live, SessionLimits};
use oam_model::identity::Identity;
use oam_model::name::RoleName;
use oam_model::notice::ToldNotices;
use oam_model::refusal::Refusal;
use oam_model::role::{OfflineRule, Role};
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;

/// What happens to a session machine.
#[derive(Debug, Clone)]
pub enum Event {
    /// A person, or a program of theirs.
    Person(PersonEvent),
    /// The identity provider's answer.
    Provider(ProviderEvent),
    /// The token endpoint's answer, or the issuer's word.
    Issuer(IssuerEvent),
    /// The agent's surroundings: disk, configuration, clock.
    Host(HostEvent),
}

/// What a person does, or a program of theirs.
#[derive(Debug, Clone)]
pub enum PersonEvent {
    /// Somebody signed in; the sign-in is a proof.
    SignedIn(Box<Live>),
    /// Somebody wants a token; the role is chosen already.
    Asked {
        who: Who,
        /// What.
        order: TokenKey,
        /// The role's offline rule.
        offline: OfflineRule,
    },
    /// Somebody wants to know how the session stands, and no token.
    ProofWanted,
    /// A follower hung up.
    Unfollowed(u64),
    /// The hub rejected a token.
    Rejected(TokenId),
    /// The person signed out.
    SignedOut,
    /// The session that lives gives way to one of `next`; [`Self::SignedIn`] comes right after it.
    HandsOver {
        next: Identity,
        /// The organization's roles by its configuration.
        roles: Vec<Role>,
    },
    /// An ask was refused by the standing alone; `attended`: its caller runs in the foreground of a terminal.
    TurnedAway {
        /// The refusal is read there: no notification is due for it.
        attended: bool,
    },
}

/// What the identity provider answers.
#[derive(Debug, Clone)]
pub enum ProviderEvent {
    /// The provider renewed the session.
    Refreshed {
        /// Number of the flight.
        flight: u64,
        /// The claims.
        identity: Identity,
        /// Expiry of the token that is exchanged, Unix seconds.
        subject_expires: Option<u64>,
    },
    /// A refresh did not bring a token.
    RefreshFailed {
        /// Number of the flight.
        flight: u64,
        /// What the answer means.
        meaning: Meaning,
        /// Our words for it.
        words: String,
    },
    /// By the renewed identity the person no longer holds these roles.
    RolesLost(Vec<RoleName>),
}

/// Who exchanges tokens for an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenServer {
    /// A token endpoint of somebody else's making.
    Endpoint,
    /// The organization's own issuer.
    Issuer,
}

/// What the token endpoint answers, and what the issuer says.
#[derive(Debug, Clone)]
pub enum IssuerEvent {
    /// The token endpoint issued a token.
    Minted {
        /// Number of the exchange.
        flight: u64,
        /// Number of the token.
        token: TokenId,
        /// Seconds it lives.
        expires_in_s: u64,
    },
    /// The token endpoint did not.
    MintFailed {
        /// Number of the exchange.
        flight: u64,
        /// Who was asked.
        by: TokenServer,
        /// What the answer means.
        meaning: MintMeaning,
        /// Our words for it.
        words: String,
    },
    /// The organization's issuer did not, in its own words.
    MintDenied {
        /// Number of the exchange.
        flight: u64,
        /// What the answer means.
        meaning: MintMeaning,
        /// The issuer's refusal.
        refusal: Refusal,
    },
    /// Somebody needs a younger subject token: the feed, or roles that can't be read with the old one.
    Renew,
    /// The issuer's own evidence, as of then: a proof of that time.
    Vouched(Moment),
    /// The issuer has weak evidence that the session is over: prove it at the provider before serving.
    Doubted(String),
    /// The issuer says which roles are held now, and which were lost.
    RolesChanged {
        /// All that are held.
        held: Vec<RoleName>,
        /// Those that were held before.
        lost: Vec<RoleName>,
    },
    /// A signal, or a tombstone that another program wrote, said that the session is over.
    Over(StandingWord, Option<EndReason>),
}

/// What the disk, the configuration and the clock bring.
#[derive(Debug, Clone)]
pub enum HostEvent {
    /// A stored session was found at start.
    Restored(Box<Live>),
    /// The configuration names, or no longer names, what was signed in to.
    Bound(bool),
    /// New limits.
    Limits(SessionLimits),
    /// What agents before this one told the person; once, when the session of before is restored or is not there.
    Recalled(ToldNotices),
    /// Somebody could see this notification.
    Shown(NotificationKind),
    /// Time passed.
    Tick,
}

impl From<PersonEvent> for Event {
    fn from(event: PersonEvent) -> Self {
        Self::Person(event)
    }
}

impl From<ProviderEvent> for Event {
    fn from(event: ProviderEvent) -> Self {
        Self::Provider(event)
    }
}

impl From<IssuerEvent> for Event {
    fn from(event: IssuerEvent) -> Self {
        Self::Issuer(event)
    }
}

impl From<HostEvent> for Event {
    fn from(event: HostEvent) -> Self {
        Self::Host(event)
    }
}
