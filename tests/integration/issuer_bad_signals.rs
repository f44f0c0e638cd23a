//! Bad security events and logout tokens: refused by their word, on record, without any effect.

use crate::issuer_signals::{active, merged, push, seen};
use crate::issuer_tokens::stands_on_record;
use crate::support::company::now;
use crate::support::http::Ask;
use crate::support::wait::until_true;
use crate::support::{Company, Plan};
use serde_json::{Value, json};

/// The newest refusal in the audit is this one, in the words that the sender was told.
#[track_caller]
fn is_the_last_refusal(company: &Company, what: &str, description: &Value) {
    let description = description.as_str().unwrap_or_default();
    assert!(description.len() > 8, "{what}: {description}");
    let entries = company.audited("refusal");
    let entry = entries.last().unwrap_or_else(|| panic!("{what}: no entry"));
    let rule = entry["rule"].as_str().unwrap_or_default();
    assert!(rule.contains(description), "{what}: {entry}");
}

#[test]
fn a_bad_security_event_is_refused_by_its_word_and_changes_nothing() {
    let company = Company::start();
    let client = company.hub_introspects();
    let token = seen(&company, "ada");
    let base = json!({"type": "session-revoked", "subject": company.world.subject("ada")});
    for (what, change, word) in [
        (
            "an unknown transmitter",
            json!({"claims": {"iss": "https://ssf.evil.example"}}),
            "invalid_issuer",
        ),
        (
            "no issuer",
            json!({"claims": {"iss": null}}),
            "invalid_issuer",
        ),
        (
            "another audience",
            json!({"aud": "https://other.example"}),
            "invalid_audience",
        ),
        (
            "no audience",
            json!({"claims": {"aud": null}}),
            "invalid_audience",
        ),
        ("alg none", json!({"alg": "none"}), "invalid_request"),
        (
            "HS256 with the public key",
            json!({"alg": "HS256"}),
            "invalid_request",
        ),
        ("another key", json!({"key": "foreign"}), "invalid_key"),
        ("an unknown kid", json!({"key": "unknown"}), "invalid_key"),
        ("a broken signature", json!({"broken": true}), "invalid_key"),
        (
            "an ID token's type",
            json!({"header": {"typ": "JWT"}}),
            "invalid_request",
        ),
        (
            "a nonce",
            json!({"claims": {"nonce": "n"}}),
            "invalid_request",
        ),
        (
            "no jti",
            json!({"claims": {"jti": null}}),
            "invalid_request",
        ),
        (
            "from the future",
            json!({"claims": {"iat": now() + 3600}}),
            "invalid_request",
        ),
        (
            "no events",
            json!({"claims": {"events": null}}),
            "invalid_request",
        ),
        (
            "events as text",
            json!({"claims": {"events": "session-revoked"}}),
            "invalid_request",
        ),
    ] {
        let answer = push(&company, &merged(&base, &change));
        assert_eq!(answer["status"], 400, "{what}: {answer}");
        assert_eq!(answer["json"]["err"], word, "{what}: {answer}");
        is_the_last_refusal(&company, what, &answer["json"]["description"]);
    }
    let url = format!("{}/signals/ssf", company.inner);
    for (what, kind, body) in [
        ("not a token", "application/secevent+jwt", "{}".to_owned()),
        ("nothing", "application/secevent+jwt", String::new()),
        (
            "an ID token",
            "application/secevent+jwt",
            company.id_token("ada", &json!({})),
        ),
        (
            "a form",
            "application/x-www-form-urlencoded",
            "x=y".to_owned(),
        ),
    ] {
        let answer = Ask::post(&url).body(kind, body.as_bytes()).send();
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        // The provider's ID token is no word of a transmitter.
        let word = match what {
            "an ID token" => "invalid_issuer",
            _ => "invalid_request",
        };
        assert_eq!(answer.json()["err"], word, "{what}: {}", answer.text());
        is_the_last_refusal(&company, what, &answer.json()["description"]);
        stands_on_record(&company, what, &answer);
    }
    assert!(active(&company, &client, &token), "nothing changed");
    let ada = company.id_token("ada", &json!({}));
    company
        .exchange(&ada, "acme/model", "role:model-reader read")
        .expect(200);
    assert!(company.audited("revocation").is_empty());
    assert_eq!(company.audited("refusal").len(), 19, "one for each");
    company.verify();
}

#[test]
fn a_replayed_event_is_accepted_once_over_a_restart_too() {
    let company = Company::start();
    let subject = company.world.subject("ada");
    seen(&company, "ada");
    let event = json!({"type": "session-revoked", "subject": subject});
    let first = push(&company, &event);
    assert_eq!(first["status"], 202, "{first}");
    let end = now();
    until_true("the next second", || now() > end);
    let after = seen(&company, "ada");
    let client = company.hub_introspects();
    let again = json!({"set": first["set"]});
    for round in 0..3 {
        let answer = push(&company, &again);
        assert_eq!(answer["status"], 202, "{answer}");
        assert!(
            active(&company, &client, &after),
            "round {round}: no second effect"
        );
        if round == 1 {
            company.kill_and_restart();
        }
    }
    assert_eq!(company.audited("revocation").len(), 1);
}

#[test]
fn a_key_that_the_transmitter_dropped_is_refused_and_a_new_one_is_found() {
    let company = Company::start();
    let client = company.hub_introspects();
    let token = seen(&company, "ada");
    let event = json!({"type": "verification", "subject": {"format": "opaque", "id": "stream"}, "event": {}});
    assert_eq!(push(&company, &event)["status"], 202);
    let old = company.ssf.control(
        "make",
        &json!({"type": "session-revoked", "subject": company.world.subject("ada")}),
    );
    company.ssf.control("rotate-keys", &json!({"drop": true}));
    until_true("the new key to be fetched", || {
        push(&company, &event)["status"] == 202
    });
    // So many refused pushes were the share of this address: it is told to come later until there is room again.
    until_true("an answer about the key", || {
        let answer = push(&company, &json!({"set": old["set"]}));
        assert!(
            [400, 503].contains(&answer["status"].as_u64().unwrap()),
            "{answer}"
        );
        answer["json"]["err"] == "invalid_key"
    });
    assert!(active(&company, &client, &token));
}

#[test]
fn a_transmitter_that_must_say_a_word_is_refused_without_it() {
    let company = Plan::default()
        .settings(|text| {
            let key = text
                .lines()
                .find(|l| l.starts_with("master_key"))
                .unwrap()
                .replace("master_key", "authorization");
            text.replace(
                "source = \"company\"\n",
                &format!(
                    "source = \"company\"\n{}\n",
                    key.replace("master.key", "word")
                ),
            )
        })
        .prepare();
    crate::support::company::replace(&company.folder.join("word"), "Bearer the-word");
    company.up();
    seen(&company, "ada");
    let event = json!({"type": "session-revoked", "subject": company.world.subject("ada")});
    for wrong in [json!({}), json!({"authorization": "Bearer another"})] {
        let answer = push(&company, &merged(&event, &wrong));
        assert_eq!(answer["status"], 400, "{answer}");
        assert_eq!(answer["json"]["err"], "authentication_failed", "{answer}");
        is_the_last_refusal(&company, "a wrong word", &answer["json"]["description"]);
    }
    let good = merged(&event, &json!({"authorization": "Bearer the-word"}));
    assert_eq!(push(&company, &good)["status"], 202);
    assert_eq!(company.audited("revocation").len(), 1);
}

#[test]
fn a_bad_logout_token_is_refused_and_changes_nothing() {
    let company = Company::start();
    let client = company.hub_introspects();
    let token = seen(&company, "ada");
    let uri = format!("{}/signals/logout", company.inner);
    let base = json!({"account": "ada", "uri": uri});
    let mut refused = 0;
    for (what, change) in [
        ("a nonce", json!({"claims": {"nonce": "n"}})),
        ("no event", json!({"claims": {"events": {}}})),
        (
            "another event",
            json!({"claims": {"events": {"http://schemas.openid.net/event/other": {}}}}),
        ),
        ("another audience", json!({"client": "other"})),
        (
            "an unknown issuer",
            json!({"claims": {"iss": "https://login.evil.example"}}),
        ),
        ("nobody", json!({"claims": {"sub": null, "sid": null}})),
        ("no jti", json!({"claims": {"jti": null}})),
        ("another key", json!({"key": "foreign"})),
        ("alg none", json!({"alg": "none"})),
        ("HS256", json!({"alg": "HS256"})),
        (
            "expired",
            json!({"seconds": -300, "claims": {"iat": now() - 600}}),
        ),
        (
            "an access token's type",
            json!({"header": {"typ": "at+jwt"}}),
        ),
    ] {
        let answer = company
            .world
            .idp
            .control("backchannel", &merged(&base, &change));
        assert_eq!(answer["status"], 400, "{what}: {answer}");
        let entries = company.audited("refusal");
        refused += 1;
        assert_eq!(entries.len(), refused, "{what}: one entry for each");
        let rule = entries.last().unwrap()["rule"].as_str().unwrap();
        assert!(rule.starts_with("a signal was refused: "), "{what}: {rule}");
    }
    assert!(active(&company, &client, &token), "nothing changed");
    assert!(company.audited("revocation").is_empty());
    let id_token = company.id_token("ada", &json!({}));
    let posing = Ask::post(&uri)
        .form(&[("logout_token", &id_token)])
        .send()
        .expect(400);
    assert_eq!(posing.header("cache-control"), Some("no-store"));
    stands_on_record(&company, "an ID token", &posing);
    // A good one, also of the type that older senders use.
    let old = json!({"header": {"typ": "JWT"}});
    let answer = company
        .world
        .idp
        .control("backchannel", &merged(&base, &old));
    assert!(
        [200, 204].contains(&answer["status"].as_u64().unwrap()),
        "{answer}"
    );
    assert!(!active(&company, &client, &token));
    company.verify();
}
