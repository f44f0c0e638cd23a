//! A renewal that is answered with 200 and without tokens proves nothing (RFC 6749 §5.1 wants `access_token`).

use crate::support::World;
use serde_json::{Value, json};

fn signed_in(answer: &Value) -> World {
    let world = World::start();
    world.login();
    assert!(world.token().is_some());
    let fault =
        json!({"endpoint": "token-refresh", "mode": "answer", "value": answer, "count": -1});
    world.idp.control("fault", &fault);
    world
}

#[test]
fn an_answer_without_an_access_token_is_no_proof() {
    let portal = json!({"result": "redirect", "url": "http://portal.example/login"});
    for answer in [json!({}), json!([]), portal] {
        let world = signed_in(&answer);
        let proven = world.status()["last_proof_at"].clone();
        world.token();
        let status = world.status();
        assert_eq!(status["last_proof_at"], proven, "{answer}: {status}");
        assert!(status["detail"].is_string(), "{answer}: {status}");
        world.idp.control("fault/clear", &json!({}));
        world.kill_agents();
        assert!(world.token().is_some(), "{answer}: the session is kept");
    }
}

#[test]
fn an_error_means_what_it_says_whatever_the_status() {
    let world = signed_in(&json!({"error": "invalid_grant", "error_description": "user disabled"}));
    assert_eq!(world.token(), None);
    assert_eq!(world.status()["standing"], "ended");
}
