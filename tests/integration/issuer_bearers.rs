//! Who may ask what: bearers of another subject, hubs that are not registered, and policies that are wrong.

use crate::issuer_tokens::stands_on_record;
use crate::support::company_files::USUAL_POLICY;
use crate::support::feed::Feed;
use crate::support::http::Ask;
use crate::support::wait::until_true;
use crate::support::{Company, Plan};
use serde_json::{Value, json};

/// Answers that are right once publishers are those of `ml-publishers`.
const EXPECTED: &str = r#"[[case]]
as = "somebody"
source = "company"
groups = ["ml-publishers"]
hub = "hub"
repo = "acme/model"
action = "write"
expect = "model-publisher"

[[case]]
as = "ada"
source = "company"
groups = ["ml-research"]
hub = "hub"
repo = "acme/model"
action = "write"
expect = "denied"
"#;

#[test]
fn a_bearer_of_another_subject_sees_and_changes_nothing_of_mine() {
    let company = Company::signed_in();
    let world = &company.world;
    assert!(world.token().is_some());
    company.until_audited("ada's records", |e| {
        e["event"] == "agent-records" && e["name"] == "ada"
    });
    let (ada, brian) = (
        company.id_token("ada", &json!({})),
        company.id_token("brian", &json!({})),
    );
    let roles = |token: &str| company.bearer("/v1/roles", token).expect(200).json();
    assert_eq!(roles(&ada)["roles"].as_array().unwrap().len(), 2);
    let his = roles(&brian);
    assert_eq!(his["roles"].as_array().unwrap().len(), 1, "{his}");
    assert!(his["subject"].as_str().unwrap().ends_with("brian"), "{his}");
    let query = format!(
        "/v1/why?hub=hub&repository=acme/model&action=write&subject={}",
        roles(&ada)["subject"].as_str().unwrap()
    );
    let why = company.bearer(&query, &brian);
    assert!(
        why.status == 400 || why.json()["decision"].is_null(),
        "{}",
        why.text()
    );

    // Ada's cursor tells Brian nothing of what happened to her.
    let mut hers = Feed::open(&company.url, &ada, None).ok().expect("a stream");
    let groups = json!({"type": "token-claims-change", "subject": world.subject("ada"), "event": {"claims": {"groups": ["staff"]}}});
    company.ssf.control("push", &groups);
    let cursor = hers
        .until("roles-changed")
        .pop()
        .unwrap()
        .id
        .expect("a cursor");
    for after in [None, Some(cursor.as_str())] {
        let mut feed = Feed::open(&company.url, &brian, after)
            .ok()
            .expect("a stream");
        let frames = feed.until("heartbeat");
        assert!(
            frames
                .iter()
                .all(|f| ["reset", "heartbeat"].contains(&f.event.as_str())),
            "{frames:?}"
        );
    }
    drop(hers);

    // Brian can't add to Ada's log, nor rewrite it: her log stays as she sent it.
    let (name, before) = crate::issuer_audit::held_log(&company).expect("her records");
    let upload = json!({"v": 1, "log": name, "head_seq": 1, "head_hash": "0".repeat(64), "lines": [world.records()[0].to_string()]});
    let answer = Ask::post(&format!("{}/v1/records", company.url))
        .bearer(&brian)
        .json(&upload)
        .send()
        .expect(403)
        .json();
    assert_eq!(answer["oam"]["code"], "denied", "{answer}");
    let uploads = company.audited("agent-records");
    assert!(!uploads.is_empty() && uploads.iter().all(|e| e["name"] == "ada"));
    assert!(crate::issuer_audit::held_log(&company).unwrap().1 >= before);
    company.verify();
    world.oam(&["log", "--verify"]).expect(0);
}

#[test]
fn bearer_endpoints_want_a_bearer() {
    let company = Company::start();
    let ada = company.id_token("ada", &json!({}));
    let role = company.granted(&ada, "acme/model", "role:model-reader read");
    for path in ["/v1/roles", "/v1/why?hub=hub&action=read", "/v1/feed"] {
        let answer = Ask::get(&format!("{}{path}", company.url)).send();
        assert_eq!(answer.status, 401, "{path}: {}", answer.text());
        assert!(
            answer
                .header("www-authenticate")
                .is_some_and(|h| h.starts_with("Bearer")),
            "{path}"
        );
        let basic = Ask::get(&format!("{}{path}", company.url))
            .basic("ada", "ada")
            .send();
        assert_eq!(basic.status, 401, "{path}");
        // A token that is good for something else does not open these doors either.
        let wrong = company.bearer(path, &role).expect(401);
        for refused in [&answer, &basic, &wrong] {
            stands_on_record(&company, path, refused);
        }
    }
    let records = Ask::post(&format!("{}/v1/records", company.url))
        .json(&json!({"v": 1}))
        .send();
    assert_eq!(records.status, 401);
    stands_on_record(&company, "records", &records);
    let wrong = Ask::post(&format!("{}/v1/records", company.url))
        .bearer(&role)
        .json(&json!({"v": 1}))
        .send()
        .expect(401);
    stands_on_record(&company, "records", &wrong);
    assert!(company.audited("agent-records").is_empty());
    assert_eq!(company.audited("exchange").len(), 1);
    company.verify();
}

#[test]
fn introspection_answers_registered_hubs_only_and_each_of_its_own_tokens() {
    let second = |text: &str| {
        text.replace("[transmitters.company]", "[hubs.second]\nurl = \"http://127.0.0.1:9\"\nkind = \"git\"\nbackend = { kind = \"jwt\" }\n\n[transmitters.company]")
    };
    let company = Plan::default()
        .settings(second)
        .policy(|text| text.to_owned() + "\n[roles.second-reader]\nmembers = [{ source = \"company\", groups = [\"staff\"] }]\ngrants = [{ hub = \"second\", repositories = [\"acme/*\"], action = \"read\" }]\n")
        .start();
    let (id, secret) = company.hub_introspects();
    let ada = company.id_token("ada", &json!({}));
    let token = company.granted(&ada, "acme/model", "role:model-reader read");
    let told = company
        .introspect((&id, &secret), &token)
        .expect(200)
        .json();
    for (name, value) in [
        ("active", json!(true)),
        ("sub", json!("role:model-reader")),
        ("iss", json!(company.url)),
        ("role", json!("model-reader")),
        ("repository", json!("acme/model")),
        ("actions", json!(["read"])),
    ] {
        assert_eq!(told[name], value, "{told}");
    }
    assert!(
        told["exp"].is_u64() && told["jti"].is_string() && told["act"]["sub"].is_string(),
        "{told}"
    );
    assert!(
        !told.to_string().contains("@example.com"),
        "no e-mail: {told}"
    );

    for (user, password) in [
        (id.as_str(), "wrong"),
        ("nobody", secret.as_str()),
        (id.as_str(), ""),
    ] {
        let answer = company.introspect((user, password), &token).expect(401);
        assert_eq!(
            answer.json()["error"],
            "invalid_client",
            "{}",
            answer.text()
        );
        assert!(!answer.text().contains("active"), "{}", answer.text());
        stands_on_record(&company, user, &answer);
    }
    let bare = Ask::post(&format!("{}/oauth/introspect", company.url))
        .form(&[("token", &token)])
        .send();
    stands_on_record(&company, "no client", &bare.expect(401));
    assert_eq!(company.audited("refusal").len(), 4);

    let other = company
        .issuer(&["client", "add", "second-gate", "--hub", "second", "--json"])
        .expect(0)
        .json();
    let other = (
        other["client"].as_str().unwrap_or("second-gate"),
        other["secret"].as_str().unwrap(),
    );
    assert_eq!(
        company.introspect(other, &token).expect(200).json(),
        json!({"active": false})
    );
    for unknown in ["", "unknown", &token[..token.len() - 4], &ada] {
        let answer = company.introspect((&id, &secret), unknown);
        assert!(
            answer.status == 400 || answer.json() == json!({"active": false}),
            "{}",
            answer.text()
        );
    }
    // A client that is dropped is unknown from then on.
    company.issuer(&["client", "drop", "gate"]).expect(0);
    until_true("the client to be gone", || {
        company.introspect((&id, &secret), &token).status == 401
    });
}

#[test]
fn the_holder_revokes_its_token_by_having_it() {
    let company = Company::start();
    let (id, secret) = company.hub_introspects();
    let ada = company.id_token("ada", &json!({}));
    let (one, two) = (
        company.granted(&ada, "acme/model", "role:model-reader read"),
        company.granted(&ada, "acme/model", "role:model-publisher write"),
    );
    let revoke = |token: &str| {
        Ask::post(&format!("{}/oauth/revoke", company.url))
            .form(&[("token", token)])
            .send()
    };
    revoke(&one).expect(200);
    revoke(&one).expect(200);
    revoke("unknown").expect(200);
    let told = |token: &str| {
        company.introspect((&id, &secret), token).expect(200).json()["active"].clone()
    };
    assert_eq!((told(&one), told(&two)), (json!(false), json!(true)));
    assert_eq!(company.at_the_hub(&one, "acme/model", "upload-pack"), 401);
    assert_eq!(company.audited("token-revoked").len(), 1);
}

#[test]
fn a_wrong_policy_is_told_with_its_place_and_the_old_one_stays_in_force() {
    let company = Company::start();
    let ada = company.id_token("ada", &json!({}));
    let serves = || {
        company
            .exchange(&ada, "acme/model", "role:model-publisher write")
            .status
            == 200
    };
    assert!(serves());
    let cyclic = "\n[roles.a]\ninclude = [\"b\"]\nmembers = [{ source = \"company\" }]\n[roles.b]\ninclude = [\"a\"]\n";
    for (what, text) in [
        (
            "an unknown source",
            USUAL_POLICY.replace("source = \"actions\"", "source = \"jenkins\""),
        ),
        (
            "an unknown hub",
            USUAL_POLICY.replace("hub = \"hub\"", "hub = \"hob\""),
        ),
        ("a circle of roles", format!("{USUAL_POLICY}{cyclic}")),
        (
            "an empty pattern",
            USUAL_POLICY.replace("\"acme/model\"", "\"\""),
        ),
        (
            "no patterns",
            USUAL_POLICY.replace("[\"acme/model\"]", "[]"),
        ),
        (
            "an empty group",
            USUAL_POLICY.replace("[\"staff\"]", "[\"\"]"),
        ),
        (
            "an unknown key",
            USUAL_POLICY.replace("description", "descripton"),
        ),
        ("no TOML", USUAL_POLICY.replace("[org]", "[org")),
        (
            "an unknown action",
            USUAL_POLICY.replace("action = \"write\"", "action = \"publish\""),
        ),
        ("nothing", String::new()),
    ] {
        assert_ne!(text, USUAL_POLICY, "{what}");
        let draft = company.folder.join("draft.toml");
        std::fs::write(&draft, &text).unwrap();
        let checked = company
            .issuer(&["policy", "check", draft.to_str().unwrap()])
            .expect(1);
        let said = checked.stdout + &checked.stderr;
        assert!(
            said.contains("draft.toml:") || what == "nothing",
            "{what}: {said}"
        );
        company.write_policy(&text);
        let warned = || company.ready().1["warnings"] == json!(["configuration"]);
        until_true("the issuer to notice", warned);
        assert_eq!(company.ready().0, 200, "{what}: it serves");
        assert!(serves(), "{what}: the old one is in force");
        company.write_policy(USUAL_POLICY);
        until_true("no warning any more", || !warned());
    }
    // A start with a broken one does not begin to serve something else.
    assert_eq!(company.end("-TERM"), 0);
    company.write_policy(&USUAL_POLICY.replace("[org]", "[org"));
    company.spawn();
    assert_ne!(company.gone(), 0);
    assert!(company.log().contains("policy.toml:"), "{}", company.log());
    company.write_policy(USUAL_POLICY);
    company.up();
    assert!(serves());
    company.verify();
}

#[test]
fn a_change_of_the_policy_is_on_record_and_can_be_compared_and_tested() {
    let company = Company::start();
    let old = company.folder.join("old.toml");
    std::fs::write(&old, USUAL_POLICY).unwrap();
    let new = USUAL_POLICY.replace("groups = [\"ml-research\"]", "groups = [\"ml-publishers\"]");
    company.write_policy(&new);
    company.until_audited("the change", |e| {
        e["event"] == "policy-change" && e["detail"].is_string()
    });
    let path = company.folder.join("policy.toml");
    let diff = company.issuer(&[
        "policy",
        "diff",
        old.to_str().unwrap(),
        path.to_str().unwrap(),
    ]);
    let said = diff.stdout + &diff.stderr;
    assert!(
        said.contains("model-publisher") && said.contains("ml-publishers"),
        "{said}"
    );
    let why = [
        "policy",
        "why",
        "--as",
        "somebody",
        "--source",
        "company",
        "--group",
        "ml-publishers",
        "--repo",
        "acme/model",
        "--write",
        "--json",
    ];
    let told: Value = company.issuer(&why).expect(0).json();
    assert!(told.to_string().contains("model-publisher"), "{told}");
    // And against a table of expected answers: as it was the table fails, with the case that differs.
    let table = company.folder.join("expected.toml");
    std::fs::write(&table, EXPECTED).unwrap();
    let table = table.to_str().unwrap();
    let good = company.issuer(&["policy", "test", table]).expect(0);
    assert!(good.stdout.contains("2 of 2 answers"), "{}", good.stdout);
    let before = ["policy", "test", table, "--policy", old.to_str().unwrap()];
    let bad = company.issuer(&before).expect(1);
    assert!(bad.stdout.contains("0 of 2 answers"), "{}", bad.stdout);
}
