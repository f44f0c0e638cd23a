//! The exchange at the organization's own issuer: its request has one form, and its answer says by which
//! rule it was granted.

use super::super::http::fault::{plain_id, plain_text};
use super::super::http::{Http, Payload, TOTAL, Tokens, Via};
use super::answer::{self, ACCESS_TOKEN, sha256_hex, wrong};
use super::template::{Parameters, plain};
use super::{GRANT_TYPE, subject_type};
use crate::agent::ports::{MintOrder, Minted};
use crate::config::agent::Issuer;
use crate::model::answer::EndpointFault;
use crate::model::organization::Granting;
use crate::model::secret::Secret;
use reqwest::header::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// Longest token that any policy can allow, seconds. The issuer alone grants, its lifetime included:
/// roles that were read before a change of the policy must not refuse what it says now.
const LONGEST_S: u64 = 86_400;

pub(super) async fn mint(
    http: &Http,
    via: &Via,
    endpoint: &Issuer,
    subject: &Secret,
    order: &MintOrder,
    request_id: &str,
) -> Result<Minted, EndpointFault> {
    let asked = parameters(order).map_err(|why| EndpointFault::NotSent { why })?;
    let mut pairs = vec![
        ("grant_type", GRANT_TYPE),
        ("subject_token", subject.expose()),
        ("subject_token_type", subject_type(endpoint.subject)),
        ("requested_token_type", ACCESS_TOKEN),
    ];
    asked.append_to(&mut pairs);
    let payload = Payload::form(&pairs);
    let headers = with_request_id(request_id);
    let answer = http
        .post_with(via, &endpoint.token_endpoint, payload, headers, TOTAL)
        .await?;
    let mut tokens = Tokens::read_of_issuer(answer)?;
    let granting = granting(tokens.oam.take(), order, request_id)?;
    let longest = MintOrder {
        lifetime_s: LONGEST_S,
        ..order.clone()
    };
    let checked = answer::check(tokens, &asked, &longest, http.now().unix())?;
    Ok(Minted {
        sha256: sha256_hex(checked.token.expose()),
        token: Arc::new(checked.token),
        expires_in_s: checked.expires_in_s,
        wider_than_asked: granting.wider_than_asked,
        granting: Some(granting),
    })
}

fn parameters(order: &MintOrder) -> Result<Parameters, String> {
    let resource = match &order.repository {
        Some(repository) => Some(format!("{}/{}", order.hub_url, plain(repository)?)),
        None => None,
    };
    Ok(Parameters {
        audience: Some(order.hub_url.clone()),
        resource,
        scope: Some(format!("role:{} {}", order.role, order.action.word())),
    })
}

/// `X-Request-Id`, which joins both sides' records.
pub(super) fn with_request_id(request_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    headers
}

/// What the issuer says about the token, when it is what was asked for.
fn granting(
    said: Option<serde_json::Value>,
    order: &MintOrder,
    request_id: &str,
) -> Result<Granting, EndpointFault> {
    let said = said.ok_or_else(|| wrong("oam", "it is missing"))?;
    let said: Granting =
        serde_json::from_value(said).map_err(|_| wrong("oam", "it can't be read"))?;
    if said.role != order.role {
        return Err(wrong("oam", "the token was issued to another role"));
    }
    if said.action > order.action {
        return Err(wrong("oam", "more was given than was asked for"));
    }
    let id = plain_id(&said.request_id);
    Ok(Granting {
        rule: plain_text(&said.rule),
        // Where something on the way put in an id of its own, the issuer's record has that one.
        request_id: if id.is_empty() {
            request_id.to_owned()
        } else {
            id
        },
        ..said
    })
}
