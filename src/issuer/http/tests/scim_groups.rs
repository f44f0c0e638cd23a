//! `/scim/v2`: groups of the company's directory.

use super::scim::Scim;
use super::world::{POLICY, until};
use serde_json::{Value, json};
use std::collections::BTreeSet;

impl Scim {
    /// A group made; its path.
    async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<Value> = members.iter().map(|id| json!({ "value": id })).collect();
        let body = json!({ "displayName": name, "members": members });
        let made = self.ask("POST", "/Groups", &body).await.expect(201).json();
        format!("/Groups/{}", made["id"].as_str().unwrap())
    }

    async fn members(&self, path: &str) -> BTreeSet<String> {
        let group = self.get(path).await.expect(200).json();
        let members = group["members"].as_array().cloned().unwrap_or_default();
        let ids = members
            .iter()
            .map(|one| one["value"].as_str().unwrap().to_owned());
        ids.collect()
    }

    async fn three(&self) -> [String; 3] {
        [
            self.user("ada").await,
            self.user("bob").await,
            self.user("cyd").await,
        ]
    }
}

fn set(ids: &[&String]) -> BTreeSet<String> {
    ids.iter().map(|id| (*id).clone()).collect()
}

#[tokio::test]
async fn to_remove_one_member_by_filter_leaves_the_others() {
    let scim = Scim::start().await;
    let [a, b, c] = scim.three().await;
    let path = scim.group("ml", &[&a, &b, &c]).await;
    let filter = format!("members[value eq \"{b}\"]");
    scim.patch(&path, json!([{ "op": "remove", "path": filter }]))
        .await
        .expect(200);
    assert_eq!(scim.members(&path).await, set(&[&a, &c]));
    // The same again: nothing is left to remove, and nobody else goes.
    scim.patch(&path, json!([{ "op": "remove", "path": filter }]))
        .await
        .expect(200);
    assert_eq!(scim.members(&path).await, set(&[&a, &c]));
}

#[tokio::test]
async fn to_remove_a_list_of_members_does_not_empty_the_group() {
    let scim = Scim::start().await;
    let [a, b, c] = scim.three().await;
    let path = scim.group("ml", &[&a, &b, &c]).await;
    let entra =
        json!([{ "op": "Remove", "path": "members", "value": [{ "$ref": null, "value": b }] }]);
    scim.patch(&path, entra).await.expect(200);
    assert_eq!(scim.members(&path).await, set(&[&a, &c]));
    let nobody = json!([{ "op": "Remove", "path": "members", "value": [] }]);
    scim.patch(&path, nobody).await.expect(200);
    assert_eq!(scim.members(&path).await, set(&[&a, &c]));
    scim.patch(&path, json!([{ "op": "remove", "path": "members" }]))
        .await
        .expect(200);
    assert!(scim.members(&path).await.is_empty());
}

#[tokio::test]
async fn to_add_members_keeps_those_that_are_there() {
    let scim = Scim::start().await;
    let [a, b, c] = scim.three().await;
    let path = scim.group("ml", &[&a]).await;
    let okta =
        json!([{ "op": "add", "path": "members", "value": [{ "value": b, "display": "bob" }] }]);
    scim.patch(&path, okta).await.expect(200);
    let entra = json!([{ "op": "Add", "path": "members", "value": [{ "$ref": null, "value": c }, { "value": a }] }]);
    scim.patch(&path, entra).await.expect(200);
    assert_eq!(scim.members(&path).await, set(&[&a, &b, &c]));
}

#[tokio::test]
async fn several_removals_and_additions_in_one_request_are_each_carried_out() {
    let scim = Scim::start().await;
    let [a, b, c] = scim.three().await;
    let path = scim.group("ml", &[&a, &b]).await;
    let operations = json!([
        { "op": "remove", "path": format!("members[value eq \"{a}\"]") },
        { "op": "remove", "path": format!("members[value eq \"{b}\"]") },
        { "op": "add", "path": "members", "value": [{ "value": c }] },
        { "op": "replace", "value": { "id": "other", "displayName": "research" } },
    ]);
    scim.patch(&path, operations).await.expect(200);
    assert_eq!(scim.members(&path).await, set(&[&c]));
    let group = scim.get(&path).await.json();
    assert_eq!(group["displayName"], "research");
    assert_ne!(
        group["id"], "other",
        "a client's id in a value is passed over"
    );
}

#[tokio::test]
async fn a_whole_list_replaces_and_a_group_written_without_members_keeps_them() {
    let scim = Scim::start().await;
    let [a, b, c] = scim.three().await;
    let path = scim.group("ml", &[&a, &b]).await;
    let body = json!({ "displayName": "ml2", "id": "mine" });
    scim.ask("PUT", &path, &body).await.expect(200);
    assert_eq!(scim.members(&path).await, set(&[&a, &b]));
    let body = json!({ "displayName": "ml2", "members": [{ "value": b }, { "value": c }] });
    scim.ask("PUT", &path, &body).await.expect(200);
    assert_eq!(scim.members(&path).await, set(&[&b, &c]));
    let whole = json!([{ "op": "replace", "path": "members", "value": [{ "value": a }] }]);
    scim.patch(&path, whole).await.expect(200);
    assert_eq!(scim.members(&path).await, set(&[&a]));
    scim.ask(
        "PUT",
        &path,
        &json!({ "displayName": "ml2", "members": [] }),
    )
    .await
    .expect(200);
    assert!(scim.members(&path).await.is_empty());
    let found = scim
        .get("/Groups?excludedAttributes=members&filter=displayName eq \"ml2\"")
        .await;
    assert_eq!(found.expect(200).json()["totalResults"], 1);
    scim.ask("POST", "/Groups", &json!({ "displayName": "ml2" }))
        .await
        .expect(409);
}

#[tokio::test]
async fn members_that_nobody_knows_and_groups_in_groups_are_refused() {
    let scim = Scim::start().await;
    let [a, ..] = scim.three().await;
    let path = scim.group("ml", &[&a]).await;
    for bad in [
        json!([{ "op": "add", "path": "members", "value": [{ "value": "nobody" }] }]),
        json!([{ "op": "add", "path": "members", "value": [{ "value": a, "type": "Group" }] }]),
        json!([{ "op": "add", "path": "members", "value": [{ "display": "ada" }] }]),
        json!([{ "op": "remove", "path": "members[display eq \"ada\"]" }]),
        json!([{ "op": "replace", "path": "members[value eq \"x\"].value", "value": "y" }]),
        json!([{ "op": "add", "path": "membrs", "value": [] }]),
    ] {
        scim.patch(&path, bad).await.expect(400);
    }
    assert_eq!(scim.members(&path).await, set(&[&a]));
}

/// Status of an exchange for a role.
async fn asked(scim: &Scim, token: &str, scope: &str) -> u16 {
    let resource = "https://hub.acme.example/acme/model";
    scim.world.exchange(token, resource, scope).await.status
}

#[tokio::test]
async fn a_membership_that_is_lost_takes_the_role_and_its_tokens_at_once() {
    let scim = Scim::start().await;
    let client = scim.world.register("hub-1", "models").await;
    let a = scim.user("ada").await;
    let token = scim.world.id_token("ada", &json!({}));
    let write = scim.world.granted(&token, "role:publisher write").await;
    let read = scim.world.granted(&token, "role:reader read").await;
    let path = scim.group("ml", &[&a]).await;
    assert_eq!(
        scim.world.introspect(&client, &write).await.json()["active"],
        true
    );
    let filter = format!("members[value eq \"{a}\"]");
    scim.patch(&path, json!([{ "op": "remove", "path": filter }]))
        .await
        .expect(200);
    assert_eq!(
        scim.world.introspect(&client, &write).await.json()["active"],
        false
    );
    assert_eq!(
        scim.world.introspect(&client, &read).await.json()["active"],
        true
    );
    // The token still says the group, and does not count any more.
    assert_eq!(asked(&scim, &token, "role:publisher write").await, 400);
    assert_eq!(asked(&scim, &token, "role:reader read").await, 200);
    let lost = scim.world.audit("roles-changed").await;
    assert!(
        lost.last()
            .unwrap()
            .to_string()
            .contains("took them out of ml"),
        "{lost:?}"
    );
    scim.patch(
        &path,
        json!([{ "op": "add", "path": "members", "value": [{ "value": a }] }]),
    )
    .await
    .expect(200);
    assert_eq!(asked(&scim, &token, "role:publisher write").await, 200);
    scim.ask("DELETE", &path, &Value::Null).await.expect(204);
    assert_eq!(asked(&scim, &token, "role:publisher write").await, 400);
}

#[tokio::test]
async fn a_directorys_groups_count_before_a_tokens_and_only_once_it_said_any() {
    let scim = Scim::start().await;
    let (with, without) = (json!({ "groups": ["ml"] }), json!({ "groups": [] }));
    let of = |who: &str, groups: &Value| scim.world.id_token(who, groups);
    let wants = "role:publisher write";
    // Nobody spoke of them, or only of the account: the token counts.
    assert_eq!(asked(&scim, &of("eve", &with), wants).await, 200);
    let a = scim.user("ada").await;
    assert_eq!(asked(&scim, &of("ada", &with), wants).await, 200);
    // In another group by the directory: the token's does not count any more.
    scim.group("sales", &[&a]).await;
    assert_eq!(asked(&scim, &of("ada", &with), wants).await, 400);
    assert_eq!(asked(&scim, &of("eve", &with), wants).await, 200);
    // A group that only the directory says.
    let b = scim.user("bob").await;
    assert_eq!(asked(&scim, &of("bob", &without), wants).await, 400);
    scim.group("ml", &[&b]).await;
    assert_eq!(asked(&scim, &of("bob", &without), wants).await, 200);
    // Roles follow another policy by the directory's groups too.
    scim.world
        .policy(&POLICY.replace("groups = [\"ml\"]", "groups = [\"sales\"]"))
        .await;
    until("the other policy", async || {
        asked(&scim, &of("ada", &without), wants).await == 200
    })
    .await;
    assert_eq!(asked(&scim, &of("bob", &with), wants).await, 400);
}

#[tokio::test]
async fn a_group_that_is_renamed_gives_the_roles_of_its_new_name() {
    let scim = Scim::start().await;
    let a = scim.user("ada").await;
    let path = scim.group("sales", &[&a]).await;
    let token = scim.world.id_token("ada", &json!({ "groups": [] }));
    let wants = "role:publisher write";
    assert_eq!(asked(&scim, &token, wants).await, 400);
    let rename = |name: &str| json!([{ "op": "Replace", "path": "displayName", "value": name }]);
    scim.patch(&path, rename("ml")).await.expect(200);
    assert_eq!(asked(&scim, &token, wants).await, 200);
    scim.patch(&path, rename("ML")).await.expect(200);
    assert_eq!(
        asked(&scim, &token, wants).await,
        400,
        "a group's name is exact"
    );
}

#[tokio::test]
async fn memberships_that_change_at_once_are_all_kept() {
    let scim = Scim::start().await;
    let mut users = Vec::new();
    for n in 0..16 {
        users.push(scim.user(&format!("u{n}")).await);
    }
    let (first, second) = users.split_at(8);
    let path = scim
        .group("ml", &first.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    let changes = users.iter().map(|id| {
        let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{id}\"]") }]);
        let add = json!([{ "op": "add", "path": "members", "value": [{ "value": id }] }]);
        let operations = if first.contains(id) { remove } else { add };
        let (scim, path) = (&scim, path.as_str());
        async move { scim.patch(path, operations).await.expect(200) }
    });
    join_all(changes.collect()).await;
    assert_eq!(scim.members(&path).await, second.iter().cloned().collect());
}

/// Either alone leaves the role: another policy, by which one of two groups gives it, and the loss of that group.
#[tokio::test]
async fn a_reload_that_races_a_lost_membership_leaves_no_role_that_neither_gives() {
    let scim = Scim::start().await;
    let a = scim.user("ada").await;
    let both = POLICY.replace("groups = [\"ml\"]", "groups = [\"ml\", \"research\"]");
    let path = scim.group("ml", &[&a]).await;
    scim.group("research", &[&a]).await;
    let token = scim.world.id_token("ada", &json!({}));
    let held = async || {
        let row = scim.world.person("ada").await.unwrap();
        row.held.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    for round in 0..4 {
        let add = json!([{ "op": "add", "path": "members", "value": [{ "value": a }] }]);
        scim.patch(&path, add).await.expect(200);
        scim.world.policy(&both).await;
        until("both groups give the role", async || {
            asked(&scim, &token, "role:publisher write").await == 200 && held().await.len() == 2
        })
        .await;
        let remove = json!([{ "op": "remove", "path": format!("members[value eq \"{a}\"]") }]);
        let narrower = format!("{POLICY}# {round}\n");
        tokio::join!(scim.world.policy(&narrower), async {
            scim.patch(&path, remove).await.expect(200);
        });
        until("the role is gone", async || held().await == ["reader"]).await;
    }
}

/// Waits for all of them, which go on together.
async fn join_all<F: Future>(futures: Vec<F>) {
    let mut all: Vec<_> = futures.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|context| {
        all.retain_mut(|one| one.as_mut().poll(context).is_pending());
        if all.is_empty() {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}
