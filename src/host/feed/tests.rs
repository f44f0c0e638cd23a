use super::OwnIssuer;
use crate::exchange::TokenExchange;
use crate::http::Http;
use oam_agent::ports::{IssuerApi as _, Minted, Question, Since, TokenEndpoint as _, TokenKey};
use oam_config::agent::{Exchange, IssuerExchange, Org};
use oam_model::answer::EndpointFault;
use oam_model::feed::{FeedEvent, FeedItem, Upload};
use oam_model::refusal::RefusalCode;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_standin::clock::Still;
use oam_standin::server::{Canned, Seen, StandIn};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

const NOW: u64 = 1_800_000_000;

fn org(base: &str) -> Org {
    let text = format!(
        "[orgs.acme]\nissuer = \"https://idp.example\"\nclient_id = \"oam\"\n[orgs.acme.exchange]\nkind = \"issuer\"\nurl = \"{base}\"\n[orgs.acme.hubs.hub]\nurl = \"https://hub.example\"\n"
    );
    let source = oam_config::agent::SourceText {
        name: "f",
        text: &text,
    };
    let mut settings = oam_config::agent::read(None, Some(source)).unwrap();
    assert_eq!(
        settings.orgs[0].exchange,
        Exchange::Issuer(IssuerExchange::at(base))
    );
    settings.orgs.remove(0)
}

fn issuer() -> OwnIssuer {
    OwnIssuer::new(Rc::new(Http::new(Still::at(NOW))))
}

fn bearer() -> Arc<Secret> {
    Arc::new(Secret::new("id-token".into()))
}

fn order() -> TokenKey {
    TokenKey {
        hub_url: "https://hub.example".into(),
        role: "publisher".parse().unwrap(),
        repository: Some("acme/model".parse().unwrap()),
        action: Action::Write,
        lifetime_s: 600,
    }
}

fn good() -> Value {
    json!({"access_token": "tok", "token_type": "Bearer", "expires_in": 900,
        "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        "scope": "role:publisher write",
        "oam": {"role": "publisher", "action": "write", "rule": "line 3", "wider_than_asked": false,
            "request_id": "r-1"}})
}

async fn minted(answer: Canned) -> (Result<Minted, EndpointFault>, Vec<Seen>) {
    let server = StandIn::start(move |_, _| answer.clone()).await;
    let exchange = TokenExchange::new(Rc::new(Http::new(Still::at(NOW))));
    let minted = exchange
        .mint(&org(&server.base), bearer(), order(), "abc123".into())
        .await;
    (minted, server.seen())
}

async fn with(change: impl FnOnce(&mut Value)) -> Result<Minted, EndpointFault> {
    let mut answer = good();
    change(&mut answer);
    minted(Canned::json(&answer)).await.0
}

fn refusal(status: u16, code: &str) -> Canned {
    let body = json!({"error": "invalid_grant", "error_description": "s",
        "oam": {"code": code, "sentence": "it is so", "next": "do that", "request_id": "r-2"}});
    Canned::Say(status, "application/json", body.to_string())
}

fn bears(seen: &Seen) -> bool {
    seen.head
        .to_lowercase()
        .contains("authorization: bearer id-token")
}

#[tokio::test]
async fn the_exchange_says_hub_repository_role_and_action_and_the_request_id() {
    let (result, seen) = minted(Canned::json(&good())).await;
    let minted = result.ok().unwrap();
    // The issuer alone grants, the lifetime included.
    assert_eq!(minted.expires_in_s, 900);
    let granting = minted.granting.unwrap();
    assert_eq!(
        (granting.rule.as_str(), granting.request_id.as_str()),
        ("line 3", "r-1")
    );
    let form = seen[0].form();
    assert_eq!(seen[0].line, "POST /oauth/token");
    assert_eq!(form["audience"], "https://hub.example");
    assert_eq!(form["resource"], "https://hub.example/acme/model");
    assert_eq!(form["scope"], "role:publisher write");
    assert_eq!(form["subject_token"], "id-token");
    assert_eq!(
        form["subject_token_type"],
        "urn:ietf:params:oauth:token-type:id_token"
    );
    assert!(seen[0].head.to_lowercase().contains("x-request-id: abc123"));
}

#[tokio::test]
async fn an_answer_that_is_not_what_was_asked_is_refused_by_name() {
    let name = |result: Result<Minted, EndpointFault>| match result.err() {
        Some(EndpointFault::Check { name, .. }) => name,
        other => format!("{other:?}"),
    };
    assert_eq!(name(with(|a| a["oam"] = Value::Null).await), "oam");
    assert_eq!(name(with(|a| a["oam"] = json!({"role": "x"})).await), "oam");
    assert_eq!(
        name(with(|a| a["oam"]["role"] = json!("reader")).await),
        "oam"
    );
    assert_eq!(
        name(with(|a| a["oam"]["action"] = json!("manage")).await),
        "oam"
    );
    assert_eq!(
        name(with(|a| a["scope"] = json!("role:publisher manage")).await),
        "scope"
    );
    assert_eq!(
        name(with(|a| a["token_type"] = json!("DPoP")).await),
        "token_type"
    );
    assert_eq!(
        name(with(|a| a["expires_in"] = json!(86_401)).await),
        "expires_in"
    );
    let wider = with(|a| a["oam"]["wider_than_asked"] = json!(true)).await;
    assert!(wider.ok().unwrap().wider_than_asked);
    // Something on the way that puts in nothing of use: ours stands on record.
    let odd = with(|a| a["oam"]["request_id"] = json!("a b"))
        .await
        .ok()
        .unwrap();
    assert_eq!(odd.granting.unwrap().request_id, "abc123");
}

#[tokio::test]
async fn the_issuers_refusal_comes_in_its_own_words_and_a_proxys_does_not() {
    let (result, _) = minted(refusal(400, "revoked")).await;
    let fault = result.err().unwrap();
    let refusal = fault.refusal().unwrap();
    assert_eq!(refusal.code, RefusalCode::Revoked);
    assert_eq!(
        (refusal.sentence.as_str(), refusal.next.as_str()),
        ("it is so", "do that")
    );
    let (result, _) = minted(Canned::error(403, "access_denied")).await;
    let fault = result.err().unwrap();
    assert!(fault.denial().is_none() && matches!(fault, EndpointFault::Status { status: 403, .. }));
}

#[tokio::test]
async fn a_role_token_is_revoked_at_the_issuer() {
    let server = StandIn::start(|_, _| Canned::Say(200, "", String::new())).await;
    let exchange = TokenExchange::new(Rc::new(Http::new(Still::at(NOW))));
    let token = Arc::new(Secret::new("tok".into()));
    assert_eq!(exchange.revoke(&org(&server.base), token).await, Ok(true));
    assert_eq!(server.seen()[0].line, "POST /oauth/revoke");
    assert_eq!(server.seen()[0].form()["token"], "tok");
}

#[tokio::test]
async fn roles_and_reasons_are_asked_for_with_the_sessions_own_token() {
    let server = StandIn::start(|_, seen| {
        if seen.line.contains("/v1/roles") {
            Canned::json(
                &json!({"v": 1, "subject": "okta:ada", "roles": [{"role": "reader",
                "because": "member\u{1b}[31m of all", "lifetime_s": 900, "offline": "grace",
                "grants": [{"hub": "hub", "repositories": ["**"], "action": "read"}]}]}),
            )
        } else {
            Canned::json(
                &json!({"v": 1, "hub": "hub", "repository": "acme/a b", "action": "write",
                "decision": null, "refusal": {"code": "denied", "sentence": "no", "next": "ask"}}),
            )
        }
    })
    .await;
    let org = org(&server.base);
    let holdings = issuer().roles(&org, bearer()).await.ok().unwrap();
    assert_eq!(holdings.roles[0].because, "member[31m of all");
    let question = Question {
        hub: "hub".parse().unwrap(),
        repository: Some("acme/a b".parse().unwrap()),
        action: Action::Write,
        role: Some("reader".parse().unwrap()),
    };
    let why = issuer().why(&org, bearer(), question).await.ok().unwrap();
    assert_eq!(why.refusal.unwrap().code, RefusalCode::Denied);
    let seen = server.seen();
    assert!(seen.iter().all(bears));
    assert_eq!(
        seen[1].line,
        "GET /v1/why?hub=hub&repository=acme%2Fa+b&action=write&role=reader"
    );
}

#[tokio::test]
async fn what_no_issuer_would_say_is_a_fault_that_quotes_nothing() {
    for (answer, name) in [
        (
            Canned::json(&json!({"v": 2, "subject": "s", "roles": []})),
            "Check",
        ),
        (Canned::json(&json!({"roles": "id-token"})), "Unreadable"),
        (
            Canned::Say(200, "text/html", "<p>id-token".into()),
            "Unreadable",
        ),
        (
            Canned::Say(502, "text/html", "<p>id-token".into()),
            "Status",
        ),
        (Canned::Reset, "Lost"),
    ] {
        let server = StandIn::start(move |_, _| answer.clone()).await;
        let fault = issuer()
            .roles(&org(&server.base), bearer())
            .await
            .err()
            .unwrap();
        let shown = format!("{fault:?}");
        assert!(
            shown.starts_with(name) && !shown.contains("id-token"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn records_are_sent_as_they_stand_in_the_log() {
    let server = StandIn::start(|_, _| {
        Canned::json(&json!({"v": 1, "held_seq": 2, "held_hash": "h", "alarm": null}))
    })
    .await;
    let upload = Upload {
        known_head: None,
        v: 1,
        log: "00".repeat(16),
        head_seq: 2,
        after_seq: 0,
        head_hash: "h".into(),
        lines: vec!["{\"seq\":1}".into(), "{\"seq\":2}".into()],
    };
    let answer = issuer()
        .upload(&org(&server.base), bearer(), upload.clone())
        .await;
    assert_eq!(answer.ok().unwrap().held_seq, 2);
    let seen = &server.seen()[0];
    assert!(bears(seen));
    assert_eq!(serde_json::from_str::<Upload>(&seen.body).unwrap(), upload);
}

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nConnection: close\r\n\r\n";
const EVENTS: &str = ": hello\n\nevent: heartbeat\ndata: {\"as_of_ms\":5,\"sent_at_ms\":9}\n\nid: 1.4\nevent: roles-changed\ndata: {\"at_ms\":7,\"held\":[\"reader\"],\"lost\":[]}\n\nevent: something-new\ndata: {}\n\nid: 1.5\nevent: revoked\ndata: {\"at_ms\":8,\"reason\":\"left\\u001b\"}\n\n";

fn since() -> Since {
    Since {
        after: Some("1.3".into()),
        head: Some("a.b.c".into()),
    }
}

async fn feed(answer: Canned) -> (Vec<FeedItem>, Result<(), EndpointFault>, Vec<Seen>) {
    let server = StandIn::start(move |_, _| answer.clone()).await;
    let heard = Rc::new(RefCell::new(Vec::new()));
    let into = Rc::clone(&heard);
    let hear = Box::new(move |item| into.borrow_mut().push(item));
    let end = issuer()
        .feed(&org(&server.base), bearer(), since(), hear)
        .await;
    let heard = heard.borrow().clone();
    (heard, end, server.seen())
}

#[tokio::test]
async fn the_feed_is_heard_message_by_message_and_resumes_after_its_cursor() {
    let mut parts = vec![HEAD.as_bytes().to_vec()];
    parts.extend(EVENTS.as_bytes().chunks(7).map(<[u8]>::to_vec));
    let (heard, end, seen) = feed(Canned::Parts(parts)).await;
    assert_eq!(end, Ok(()));
    assert_eq!(
        heard,
        [
            FeedItem {
                id: None,
                event: FeedEvent::Heartbeat {
                    as_of_ms: 5,
                    sent_at_ms: 9,
                    setup: None,
                },
            },
            FeedItem {
                id: Some("1.4".into()),
                event: FeedEvent::RolesChanged {
                    at_ms: 7,
                    held: vec!["reader".parse().unwrap()],
                    lost: vec![],
                },
            },
            FeedItem {
                id: Some("1.5".into()),
                event: FeedEvent::Revoked {
                    at_ms: 8,
                    reason: "left".into(),
                },
            },
        ]
    );
    let sent = seen[0].head.to_lowercase();
    assert!(
        bears(&seen[0]) && sent.contains("last-event-id: 1.3") && sent.contains("oam-head: a.b.c"),
        "{sent}"
    );
    assert!(sent.contains("accept: text/event-stream"), "{sent}");
}

#[tokio::test]
async fn a_feed_that_can_t_be_understood_ends() {
    let raw = |body: &str| Canned::Raw(format!("{HEAD}{body}").into_bytes());
    let unread =
        |end: Result<(), EndpointFault>| matches!(end, Err(EndpointFault::Unreadable { .. }));
    let (heard, end, _) = feed(raw("event: revoked\ndata: {\"at_ms\":1}\n\n")).await;
    assert!(heard.is_empty() && unread(end));
    let (_, end, _) = feed(raw(&"x".repeat(70_000))).await;
    assert!(unread(end));
    let (_, end, _) = feed(Canned::json(&json!({}))).await;
    assert!(unread(end));
    let (_, end, _) = feed(refusal(401, "signed-out")).await;
    assert!(matches!(
        end,
        Err(EndpointFault::Denied { status: 401, .. })
    ));
    let (_, end, _) = feed(Canned::Reset).await;
    assert!(matches!(end, Err(EndpointFault::Lost { .. })));
}

#[tokio::test]
async fn a_wish_to_wait_is_passed_on() {
    let body = json!({"error": "temporarily_unavailable",
        "oam": {"code": "unavailable", "sentence": "full", "next": "wait", "request_id": ""}})
    .to_string();
    let raw = format!(
        "HTTP/1.1 503 X\r\nContent-Type: application/json\r\nRetry-After: 17\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let (_, end, _) = feed(Canned::Raw(raw.into_bytes())).await;
    let after = match end.err().unwrap() {
        EndpointFault::Denied { retry_after_s, .. } => retry_after_s,
        other => panic!("{other:?}"),
    };
    assert_eq!(after, Some(17));
}

#[tokio::test]
async fn a_poll_is_json_with_the_same_messages() {
    let server = StandIn::start(|_, _| {
        Canned::json(&json!({"v": 1, "items": [
            {"id": "1.4", "event": "doubt", "at_ms": 1, "reason": "logout"},
            {"id": null, "event": "heartbeat", "as_of_ms": 5, "sent_at_ms": 9}]}))
    })
    .await;
    let poll = issuer()
        .poll(&org(&server.base), bearer(), Since::default())
        .await
        .ok()
        .unwrap();
    assert_eq!(poll.items.len(), 2);
    assert!(matches!(poll.items[0].event, FeedEvent::Doubt { .. }));
    let head = server.seen()[0].head.to_lowercase();
    assert!(head.contains("accept: application/json") && !head.contains("last-event-id"));
}
