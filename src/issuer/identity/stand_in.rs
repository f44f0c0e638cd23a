//! An issuer's settings and its way out, for tests.

use crate::outbound::OutboundClient;
use oam_model::issuer::{
    IdentitySource, IssuerSettings, SecretPlace, ServerLimits, Signing, SigningAlgorithm,
    Transmitter,
};
use std::sync::Arc;

/// Settings with these sources and transmitters, the rest of no consequence here.
pub(crate) fn settings(
    sources: Vec<IdentitySource>,
    transmitters: Vec<Transmitter>,
) -> IssuerSettings {
    IssuerSettings {
        url: "https://oam.acme.example".to_owned(),
        listen: Vec::new(),
        tls: None,
        trusted_proxies: Vec::new(),
        database: String::new(),
        marker: None,
        anchors: None,
        policy: String::new(),
        master_key: SecretPlace::Variable("UNUSED".to_owned()),
        signing: Signing {
            algorithm: SigningAlgorithm::Es256,
            announce_ms: 0,
        },
        sources,
        hubs: Vec::new(),
        transmitters,
        limits: ServerLimits {
            body_bytes: 0,
            request_ms: 0,
            exchanges_per_minute: 0,
            burst: 0,
            feeds: 0,
            connections: 0,
            connections_per_address: 0,
            records_per_day: 0,
            record_bytes_per_day: 0,
            audit_days: 0,
        },
        heartbeat_ms: 15_000,
        metrics_token: None,
        ca_file: None,
        proxy: None,
        proxy_auth_file: None,
    }
}

/// The way out for these settings.
pub(crate) fn outbound(settings: &IssuerSettings) -> Arc<OutboundClient> {
    Arc::new(OutboundClient::new(settings).unwrap_or_else(|r| panic!("{}", r.sentence)))
}
