//! Streams, and their end.

use super::hub::{Fed, telling, with};
use super::{LONG, Numbered, Stage, in_time, rest, up_to};
use crate::body::Watch;
use crate::source::{HubOperation, Target};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::any;
use bytes::Bytes;
use http_body_util::BodyExt;
use oam_model::refusal::{Refusal, RefusalCode};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc, oneshot, watch};

fn revoked() -> Arc<Refusal> {
    Arc::new(Refusal::new(
        RefusalCode::Revoked,
        "the identity was revoked",
        "ask your company",
    ))
}

/// A hub whose download comes as the test feeds it.
fn fed() -> (Router, mpsc::Sender<Bytes>) {
    let (feed, pieces) = mpsc::channel(1);
    let pieces = Arc::new(Mutex::new(Some(pieces)));
    let (routes, _) = telling(move |_| match pieces.lock().unwrap().take() {
        Some(pieces) => with(200, Body::new(Fed(pieces))),
        None => with(200, "once more"),
    });
    (routes, feed)
}

/// A hub that hands each piece of an upload to the test.
fn taking() -> (Router, mpsc::Receiver<Option<Bytes>>) {
    let (sender, taken) = mpsc::channel(1);
    let handler = move |request: Request| {
        let sender = sender.clone();
        async move {
            let mut body = request.into_body();
            loop {
                let piece = body
                    .frame()
                    .await
                    .and_then(Result::ok)
                    .and_then(|frame| frame.into_data().ok());
                let over = piece.is_none();
                let _ = sender.send(piece).await;
                if over {
                    return "taken";
                }
            }
        }
    };
    (Router::new().fallback(any(handler)), taken)
}

#[tokio::test]
async fn a_download_passes_piece_by_piece_and_is_cut_at_the_end_of_the_identity() {
    let (routes, feed) = fed();
    let stage = Stage::before(routes).await;
    let mut stream = stage
        .raw("GET /acme/model/resolve/main/x HTTP/1.1\r\n@HOST\r\n@AUTH\r\n\r\n")
        .await;
    for piece in ["one", "two"] {
        feed.send(Bytes::from(piece)).await.unwrap();
        up_to(&mut stream, piece).await;
    }
    stage.end.send(Some(revoked())).unwrap();
    let left = in_time("the cut", rest(stream)).await;
    assert!(!left.contains("0\r\n\r\n"), "not a whole answer: {left}");
    // The hub's side is closed too: nobody reads on behind the child's back.
    in_time("the hub's side to be closed", feed.closed()).await;
    let next = stage
        .request("GET", "/acme/model/resolve/main/x")
        .send()
        .await
        .unwrap();
    assert_eq!(next.status(), 403);
    assert!(
        next.text()
            .await
            .unwrap()
            .contains("the identity was revoked")
    );
}

#[tokio::test]
async fn an_upload_passes_piece_by_piece_and_is_cut_at_the_end_of_the_identity() {
    let (routes, mut taken) = taking();
    let stage = Stage::before(routes).await;
    let head = "POST /acme/model.git/git-receive-pack HTTP/1.1\r\n@HOST\r\n@AUTH\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut stream = stage.raw(head).await;
    for piece in ["3\r\none\r\n", "3\r\ntwo\r\n"] {
        stream.write_all(piece.as_bytes()).await.unwrap();
        assert_eq!(taken.recv().await.unwrap().unwrap(), &piece[3..6]);
    }
    stage.end.send(Some(revoked())).unwrap();
    let last = in_time("the broken upload at the hub", taken.recv()).await;
    assert_eq!(last.unwrap(), None);
    let answer = in_time("the refusal", rest(stream)).await;
    assert!(
        answer.starts_with("HTTP/1.1 403") && answer.contains("the identity was revoked"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_hub_that_says_nothing_does_not_hold_the_end_up() {
    let (arrived, at_the_hub) = oneshot::channel();
    let arrived = Arc::new(Mutex::new(Some(arrived)));
    let handler = move || {
        let arrived = arrived.lock().unwrap().take();
        async move {
            let _ = arrived.map(|arrived| arrived.send(()));
            std::future::pending::<&str>().await
        }
    };
    let stage = Stage::before(Router::new().fallback(any(handler))).await;
    let stream = stage
        .raw("GET /acme/model/resolve/main/x HTTP/1.1\r\n@HOST\r\n@AUTH\r\n\r\n")
        .await;
    at_the_hub.await.unwrap();
    stage.end.send(Some(revoked())).unwrap();
    let answer = in_time("the refusal", rest(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
}

/// A download whose child reads nothing behind the answer's head, until all buffers are full.
async fn unread(stage: &Stage, feed: &mpsc::Sender<Bytes>) -> TcpStream {
    let mut stream = stage
        .raw("GET /acme/model/resolve/main/x HTTP/1.1\r\n@HOST\r\n@AUTH\r\n\r\n")
        .await;
    up_to(&mut stream, "200 OK").await;
    let piece = Bytes::from(vec![0; 1 << 20]);
    let mut sent = 0;
    // Full at some time: what lies between the two is bounded by the buffers of three sockets.
    while tokio::time::timeout(Duration::from_secs(1), feed.send(piece.clone()))
        .await
        .is_ok()
    {
        sent += 1;
        assert!(sent < 64, "nothing holds the hub back");
    }
    stream
}

#[tokio::test]
async fn a_child_that_reads_nothing_holds_the_hub_back_and_one_that_goes_frees_it() {
    let (routes, feed) = fed();
    let stage = Stage::before(routes).await;
    drop(unread(&stage, &feed).await);
    feed.closed().await;
}

#[tokio::test]
async fn a_child_that_reads_nothing_is_cut_all_the_same() {
    let (routes, feed) = fed();
    let stage = Stage::before(routes).await;
    let stream = unread(&stage, &feed).await;
    stage.end.send(Some(revoked())).unwrap();
    in_time("the hub's side to be closed", feed.closed()).await;
    // Whatever its own socket holds by now: nothing follows.
    in_time("the connection to end", rest(stream)).await;
}

#[tokio::test]
async fn a_child_that_reads_nothing_is_cut_too_when_the_right_to_its_transfer_ends() {
    let (routes, feed) = fed();
    let stage = Stage::before_confirming(routes, Duration::from_millis(5)).await;
    let stream = unread(&stage, &feed).await;
    *stage.source.refuses.lock().unwrap() = Some(Refusal::denied("no role reads there", "ask"));
    in_time("the hub's side to be closed", feed.closed()).await;
    in_time("the connection to end", rest(stream)).await;
}

/// The upload fills all buffers on its way to a hub that reads nothing behind the head.
#[tokio::test]
async fn a_hub_that_does_not_read_an_upload_does_not_hold_the_end_up() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let stage = Stage::before_address(listener.local_addr().unwrap(), LONG).await;
    let head = "POST /acme/model.git/git-receive-pack HTTP/1.1\r\n@HOST\r\n@AUTH\r\nContent-Length: 1000000000\r\n\r\n";
    let mut stream = stage.raw(head).await;
    let (mut hub, _) = listener.accept().await.unwrap();
    up_to(&mut hub, "\r\n\r\n").await;
    let piece = vec![0; 1 << 20];
    while tokio::time::timeout(Duration::from_secs(1), stream.write_all(&piece))
        .await
        .is_ok()
    {}
    stage.end.send(Some(revoked())).unwrap();
    let answer = in_time("the refusal", rest(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("the identity was revoked"), "{answer}");
    in_time("the upload to end at the hub", rest(hub)).await;
}

#[tokio::test]
async fn an_idle_connection_ends_with_the_identity_and_the_next_one_hears_why() {
    let (routes, _) = telling(|_| with(200, "here"));
    let stage = Stage::before(routes).await;
    let head = "GET /acme/model/resolve/main/x HTTP/1.1\r\n@HOST\r\n@AUTH\r\n\r\n";
    let mut stream = stage.raw(head).await;
    up_to(&mut stream, "here").await;
    stage.end.send(Some(revoked())).unwrap();
    assert_eq!(in_time("the end", rest(stream)).await, "");
    let answer = in_time("the refusal", rest(stage.raw(head).await)).await;
    assert!(answer.contains("the identity was revoked"), "{answer}");
}

#[tokio::test]
async fn a_right_that_ends_without_a_word_cuts_an_open_transfer_and_an_agent_that_is_away_does_not()
{
    let (routes, feed) = fed();
    let stage = Stage::before_confirming(routes, Duration::from_millis(5)).await;
    let head = "GET /acme/model/resolve/main/x HTTP/1.1\r\n@HOST\r\n@AUTH\r\n\r\n";
    let mut stream = stage.raw(head).await;
    up_to(&mut stream, "200 OK").await;
    let away = Refusal::new(
        RefusalCode::Unreachable,
        "the agent is not there",
        "try again",
    );
    *stage.source.refuses.lock().unwrap() = Some(away);
    let asked = || stage.source.asked.lock().unwrap().len();
    let before = asked();
    while asked() < before + 3 {
        tokio::task::yield_now().await;
    }
    feed.send(Bytes::from("still here")).await.unwrap();
    up_to(&mut stream, "still here").await;
    *stage.source.refuses.lock().unwrap() = Some(Refusal::denied("no role reads there", "ask"));
    let left = in_time("the cut", rest(stream)).await;
    assert!(!left.contains("0\r\n\r\n"), "{left}");
    in_time("the hub's side to be closed", feed.closed()).await;
}

/// A batch whose answer has begun: the gateway reads it before the child hears a word.
#[tokio::test]
async fn an_answer_about_large_files_that_stalls_is_cut_and_its_links_stay_here() {
    let (feed, pieces) = mpsc::channel(1);
    let pieces = Arc::new(Mutex::new(Some(pieces)));
    let (routes, _) = telling(move |_| {
        let mut answer = with(200, Body::new(Fed(pieces.lock().unwrap().take().unwrap())));
        // What the gateway counts as it begins with the answer.
        let until = "1790000000".parse().unwrap();
        answer.headers_mut().insert("x-xet-token-expiration", until);
        answer
    });
    let stage = Stage::before(routes).await;
    let body = r#"{"operation":"download"}"#;
    let head = format!(
        "POST /acme/model.git/info/lfs/objects/batch HTTP/1.1\r\n@HOST\r\n@AUTH\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let stream = stage.raw(&head).await;
    let link = r#"{"objects":[{"actions":{"download":{"href":"https://store.example/x?sig=1"}}}"#;
    feed.send(Bytes::from(link)).await.unwrap();
    while stage.gateway.counts().served().handed_out == 0 {
        tokio::task::yield_now().await;
    }
    stage.end.send(Some(revoked())).unwrap();
    let answer = in_time("the refusal", rest(stream)).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    assert!(answer.contains("the identity was revoked"), "{answer}");
    assert!(!answer.contains("store.example"), "{answer}");
    in_time("the hub's side to be closed", feed.closed()).await;
}

/// What the gateway has to read before it knows what a request is to do.
#[tokio::test]
async fn a_request_whose_body_stalls_is_refused_at_the_end_and_no_token_goes_out_for_it() {
    for path in [
        "/acme/model.git/info/lfs/objects/batch",
        "/api/repos/create",
    ] {
        let (routes, seen) = telling(|_| with(200, "{}"));
        let stage = Stage::before(routes).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\n@HOST\r\n@AUTH\r\nExpect: 100-continue\r\nContent-Length: 24\r\n\r\n"
        );
        let mut stream = stage.raw(&head).await;
        // The gateway has begun to read.
        up_to(&mut stream, "100 Continue").await;
        stream.write_all(br#"{"operation""#).await.unwrap();
        stage.end.send(Some(revoked())).unwrap();
        let answer = in_time("the refusal", rest(stream)).await;
        assert!(answer.contains("HTTP/1.1 403"), "{path}: {answer}");
        assert!(answer.contains("the identity was revoked"), "{answer}");
        assert!(stage.source.asked.lock().unwrap().is_empty());
        assert!(seen.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_transfer_that_begins_after_the_end_is_over_before_anything_else() {
    let (_end, ended) = watch::channel(Some(revoked()));
    let source = Arc::new(Numbered::default());
    let target = Target {
        repository: None,
        operation: HubOperation::Read,
    };
    let begun = Watch::begin(ended, (source, target), LONG, Arc::new(Notify::new()));
    let over = pin!(begun.over()).poll(&mut Context::from_waker(Waker::noop()));
    assert!(over.is_ready(), "at once, not when another task has run");
}
