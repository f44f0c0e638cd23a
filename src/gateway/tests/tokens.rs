//! Which token goes out, and what a client without the right to one is told.

use super::hub::{telling, with};
use super::{LONG, Stage};
use crate::source::HubOperation::{Read, Write};
use crate::source::Target;
use oam_model::refusal::Refusal;

#[tokio::test]
async fn each_request_has_a_token_of_its_own_and_nothing_of_the_childs() {
    let (routes, seen) = telling(|_| with(200, "here"));
    let stage = Stage::before(routes).await;
    let get = stage
        .request("GET", "/acme/model/resolve/main/x")
        .header("cookie", "a=b")
        .header("range", "bytes=0-3");
    assert_eq!(get.send().await.unwrap().text().await.unwrap(), "here");
    let put = stage
        .request("POST", "/api/models/acme/model/commit/main")
        .body("a commit");
    assert_eq!(put.send().await.unwrap().status(), 200);
    let seen = seen.lock().unwrap();
    assert!(
        seen[0].starts_with("GET /acme/model/resolve/main/x\n")
            && seen[0].contains("range: bytes=0-3\n"),
        "{}",
        seen[0]
    );
    assert!(
        seen[0].contains("authorization: Bearer token-1\n") && !seen[0].contains("cookie"),
        "{}",
        seen[0]
    );
    assert!(
        seen[1].contains("authorization: Bearer token-2\n") && seen[1].ends_with("a commit"),
        "{}",
        seen[1]
    );
    assert!(seen[0].contains(&format!("host: {}\n", stage.hub)));
    let capability = stage.gateway.capability().secret().expose();
    assert!(seen.iter().all(|text| !text.contains(capability)));
    let repository = Some("acme/model".parse().unwrap());
    let wanted = [Read, Write].map(|operation| Target {
        repository: repository.clone(),
        operation,
    });
    assert_eq!(*stage.source.asked.lock().unwrap(), wanted);
    let served = stage.gateway.counts().served();
    let sum = &served.repositories[0];
    assert_eq!((sum.reads, sum.writes, sum.sent), (1, 1, 8));
    assert_eq!((sum.received, served.turned_away), (8, 0));
}

#[tokio::test]
async fn only_who_shows_nothing_is_asked_to_show_something() {
    let (routes, seen) = telling(|_| with(200, ""));
    let stage = Stage::before(routes).await;
    let path = "/acme/model.git/info/refs?service=git-upload-pack";
    let nothing = stage.bare("GET", path).send().await.unwrap();
    assert_eq!(nothing.status(), 401);
    assert!(
        nothing.headers()["www-authenticate"]
            .to_str()
            .unwrap()
            .starts_with("Basic ")
    );
    let foreign = stage
        .bare("GET", path)
        .basic_auth("x", Some("y"))
        .send()
        .await
        .unwrap();
    assert_eq!(foreign.status(), 403);
    let page = stage
        .request("GET", path)
        .header("origin", "http://evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(page.status(), 403);
    let rebound = stage
        .request("GET", path)
        .header("host", "evil.example")
        .send()
        .await
        .unwrap();
    assert_eq!(rebound.status(), 403);
    assert!(seen.lock().unwrap().is_empty());
    let capability = stage.gateway.capability().secret().expose();
    let git = stage
        .bare("GET", path)
        .basic_auth("oam", Some(capability))
        .send()
        .await
        .unwrap();
    assert_eq!(git.status(), 200);
    assert_eq!(stage.gateway.counts().served().turned_away, 4);
}

#[tokio::test]
async fn a_token_that_the_hub_rejects_is_given_back_and_git_hears_403_with_words() {
    let (routes, seen) = telling(|request| {
        let first = request.headers()["authorization"] == "Bearer token-1";
        with(if first { 401 } else { 200 }, "")
    });
    let stage = Stage::before(routes).await;
    let get = stage
        .request("GET", "/acme/model.git/info/refs?service=git-upload-pack")
        .send()
        .await
        .unwrap();
    assert_eq!(get.status(), 200, "another token was taken");
    assert_eq!(*stage.source.rejected.lock().unwrap(), ["token-1"]);
    assert_eq!(seen.lock().unwrap().len(), 2);

    let (routes, seen) = telling(|_| with(401, "hub's own page"));
    let stage = Stage::before(routes).await;
    let push = stage
        .request("POST", "/acme/model.git/git-receive-pack")
        .body("pack")
        .send()
        .await
        .unwrap();
    assert_eq!(push.status(), 403);
    assert!(!push.headers().contains_key("www-authenticate"));
    let text = push.text().await.unwrap();
    assert!(
        text.contains("does not accept the token of your role") && !text.contains("page"),
        "{text}"
    );
    assert_eq!(
        seen.lock().unwrap().len(),
        1,
        "a body that went out is not sent again"
    );
}

#[tokio::test]
async fn a_refusal_reaches_git_lfs_and_hub_clients_in_their_own_form() {
    let (routes, seen) = telling(|_| with(200, ""));
    let stage = Stage::before(routes).await;
    *stage.source.refuses.lock().unwrap() =
        Some(Refusal::denied("no role writes there", "ask the owner"));
    let batch = stage
        .request("POST", "/acme/model.git/info/lfs/objects/batch")
        .body(r#"{"operation":"upload"}"#);
    let batch = batch
        .header("accept", "application/vnd.git-lfs+json")
        .send()
        .await
        .unwrap();
    assert_eq!(batch.status(), 403);
    let text = batch.text().await.unwrap();
    assert!(
        text.starts_with("{\"message\":\"oam: no role writes there; oam: ask the owner"),
        "{text}"
    );
    let hf = stage
        .request("GET", "/api/models/acme/model")
        .send()
        .await
        .unwrap();
    assert_eq!(
        hf.headers()["x-error-message"],
        "oam: no role writes there; oam: ask the owner"
    );
    *stage.source.refuses.lock().unwrap() =
        Some(Refusal::unavailable("the agent is not there", "try again"));
    assert_eq!(
        stage.request("GET", "/a/b").send().await.unwrap().status(),
        503
    );
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_hub_that_is_not_there_is_a_passing_fault() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let stage = Stage::before_address(address, LONG).await;
    let answer = stage.request("GET", "/a/b").send().await.unwrap();
    assert_eq!(answer.status(), 503);
    assert!(
        answer
            .text()
            .await
            .unwrap()
            .contains("no connection to the hub")
    );
}

#[tokio::test]
async fn a_named_repository_is_the_limit_of_a_command() {
    let batch = |operation: &str| format!("{{\"operation\":\"{operation}\",\"objects\":[]}}");
    let lfs = "/acme/model.git/info/lfs/objects/batch";
    let asks = [
        ("GET", "/api/whoami-v2", String::new(), 200, 200),
        ("GET", "/acme/model/resolve/main/x", String::new(), 200, 200),
        ("GET", "/acme/other/resolve/main/x", String::new(), 403, 403),
        ("POST", lfs, batch("download"), 200, 200),
        ("POST", lfs, batch("upload"), 403, 200),
        (
            "POST",
            "/acme/model.git/git-receive-pack",
            "pack".into(),
            403,
            200,
        ),
        (
            "POST",
            "/acme/other.git/git-receive-pack",
            "pack".into(),
            403,
            403,
        ),
    ];
    for (operation, at) in [(Read, 0), (Write, 1)] {
        let limit = Target {
            repository: Some("acme/model".parse().unwrap()),
            operation,
        };
        let (routes, seen) = telling(|_| with(200, "{}"));
        let stage = Stage::limited(routes, limit).await;
        let mut passed = 0;
        for (method, path, body, reading, writing) in &asks {
            let expected = [*reading, *writing][at];
            let answer = stage.request(method, path).body(body.clone());
            let answer = answer.send().await.unwrap();
            assert_eq!(answer.status(), expected, "{operation:?}: {method} {path}");
            passed += usize::from(expected == 200);
            let text = answer.text().await.unwrap();
            assert_eq!(text.contains("was started to"), expected == 403, "{text}");
        }
        assert_eq!(seen.lock().unwrap().len(), passed);
        assert_eq!(
            stage.source.asked.lock().unwrap().len(),
            passed,
            "no token for the rest"
        );
    }
}
