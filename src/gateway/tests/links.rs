//! Links in answers: the hub's own lead through the gateway, none is followed by it.

use super::Stage;
use super::hub::{telling, with};
use axum::response::Response;
use http::header::HeaderName;

fn pointing(
    status: u16,
    header: &'static str,
    to: impl Fn(&str) -> String + Clone + Send + Sync + 'static,
) -> axum::Router {
    let answer = move |request: &axum::extract::Request| -> Response {
        let host = request.headers()["host"].to_str().unwrap();
        let mut response = with(status, "");
        let value = to(host).parse().unwrap();
        response
            .headers_mut()
            .insert(header.parse::<HeaderName>().unwrap(), value);
        response
    };
    telling(answer).0
}

#[tokio::test]
async fn a_redirect_goes_back_to_the_child_and_no_token_with_it() {
    for (to, back) in [
        ("http://@/x/y?z", "http://#/x/y?z"),
        ("/x/y", "http://#/x/y"),
        ("https://cdn.example/s?sig=1", "https://cdn.example/s?sig=1"),
    ] {
        let stage =
            Stage::before(pointing(307, "location", move |host| to.replace('@', host))).await;
        let answer = stage
            .request("POST", "/acme/model.git/git-receive-pack")
            .body("x")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 307);
        let expected = back.replace('#', &stage.own.to_string());
        assert_eq!(answer.headers()["location"].to_str().unwrap(), expected);
        assert_eq!(stage.source.asked.lock().unwrap().len(), 1);
        let handed_out = u64::from(to.contains("cdn"));
        assert_eq!(stage.gateway.counts().served().handed_out, handed_out);
    }
    let links = |host: &str| {
        format!(
            "<http://{host}/api/models/a/m/xet-read-token/x>; rel=\"xet-auth\", <https://o.example/>; rel=\"x\""
        )
    };
    let stage = Stage::before(pointing(200, "link", links)).await;
    let answer = stage
        .request("HEAD", "/acme/model/resolve/main/x")
        .send()
        .await
        .unwrap();
    let expected = links(&stage.own.to_string());
    assert_eq!(answer.headers()["link"].to_str().unwrap(), expected);
}

#[tokio::test]
async fn a_xet_token_is_for_another_host_and_its_end_is_remembered() {
    let until = |_: &str| "1790000000".to_owned();
    let stage = Stage::before(pointing(200, "x-xet-token-expiration", until)).await;
    let path = "/api/models/acme/model/xet-write-token/main";
    let answer = stage.request("GET", path).send().await.unwrap();
    assert_eq!(answer.headers()["x-xet-token-expiration"], "1790000000");
    let served = stage.gateway.counts().served();
    assert_eq!(served.outstanding_until, Some(1_790_000_000));
    assert_eq!(served.repositories[0].writes, 1, "a token that writes");
}

#[tokio::test]
async fn large_files_go_by_links_that_need_no_credential_and_lead_nowhere_else() {
    let (routes, seen) = telling(|request| {
        let host = request.headers()["host"].to_str().unwrap();
        let href = format!("http://{host}/store/abc?x=1");
        let actions = serde_json::json!({"upload": {"href": href, "header": {"Authorization": "Bearer token-1"}}});
        let batch = serde_json::json!({"objects": [{"oid": "abc", "size": 4, "actions": actions}]});
        with(200, batch.to_string())
    });
    let stage = Stage::before(routes).await;
    let ask = stage
        .request("POST", "/acme/model.git/info/lfs/objects/batch")
        .body(r#"{"operation":"upload"}"#);
    let text = ask.send().await.unwrap().text().await.unwrap();
    assert!(
        !text.contains("token-1") && !text.contains(&stage.hub.to_string()),
        "{text}"
    );
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    let href = answer["objects"][0]["actions"]["upload"]["href"]
        .as_str()
        .unwrap();
    let path = href.strip_prefix(&format!("http://{}", stage.own)).unwrap();
    assert_eq!(
        stage
            .bare("PUT", path)
            .body("file")
            .send()
            .await
            .unwrap()
            .status(),
        200
    );
    {
        let seen = seen.lock().unwrap();
        assert!(
            seen[1].starts_with("PUT /store/abc?x=1\n") && seen[1].ends_with("file"),
            "{}",
            seen[1]
        );
        assert!(seen[1].contains("authorization: Bearer token-2\n"));
    }
    for (method, other) in [
        ("PUT", path.replace("abc", "abd")),
        ("DELETE", path.to_owned()),
        ("PUT", "/.oam/link/x".into()),
    ] {
        let refused = stage.request(method, &other).send().await.unwrap();
        assert_eq!(refused.status(), 403, "{method} {other}");
    }
    assert_eq!(seen.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn a_hub_without_locks_has_none_of_others_and_its_other_answers_stay_as_they_are() {
    for (status, path, told) in [
        (404, "locks/verify", 200),
        (501, "locks/verify", 200),
        (403, "locks/verify", 403),
        (404, "objects/verify", 404),
    ] {
        let (routes, _) = telling(move |_| with(status, "{}"));
        let stage = Stage::before(routes).await;
        let path = format!("/acme/model.git/info/lfs/{path}");
        let answer = stage
            .request("POST", &path)
            .body("{}")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), told, "{status} {path}");
        let locks = answer.text().await.unwrap();
        let locks: serde_json::Value = serde_json::from_str(&locks).unwrap();
        assert_eq!(locks["theirs"].is_array(), told == 200, "{locks}");
    }
}
