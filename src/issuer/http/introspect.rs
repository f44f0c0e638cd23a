//! `POST /oauth/introspect`: RFC 7662, for registered hubs.

use super::answer;
use super::bearer;
use super::body::Form;
use crate::grant::RequestOrigin;
use crate::keys::sha256;
use crate::refused::{OAuthError, Refused};
use crate::secrets;
use crate::state::Issuer;
use axum::body::Body;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oam_model::name::HubName;
use oam_model::principal::PrincipalKind;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_store::TokenRow;
use oam_system::clock;
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What the client is told about a token.
pub async fn introspect(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    match told(&issuer, &headers, body, &origin).await {
        Ok(document) => {
            issuer.metrics.introspections.inc();
            answer::json(200, &document)
        }
        Err(refused) => {
            let refused = bearer::refuse(&issuer, &origin, None, refused).await;
            answer::refused(&refused, &origin.request_id)
        }
    }
}

async fn told(
    issuer: &Issuer,
    headers: &HeaderMap,
    body: Body,
    origin: &RequestOrigin,
) -> Result<Value, Refused> {
    let hub = client(issuer, headers, origin).await?;
    let mut form = Form::read(issuer, headers, body).await?;
    let token = form.secret("token")?;
    let row = issuer.store.token(sha256(token.expose().as_bytes())).await;
    let row = row.map_err(|fault| Refused::of_exchange(fault.refusal(), false))?;
    let now_s = clock::now_s();
    let live =
        row.filter(|row| row.hub == hub && row.revoked_at_ms.is_none() && row.expires_at > now_s);
    match live {
        Some(row) => active(issuer, &token, &row).await,
        None => Ok(json!({ "active": false })),
    }
}

/// The hub of the client that asks.
pub(super) async fn client(
    issuer: &Issuer,
    headers: &HeaderMap,
    origin: &RequestOrigin,
) -> Result<HubName, Refused> {
    let (name, secret) = basic(headers).ok_or_else(unknown)?;
    registered(issuer, &name, &secret, origin).await
}

/// The hub of a client with this name and secret.
///
/// # Errors
/// There is no such client.
pub(super) async fn registered(
    issuer: &Issuer,
    name: &str,
    secret: &Secret,
    origin: &RequestOrigin,
) -> Result<HubName, Refused> {
    let found = secrets::verify_client(&*issuer.store, name, secret, clock::now_ms()).await;
    let found = found.map_err(|fault| Refused::of_exchange(fault.refusal(), false))?;
    if found.is_none() {
        tracing::warn!(from = %origin.from, "a client that is not registered, or has another secret");
    }
    found.ok_or_else(unknown)
}

pub(super) fn unknown() -> Refused {
    Refused::new(
        OAuthError::InvalidClient,
        Refusal::denied(
            "this client is not registered, or its secret is another one",
            "register the hub with `oam-issuer client add`, and send its name and secret by HTTP Basic",
        ),
    )
}

/// Name and secret, each form-encoded as RFC 6749 §2.3.1 has it.
pub(super) fn basic(headers: &HeaderMap) -> Option<(String, Secret)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = Zeroizing::new(STANDARD.decode(encoded.trim()).ok()?);
    let (name, secret) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    let plain = decoded(name)?;
    if plain.is_empty() || plain.len() > 128 || secret.is_empty() {
        return None;
    }
    Some((
        plain.into_owned(),
        Secret::new(decoded(secret)?.into_owned()),
    ))
}

fn decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains(['%', '+']) {
        return Some(Cow::Borrowed(text));
    }
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    let mut found = pairs.map(|(name, _)| name.into_owned());
    found.next().map(Cow::Owned)
}

/// The members of an active token. Claims of our own token may be read without a check: its SHA-256 is
/// the row's, so it is the very token that was signed here.
async fn active(issuer: &Issuer, token: &Secret, row: &TokenRow) -> Result<Value, Refused> {
    let live_config = issuer.live_config();
    let own: Option<Value> = jsonwebtoken::dangerous::insecure_decode_claims(token.expose()).ok();
    let audience = live_config.hub(&row.hub).map(|hub| hub.url.clone());
    let mut document = json!({
        "active": true,
        "token_type": "Bearer",
        "iss": live_config.settings.url,
        "sub": format!("role:{}", row.role),
        "aud": audience,
        "client_id": "oam",
        "scope": format!("role:{} {}", row.role, row.action.word()),
        "exp": row.expires_at,
        "iat": row.issued_at,
        "role": row.role,
        "repository": row.repository.as_ref().map_or("*", |path| path.as_str()),
        "actions": row.action.words(),
    });
    for member in ["jti", "act", "aud"] {
        if let Some(value) = own.as_ref().and_then(|claims| claims.get(member)) {
            document[member] = value.clone();
        }
    }
    if document.get("act").is_none() {
        document["act"] = actor(issuer, row).await?;
    }
    Ok(document)
}

/// On whose behalf a hub's token is: issuer and subject, never an e-mail.
async fn actor(issuer: &Issuer, row: &TokenRow) -> Result<Value, Refused> {
    let live_config = issuer.live_config();
    let sources = &live_config.settings.sources;
    let source = sources.iter().find(|source| source.name == row.key.source);
    let of_source = source.map(|source| source.issuer.clone());
    let job = source.is_some_and(|source| source.kind == PrincipalKind::Job);
    let person = if job {
        None
    } else {
        let person = issuer.store.person(row.key.clone()).await;
        person.map_err(|fault| Refused::of_exchange(fault.refusal(), false))?
    };
    Ok(match person {
        Some(person) => json!({ "iss": person.seen.issuer, "sub": person.seen.subject }),
        None => json!({ "iss": of_source, "sub": row.key.key }),
    })
}

#[cfg(test)]
mod tests {
    use super::basic;
    use axum::http::HeaderMap;
    use axum::http::header::AUTHORIZATION;
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn read(plain: &str) -> Option<(String, String)> {
        let mut headers = HeaderMap::new();
        let value = format!("Basic {}", STANDARD.encode(plain));
        headers.insert(AUTHORIZATION, value.parse().unwrap());
        basic(&headers).map(|(name, secret)| (name, secret.expose().to_owned()))
    }

    #[test]
    fn name_and_secret_are_read_as_the_rfc_encodes_them() {
        assert_eq!(read("gate:s3cret"), Some(("gate".into(), "s3cret".into())));
        assert_eq!(
            read("ga%3Ate:a%2Bb:c"),
            Some(("ga:te".into(), "a+b:c".into()))
        );
        for bad in ["gate", ":", "gate:", ":secret"] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
