//! A CI job's way to a role token: the organization's set-up, GitHub's ID token, the exchange.
//!
//! No agent is there, so each call has an event loop and HTTP client of its own. Keeping one for the
//! whole of `oam exec` was rejected: it would hold threads and connections for hours to save 40 ms
//! once in a quarter of an hour.

mod answer;
#[cfg(test)]
mod tests;

use super::clock::SystemClock;
use super::exchange::IssuerTokenRequest;
use super::http::{Answer, Http, TOTAL, Via, endpoint};
use super::organization::published;
use super::words;
use oam_model::answer::EndpointFault;
use oam_model::job::{ActionsRequest, JobFault, JobOrder, JobOutside, JobToken};
use oam_model::organization::Organization;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_system::clock::fill;
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use std::future::Future;
use std::rc::Rc;

/// What a job's identity is (RFC 8693 §3).
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";

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
    let id = request_id();
    let asked = IssuerTokenRequest {
        hub_url: &order.hub.url,
        repository: order.repository.as_ref(),
        role: order.role.as_ref(),
        action: order.action,
        request_id: &id,
    };
    let endpoint = &order.token_endpoint;
    let granted = asked
        .send(http, &Via::default(), endpoint, (subject, ID_TOKEN))
        .await
        .and_then(|answer| asked.granted(answer, http.now().unix()));
    match granted {
        Ok(granted) => Ok(answer::token(granted, order, http.now().unix())),
        Err(fault) => Err(answer::fault(&fault, order, id)),
    }
}

/// Ours to choose, so that a request whose answer was lost can be found, too.
fn request_id() -> String {
    let mut bytes = [0; 16];
    fill(&mut bytes);
    format!("job-{:032x}", u128::from_ne_bytes(bytes))
}
