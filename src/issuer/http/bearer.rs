//! Who asks with a bearer: the same token that is exchanged (RFC 6750).

use crate::authorize::{self, AuthorizeError, AuthorizedPrincipal, DeniedPrincipal};
use crate::given_up;
use crate::grant::RequestOrigin;
use crate::record;
use crate::refused::{OAuthError, Refused};
use crate::state::{Issuer, LiveConfig};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use oam_model::audit::AuditEvent;
use oam_model::principal::Principal;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_policy::rate::Rate;
use oam_system::clock;

/// Bearer requests for one exchange: an agent asks for roles, polls and sends records besides.
const SHARE: u32 = 4;

/// Whose bearer it is. A refusal is on record.
///
/// # Errors
/// The refusal, with the error of RFC 6750 §3.1.
pub async fn verified(
    issuer: &Issuer,
    live_config: &LiveConfig,
    headers: &HeaderMap,
    origin: &RequestOrigin,
) -> Result<Principal, Refused> {
    let principal = match principal(issuer, live_config, headers, origin).await {
        Ok(principal) => principal,
        Err(refused) => return Err(refuse(issuer, origin, None, refused).await),
    };
    origin.proven(&principal.key);
    match paced(issuer, live_config, &principal) {
        Ok(()) => Ok(principal),
        Err(wait_s) => {
            let refused = Refused::too_many("this identity", wait_s);
            Err(refuse(issuer, origin, Some(&principal), refused).await)
        }
    }
}

/// Counts a request of this bearer.
///
/// # Errors
/// There were too many: seconds to wait.
pub fn paced(issuer: &Issuer, live_config: &LiveConfig, principal: &Principal) -> Result<(), u64> {
    let limits = &live_config.settings.limits;
    let rate = Rate::new(
        limits.exchanges_per_minute.saturating_mul(SHARE),
        limits.burst.saturating_mul(SHARE),
    );
    issuer
        .bearer_limiter
        .ask(rate, &principal.key, clock::steady())
}

async fn principal(
    issuer: &Issuer,
    live_config: &LiveConfig,
    headers: &HeaderMap,
    origin: &RequestOrigin,
) -> Result<Principal, Refused> {
    let token = token(headers)?;
    let verified = live_config
        .identities
        .bearer(&token, origin.from, clock::now());
    let principal = verified.await.map_err(Refused::of_bearer)?;
    // The leeway of clocks is for an exchange. A stream ends with its bearer, and must not begin again by it.
    if principal.expires_at <= clock::now_s() {
        return Err(Refused::of_bearer(Refusal::bad_request(
            "this bearer is over",
            "renew the token and try again",
        )));
    }
    given_up::not_given_up(issuer, live_config, &principal, &token)
        .await
        .map_err(Refused::of_bearer)?;
    Ok(principal)
}

/// The bearer, admitted and kept. A refusal is on record.
///
/// # Errors
/// The refusal: 401 for a bearer that is not good, 403 for one whose identity ended.
pub async fn admitted(
    issuer: &Issuer,
    live_config: &LiveConfig,
    headers: &HeaderMap,
    origin: &RequestOrigin,
) -> Result<AuthorizedPrincipal, Refused> {
    let principal = verified(issuer, live_config, headers, origin).await?;
    match authorize::admit_and_keep(issuer, principal).await {
        Ok(admitted) => Ok(admitted),
        Err(AuthorizeError::Unknown(refused)) => Err(refused),
        Err(AuthorizeError::Denied(barred)) => {
            let DeniedPrincipal {
                principal, refusal, ..
            } = *barred;
            let refused = Refused::of_bearer(refusal);
            Err(refuse(issuer, origin, Some(&principal), refused).await)
        }
    }
}

/// Counts a refusal, puts it on record, and tells what leaves: see [`record::refusal`].
pub async fn refuse(
    issuer: &Issuer,
    origin: &RequestOrigin,
    principal: Option<&Principal>,
    refused: Refused,
) -> Refused {
    let mut entry = issuer.entry(AuditEvent::Refusal);
    record::origin(&mut entry, origin);
    if let Some(principal) = principal {
        authorize::name(&mut entry, principal);
    }
    let refused = record::refusal(issuer, entry, refused, origin.from).await;
    issuer.metrics.refused(refused.refusal.code);
    refused
}

/// The token of `Authorization: Bearer`; the scheme without regard to case (RFC 9110 §11.1).
pub fn token(headers: &HeaderMap) -> Result<Secret, Refused> {
    let mut given = headers.get_all(AUTHORIZATION).iter();
    let value = match (given.next(), given.next()) {
        (Some(value), None) => value.to_str().unwrap_or_default(),
        _ => "",
    };
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() => {
            Ok(Secret::new(token.trim().to_owned()))
        }
        _ => Err(Refused::new(
            OAuthError::InvalidToken,
            Refusal::bad_request(
                "the request has no bearer",
                "send the token of the organization's identity provider as `Authorization: Bearer`",
            ),
        )),
    }
}
