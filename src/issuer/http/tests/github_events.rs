//! GitHub's events, the file of accounts, and an App that is refused.

use super::github::{Company, SECRET};
use super::world::{Answer, answer, until};
use crate::github::stand_in::{APP, ORGANIZATION};
use aws_lc_rs::hmac;
use oam_policy::teams::Scope;
use serde_json::{Value, json};

struct Event {
    path: &'static str,
    kind: &'static str,
    id: String,
    target: (&'static str, u64),
    signature: String,
}

fn membership(team: u64) -> Value {
    json!({ "action": "removed", "team": { "id": team }, "organization": { "id": ORGANIZATION } })
}

impl Company {
    async fn send(&self, body: &Value, change: impl Fn(&mut Event)) -> Answer {
        let text = body.to_string();
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        let mut event = Event {
            path: "okta",
            kind: "membership",
            id: "72d3162e-cc78-11e3-81ab-4c9367dc0958".to_owned(),
            target: ("integration", APP),
            signature: format!("sha256={}", hex::encode(hmac::sign(&key, text.as_bytes()))),
        };
        change(&mut event);
        let url = format!("{}/v1/github/{}", self.world.url, event.path);
        let request = self
            .world
            .client
            .post(url)
            .header("content-type", "application/json");
        let request = request
            .header("x-github-event", event.kind)
            .header("x-github-delivery", event.id)
            .header("x-github-hook-installation-target-type", event.target.0)
            .header("x-github-hook-installation-target-id", event.target.1)
            .header("x-hub-signature-256", event.signature);
        answer(request.body(text)).await
    }
}

#[tokio::test]
async fn an_event_lets_read_what_it_names_with_the_teams_above_it() {
    let company = Company::start().await;
    company.github.team(6, "eng", &[]);
    company.github.team(7, "ml", &[1]);
    company.github.answers().teams.get_mut(&7).unwrap().parent = Some(6);
    company.github.team(8, "legal", &[5]);
    company.all().await;
    assert_eq!(company.writes("ada", 1).await, 200);
    assert_eq!(company.groups("ada").await, ["acme", "acme/eng", "acme/ml"]);
    company.github.answers().asked.clear();
    let watch = tokio::spawn(crate::github::keep(std::sync::Arc::clone(
        &company.world.issuer,
    )));
    until("the first reading", async || {
        company.github.count("/orgs/acme/members", 304) > 0
    })
    .await;
    company.github.answers().asked.clear();
    company
        .github
        .answers()
        .teams
        .get_mut(&7)
        .unwrap()
        .members
        .clear();
    company.send(&membership(7), |_| {}).await.expect(202);
    until("what was read", async || {
        company.groups("ada").await == ["acme"]
    })
    .await;
    assert_eq!(
        company.github.count("/legal/", 200) + company.github.count("/legal/", 304),
        0
    );
    assert_eq!(company.writes("ada", 1).await, 400);
    watch.abort();
}

#[tokio::test]
async fn an_event_that_is_not_github_s_or_not_for_us_is_refused_and_one_that_comes_twice_has_no_second_effect()
 {
    let company = Company::start().await;
    company.github.team(7, "ml", &[1]);
    let body = membership(7);
    for (status, change) in [
        (
            401,
            Box::new(|e: &mut Event| e.signature = format!("sha256={}", "0".repeat(64)))
                as Box<dyn Fn(&mut Event)>,
        ),
        (401, Box::new(|e| e.signature = "sha256=".to_owned())),
        (
            401,
            Box::new(|e| e.signature = e.signature.replace("sha256=", "sha1=")),
        ),
        (400, Box::new(|e| e.target.1 = APP + 1)),
        (400, Box::new(|e| e.target = ("repository", APP))),
        (400, Box::new(|e| e.id = "a b".to_owned())),
        (404, Box::new(|e| e.path = "ci")),
        (404, Box::new(|e| e.path = "nobody")),
    ] {
        let answer = company.send(&body, change).await;
        assert_eq!(answer.status, status, "{}", answer.text);
    }
    let foreign = json!({ "team": { "id": 7 }, "organization": { "id": 35 } });
    company.send(&foreign, |_| {}).await.expect(400);
    let large = json!({ "organization": { "id": ORGANIZATION }, "pad": "x".repeat(300_000) });
    company.send(&large, |_| {}).await.expect(413);
    assert_eq!(company.world.audit("signal").await.len(), 0);
    assert!(company.world.audit("refusal").await.len() >= 8);
    // A ping names nothing.
    company
        .send(&json!({ "zen": "…" }), |e| e.kind = "ping")
        .await
        .expect(202);
    company.send(&body, |_| {}).await.expect(202);
    company.send(&body, |_| {}).await.expect(202);
    let signals = company.world.audit("signal").await;
    assert_eq!(signals.len(), 1, "{signals:?}");
    assert!(
        signals[0]["detail"]
            .as_str()
            .unwrap()
            .ends_with("team 7 is read anew")
    );
}

#[tokio::test]
async fn a_file_says_whose_account_is_whose_and_a_broken_one_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("accounts.toml");
    std::fs::write(&file, "ada = 1\nbob = 2\n").unwrap();
    let company = Company::with(&format!("accounts_file = \"{}\"", file.display())).await;
    company.github.team(7, "ml", &[1]);
    // The claim says nothing here.
    assert_eq!(company.writes("eve", 1).await, 400);
    assert_eq!(company.writes("ada", 9).await, 400);
    company.all().await;
    assert_eq!(company.writes("ada", 9).await, 200);
    assert_eq!(company.writes("bob", 9).await, 400);
    std::fs::write(&file, "ada = 1\nbob = 1\n").unwrap();
    let why = company.read(Scope::All).await.unwrap_err();
    assert!(why.sentence().contains("the same account"), "{why:?}");
    assert_eq!(company.writes("ada", 9).await, 200);
    // Accounts change hands in a moment.
    std::fs::write(&file, "ada = 2\nbob = 1\n").unwrap();
    company.all().await;
    assert_eq!(company.writes("ada", 9).await, 400);
    assert_eq!(company.writes("bob", 9).await, 200);
    std::fs::write(&file, "").unwrap();
    company.all().await;
    assert_eq!(company.writes("bob", 9).await, 400);
}

#[tokio::test]
async fn an_app_that_is_refused_is_an_alarm_once_and_its_return_is_on_record() {
    let company = Company::start().await;
    company.github.team(7, "ml", &[1]);
    company.github.answers().suspended = true;
    let watch = tokio::spawn(crate::github::keep(std::sync::Arc::clone(
        &company.world.issuer,
    )));
    until("an alarm", async || {
        !company.world.audit("alarm").await.is_empty()
    })
    .await;
    let state = company
        .world
        .issuer
        .store
        .teams_state("okta".parse().unwrap())
        .await
        .unwrap();
    assert!(state.fault.unwrap().0.contains("suspended"));
    company.github.answers().suspended = false;
    watch.abort();
    let _ = watch.await;
    let watch = tokio::spawn(crate::github::keep(std::sync::Arc::clone(
        &company.world.issuer,
    )));
    until("its return", async || {
        let said = company.world.audit("directory").await;
        said.iter()
            .any(|one| one["detail"] == "the teams of acme are read again")
    })
    .await;
    assert_eq!(company.world.audit("alarm").await.len(), 1);
    watch.abort();
}
