//! One sign-in: authorization code with PKCE over a loopback redirect (RFC 8252, R28).

use super::super::http::Tokens;
use super::super::http::fault::plain_code;
use super::super::loopback::{Browser, Callback, CallbackPage, Loopback, NoCallback};
use super::claims::{ClaimError, Expect, Phase, SKEW_S};
use super::discovery::ProviderEndpoints;
use super::id_token::IdTokenCheck;
use super::request::{Once, authorization};
use super::{Inner, device, words};
use oam_agent::ports::{Arrived, Authentication, PendingLogin, Returned};
use oam_agent::state::SessionTokens;
use oam_config::agent::{Org, Provider};
use oam_config::duration;
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_model::sign_in::SignInBy;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// How long a person may take in the browser.
const PERSON: Duration = Duration::from_mins(5);

/// Discovers, listens, and gives the URL.
pub(super) async fn begin(
    inner: Rc<Inner>,
    org: Org,
    authentication: Authentication,
    by: SignInBy,
) -> Result<PendingLogin, Refusal> {
    let name = org.name.as_str();
    let metadata = inner
        .discovery
        .fresh(&org.provider)
        .await
        .map_err(|fault| words::discovery(name, &org.provider.issuer, &fault))?;
    if device::is_wanted(by, &org.provider, &metadata) {
        return device::begin(inner, org, metadata, authentication).await;
    }
    let loopback = listen(&org.provider).await?;
    let (url, once) = authorization(&org, &metadata, loopback.redirect_uri(), authentication)
        .map_err(|fault| words::discovery(name, &org.provider.issuer, &fault))?;
    Ok(PendingLogin {
        url,
        device: None,
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

async fn arrive(
    inner: Rc<Inner>,
    org: Org,
    metadata: Arc<ProviderEndpoints>,
    loopback: Loopback,
    once: Once,
) -> Result<Returned, Refusal> {
    let (callback, browser): (Callback, Browser) = loopback
        .wait(once.state.expose(), PERSON)
        .await
        .map_err(|why| nobody(&org, &once.redirect, why))?;
    match finish(&inner, &org, &metadata, callback, &once).await {
        Ok(arrived) => {
            let Identity { email, subject, .. } = &arrived.identity;
            let person = email.as_ref().unwrap_or(subject).clone();
            Ok(Returned {
                arrived,
                tell: Box::new(move |refusal| {
                    Box::pin(async move { tell(&org, &person, browser, refusal).await })
                }),
            })
        }
        Err(refusal) => {
            tell(&org, "", browser, Some(refusal.clone())).await;
            Err(refusal)
        }
    }
}

/// Only when it is over: the page tells how it really went.
async fn tell(org: &Org, person: &str, browser: Browser, refusal: Option<Refusal>) {
    let page = match refusal {
        None => CallbackPage::signed_in(org.name.as_str(), person),
        Some(refusal) => CallbackPage::failed(&refusal.sentence, &refusal.next),
    };
    browser.show(&page).await;
}

fn nobody(org: &Org, redirect: &str, why: NoCallback) -> Refusal {
    let (client, org) = (&org.provider.client_id, &org.name);
    let again = format!("run `oam login {org}` again");
    match why {
        NoCallback::Silence => Refusal::unavailable(
            format!("the browser did not come back from the sign-in to {org} within 5 minutes"),
            format!(
                "{again}; if the provider showed an error, register {redirect} for the client {client} there, and set `redirect_port` where it compares ports"
            ),
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
    metadata: &ProviderEndpoints,
    callback: Callback,
    once: &Once,
) -> Result<Arrived, Refusal> {
    let name = org.name.as_str();
    let wrong = |check, why| words::arrival(org, &ClaimError::new(check, why).into());
    // RFC 9207 §2.4: before anything else of the answer is believed, errors included.
    match callback.iss.as_deref() {
        Some(iss) if iss != org.provider.issuer => {
            return Err(wrong("iss", "the answer comes from another issuer"));
        }
        None if metadata.iss_in_answer => {
            let refusal = wrong("iss", "it is missing from the answer");
            return Err(match callback.error.as_deref().and_then(plain_code) {
                Some(code) => words::unconfirmed(name, &refusal, &code),
                None => refusal,
            });
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
        .map_err(|fault| words::arrival(org, &fault))?;
    let phase = Phase::Login(once.nonce.expose());
    accept(inner, org, metadata, tokens, phase, once.max_age_s)
        .await
        .map_err(|fault| words::arrival(org, &fault))
}

/// Takes the answer of the token endpoint, or gives back what it brought.
pub(super) async fn accept(
    inner: &Inner,
    org: &Org,
    metadata: &ProviderEndpoints,
    tokens: Tokens,
    phase: Phase<'_>,
    max_age_s: u64,
) -> Result<Arrived, EndpointFault> {
    if let Some(fault) = tokens.fault() {
        return Err(fault);
    }
    let now = inner.http.now().unix();
    let expect = Expect::of(org, now, phase);
    let identified = identify(inner, org, metadata, &tokens, &expect).await;
    let identity = match identified.and_then(|identity| young(identity, now, max_age_s)) {
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
        without_id: false,
    })
}

/// Refuses an authentication that is older than was asked for: the provider went on with the session that it
/// has in the browser (OIDC Core §3.1.3.7, 13).
fn young(identity: Identity, now: u64, max_age_s: u64) -> Result<Identity, EndpointFault> {
    let Some(age) = identity.auth_time.map(|at| now.saturating_sub(at)) else {
        return Ok(identity);
    };
    if age <= max_age_s.saturating_add(SKEW_S) {
        return Ok(identity);
    }
    let (age, most) = (
        duration::words(age.saturating_mul(1000)),
        duration::words(max_age_s.saturating_mul(1000)),
    );
    let why = format!("it is of a sign-in {age} ago, and no older one than {most} is taken");
    Err(ClaimError::new("auth_time", why).into())
}

async fn identify(
    inner: &Inner,
    org: &Org,
    metadata: &ProviderEndpoints,
    tokens: &Tokens,
    expect: &Expect<'_>,
) -> Result<Identity, EndpointFault> {
    let id = tokens
        .id_token
        .as_ref()
        .ok_or_else(|| missing("id_token"))?;
    match inner.check(org, metadata, id, tokens, expect).await {
        IdTokenCheck::Right(identity) => Ok(identity),
        IdTokenCheck::Wrong(fault) => Err(fault),
        IdTokenCheck::NoKeys(fault) => Err(ClaimError::new(
            "signature",
            format!("the provider's keys can't be had ({})", words::of(&fault)),
        )
        .into()),
    }
}

fn missing(name: &'static str) -> EndpointFault {
    ClaimError::new(name, "the provider sent none").into()
}
