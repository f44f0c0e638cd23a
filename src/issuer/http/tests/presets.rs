//! Jobs of every kind that has a preset, with the claims that its maker documents: taken by a rule that is pinned, and
//! a stranger's with the same names is not.

use super::world::{POLICY, World};
use oam_standin::signer::Signer;
use oam_system::clock;
use serde::Deserialize;
use serde_json::{Value, json};
use std::fmt::Write;

const WRITE: &str = "https://hub.acme.example/acme/model";

/// Every kind, and Azure with each of its three tokens.
const KINDS: &str = include_str!("presets.json");

/// One kind.
#[derive(Deserialize)]
struct Kind {
    name: String,
    preset: String,
    issuer: String,
    /// Lines of its source besides preset and issuer.
    more: String,
    /// The conditions of its rule.
    pinned: String,
    claims: Value,
    /// What a token of somebody else has instead.
    stranger: Value,
}

fn with(mut claims: Value, more: &Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims
}

/// A company with a source, a role and a rule for each kind.
async fn company(kinds: &[Kind], signer: &Signer) -> World {
    let keys = json!({ "keys": [signer.jwk] }).to_string();
    let (mut sources, mut policy) = (String::new(), POLICY.to_owned());
    for kind in kinds {
        let Kind {
            name,
            preset,
            issuer,
            more,
            pinned,
            ..
        } = kind;
        write!(
            sources,
            "[sources.{name}]\npreset = \"{preset}\"\nissuer = \"{issuer}\"\njwks_file = \"DIR/jobs.json\"\n{more}\n"
        )
        .unwrap();
        write!(
            policy,
            "[roles.role-{name}]\nmembers = [{{ source = \"{name}\", claims = {{ {pinned} }} }}]\n\
             grants = [{{ hub = \"models\", repositories = [\"acme/*\"], action = \"write\" }}]\n"
        )
        .unwrap();
    }
    World::with(|text| {
        let folder = text
            .split('"')
            .find_map(|one| one.strip_suffix("/issuer.db"))
            .unwrap();
        std::fs::write(format!("{folder}/jobs.json"), &keys).unwrap();
        std::fs::write(format!("{folder}/policy.toml"), &policy).unwrap();
        let sources = sources.replace("DIR", folder);
        text.replacen("[sources.ci]", &format!("{sources}[sources.ci]"), 1)
    })
    .await
}

#[tokio::test]
async fn a_job_of_each_kind_is_taken_by_its_pinned_rule_and_a_strangers_with_its_names_is_not() {
    let kinds: Vec<Kind> = serde_json::from_str(KINDS).unwrap();
    let signer = Signer::rsa("jobs");
    let world = company(&kinds, &signer).await;
    let now = clock::now_s();
    for kind in &kinds {
        let name = &kind.name;
        let times = json!({ "iss": kind.issuer, "iat": now - 5, "nbf": now - 5, "exp": now + 295 });
        let own = with(kind.claims.clone(), &times);
        let token = signer.sign(Some("JWT"), &own);
        let granted = world.exchange(&token, WRITE, "write").await;
        assert_eq!(granted.status, 200, "{name}: {}", granted.text);
        assert_eq!(granted.json()["oam"]["role"], format!("role-{name}"));
        let strangers = signer.sign(Some("JWT"), &with(own.clone(), &kind.stranger));
        let refused = world.exchange(&strangers, WRITE, "write").await;
        assert_eq!(refused.status, 400, "{name}: {}", refused.text);
        assert_eq!(
            refused.json()["error"],
            "invalid_target",
            "{name}: {}",
            refused.text
        );
        // Made for somebody else, who could show it here.
        let elsewhere = with(own, &json!({ "aud": "https://other.example" }));
        let elsewhere = signer.sign(Some("JWT"), &elsewhere);
        world.exchange(&elsewhere, WRITE, "write").await.expect(400);
    }
    assert_eq!(world.audit("exchange").await.len(), kinds.len());
}
