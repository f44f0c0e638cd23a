use super::*;
use oam_model::organization::OrgHub;
use oam_model::refusal::RefusalCode;
use oam_model::role::Action;
use oam_standin::server::{Canned, Seen, StandIn};
use serde_json::{Value, json};

const ISSUED: &str = "urn:ietf:params:oauth:token-type:access_token";

fn order(base: &str) -> JobOrder {
    JobOrder {
        org: "acme".parse().unwrap(),
        token_endpoint: format!("{base}/oauth/token"),
        hub: OrgHub {
            name: "models".parse().unwrap(),
            url: "https://hub.acme.example".into(),
            kind: "huggingface".into(),
            scheme: oam_model::granted::Scheme::Basic,
            username: "hf_user".into(),
            variables: Vec::new(),
        },
        repository: Some("acme/model".parse().unwrap()),
        action: Action::Write,
        role: None,
    }
}

fn good() -> Value {
    json!({
        "access_token": "role-token", "issued_token_type": ISSUED,
        "token_type": "Bearer", "expires_in": 900, "scope": "role:publisher write",
        "oam": {"role": "publisher", "action": "write", "rule": "jobs of acme/model",
                "wider_than_asked": false, "request_id": "r-1"}
    })
}

async fn exchanged(
    change: impl FnOnce(&mut JobOrder),
    script: impl Fn(&str, &Seen) -> Canned + Send + Sync + 'static,
) -> (Result<JobToken, JobFault>, StandIn) {
    let issuer = StandIn::start(script).await;
    let mut order = order(&issuer.base);
    change(&mut order);
    let http = Http::new(Rc::new(SystemClock));
    let subject = Secret::new("job.id.token".into());
    let result = exchange(&http, &order, &subject).await;
    (result, issuer)
}

fn fault(result: Result<JobToken, JobFault>) -> JobFault {
    result.err().unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn the_exchange_is_rfc_8693_for_this_hub_and_repository() {
    let role = |order: &mut JobOrder| order.role = "publisher".parse().ok();
    let (result, issuer) = exchanged(role, |_, _| Canned::json(&good())).await;
    let token = result.ok().unwrap();
    assert_eq!(token.answer.token.expose(), "role-token");
    assert_eq!(token.rule, "jobs of acme/model");
    assert_eq!(token.request_id, "r-1");
    assert_eq!(token.answer.granted.expires_in_s, 900);
    let seen = issuer.seen().remove(0);
    let form = seen.form();
    for (name, value) in [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", "job.id.token"),
        ("subject_token_type", ID_TOKEN),
        ("audience", "https://hub.acme.example"),
        ("resource", "https://hub.acme.example/acme/model"),
        ("scope", "role:publisher write"),
    ] {
        assert_eq!(form.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(
        seen.head
            .to_ascii_lowercase()
            .contains("x-request-id: job-")
    );
}

/// A token that says itself that it lives so many seconds from now.
fn jwt(seconds: u64) -> String {
    let exp = Http::new(Rc::new(SystemClock)).now().unix() + seconds;
    let key = jsonwebtoken::EncodingKey::from_secret(b"the issuer's own");
    jsonwebtoken::encode(&jsonwebtoken::Header::default(), &json!({"exp": exp}), &key).unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn a_token_that_ends_before_its_answer_says_so_is_renewed_by_its_own_end() {
    let mut answer = good();
    answer["access_token"] = json!(jwt(300));
    let (result, _issuer) = exchanged(|_| {}, move |_, _| Canned::json(&answer)).await;
    let granted = result.ok().unwrap().answer.granted;
    assert!(granted.expires_in_s <= 300, "{granted:?}");
}

#[tokio::test(flavor = "current_thread")]
async fn an_answer_that_gives_more_or_something_else_is_not_taken() {
    let changes: [(&str, Value, &str); 11] = [
        ("/oam/action", json!("manage"), "more was given"),
        ("/oam/action", json!("read"), "less was given"),
        ("/oam/role", json!("admin"), "another role"),
        ("/issued_token_type", json!("urn:x"), "issued_token_type"),
        ("/token_type", json!("mac"), "bearer"),
        ("/expires_in", json!(0), "expired already"),
        ("/expires_in", json!(90_000), "the role allows 86400 s"),
        ("/access_token", json!("a b"), "`access_token`"),
        (
            "/access_token",
            json!(jwt(2 * 86_400)),
            "the token itself lives",
        ),
        ("/scope", json!("role:publisher write manage"), "`scope`"),
        ("/oam", json!(null), "`oam`"),
    ];
    for (at, value, said) in changes {
        let mut answer = good();
        *answer.pointer_mut(at).unwrap() = value;
        let role = |order: &mut JobOrder| order.role = "publisher".parse().ok();
        let (result, _issuer) = exchanged(role, move |_, _| Canned::json(&answer)).await;
        let fault = fault(result);
        assert!(fault.refusal.sentence.contains(said), "{at}: {fault:?}");
        assert!(!fault.takes_back(), "an odd answer ends nothing");
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_issuers_refusal_keeps_its_code_its_words_and_its_number() {
    let said = json!({"error": "invalid_target", "oam": {
        "code": "denied", "sentence": "no role covers acme/other\u{1b}[2J",
        "next": "ask for one", "request_id": "r-9"
    }});
    let (result, _issuer) = exchanged(
        |_| {},
        move |_, _| Canned::Say(400, "application/json", said.to_string()),
    )
    .await;
    let fault = fault(result);
    assert!(fault.takes_back());
    assert_eq!(
        fault.told().sentence,
        "no role covers acme/other[2J (request r-9)"
    );
}

#[tokio::test(flavor = "current_thread")]
async fn who_answers_in_the_issuers_place_is_not_quoted_and_ends_nothing() {
    let denial = json!({"error": "x", "oam": {"code": "revoked", "sentence": "gone", "next": "n",
        "request_id": "r"}});
    for canned in [
        Canned::Say(403, "text/html", "<h1>SELECT token</h1>".into()),
        Canned::Say(500, "application/json", denial.to_string()),
        Canned::error(503, "temporarily_unavailable"),
        Canned::error(400, "invalid_request"),
        Canned::Say(429, "text/plain", "SELECT token".into()),
        Canned::Reset,
    ] {
        let (result, _issuer) = exchanged(|_| {}, move |_, _| canned.clone()).await;
        let fault = fault(result);
        assert!(!fault.takes_back(), "{fault:?}");
        assert!(!fault.refusal.sentence.contains("SELECT"), "{fault:?}");
        assert!(fault.request_id.is_some_and(|id| id.starts_with("job-")));
    }
    let (result, _issuer) = exchanged(|_| {}, |_, _| Canned::error(400, "invalid_target")).await;
    assert_eq!(fault(result).refusal.code, RefusalCode::Denied);
}

#[tokio::test(flavor = "current_thread")]
async fn github_is_asked_for_the_audience_of_the_issuer() {
    let runner = StandIn::start(|_, seen| {
        if seen.line.contains("audience=https%3A%2F%2Fissuer.example") {
            Canned::json(&json!({"count": 1, "value": "a.b.c"}))
        } else {
            Canned::Say(400, "text/plain", "no".into())
        }
    })
    .await;
    let request = ActionsRequest {
        url: format!("{}/idtoken?api-version=2.0", runner.base),
        token: Secret::new("runner-secret".into()),
    };
    let http = Http::new(Rc::new(SystemClock));
    let token = actions_token(&http, &request, "https://issuer.example").await;
    assert_eq!(token.ok().unwrap().expose(), "a.b.c");
    let seen = runner.seen().remove(0);
    assert!(
        seen.line
            .starts_with("GET /idtoken?api-version=2.0&audience=")
    );
    assert!(
        seen.head
            .to_ascii_lowercase()
            .contains("authorization: bearer runner-secret")
    );
}

#[tokio::test(flavor = "current_thread")]
async fn github_that_refuses_is_explained_by_the_missing_permission() {
    let runner =
        StandIn::start(|_, _| Canned::Say(403, "text/plain", "runner-secret".into())).await;
    let request = ActionsRequest {
        url: format!("{}/?x=1", runner.base),
        token: Secret::new("runner-secret".into()),
    };
    let http = Http::new(Rc::new(SystemClock));
    let refusal = actions_token(&http, &request, "a").await.err().unwrap();
    assert!(refusal.next.contains("id-token: write"), "{refusal:?}");
    assert!(!format!("{refusal:?}").contains("runner-secret"));
    let foreign = ActionsRequest {
        url: "http://evil.example/".into(),
        token: Secret::new("runner-secret".into()),
    };
    let refusal = actions_token(&http, &foreign, "a").await.err().unwrap();
    assert!(refusal.sentence.contains("ACTIONS_ID_TOKEN_REQUEST_URL"));
}
