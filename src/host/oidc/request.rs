//! The authorization request: what is asked of the provider, and what one sign-in makes up for it.

use super::discovery::ProviderEndpoints;
use oam_agent::ports::Authentication;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::organization::Reauth;
use oam_model::secret::Secret;
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, RedirectUrl, Scope};
use std::collections::BTreeMap;

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
pub(super) struct Once {
    pub(super) state: Secret,
    pub(super) nonce: Secret,
    pub(super) verifier: Secret,
    pub(super) redirect: String,
    /// The oldest authentication that is taken, seconds.
    pub(super) max_age_s: u64,
}

/// The address that the browser opens.
pub(super) fn authorization(
    org: &Org,
    metadata: &ProviderEndpoints,
    redirect: String,
    authentication: Authentication,
) -> Result<(String, Once), EndpointFault> {
    let provider = &org.provider;
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
    let extra = extra(org, authentication);
    let max_age_s = oldest(org, &extra);
    for (name, value) in extra {
        request = request.add_extra_param(name, value);
    }
    let (url, state) = request.url();
    let once = Once {
        state: Secret::new(state.into_secret()),
        nonce: Secret::new(nonce),
        verifier: Secret::new(verifier.into_secret()),
        redirect,
        max_age_s,
    };
    Ok((url.into(), once))
}

/// The oldest authentication that is taken, seconds.
pub(super) fn oldest(org: &Org, extra: &BTreeMap<String, String>) -> u64 {
    let told = extra.get("max_age").and_then(|age| age.parse().ok());
    told.unwrap_or(org.session_age_ms / 1000)
}

/// The configured parameters, with those by which the provider is asked for a new authentication. What the
/// configuration asks of `max_age` stays: it may want a newer sign-in than the organization's age.
pub(super) fn extra(org: &Org, authentication: Authentication) -> BTreeMap<String, String> {
    let mut extra = org.provider.extra.clone();
    extra.retain(|name, _| !OURS.contains(&name.as_str()));
    if org.provider.reauth == Reauth::MaxAge {
        extra
            .entry("max_age".to_owned())
            .or_insert_with(|| (org.session_age_ms / 1000).to_string());
    }
    if authentication == Authentication::Anew && org.provider.reauth != Reauth::None {
        let prompt = extra.entry("prompt".to_owned()).or_default();
        *prompt = with_login(prompt);
    }
    extra
}

/// The prompts with `login` among them: others stay, as a list (OIDC Core §3.1.2.1). `none` can't stand
/// beside another.
fn with_login(prompts: &str) -> String {
    let others = prompts
        .split_ascii_whitespace()
        .filter(|prompt| !matches!(*prompt, "none" | "login"));
    std::iter::once("login")
        .chain(others)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Authentication, Reauth, extra};
    use oam_config::agent::{SourceText, read};

    const FILE: &str = include_str!("../../../packaging/config.example.toml");

    fn asked(
        reauth: Reauth,
        prompt: Option<&str>,
        authentication: Authentication,
    ) -> [Option<String>; 2] {
        let example = SourceText {
            name: "f",
            text: FILE,
        };
        let mut org = read(None, Some(example)).unwrap().orgs.remove(0);
        org.provider.reauth = reauth;
        org.provider.extra.clear();
        if let Some(prompt) = prompt {
            org.provider.extra.insert("prompt".into(), prompt.into());
        }
        org.session_age_ms = 3_600_000;
        let extra = extra(&org, authentication);
        ["max_age", "prompt"].map(|name| extra.get(name).cloned())
    }

    #[test]
    fn a_new_authentication_is_asked_for_as_the_provider_understands_it() {
        use Authentication::{Anew, AsItStands};
        let some = |text: &str| Some(text.to_owned());
        let none = || None::<String>;
        for (reauth, prompt, authentication, max_age, sent) in [
            (Reauth::MaxAge, None, AsItStands, some("3600"), none()),
            (Reauth::MaxAge, None, Anew, some("3600"), some("login")),
            (
                Reauth::MaxAge,
                Some("consent"),
                Anew,
                some("3600"),
                some("login consent"),
            ),
            (
                Reauth::MaxAge,
                Some("consent login"),
                Anew,
                some("3600"),
                some("login consent"),
            ),
            (
                Reauth::MaxAge,
                Some("none"),
                Anew,
                some("3600"),
                some("login"),
            ),
            (
                Reauth::Prompt,
                Some("consent"),
                AsItStands,
                none(),
                some("consent"),
            ),
            (
                Reauth::Prompt,
                Some("consent"),
                Anew,
                none(),
                some("login consent"),
            ),
            (Reauth::None, Some("consent"), Anew, none(), some("consent")),
            (Reauth::None, None, AsItStands, none(), none()),
        ] {
            assert_eq!(
                asked(reauth, prompt, authentication),
                [max_age, sent],
                "{reauth:?} {prompt:?} {authentication:?}"
            );
        }
    }
}
