//! A CI job's way to a role token: the organization's set-up, GitHub's ID token, the exchange.
//!
//! No agent is there, so each call has an event loop and HTTP client of its own. Keeping one for the
//! whole of `oam exec` was rejected: it would hold threads and connections for hours to save 40 ms
//! once in a quarter of an hour.

mod answer;
#[cfg(test)]
mod tests;

use super::clock::{SystemClock, fill};
use super::http::{Answer, Http, Payload, TOTAL, Via, endpoint};
use super::oidc::words;
use super::organization::published;
use crate::model::answer::EndpointFault;
use crate::model::job::{ActionsRequest, JobFault, JobOrder, JobOutside, JobToken};
use crate::model::organization::Organization;
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::secret::Secret;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use std::future::Future;
use std::rc::Rc;

/// `grant_type` of RFC 8693.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// What a job's identity is (RFC 8693 §3).
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// By which both sides' records find each other.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Jobs of this machine.
#[derive(Debug, Clone, Copy)]
pub struct Jobs;

impl JobOutside for Jobs {
    fn organization(&self, issuer: &str) -> Result<Organization, Refusal> {
        blocking(|http| async move { published(&http, &Via::default(), issuer).await })?
    }

    fn actions_token(&self, request: &ActionsRequest, audience: &str) -> Result<Secret, Refusal> {
        blocking(|http| async move { actions_token(&http, request, audience).await })?
    }

    fn exchange(&self, order: &JobOrder, subject: &Secret) -> Result<JobToken, JobFault> {
        blocking(|http| async move { exchange(&http, order, subject).await })?
    }
}

/// Runs one call to its end on this thread.
fn blocking<F: Future>(call: impl FnOnce(Rc<Http>) -> F) -> Result<F::Output, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| {
            Refusal::unavailable(
                format!("the event loop can't be started: {}", error.kind()),
                "look at the limits of open files and processes",
            )
        })?;
    let http = Rc::new(Http::new(Rc::new(SystemClock)));
    Ok(runtime.block_on(call(http)))
}

async fn actions_token(
    http: &Http,
    request: &ActionsRequest,
    audience: &str,
) -> Result<Secret, Refusal> {
    let url = actions_url(&request.url, audience)?;
    let headers = bearer(&request.token).ok_or_else(|| {
        Refusal::unavailable(
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN holds characters that no token has",
            "leave the variable as the runner set it",
        )
    })?;
    let answer = http
        .get_with(&Via::default(), &url, headers, TOTAL)
        .await
        .and_then(Answer::ok)
        .map_err(|fault| actions_refused(&fault))?;
    answer::actions_value(&answer.body)
}

/// GitHub's request URL has a query already; the audience is added to it.
fn actions_url(given: &str, audience: &str) -> Result<String, Refusal> {
    let mut url = endpoint(given).map_err(|why| {
        Refusal::unavailable(
            format!("ACTIONS_ID_TOKEN_REQUEST_URL can't be used: {why}"),
            "leave the variable as the runner set it",
        )
    })?;
    url.query_pairs_mut().append_pair("audience", audience);
    Ok(url.into())
}

fn bearer(token: &Secret) -> Option<HeaderMap> {
    let text = zeroize::Zeroizing::new(format!("Bearer {}", token.expose()));
    let mut value = HeaderValue::from_str(&text).ok()?;
    value.set_sensitive(true);
    Some(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

fn actions_refused(fault: &EndpointFault) -> Refusal {
    let refused = matches!(
        fault,
        EndpointFault::Status {
            status: 400..=404,
            ..
        }
    );
    let next = if refused {
        "add `permissions: id-token: write` to the job; a pull request from a fork never gets it"
    } else {
        "try again; GitHub's status page tells of outages"
    };
    Refusal::unavailable(
        format!("GitHub gave no ID token for this job: {}", words::of(fault)),
        next,
    )
}

async fn exchange(http: &Http, order: &JobOrder, subject: &Secret) -> Result<JobToken, JobFault> {
    let scope = scope(order);
    let below = |repository| format!("{}/{repository}", order.hub.url);
    let resource = order.repository.as_ref().map(below);
    let mut pairs = vec![
        ("grant_type", GRANT_TYPE),
        ("subject_token", subject.expose()),
        ("subject_token_type", ID_TOKEN),
        ("requested_token_type", answer::ACCESS_TOKEN),
        ("audience", order.hub.url.as_str()),
        ("scope", scope.as_str()),
    ];
    if let Some(resource) = &resource {
        pairs.push(("resource", resource.as_str()));
    }
    let id = request_id();
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(&id) {
        headers.insert(REQUEST_ID, value);
    }
    let answered = http
        .post_with(
            &Via::default(),
            &order.token_endpoint,
            Payload::form(&pairs),
            headers,
            TOTAL,
        )
        .await;
    let answer = answered.map_err(|fault| JobFault {
        // What did not leave is in nobody's log.
        request_id: (!matches!(fault, EndpointFault::NotSent { .. })).then(|| id.clone()),
        refusal: unanswered(order, &fault),
    })?;
    if answer.status == 200 {
        answer::granted(&answer, order, http.now().unix()).map_err(|fault| JobFault {
            refusal: unanswered(order, &fault),
            request_id: Some(id),
        })
    } else {
        Err(answer::denied(answer, order, id))
    }
}

/// At most one role, and one action.
fn scope(order: &JobOrder) -> String {
    let action = order.action.word();
    order
        .role
        .as_ref()
        .map_or_else(|| action.to_owned(), |role| format!("role:{role} {action}"))
}

/// Ours to choose, so that a request whose answer was lost can be found, too.
fn request_id() -> String {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    format!("job-{:032x}", u128::from_ne_bytes(bytes))
}

fn unanswered(order: &JobOrder, fault: &EndpointFault) -> Refusal {
    Refusal::new(
        RefusalCode::Unavailable,
        format!(
            "the issuer of {} gave no token: {}",
            order.org,
            words::of(fault)
        ),
        "check the network between this job and the issuer, then run the job again",
    )
}
