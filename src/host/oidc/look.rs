//! What of a provider would stop a sign-in or a renewal, found by asking for nothing.

use super::super::http::{Payload, way_of};
use super::{Inner, words};
use oam_config::agent::{Exchange, Org};
use oam_model::report::ProviderFault;
use oam_oidc::jose;
use std::time::Duration;

/// Longest wait for an endpoint.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks for the metadata anew, and whether the endpoints that tokens come from are there.
pub(super) async fn look(inner: &Inner, org: &Org) -> Vec<ProviderFault> {
    let metadata = match inner.discovery.fresh(&org.provider).await {
        Ok(metadata) => metadata,
        Err(fault) => {
            let why = words::of(&fault);
            return vec![ProviderFault::Discovery { why }];
        }
    };
    let mut faults = Vec::new();
    let named = &metadata.signing_algorithms;
    if !named.is_empty() && named.iter().all(|alg| jose::accepted(alg).is_err()) {
        faults.push(ProviderFault::Algorithms {
            named: named.clone(),
        });
    }
    faults.extend(endpoint(inner, org, &metadata.token_endpoint).await);
    if let Exchange::Rfc8693(exchange) = &org.exchange
        && exchange.token_endpoint != metadata.token_endpoint
    {
        faults.extend(endpoint(inner, org, &exchange.token_endpoint).await);
    }
    faults
}

/// A request without a grant: every token endpoint refuses it, and what is none answers otherwise.
async fn endpoint(inner: &Inner, org: &Org, url: &str) -> Option<ProviderFault> {
    let form = Payload::form(&[("client_id", &org.provider.client_id)]);
    let via = way_of(&org.provider);
    let url = url.to_owned();
    match inner.http.post(&via, &url, form, PATIENCE).await {
        Ok(answer) => {
            matches!(answer.status, 300..=399 | 404 | 405 | 410).then_some(ProviderFault::Missing {
                url,
                status: answer.status,
            })
        }
        Err(fault) => Some(ProviderFault::Unreachable {
            url,
            why: words::of(&fault),
        }),
    }
}
