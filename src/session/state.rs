//! The session of one organization: how it stands, and what proves it.

use oam_model::identity::Identity;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::role::OfflineRule;
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::{Moment, span};

/// A failed proof is remembered this long, ms: asks in between are not made to wait again.
pub const FAILURE_MEMORY_MS: u64 = 30_000;

/// Deadline of a proof on ask, ms.
pub const PROOF_DEADLINE_MS: u64 = 2_000;

/// A subject token must live at least this much longer to be exchanged, seconds.
const SUBJECT_MARGIN_S: u64 = 10;

/// The limits that the organization sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// A proof younger than this is fresh, ms.
    pub fresh_ms: u64,
    /// Longest age of a proof with which the agent still serves when nothing can be proven, ms.
    pub lease_ms: u64,
    /// Age at which a person must sign in again, ms.
    pub session_age_ms: u64,
}

/// A session that the provider honours as far as we know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Live {
    /// Who.
    pub identity: Identity,
    /// Unix milliseconds of the sign-in.
    pub signed_in_at_ms: u64,
    /// The last proof; none after a restart: a restarted agent has no lease until a proof.
    pub last_proof: Option<Moment>,
    /// Expiry of the token that is exchanged, Unix seconds, when known.
    pub subject_expires: Option<u64>,
    /// What went wrong with the last proof, in our words.
    pub trouble: Option<String>,
    /// When the last proof failed.
    pub failed_at: Option<Moment>,
    /// An answer to a refresh was lost: the refresh token may be used up, so each further flight is
    /// a single shot (promise 3: exactly one retry).
    pub doubt: bool,
    /// Evidence that the session may be over (a logout): nothing is served until a refresh, sent after
    /// it came, proves the session at the provider.
    pub suspicion: Option<Suspicion>,
    /// A refresh under way.
    pub flight: Option<Flight>,
    /// The configuration still names what was signed in to (promise 9).
    pub bound: bool,
}

/// Why a session must be proven before anything is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// In our words.
    pub reason: String,
    /// A refresh that was under way then: its answer may be older than the evidence, and proves nothing.
    pub before: Option<u64>,
    /// The provider is not asked before this: see [`PROVIDER_SETTLES_MS`].
    pub ask_from: Moment,
}

/// How long a provider is given to end a session of which it just told, ms. It sends its logout token first
/// and ends the session when that was answered (`oidc-provider` does, OIDC Back-Channel Logout 1.0 says
/// nothing of the order): asked at once it would still vouch for the session.
pub const PROVIDER_SETTLES_MS: u64 = 1_000;

/// A refresh under way: one per session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flight {
    /// Its number; answers to other flights are dropped.
    pub id: u64,
    /// 1, or 2 for the one retry.
    pub attempt: u8,
}

/// How the session stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionState {
    /// Nobody is signed in.
    SignedOut {
        /// Why, where there is more to say.
        reason: Option<EndReason>,
    },
    /// Active or unproven, by the age of the last proof.
    Live(Box<Live>),
    /// Ended or revoked: final until a login.
    Over {
        /// `ended` or `revoked`.
        word: StandingWord,
        /// Why, in our words.
        reason: Option<EndReason>,
    },
}

/// What a session needs before it may serve.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Need {
    /// Nothing: the proof is fresh.
    Nothing,
    Proof,
    /// A proof was tried a moment ago and failed; decide by the lease.
    FailedRecently,
    /// Nothing helps but a login.
    Login,
}

impl Live {
    /// Age of the last proof, ms.
    pub fn proof_age(&self, now: Moment) -> Option<u64> {
        self.last_proof.map(|at| now.since(at))
    }

    /// Whether the last proof is fresh.
    pub fn is_fresh(&self, now: Moment, limits: &SessionLimits) -> bool {
        self.suspicion.is_none() && self.proof_age(now).is_some_and(|age| age < limits.fresh_ms)
    }

    /// Whether a role with this offline rule may be served without a fresh proof.
    pub fn within_lease(&self, now: Moment, limits: &SessionLimits, offline: OfflineRule) -> bool {
        offline == OfflineRule::Grace
            && self.suspicion.is_none()
            && self
                .proof_age(now)
                .is_some_and(|age| age <= limits.lease_ms)
    }

    /// Whether a proof failed so recently that it is not tried again.
    pub fn failed_recently(&self, now: Moment) -> bool {
        self.failed_at
            .is_some_and(|at| now.since(at) < FAILURE_MEMORY_MS)
    }

    /// Whether the session is older than the organization allows. By the wall clock: the sign-in
    /// may lie before the last boot.
    pub const fn is_too_old(&self, now: Moment, limits: &SessionLimits) -> bool {
        now.wall_ms.saturating_sub(self.signed_in_at_ms) >= limits.session_age_ms
    }

    /// Why this session is not proven: what came of the last proof, or that nobody made one.
    fn unproven(&self, org: &str, now: Moment) -> Refusal {
        let suspicion = self.suspicion.as_ref().map(|s| s.reason.as_str());
        if let Some(why) = suspicion.or(self.trouble.as_deref()) {
            return Refusal::standing(org, StandingWord::Unproven, Some(why));
        }
        let unproven = |sentence, next| Refusal::new(RefusalCode::Unproven, sentence, next);
        if self.flight.is_some() {
            return unproven(
                format!(
                    "the identity provider of {org} has not answered yet whether it honours this session"
                ),
                "check the network and try again; `oam status` shows the last proof",
            );
        }
        let since = self.proof_age(now).map_or_else(
            || "since the agent started".to_owned(),
            |age| format!("for {}", span(age)),
        );
        unproven(
            format!("the identity provider of {org} was not asked about this session {since}"),
            "nothing: it is asked at the next use; `oam status --check` asks it now",
        )
    }

    /// Whether the token that is exchanged is still young enough.
    pub fn subject_is_usable(&self, now: Moment) -> bool {
        self.subject_expires
            .is_none_or(|at| at > now.unix() + SUBJECT_MARGIN_S)
    }
}

impl SessionState {
    /// The word shown to people.
    pub fn word(&self, now: Moment, limits: &SessionLimits) -> StandingWord {
        match self {
            Self::SignedOut { .. } => StandingWord::SignedOut,
            Self::Over { word, .. } => *word,
            Self::Live(live) if !live.bound => StandingWord::SignedOut,
            Self::Live(live) if live.within_lease(now, limits, OfflineRule::Grace) => {
                StandingWord::Active
            }
            Self::Live(_) => StandingWord::Unproven,
        }
    }

    /// What is needed before a token may leave.
    pub fn need(&self, now: Moment, limits: &SessionLimits) -> Need {
        match self {
            Self::SignedOut { .. } | Self::Over { .. } => Need::Login,
            Self::Live(live) if !live.bound => Need::Login,
            Self::Live(live) if live.is_fresh(now, limits) => Need::Nothing,
            Self::Live(live) if live.failed_recently(now) => Need::FailedRecently,
            Self::Live(_) => Need::Proof,
        }
    }

    /// The refusal for an ask that this standing does not serve.
    pub fn refusal(&self, org: &str, now: Moment, limits: &SessionLimits) -> Refusal {
        match self {
            Self::Live(live) if !live.bound => Refusal::new(
                RefusalCode::SignedOut,
                format!(
                    "the configuration of {org} now names another identity provider, exchange, hub, CA or proxy than the one signed in to"
                ),
                format!("undo the edit, or run `oam login {org}`"),
            ),
            Self::Live(live) => live.unproven(org, now),
            Self::SignedOut { reason } => {
                Refusal::over(org, StandingWord::SignedOut, reason.as_ref())
            }
            Self::Over { reason, .. } => {
                Refusal::over(org, self.word(now, limits), reason.as_ref())
            }
        }
    }

    /// The live session, if there is one.
    pub fn live(&self) -> Option<&Live> {
        if let Self::Live(live) = self {
            Some(live)
        } else {
            None
        }
    }

    /// The live session, to change.
    pub fn live_mut(&mut self) -> Option<&mut Live> {
        if let Self::Live(live) = self {
            Some(live)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: SessionLimits = SessionLimits {
        fresh_ms: 60_000,
        lease_ms: 600_000,
        session_age_ms: 86_400_000,
    };

    fn live(last_proof: Option<Moment>) -> Live {
        Live {
            identity: Identity {
                issuer: "https://idp.example".into(),
                subject: "ada".into(),
                email: None,
                groups: vec![],
                auth_time: None,
                id_token_expires: None,
            },
            signed_in_at_ms: 0,
            last_proof,
            subject_expires: None,
            trouble: None,
            failed_at: None,
            doubt: false,
            suspicion: None,
            flight: None,
            bound: true,
        }
    }

    #[test]
    fn a_restarted_agent_has_no_lease_until_a_proof() {
        let now = Moment::new(1_000, 1_000);
        assert!(!live(None).within_lease(now, &LIMITS, OfflineRule::Grace));
        assert_eq!(
            SessionState::Live(Box::new(live(None))).word(now, &LIMITS),
            StandingWord::Unproven
        );
    }

    #[test]
    fn a_strict_role_has_no_lease() {
        let proven = Moment::new(0, 0);
        let now = proven.plus(120_000);
        assert!(live(Some(proven)).within_lease(now, &LIMITS, OfflineRule::Grace));
        assert!(!live(Some(proven)).within_lease(now, &LIMITS, OfflineRule::Strict));
    }

    #[test]
    fn the_lease_ends_by_either_clock() {
        let proven = Moment::new(0, 1_000_000);
        let suspended = Moment::new(600_001, 1_000_001);
        let set_forward = Moment::new(1, 1_600_001);
        assert!(!live(Some(proven)).within_lease(suspended, &LIMITS, OfflineRule::Grace));
        assert!(!live(Some(proven)).within_lease(set_forward, &LIMITS, OfflineRule::Grace));
    }
}
