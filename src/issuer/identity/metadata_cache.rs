//! What a provider or a transmitter publishes about itself: OIDC Discovery 1.0 §4, SSF 1.0 §7.

use crate::outbound::OutboundClient;
use oam_model::answer::{EndpointFault, named};
use oam_model::time::Moment;
use oam_oidc::metadata::{self, ProviderMetadata};
use oam_oidc::ttl_cache::{CacheMiss, TtlCache};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;

/// Longest wait for a document: requests hang on it.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whose document it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// An `OpenID` provider's.
    OpenId,
    /// A transmitter's of security events.
    SharedSignals,
}

/// What is used of it. Endpoints are checked: https, or http on loopback with such an issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    jwks_uri: Option<String>,
    pub(super) introspection_endpoint: Option<String>,
    pub(super) userinfo_endpoint: Option<String>,
    /// SSF 1.0 §7.1.
    pub(crate) critical_subject_members: Vec<String>,
}

/// The document of one issuer.
pub(crate) struct MetadataCache {
    outside: Arc<OutboundClient>,
    issuer: String,
    dialect: Dialect,
    kept: TtlCache<Arc<Document>>,
}

impl MetadataCache {
    pub(crate) fn new(outside: Arc<OutboundClient>, issuer: String, dialect: Dialect) -> Self {
        Self {
            outside,
            issuer,
            dialect,
            kept: TtlCache::default(),
        }
    }

    /// The document, from memory when it is there.
    pub(crate) async fn document(&self, now: Moment) -> Result<Arc<Document>, EndpointFault> {
        let found = self
            .kept
            .find(
                now,
                |document| Some(Arc::clone(document)),
                || Box::pin(self.fetch()),
            )
            .await;
        found.map_err(|miss| match miss {
            CacheMiss::Unreachable(fault) => fault,
            CacheMiss::Absent => missing("metadata"),
        })
    }

    /// Where its keys are.
    pub(super) async fn jwks_uri(&self, now: Moment) -> Result<String, EndpointFault> {
        let document = self.document(now).await?;
        document.jwks_uri.clone().ok_or_else(|| missing("jwks_uri"))
    }

    /// The first of the places that has a document of this issuer. Where none has, the fault of the first
    /// is told: it is where the specification puts it.
    async fn fetch(&self) -> Result<Arc<Document>, EndpointFault> {
        let mut first = None;
        for address in places(&self.issuer, self.dialect) {
            let answer = self.outside.within(PATIENCE).get_json(&address, None).await;
            let read = answer.and_then(|answer| read(&self.issuer, &answer.ok()?.body));
            match read {
                Ok(document) => return Ok(Arc::new(document)),
                Err(fault) => first = first.or(Some(fault)),
            }
        }
        Err(first.unwrap_or_else(|| missing("metadata")))
    }
}

/// OIDC appends its path to the issuer's; SSF 1.0 §7.2 inserts its own before it, which some transmitters
/// below a path can't serve; RISC before SSF had another name.
fn places(issuer: &str, dialect: Dialect) -> Vec<String> {
    if dialect == Dialect::OpenId {
        return vec![metadata::address(issuer)];
    }
    let base = issuer.strip_suffix('/').unwrap_or(issuer);
    let after_scheme = base.find("://").map_or(0, |at| at + 3);
    let path_at = base[after_scheme..]
        .find('/')
        .map_or(base.len(), |at| after_scheme + at);
    let (host, path) = base.split_at(path_at);
    let mut places = vec![
        format!("{host}/.well-known/ssf-configuration{path}"),
        format!("{base}/.well-known/ssf-configuration"),
        format!("{host}/.well-known/risc-configuration{path}"),
    ];
    places.dedup();
    places
}

fn read(issuer: &str, body: &[u8]) -> Result<Document, EndpointFault> {
    let unreadable = || EndpointFault::Unreadable {
        why: "the answer is not the metadata of an issuer".to_owned(),
    };
    let said = ProviderMetadata::read(issuer, body).ok_or_else(unreadable)?;
    let critical_subject_members = match said.get("critical_subject_members") {
        Some(names) => Vec::deserialize(names).map_err(|_| unreadable())?,
        None => Vec::new(),
    };
    if !is_same_issuer(said.issuer(), issuer) {
        return Err(EndpointFault::Check {
            name: "issuer".to_owned(),
            why: format!(
                "the metadata names another issuer than the configuration{}",
                named(said.issuer())
            ),
        });
    }
    // Each is optional, and who needs it says that it is missing.
    Ok(Document {
        jwks_uri: said.optional_endpoint("jwks_uri"),
        introspection_endpoint: said.optional_endpoint("introspection_endpoint"),
        userinfo_endpoint: said.optional_endpoint("userinfo_endpoint"),
        critical_subject_members,
    })
}

/// Byte for byte (R29), but for Entra: the document that serves all tenants says `{tenantid}` where
/// the issuer of a tenant has its id.
fn is_same_issuer(said: &str, issuer: &str) -> bool {
    const TENANT: &str = "{tenantid}";
    if said == issuer {
        return true;
    }
    let Some((before, after)) = said.split_once(TENANT) else {
        return false;
    };
    let entra = [
        "https://login.microsoftonline.com/",
        "https://login.microsoftonline.us/",
        "https://login.partner.microsoftonline.cn/",
        "https://sts.windows.net/",
    ];
    let tenant = issuer
        .strip_prefix(before)
        .and_then(|rest| rest.strip_suffix(after));
    entra.contains(&before) && tenant.is_some_and(is_tenant)
}

/// A tenant's id: 36 characters, hexadecimal digits and hyphens.
fn is_tenant(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

fn missing(name: &str) -> EndpointFault {
    EndpointFault::Check {
        name: name.to_owned(),
        why: "it is missing from the metadata, or can't be used".to_owned(),
    }
}

#[cfg(test)]
mod tests;
