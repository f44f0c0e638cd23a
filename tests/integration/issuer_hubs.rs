//! Signing keys and hubs: rotation under load, both Hugging Face flavours, secrets that overlap.

use crate::support::http::Ask;
use crate::support::parts::tool;
use crate::support::traces::sha256;
use crate::support::wait::until_true;
use crate::support::{Company, Plan, Run};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

fn kids(company: &Company) -> Vec<String> {
    let jwks = Ask::get(&format!("{}/jwks.json", company.url))
        .send()
        .json();
    let keys = jwks["keys"].as_array().expect("keys").iter();
    keys.map(|key| key["kid"].as_str().expect("a kid").to_owned())
        .collect()
}

#[test]
fn keys_rotate_under_load_and_no_token_is_refused() {
    let company = Company::start();
    let ada = company.id_token("ada", &json!({}));
    let first = kids(&company);
    let held = company.granted(&ada, "acme/model", "role:model-reader read");
    assert_eq!(company.at_the_hub(&held, "acme/model", "upload-pack"), 200);
    let (stop, served) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let token = company_token(&company, &ada);
                    assert_eq!(company.at_the_hub(&token, "acme/model", "upload-pack"), 200);
                    served.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for round in 1..=3 {
            let before = served.load(Ordering::Relaxed);
            company.issuer(&["keys", "rotate", "--now"]).expect(0);
            until_true("the old keys beside the new one", || {
                kids(&company).len() > round
            });
            until_true("tokens by the new key", || {
                served.load(Ordering::Relaxed) > before + 10
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
    // One from before the first rotation is still good, and its key still there.
    assert_eq!(company.at_the_hub(&held, "acme/model", "upload-pack"), 200);
    assert!(kids(&company).contains(&first[0]), "{first:?}");
    let listed = company.issuer(&["keys", "list"]).expect(0);
    assert!(listed.stdout.contains(&first[0]), "{}", listed.stdout);
    assert!(company.audited("key-rotation").len() >= 3);
    company.verify();
}

fn company_token(company: &Company, subject: &str) -> String {
    company.granted(subject, "acme/model", "role:model-reader read")
}

/// A rotation that is announced first: the new key is published and does not sign yet.
#[test]
fn an_announced_key_is_published_before_it_signs() {
    let company = Company::start();
    let ada = company.id_token("ada", &json!({}));
    let before = kids(&company);
    company.issuer(&["keys", "rotate"]).expect(0);
    until_true("the new key", || kids(&company).len() == before.len() + 1);
    let token = company_token(&company, &ada);
    let header = crate::support::company::part(&token, 0);
    assert_eq!(header["kid"], before[0].as_str(), "{header}");
    assert_eq!(header["typ"], "at+jwt");
}

fn publisher() -> Company {
    let company = Plan::default()
        .settings(|text| text.replace("kind = \"jwt\"", "kind = \"huggingface-trusted-publisher\""))
        .hub(json!({"repositories": ["acme/model", "acme/other"]}))
        .start();
    for role in ["model-publisher", "model-reader"] {
        let claims = json!({"sub": format!("role:{role}"), "role": role});
        let trust = json!({"issuer": company.url, "resource": "acme/model", "claims": claims});
        company.world.hub.control("trust", &trust);
    }
    company
}

#[test]
fn a_trusted_publisher_gets_a_token_of_one_repository_that_git_and_hf_use() {
    let company = publisher();
    let world = &company.world;
    company.login("ada");
    world.set_up_git();
    let url = world.url("acme/model");
    world.git("", &["clone", &url, "c"]).expect(0);
    std::fs::write(world.home.join("c/layers.txt"), "2\n").unwrap();
    world.git("c", &["add", "."]).expect(0);
    world.git("c", &["commit", "-m", "layers"]).expect(0);
    world.git("c", &["push", "origin", "HEAD:main"]).expect(0);
    let file = world.home.join("config.json");
    std::fs::write(&file, "{}\n").unwrap();
    let args = [
        "exec",
        "--",
        tool("HF"),
        "upload",
        "acme/model",
        file.to_str().unwrap(),
        "config.json",
    ];
    let mut upload = world.oam_command(&args);
    upload.env("HF_HOME", world.home.join("hf"));
    Run::of(&upload.output().unwrap()).expect(0);

    // The hub knows a write token only: a reader of the role gets none, and what ada reads with is marked.
    let brian = company.id_token("brian", &json!({}));
    let refused = company.exchange(&brian, "acme/model", "role:model-reader read");
    assert_ne!(refused.status, 200, "{}", refused.text());
    let ada = company.id_token("ada", &json!({}));
    let read = company
        .exchange(&ada, "acme/model", "role:model-publisher read")
        .expect(200)
        .json();
    assert_eq!(read["oam"]["wider_than_asked"], true, "{read}");
    let write = company
        .exchange(&ada, "acme/model", "role:model-publisher write")
        .expect(200)
        .json();
    assert_eq!(write["oam"]["wider_than_asked"], false, "{write}");
    assert!(write["expires_in"].as_u64().unwrap() <= 3600, "{write}");
    let token = write["access_token"].as_str().unwrap();
    assert!(token.starts_with("hf_jwt_"));
    assert_eq!(company.at_the_hub(token, "acme/other", "upload-pack"), 403);
    // Not a publisher there: the hub refuses, and so do we.
    let other = company.exchange(&ada, "acme/other", "role:model-publisher write");
    assert_ne!(other.status, 200, "{}", other.text());
    assert!(
        !other.text().contains("no such trusted publisher"),
        "the hub's prose stays out: {}",
        other.text()
    );
    company.verify();
}

#[test]
fn what_the_hub_answers_is_compared_with_what_was_asked() {
    let company = publisher();
    let ada = company.id_token("ada", &json!({}));
    let ask = company.exchange_ask(&ada, "acme/model", "role:model-publisher write");
    for wrong in [
        json!({"token_type": "mac"}),
        json!({"access_token": null}),
        json!({"access_token": ""}),
        json!({"expires_in": null}),
        json!({"expires_in": -1}),
        json!({"issued_token_type": "urn:ietf:params:oauth:token-type:refresh_token"}),
    ] {
        company.world.hub.control("token-answer", &wrong);
        let answer = ask.send();
        assert_ne!(answer.status, 200, "{wrong}: {}", answer.text());
    }
    ask.send().expect(200);
    for (status, body) in [
        (500, "broken"),
        (400, "{\"error\":\"invalid_grant\"}"),
        (302, ""),
        (200, "<html>"),
    ] {
        let fault = json!({"status": status, "body": body, "paths": "^/oauth/token"});
        company.world.hub.control("fault", &fault);
        let answer = ask.send();
        assert_ne!(answer.status, 200, "{status}: {}", answer.text());
        assert!(
            answer.json()["oam"]["next"].is_string(),
            "{status}: {}",
            answer.text()
        );
    }
    // Each attempt was on record before the hub was asked.
    let attempts = company.audited("attempt").len();
    assert_eq!(attempts, 11);
    assert_eq!(company.audited("exchange").len(), 1);
}

fn organization(secret: &Value) -> Value {
    json!({"organization": {
        "client_id": "org-acme", "client_secret": secret, "name": "acme", "members": ["ada@example.com"],
    }})
}

#[test]
fn the_organization_flavour_scopes_tokens_and_its_secret_rotates_with_overlap() {
    let company = Plan::default()
        .settings(|text| {
            text.replace(
                "kind = \"jwt\"",
                "kind = \"huggingface-org\", client_id = \"org-acme\"",
            )
        })
        .start();
    let hub = &company.world.hub;
    hub.control("options", &organization(&json!("first")));
    let ada = company.id_token("ada", &json!({}));
    let write = company.exchange_ask(&ada, "acme/model", "role:model-publisher write");
    // An address that nobody vouches for is no member's.
    let unverified = company.id_token("ada", &json!({"email_verified": false}));
    let ask = company.exchange_ask(&unverified, "acme/model", "role:model-publisher write");
    assert!(ask.send().expect(400).text().contains("email_verified"));
    // Without a secret nothing is asked of the hub, and the refusal names the command.
    let refused = write.send().expect(503);
    assert!(
        refused.text().contains("secret set hub"),
        "{}",
        refused.text()
    );
    company
        .issuer_fed(&["secret", "set", "hub"], "first\n")
        .expect(0);
    until_true("the secret to be taken up", || write.send().status == 200);

    let read = company
        .exchange(&ada, "acme/model", "role:model-reader read")
        .expect(200)
        .json();
    let token = read["access_token"].as_str().unwrap();
    assert!(token.starts_with("hf_oauth_"));
    assert_eq!(company.at_the_hub(token, "acme/model", "upload-pack"), 200);
    assert_eq!(
        company.at_the_hub(token, "acme/model", "receive-pack"),
        403,
        "no wider than asked"
    );
    // The hub's token lives eight hours, the role's minutes: it is the role's life that counts.
    assert!(read["expires_in"].as_u64().unwrap() <= 3600, "{read}");
    let eve = company.id_token("brian", &json!({}));
    let stranger = company.exchange(&eve, "acme/model", "role:model-reader read");
    assert_ne!(
        stranger.status,
        200,
        "not a member there: {}",
        stranger.text()
    );

    // Rotation: the new secret is set here first, the hub takes it over later; no exchange fails.
    company
        .issuer_fed(&["secret", "set", "hub", "--overlap", "1h"], "second\n")
        .expect(0);
    for _ in 0..3 {
        write.send().expect(200);
    }
    hub.control("options", &organization(&json!(["first", "second"])));
    write.send().expect(200);
    hub.control("options", &organization(&json!("second")));
    for _ in 0..3 {
        write.send().expect(200);
    }
    let listed = company.issuer(&["secret", "list"]).expect(0);
    assert!(listed.stdout.contains("hub"), "{}", listed.stdout);
    let everything = listed.stdout
        + &company.log()
        + &company
            .audit()
            .iter()
            .map(Value::to_string)
            .collect::<String>();
    assert!(
        !everything.contains("second") && !everything.contains("first\""),
        "a secret is shown"
    );
    assert!(company.audited("secret-rotation").len() >= 2);

    // The end of ada ends the hub's tokens too, where the hub can: tried, and its outcome on record.
    company.issuer(&["revoke", "ada"]).expect(0);
    until_true("the hub to refuse", || {
        company.at_the_hub(token, "acme/model", "upload-pack") == 401
    });
    let hash = sha256(token.as_bytes());
    company.until_audited("the revocation at the hub", |e| {
        e["event"] == "token-revoked" && e["token_sha256"] == hash.as_str()
    });
    company.verify();
}
