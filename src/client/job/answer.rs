//! What GitHub answered, and what the issuer's refusal means for a job (RFC 8693 §2.2.2).

use super::super::exchange::{ExchangedToken as OfIssuer, plain_token};
use oam_model::answer::EndpointFault;
use oam_model::granted::{Granted, TokenAnswer};
use oam_model::job::{JobFault, JobOrder, JobToken};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::{self, Secret};
use serde::Deserialize;

/// The ID token in GitHub's answer.
pub(super) fn actions_value(body: &[u8]) -> Result<Secret, Refusal> {
    #[derive(Deserialize)]
    struct Value {
        #[serde(with = "secret::wire")]
        value: Secret,
    }
    let read: Result<Value, _> = serde_json::from_slice(body);
    match read {
        Ok(Value { value }) if plain_token(&value).is_ok() && !value.is_empty() => Ok(value),
        _ => Err(Refusal::unavailable(
            "GitHub's answer holds no ID token",
            "try again; GitHub's status page tells of outages",
        )),
    }
}

/// A granted token as a job has it, at `now`, Unix seconds.
pub(super) fn token(of_issuer: OfIssuer, order: &JobOrder, now: u64) -> JobToken {
    let granting = of_issuer.granting;
    let granted = Granted {
        org: order.org.clone(),
        hub: order.hub.name.clone(),
        hub_url: order.hub.url.clone(),
        role: granting.role,
        repository: order.repository.clone(),
        action: granting.action,
        wider_than_asked: granting.wider_than_asked,
        expires_at: now.saturating_add(of_issuer.expires_in_s),
        token_sha256: of_issuer.sha256,
        epoch: 0,
        scheme: order.hub.scheme,
        username: order.hub.username.clone(),
        expires_in_s: of_issuer.expires_in_s,
    };
    JobToken {
        answer: TokenAnswer {
            granted,
            token: of_issuer.token,
        },
        rule: granting.rule,
        request_id: granting.request_id,
    }
}

/// No token. The issuer's own words are the organization's, made for people: they are shown. Of anybody
/// else who answered in its place only the code is.
pub(super) fn fault(fault: &EndpointFault, order: &JobOrder, sent_id: String) -> JobFault {
    if let (Some(refusal), Some(denial)) = (fault.refusal(), fault.denial()) {
        let id = Some(denial.request_id.clone()).filter(|id| !id.is_empty());
        return JobFault {
            refusal,
            request_id: id.or(Some(sent_id)),
        };
    }
    let (code, next) = match fault {
        EndpointFault::Status {
            status: 400 | 401 | 403,
            error: Some(code),
            ..
        } => (meaning(code), ASK),
        EndpointFault::Status { status: 429, .. } => (RefusalCode::Busy, ASK),
        EndpointFault::Status { .. } => (RefusalCode::Unavailable, ASK),
        _ => (RefusalCode::Unavailable, CHECK),
    };
    let said = super::words::of(fault);
    JobFault {
        refusal: Refusal::new(
            code,
            format!("the issuer of {} gave no token: {said}", order.org),
            next,
        ),
        // What did not leave is in nobody's log.
        request_id: (!matches!(fault, EndpointFault::NotSent { .. })).then_some(sent_id),
    }
}

const ASK: &str =
    "ask the administrators of the organization, who find this request in the issuer's log";
const CHECK: &str = "check the network between this job and the issuer, then run the job again";

/// RFC 6749 §5.2, RFC 8693 §2.2.2.
fn meaning(code: &str) -> RefusalCode {
    match code {
        "invalid_grant" => RefusalCode::Ended,
        "invalid_target" | "invalid_scope" | "access_denied" | "unauthorized_client" => {
            RefusalCode::Denied
        }
        _ => RefusalCode::Unavailable,
    }
}
