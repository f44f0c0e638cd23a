//! Optional members of a provider's metadata that are empty, relative or of another type count as absent.

use crate::support::World;
use serde_json::json;

#[test]
fn what_is_optional_and_unusable_counts_as_absent() {
    for odd in [
        json!({"revocation_endpoint": ""}),
        json!({"revocation_endpoint": "/revoke"}),
        json!({"revocation_endpoint": 7, "userinfo_endpoint": []}),
        json!({"end_session_endpoint": "", "scopes_supported": "openid"}),
    ] {
        let world = World::start();
        let order = json!({"endpoint": "discovery", "values": odd, "count": -1});
        world.idp.control("answer", &order);
        world.login();
        assert!(world.token().is_some(), "{odd}");
    }
}

#[test]
fn a_redirect_of_the_document_is_called_that() {
    let world = World::start();
    world.idp.fault("discovery", "redirect", "before", -1);
    let run = world.oam(&["login", "acme"]);
    assert_ne!(run.code, 0);
    let next = "write in `issuer` the address that this one leads to";
    assert!(run.stderr.contains(next), "{}", run.stderr);
    assert!(!run.stderr.contains("check the network"), "{}", run.stderr);
    assert_eq!(world.idp.count("trap"), 0, "nobody followed it");
}
