//! What comes at the same time: sights of one person, and a new policy among them.

use super::world::{POLICY, World, until};
use oam_system::clock;
use serde_json::{Value, json};

/// The person's token of `ago` seconds before now.
fn token(world: &World, who: &str, ago: u64, groups: &Value) -> String {
    let now = clock::now_s();
    let times = json!({ "iat": now - ago, "auth_time": now - 60, "groups": groups });
    world.id_token(who, &times)
}

async fn held(world: &World, who: &str) -> Vec<String> {
    let row = world.person(who).await.unwrap();
    row.held.iter().map(ToString::to_string).collect()
}

/// Each sight is news, and decides the roles from what it read: two of three find that another one was faster.
#[tokio::test]
async fn bearers_of_one_person_who_come_at_once_are_all_answered_and_the_newest_counts() {
    let world = World::start().await;
    for n in 0..30 {
        let who = format!("p{n}");
        let (with, without) = (json!(["ml"]), json!([]));
        let first = token(&world, &who, 30, &with);
        let second = token(&world, &who, 20, &with);
        let third = token(&world, &who, 10, &without);
        let ask = "/v1/roles";
        let answers = tokio::join!(
            world.bearer(ask, &third),
            world.bearer(ask, &first),
            world.bearer(ask, &second),
        );
        for answer in [answers.0, answers.1, answers.2] {
            answer.expect(200);
        }
        assert_eq!(held(&world, &who).await, ["reader"], "{who}");
    }
}

/// The policy takes the role from the group while some of it are seen anew, again and again: they overtake what the
/// policy's change decided of all, and one who is not seen meanwhile loses the role all the same.
#[tokio::test]
async fn a_policy_that_comes_among_sights_takes_the_role_from_who_is_not_seen_too() {
    let world = World::start().await;
    let groups = json!(["ml"]);
    let idle: Vec<String> = (0..150).map(|n| format!("p{n}")).collect();
    for who in idle.iter().map(String::as_str).chain(["busy"]) {
        let token = token(&world, who, 59, &groups);
        world.bearer("/v1/roles", &token).await.expect(200);
        assert_eq!(held(&world, who).await, ["publisher", "reader"]);
    }
    let sights = async {
        for ago in (1..59).rev() {
            let token = token(&world, "busy", ago, &groups);
            world.bearer("/v1/roles", &token).await.expect(200);
        }
    };
    let other = POLICY.replace("groups = [\"ml\"]", "groups = [\"others\"]");
    tokio::join!(sights, world.policy(&other));
    for who in idle.iter().map(String::as_str).chain(["busy"]) {
        until("the role is gone", async || {
            held(&world, who).await == ["reader"]
        })
        .await;
    }
}
