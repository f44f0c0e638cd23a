//! Bad subject tokens and bad requests: each a clear error, an audit entry, nothing minted, nothing lost.

use crate::support::company::{EXCHANGE, ID_TOKEN, now};
use crate::support::http::{Answer, Ask};
use crate::support::{Company, Plan};
use serde_json::{Value, json};

/// The answer says what is wrong, in our words, and what to do; it is on record; no token left.
#[track_caller]
fn is_refused(company: &Company, what: &str, answer: &Answer, error: &str) {
    let body = answer.json();
    assert_eq!(answer.status, 400, "{what}: {}", answer.text());
    assert_eq!(body["error"], error, "{what}: {body}");
    assert!(
        body["error_description"]
            .as_str()
            .is_some_and(|t| t.len() > 10),
        "{what}: {body}"
    );
    assert!(
        body["oam"]["next"].as_str().is_some_and(|t| !t.is_empty()),
        "{what}: {body}"
    );
    assert!(body.get("access_token").is_none(), "{what}: {body}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
    let id = body["oam"]["request_id"].clone();
    assert_eq!(answer.header("x-request-id"), id.as_str(), "{what}");
    stands_on_record(company, what, answer);
}

/// The refusal has its entry in the audit, found by the request's number; no token is in it.
#[track_caller]
pub fn stands_on_record(company: &Company, what: &str, answer: &Answer) {
    let id = answer.header("x-request-id");
    let id = id.unwrap_or_else(|| panic!("{what}: no x-request-id"));
    let filter = ["audit", "export", "--format", "jsonl", "--request-id", id];
    let found = company.issuer(&filter).expect(0).stdout;
    let entry: Value =
        serde_json::from_str(found.trim()).unwrap_or_else(|e| panic!("{what}: {e}: {found:?}"));
    assert_eq!(entry["event"], "refusal", "{what}: {entry}");
    assert!(entry["refusal"].is_string(), "{what}: {entry}");
    assert!(
        entry["rule"].as_str().is_some_and(|t| t.len() > 10),
        "{what}: {entry}"
    );
    assert!(entry["token_sha256"].is_null(), "{what}: {entry}");
}

/// Nothing was minted, and what was good before is good now.
#[track_caller]
fn nothing_is_lost(company: &Company, held: &str, minted: usize) {
    assert_eq!(company.audited("exchange").len(), minted);
    assert_eq!(company.at_the_hub(held, "acme/model", "upload-pack"), 200);
    let ada = company.id_token("ada", &json!({}));
    company
        .exchange(&ada, "acme/model", "role:model-publisher write")
        .expect(200);
    company.verify();
    assert!(!company.log().contains("panicked"), "{}", company.log());
}

#[test]
fn a_forged_expired_or_foreign_subject_token_is_refused_by_name() {
    let company = Company::start();
    let good = company.id_token("ada", &json!({}));
    let held = company.granted(&good, "acme/model", "role:model-reader read");
    let forge = |claims: Value, how: Value| company.forged("ada", &claims, &how);
    let none = || json!({});
    let tokens = [
        (
            "another key under a known kid",
            forge(none(), json!({"key": "foreign"})),
        ),
        (
            "a kid that nobody published",
            forge(none(), json!({"key": "unknown"})),
        ),
        (
            "a flipped byte of the signature",
            forge(none(), json!({"broken": true})),
        ),
        ("alg none", forge(none(), json!({"alg": "none"}))),
        (
            "alg none in another case",
            forge(none(), json!({"header": {"alg": "nOnE"}, "alg": "none"})),
        ),
        (
            "HS256 with the public key as secret",
            forge(none(), json!({"alg": "HS256"})),
        ),
        ("expired", forge(none(), json!({"seconds": -120}))),
        ("no expiry", forge(none(), json!({"exp": false}))),
        ("not yet valid", forge(json!({"nbf": now() + 600}), none())),
        (
            "issued in the future",
            forge(json!({"iat": now() + 600}), none()),
        ),
        (
            "issued long ago",
            forge(json!({"iat": now() - 90_000}), none()),
        ),
        ("another audience", forge(json!({"aud": "other"}), none())),
        (
            "two audiences, of another party",
            forge(json!({"aud": ["oam", "other"], "azp": "other"}), none()),
        ),
        ("no audience", forge(json!({"aud": null}), none())),
        (
            "an unknown issuer",
            forge(json!({"iss": "https://login.evil.example"}), none()),
        ),
        (
            "an issuer with a slash more",
            forge(
                json!({"iss": format!("{}/", company.world.idp.get("issuer"))}),
                none(),
            ),
        ),
        ("no issuer", forge(json!({"iss": null}), none())),
        ("no subject", forge(json!({"sub": null}), none())),
        ("an empty subject", forge(json!({"sub": ""}), none())),
        (
            "a subject that is a number",
            forge(json!({"sub": 7}), none()),
        ),
        (
            "an access token's type",
            forge(none(), json!({"header": {"typ": "at+jwt"}})),
        ),
        (
            "a logout token",
            forge(none(), json!({"header": {"typ": "logout+jwt"}})),
        ),
        (
            "a security event",
            forge(
                json!({"events": {}}),
                json!({"header": {"typ": "secevent+jwt"}}),
            ),
        ),
        ("our own role token", held.clone()),
        ("not a token", "eyJ.not.a-token".to_owned()),
        ("no dots", "opaque".to_owned()),
        ("empty", String::new()),
    ];
    for (what, token) in &tokens {
        let answer = company.exchange(token, "acme/model", "role:model-publisher write");
        is_refused(&company, what, &answer, "invalid_request");
        // The same as bearer: refused as RFC 6750 says.
        if !token.is_empty() {
            let bearer = company.bearer("/v1/roles", token);
            assert_eq!(bearer.status, 401, "{what}: {}", bearer.text());
            let header = bearer.header("www-authenticate").unwrap_or_default();
            assert!(
                header.starts_with("Bearer") && header.contains("invalid_token"),
                "{what}: {header}"
            );
            assert_eq!(bearer.json()["error"], "invalid_token", "{what}");
            stands_on_record(&company, what, &bearer);
        }
    }
    nothing_is_lost(&company, &held, 1);
}

#[test]
fn oversized_tokens_and_bodies_are_refused_before_they_are_read() {
    let company = Company::start();
    let ada = company.id_token("ada", &json!({}));
    let held = company.granted(&ada, "acme/model", "role:model-reader read");
    let large = company.forged("ada", &json!({"padding": "x".repeat(30_000)}), &json!({}));
    let answer = company.exchange(&large, "acme/model", "read");
    is_refused(&company, "40 kB of token", &answer, "invalid_request");
    let huge = company.forged("ada", &json!({"padding": "x".repeat(300_000)}), &json!({}));
    let answer = company.exchange(&huge, "acme/model", "read");
    assert_eq!(answer.status, 413, "{}", answer.text());
    let bearer = company.bearer("/v1/roles", &"x".repeat(200_000));
    assert!(
        [400, 401, 431].contains(&bearer.status),
        "{}",
        bearer.status
    );
    for path in [
        "/oauth/token",
        "/oauth/introspect",
        "/oauth/revoke",
        "/signals/ssf",
        "/signals/logout",
        "/v1/records",
    ] {
        let body = vec![b'a'; 40 << 20];
        let ask = Ask::post(&format!("{}{path}", company.url)).bearer(&ada);
        // A server that refuses early may close before all was sent: then there is no answer to read.
        if let Ok(answer) = ask
            .body("application/x-www-form-urlencoded", &body)
            .try_send()
        {
            assert!(
                [400, 401, 413, 415].contains(&answer.status),
                "{path}: {}",
                answer.status
            );
        }
    }
    nothing_is_lost(&company, &held, 1);
}

#[test]
fn a_request_that_says_something_twice_or_wrongly_is_refused_by_name() {
    let company = Company::start();
    let ada = company.id_token("ada", &json!({}));
    let held = company.granted(&ada, "acme/model", "role:model-reader read");
    let hub = company.world.hub.get("url").to_owned();
    let usual = [
        ("grant_type", EXCHANGE),
        ("subject_token", ada.as_str()),
        ("subject_token_type", ID_TOKEN),
        ("audience", hub.as_str()),
        ("resource", "acme/model"),
        ("scope", "role:model-reader read"),
    ];
    let with = |change: &[(&'static str, &'static str)]| {
        let mut fields: Vec<(&str, &str)> = usual.to_vec();
        fields.retain(|(name, _)| change.iter().all(|(changed, _)| changed != name));
        fields.extend(change.iter().filter(|(_, value)| *value != "-"));
        Ask::post(&format!("{}/oauth/token", company.url))
            .form(&fields)
            .send()
    };
    for (what, change, error) in [
        (
            "another grant",
            &[("grant_type", "password")][..],
            "unsupported_grant_type",
        ),
        ("no grant", &[("grant_type", "-")], "invalid_request"),
        (
            "no subject token",
            &[("subject_token", "-")],
            "invalid_request",
        ),
        ("no type", &[("subject_token_type", "-")], "invalid_request"),
        (
            "an unknown type",
            &[(
                "subject_token_type",
                "urn:ietf:params:oauth:token-type:saml2",
            )],
            "invalid_request",
        ),
        (
            "an actor",
            &[("actor_token", "x"), ("actor_token_type", "y")],
            "invalid_request",
        ),
        (
            "two audiences",
            &[("audience", "hub"), ("audience", "other")],
            "invalid_request",
        ),
        (
            "two resources",
            &[("resource", "acme/model"), ("resource", "acme/other")],
            "invalid_request",
        ),
        (
            "two scopes",
            &[("scope", "read"), ("scope", "write")],
            "invalid_request",
        ),
        (
            "another kind of token",
            &[(
                "requested_token_type",
                "urn:ietf:params:oauth:token-type:refresh_token",
            )],
            "invalid_request",
        ),
        (
            "an unknown hub",
            &[("audience", "https://hub.evil.example")],
            "invalid_target",
        ),
        (
            "a repository that climbs",
            &[("resource", "acme/../other/model")],
            "invalid_target",
        ),
        (
            "a repository as a pattern",
            &[("resource", "acme/*")],
            "invalid_target",
        ),
        (
            "a repository of nobody",
            &[("resource", "other/model"), ("scope", "read")],
            "invalid_target",
        ),
        (
            "a resource at another host",
            &[
                ("audience", "-"),
                ("resource", "https://hub.evil.example/acme/model"),
            ],
            "invalid_target",
        ),
        (
            "an unknown role",
            &[("scope", "role:hub-admin read")],
            "invalid_scope",
        ),
        (
            "two roles",
            &[("scope", "role:model-reader role:model-publisher")],
            "invalid_scope",
        ),
        ("two actions", &[("scope", "read write")], "invalid_scope"),
        ("an unknown action", &[("scope", "admin")], "invalid_scope"),
        (
            "more than the role has",
            &[("scope", "role:model-reader write")],
            "invalid_scope",
        ),
        (
            "more than any role has",
            &[("scope", "manage")],
            "invalid_target",
        ),
    ] {
        is_refused(&company, what, &with(change), error);
    }
    let json = Ask::post(&format!("{}/oauth/token", company.url))
        .json(&json!({"grant_type": EXCHANGE}))
        .send();
    assert!(
        [400, 415].contains(&json.status),
        "{}: {}",
        json.status,
        json.text()
    );
    let get = Ask::get(&format!("{}/oauth/token", company.url)).send();
    assert_eq!(get.status, 405);
    nothing_is_lost(&company, &held, 1);
}

/// Entra sends a marker instead of the groups of whoever is in more than 200: unknown is not "none".
#[test]
fn a_token_without_room_for_its_groups_is_refused_with_the_remedy() {
    let company = Company::start();
    let overage = json!({"groups": null, "_claim_names": {"groups": "src1"}, "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x"}}});
    let token = company.id_token("ada", &overage);
    let answer = company.exchange(&token, "acme/model", "role:model-publisher write");
    assert_ne!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("groups"), "{}", answer.text());
    assert!(
        answer.json()["oam"]["next"].as_str().unwrap().len() > 20,
        "{}",
        answer.text()
    );
}

#[test]
fn who_asks_too_often_is_told_when_to_come_back_and_others_are_served() {
    let company = Plan::default()
        .settings(|text| {
            text.replace("100000", "60")
                .replace("burst = 10000", "burst = 5")
        })
        .start();
    let ada = company.id_token("ada", &json!({}));
    let ask = company.exchange_ask(&ada, "acme/model", "role:model-reader read");
    let answers: Vec<Answer> = (0..30).map(|_| ask.send()).collect();
    let slow = answers
        .iter()
        .find(|a| a.status == 429)
        .expect("one is too many");
    assert_eq!(slow.json()["error"], "slow_down", "{}", slow.text());
    assert!(
        slow.header("retry-after")
            .is_some_and(|s| s.parse::<u64>().is_ok())
    );
    let brian = company.id_token("brian", &json!({}));
    company
        .exchange(&brian, "acme/model", "role:model-reader read")
        .expect(200);
}
