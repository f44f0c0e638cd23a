//! Security events in every dialect: each takes effect as its meaning says, and no further.

use crate::support::company::now;
use crate::support::wait::until_true;
use crate::support::{Company, Plan};
use serde_json::{Value, json};

/// What the transmitter is told to send about an account.
type Order<'a> = Box<dyn Fn(&str) -> Value + 'a>;

/// A person whom the issuer has seen, with a token that is out.
pub fn seen(company: &Company, account: &str) -> String {
    let subject = company.id_token(account, &json!({}));
    company.granted(&subject, "acme/model", "role:model-reader read")
}

pub fn push(company: &Company, event: &Value) -> Value {
    company.ssf.control("push", event)
}

pub fn merged(base: &Value, change: &Value) -> Value {
    let mut all = base.clone();
    for (name, value) in change.as_object().unwrap() {
        all[name] = value.clone();
    }
    all
}

pub fn active(company: &Company, client: &(String, String), token: &str) -> bool {
    let answer = company
        .introspect((&client.0, &client.1), token)
        .expect(200);
    answer.json()["active"] == true
}

/// What each dialect says of whom, and whether the person's token is dead afterwards.
#[test]
fn every_dialect_and_event_has_its_effect() {
    let company = Company::start();
    let client = company.hub_introspects();
    let iss = company.world.idp.get("issuer").to_owned();
    let iss_sub = |account: &str| json!({"format": "iss_sub", "iss": iss, "sub": account});
    let email =
        |account: &str| json!({"format": "email", "email": format!("{account}@example.com")});
    let cases: Vec<(&str, Order<'_>, bool)> = vec![
        (
            "caep session-revoked",
            Box::new(|a| json!({"type": "session-revoked", "subject": iss_sub(a)})),
            true,
        ),
        (
            "by e-mail",
            Box::new(|a| json!({"type": "session-revoked", "subject": email(a)})),
            true,
        ),
        (
            "complex",
            Box::new(
                |a| json!({"type": "session-revoked", "subject": {"format": "complex", "user": iss_sub(a)}}),
            ),
            true,
        ),
        (
            "aliases",
            Box::new(
                |a| json!({"type": "session-revoked", "subject": {"format": "aliases", "identifiers": [email(a), iss_sub(a)]}}),
            ),
            true,
        ),
        (
            "credential-change",
            Box::new(
                |a| json!({"type": "credential-change", "subject": iss_sub(a), "event": {"credential_type": "password", "change_type": "revoke"}}),
            ),
            true,
        ),
        (
            "credential-change create",
            Box::new(
                |a| json!({"type": "credential-change", "subject": iss_sub(a), "event": {"credential_type": "app", "change_type": "create"}}),
            ),
            false,
        ),
        (
            "token-claims-change to no group",
            Box::new(
                |a| json!({"type": "token-claims-change", "subject": iss_sub(a), "event": {"claims": {"groups": []}}}),
            ),
            true,
        ),
        (
            "token-claims-change that leaves the role",
            Box::new(
                |a| json!({"type": "token-claims-change", "subject": iss_sub(a), "event": {"claims": {"groups": ["staff", "more"]}}}),
            ),
            false,
        ),
        (
            "risc account-enabled",
            Box::new(|a| json!({"type": "account-enabled", "subject": iss_sub(a)})),
            false,
        ),
        (
            "account-disabled",
            Box::new(
                |a| json!({"type": "account-disabled", "subject": iss_sub(a), "event": {"reason": "hijacking"}}),
            ),
            true,
        ),
        (
            "account-purged",
            Box::new(|a| json!({"type": "account-purged", "subject": iss_sub(a)})),
            true,
        ),
        (
            "sessions-revoked, of old",
            Box::new(|a| json!({"type": "sessions-revoked", "subject": iss_sub(a)})),
            true,
        ),
        (
            "session-established",
            Box::new(|a| json!({"type": "session-established", "subject": iss_sub(a)})),
            false,
        ),
        (
            "okta",
            Box::new(
                |a| json!({"type": "session-revoked", "subject": iss_sub(a), "dialect": "okta"}),
            ),
            true,
        ),
        (
            "okta by e-mail",
            Box::new(
                |a| json!({"type": "credential-change", "subject": email(a), "dialect": "okta", "event": {"credential_type": "ALL_FACTORS", "change_type": "revoke"}}),
            ),
            true,
        ),
        (
            "google",
            Box::new(
                |a| json!({"type": "account-disabled", "subject": iss_sub(a), "dialect": "google", "event": {"reason": "hijacking"}}),
            ),
            true,
        ),
    ];
    for (at, (what, event, ends)) in cases.iter().enumerate() {
        let account = format!("person-{at}");
        let token = seen(&company, &account);
        let answer = push(&company, &event(&account));
        assert_eq!(answer["status"], 202, "{what}: {answer}");
        assert_eq!(active(&company, &client, &token), !ends, "{what}");
    }
    company.verify();
}

#[test]
fn an_account_that_is_enabled_again_signs_in_anew() {
    let company = Company::start();
    let subject = company.world.subject("ada");
    let before = company.id_token("ada", &json!({}));
    company.granted(&before, "acme/model", "role:model-reader read");
    push(
        &company,
        &json!({"type": "account-disabled", "subject": subject}),
    );
    let refused = company
        .exchange(&before, "acme/model", "read")
        .expect(400)
        .json();
    assert_eq!(refused["oam"]["code"], "revoked", "{refused}");
    let end = now();
    until_true("the next second", || now() > end);
    let later = company.id_token("ada", &json!({}));
    company.exchange(&later, "acme/model", "read").expect(400);
    push(
        &company,
        &json!({"type": "account-enabled", "subject": subject}),
    );
    company.exchange(&before, "acme/model", "read").expect(400);
    let end = now();
    until_true("the next second", || now() > end);
    let later = company.id_token("ada", &json!({}));
    company
        .exchange(&later, "acme/model", "role:model-reader read")
        .expect(200);
}

#[test]
fn a_signal_that_matches_nobody_raises_an_alarm() {
    let company = Company::start();
    let stranger =
        json!({"type": "account-disabled", "subject": company.world.subject("nobody-here")});
    let answer = push(&company, &stranger);
    assert_eq!(answer["status"], 202, "{answer}");
    let alarm = company.until_audited("the alarm", |e| e["event"] == "alarm");
    assert!(alarm["detail"].is_string(), "{alarm}");
    assert!(
        company.metric("oam_issuer_alarms_total") >= 1,
        "in the metrics"
    );
    assert!(
        company.log().contains("a person must look at"),
        "in the log: {}",
        company.log()
    );
}

/// The stable key is a claim that no signal names.
#[test]
fn a_leaver_whom_a_signal_named_before_their_first_sign_in_is_refused_by_every_name() {
    let with_key = |text: &str| {
        text.replace(
            "[sources.company]\n",
            "[sources.company]\nkey_claim = \"employee\"\n",
        )
    };
    let company = Plan::default().settings(with_key).start();
    let iss = company.world.idp.get("issuer").to_owned();
    for (account, subject) in [
        (
            "eve",
            json!({"format": "iss_sub", "iss": iss, "sub": "eve"}),
        ),
        (
            "mallory",
            json!({"format": "email", "email": "Mallory@example.com"}),
        ),
        ("oscar", json!({"format": "opaque", "id": "oscar"})),
        ("trudy", json!({"format": "opaque", "id": "e-trudy"})),
    ] {
        let employee = json!({"employee": format!("e-{account}")});
        let event = json!({"type": "account-disabled", "subject": subject});
        let answer = push(&company, &event);
        assert_eq!(answer["status"], 202, "{account}: {answer}");
        let first = company.id_token(account, &employee);
        let refused = company.exchange(&first, "acme/model", "role:model-reader read");
        let refused = refused.expect(400).json();
        assert_eq!(refused["oam"]["code"], "revoked", "{account}: {refused}");
        let restored = company.issuer(&["restore", &format!("e-{account}"), "--provider"]);
        restored.expect(0);
    }
    let other = company.id_token("ada", &json!({"employee": "e-ada"}));
    company.granted(&other, "acme/model", "role:model-reader read");
    company.verify();
}
