//! Settings and sessions for tests.

use crate::state::{Live, SessionLimits};
use oam_model::granted::Scheme;
use oam_model::identity::Identity;
use oam_model::role::{Action, Grant, OfflineRule, Role};
use oam_model::settings::{
    Body, Exchange, Hub, HubKind, Org, Provider, Rfc8693, Settings, SubjectToken, UnknownIntent,
};
use oam_model::time::Moment;
use oam_model::token_key::TokenKey;

/// A role of one grant on the hub `hub`.
fn role(name: &str, groups: &[&str], pattern: &str, action: Action) -> Role {
    Role {
        name: name.parse().unwrap(),
        description: None,
        groups: groups.iter().map(|g| (*g).to_owned()).collect(),
        priority: 0,
        lifetime_s: 900,
        offline: OfflineRule::Grace,
        grants: vec![Grant {
            hub: "hub".parse().unwrap(),
            repositories: vec![pattern.into()],
            action,
        }],
    }
}

/// The settings of an identity provider that is asked for nothing special.
pub fn provider(issuer: &str) -> Provider {
    Provider {
        issuer: issuer.into(),
        client_id: "oam".into(),
        scopes: vec!["openid".into()],
        extra: std::collections::BTreeMap::new(),
        redirect_port: 0,
        redirect_path: "/callback".into(),
        groups_claim: "groups".into(),
        reauth: oam_model::organization::Reauth::MaxAge,
        device: true,
        device_authorization_endpoint: None,
        ca_file: None,
        ca_sha256: None,
        proxy: None,
        proxy_auth_file: None,
        environment: None,
    }
}

/// One organization, one hub, five roles.
pub fn settings() -> Settings {
    Settings {
        default_org: None,
        default_hub: None,
        unknown_intent: UnknownIntent::Write,
        orgs: vec![Org {
            name: "acme".parse().unwrap(),
            provider: provider("https://idp.acme.example"),
            exchange: Exchange::Rfc8693(Rfc8693 {
                token_endpoint: "https://tokens.acme.example".into(),
                body: Body::Form,
                subject: SubjectToken::IdToken,
                client_id: None,
                audience: None,
                resource: None,
                scope: None,
                revocation_endpoint: None,
            }),
            hubs: vec![Hub {
                name: "hub".parse().unwrap(),
                url: "https://hub.acme.example".into(),
                kind: HubKind::Git,
                scheme: Scheme::Basic,
                username: "oam".into(),
                variables: vec![],
            }],
            roles: vec![
                role("reader", &[], "acme/*", Action::Read),
                role("publisher", &["publishers"], "acme/*", Action::Write),
                role("twin", &["twins"], "acme/*", Action::Write),
                role("auditor", &["auditors"], "**", Action::Read),
            ],
            fresh_ms: 60_000,
            lease_ms: 600_000,
            session_age_ms: 7 * 86_400_000,
        }],
    }
}

/// One minute, ten minutes, seven days.
pub const LIMITS: SessionLimits = SessionLimits {
    fresh_ms: 60_000,
    lease_ms: 600_000,
    session_age_ms: 7 * 86_400_000,
};

/// A moment long after boot and epoch.
pub const START: Moment = Moment::new(1_000_000, 1_800_000_000_000);

/// Ada's session, proven at `at`.
pub fn live(at: Moment) -> Box<Live> {
    Box::new(Live {
        identity: identity(),
        signed_in_at_ms: at.wall_ms,
        last_proof: Some(at),
        subject_expires: None,
        trouble: None,
        failed_at: None,
        doubt: false,
        suspicion: None,
        flight: None,
        bound: true,
    })
}

/// Ada.
pub fn identity() -> Identity {
    Identity {
        issuer: "https://idp.acme.example".into(),
        subject: "ada".into(),
        email: None,
        groups: vec![],
        auth_time: None,
        id_token_expires: None,
    }
}

/// An order for one of a few repositories.
pub fn order(n: u8) -> TokenKey {
    TokenKey {
        hub_url: "https://hub.acme.example".into(),
        role: "reader".parse().unwrap(),
        repository: Some(format!("acme/model{n}").parse().unwrap()),
        action: Action::Read,
        lifetime_s: 900,
    }
}
