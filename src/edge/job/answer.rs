//! What the issuer and GitHub answered, each rule by name (R33; RFC 8693 §2.2).

use super::super::exchange::sha256_hex;
use super::super::http::tokens::ExpiresIn;
use super::super::http::{Answer, Tokens, fault::plain_code};
use crate::model::answer::EndpointFault;
use crate::model::granted::{Granted, TokenAnswer};
use crate::model::job::{JobFault, JobOrder, JobToken};
use crate::model::organization::{Denial, Granting};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::model::secret::{self, Secret};
use serde::Deserialize;
use std::sync::Arc;

/// RFC 8693 §3.
pub(super) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
/// Longest token, bytes: it must fit a line of git's protocol and a header.
const TOKEN_CAP: usize = 16 * 1024;
/// Longest life of a role token anywhere, seconds.
const LONGEST_S: u64 = 86_400;
/// Longest text of the issuer that is shown, characters.
const WORDS: usize = 400;

/// The ID token in GitHub's answer.
pub(super) fn actions_value(body: &[u8]) -> Result<Secret, Refusal> {
    #[derive(Deserialize)]
    struct Value {
        #[serde(with = "secret::wire")]
        value: Secret,
    }
    let read: Result<Value, _> = serde_json::from_slice(body);
    match read {
        Ok(Value { value }) if plain(&value).is_ok() => Ok(value),
        _ => Err(Refusal::unavailable(
            "GitHub's answer holds no ID token",
            "try again; GitHub's status page tells of outages",
        )),
    }
}

/// A granted token, checked against what was asked, at `now`, Unix seconds.
pub(super) fn granted(
    answer: &Answer,
    order: &JobOrder,
    now: u64,
) -> Result<JobToken, EndpointFault> {
    #[derive(Deserialize)]
    struct Ours {
        oam: Granting,
    }
    let tokens: Tokens = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    let Ours { oam } = serde_json::from_slice(&answer.body).map_err(|_| unreadable())?;
    let expires_in_s = lifetime(tokens.expires_in)?;
    kind(&tokens)?;
    // The issuer says what it granted; it may be more than was asked only where it says so itself.
    if oam.action > order.action && !oam.wider_than_asked {
        return Err(wrong("scope", "more was given than was asked for"));
    }
    if oam.action < order.action {
        return Err(wrong("scope", "less was given than was asked for"));
    }
    if order.role.as_ref().is_some_and(|role| *role != oam.role) {
        return Err(wrong("scope", "another role was given than was asked for"));
    }
    let token = tokens
        .access_token
        .ok_or_else(|| wrong("access_token", "it is missing"))?;
    plain(&token)?;
    let granted = Granted {
        org: order.org.clone(),
        hub: order.hub.name.clone(),
        hub_url: order.hub.url.clone(),
        role: oam.role,
        repository: order.repository.clone(),
        action: oam.action,
        wider_than_asked: oam.wider_than_asked,
        expires_at: now.saturating_add(expires_in_s),
        token_sha256: sha256_hex(token.expose()),
        epoch: 0,
        scheme: order.hub.scheme,
        username: order.hub.username.clone(),
        expires_in_s,
    };
    Ok(JobToken {
        answer: TokenAnswer {
            granted,
            token: Arc::new(token),
        },
        rule: shown(&oam.rule),
        request_id: plain_code(&oam.request_id).unwrap_or_default(),
    })
}

fn kind(tokens: &Tokens) -> Result<(), EndpointFault> {
    if tokens.issued_token_type.as_deref() != Some(ACCESS_TOKEN) {
        return Err(wrong(
            "issued_token_type",
            "it is missing, or another kind of token was issued",
        ));
    }
    let bearer = tokens.token_type.as_deref();
    if !bearer.is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(wrong("token_type", "the token is not a bearer token"));
    }
    Ok(())
}

fn lifetime(said: ExpiresIn) -> Result<u64, EndpointFault> {
    match said.seconds() {
        Some(1..=LONGEST_S) => said
            .seconds()
            .ok_or_else(|| wrong("expires_in", "it is missing")),
        Some(0) => Err(wrong("expires_in", "the token has expired already")),
        Some(_) => Err(wrong("expires_in", "the token lives longer than a day")),
        None => Err(wrong("expires_in", "it is missing or no number")),
    }
}

/// It goes into a line protocol and into headers: visible ASCII only, no space.
fn plain(token: &Secret) -> Result<(), EndpointFault> {
    let text = token.expose();
    if text.is_empty() || text.len() > TOKEN_CAP || !text.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("access_token", "it is no token that can be used"));
    }
    Ok(())
}

/// A refusal. The issuer's own words are the organization's, made for people: they are shown, cut
/// and without control characters. Of anybody else who answered in its place only the code is.
pub(super) fn denied(answer: Answer, order: &JobOrder, sent_id: String) -> JobFault {
    #[derive(Deserialize)]
    struct Ours {
        oam: Denial,
    }
    let ours: Option<Ours> = serde_json::from_slice(&answer.body).ok();
    // From 500 on nothing was decided, whatever stands in the body.
    if let Some(Ours { oam }) = ours.filter(|_| answer.status < 500) {
        return JobFault {
            refusal: Refusal::new(oam.code, shown(&oam.sentence), shown(&oam.next)),
            request_id: plain_code(&oam.request_id).or(Some(sent_id)),
        };
    }
    let (status, fault) = (answer.status, answer.ok().err());
    let code = match &fault {
        Some(EndpointFault::Status {
            status: 400 | 401 | 403,
            error: Some(code),
            ..
        }) => meaning(code),
        _ if status == 429 => RefusalCode::Busy,
        _ => RefusalCode::Unavailable,
    };
    let said = fault.map_or_else(String::new, |fault| super::words::of(&fault));
    JobFault {
        refusal: Refusal::new(
            code,
            format!("the issuer of {} gave no token: {said}", order.org),
            "ask the administrators of the organization, who find this request in the issuer's log",
        ),
        request_id: Some(sent_id),
    }
}

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

fn shown(text: &str) -> String {
    text.chars()
        .filter(|c| !c.is_control())
        .take(WORDS)
        .collect()
}

fn wrong(name: &str, why: &str) -> EndpointFault {
    EndpointFault::Check {
        name: name.to_owned(),
        why: why.to_owned(),
    }
}

fn unreadable() -> EndpointFault {
    EndpointFault::Unreadable {
        why: "the answer is not an OAM issuer's".to_owned(),
    }
}
