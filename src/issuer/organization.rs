//! The organization's set-up as it is published: everything that `oam login URL` needs.

use super::keys::sha256;
use oam_model::issuer::{IssuerHub, IssuerSettings};
use oam_model::organization::{OrgHub, Organization, Reauth, SignIn, VERSION};
use oam_model::policy::OrgRules;
use oam_model::refusal::Refusal;

/// `/.well-known/oam`.
///
/// # Errors
/// The policy names a source for sign-in that the settings do not have.
pub fn document(settings: &IssuerSettings, org: &OrgRules) -> Result<Organization, Refusal> {
    let url = &settings.url;
    Ok(Organization {
        v: VERSION,
        org: org.name.clone(),
        issuer: url.clone(),
        sign_in: sign_in(settings, org)?,
        token_endpoint: format!("{url}/oauth/token"),
        revocation_endpoint: format!("{url}/oauth/revoke"),
        roles_endpoint: format!("{url}/v1/roles"),
        why_endpoint: format!("{url}/v1/why"),
        feed_endpoint: format!("{url}/v1/feed"),
        records_endpoint: format!("{url}/v1/records"),
        job_audience: url.clone(),
        hubs: settings.hubs.iter().map(hub).collect(),
    })
}

/// SHA-256 over the bytes that are published, lower-case hex.
pub fn digest(organization: &Organization) -> String {
    sha256(&serde_json::to_vec(organization).unwrap_or_default())
}

fn sign_in(settings: &IssuerSettings, org: &OrgRules) -> Result<SignIn, Refusal> {
    let source = settings
        .sources
        .iter()
        .find(|source| source.name == org.sign_in)
        .ok_or_else(|| {
            Refusal::bad_request(
                format!("people sign in at {}, which is no source here", org.sign_in),
                "name one of the sources of the issuer's configuration in `sign_in` of the policy",
            )
        })?;
    Ok(SignIn {
        issuer: source.issuer.clone(),
        client_id: org.client_id.clone(),
        scopes: org.scopes.clone(),
        extra: org.extra.clone(),
        redirect_port: org.redirect_port,
        redirect_path: org.redirect_path.clone(),
        groups_claim: source.groups_claim.clone(),
        subject: source.subject,
        fresh_s: org.fresh_ms / 1000,
        lease_s: org.lease_ms / 1000,
        session_age_s: org.session_age_ms / 1000,
        device_login: org.device_login,
        reauth: (source.reauth != Reauth::usual(&source.issuer)).then_some(source.reauth),
    })
}

fn hub(hub: &IssuerHub) -> OrgHub {
    OrgHub {
        name: hub.name.clone(),
        url: hub.url.clone(),
        kind: hub.kind.word().to_owned(),
        scheme: hub.scheme,
        username: hub.username.clone(),
        variables: hub.variables.clone(),
    }
}
