//! Token answers whose `scope` is a list: a member that nobody uses decides nothing.

use crate::support::{Builder, World};
use serde_json::json;

fn odd(world: &World, endpoint: &str, count: i64) {
    let scope = json!({"scope": ["openid", "profile"]});
    let order = json!({"endpoint": endpoint, "values": scope, "count": count});
    world.idp.control("answer", &order);
}

#[test]
fn a_sign_in_and_renewals_whose_scope_is_a_list() {
    let world = Builder::default()
        .idp(json!({"rotation": "always"}))
        .start();
    odd(&world, "token-code", 1);
    world.login();
    odd(&world, "token-refresh", -1);
    for _ in 0..3 {
        assert!(world.token().is_some());
    }
    assert_eq!(world.status()["standing"], "active");
    // The token that came last is the one that is kept.
    world.kill_agents();
    assert!(world.token().is_some());
    assert_eq!(world.idp.ask("stats")["accepted"]["refresh"], 4);
}

#[test]
fn whatever_is_odd_in_an_answer_its_new_refresh_token_is_kept() {
    let world = Builder::default()
        .idp(json!({"rotation": "always"}))
        .start();
    world.login();
    let odd = json!({"access_token": 7, "expires_in": {}, "token_type": []});
    let order = json!({"endpoint": "token-refresh", "values": odd, "count": 2});
    world.idp.control("answer", &order);
    world.token();
    world.kill_agents();
    world.idp.control("answer/clear", &json!({}));
    assert!(world.token().is_some());
    assert_eq!(world.status()["standing"], "active");
}
