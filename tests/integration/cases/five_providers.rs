//! The habits of five providers, a row each: how they rotate, what a renewal carries, how times and scopes are written,
//! and what they answer for a session that is gone. None of it may cost a session, and each end is one.

use crate::support::{Builder, World};
use serde_json::{Value, json};

struct Provider {
    habits: Value,
    /// Members of every token answer.
    answers: Value,
    /// What it answers when the session is gone; empty: `invalid_grant`, by itself.
    gone: &'static str,
}

fn row(habits: Value, answers: Value, gone: &'static str) -> Provider {
    Provider {
        habits,
        answers,
        gone,
    }
}

fn providers() -> [Provider; 5] {
    [
        row(json!({"rotation": "always"}), json!({}), ""),
        row(
            json!({"rotation": "never", "require_auth_time": false, "issuer_path": "/realms/acme"}),
            json!({"scope": "groups email openid"}),
            "invalid_request",
        ),
        row(
            json!({"id_token_at_refresh": false, "alg": "ES256"}),
            json!({"expires_in": "3600"}),
            "bare400",
        ),
        row(
            json!({"rotation": "always", "id_token_at_refresh": false, "require_auth_time": false}),
            json!({"expires_in": null, "scope": null}),
            "bare401",
        ),
        row(
            json!({"rotation": "never", "issuer_path": "/o"}),
            json!({"scope": ["openid"], "id_token_expires_in": {}}),
            "invalid_grant",
        ),
    ]
}

fn renews(world: &World, which: usize) {
    for _ in 0..3 {
        assert!(world.token().is_some(), "{which}: {}", world.status());
    }
    assert_eq!(world.status()["standing"], "active", "{which}");
}

#[test]
fn every_habit_is_lived_with_and_every_end_is_noticed() {
    for (which, provider) in providers().into_iter().enumerate() {
        let world = Builder::default().idp(provider.habits).start();
        for endpoint in ["token-code", "token-refresh"] {
            let order = json!({"endpoint": endpoint, "values": provider.answers, "count": -1});
            world.idp.control("answer", &order);
        }
        world.login();
        renews(&world, which);
        // What came last is what a new agent has.
        world.kill_agents();
        renews(&world, which);
        // What a network answers in the provider's place ends nothing.
        for portal in ["html200", "403", "garbage200"] {
            world.idp.fault("token-refresh", portal, "before", 1);
            world.token();
            assert_ne!(world.status()["standing"], "ended", "{which}: {portal}");
        }
        world.idp.control("fault/clear", &json!({}));
        world.kill_agents();
        renews(&world, which);
        if provider.gone.is_empty() {
            world.revoke();
        } else {
            world
                .idp
                .fault("token-refresh", provider.gone, "before", -1);
        }
        assert_eq!(world.token(), None, "{which}");
        assert_eq!(world.status()["standing"], "ended", "{which}");
        let login = world.oam(&["token", "--repo", "acme/model"]);
        assert!(
            login.stderr.contains("oam login"),
            "{which}: {}",
            login.stderr
        );
    }
}
