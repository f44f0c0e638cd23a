//! `/scim/v2`: who is listened to, what is malformed, what is too much.

use super::scim::{Scim, token};
use super::world::{answer, until};
use serde_json::{Value, json};

#[tokio::test]
async fn a_foreign_token_or_one_that_is_over_changes_nothing_and_is_on_record() {
    let mut scim = Scim::start().await;
    let id = scim.user("ada").await;
    let old = std::mem::take(&mut scim.token);
    scim.token = token(&scim.world, 60_000, Some(60_000)).await;
    let new = std::mem::replace(&mut scim.token, old);
    let path = format!("/Users/{id}");
    scim.get(&path).await.expect(200);
    let third = token(&scim.world, 1, None).await;
    let off = json!([{ "op": "replace", "value": { "active": false } }]);
    until("the end of the token", async || {
        scim.get(&path).await.status == 401
    })
    .await;
    let over = scim.patch(&path, off.clone()).await.expect(401);
    assert!(
        over.json()["detail"].as_str().unwrap().contains("is over"),
        "{}",
        over.text
    );
    for foreign in [
        "",
        "nobody",
        scim.world.id_token("ada", &json!({})).as_str(),
    ] {
        scim.token = foreign.to_owned();
        let refused = scim.patch(&path, off.clone()).await.expect(401);
        assert!(refused.header("www-authenticate").starts_with("Bearer"));
        assert_eq!(refused.json()["status"], "401");
    }
    scim.token = new;
    scim.get(&path).await.expect(401);
    scim.token = third;
    assert_eq!(scim.get(&path).await.expect(200).json()["active"], true);
    let refusals = scim.world.audit("refusal").await;
    let over = refusals.iter().filter(|entry| entry["source"] == "okta");
    assert!(over.count() >= 2 && refusals.len() >= 5, "{refusals:?}");
}

#[tokio::test]
async fn what_is_malformed_is_refused_with_a_reason_changes_nothing_and_is_on_record() {
    let scim = Scim::start().await;
    let path = format!("/Users/{}", scim.user("ada").await);
    let bad: Value = serde_json::from_str(include_str!("scim_malformed.json")).unwrap();
    let bad = bad.as_array().unwrap();
    for one in bad {
        let to = one[1].as_str().unwrap().replace("USER", &path);
        let refused = scim.ask(one[0].as_str().unwrap(), &to, &one[2]).await;
        assert_eq!(refused.status, 400, "{one}: {}", refused.text);
        let refused = refused.json();
        assert_eq!(refused["scimType"], one[3], "{one}");
        assert_eq!(
            refused["schemas"],
            json!(["urn:ietf:params:scim:api:messages:2.0:Error"])
        );
    }
    let user = scim.get(&path).await.expect(200);
    assert_eq!(user.header("etag"), "W/\"1\"", "all of a PATCH or nothing");
    assert_eq!(scim.get("/Users").await.json()["totalResults"], 1);
    scim.get("/Users?filter=userName sw \"a\"")
        .await
        .expect(400);
    scim.get("/Users?count=x").await.expect(400);
    assert_eq!(scim.world.audit("refusal").await.len(), bad.len() + 2);
}

#[tokio::test]
async fn what_is_too_large_or_not_taken_at_all_is_refused_by_name() {
    let scim = Scim::start().await;
    let path = format!("/Users/{}", scim.user("ada").await);
    let long = json!({ "userName": "x".repeat(600), "externalId": "x" });
    scim.ask("POST", "/Users", &long).await.expect(400);
    let url = format!("{}/scim/v2/Users", scim.world.url);
    let typed = scim
        .world
        .client
        .post(url)
        .header("content-type", "text/plain");
    answer(typed.bearer_auth(&scim.token).body("{}"))
        .await
        .expect(415);
    let large = json!({ "userName": "x", "externalId": "x", "displayName": "y".repeat(1 << 20) });
    scim.ask("POST", "/Users", &large).await.expect(413);
    let refused = scim
        .ask("POST", "/Bulk", &json!({ "Operations": [] }))
        .await
        .expect(501);
    assert!(refused.text.contains("bulk requests are not taken"));
    scim.get("/Me").await.expect(501);
    scim.get("/Nothing").await.expect(404);
    scim.ask("POST", &path, &json!({})).await.expect(405);
}

#[tokio::test]
async fn what_the_server_takes_is_described() {
    let scim = Scim::start().await;
    let config = scim.get("/ServiceProviderConfig").await.expect(200).json();
    assert_eq!(config["bulk"]["supported"], false);
    assert_eq!(config["patch"]["supported"], true);
    assert_eq!(config["etag"]["supported"], true);
    let schemas = scim.get("/Schemas").await.expect(200).json();
    assert_eq!(schemas["totalResults"], 2);
    let of_user = "/Schemas/urn:ietf:params:scim:schemas:core:2.0:User";
    assert_eq!(scim.get(of_user).await.expect(200).json()["name"], "User");
    let types = scim.get("/ResourceTypes").await.expect(200).json();
    assert_eq!(types["Resources"][1]["endpoint"], "/Groups");
    scim.get("/Schemas/nothing").await.expect(404);
    scim.get("/Schemas?filter=id eq \"x\"").await.expect(403);
}

#[tokio::test]
async fn pages_are_bounded_and_a_quota_keeps_the_rest_out() {
    let scim = Scim::with("subject = \"userName\"\nmost_users = 5").await;
    for n in 0..5 {
        let body = json!({ "userName": format!("u{n}") });
        scim.ask("POST", "/Users", &body).await.expect(201);
    }
    let refused = scim
        .ask("POST", "/Users", &json!({ "userName": "u5" }))
        .await
        .expect(403);
    assert!(refused.text.contains("most_users"), "{}", refused.text);
    let page = scim
        .get("/Users?startIndex=4&count=2&attributes=userName")
        .await
        .expect(200)
        .json();
    assert_eq!(
        (&page["totalResults"], &page["startIndex"]),
        (&json!(5), &json!(4))
    );
    assert_eq!(page["itemsPerPage"], 2);
    assert_eq!(page["Resources"][0]["userName"], "u3");
    assert_eq!(page["Resources"][0].get("meta"), None);
    let none = scim.get("/Users?count=0").await.expect(200).json();
    assert_eq!(
        (&none["totalResults"], &none["itemsPerPage"]),
        (&json!(5), &json!(0))
    );
}

#[tokio::test]
async fn a_change_of_what_is_not_there_is_taken_or_has_another_version_is_on_record_and_a_look_is_not()
 {
    let scim = Scim::start().await;
    let path = format!("/Users/{}", scim.user("ada").await);
    let off = json!([{ "op": "replace", "value": { "active": false } }]);
    scim.get("/Users/nobody").await.expect(404);
    assert!(scim.world.audit("refusal").await.is_empty());
    scim.patch("/Users/nobody", off).await.expect(404);
    let twin = json!({ "userName": "ada", "externalId": "ada" });
    scim.ask("POST", "/Users", &twin).await.expect(409);
    let stale = [("if-match", "W/\"7\"")];
    scim.ask_with("PUT", &path, &twin, &stale).await.expect(412);
    let refused = scim.world.audit("refusal").await;
    assert_eq!(refused.len(), 3, "{refused:?}");
    let okta = refused
        .iter()
        .all(|entry| entry["source"] == "okta" && entry["request_id"].is_string());
    assert!(okta, "{refused:?}");
}
