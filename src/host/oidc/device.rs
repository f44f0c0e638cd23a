//! A sign-in by device code (RFC 8628): the person confirms it in any browser, this machine asks for the outcome.

use super::super::http::tokens::whole_seconds;
use super::super::http::{Answer, Payload, TOTAL, endpoint, way_of};
use super::claims::Phase;
use super::discovery::ProviderEndpoints;
use super::login::accept;
use super::request::{extra, oldest};
use super::{Inner, words};
use oam_agent::ports::{Arrived, Authentication, PendingLogin, Returned};
use oam_config::agent::{Org, Provider};
use oam_model::answer::EndpointFault;
use oam_model::refusal::Refusal;
use oam_model::secret::{self, Secret};
use oam_model::sign_in::{DevicePrompt, SignInBy};
use oam_session::device::{DevicePolling, PollStep};
use oauth2::CsrfToken;
use serde::Deserialize;
use serde_json::Value;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// RFC 8628 §3.4.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Longest code that is shown.
const LONGEST_CODE: usize = 64;

/// Whether this sign-in goes by device code. One that was asked for outright does, and is refused where there is none.
pub(super) fn is_wanted(by: SignInBy, provider: &Provider, metadata: &ProviderEndpoints) -> bool {
    match by {
        SignInBy::Browser => false,
        SignInBy::Device => true,
        SignInBy::DeviceIfOffered => provider.device && place(provider, metadata).is_some(),
    }
}

/// Where a device code is asked for. What the configuration says wins: somebody wrote it for a reason.
fn place<'a>(provider: &'a Provider, metadata: &'a ProviderEndpoints) -> Option<&'a str> {
    let configured = provider.device_authorization_endpoint.as_deref();
    configured.or(metadata.device_authorization_endpoint.as_deref())
}

/// Where a device code is asked for, when organization and provider have it.
fn allowed<'a>(org: &'a Org, metadata: &'a ProviderEndpoints) -> Result<&'a str, Refusal> {
    let name = &org.name;
    let browser = format!("run `oam login {name}` without --device; it tells how, also over ssh");
    if !org.provider.device {
        return Err(Refusal::denied(
            format!("{name} does not allow a sign-in by device code"),
            browser,
        ));
    }
    place(&org.provider, metadata).ok_or_else(|| {
        Refusal::unavailable(
            format!("the identity provider of {name} names no endpoint for device codes"),
            format!("{browser}; or set `device_authorization_endpoint` if it has one"),
        )
    })
}

/// Asks for a code, and gives what the person needs.
pub(super) async fn begin(
    inner: Rc<Inner>,
    org: Org,
    metadata: Arc<ProviderEndpoints>,
    authentication: Authentication,
) -> Result<PendingLogin, Refusal> {
    let place = allowed(&org, &metadata)?;
    let extra = extra(&org, authentication);
    let max_age_s = oldest(&org, &extra);
    let scope = org.provider.scopes.join(" ");
    let mut form = vec![
        ("client_id", org.provider.client_id.as_str()),
        ("scope", &scope),
    ];
    form.extend(
        extra
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let nonce = Secret::new(CsrfToken::new_random().into_secret());
    let mut with_nonce = form.clone();
    with_nonce.push(("nonce", nonce.expose()));
    let via = way_of(&org.provider);
    let ask = async |form: &[(&str, &str)]| {
        let payload = Payload::form(form);
        inner.http.post(&via, place, payload, TOTAL).await
    };
    let mut answer = ask(&with_nonce).await;
    if answer.as_ref().is_ok_and(|answer| answer.status == 400) {
        // Some take nothing that the standard does not name.
        answer = ask(&form).await;
    }
    let code = answer
        .and_then(Answer::ok)
        .and_then(|answer| DeviceAuthorization::read(&org.provider.issuer, &answer.body))
        .map_err(|fault| refused(&org, &fault))?;
    let polling = DevicePolling::begin(code.expires_in_s, code.interval_s, inner.http.now());
    let device = DevicePrompt {
        user_code: code.user_code,
        verification_uri: code.verification_uri.clone(),
        verification_uri_complete: code.verification_uri_complete,
        expires_in_s: polling.left_s(inner.http.now()),
        client_id: Some(org.provider.client_id.clone()),
    };
    let attempt = Attempt {
        inner,
        org,
        metadata,
        device_code: code.device_code,
        nonce,
        polling,
        max_age_s,
    };
    Ok(PendingLogin {
        url: code.verification_uri,
        device: Some(device),
        arrival: Box::pin(async move {
            let arrived = attempt.arrive().await?;
            // No browser of this machine waits for a page.
            let tell = Box::new(|_| Box::pin(async {}) as oam_agent::ports::LocalBoxFuture<()>);
            Ok(Returned { arrived, tell })
        }),
    })
}

struct Attempt {
    inner: Rc<Inner>,
    org: Org,
    metadata: Arc<ProviderEndpoints>,
    device_code: Secret,
    nonce: Secret,
    polling: DevicePolling,
    max_age_s: u64,
}

impl Attempt {
    async fn arrive(mut self) -> Result<Arrived, Refusal> {
        let mut step = self.polling.first(self.inner.http.now());
        let mut said = None;
        loop {
            match step {
                PollStep::Wait(ms) => tokio::time::sleep(Duration::from_millis(ms)).await,
                PollStep::Expired => return Err(expired(&self.org)),
                PollStep::Denied => {
                    return Err(words::answered(self.org.name.as_str(), "access_denied"));
                }
                PollStep::Failed => {
                    let nothing = EndpointFault::Lost { why: String::new() };
                    return Err(refused(&self.org, &said.unwrap_or(nothing)));
                }
            }
            let form = [
                ("grant_type", GRANT),
                ("device_code", self.device_code.expose()),
                ("client_id", &self.org.provider.client_id),
            ];
            let asked = self.inner.ask(&self.org, &self.metadata, &form).await;
            let fault = match asked {
                Ok(tokens) => match tokens.fault() {
                    None => {
                        let (org, age) = (&self.org, self.max_age_s);
                        let phase = Phase::Device(self.nonce.expose());
                        let accepted = accept(&self.inner, org, &self.metadata, tokens, phase, age);
                        return accepted.await.map_err(|fault| words::arrival(org, &fault));
                    }
                    Some(fault) => fault,
                },
                Err(fault) => fault,
            };
            step = self.polling.after(&fault, self.inner.http.now());
            said = Some(fault);
        }
    }
}

fn expired(org: &Org) -> Refusal {
    Refusal::unavailable(
        format!(
            "the device code of the sign-in to {} expired before anybody confirmed it",
            org.name
        ),
        format!("run `oam login {} --device` again", org.name),
    )
}

fn refused(org: &Org, fault: &EndpointFault) -> Refusal {
    match fault {
        EndpointFault::Status {
            error: Some(code), ..
        } if matches!(
            code.as_str(),
            "invalid_client" | "unauthorized_client" | "unsupported_grant_type"
        ) =>
        {
            Refusal::unavailable(
                format!(
                    "the identity provider of {} refused the sign-in by device code (`{code}`)",
                    org.name
                ),
                format!(
                    "have the client {} allowed to use device codes there, or run `oam login {}` without --device",
                    org.provider.client_id, org.name
                ),
            )
        }
        fault => words::arrival(org, fault),
    }
}

/// The provider's answer (RFC 8628 §3.2), checked.
struct DeviceAuthorization {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in_s: Option<u64>,
    interval_s: Option<u64>,
}

/// As providers write it.
#[derive(Deserialize)]
struct Written {
    #[serde(with = "secret::wire")]
    device_code: Secret,
    user_code: String,
    /// Some write it as drafts of the standard had it.
    #[serde(alias = "verification_url")]
    verification_uri: String,
    #[serde(default)]
    verification_uri_complete: Option<String>,
    #[serde(default)]
    expires_in: Value,
    #[serde(default)]
    interval: Value,
}

impl DeviceAuthorization {
    fn read(issuer: &str, body: &[u8]) -> Result<Self, EndpointFault> {
        let written: Written =
            serde_json::from_slice(body).map_err(|_| EndpointFault::Unreadable {
                why: "the answer is not one to a request for a device code".to_owned(),
            })?;
        let wrong = |name: &str, why: &str| EndpointFault::Check {
            name: name.to_owned(),
            why: why.to_owned(),
        };
        let code = &written.user_code;
        if code.is_empty() || code.len() > LONGEST_CODE || code.chars().any(char::is_control) {
            return Err(wrong("user_code", "it is no code that a person can type"));
        }
        let tls = issuer.starts_with("https://");
        let page = endpoint(&written.verification_uri)
            .ok()
            .filter(|url| !tls || url.scheme() == "https")
            .ok_or_else(|| wrong("verification_uri", "it is no https address"))?;
        // One that leads elsewhere is left out: the host that the person is told to look for is the other's.
        let complete = written
            .verification_uri_complete
            .filter(|complete| endpoint(complete).is_ok_and(|url| url.origin() == page.origin()));
        let seconds = |value: &Value| match value {
            Value::Number(number) => whole_seconds(&number.to_string()),
            Value::String(text) => whole_seconds(text),
            _ => None,
        };
        Ok(Self {
            expires_in_s: seconds(&written.expires_in),
            interval_s: seconds(&written.interval),
            device_code: written.device_code,
            user_code: written.user_code,
            verification_uri: written.verification_uri,
            verification_uri_complete: complete,
        })
    }
}
