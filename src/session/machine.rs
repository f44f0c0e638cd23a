//! The session machine of one organization: its session, its tokens, and everybody who waits.
//!
//! `SessionMachine::step` is the only door: an event and the moment go in, effects come out, in the order in
//! which they must be carried out. The session machine reads no clock, holds no secret and calls nobody.

mod end;
mod event;
mod feed;
mod follow;
mod outcome;
mod prove;
mod recall;
mod serve;
mod wake;

#[cfg(any(test, feature = "fixture"))]
#[allow(clippy::unwrap_used, clippy::missing_panics_doc)]
pub mod fixture;
#[cfg(test)]
mod outcome_tests;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod stories;

pub use event::{Event, HostEvent, IssuerEvent, PersonEvent, ProviderEvent, TokenServer};

use self::serve::Said;
use super::cache::{TokenCache, TokenId};
use super::state::{Flight, SessionLimits, SessionState};
use oam_model::refusal::Refusal;
use oam_model::role::OfflineRule;
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;
use std::collections::BTreeMap;

/// Who waits for a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Who {
    /// An ask that wants one answer.
    Ticket(u64),
    /// A child of `oam exec` whose file is kept fresh.
    Follower(u64),
}

/// What the core has to do, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The session is over: tombstone, epoch, wipe, delete, revoke (promise 1).
    End {
        /// `ended`, `revoked` or `signed-out`.
        word: StandingWord,
        /// Why.
        reason: Option<EndReason>,
    },
    /// Puts on record that the issuer doubts the session, and why.
    Doubt(String),
    /// Wipes a token.
    Drop(TokenId),
    /// Takes a follower's file away; `last`: for good.
    Withdraw {
        follower: u64,
        /// Why.
        refusal: Refusal,
        /// No renewal will come.
        last: bool,
    },
    /// Shows a notification.
    Notify(NotificationKind),
    /// Hands the token out.
    Grant { ticket: u64, token: TokenId },
    /// Writes the token to the follower's file.
    Deliver { follower: u64, token: TokenId },
    /// Refuses an ask.
    Refuse {
        ticket: u64,
        /// Why.
        refusal: Refusal,
    },
    /// Sends a refresh, after the in-flight mark is durable.
    Refresh(Flight),
    /// Sends an exchange.
    Mint {
        /// Its number.
        flight: u64,
        /// What.
        order: TokenKey,
    },
}

/// Why somebody is notified. All but the first with what callers are told: why, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotificationKind {
    /// The session reaches its age soon.
    EndsSoon,
    /// The session ended.
    Ended(Refusal),
    /// Access was revoked.
    Revoked(Refusal),
    /// A caller that nobody watches needs a sign-in.
    SignInNeeded(Refusal),
}

/// When the person was last told that a sign-in is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SignInNotice {
    /// Not since the last sign-in.
    Due,
    /// Then; once an hour is enough.
    At(Moment),
    /// By an agent before this one, at that Unix time in milliseconds.
    Before { at_ms: u64 },
}

impl SignInNotice {
    const AGAIN_MS: u64 = 3_600_000;

    fn is_due(self, now: Moment) -> bool {
        match self {
            Self::Due => true,
            Self::At(then) => now.since(then) >= Self::AGAIN_MS,
            Self::Before { at_ms } => now.wall_ms.saturating_sub(at_ms) >= Self::AGAIN_MS,
        }
    }
}

/// An ask that waits for a proof.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Waiting {
    who: Who,
    order: TokenKey,
    offline: OfflineRule,
    deadline: Moment,
}

/// A child of `oam exec`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Follower {
    order: TokenKey,
    offline: OfflineRule,
    /// The token in its file now.
    delivered: Option<TokenId>,
    /// It waits for a proof or an exchange.
    pending: bool,
    /// It has had a token.
    started: bool,
}

/// The state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionMachine {
    org: String,
    limits: SessionLimits,
    epoch: u64,
    standing: SessionState,
    cache: TokenCache<(Who, OfflineRule)>,
    waiting: Vec<Waiting>,
    followers: BTreeMap<u64, Follower>,
    flights: u64,
    /// Background proofs come this much earlier, per mille of `fresh`, so that a fleet does not ask
    /// its provider in step.
    jitter: u16,
    sign_in_noticed: SignInNotice,
    ends_soon_noticed: bool,
}

impl SessionMachine {
    /// A session machine where nobody is signed in, in the epoch after the last known one. `jitter` is 0 to 200.
    pub fn new(org: &str, limits: SessionLimits, epoch: u64, jitter: u16) -> Self {
        Self {
            org: org.to_owned(),
            limits,
            epoch,
            standing: SessionState::SignedOut { reason: None },
            cache: TokenCache::default(),
            waiting: Vec::new(),
            followers: BTreeMap::new(),
            flights: 0,
            jitter: jitter.min(200),
            sign_in_noticed: SignInNotice::Due,
            ends_soon_noticed: false,
        }
    }

    /// A session machine whose session was over already at start. Whether that is still to be told is known by
    /// [`HostEvent::Recalled`].
    #[must_use]
    pub fn over(mut self, word: StandingWord, reason: Option<EndReason>) -> Self {
        self.standing = match word {
            StandingWord::Ended | StandingWord::Revoked => SessionState::Over { word, reason },
            StandingWord::Active | StandingWord::Unproven | StandingWord::SignedOut => {
                SessionState::SignedOut { reason }
            }
        };
        self
    }

    /// Goes on in the epoch of a stored session.
    pub fn resume_at(&mut self, epoch: u64) {
        self.epoch = self.epoch.max(epoch);
    }

    pub const fn epoch(&self) -> u64 {
        self.epoch
    }

    /// How the session stands.
    pub const fn standing(&self) -> &SessionState {
        &self.standing
    }

    /// The limits in force.
    pub const fn limits(&self) -> &SessionLimits {
        &self.limits
    }

    /// Whether this refresh is the one under way: only then its tokens are taken.
    pub fn awaits(&self, flight: u64) -> bool {
        self.standing
            .live()
            .is_some_and(|live| live.flight.is_some_and(|f| f.id == flight))
    }

    /// Whether this exchange is still waited for.
    pub fn awaits_mint(&self, flight: u64) -> bool {
        self.cache.order_of_flight(flight).is_some()
    }

    /// Whether nothing is in the works and nobody follows.
    pub fn is_idle(&self) -> bool {
        let refreshing = self
            .standing
            .live()
            .is_some_and(|live| live.flight.is_some());
        !refreshing
            && self.followers.is_empty()
            && self.waiting.is_empty()
            && !self.cache.is_minting()
    }

    /// One event.
    pub fn step(&mut self, event: impl Into<Event>, now: Moment) -> Vec<Effect> {
        let event = event.into();
        let mut effects = Vec::new();
        // A sign-in replaces a session, however old: an end here would be carried out on the new one.
        if !matches!(
            event,
            Event::Person(PersonEvent::SignedIn(_) | PersonEvent::HandsOver { .. })
        ) {
            self.end_when_too_old(now, &mut effects);
        }
        match event {
            Event::Person(event) => self.of_person(event, now, &mut effects),
            Event::Provider(event) => self.of_provider(event, now, &mut effects),
            Event::Issuer(event) => self.of_issuer(event, now, &mut effects),
            Event::Host(event) => self.of_host(event, now, &mut effects),
        }
        effects
    }

    fn of_person(&mut self, event: PersonEvent, now: Moment, effects: &mut Vec<Effect>) {
        match event {
            PersonEvent::SignedIn(live) => self.sign_in(live, now, effects),
            PersonEvent::Asked {
                who,
                order,
                offline,
            } => self.ask(who, &order, offline, now, effects),
            PersonEvent::ProofWanted => self.renew(now, effects),
            PersonEvent::Unfollowed(id) => self.unfollow(id),
            PersonEvent::Rejected(token) => {
                if self.cache.reject(token, now) {
                    effects.push(Effect::Drop(token));
                }
            }
            PersonEvent::SignedOut => self.end(StandingWord::SignedOut, None, now, effects),
            PersonEvent::HandsOver { next, roles } => self.hand_over(&next, &roles, effects),
            PersonEvent::TurnedAway { attended } => {
                if !attended {
                    self.notify_of_sign_in(now, effects);
                }
            }
        }
    }

    fn of_provider(&mut self, event: ProviderEvent, now: Moment, effects: &mut Vec<Effect>) {
        match event {
            ProviderEvent::Refreshed {
                flight,
                identity,
                subject_expires,
            } => {
                self.refreshed(flight, identity, subject_expires, now, effects);
            }
            ProviderEvent::RefreshFailed {
                flight,
                meaning,
                words,
            } => {
                self.refresh_failed(flight, meaning, words, now, effects);
            }
            ProviderEvent::RolesLost(lost) => self.lose_roles(&lost, effects),
        }
    }

    fn of_issuer(&mut self, event: IssuerEvent, now: Moment, effects: &mut Vec<Effect>) {
        match event {
            IssuerEvent::Minted {
                flight,
                token,
                expires_in_s,
            } => {
                self.minted(flight, token, expires_in_s, now, effects);
            }
            IssuerEvent::MintFailed {
                flight,
                by,
                meaning,
                words,
            } => {
                self.mint_failed(flight, meaning, Said::Words(by, &words), now, effects);
            }
            IssuerEvent::MintDenied {
                flight,
                meaning,
                refusal,
            } => {
                self.mint_failed(flight, meaning, Said::Refusal(refusal), now, effects);
            }
            IssuerEvent::Renew => self.renew(now, effects),
            IssuerEvent::Vouched(as_of) => self.vouched(as_of, now, effects),
            IssuerEvent::Doubted(reason) => self.doubted(reason, now, effects),
            IssuerEvent::RolesChanged { held, lost } => self.roles_changed(&held, &lost, effects),
            IssuerEvent::Over(word, reason) => self.end(word, reason, now, effects),
        }
    }

    fn of_host(&mut self, event: HostEvent, now: Moment, effects: &mut Vec<Effect>) {
        match event {
            HostEvent::Restored(live) => self.standing = SessionState::Live(live),
            HostEvent::Bound(bound) => self.bind(bound, now, effects),
            HostEvent::Limits(limits) => {
                self.limits = limits;
                self.end_when_too_old(now, effects);
            }
            HostEvent::Shown(kind) => self.shown(&kind, now),
            HostEvent::Recalled(told) => self.recall(told, now, effects),
            HostEvent::Tick => self.tick(now, effects),
        }
    }
}
