//! A CI job that takes a role token without a person, an agent or a stored secret: what it wants,
//! who it is, what it gets.

use super::granted::TokenAnswer;
use super::name::{OrgName, Repository, RoleName};
use super::organization::{OrgHub, Organization};
use super::refusal::{Refusal, RefusalCode};
use super::role::Action;
use super::secret::Secret;
use serde::Serialize;

/// What a job asks the issuer for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobOrder {
    /// The organization.
    pub org: OrgName,
    /// The issuer's RFC 8693 endpoint.
    pub token_endpoint: String,
    /// The hub, as the organization published it.
    pub hub: OrgHub,
    /// The repository; none: the whole hub.
    pub repository: Option<Repository>,
    /// The action.
    pub action: Action,
    /// A role named by whoever wrote the job.
    pub role: Option<RoleName>,
}

/// How a GitHub Actions job asks for its ID token: both values are the runner's.
pub struct ActionsRequest {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub url: String,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`.
    pub token: Secret,
}

/// A role token for a job.
#[derive(Serialize)]
pub struct JobToken {
    /// The token and what was granted. Its epoch is 0: no session is behind it.
    #[serde(flatten)]
    pub answer: TokenAnswer,
    /// The issuer's rule.
    pub rule: String,
    /// Under which the issuer's audit log has it.
    pub request_id: String,
}

/// No token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobFault {
    /// Why.
    pub refusal: Refusal,
    /// Under which the issuer's audit log has it, if it arrived there.
    pub request_id: Option<String>,
}

impl JobFault {
    /// Whether what was issued before must go, too: the issuer said that this job or person may not,
    /// or no longer. A lost answer, a busy issuer or an ID token that has run out say nothing about that.
    pub const fn takes_back(&self) -> bool {
        matches!(
            self.refusal.code,
            RefusalCode::Revoked | RefusalCode::Ended | RefusalCode::Denied
        )
    }

    /// The refusal, with the request's number where there is one: a job has no log of its own.
    pub fn told(self) -> Refusal {
        let mut refusal = self.refusal;
        if let Some(id) = self.request_id {
            refusal.sentence = format!("{} (request {id})", refusal.sentence);
        }
        refusal
    }
}

impl From<Refusal> for JobFault {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            request_id: None,
        }
    }
}

/// What a job needs from outside. The command line is given it by the program: it may not do HTTP
/// itself. Each call blocks until it is answered or its own deadline is over.
pub trait JobOutside: Sync {
    /// The organization's published set-up, checked.
    ///
    /// # Errors
    /// The issuer can't be reached, or what it publishes can't be used.
    fn organization(&self, issuer: &str) -> Result<Organization, Refusal>;

    /// Asks GitHub for this job's ID token, made for `audience`.
    ///
    /// # Errors
    /// GitHub can't be reached or refuses.
    fn actions_token(&self, request: &ActionsRequest, audience: &str) -> Result<Secret, Refusal>;

    /// One exchange (RFC 8693), its answer checked.
    ///
    /// # Errors
    /// The issuer's own refusal where it gave one.
    fn exchange(&self, order: &JobOrder, subject: &Secret) -> Result<JobToken, JobFault>;
}

#[cfg(test)]
mod tests {
    use super::{JobFault, Refusal, RefusalCode};

    #[test]
    fn only_a_word_about_the_right_itself_takes_a_token_back() {
        for (code, gone) in [
            (RefusalCode::Revoked, true),
            (RefusalCode::Ended, true),
            (RefusalCode::Denied, true),
            (RefusalCode::Unavailable, false),
            (RefusalCode::Busy, false),
            (RefusalCode::BadRequest, false),
            (RefusalCode::Unproven, false),
        ] {
            let fault = JobFault::from(Refusal::new(code, "a", "b"));
            assert_eq!(fault.takes_back(), gone, "{code:?}");
        }
    }

    #[test]
    fn the_requests_number_is_told_once() {
        let fault = JobFault {
            refusal: Refusal::denied("no role covers acme/model", "ask"),
            request_id: Some("r1".into()),
        };
        assert_eq!(
            fault.told().sentence,
            "no role covers acme/model (request r1)"
        );
    }
}
