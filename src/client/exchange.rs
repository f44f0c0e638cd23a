//! From a session's token to a role token: RFC 8693 at any token endpoint, its answer checked (R33).

mod answer;
mod issuer;
mod template;
#[cfg(test)]
mod tests;

pub use answer::plain as plain_token;
pub use issuer::{ExchangedToken, IssuerTokenRequest};

use super::http::{Answer, Http, Payload, TOTAL, Tokens, Via, way_of};
use super::words;
use oam_agent::ports::{LocalBoxFuture, Minted, TokenEndpoint, TokenKey};
use oam_config::agent::{Body, Exchange as Kind, Org, Rfc8693, SubjectToken};
use oam_model::answer::EndpointFault;
use oam_model::secret::Secret;
use std::rc::Rc;
use std::sync::Arc;
use template::Parameters;

/// `grant_type` of RFC 8693.
const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// Token exchange over HTTP.
#[derive(Clone)]
pub struct TokenExchange(Rc<Http>);

impl TokenExchange {
    /// The clock is the one of `http`.
    pub const fn new(http: Rc<Http>) -> Self {
        Self(http)
    }
}

impl TokenEndpoint for TokenExchange {
    fn mint(
        &self,
        org: &Org,
        subject: Arc<Secret>,
        order: TokenKey,
        request_id: String,
    ) -> LocalBoxFuture<Result<Minted, EndpointFault>> {
        let (http, via) = (Rc::clone(&self.0), way_of(&org.provider));
        let kind = org.exchange.clone();
        Box::pin(async move {
            match kind {
                Kind::Rfc8693(endpoint) => mint(&http, &via, &endpoint, &subject, &order).await,
                Kind::Issuer(endpoint) => {
                    issuer::mint(&http, &via, &endpoint, &subject, &order, &request_id).await
                }
            }
        })
    }

    fn revoke(&self, org: &Org, token: Arc<Secret>) -> LocalBoxFuture<Result<bool, String>> {
        let (http, via) = (Rc::clone(&self.0), way_of(&org.provider));
        let (endpoint, client) = match &org.exchange {
            Kind::Rfc8693(endpoint) => (
                endpoint.revocation_endpoint.clone(),
                endpoint.client_id.clone(),
            ),
            Kind::Issuer(endpoint) => (Some(endpoint.revocation_endpoint.clone()), None),
        };
        Box::pin(async move {
            match endpoint {
                Some(url) => revoke(&http, &via, &url, client.as_deref(), &token).await,
                None => Ok(false),
            }
        })
    }
}

async fn mint(
    http: &Http,
    via: &Via,
    endpoint: &Rfc8693,
    subject: &Secret,
    order: &TokenKey,
) -> Result<Minted, EndpointFault> {
    let parameters =
        Parameters::fill(endpoint, order).map_err(|why| EndpointFault::Unfit { why })?;
    let mut pairs = vec![
        ("grant_type", GRANT_TYPE),
        ("subject_token", subject.expose()),
        ("subject_token_type", subject_type(endpoint.subject)),
        ("requested_token_type", answer::ACCESS_TOKEN),
    ];
    if let Some(client) = &endpoint.client_id {
        pairs.push(("client_id", client));
    }
    parameters.append_to(&mut pairs);
    let payload = match endpoint.body {
        Body::Form => Payload::form(&pairs),
        Body::Json => Payload::object(&pairs).map_err(|why| EndpointFault::NotSent { why })?,
    };
    let url = &endpoint.token_endpoint;
    let tokens = Tokens::read(http.post(via, url, payload, TOTAL).await?)?;
    let scope = parameters.scope.as_deref();
    let checked = answer::check(tokens, scope, order.lifetime_s, http.now().unix())?;
    Ok(Minted {
        sha256: answer::sha256_hex(checked.token.expose()),
        token: Arc::new(checked.token),
        expires_in_s: checked.expires_in_s,
        wider_than_asked: template::wider_than_asked(endpoint, order),
        granting: None,
    })
}

const fn subject_type(subject: SubjectToken) -> &'static str {
    match subject {
        SubjectToken::IdToken => "urn:ietf:params:oauth:token-type:id_token",
        SubjectToken::AccessToken => answer::ACCESS_TOKEN,
    }
}

async fn revoke(
    http: &Http,
    via: &Via,
    url: &str,
    client: Option<&str>,
    token: &Secret,
) -> Result<bool, String> {
    let mut pairs = vec![
        ("token", token.expose()),
        ("token_type_hint", "access_token"),
    ];
    if let Some(client) = client {
        pairs.push(("client_id", client));
    }
    // RFC 7009 is a form, whatever the exchange itself wants.
    let sent = http.post(via, url, Payload::form(&pairs), TOTAL).await;
    match sent.and_then(Answer::ok) {
        Ok(_) => Ok(true),
        Err(fault) => Err(words::of(&fault)),
    }
}
