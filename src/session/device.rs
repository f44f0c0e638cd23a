//! Asking for the outcome of a sign-in by device code (RFC 8628 §3.5): when to ask again, and how it ends.

use oam_model::answer::EndpointFault;
use oam_model::time::Moment;

/// What the provider is asked in where its answer does not say (RFC 8628 §3.2), ms.
const INTERVAL_MS: u64 = 5_000;
/// What `slow_down` adds (RFC 8628 §3.5), ms.
const SLOWER_MS: u64 = 5_000;
/// Longest wait between two asks, whatever the provider says, ms.
const LONGEST_MS: u64 = 60_000;
/// How long a code is good where the answer does not say, ms.
const LIFE_MS: u64 = 600_000;
/// Longest time for which a sign-in is left open, ms.
const LONGEST_LIFE_MS: u64 = 1_800_000;

/// A sign-in by device code that waits for its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DevicePolling {
    interval_ms: u64,
    ends: Moment,
}

/// What follows from an answer that brought no tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PollStep {
    /// Ask again after so many milliseconds.
    Wait(u64),
    /// The code is no longer good.
    Expired,
    /// The person, or the provider for them, said no.
    Denied,
    /// The provider refused the request: asking again would change nothing.
    Failed,
}

impl DevicePolling {
    /// A sign-in that begins now; what the provider's answer says of its times, in seconds.
    pub fn begin(expires_in_s: Option<u64>, interval_s: Option<u64>, now: Moment) -> Self {
        let ms = |s: u64| s.saturating_mul(1000);
        let life = expires_in_s.map_or(LIFE_MS, ms).min(LONGEST_LIFE_MS);
        Self {
            interval_ms: interval_s.map_or(INTERVAL_MS, ms).clamp(1000, LONGEST_MS),
            ends: now.plus(life),
        }
    }

    /// Seconds for which the code is still good.
    pub fn left_s(&self, now: Moment) -> u64 {
        now.until(self.ends) / 1000
    }

    /// When to ask for the first time.
    pub fn first(&self, now: Moment) -> PollStep {
        self.again(now)
    }

    /// What to do after this answer.
    pub fn after(&mut self, answer: &EndpointFault, now: Moment) -> PollStep {
        match answer {
            EndpointFault::Status {
                error: Some(code), ..
            } => match code.as_str() {
                "authorization_pending" => {}
                "slow_down" => self.slower(SLOWER_MS),
                // A provider that has forgotten an expired code knows it no more (RFC 6749 §5.2; Entra ID has a word of
                // its own for it).
                "expired_token" | "invalid_grant" | "bad_verification_code" => {
                    return PollStep::Expired;
                }
                // The second is Entra ID's word.
                "access_denied" | "authorization_declined" => return PollStep::Denied,
                "temporarily_unavailable" | "server_error" => self.slower(self.interval_ms),
                _ => return PollStep::Failed,
            },
            // Nothing that the provider said about the code: a lost connection, a proxy, a page in between.
            EndpointFault::NotSent { .. } | EndpointFault::Lost { .. } => {
                self.slower(self.interval_ms);
            }
            EndpointFault::Status { status, .. } if is_passing(*status) => {
                self.slower(self.interval_ms);
            }
            EndpointFault::Status { .. }
            | EndpointFault::Denied { .. }
            | EndpointFault::Unfit { .. }
            | EndpointFault::Unreadable { .. }
            | EndpointFault::Check { .. } => return PollStep::Failed,
        }
        self.again(now)
    }

    fn slower(&mut self, by_ms: u64) {
        self.interval_ms = self.interval_ms.saturating_add(by_ms).min(LONGEST_MS);
    }

    fn again(&self, now: Moment) -> PollStep {
        let left = now.until(self.ends);
        if left == 0 {
            return PollStep::Expired;
        }
        // The provider says itself that the code has expired, where it is asked after that.
        PollStep::Wait(self.interval_ms.min(left.saturating_add(1)))
    }
}

const fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429) || status >= 500
}

#[cfg(test)]
mod tests {
    use super::{DevicePolling, LONGEST_LIFE_MS, LONGEST_MS, PollStep};
    use oam_model::answer::EndpointFault;
    use oam_model::time::Moment;
    use proptest::prelude::*;

    const START: Moment = Moment::new(1_000, 1_800_000_000_000);

    fn oauth(code: &str) -> EndpointFault {
        EndpointFault::Status {
            status: 400,
            error: Some(code.to_owned()),
            bare: false,
        }
    }

    fn lost() -> EndpointFault {
        EndpointFault::Lost { why: "cut".into() }
    }

    #[test]
    fn the_provider_is_asked_in_its_own_interval_and_slower_when_it_says_so() {
        let mut polling = DevicePolling::begin(Some(600), Some(2), START);
        assert_eq!(polling.first(START), PollStep::Wait(2_000));
        assert_eq!(
            polling.after(&oauth("authorization_pending"), START),
            PollStep::Wait(2_000)
        );
        for wait in [7_000, 12_000] {
            let step = polling.after(&oauth("slow_down"), START);
            assert_eq!(step, PollStep::Wait(wait));
        }
        let step = polling.after(&oauth("authorization_pending"), START);
        assert_eq!(step, PollStep::Wait(12_000), "it stays slower");
    }

    #[test]
    fn without_an_interval_five_seconds_hold() {
        let polling = DevicePolling::begin(None, None, START);
        assert_eq!(polling.first(START), PollStep::Wait(5_000));
        assert_eq!(polling.left_s(START), 600);
    }

    #[test]
    fn an_end_is_told_apart_from_a_wait() {
        for (answer, step) in [
            (oauth("expired_token"), PollStep::Expired),
            (oauth("access_denied"), PollStep::Denied),
            (oauth("authorization_declined"), PollStep::Denied),
            (oauth("invalid_grant"), PollStep::Expired),
            (oauth("bad_verification_code"), PollStep::Expired),
            (oauth("invalid_client"), PollStep::Failed),
        ] {
            let mut polling = DevicePolling::begin(Some(600), Some(5), START);
            assert_eq!(polling.after(&answer, START), step, "{answer:?}");
        }
    }

    #[test]
    fn a_lost_answer_doubles_the_wait_and_ends_nothing() {
        let mut polling = DevicePolling::begin(Some(600), Some(5), START);
        assert_eq!(polling.after(&lost(), START), PollStep::Wait(10_000));
        let busy = EndpointFault::Status {
            status: 503,
            error: None,
            bare: true,
        };
        assert_eq!(polling.after(&busy, START), PollStep::Wait(20_000));
    }

    fn any_answer() -> impl Strategy<Value = EndpointFault> {
        prop_oneof![
            Just(oauth("authorization_pending")),
            Just(oauth("slow_down")),
            Just(lost()),
        ]
    }

    proptest! {
        /// Whatever a provider answers: waits are bounded and never shorter than before, and the sign-in ends.
        #[test]
        fn every_sign_in_ends_and_never_gets_hastier(
            answers in prop::collection::vec(any_answer(), 1..3000),
            expires in prop::option::of(any::<u64>()),
            interval in prop::option::of(any::<u64>()),
        ) {
            let mut polling = DevicePolling::begin(expires, interval, START);
            let (mut now, mut before) = (START, 0);
            let mut step = polling.first(now);
            for answer in &answers {
                let PollStep::Wait(ms) = step else { break };
                prop_assert!((1..=LONGEST_MS).contains(&ms));
                let last = now.until(START.plus(LONGEST_LIFE_MS)) <= LONGEST_MS || polling.left_s(now) <= 60;
                prop_assert!(last || ms >= before, "{ms} after {before}");
                before = ms;
                now = now.plus(ms);
                step = polling.after(answer, now);
            }
            prop_assert!(now.until(START.plus(LONGEST_LIFE_MS)) > 0 || step == PollStep::Expired);
        }
    }
}
