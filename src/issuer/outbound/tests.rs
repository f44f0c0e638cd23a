use super::{ANSWER_CAP, Auth, OutboundClient};
use axum::Router;
use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::IntoResponse;
use oam_http::Via;
use oam_model::answer::EndpointFault;
use oam_model::secret::Secret;
use std::sync::{Arc, Mutex};
use std::time::Duration;

struct Peer {
    base: String,
    /// Path, headers, body.
    seen: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
}

/// Answers by path: `/STATUS` with that status and an OAuth error, `/redirect`, `/long`, `/page`, `/slow`.
async fn peer() -> Peer {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    let app = Router::new().fallback(async move |uri: Uri, headers: HeaderMap, body: Bytes| {
        let path = uri.path().to_owned();
        log.lock().unwrap().push((path.clone(), headers, body));
        match path.as_str() {
            "/redirect" => (StatusCode::FOUND, [("location", "/200")]).into_response(),
            "/long" => vec![b'x'; ANSWER_CAP + 1].into_response(),
            "/page" => (
                StatusCode::BAD_GATEWAY,
                [("content-type", "text/html")],
                "<p>tok-123",
            )
                .into_response(),
            "/slow" => std::future::pending().await,
            other => {
                let status: u16 = other.trim_start_matches('/').parse().unwrap();
                let prose =
                    r#"{"error":"invalid_grant","error_description":"SELECT token tok-123"}"#;
                (StatusCode::from_u16(status).unwrap(), prose).into_response()
            }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    Peer { base, seen }
}

fn outside() -> OutboundClient {
    OutboundClient::through(Via::default()).unwrap()
}

#[test]
fn wrong_settings_are_said_at_start() {
    let why = |ca: Option<&str>, proxy: Option<&str>| {
        let via = Via {
            ca_file: ca.map(str::to_owned),
            proxy: proxy.map(str::to_owned),
            ..Via::default()
        };
        OutboundClient::through(via).err()
    };
    assert!(
        why(None, Some("http://"))
            .unwrap()
            .contains("`proxy` is not a URL")
    );
    assert!(
        why(Some("/nowhere/ca.pem"), None)
            .unwrap()
            .contains("can't be read")
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "no certificate").unwrap();
    assert!(why(file.to_str(), None).unwrap().contains("no PEM"));
    assert!(why(None, Some("http://proxy.example:3128")).is_none());
    let via = Via {
        proxy: Some("http://proxy.example:3128".into()),
        proxy_auth_file: Some("/nowhere/proxy".into()),
        ..Via::default()
    };
    let said = OutboundClient::through(via).err().unwrap();
    assert!(said.contains("`proxy_auth_file` can't be read"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_carry_what_they_were_given_and_nothing_else() {
    let peer = peer().await;
    let outside = Arc::new(outside());
    let secret = Secret::new("s3cret".into());
    let url = format!("{}/200", peer.base);
    let auth = Auth::Basic {
        id: "me",
        secret: &secret,
    };
    outside
        .post_form(&url, &[("a", "b c")], auth)
        .await
        .ok()
        .unwrap();
    outside
        .post_json(&url, &serde_json::json!({"a": 1}), Auth::None)
        .await
        .ok()
        .unwrap();
    outside.get_json(&url, Some(&secret)).await.ok().unwrap();
    let seen = peer.seen.lock().unwrap();
    let header = |n: usize, name: &str| {
        seen[n]
            .1
            .get(name)
            .map(|v| v.to_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    assert_eq!(seen.len(), 3);
    assert_eq!(header(0, "authorization"), "Basic bWU6czNjcmV0");
    assert_eq!(
        header(0, "content-type"),
        "application/x-www-form-urlencoded"
    );
    assert_eq!(&seen[0].2[..], b"a=b+c");
    assert_eq!(header(1, "authorization"), "");
    assert_eq!(header(1, "content-type"), "application/json");
    assert_eq!(&seen[1].2[..], b"{\"a\":1}");
    assert_eq!(header(2, "authorization"), "Bearer s3cret");
}

#[tokio::test]
async fn no_redirect_is_followed() {
    let peer = peer().await;
    let answer = outside()
        .get_json(&format!("{}/redirect", peer.base), None)
        .await
        .ok()
        .unwrap();
    assert_eq!(answer.status, 302);
    assert_eq!(peer.seen.lock().unwrap().len(), 1);
}

#[tokio::test]
async fn an_error_keeps_its_code_and_none_of_its_prose() {
    let peer = peer().await;
    let fault = async |path: &str| {
        let url = format!("{}{path}", peer.base);
        match outside().get_json(&url, None).await {
            Ok(answer) => answer.json::<Vec<u8>>().err().unwrap(),
            Err(fault) => fault,
        }
    };
    let refused = fault("/400").await;
    assert_eq!(
        refused,
        EndpointFault::Status {
            status: 400,
            error: Some("invalid_grant".into()),
            bare: false
        }
    );
    assert_eq!(
        fault("/page").await,
        EndpointFault::Status {
            status: 502,
            error: None,
            bare: false
        }
    );
    let unreadable = fault("/200").await;
    assert!(matches!(unreadable, EndpointFault::Unreadable { .. }));
    assert!(!format!("{unreadable:?}").contains("tok-123"));
    assert!(
        matches!(fault("/long").await, EndpointFault::Unreadable { why } if why.contains("1 MiB"))
    );
}

#[tokio::test]
async fn a_request_that_never_left_is_told_from_a_lost_answer() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = format!("http://{}/", taken.local_addr().unwrap());
    drop(taken);
    let fault = outside().get_json(&closed, None).await.err().unwrap();
    assert!(matches!(fault, EndpointFault::NotSent { why } if why.contains("refused")));
    let peer = peer().await;
    let fault = outside()
        .within(Duration::from_millis(200))
        .get_json(&format!("{}/slow", peer.base), None)
        .await
        .err()
        .unwrap();
    assert!(matches!(fault, EndpointFault::Lost { why } if why.contains("in time")));
}

#[test]
fn it_is_shared_between_threads() {
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&outside());
}
