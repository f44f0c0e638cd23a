//! A published set-up for tests.

use oam_model::organization::Organization;

/// The set-up of acme.
pub fn acme() -> Organization {
    serde_json::from_value(serde_json::json!({
        "v": 1, "org": "acme", "issuer": "https://issuer.acme.example",
        "sign_in": {"issuer": "https://login.acme.example", "client_id": "oam",
            "scopes": ["openid"], "redirect_path": "/callback", "groups_claim": "groups",
            "subject": "id-token", "fresh_s": 60, "lease_s": 600, "session_age_s": 604_800,
            "device_login": false},
        "token_endpoint": "https://issuer.acme.example/oauth/token",
        "revocation_endpoint": "https://issuer.acme.example/oauth/revoke",
        "roles_endpoint": "https://issuer.acme.example/v1/roles",
        "why_endpoint": "https://issuer.acme.example/v1/why",
        "feed_endpoint": "https://issuer.acme.example/v1/feed",
        "records_endpoint": "https://issuer.acme.example/v1/records",
        "job_audience": "https://issuer.acme.example",
        "hubs": [{"name": "models", "url": "https://hub.acme.example", "kind": "huggingface",
            "username": "hf_user"}]
    }))
    .unwrap()
}
