//! A renewed ID token that tells a later sign-in, because the person signed in again elsewhere in the same session
//! of the provider, or because the provider writes "now": a newer sign-in of the same person is no evidence against.

use crate::support::World;
use crate::support::company::now;
use serde_json::json;

#[test]
fn a_later_sign_in_of_the_same_person_proves_the_session() {
    let world = World::start();
    world.login();
    // The exchange of this provider takes its own ID tokens only: what is told below is of renewals.
    assert!(world.token().is_some());
    let later = json!({"field": "auth_time", "value": now() + 30, "on": "refresh", "count": -1});
    world.idp.control("tamper", &later);
    for _ in 0..2 {
        assert!(world.token().is_some());
    }
    let status = world.status();
    assert_eq!(status["standing"], "active", "{status}");
    assert!(status["detail"].is_null(), "{status}");
    // Somebody else's is one.
    let other = json!({"field": "sub", "on": "refresh", "count": -1});
    world.idp.control("tamper", &other);
    world.token();
    assert!(world.status()["detail"].is_string());
}
