use super::{Answer, Http, Payload, TOTAL, Via};
use oam_model::answer::EndpointFault;
use oam_standin::clock::Still;
use oam_standin::server::{Canned, StandIn};
use std::time::Duration;

async fn post_to(url: &str, total: Duration) -> Result<Answer, EndpointFault> {
    let http = Http::new(Still::at(1000));
    let payload = Payload::form(&[("refresh_token", "secret")]);
    http.post(&Via::default(), url, payload, total).await
}

async fn answered(canned: Canned) -> (Result<Answer, EndpointFault>, usize) {
    let server = StandIn::start(move |_, _| canned.clone()).await;
    let answer = post_to(&format!("{}/t", server.base), TOTAL).await;
    (answer.and_then(Answer::ok), server.seen().len())
}

#[tokio::test]
async fn a_refused_connection_is_certainly_not_sent() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/t", free.local_addr().unwrap());
    drop(free);
    let fault = post_to(&url, TOTAL).await.err().unwrap();
    assert_eq!(
        fault,
        EndpointFault::NotSent {
            why: "the connection was refused".into()
        }
    );
}

#[tokio::test]
async fn a_failed_tls_handshake_is_certainly_not_sent() {
    // Accepts, and hangs up instead of answering the handshake.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/t", listener.local_addr().unwrap());
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let fault = post_to(&url, TOTAL).await.err().unwrap();
    assert!(matches!(fault, EndpointFault::NotSent { .. }), "{fault:?}");
}

#[tokio::test]
async fn a_reset_after_the_request_is_lost_and_sent_once() {
    let (answer, times) = answered(Canned::Reset).await;
    assert!(matches!(answer, Err(EndpointFault::Lost { .. })));
    assert_eq!(times, 1);
}

#[tokio::test]
async fn a_cut_body_is_lost_and_sent_once() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"acc".to_vec();
    let (answer, times) = answered(Canned::Raw(cut)).await;
    assert!(matches!(answer, Err(EndpointFault::Lost { .. })));
    assert_eq!(times, 1);
}

#[tokio::test]
async fn silence_is_lost_at_the_deadline() {
    let server = StandIn::start(|_, _| Canned::Silence).await;
    let fault = post_to(&server.base, Duration::from_millis(50)).await.err();
    assert_eq!(
        fault,
        Some(EndpointFault::Lost {
            why: "no answer in time".into()
        })
    );
}

#[tokio::test]
async fn an_oversize_answer_is_not_collected() {
    let (answer, _) = answered(Canned::Say(200, "application/json", " ".repeat(1_100_000))).await;
    assert!(matches!(answer, Err(EndpointFault::Unreadable { .. })));
    let (answer, _) = answered(Canned::Say(400, "text/html", " ".repeat(1_100_000))).await;
    assert!(matches!(
        answer,
        Err(EndpointFault::Status {
            status: 400,
            bare: false,
            ..
        })
    ));
}

#[tokio::test]
async fn an_answer_of_the_largest_size_is_read() {
    let (answer, _) = answered(Canned::Say(200, "Text/Plain; x=y", "a".repeat(1_048_576))).await;
    let answer = answer.ok().unwrap();
    assert_eq!(answer.body.len(), 1_048_576);
    assert_eq!(answer.content_type, "text/plain");
}

#[tokio::test]
async fn statuses_are_facts_without_prose() {
    let fault = |status, error: Option<&str>| EndpointFault::Status {
        status,
        error: error.map(str::to_owned),
        bare: error.is_none(),
    };
    let page = |status| EndpointFault::Status {
        status,
        error: None,
        bare: false,
    };
    let html = |status| Canned::Say(status, "text/html", "<b>token abc</b>".into());
    for (canned, expected) in [
        (
            Canned::error(400, "invalid_grant"),
            fault(400, Some("invalid_grant")),
        ),
        (Canned::error(401, "a b<script>"), fault(401, None)),
        (Canned::Say(400, "", String::new()), fault(400, None)),
        (
            Canned::Say(400, "application/json", "{\"error\":7}".into()),
            fault(400, None),
        ),
        (html(500), page(500)),
        (html(403), page(403)),
        (html(400), page(400)),
        (Canned::Say(401, "", " <html>".into()), page(401)),
        (Canned::Say(204, "", String::new()), fault(204, None)),
        (
            Canned::error(503, "temporarily_unavailable"),
            fault(503, Some("temporarily_unavailable")),
        ),
    ] {
        assert_eq!(answered(canned).await.0.err(), Some(expected));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let raw = |base: &str| {
        format!("HTTP/1.1 307 X\r\nLocation: {base}/other\r\nContent-Length: 0\r\n\r\n")
            .into_bytes()
    };
    let server = StandIn::start(move |base, _| Canned::Raw(raw(base))).await;
    let fault = post_to(&server.base, TOTAL)
        .await
        .and_then(Answer::ok)
        .err();
    assert!(matches!(
        fault,
        Some(EndpointFault::Status { status: 307, .. })
    ));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn every_request_has_its_own_connection() {
    let keep = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}".to_vec();
    // The stand-in reads one request a connection and closes: a client that kept connections would
    // meet a dead one the second time.
    let server = StandIn::start(move |_, _| Canned::Raw(keep.clone())).await;
    let http = Http::new(Still::at(1000));
    for _ in 0..3 {
        let payload = Payload::object(&[("a", "b")]).unwrap();
        let answer = http
            .post(&Via::default(), &server.base, payload, TOTAL)
            .await;
        assert_eq!(answer.ok().unwrap().status, 200);
    }
    assert_eq!(server.seen().len(), 3);
    assert!(server.seen()[0].head.contains("application/json"));
    assert_eq!(server.seen()[0].body, "{\"a\":\"b\"}");
}
