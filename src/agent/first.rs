//! The first word of an organization's issuer about a sign-in: nobody is told that they are signed in when
//! it refuses them.

use super::answers::FirstAnswer;
use super::entitlements::RolesError;
use super::org_context::OrgContext;
use super::org_session::{OrgSession, subject_kind, with_roles};
use super::ports::IssuerApi;
use super::state::SessionTokens;
use oam_config::agent::{Org, SubjectToken};
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::organization::Denial;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_session::role::holds;
use std::sync::Arc;

/// Asks the issuer about the tokens that a sign-in brought; none where the organization has no issuer.
pub(super) async fn first_answer(
    issuer: &dyn IssuerApi,
    org: &Org,
    tokens: &SessionTokens,
) -> Option<Result<FirstAnswer, Refusal>> {
    org.exchange.issuer()?;
    let bearer = match subject_kind(org) {
        SubjectToken::IdToken => Arc::clone(&tokens.id),
        SubjectToken::AccessToken => Arc::clone(&tokens.access),
    };
    let answer = issuer.roles(org, bearer).await;
    Some(
        match answer.as_ref().err().and_then(EndpointFault::denial) {
            Some(denial) if is_final(denial.code) => Err(refused(org, denial)),
            _ => Ok(answer),
        },
    )
}

/// Whether a refusal speaks of the sign-in. What passes by itself does not, nor does a policy that gives
/// this person nothing.
const fn is_final(code: RefusalCode) -> bool {
    match code {
        RefusalCode::Revoked
        | RefusalCode::Ended
        | RefusalCode::SignedOut
        | RefusalCode::Unproven
        | RefusalCode::Rejected
        | RefusalCode::BadRequest => true,
        RefusalCode::Denied
        | RefusalCode::Unavailable
        | RefusalCode::Busy
        | RefusalCode::Unreachable => false,
    }
}

/// The issuer's refusal as the outcome of a sign-in. Signing in once more is no help against an
/// authentication that it calls too old: the provider would go on with the same one.
fn refused(org: &Org, denial: &Denial) -> Refusal {
    let next = if denial.code == RefusalCode::Ended {
        format!(
            "sign out at {} in your browser, then run `oam login {}` again",
            org.provider.issuer, org.name
        )
    } else {
        denial.next.clone()
    };
    Refusal::new(denial.code, denial.sentence.clone(), next)
}

/// Milliseconds from `now_ms` until a time in whole seconds is later than `at_ms`; none to wait when it is
/// further away than that: then a clock was set.
pub(super) const fn until_later_than(at_ms: u64, now_ms: u64) -> u64 {
    let next = (at_ms / 1000 + 1) * 1000;
    let wait = next.saturating_sub(now_ms);
    if wait > 1000 { 0 } else { wait }
}

impl OrgSession {
    /// The roles that somebody holds who just signed in, or why they are not known.
    pub(super) fn roles_at_sign_in(
        &mut self,
        cx: &mut OrgContext<'_>,
        org: &Org,
        identity: &Identity,
        said: Option<FirstAnswer>,
    ) -> (Vec<String>, Option<String>) {
        match said {
            None => {
                let held = org
                    .roles
                    .iter()
                    .filter(|role| holds(role, &identity.groups));
                (held.map(|role| role.name.to_string()).collect(), None)
            }
            Some(Ok(effective)) => {
                let held = effective.roles.iter().map(|held| held.role.to_string());
                let held = held.collect();
                self.take_roles(cx, effective);
                (held, None)
            }
            Some(Err(fault)) => {
                self.roles_unread(cx, RolesError::of(&fault, cx.now()));
                let why = with_roles(Some(self), org)
                    .err()
                    .map(|refusal| refusal.sentence);
                (Vec::new(), why)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::until_later_than;

    #[test]
    fn a_sign_in_waits_for_the_second_after_an_end_and_no_longer() {
        assert_eq!(until_later_than(5_000, 5_000), 1_000);
        assert_eq!(until_later_than(5_999, 5_999), 1);
        assert_eq!(until_later_than(5_400, 5_900), 100);
        assert_eq!(until_later_than(5_400, 6_000), 0);
        assert_eq!(until_later_than(5_400, 99_000), 0);
        assert_eq!(until_later_than(99_000, 5_000), 0, "the clock was set back");
    }
}
