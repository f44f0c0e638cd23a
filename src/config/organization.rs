//! The organization's published set-up (`/.well-known/oam`) as configuration.
//!
//! It is checked by writing it down as the user's file would have it and reading that: so it can
//! hold nothing that the configuration itself would refuse, and there is no second list of checks.

use super::address;
use super::agent::{Hub, IssuerExchange, Org, SourceText, read};
use super::duration;
use super::read::beneath;
use oam_model::answer::named;
use oam_model::granted::Scheme;
use oam_model::organization::{Organization, Reauth, SignIn, SubjectKind, VERSION};
use oam_model::refusal::Refusal;
use serde::Serialize;
use std::collections::BTreeMap;

/// Longest document that is read, bytes: it has to fit one message to the command line.
pub const LARGEST: usize = 32 * 1024;

/// The address of an issuer as a person types it: a slash at its end is cut, and scheme and host are written in small
/// letters (RFC 3986 §6.2.2.1), because addresses of issuers are compared byte for byte.
///
/// # Errors
/// It is no address that an issuer can have.
pub fn issuer_url(typed: &str) -> Result<String, Refusal> {
    let url = small(typed.trim_end_matches('/'));
    address::issuer(&url).map_err(|fault| {
        Refusal::bad_request(format!("the issuer's address {}", fault.what), fault.next)
    })?;
    Ok(url)
}

/// With scheme and host in small letters; the path is as it was.
fn small(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (scheme, host) = (scheme.to_ascii_lowercase(), host.to_ascii_lowercase());
    format!("{scheme}://{host}{path}")
}

/// Where the issuer publishes the set-up.
pub fn document(issuer: &str) -> String {
    format!("{issuer}/.well-known/oam")
}

/// The document, when it is the one of `asked` and all in it could be configured by hand.
///
/// # Errors
/// A sentence part in our own words, to follow "what the issuer publishes can't be used: ".
pub fn understood(bytes: &[u8], asked: &str) -> Result<Organization, String> {
    /// What every version has.
    #[derive(serde::Deserialize)]
    struct Versioned {
        v: u32,
    }
    if bytes.len() > LARGEST {
        return Err("it is longer than 32 KiB".to_owned());
    }
    let Versioned { v } = serde_json::from_slice(bytes)
        .map_err(|_| "it is not an organization's set-up".to_owned())?;
    if v != VERSION {
        return Err(format!(
            "it has version {v}, and this program knows version {VERSION}"
        ));
    }
    let organization: Organization =
        serde_json::from_slice(bytes).map_err(|_| "a part of it is missing or wrong".to_owned())?;
    // Byte for byte, as RFC 8414 §3.3 has it: else one issuer could speak for another.
    if organization.issuer != asked {
        return Err(format!(
            "it names another issuer than the one that was asked{}",
            named(&organization.issuer)
        ));
    }
    settings(&organization)?;
    Ok(organization)
}

/// What the configuration would be. Its endpoints and texts are checked.
///
/// # Errors
/// A sentence part in our own words.
pub fn settings(organization: &Organization) -> Result<Org, String> {
    for (name, url) in [
        ("token_endpoint", &organization.token_endpoint),
        ("revocation_endpoint", &organization.revocation_endpoint),
        ("roles_endpoint", &organization.roles_endpoint),
        ("why_endpoint", &organization.why_endpoint),
        ("feed_endpoint", &organization.feed_endpoint),
        ("records_endpoint", &organization.records_endpoint),
    ] {
        address::endpoint(url).map_err(|fault| format!("`{name}` {}", fault.what))?;
    }
    if organization.job_audience.is_empty()
        || organization.job_audience.chars().any(char::is_control)
    {
        return Err("`job_audience` is empty or holds a control character".to_owned());
    }
    let text = written(organization)?;
    let source = SourceText {
        name: "",
        text: &text,
    };
    let mut settings = read(None, Some(source)).map_err(|faults| {
        faults
            .into_iter()
            .next()
            .map_or_else(String::new, |fault| fault.sentence)
    })?;
    let org = settings
        .orgs
        .pop()
        .ok_or_else(|| "it has no organization".to_owned())?;
    // Jobs use the document itself, so it has to have the one spelling, too.
    let plain = |hub: &&Hub| organization.hubs.iter().any(|said| said.url == hub.url);
    if let Some(odd) = org.hubs.iter().find(|hub| !plain(hub)) {
        return Err(format!(
            "the hub {} spells its URL in an unusual way",
            odd.name
        ));
    }
    Ok(org)
}

/// The organization as it would be configured if the whole of the published set-up were taken over, with what
/// the company's own file, of this text, enforces or adds.
///
/// # Errors
/// A sentence part in our own words.
pub fn effective(organization: &Organization, company: Option<&str>) -> Result<Org, String> {
    let text = written(organization)?;
    let source = |text| SourceText { name: "", text };
    let published = read(None, Some(source(&text)));
    // A user's file may not name what the company enforces; what is published may, and gives way.
    let settings = company.map_or(published, |company| beneath(company, &text));
    let settings = settings.map_err(|faults| {
        let first = faults.into_iter().next();
        first.map_or_else(String::new, |fault| fault.sentence)
    })?;
    let mut orgs = settings.orgs.into_iter();
    orgs.find(|org| org.name == organization.org)
        .ok_or_else(|| "it has no organization".to_owned())
}

/// The issuer whose set-up this is; none: it was written by hand, for another kind of exchange.
pub fn issuer_of(org: &Org) -> Option<&str> {
    org.exchange.issuer().map(|issuer| issuer.url.as_str())
}

/// The lines `[orgs.NAME]…` as TOML, every key in it.
///
/// # Errors
/// A text that TOML can't hold.
pub fn written(organization: &Organization) -> Result<String, String> {
    let sign_in = &organization.sign_in;
    let file = File {
        orgs: BTreeMap::from([(organization.org.as_str(), table(organization, sign_in))]),
    };
    toml::to_string(&file).map_err(|_| "it can't be written as configuration".to_owned())
}

fn table<'a>(organization: &'a Organization, sign_in: &'a SignIn) -> OrgTable<'a> {
    let span = |seconds: u64| duration::short(seconds.saturating_mul(1000));
    let usual = IssuerExchange::at(&organization.issuer);
    let hub = |hub: &'a oam_model::organization::OrgHub| {
        let table = HubTable {
            url: &hub.url,
            kind: &hub.kind,
            auth: match hub.scheme {
                Scheme::Basic => "basic",
                Scheme::Bearer => "bearer",
            },
            username: &hub.username,
            variables: &hub.variables,
        };
        (hub.name.as_str(), table)
    };
    OrgTable {
        issuer: &sign_in.issuer,
        client_id: &sign_in.client_id,
        scopes: &sign_in.scopes,
        redirect_port: sign_in.redirect_port,
        redirect_path: &sign_in.redirect_path,
        groups_claim: &sign_in.groups_claim,
        reauth: sign_in.reauth.map(Reauth::word),
        device: sign_in.device_login.then_some(true),
        fresh: span(sign_in.fresh_s),
        lease: span(sign_in.lease_s),
        session_age: span(sign_in.session_age_s),
        extra: &sign_in.extra,
        exchange: ExchangeTable {
            kind: "issuer",
            url: &organization.issuer,
            token_endpoint: unusual(&organization.token_endpoint, &usual.token_endpoint),
            revocation_endpoint: unusual(
                &organization.revocation_endpoint,
                &usual.revocation_endpoint,
            ),
            roles_endpoint: unusual(&organization.roles_endpoint, &usual.roles_endpoint),
            why_endpoint: unusual(&organization.why_endpoint, &usual.why_endpoint),
            feed_endpoint: unusual(&organization.feed_endpoint, &usual.feed_endpoint),
            records_endpoint: unusual(&organization.records_endpoint, &usual.records_endpoint),
            subject: match sign_in.subject {
                SubjectKind::IdToken => "id-token",
                SubjectKind::AccessToken => "access-token",
            },
        },
        hubs: organization.hubs.iter().map(hub).collect(),
    }
}

/// An endpoint that does not follow from the issuer's URL; the others would only be in the way of a reader.
fn unusual<'a>(said: &'a str, usual: &str) -> Option<&'a str> {
    (said != usual).then_some(said)
}

#[derive(Serialize)]
struct File<'a> {
    orgs: BTreeMap<&'a str, OrgTable<'a>>,
}

#[derive(Serialize)]
struct OrgTable<'a> {
    issuer: &'a str,
    client_id: &'a str,
    scopes: &'a [String],
    redirect_port: u16,
    redirect_path: &'a str,
    groups_claim: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reauth: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<bool>,
    fresh: String,
    lease: String,
    session_age: String,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra: &'a BTreeMap<String, String>,
    exchange: ExchangeTable<'a>,
    hubs: BTreeMap<&'a str, HubTable<'a>>,
}

#[derive(Serialize)]
struct ExchangeTable<'a> {
    kind: &'static str,
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revocation_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    roles_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    feed_endpoint: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    records_endpoint: Option<&'a str>,
    subject: &'static str,
}

#[derive(Serialize)]
struct HubTable<'a> {
    url: &'a str,
    kind: &'a str,
    auth: &'static str,
    username: &'a str,
    variables: &'a [String],
}

#[cfg(any(test, feature = "fixture"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "samples for tests"
)]
pub mod fixture;
#[cfg(test)]
mod tests;
