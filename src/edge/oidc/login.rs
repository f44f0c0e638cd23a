//! One sign-in: authorization code with PKCE over a loopback redirect (RFC 8252, R28).

use super::super::http::Tokens;
use super::super::http::fault::plain_code;
use super::super::loopback::{Browser, Callback, Loopback, NoCallback, Page};
use super::claims::{Expect, Phase, Wrong};
use super::discovery::Metadata;
use super::id_token::Verdict;
use super::{Inner, words};
use crate::agent::ports::{Arrived, PendingLogin};
use crate::agent::state::SessionTokens;
use crate::config::agent::{Org, Provider};
use crate::model::answer::EndpointFault;
use crate::model::identity::Identity;
use crate::model::refusal::Refusal;
use crate::model::secret::Secret;
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a person may take in the browser.
const PERSON: Duration = Duration::from_mins(5);

/// Parameters that belong to the protocol: an extra parameter of the configuration never replaces one.
const OURS: [&str; 9] = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
];

/// What one sign-in made up, each good once.
struct Once {
    state: Secret,
    nonce: Secret,
    verifier: Secret,
    redirect: String,
}

/// Discovers, listens, and gives the URL.
pub(super) async fn begin(inner: Rc<Inner>, org: Org) -> Result<PendingLogin, Refusal> {
    let name = org.name.as_str();
    let metadata = inner
        .discovery
        .fresh(&org.provider)
        .await
        .map_err(|fault| words::discovery(name, &org.provider.issuer, &fault))?;
    let loopback = listen(&org.provider).await?;
    let (url, once) = authorization(&org.provider, &metadata, loopback.redirect_uri())
        .map_err(|fault| words::discovery(name, &org.provider.issuer, &fault))?;
    Ok(PendingLogin {
        url,
        arrival: Box::pin(arrive(inner, org, metadata, loopback, once)),
    })
}

async fn listen(provider: &Provider) -> Result<Loopback, Refusal> {
    let port = provider.redirect_port;
    Loopback::bind(port, &provider.redirect_path)
        .await
        .map_err(|why| {
            if port == 0 {
                Refusal::unavailable(
                    format!("this machine gives no port on 127.0.0.1 for the sign-in: {why}"),
                    "look at what limits network sockets here",
                )
            } else {
                Refusal::unavailable(
                    format!("port {port} on 127.0.0.1 is needed for the sign-in: {why}"),
                    "end the program that holds it, or an earlier `oam login`, and try again",
                )
            }
        })
}

fn authorization(
    provider: &Provider,
    metadata: &Metadata,
    redirect: String,
) -> Result<(String, Once), EndpointFault> {
    let unreadable = |_| EndpointFault::Unreadable {
        why: "the authorization URL can't be made".to_owned(),
    };
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let nonce = CsrfToken::new_random().into_secret();
    let client = BasicClient::new(ClientId::new(provider.client_id.clone()))
        .set_auth_uri(AuthUrl::new(metadata.authorization_endpoint.clone()).map_err(unreadable)?)
        .set_redirect_uri(RedirectUrl::new(redirect.clone()).map_err(unreadable)?);
    let mut request = client
        .authorize_url(CsrfToken::new_random)
        .set_pkce_challenge(challenge)
        .add_scope(Scope::new("openid".to_owned()))
        .add_extra_param("nonce", nonce.clone());
    for scope in provider.scopes.iter().filter(|s| *s != "openid") {
        request = request.add_scope(Scope::new(scope.clone()));
    }
    for (name, value) in &provider.extra {
        if !OURS.contains(&name.as_str()) {
            request = request.add_extra_param(name, value);
        }
    }
    let (url, state) = request.url();
    let once = Once {
        state: Secret::new(state.into_secret()),
        nonce: Secret::new(nonce),
        verifier: Secret::new(verifier.into_secret()),
        redirect,
    };
    Ok((url.into(), once))
}

async fn arrive(
    inner: Rc<Inner>,
    org: Org,
    metadata: Rc<Metadata>,
    loopback: Loopback,
    once: Once,
) -> Result<Arrived, Refusal> {
    let name = org.name.as_str();
    let (callback, browser): (Callback, Browser) = loopback
        .wait(once.state.expose(), PERSON)
        .await
        .map_err(|why| nobody(name, why))?;
    let arrived = finish(&inner, &org, &metadata, callback, &once).await;
    // Only now: the page tells how it really went.
    let page = match &arrived {
        Ok(_) => Page::signed_in(name),
        Err(refusal) => Page::failed(&refusal.sentence, &refusal.next),
    };
    browser.show(&page).await;
    arrived
}

fn nobody(org: &str, why: NoCallback) -> Refusal {
    let again = format!("run `oam login {org}` again");
    match why {
        NoCallback::Silence => Refusal::unavailable(
            format!("the browser did not come back from the sign-in to {org} within 5 minutes"),
            again,
        ),
        NoCallback::WrongState => Refusal::unavailable(
            format!(
                "the browser came back from the sign-in to {org} only with a wrong `state`, for 5 minutes"
            ),
            format!("close older sign-in pages and {again}"),
        ),
        NoCallback::Broken => Refusal::unavailable(
            format!("the sign-in to {org} lost its port on 127.0.0.1"),
            again,
        ),
    }
}

async fn finish(
    inner: &Inner,
    org: &Org,
    metadata: &Metadata,
    callback: Callback,
    once: &Once,
) -> Result<Arrived, Refusal> {
    let name = org.name.as_str();
    let wrong = |check, why| words::arrival(name, &Wrong::new(check, why).into());
    // RFC 9207 §2.4: before anything else of the answer is believed, errors included.
    match callback.iss.as_deref() {
        Some(iss) if iss != org.provider.issuer => {
            return Err(wrong("iss", "the answer comes from another issuer"));
        }
        None if metadata.iss_in_answer => {
            return Err(wrong("iss", "it is missing from the answer"));
        }
        _ => {}
    }
    if let Some(error) = callback.error {
        let code = plain_code(&error).unwrap_or_else(|| "unnamed error".to_owned());
        return Err(words::answered(name, &code));
    }
    let Some(code) = callback.code else {
        return Err(wrong("code", "it is missing from the answer"));
    };
    let tokens = inner
        .ask(
            org,
            metadata,
            &[
                ("grant_type", "authorization_code"),
                ("code", code.expose()),
                ("redirect_uri", &once.redirect),
                ("client_id", &org.provider.client_id),
                ("code_verifier", once.verifier.expose()),
            ],
        )
        .await
        .map_err(|fault| words::arrival(name, &fault))?;
    accept(inner, org, metadata, tokens, once)
        .await
        .map_err(|fault| words::arrival(name, &fault))
}

async fn accept(
    inner: &Inner,
    org: &Org,
    metadata: &Metadata,
    tokens: Tokens,
    once: &Once,
) -> Result<Arrived, EndpointFault> {
    let now = inner.http.now().unix();
    let expect = Expect::of(&org.provider, now, Phase::Login(once.nonce.expose()));
    let identity = match identify(inner, org, metadata, &tokens, &expect).await {
        Ok(identity) => identity,
        Err(fault) => {
            // Nothing of a sign-in that was not accepted stays open; if this fails too, the refusal
            // that matters is the first one.
            if let Some(refresh) = &tokens.refresh_token {
                let _ = inner.revoke(org, refresh).await;
            }
            return Err(fault);
        }
    };
    let access_expires = tokens.expires_in.seconds().map(|s| now.saturating_add(s));
    let Tokens {
        access_token,
        refresh_token,
        id_token,
        ..
    } = tokens;
    let shared = |token: Option<Secret>, name| token.map(Arc::new).ok_or_else(|| missing(name));
    Ok(Arrived {
        tokens: SessionTokens {
            refresh: shared(refresh_token, "refresh_token")?,
            id: shared(id_token, "id_token")?,
            access: shared(access_token, "access_token")?,
            access_expires,
        },
        identity,
        flaw: None,
    })
}

async fn identify(
    inner: &Inner,
    org: &Org,
    metadata: &Metadata,
    tokens: &Tokens,
    expect: &Expect<'_>,
) -> Result<Identity, EndpointFault> {
    let id = tokens
        .id_token
        .as_ref()
        .ok_or_else(|| missing("id_token"))?;
    match inner.check(org, metadata, id, tokens, expect).await {
        Verdict::Right(identity) => Ok(identity),
        Verdict::Wrong(fault) => Err(fault),
        Verdict::NoKeys(fault) => Err(Wrong::new(
            "signature",
            format!("the provider's keys can't be had ({})", words::of(&fault)),
        )
        .into()),
    }
}

fn missing(name: &'static str) -> EndpointFault {
    Wrong::new(name, "the provider sent none").into()
}
