//! `GET /v1/forward-auth`: a proxy before a hub asks whether a request may pass (nginx's `auth_request`, forward
//! authentication elsewhere). The status is the whole answer: 204 pass, 401 no good token, 403 good for something else.

use super::answer;
use super::bearer;
use super::introspect;
use crate::grant::RequestOrigin;
use crate::keys::sha256;
use crate::refused::Refused;
use crate::state::Issuer;
use axum::extract::{Extension, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, WWW_AUTHENTICATE};
use axum::response::Response;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use oam_model::name::Repository;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_model::token_request::{HubRef, Intent, TokenRequest, repository_of_path};
use oam_store::TokenRow;
use oam_system::clock;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What the proxy was sent as `Authorization`; its own says which hub asks.
const AUTHORIZATION: &str = "x-forwarded-authorization";
const METHOD: &str = "x-forwarded-method";
const URI: &str = "x-forwarded-uri";
/// On a pass: the token's subject, for what wants a user's name.
const USER: HeaderName = HeaderName::from_static("remote-user");

/// Whether the request that the proxy holds may pass.
pub async fn forward_auth(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    headers: HeaderMap,
) -> Response {
    match decided(&issuer, &headers, &origin).await {
        Ok(decision) => {
            issuer.metrics.introspections.inc();
            answered(&decision)
        }
        Err(refused) => {
            let refused = bearer::refuse(&issuer, &origin, None, refused).await;
            answer::refused(&refused, &origin.request_id)
        }
    }
}

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
enum Decision {
    Pass { subject: String },
    NoToken,
    OtherToken,
}

fn answered(decision: &Decision) -> Response {
    let (status, name, value) = match decision {
        Decision::Pass { subject } => (204, USER, subject.as_str()),
        // git sends a password only to who asks for one.
        Decision::NoToken => (401, WWW_AUTHENTICATE, "Basic realm=\"oam\""),
        Decision::OtherToken => (403, CACHE_CONTROL, "no-store"),
    };
    let mut response = answer::empty(status);
    answer::header(&mut response, name, value);
    response
}

async fn decided(
    issuer: &Issuer,
    headers: &HeaderMap,
    origin: &RequestOrigin,
) -> Result<Decision, Refused> {
    let hub = introspect::client(issuer, headers, origin).await?;
    let method = one(headers, METHOD).ok_or_else(|| incomplete(METHOD))?;
    let uri = one(headers, URI).ok_or_else(|| incomplete(URI))?;
    let live_config = issuer.live_config();
    let url = live_config.hub(&hub).map(|hub| hub.url.as_str());
    let Some(token) = one(headers, AUTHORIZATION).and_then(presented) else {
        return Ok(Decision::NoToken);
    };
    let row = issuer.store.token(sha256(token.expose().as_bytes())).await;
    let row = row.map_err(|fault| Refused::of_exchange(fault.refusal(), false))?;
    let now_s = clock::now_s();
    let live =
        row.filter(|row| row.hub == hub && row.revoked_at_ms.is_none() && row.expires_at > now_s);
    Ok(match live {
        Some(row) => judged(&row, url.unwrap_or_default(), method, uri),
        None => Decision::NoToken,
    })
}

/// The only header of this name: of two, a proxy and its hub could believe different ones.
fn one<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut given = headers.get_all(name).iter();
    match (given.next(), given.next()) {
        (Some(value), None) => HeaderValue::to_str(value).ok(),
        _ => None,
    }
}

fn incomplete(header: &str) -> Refused {
    Refused::bad_request(
        format!("the request has no header {header}, or more than one"),
        "let the proxy set it: `oam help hubs` shows how",
    )
}

/// The token of a bearer, or the password of HTTP Basic.
fn presented(authorization: &str) -> Option<Secret> {
    let (scheme, value) = authorization.split_once(' ')?;
    let value = value.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return (!value.is_empty()).then(|| Secret::new(value.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let bytes = Zeroizing::new(STANDARD.decode(value).ok()?);
    let (_, password) = std::str::from_utf8(&bytes).ok()?.split_once(':')?;
    (!password.is_empty()).then(|| Secret::new(password.to_owned()))
}

fn judged(row: &TokenRow, hub_url: &str, method: &str, uri: &str) -> Decision {
    let Some((repository, action)) = asked(hub_url, method, uri) else {
        return Decision::OtherToken;
    };
    let covered = row.repository.as_ref().is_none_or(|own| *own == repository);
    if covered && action <= row.action {
        Decision::Pass {
            subject: format!("role:{}", row.role),
        }
    } else {
        Decision::OtherToken
    }
}

/// The repository that a request of git or git-lfs is about, and what it does there. None where that can't be told
/// beyond doubt: then no token is good for it.
fn asked(hub_url: &str, method: &str, uri: &str) -> Option<(Repository, Action)> {
    let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
    let request = TokenRequest {
        hub: HubRef::Url {
            protocol: String::new(),
            host: String::new(),
        },
        path: Some(path.to_owned()),
        intent: Intent::Unknown,
        role: None,
    };
    let repository = repository_of_path(request.path_at(hub_url)?).ok()??;
    let action = match method {
        "GET" | "HEAD" if query.contains("git-receive-pack") => Action::Write,
        "GET" | "HEAD" => Action::Read,
        "POST" if path.ends_with("/git-upload-pack") => Action::Read,
        // Also a batch of git-lfs: whether it is for an upload stands in its body, which a proxy does not send here.
        "POST" | "PUT" | "PATCH" => Action::Write,
        _ => Action::Manage,
    };
    Some((repository, action))
}

#[cfg(test)]
mod tests {
    use super::{Action, asked, presented};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;

    fn told(hub: &str, method: &str, uri: &str) -> Option<(String, Action)> {
        asked(hub, method, uri).map(|(repository, action)| (repository.into(), action))
    }

    #[test]
    fn what_git_does_is_read_from_method_and_address() {
        let hub = "https://git.acme.example/git";
        for (method, uri, action) in [
            (
                "GET",
                "/git/acme/model.git/info/refs?service=git-upload-pack",
                Action::Read,
            ),
            ("POST", "/git/acme/model.git/git-upload-pack", Action::Read),
            (
                "GET",
                "/git/acme/model/info/refs?service=git-receive-pack",
                Action::Write,
            ),
            (
                "GET",
                "/git/acme/model/info/refs?a=b&service=git-receive-pack",
                Action::Write,
            ),
            (
                "POST",
                "/git/acme/model.git/git-receive-pack",
                Action::Write,
            ),
            (
                "GET",
                "/git/acme/model.git/info/lfs/objects/0f",
                Action::Read,
            ),
            (
                "POST",
                "/git/acme/model.git/info/lfs/objects/batch",
                Action::Write,
            ),
            (
                "PUT",
                "/git/acme/model.git/info/lfs/objects/0f",
                Action::Write,
            ),
            ("DELETE", "/git/acme/model.git", Action::Manage),
            ("get", "/git/acme/model.git", Action::Manage),
        ] {
            let expected = Some(("acme/model".to_owned(), action));
            assert_eq!(told(hub, method, uri), expected, "{method} {uri}");
        }
        let other = told(hub, "GET", "/git/acme/model.git/HEAD");
        assert_ne!(
            other.map(|(repository, _)| repository),
            Some("acme/model".to_owned())
        );
    }

    #[test]
    fn what_two_programs_could_read_differently_is_nobodys() {
        let hub = "https://git.acme.example/git";
        for uri in [
            "/git/acme/model/../other/info/refs",
            "/git/acme//model/info/refs",
            "/git/acme/%6dodel/info/refs",
            "/git/acme/model%2f../info/refs",
            "/git/acme/model/info/refs#/x",
            "/git/acme/model;x/info/refs",
            "/git/acme/model\\x/info/refs",
            "/other/acme/model/info/refs",
            "/gitacme/model/info/refs",
            "/git/",
            "",
            "https://git.acme.example/git/acme/model",
        ] {
            let told = told(hub, "GET", uri).map(|(repository, _)| repository);
            assert!(
                told.as_deref()
                    .is_none_or(|name| name != "acme/model" && name != "model"),
                "{uri}: {told:?}"
            );
        }
    }

    #[test]
    fn a_token_comes_as_a_bearer_or_as_a_password() {
        let basic = |pair: &str| format!("Basic {}", STANDARD.encode(pair));
        let read = |value: &str| presented(value).map(|token| token.expose().to_owned());
        assert_eq!(read("Bearer t").as_deref(), Some("t"));
        assert_eq!(read("bearer  t ").as_deref(), Some("t"));
        assert_eq!(read(&basic("oam:t:u")).as_deref(), Some("t:u"));
        for wrong in [
            "",
            "Bearer",
            "Bearer ",
            "Digest t",
            "Basic t",
            &basic("oam"),
            &basic("oam:"),
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
