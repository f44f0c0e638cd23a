//! One reader of framing: what the hub gets is one request for each that the gateway read.

use super::hub::{telling, with};
use super::{Stage, rest, up_to};
use tokio::io::AsyncWriteExt;

#[tokio::test]
async fn two_requests_on_one_connection() {
    let (routes, seen) = telling(|_| with(200, "x"));
    let stage = Stage::before(routes).await;
    let one = "GET /a/b HTTP/1.1\r\n@HOST\r\n@AUTH\r\n\r\n";
    let two = "HEAD /a/c HTTP/1.1\r\n@HOST\r\n@AUTH\r\nConnection: close\r\n\r\n";
    let answer = rest(stage.raw(&format!("{one}{two}")).await).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_client_that_asks_first_sends_its_body_only_when_a_token_is_there() {
    let (routes, seen) = telling(|_| with(200, "done"));
    let stage = Stage::before(routes).await;
    let head = "POST /acme/model.git/git-receive-pack HTTP/1.1\r\n@HOST\r\nContent-Length: 4\r\nExpect: 100-continue\r\n";
    let mut stream = stage
        .raw(&format!("{head}@AUTH\r\nConnection: close\r\n\r\n"))
        .await;
    up_to(&mut stream, "100 Continue\r\n\r\n").await;
    stream.write_all(b"pack").await.unwrap();
    assert!(rest(stream).await.ends_with("done"));
    assert!(seen.lock().unwrap()[0].ends_with("pack"));
    let refused = rest(
        stage
            .raw(&format!("{head}Authorization: Bearer x\r\n\r\n"))
            .await,
    )
    .await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
}

#[tokio::test]
async fn ambiguous_framing_never_makes_two_requests_of_one() {
    let hidden = "GET /acme/secret/info/refs?service=git-receive-pack HTTP/1.1\r\nHost: x\r\n\r\n";
    let head =
        "POST /acme/model.git/git-upload-pack HTTP/1.1\r\n@HOST\r\n@AUTH\r\nConnection: close\r\n";
    let length = hidden.len() + 5;
    let bodies = [
        format!("Content-Length: {length}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\nContent-Length: {length}\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Content-Length: 0\r\nContent-Length: {length}\r\n\r\n{hidden}"),
        format!("Content-Length: +5\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\n\r\n0x0\r\n\r\n{hidden}"),
        format!("Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFF\r\n{hidden}"),
        format!("X: a\r\n folded: b\r\nContent-Length: 0\r\n\r\n{hidden}"),
        format!("X\0: a\r\n\r\n{hidden}"),
    ];
    for body in bodies {
        let (routes, seen) = telling(|_| with(200, ""));
        let stage = Stage::before(routes).await;
        let answer = rest(stage.raw(&format!("{head}{body}")).await).await;
        assert!(
            answer.matches("HTTP/1.1 ").count() <= 1,
            "{body:?}: {answer}"
        );
        let seen = seen.lock().unwrap();
        assert!(
            seen.len() <= 1 && seen.iter().all(|text| !text.contains("secret")),
            "{body:?}: {seen:?}"
        );
    }
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let (routes, seen) = telling(|_| with(200, ""));
    let stage = Stage::before(routes).await;
    let mut stream = stage
        .raw("GET /a/b HTTP/1.1\r\n@HOST\r\n@AUTH\r\nX: ")
        .await;
    let piece = vec![b'a'; 1 << 16];
    let mut sent = 0;
    while stream.write_all(&piece).await.is_ok() {
        sent += 1;
        assert!(sent < 1600, "100 MB of head were taken");
    }
    assert!(seen.lock().unwrap().is_empty());
}
