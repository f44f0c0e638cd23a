//! `/signals/ssf` (RFC 8935) and `/signals/logout` (`OpenID` Connect Back-Channel Logout 1.0).

use super::answer;
use super::bearer;
use super::body::{self, Form};
use crate::grant::RequestOrigin;
use crate::record;
use crate::refused::{OAuthError, Refused};
use crate::signal_processor::{self, SignalProcessor};
use crate::signals::SignalError;
use crate::state::Issuer;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_model::signal::{Signal, SignalMeaning};
use oam_system::clock;
use serde_json::json;
use std::sync::Arc;

/// Why a signal was not taken: the word of its protocol, our sentence, the status.
struct DeniedSignal {
    status: u16,
    word: &'static str,
    sentence: String,
    code: RefusalCode,
}

/// A pushed security event: 202 when it is on disk, 400 when it is wrong, 503 when it must come again.
pub async fn security_event(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match event(&issuer, &origin, &headers, body).await {
        Ok(()) => answer::empty(202),
        Err(denied) => {
            let denied = put_on_record(&issuer, &origin, denied).await;
            let body = json!({ "err": denied.word, "description": denied.sentence });
            answer::json(denied.status, &body)
        }
    }
}

async fn event(
    issuer: &Issuer,
    origin: &RequestOrigin,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), DeniedSignal> {
    let most = issuer
        .live_config()
        .settings
        .limits
        .body_bytes
        .min(body::FORM);
    let bytes = body::read(issuer, headers, body, &["application/secevent+jwt"], most).await;
    let bytes = bytes.map_err(malformed)?;
    let token = text(&bytes)?;
    let shown = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .map(|value| Secret::new(value.to_owned()));
    let live_config = issuer.live_config();
    let verified = live_config
        .signals
        .security_event(&token, shown.as_ref(), clock::now());
    let signal = verified.await.map_err(denied_by)?;
    applied(issuer, origin, &signal).await
}

/// A logout token: 200 when it is on disk.
pub async fn logout(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match left(&issuer, &origin, &headers, body).await {
        Ok(()) => answer::empty(200),
        Err(denied) => {
            let denied = put_on_record(&issuer, &origin, denied).await;
            let body = json!({ "error": denied.word, "error_description": denied.sentence });
            answer::json(denied.status, &body)
        }
    }
}

async fn left(
    issuer: &Issuer,
    origin: &RequestOrigin,
    headers: &HeaderMap,
    body: Body,
) -> Result<(), DeniedSignal> {
    let form = Form::read(issuer, headers, body).await;
    let token = form.and_then(|mut form| form.secret("logout_token"));
    let token = token.map_err(malformed)?;
    let live_config = issuer.live_config();
    let told = live_config.signals.logout(&token, clock::now()).await;
    for signal in &told.verified {
        applied(issuer, origin, signal).await?;
    }
    told.error.map_or(Ok(()), |error| Err(denied_by(error)))
}

/// Carries a verified signal out. What hubs have to be told is told afterwards: the sender does not
/// wait for it.
async fn applied(
    issuer: &Issuer,
    origin: &RequestOrigin,
    signal: &Signal,
) -> Result<(), DeniedSignal> {
    // Other groups and another policy together can take a role that neither takes alone.
    let _alone = match signal.meaning {
        SignalMeaning::ClaimsChanged { .. } => Some(issuer.directories.turn().await),
        _ => None,
    };
    let live_config = issuer.live_config();
    let standing = SignalProcessor {
        store: &*issuer.store,
        policy: &live_config.policy,
    };
    let from = origin.from.to_string();
    let of = signal_processor::SignalOrigin {
        request_id: Some(&origin.request_id),
        from: Some(&from),
    };
    let applied = standing.apply(signal, of, clock::now_ms()).await;
    let applied = applied.map_err(|fault| unavailable(&fault.refusal()))?;
    let outcome = if applied.replayed {
        "replayed"
    } else if applied.people.is_empty() {
        "noted"
    } else {
        "applied"
    };
    issuer.metrics.signal(outcome);
    for key in &applied.people {
        issuer.feeds.wake(key);
    }
    if let Some(why) = &applied.alarm {
        if applied.people.is_empty() {
            issuer.metrics.signals_unmatched.inc();
        }
        issuer.metrics.alarm("signal");
        tracing::error!(
            why,
            request_id = origin.request_id,
            "alarm: a signal that a person must look at"
        );
    }
    record::settle(issuer, applied.revoked);
    Ok(())
}

fn text(bytes: &[u8]) -> Result<Secret, DeniedSignal> {
    std::str::from_utf8(bytes)
        .map(|text| Secret::new(text.trim().to_owned()))
        .map_err(|_| {
            malformed(Refused::bad_request(
                "the body is not text",
                "send the signed token alone",
            ))
        })
}

fn malformed(refused: Refused) -> DeniedSignal {
    if refused.refusal.code == RefusalCode::Unavailable {
        return unavailable(&refused.refusal);
    }
    DeniedSignal {
        // RFC 8935 §2.3 knows 400 only.
        status: if refused.status == Some(408) {
            408
        } else {
            400
        },
        word: "invalid_request",
        sentence: refused.refusal.sentence,
        code: RefusalCode::BadRequest,
    }
}

fn denied_by(error: SignalError) -> DeniedSignal {
    match error {
        SignalError::Rejected(rejected) => DeniedSignal {
            status: 400,
            word: rejected.err.word(),
            sentence: rejected.description,
            code: RefusalCode::BadRequest,
        },
        SignalError::Unavailable(refusal) => unavailable(&refusal),
    }
}

fn unavailable(refusal: &Refusal) -> DeniedSignal {
    DeniedSignal {
        status: 503,
        word: "temporarily_unavailable",
        sentence: refusal.sentence.clone(),
        code: RefusalCode::Unavailable,
    }
}

async fn put_on_record(
    issuer: &Issuer,
    origin: &RequestOrigin,
    denied: DeniedSignal,
) -> DeniedSignal {
    issuer.metrics.signal("refused");
    let refusal = Refusal::new(
        denied.code,
        format!("a signal was refused: {}", denied.sentence),
        "compare the transmitter's settings with the issuer's",
    );
    let refused = Refused::of_exchange(refusal, false);
    let told = bearer::refuse(issuer, origin, None, refused).await;
    if told.error == OAuthError::SlowDown && denied.status != 503 {
        // Its sender tries again, as after an outage.
        return DeniedSignal {
            status: 503,
            word: "temporarily_unavailable",
            sentence: told.refusal.sentence,
            code: told.refusal.code,
        };
    }
    denied
}
