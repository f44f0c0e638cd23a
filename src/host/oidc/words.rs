//! Faults of a provider in our own words.

pub(crate) use oam_client::words::of;

use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::refusal::{Refusal, RefusalCode};

/// The refusal of a sign-in whose discovery failed.
pub(super) fn discovery(org: &str, issuer: &str, fault: &EndpointFault) -> Refusal {
    let what = of(fault);
    let next = match fault {
        EndpointFault::Check { name, .. } if name != "issuer" => {
            "tell the provider's administrators which member of its metadata is wrong"
        }
        EndpointFault::Status {
            status: 300..=399, ..
        } => "write in `issuer` the address that this one leads to",
        EndpointFault::Check { .. } | EndpointFault::Unreadable { .. } => {
            "check `issuer` in the configuration, byte for byte, a trailing slash included"
        }
        EndpointFault::Status { status: 404, .. } => {
            "check `issuer` in the configuration: no OpenID provider answers there"
        }
        _ => "check the network, `proxy` and `ca_file`, then try again",
    };
    Refusal::unavailable(
        format!("the identity provider of {org} can't be used, {issuer}: {what}"),
        next,
    )
}

/// The refusal of a sign-in whose code exchange or checks failed.
pub(super) fn arrival(to: &Org, fault: &EndpointFault) -> Refusal {
    let org = to.name.as_str();
    let again = format!("run `oam login {org}` again");
    match fault {
        EndpointFault::Check { name, why } => Refusal::unavailable(
            format!("the sign-in to {org} was not accepted, the check of `{name}` failed: {why}"),
            check_step(to, name, &again),
        ),
        EndpointFault::Status {
            error: Some(code), ..
        } => answered(org, code),
        fault => Refusal::unavailable(
            format!(
                "the sign-in to {org} could not be finished at the identity provider: {}",
                of(fault)
            ),
            again,
        ),
    }
}

fn check_step(to: &Org, name: &str, again: &str) -> String {
    let org = &to.name;
    match name {
        "size" => format!(
            "ask the administrators of {org} to let the provider send only this application's groups"
        ),
        "groups" => format!(
            "ask the administrators of {org} to send only the groups of this application, as a list of texts"
        ),
        "exp" | "iat" | "nbf" => format!("check this machine's clock, then {again}"),
        "refresh_token" => no_refresh_token(to).to_owned(),
        "auth_time" => sign_out_first(org.as_str(), &to.provider.issuer),
        _ => format!("{again}; if it stays so, tell the administrators of {org}"),
    }
}

/// What a provider still wants before it gives a refresh token, by what was asked of it already.
fn no_refresh_token(to: &Org) -> &'static str {
    let provider = &to.provider;
    let consent = provider
        .extra
        .get("prompt")
        .is_some_and(|prompts| prompts.split(' ').any(|prompt| prompt == "consent"));
    if provider
        .scopes
        .iter()
        .all(|scope| scope != "offline_access")
    {
        "add `offline_access` to `scopes`, or have the client allowed to get refresh tokens"
    } else if !consent {
        "add `prompt = \"consent\"` to `extra`, without which some providers give none, or have the client allowed to get refresh tokens"
    } else {
        "have the client allowed to get refresh tokens at the identity provider"
    }
}

/// What helps where a provider goes on with a session that is too old.
pub(crate) fn sign_out_first(org: &str, provider: &str) -> String {
    format!("sign out at {provider} in your browser, then run `oam login {org}` again")
}

/// The refusal of an answer that nobody vouches for, with the error that stands in it: its `state` fits, but
/// any page that saw it could have sent the rest (RFC 9207).
pub(super) fn unconfirmed(org: &str, refused: &Refusal, code: &str) -> Refusal {
    let told = answered(org, code);
    let sentence = format!(
        "{}; unconfirmed, the provider refused with `{code}`",
        refused.sentence
    );
    Refusal::new(refused.code, sentence, told.next)
}

/// The refusal for an OAuth error code; `code` is plain.
pub(super) fn answered(org: &str, code: &str) -> Refusal {
    let said = format!("the identity provider of {org} refused the sign-in (`{code}`)");
    match code {
        "access_denied" => Refusal::new(
            RefusalCode::Denied,
            said,
            format!(
                "run `oam login {org}` to try again, or ask the administrators of {org} whether you may use this application"
            ),
        ),
        "invalid_client" | "unauthorized_client" => Refusal::unavailable(
            said,
            "check `client_id`, and that the provider knows it as a public client that may use the authorization code",
        ),
        "invalid_scope" => Refusal::unavailable(
            said,
            "check `scopes`: the provider does not give all of them",
        ),
        "invalid_request" | "unsupported_response_type" | "invalid_target" => Refusal::unavailable(
            said,
            "check the extra parameters, `redirect_port` and `redirect_path` against what the provider has registered",
        ),
        "invalid_grant" => Refusal::unavailable(
            said,
            format!("run `oam login {org}` again; a code is good once, and for a short time"),
        ),
        "login_required" | "interaction_required" | "consent_required" => Refusal::unavailable(
            said,
            "take `prompt` out of the extra parameters: the provider wants to show a page",
        ),
        _ => Refusal::unavailable(
            said,
            format!(
                "run `oam login {org}` again; if it stays so, tell the administrators of {org}"
            ),
        ),
    }
}
