//! `groups_claim = "realm_access.roles"`, as Keycloak has it, where the agent itself chooses roles: it reads the path
//! as the issuer does.

use crate::support::Builder;
use serde_json::json;

#[test]
fn the_agent_reads_groups_below_a_path() {
    let world = Builder::default()
        .config(|text| {
            text.replace(
                "fresh = \"0s\"",
                "groups_claim = \"realm_access.roles\"\nfresh = \"0s\"",
            )
        })
        .start();
    let claims = json!({"groups": [], "realm_access": {"roles": ["ml-research"]}});
    let order = json!({"field": "claims", "value": claims, "count": -1});
    world.idp.control("tamper", &order);
    world.oam(&["config", "check"]).expect(0);
    world.login();
    let roles = world.oam(&["roles"]).expect(0).stdout;
    assert!(roles.contains("model-publisher"), "{roles}");
}
