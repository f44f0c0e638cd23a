//! Which role serves an ask: the narrowest that covers it, by what the caller is about to do.

use crate::support::wait::until_true;
use crate::support::{Builder, World};
use serde_json::json;

fn role_of_a_program_that_tells_nothing(world: &World) -> (String, String) {
    world.token().expect("a token");
    let grant = world.last("grant");
    assert_eq!(grant["intent"], "unknown", "{grant}");
    let text = |name: &str| grant[name].as_str().unwrap().to_owned();
    (text("role"), text("action"))
}

#[test]
fn a_program_that_tells_no_intent_writes_where_the_person_may() {
    let world = World::start();
    world.login();
    let (role, action) = role_of_a_program_that_tells_nothing(&world);
    assert_eq!(
        (role.as_str(), action.as_str()),
        ("model-publisher", "write")
    );
}

#[test]
fn a_program_that_tells_no_intent_reads_where_the_person_may_not_write() {
    let world = World::start();
    world.login_as("brian");
    let (role, action) = role_of_a_program_that_tells_nothing(&world);
    assert_eq!((role.as_str(), action.as_str()), ("model-reader", "read"));
}

#[test]
fn a_program_that_tells_no_intent_reads_when_the_company_wants_it_so() {
    let world = Builder::default()
        .config(|text| format!("unknown_intent = \"read\"\n\n{text}"))
        .start();
    world.login();
    let (role, action) = role_of_a_program_that_tells_nothing(&world);
    assert_eq!((role.as_str(), action.as_str()), ("model-reader", "read"));
}

#[test]
fn a_tie_is_refused_by_the_names_of_the_rivals_and_settled_by_naming_one() {
    let world = Builder::default()
        .config(|text| {
            let twin = "groups = [\"staff\"]\ngrants = [{ hub = \"hub\", repositories = [\"acme/*del\"], action = \"write\" }]";
            format!("{}\n[orgs.acme.roles.hub-admin]\n{twin}\n", text.replace("\"acme/*\", \"datasets/acme/*\"], action = \"write\"", "\"acme/mod*\"], action = \"write\""))
        })
        .start();
    world.login();
    world.set_up_git();
    let url = world.url("acme/model");
    let why = world.oam(&["why", &url, "--write"]).expect(5);
    for rival in ["model-publisher", "hub-admin"] {
        assert!(why.stdout.contains(rival), "{}", why.stdout);
    }
    world.git(".", &["clone", "-q", &url, "model"]).expect(0);
    let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
    world.git("model", &commit).expect(0);
    let push = world.git("model", &["push", "-q"]).expect(128);
    assert!(push.stderr.contains("hub-admin"), "{}", push.stderr);
    let args = [
        "token",
        "--repo",
        "acme/model",
        "--write",
        "--role",
        "hub-admin",
        "--json",
    ];
    assert_eq!(world.oam(&args).expect(0).json()["role"], "hub-admin");
}

#[test]
fn a_role_that_is_not_held_is_refused_also_by_name() {
    let world = World::start();
    world.login_as("brian");
    let args = ["token", "--repo", "acme/model", "--role", "model-publisher"];
    let run = world.oam(&args).expect(5);
    assert!(run.stderr.contains("model-publisher"), "{}", run.stderr);
    assert_eq!(world.idp.count("exchange"), 0);
}

#[test]
fn a_dataset_gets_a_token_of_its_own() {
    let world = World::signed_in();
    let url = world.url("datasets/acme/corpus");
    world.git(".", &["clone", "-q", &url, "corpus"]).expect(0);
    assert_eq!(world.last("grant")["repository"], "datasets/acme/corpus");
    let model = world.token().expect("a token");
    assert_eq!(world.last("grant")["repository"], "acme/model");
    let tokens = world.idp.ask("role-tokens")["tokens"].clone();
    let repositories: Vec<_> = tokens.as_array().unwrap().iter().collect();
    assert_eq!(repositories.len(), 2, "{tokens}");
    assert!(!model.is_empty());
}

#[test]
fn what_the_provider_does_not_grant_is_said_as_a_denial_of_the_endpoint() {
    let world = World::signed_in();
    let policy = json!({"policy": {"ada": {"model-reader": {"resources": ["acme/*"], "actions": ["read"]}}}});
    world.idp.control("policy", &policy);
    let url = world.url("acme/model");
    world.git(".", &["clone", "-q", &url, "model"]).expect(0);
    let args = ["token", "--repo", "acme/model", "--write"];
    let run = world.oam(&args).expect(5);
    assert!(run.stderr.contains("model-publisher"), "{}", run.stderr);
    assert_eq!(world.status()["standing"], "active", "no session is lost");
}

/// A forge beside the hub: none of the usual commands has to name one of them.
#[test]
fn of_two_hubs_the_one_is_taken_that_the_roles_cover_and_a_tie_is_settled_by_a_default() {
    let with_a_forge = |text: &str| {
        let hub = "url = \"https://git.acme.example\"\nkind = \"git\"";
        let only = r#"grants = [{ hub = "forge", repositories = ["tools/*"], action = "read" }]"#;
        let both = r#"grants = [{ hub = "forge", repositories = ["shared/*"], action = "read" }, { hub = "hub", repositories = ["shared/*"], action = "read" }]"#;
        format!(
            "{text}\n[orgs.acme.hubs.forge]\n{hub}\n\n[orgs.acme.roles.tools]\n{only}\n\n[orgs.acme.roles.shared]\n{both}\n"
        )
    };
    let world = Builder::default().config(with_a_forge).start();
    world.login();
    world.oam(&["token", "--repo", "acme/model"]).expect(0);
    assert_eq!(world.last("grant")["repository"], "acme/model");
    let tools = world.oam(&["why", "tools/build"]).expect(0);
    assert!(tools.stdout.contains("forge"), "{}", tools.stdout);
    let tie = world.oam(&["why", "shared/x"]);
    assert_eq!(tie.code, 2, "{}{}", tie.stdout, tie.stderr);
    assert!(
        tie.stdout.contains("on more than one hub: "),
        "{}",
        tie.stdout
    );
    assert!(tie.stdout.contains("default_hub"), "{}", tie.stderr);
    world.oam(&["why", "shared/x", "--hub", "hub"]).expect(0);

    let text = with_a_forge(&world.usual_config());
    world.write_config(&format!("default_hub = \"hub\"\n\n{text}"));
    until_true("the default hub", || {
        world.oam(&["why", "shared/x"]).code == 0
    });
    // And what only the other covers is still asked there.
    world.oam(&["why", "tools/build"]).expect(0);
}
