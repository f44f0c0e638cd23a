use super::stand_in::{Canned, StandIn, Still};
use super::{Answer, Http, Payload, TOTAL, Via, endpoint};
use oam_model::answer::EndpointFault;
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

#[test]
fn only_https_and_loopback_http_are_endpoints() {
    for good in [
        "https://idp.example/t",
        "http://127.0.0.1:8080/t",
        "http://127.9.9.9/t",
        "http://[::1]:8080/t",
        "http://localhost:1/t",
    ] {
        assert!(endpoint(good).is_ok(), "{good}");
    }
    for bad in [
        "http://idp.example/t",
        "http://localhost.example/t",
        "http://10.0.0.1/t",
        "http://127.0.0.1.example/",
        "ftp://127.0.0.1/",
        "file:///etc/passwd",
        "https://user@idp.example/t",
        "https://u:p@idp.example/t",
        "https://idp.example/t#f",
        "idp.example",
        "",
    ] {
        assert!(endpoint(bad).is_err(), "{bad}");
    }
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
        let payload = Payload::json(&[("a", "b")]);
        let answer = http
            .post(&Via::default(), &server.base, payload, TOTAL)
            .await;
        assert_eq!(answer.ok().unwrap().status, 200);
    }
    assert_eq!(server.seen().len(), 3);
    assert!(server.seen()[0].head.contains("application/json"));
    assert_eq!(server.seen()[0].body, "{\"a\":\"b\"}");
}

#[tokio::test]
async fn a_client_is_kept_until_its_roots_change_or_a_day_is_over() {
    let clock = Still::at(1000);
    let http = Http::new(std::rc::Rc::clone(&clock) as _);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let via = Via {
        ca_file: Some(file.to_string_lossy().into_owned()),
        ca_sha256: None,
        proxy: None,
    };
    let url = endpoint("https://127.0.0.1:9/").unwrap();
    let fault = http.client(&via, &url).err();
    assert!(matches!(fault, Some(EndpointFault::NotSent { why }) if why.contains("ca_file")));
    std::fs::write(&file, "no certificate").unwrap();
    let fault = http.client(&via, &url).err();
    assert!(matches!(fault, Some(EndpointFault::NotSent { why }) if why.contains("PEM")));
    let plain = endpoint("http://127.0.0.1:9/").unwrap();
    let built_at = |http: &Http| http.built.borrow().values().next().unwrap().at;
    http.client(&via, &plain).ok().unwrap();
    let first = built_at(&http);
    clock.pass(3600);
    http.client(&via, &plain).ok().unwrap();
    assert_eq!(built_at(&http), first);
    let long_ago = std::time::SystemTime::UNIX_EPOCH;
    std::fs::File::options()
        .write(true)
        .open(&file)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
    http.client(&via, &plain).ok().unwrap();
    assert_ne!(built_at(&http), first);
    let second = built_at(&http);
    clock.pass(24 * 3600);
    http.client(&via, &plain).ok().unwrap();
    assert_ne!(built_at(&http), second);
}

#[tokio::test]
async fn roots_that_are_not_those_of_the_sign_in_are_not_trusted() {
    let http = Http::new(Still::at(1000));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "the company's").unwrap();
    let path = file.to_string_lossy().into_owned();
    let bound = Via {
        ca_sha256: Some(super::ca_sha256(&path)),
        ca_file: Some(path.clone()),
        proxy: None,
    };
    let url = endpoint("https://127.0.0.1:9/").unwrap();
    let why = |via: &Via| match http.client(via, &url).err() {
        Some(EndpointFault::NotSent { why }) => why,
        other => panic!("{other:?}"),
    };
    assert!(why(&bound).contains("PEM"), "it is read as it was bound");
    std::fs::write(&file, "somebody else's").unwrap();
    assert!(why(&bound).contains("something else than"));
    // What can't be read binds to nothing that comes later.
    let missing = folder
        .path()
        .join("gone.pem")
        .to_string_lossy()
        .into_owned();
    let unread = Via {
        ca_sha256: Some(super::ca_sha256(&missing)),
        ca_file: Some(missing.clone()),
        proxy: None,
    };
    std::fs::write(&missing, "put there later").unwrap();
    assert!(why(&unread).contains("something else than"));
}
