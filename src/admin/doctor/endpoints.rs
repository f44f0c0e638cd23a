//! What a source's endpoints answer to a question that asks for nothing: whether they are there, and take our
//! credentials.

use super::remote::{PATIENCE, unreachable};
use super::{Finding, State};
use oam_issuer::outbound::{Auth, OutboundClient};
use oam_issuer::place;
use oam_model::answer::EndpointFault;
use oam_model::issuer::{AccessTokenCheck, IdentitySource};
use oam_model::principal::PrincipalKind;
use oam_model::secret::Secret;
use serde_json::Value;

/// No provider has issued it.
const NOBODYS: &str = "oam-issuer-doctor";

/// An endpoint's answer: its status, and its body where it is JSON.
pub(super) type Answered = Result<(u16, Value), EndpointFault>;

/// Asks those that the settings and the discovery document name.
pub(super) async fn look(
    source: &IdentitySource,
    outside: &OutboundClient,
    found: Option<&Value>,
) -> Vec<Finding> {
    let named = |member: &str| {
        let address = found.and_then(|found| found[member].as_str());
        address.map(str::to_owned)
    };
    let mut findings = Vec::new();
    if source.kind != PrincipalKind::Job
        && let Some(url) = named("token_endpoint")
    {
        let form = [("grant_type", "authorization_code")];
        let answered = post(outside, &url, &form, Auth::None).await;
        findings.extend(judge_token_endpoint(source, &url, &answered));
    }
    match &source.access_tokens {
        Some(AccessTokenCheck::Introspection {
            endpoint,
            client_id,
            client_secret,
        }) => match place::secret(client_secret, "client_secret") {
            Err(refusal) => findings.push(Finding::of(part(source), &refusal)),
            Ok(secret) => {
                if let Some(url) = endpoint.clone().or_else(|| named("introspection_endpoint")) {
                    let auth = Auth::Basic {
                        id: client_id,
                        secret: &secret,
                    };
                    let answered = post(outside, &url, &[("token", NOBODYS)], auth).await;
                    findings.extend(judge_introspection(source, &url, &answered));
                }
            }
        },
        Some(AccessTokenCheck::UserInfo { endpoint, .. }) => {
            if let Some(url) = endpoint.clone().or_else(|| named("userinfo_endpoint")) {
                let token = Secret::new(NOBODYS.to_owned());
                let asked = outside.within(PATIENCE).get_json(&url, Some(&token)).await;
                let answered = asked.map(|answer| (answer.status, Value::Null));
                findings.extend(judge_there(source, "userinfo_endpoint", &url, &answered));
            }
        }
        None => {}
    }
    findings
}

async fn post(
    outside: &OutboundClient,
    url: &str,
    form: &[(&str, &str)],
    auth: Auth<'_>,
) -> Answered {
    let answer = outside.within(PATIENCE).post_form(url, form, auth).await?;
    let body = serde_json::from_slice(&answer.body).unwrap_or(Value::Null);
    Ok((answer.status, body))
}

fn part(source: &IdentitySource) -> String {
    format!("source {}", source.name)
}

/// People sign in there; anything but "not here" shows that it is one.
pub(super) fn judge_token_endpoint(
    source: &IdentitySource,
    url: &str,
    answered: &Answered,
) -> Option<Finding> {
    judge_there(source, "token_endpoint", url, answered)
}

fn judge_there(
    source: &IdentitySource,
    name: &str,
    url: &str,
    answered: &Answered,
) -> Option<Finding> {
    let status = match answered {
        Err(fault) => return Some(unreachable(part(source), url, fault, State::Fault)),
        Ok((status @ (300..=399 | 404 | 405 | 410), _)) => *status,
        Ok(_) => return None,
    };
    Some(Finding::bad(
        part(source),
        State::Fault,
        format!("its `{name}` {url} answers {status}: it is not there"),
        "let the provider's administrators look at what its discovery names, and at the proxy before it; where the settings name the address, correct it",
    ))
}

/// RFC 7662 §2.2: of a token that nobody issued it says `"active": false`.
pub(super) fn judge_introspection(
    source: &IdentitySource,
    url: &str,
    answered: &Answered,
) -> Option<Finding> {
    let fault = |sentence: String, next: &str| {
        Some(Finding::bad(part(source), State::Fault, sentence, next))
    };
    if let Some(gone) = judge_there(source, "introspection_endpoint", url, answered) {
        return Some(gone);
    }
    let (status, body) = answered.as_ref().ok()?;
    match status {
        401 | 403 => fault(
            format!(
                "its introspection endpoint {url} does not take this issuer's credentials ({status})"
            ),
            "correct `client_id` and `client_secret` of `access_tokens`, and let that client introspect",
        ),
        200 if body["active"].as_bool() == Some(false) => None,
        200 if body["active"].as_bool() == Some(true) => fault(
            format!("its introspection endpoint {url} calls a token active that nobody issued"),
            "don't let it decide: check access tokens another way, and tell the provider's administrators",
        ),
        200 => fault(
            format!("{url} gives no answer of introspection: `active` is missing"),
            "name the introspection endpoint in `access_tokens`",
        ),
        _ => fault(
            format!(
                "its introspection endpoint {url} answers {status} to a question about a token that nobody issued"
            ),
            "access tokens are refused meanwhile: look at the provider, and at `access_tokens`",
        ),
    }
}
