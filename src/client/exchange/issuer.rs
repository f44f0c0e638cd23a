//! The exchange at the organization's own issuer, for an agent and for a job alike: its request has one
//! form, and its answer says by which rule it was granted.

use super::super::http::fault::{plain_id, plain_text};
use super::super::http::{Answer, Http, Payload, TOTAL, Tokens, Via};
use super::answer::{self, ACCESS_TOKEN, sha256_hex, wrong};
use super::template::Parameters;
use super::{GRANT_TYPE, subject_type};
use oam_agent::ports::{Minted, TokenKey};
use oam_config::agent::IssuerExchange;
use oam_model::answer::EndpointFault;
use oam_model::name::{Repository, RoleName};
use oam_model::organization::Granting;
use oam_model::role::Action;
use oam_model::secret::Secret;
use reqwest::header::{HeaderMap, HeaderValue};
use std::sync::Arc;

/// Longest token that any policy can allow, seconds. The issuer alone grants, its lifetime included:
/// roles that were read before a change of the policy must not refuse what it says now.
const LONGEST_S: u64 = 86_400;

/// What is asked of the issuer.
pub struct IssuerTokenRequest<'a> {
    pub hub_url: &'a str,
    /// None: the whole hub.
    pub repository: Option<&'a Repository>,
    /// None: the issuer chooses, as for a job whose author named none.
    pub role: Option<&'a RoleName>,
    pub action: Action,
    /// By which both sides' records find each other.
    pub request_id: &'a str,
}

/// A role token of the issuer that is what was asked for.
pub struct ExchangedToken {
    pub token: Arc<Secret>,
    pub sha256: String,
    pub expires_in_s: u64,
    pub granting: Granting,
}

pub(super) async fn mint(
    http: &Http,
    via: &Via,
    endpoint: &IssuerExchange,
    subject: &Secret,
    order: &TokenKey,
    request_id: &str,
) -> Result<Minted, EndpointFault> {
    let asked = IssuerTokenRequest {
        hub_url: &order.hub_url,
        repository: order.repository.as_ref(),
        role: Some(&order.role),
        action: order.action,
        request_id,
    };
    let subject = (subject, subject_type(endpoint.subject));
    let answer = asked
        .send(http, via, &endpoint.token_endpoint, subject)
        .await?;
    let granted = asked.granted(answer, http.now().unix())?;
    Ok(Minted {
        sha256: granted.sha256,
        token: granted.token,
        expires_in_s: granted.expires_in_s,
        wider_than_asked: granted.granting.wider_than_asked,
        granting: Some(granted.granting),
    })
}

impl IssuerTokenRequest<'_> {
    /// Sends the exchange of a token of this type (RFC 8693 §2.1).
    pub async fn send(
        &self,
        http: &Http,
        via: &Via,
        url: &str,
        (subject, subject_type): (&Secret, &str),
    ) -> Result<Answer, EndpointFault> {
        let parameters = self.parameters();
        let mut pairs = vec![
            ("grant_type", GRANT_TYPE),
            ("subject_token", subject.expose()),
            ("subject_token_type", subject_type),
            ("requested_token_type", ACCESS_TOKEN),
        ];
        parameters.append_to(&mut pairs);
        let payload = Payload::form(&pairs);
        let headers = with_request_id(self.request_id);
        http.post_with(via, url, payload, headers, TOTAL).await
    }

    fn parameters(&self) -> Parameters {
        let below = |repository: &Repository| format!("{}/{}", self.hub_url, repository.encoded());
        Parameters {
            audience: Some(self.hub_url.to_owned()),
            resource: self.repository.map(below),
            scope: Some(scope(self.role, self.action)),
        }
    }

    /// The token of a successful answer, checked against what was asked, at `now`, Unix seconds.
    pub fn granted(&self, answer: Answer, now: u64) -> Result<ExchangedToken, EndpointFault> {
        let mut tokens = Tokens::read_of_issuer(answer)?;
        let granting = self.granting(tokens.oam.take())?;
        // Both say what the token is good for: where they differ, one of them is not the issuer's word.
        let scope = scope(Some(&granting.role), granting.action);
        let checked = answer::check(tokens, Some(&scope), LONGEST_S, now)?;
        Ok(ExchangedToken {
            sha256: sha256_hex(checked.token.expose()),
            token: Arc::new(checked.token),
            expires_in_s: checked.expires_in_s,
            granting,
        })
    }

    /// What the issuer says about the token, when it is what was asked for.
    fn granting(&self, said: Option<serde_json::Value>) -> Result<Granting, EndpointFault> {
        let said = said.ok_or_else(|| wrong("oam", "it is missing"))?;
        let said: Granting =
            serde_json::from_value(said).map_err(|_| wrong("oam", "it can't be read"))?;
        if self.role.is_some_and(|role| *role != said.role) {
            return Err(wrong("oam", "another role was given than was asked for"));
        }
        // A token that can do more than its grant says so by `wider_than_asked`: the action stays.
        if said.action > self.action {
            return Err(wrong("oam", "more was given than was asked for"));
        }
        // The record and the answer would name an action that the hub then refuses.
        if said.action < self.action {
            return Err(wrong("oam", "less was given than was asked for"));
        }
        let id = plain_id(&said.request_id);
        Ok(Granting {
            rule: plain_text(&said.rule),
            // Where something on the way put in an id of its own, the issuer's record has that one.
            request_id: if id.is_empty() {
                self.request_id.to_owned()
            } else {
                id
            },
            ..said
        })
    }
}

/// At most one role, and one action.
fn scope(role: Option<&RoleName>, action: Action) -> String {
    let action = action.word();
    role.map_or_else(|| action.to_owned(), |role| format!("role:{role} {action}"))
}

/// `X-Request-Id`, which joins both sides' records.
fn with_request_id(request_id: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(request_id) {
        headers.insert("x-request-id", value);
    }
    headers
}

#[cfg(test)]
mod tests;
