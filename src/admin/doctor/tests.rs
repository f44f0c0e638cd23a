//! Each planted fault is found, and its finding says what helps.

use super::endpoints::{judge_introspection, judge_token_endpoint};
use super::github::read;
use super::local::judge_room;
use super::remote::{judge_clock, judge_discovery, judge_keys, judge_ready};
use super::{Finding, State};
use oam_config::issuer::{SourceText as Text, read_settings};
use oam_model::answer::EndpointFault;
use oam_model::issuer::IdentitySource;
use oam_store::TeamsState;
use oam_terminal::moment::local;
use serde_json::{Value, json};

fn source(more: &str) -> IdentitySource {
    let text = format!(
        r#"
url = "https://issuer.acme.example"
trusted_proxies = ["192.0.2.0/24"]
database = "/var/lib/oam/issuer.db"
policy = "/etc/oam/policy.toml"
master_key = {{ file = "/etc/oam/master.key" }}
[sources.okta]
issuer = "https://login.acme.example"
audiences = ["oam"]
{more}
[hubs.models]
url = "https://hub.acme.example"
backend = {{ kind = "jwt" }}
"#
    );
    let read = read_settings(Text {
        name: "issuer.toml",
        text: &text,
    });
    read.unwrap_or_else(|faults| panic!("{faults:?}"))
        .sources
        .remove(0)
}

fn document(more: &Value) -> Value {
    let mut document = json!({
        "issuer": "https://login.acme.example",
        "jwks_uri": "https://login.acme.example/keys",
        "id_token_signing_alg_values_supported": ["RS256", "PS256"],
    });
    for (name, value) in more.as_object().unwrap() {
        document[name] = value.clone();
    }
    document
}

#[track_caller]
fn one(found: impl IntoIterator<Item = Finding>, sentence: &str, next: &str) {
    let found: Vec<Finding> = found.into_iter().collect();
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].sentence.contains(sentence), "{found:?}");
    let said = found[0].next.as_deref().unwrap();
    assert!(said.contains(next), "{found:?}");
    assert_eq!(found[0].state, State::Fault);
}

#[test]
fn what_a_source_publishes_is_compared_with_the_settings() {
    let okta = source("");
    assert_eq!(judge_discovery(&okta, &document(&json!({}))), []);
    let judged = |more: Value| judge_discovery(&okta, &document(&more));
    let slash = json!({ "issuer": "https://login.acme.example/" });
    one(
        judged(slash),
        "one slash too many",
        "issuer = \"https://login.acme.example/\"",
    );
    let other = json!({ "id_token_signing_alg_values_supported": ["EdDSA"] });
    one(
        judged(other),
        "it signs with EdDSA, and `algorithms` takes RS256, ES256",
        "`algorithms`",
    );
    one(
        judged(json!({ "jwks_uri": null })),
        "no `jwks_uri`",
        "jwks_file",
    );
    let checked = source(
        "access_tokens = { check = \"introspection\", client_id = \"oam\", client_secret = { env = \"X\" } }",
    );
    let found = judge_discovery(&checked, &document(&json!({})));
    one(found, "names no `introspection_endpoint`", "access_tokens");
}

#[test]
fn a_token_endpoint_that_is_not_there_is_found() {
    let (okta, url) = (source(""), "https://login.acme.example/token");
    let judged = |status| judge_token_endpoint(&okta, url, &Ok((status, Value::Null)));
    for there in [200, 400, 401, 429, 503] {
        assert_eq!(judged(there), None, "{there}");
    }
    for gone in [302, 404, 405, 410] {
        one(judged(gone), "is not there", "discovery");
    }
    let fault = EndpointFault::NotSent {
        why: "no route".into(),
    };
    one(
        judge_token_endpoint(&okta, url, &Err(fault)),
        "no route",
        "routes",
    );
}

#[test]
fn an_introspection_endpoint_that_can_not_be_used_is_found_before_a_token_needs_it() {
    let (okta, url) = (source(""), "https://login.acme.example/introspect");
    let judged = |status, body| judge_introspection(&okta, url, &Ok((status, body)));
    assert_eq!(judged(200, json!({ "active": false })), None);
    for (status, body, sentence, next) in [
        (404, Value::Null, "is not there", "settings"),
        (401, Value::Null, "credentials (401)", "`client_secret`"),
        (200, json!({}), "`active` is missing", "`access_tokens`"),
        (
            200,
            json!({ "active": true }),
            "nobody issued",
            "another way",
        ),
        (500, Value::Null, "answers 500", "`access_tokens`"),
    ] {
        one(judged(status, body), sentence, next);
    }
}

#[test]
fn a_key_set_that_fits_no_algorithm_is_found() {
    let okta = source("");
    let set = |keys: Value| json!({ "keys": keys });
    assert_eq!(
        judge_keys(&okta, &set(json!([{ "alg": "RS256" }, { "alg": "PS512" }]))),
        None
    );
    assert_eq!(judge_keys(&okta, &set(json!([{ "kty": "RSA" }]))), None);
    one(judge_keys(&okta, &set(json!([]))), "is empty", "jwks_uri");
    one(
        judge_keys(&okta, &set(json!([{ "alg": "PS512" }]))),
        "none of its keys",
        "`algorithms`",
    );
}

#[test]
fn a_clock_that_differs_is_found_with_both_times() {
    assert_eq!(judge_clock("source okta", Some(1_000_000), 1_000_020), None);
    assert_eq!(judge_clock("source okta", None, 1_000_020), None);
    let found = judge_clock("source okta", Some(1_000_000), 1_000_060);
    one(found, &local(1_000_000), "timedatectl");
}

#[test]
fn a_disk_that_runs_full_is_found() {
    assert_eq!(judge_room(5 << 30).state, State::Ok);
    assert_eq!(judge_room(500 << 20).state, State::Warning);
    one([judge_room(10 << 20)], "10 MiB are free", "audit prune");
}

#[test]
fn what_the_running_server_warns_of_is_passed_on() {
    let quiet = json!({ "ready": true, "problems": [], "warnings": [] });
    assert_eq!(judge_ready(&quiet), []);
    let said = json!({ "problems": ["database"], "warnings": ["configuration"], "details": ["the disk is full"] });
    let found = judge_ready(&said);
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].state, found[1].state),
        (State::Fault, State::Warning)
    );
    assert!(found[0].sentence.contains("the disk is full"), "{found:?}");
}

#[test]
fn an_app_that_is_refused_or_silent_is_told() {
    let state = |read_at_ms, accounts, fault: Option<&str>| TeamsState {
        teams: 2,
        members: 5,
        accounts,
        read_at_ms,
        heard_at_ms: None,
        fault: fault.map(|why| (why.to_owned(), 7)),
    };
    let told = |state: TeamsState, now_ms| read("part", 600_000, &state, now_ms);
    let now = 100_000_000;
    assert_eq!(told(state(Some(now), 3, None), now).state, State::Ok);
    for (state, bad, said) in [
        (state(None, 3, None), State::Warning, "never read"),
        (
            state(Some(now - 1_900_000), 3, None),
            State::Warning,
            "was not read for long",
        ),
        (
            state(Some(now), 0, None),
            State::Warning,
            "nobody's account",
        ),
        (
            state(Some(now), 3, Some("the App is suspended")),
            State::Fault,
            "the App is suspended",
        ),
    ] {
        let found = told(state, now);
        assert_eq!(found.state, bad, "{found:?}");
        assert!(
            found.sentence.contains(said) && found.next.is_some(),
            "{found:?}"
        );
    }
}

mod directories;
