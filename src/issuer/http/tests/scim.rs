//! `/scim/v2`: users of the company's directory.

use super::world::{Answer, World, answer};
use crate::secrets::{self, NewSecret};
use crate::signal_processor::Order;
use oam_store::SecretOwner;
use oam_system::clock;
use serde_json::{Value, json};

/// A company with a directory, and the token of it.
pub(super) struct Scim {
    pub(super) world: World,
    pub(super) token: String,
}

impl Scim {
    pub(super) async fn start() -> Self {
        Self::with("").await
    }

    /// With more settings of the directory.
    pub(super) async fn with(lines: &str) -> Self {
        let world = World::with(|settings| {
            let table = format!("[sources.okta.scim]\n{lines}\n[sources.ci]");
            settings.replacen("[sources.ci]", &table, 1)
        })
        .await;
        let token = token(&world, 0, None).await;
        Self { world, token }
    }

    pub(super) async fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        self.ask_with(method, path, body, &[]).await
    }

    pub(super) async fn ask_with(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let url = format!("{}/scim/v2{path}", self.world.url);
        let method = method.parse().unwrap();
        let mut request = self.world.client.request(method, url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_null() {
            request = request
                .header("content-type", "application/scim+json")
                .body(body.to_string());
        }
        answer(request.bearer_auth(&self.token)).await
    }

    pub(super) async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, &Value::Null).await
    }

    /// A user made; its id.
    pub(super) async fn user(&self, name: &str) -> String {
        let body = json!({ "userName": name, "externalId": name, "active": true });
        let made = self.ask("POST", "/Users", &body).await.expect(201).json();
        made["id"].as_str().unwrap().to_owned()
    }

    pub(super) async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": operations,
        });
        self.ask("PATCH", path, &body).await
    }
}

/// A fresh token of the directory.
pub(super) async fn token(world: &World, overlap_ms: u64, good_for_ms: Option<u64>) -> String {
    let secret = secrets::fresh_client_secret().unwrap();
    let new = NewSecret {
        owner: SecretOwner::Directory("okta".parse().unwrap()),
        value: secrets::hash_of(&secret).unwrap(),
        hub: None,
        overlap_ms,
        good_for_ms,
    };
    let org = "acme".parse().unwrap();
    let put = secrets::put(&*world.issuer.store, &org, new, clock::now_ms());
    put.await.unwrap();
    secret.expose().to_owned()
}

#[tokio::test]
async fn a_user_is_made_read_found_changed_and_deleted() {
    let scim = Scim::start().await;
    let body = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": "ada@acme.example", "externalId": "00u1", "password": "t1meMa$heen",
        "id": "mine", "name": { "givenName": "Ada", "familyName": "L" }, "locale": "en-US",
        "emails": [{ "primary": true, "value": "ada@acme.example", "type": "work" }],
        "displayName": "Ada L", "groups": [], "active": true,
    });
    let made = scim.ask("POST", "/Users", &body).await.expect(201);
    assert_eq!(made.header("content-type"), "application/scim+json");
    let user = made.json();
    let id = user["id"].as_str().unwrap();
    assert_ne!(id, "mine", "the id is the issuer's to choose");
    assert!(!made.text.contains("t1meMa"), "{}", made.text);
    let location = format!("https://oam.acme.example/scim/v2/Users/{id}");
    assert_eq!(made.header("location"), location);
    assert_eq!(user["meta"]["location"], location);
    assert_eq!(made.header("etag"), "W/\"1\"");
    let path = format!("/Users/{id}");
    assert_eq!(scim.get(&path).await.expect(200).json(), user);
    let again = scim.ask("POST", "/Users", &body).await.expect(409).json();
    assert_eq!(
        (&again["scimType"], &again["status"]),
        (&json!("uniqueness"), &json!("409"))
    );
    let other = json!({ "userName": "ada@acme.example", "displayName": "Countess" });
    let changed = scim.ask("PUT", &path, &other).await.expect(200).json();
    assert_eq!(changed["displayName"], "Countess");
    assert_eq!(changed["externalId"], "00u1", "who it is stays");
    assert_eq!(changed["active"], true);
    assert_eq!(changed.get("name"), None, "a PUT replaces the rest");
    let same = scim.ask("PUT", &path, &other).await.expect(200);
    assert_eq!(same.header("etag"), "W/\"2\"", "nothing changed");
    scim.ask("DELETE", &path, &Value::Null).await.expect(204);
    scim.get(&path).await.expect(404);
    scim.ask("DELETE", &path, &Value::Null).await.expect(404);
    let told = scim.world.audit("directory").await;
    let details: Vec<&str> = told.iter().map(|e| e["detail"].as_str().unwrap()).collect();
    assert_eq!(details.len(), 3, "{details:?}");
    assert!(details[2].ends_with("was deleted"), "{details:?}");
}

#[tokio::test]
async fn users_are_found_by_what_directories_look_for() {
    let scim = Scim::start().await;
    let body = json!({
        "userName": "ada@acme.example", "externalId": "00u1",
        "emails": [{ "value": "ada@acme.example", "type": "work" }],
    });
    scim.ask("POST", "/Users", &body).await.expect(201);
    for (filter, count) in [
        ("userName eq \"ADA@acme.example\"", 1),
        ("externalId eq \"00u1\"", 1),
        ("emails[type eq \"work\"].value eq \"ada@acme.example\"", 1),
        ("userName eq \"nobody\"", 0),
        (
            "userName eq \"ada@acme.example\" and externalId eq \"other\"",
            0,
        ),
    ] {
        let found = scim
            .get(&format!("/Users?filter={filter}"))
            .await
            .expect(200)
            .json();
        assert_eq!(found["totalResults"], count, "{filter}");
        assert_eq!(
            found["Resources"].as_array().unwrap().len(),
            count,
            "{filter}"
        );
    }
}

#[tokio::test]
async fn a_version_that_was_overtaken_is_not_written_over() {
    let scim = Scim::start().await;
    let path = format!("/Users/{}", scim.user("ada").await);
    let body = json!({ "userName": "ada", "displayName": "A" });
    let with = |tag| [("if-match", tag)];
    scim.ask_with("PUT", &path, &body, &with("W/\"7\""))
        .await
        .expect(412);
    scim.ask_with("PUT", &path, &body, &with("W/\"1\""))
        .await
        .expect(200);
    scim.ask_with("DELETE", &path, &Value::Null, &with("W/\"1\""))
        .await
        .expect(412);
    scim.ask_with("PUT", &path, &body, &with("\"2\", W/\"9\""))
        .await
        .expect(200);
    let known = [("if-none-match", "W/\"2\"")];
    scim.ask_with("GET", &path, &Value::Null, &known)
        .await
        .expect(304);
    scim.ask_with("DELETE", &path, &Value::Null, &with("*"))
        .await
        .expect(204);
}

/// Whether somebody gets a token.
async fn serves(scim: &Scim, token: &str) -> bool {
    let resource = "https://hub.acme.example/acme/model";
    let answer = scim.world.exchange(token, resource, "read").await;
    assert!(matches!(answer.status, 200 | 400), "{}", answer.text);
    answer.status == 200
}

#[tokio::test]
async fn every_way_of_deactivating_ends_the_person_and_their_tokens() {
    let scim = Scim::start().await;
    let client = scim.world.register("hub-1", "models").await;
    let ways: Value = serde_json::from_str(include_str!("scim_dialects.json")).unwrap();
    let ways = ways.as_object().unwrap();
    for (number, (way, said)) in ways.iter().enumerate() {
        let who = &format!("who{number}");
        let id = scim.user(who).await;
        let path = format!("/Users/{id}");
        let id_token = scim.world.id_token(who, &json!({}));
        let role_token = scim.world.granted(&id_token, "read").await;
        let body = said[1].to_string().replace("WHO", who).replace("ID", &id);
        let body: Value = serde_json::from_str(&body).unwrap();
        let answer = scim.ask(said[0].as_str().unwrap(), &path, &body).await;
        assert_eq!(answer.status, 200, "{way}: {}", answer.text);
        assert_eq!(answer.json()["active"], false, "{way}");
        let said = scim.world.introspect(&client, &role_token).await.json();
        assert_eq!(said, json!({ "active": false }), "{way}");
        let later = json!({ "auth_time": clock::now_s() + 5 });
        let later = scim.world.id_token(who, &later);
        assert!(!serves(&scim, &later).await, "{way}");
    }
    let deleted = format!("/Users/{}", scim.user("deleted").await);
    scim.ask("DELETE", &deleted, &Value::Null).await.expect(204);
    assert!(!serves(&scim, &scim.world.id_token("deleted", &json!({}))).await);
    let revoked = scim.world.audit("revocation").await;
    assert_eq!(revoked.len(), ways.len() + 1);
    assert!(revoked.iter().all(|entry| entry["source"] == "okta"));
}

#[tokio::test]
async fn a_leaver_who_never_came_is_refused_and_comes_back_only_by_the_directory() {
    let scim = Scim::start().await;
    let body = json!({ "userName": "eve", "externalId": "eve", "active": false });
    let made = scim.ask("POST", "/Users", &body).await.expect(201).json();
    let path = format!("/Users/{}", made["id"].as_str().unwrap());
    let before = scim.world.id_token("eve", &json!({}));
    assert!(!serves(&scim, &before).await);
    scim.patch(
        &path,
        json!([{ "op": "Replace", "path": "active", "value": "True" }]),
    )
    .await
    .expect(200);
    assert!(
        !serves(&scim, &before).await,
        "what was ended needs a new sign-in"
    );
    let later = json!({ "auth_time": clock::now_s() + 5 });
    let after = scim.world.id_token("eve", &later);
    assert!(serves(&scim, &after).await);
    // What an administrator ended is not the directory's to lift.
    scim.world
        .order("eve", Order::EndAccount { reason: None })
        .await;
    let inactive = json!([{ "op": "replace", "path": "active", "value": false }]);
    let active = json!([{ "op": "replace", "path": "active", "value": true }]);
    scim.patch(&path, inactive).await.expect(200);
    scim.patch(&path, active).await.expect(200);
    assert!(!serves(&scim, &scim.world.id_token("eve", &later)).await);
    scim.world
        .order("eve", Order::Restore { provider: false })
        .await;
    let later = json!({ "auth_time": clock::now_s() + 9 });
    assert!(serves(&scim, &scim.world.id_token("eve", &later)).await);
}

#[tokio::test]
async fn agents_hear_of_a_deactivation_by_the_feed() {
    let scim = Scim::start().await;
    let path = format!("/Users/{}", scim.user("ada").await);
    let id_token = scim.world.id_token("ada", &json!({}));
    scim.world.granted(&id_token, "read").await;
    let url = format!("{}/v1/feed", scim.world.url);
    let request = scim.world.client.get(url).bearer_auth(&id_token);
    let mut stream = request.send().await.unwrap();
    scim.patch(
        &path,
        json!([{ "op": "replace", "value": { "active": false } }]),
    )
    .await
    .expect(200);
    let mut heard = String::new();
    while !heard.contains("deactivated in the directory") {
        let part = stream.chunk().await.unwrap().expect("the stream goes on");
        heard.push_str(&String::from_utf8_lossy(&part));
    }
    assert!(heard.contains("event: revoked"), "{heard}");
}

#[tokio::test]
async fn another_account_of_the_same_user_ends_the_one_before() {
    let scim = Scim::start().await;
    let path = format!("/Users/{}", scim.user("ada").await);
    let ada = scim.world.id_token("ada", &json!({}));
    assert!(serves(&scim, &ada).await);
    scim.patch(
        &path,
        json!([{ "op": "replace", "path": "externalId", "value": "ada2" }]),
    )
    .await
    .expect(200);
    assert!(!serves(&scim, &ada).await);
    assert!(serves(&scim, &scim.world.id_token("ada2", &json!({}))).await);
}
