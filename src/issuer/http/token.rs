//! `POST /oauth/token`: RFC 8693.

use super::answer;
use super::body::Form;
use crate::grant::{self, ExchangeRequest, IssuedToken, RequestOrigin};
use crate::identity::SubjectTokenKind;
use crate::record;
use crate::refused::{OAuthError, Refused};
use crate::state::Issuer;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::response::Response;
use oam_model::audit::AuditEvent;
use oam_model::organization::Granting;
use oam_model::secret::{self, Secret};
use oam_policy::wanted::{self, ParameterError};
use oam_system::clock;
use serde::Serialize;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::runtime::Handle;

const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";

/// RFC 8693 §2.2.1.
#[derive(Serialize)]
struct TokenAnswer<'a> {
    #[serde(with = "secret::wire")]
    access_token: &'a Secret,
    issued_token_type: &'static str,
    token_type: &'static str,
    expires_in: u64,
    scope: String,
    oam: &'a Granting,
}

/// Work that is not broken off when its caller goes away, because something has to be put on record: it is
/// finished in a task of its own then. Rejected: a task for each exchange, which costs two switches between
/// tasks for the few whose caller goes away.
struct ToItsEnd(Option<Pin<Box<dyn Future<Output = Granted> + Send>>>);

type Granted = Result<IssuedToken, Refused>;

impl ToItsEnd {
    fn new(work: impl Future<Output = Granted> + Send + 'static) -> Self {
        Self(Some(Box::pin(work)))
    }
}

impl Future for ToItsEnd {
    type Output = Granted;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Granted> {
        let Some(mut work) = self.0.take() else {
            return Poll::Pending;
        };
        let polled = work.as_mut().poll(context);
        if polled.is_pending() {
            self.0 = Some(work);
        }
        polled
    }
}

impl Drop for ToItsEnd {
    fn drop(&mut self) {
        if let (Some(work), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(work);
        }
    }
}

pub async fn exchange(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let began = clock::steady();
    let outcome = match ask(&issuer, &origin, &headers, body).await {
        Ok(ask) => ToItsEnd::new(grant::exchange(Arc::clone(&issuer), ask)).await,
        Err(refused) => {
            let mut entry = issuer.entry(AuditEvent::Refusal);
            record::origin(&mut entry, &origin);
            let refused = record::refusal(&issuer, entry, refused, origin.from).await;
            issuer.metrics.refused_exchange(refused.refusal.code);
            Err(refused)
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "a latency in microseconds fits")]
    let seconds = clock::steady().since_us(began) as f64 / 1_000_000.0;
    issuer.metrics.exchange_seconds.observe(seconds);
    match outcome {
        Ok(grant) => answered(&grant),
        Err(refused) => answer::refused(&refused, &origin.request_id),
    }
}

fn answered(grant: &IssuedToken) -> Response {
    let granting = &grant.granting;
    answer::secret_json(&TokenAnswer {
        access_token: &grant.token,
        issued_token_type: ACCESS_TOKEN,
        token_type: "Bearer",
        expires_in: grant.expires_in_s,
        scope: format!("role:{} {}", granting.role, granting.action.word()),
        oam: granting,
    })
}

async fn ask(
    issuer: &Issuer,
    origin: &RequestOrigin,
    headers: &HeaderMap,
    body: Body,
) -> Result<ExchangeRequest, Refused> {
    let mut form = Form::read(issuer, headers, body).await?;
    if form.need("grant_type")? != EXCHANGE {
        return Err(Refused {
            error: OAuthError::UnsupportedGrantType,
            ..Refused::bad_request(
                "the issuer exchanges tokens, and nothing else",
                format!("use the grant type {EXCHANGE}"),
            )
        });
    }
    if form
        .get("requested_token_type")
        .is_some_and(|kind| kind != ACCESS_TOKEN)
    {
        return Err(Refused::bad_request(
            "the issuer gives access tokens only",
            "leave `requested_token_type` out",
        ));
    }
    if form.get("actor_token").is_some() {
        return Err(Refused::bad_request(
            "the issuer takes no actor token",
            "send the token of the person or job as `subject_token` only",
        ));
    }
    let kind = match form.need("subject_token_type")? {
        ID_TOKEN => SubjectTokenKind::Id,
        ACCESS_TOKEN => SubjectTokenKind::Access,
        JWT => SubjectTokenKind::Jwt,
        _ => {
            return Err(Refused::bad_request(
                "`subject_token_type` is none that the issuer takes",
                "send an ID token, an access token or a JWT, and say which",
            ));
        }
    };
    let live_config = issuer.live_config();
    let wanted = wanted::read(
        &live_config.settings.hubs,
        form.get("audience"),
        form.get("resource"),
        form.get("scope"),
    )
    .map_err(unclear)?;
    Ok(ExchangeRequest {
        token: form.secret("subject_token")?,
        kind,
        wanted,
        origin: origin.clone(),
    })
}

fn unclear(unclear: ParameterError) -> Refused {
    match unclear {
        ParameterError::Target(refusal) => Refused::new(OAuthError::InvalidTarget, refusal),
        ParameterError::Scope(refusal) => Refused::new(OAuthError::InvalidScope, refusal),
    }
}
