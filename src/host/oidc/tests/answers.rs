//! Whatever an answer to a renewal is, what is kept of the session and what is proven by it.

use super::{Idp, answer};
use oam_session::standing::{Meaning, of_refresh};
use oam_standin::server::Canned;
use serde_json::{Value, json};

/// What an answer to a renewal comes to: the refresh token that counts afterwards, and what it proves.
struct Row {
    status: u16,
    body: Value,
    refresh: &'static str,
    proof: Result<(), Meaning>,
}

fn row(status: u16, body: Value, refresh: &'static str, proof: Result<(), Meaning>) -> Row {
    Row {
        status,
        body,
        refresh,
        proof,
    }
}

/// Answers whose odd members are not used, or say nothing of the session.
fn proofs(good: &str) -> Vec<Row> {
    let with = |member: &str, value: Value| {
        let mut body = answer(good);
        body[member] = value;
        body
    };
    let good = || answer(good);
    vec![
        row(200, good(), "rt2", Ok(())),
        row(201, good(), "rt2", Ok(())),
        row(
            200,
            with("scope", json!(["openid", "profile"])),
            "rt2",
            Ok(()),
        ),
        row(200, with("scope", json!(7)), "rt2", Ok(())),
        row(200, with("token_type", Value::Null), "rt2", Ok(())),
        row(200, with("token_type", json!(["Bearer"])), "rt2", Ok(())),
        row(200, with("expires_in", json!({})), "rt2", Ok(())),
        row(200, with("error", Value::Null), "rt2", Ok(())),
        row(200, with("error", json!("")), "rt2", Ok(())),
        row(200, with("id_token", Value::Null), "rt2", Ok(())),
        row(200, with("id_token", json!("")), "rt2", Ok(())),
        row(200, with("id_token", json!({"a": 1})), "rt2", Ok(())),
        row(200, with("refresh_token", Value::Null), "rt1", Ok(())),
        row(200, with("refresh_token", json!("")), "rt1", Ok(())),
        row(200, with("refresh_token", json!(["rt2"])), "rt1", Ok(())),
        row(
            200,
            with("id_token", json!("not a token")),
            "rt2",
            Err(Meaning::Ambiguous),
        ),
    ]
}

/// Answers that prove nothing.
fn faults(good: &str) -> Vec<Row> {
    let with = |member: &str, value: Value| {
        let mut body = answer(good);
        body[member] = value;
        body
    };
    let refused = |code: &str| json!({ "error": code });
    let rotated = |code: &str| json!({ "error": code, "refresh_token": "rt2" });
    let (ended, unclear, ours) = (Meaning::Ended, Meaning::Ambiguous, Meaning::OurMistake);
    vec![
        row(200, with("access_token", Value::Null), "rt2", Err(unclear)),
        row(200, with("access_token", json!([1])), "rt2", Err(unclear)),
        row(
            200,
            with("error", json!("invalid_grant")),
            "rt2",
            Err(unclear),
        ),
        row(200, rotated("invalid_grant"), "rt2", Err(unclear)),
        row(200, json!({}), "rt1", Err(unclear)),
        row(200, json!([]), "rt1", Err(unclear)),
        row(200, json!("tok"), "rt1", Err(unclear)),
        row(200, json!({"result": "redirect"}), "rt1", Err(unclear)),
        row(200, refused("invalid_grant"), "rt1", Err(ended)),
        row(200, refused("invalid_client"), "rt1", Err(ours)),
        row(200, refused("server_error"), "rt1", Err(unclear)),
        row(200, refused("whatever"), "rt1", Err(unclear)),
        row(400, refused("invalid_grant"), "rt1", Err(ended)),
        row(400, refused("invalid_request"), "rt1", Err(ended)),
        row(400, refused("invalid_scope"), "rt1", Err(ours)),
        row(400, json!({}), "rt1", Err(Meaning::EndedIfRepeated)),
        row(401, json!({}), "rt1", Err(Meaning::EndedIfRepeated)),
        row(403, refused("invalid_grant"), "rt1", Err(unclear)),
        row(429, json!({}), "rt1", Err(unclear)),
        row(503, refused("invalid_grant"), "rt1", Err(unclear)),
    ]
}

#[tokio::test]
async fn every_answer_to_a_renewal_keeps_the_session_and_proves_only_what_it_says() {
    let idp = Idp::start().await;
    let good = idp.signed(&idp.claims());
    for row in proofs(&good).into_iter().chain(faults(&good)) {
        let said = format!("{} {}", row.status, row.body);
        let canned = Canned::Say(row.status, "application/json", row.body.to_string());
        idp.set(|script| script.token = canned);
        let (refresh, fault) = match idp.refresh().await {
            Ok(arrived) => (arrived.tokens.refresh.expose().to_owned(), arrived.flaw),
            Err(fault) => ("rt1".to_owned(), Some(fault)),
        };
        assert_eq!(refresh, row.refresh, "{said}");
        let proof = fault
            .as_ref()
            .map_or(Ok(()), |fault| Err(of_refresh(fault)));
        assert_eq!(proof, row.proof, "{said}");
    }
}
