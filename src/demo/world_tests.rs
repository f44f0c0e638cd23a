use super::{World, now_s};
use crate::browser::{fetch, visit};
use crate::cgi::GitBackend;
use crate::hub::RoleClaims;
use crate::key::SigningKey;
use crate::seed;
use std::path::Path;
use std::process::Output;
use tempfile::TempDir;
use tokio::process::Command;

/// An environment in which git sees nothing of this machine's configuration.
fn environment(home: &Path) -> Vec<(String, String)> {
    let mut all = vec![
        ("PATH".to_owned(), std::env::var("PATH").unwrap()),
        ("HOME".to_owned(), home.display().to_string()),
    ];
    for (name, value) in [
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@acme.example"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@acme.example"),
    ] {
        all.push((name.to_owned(), value.to_owned()));
    }
    all
}

async fn git(home: &Path, folder: &Path, token: Option<&str>, args: &[&str]) -> Output {
    let mut command = Command::new("git");
    command
        .env_clear()
        .envs(environment(home))
        .current_dir(folder);
    if let Some(token) = token {
        command.args([
            "-c",
            &format!("http.extraHeader=Authorization: Bearer {token}"),
        ]);
    }
    command
        .args(args)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap()
}

fn ok(output: &Output) {
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// An issuer that publishes this key and nothing else.
async fn issuer(key: &SigningKey) -> String {
    let jwks = key.jwks();
    let routes = axum::Router::new().route(
        "/jwks.json",
        axum::routing::get(|| async move { axum::Json(jwks) }),
    );
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", door.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(door, routes).await });
    url
}

async fn world(home: &Path, key: &SigningKey) -> World {
    let root = home.join("hub");
    let bare = root.join("acme/model.git");
    std::fs::create_dir_all(&bare).unwrap();
    ok(&git(
        home,
        &bare,
        None,
        &["init", "--quiet", "--bare", "--initial-branch=main"],
    )
    .await);
    let backend = GitBackend {
        root,
        environment: environment(home),
        pushes: std::sync::Arc::default(),
    };
    World::start(backend, &issuer(key).await).await.unwrap()
}

fn token(world: &World, key: &SigningKey, actions: &[&str]) -> String {
    let claims = RoleClaims {
        iss: world.issuer.clone(),
        sub: "role:r".into(),
        aud: world.hub.clone(),
        iat: now_s(),
        exp: now_s() + 60,
        jti: actions.concat(),
        role: "r".into(),
        repository: "acme/model".into(),
        actions: actions.iter().map(|&action| action.to_owned()).collect(),
    };
    key.sign("at+jwt", &claims).unwrap()
}

#[tokio::test]
async fn real_git_pushes_and_clones_through_verified_tokens_only() {
    let home = TempDir::new().unwrap();
    let key = SigningKey::generate().unwrap();
    let world = world(home.path(), &key).await;
    let url = format!("{}/{}", world.hub, seed::REPOSITORY);
    let work = home.path().join("work");
    std::fs::create_dir(&work).unwrap();
    ok(&git(
        home.path(),
        &work,
        None,
        &["init", "--quiet", "--initial-branch=main"],
    )
    .await);
    // Larger than git's post buffer, so that the push comes in chunks, without a length.
    let noise: Vec<u8> = (0..900_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
        .collect();
    std::fs::write(work.join("weights"), noise).unwrap();
    ok(&git(home.path(), &work, None, &["add", "weights"]).await);
    ok(&git(
        home.path(),
        &work,
        None,
        &["commit", "--quiet", "-m", "weights"],
    )
    .await);

    let read = token(&world, &key, &["read"]);
    let write = token(&world, &key, &["read", "write"]);
    let push = ["push", "--quiet", &url, "main"];
    assert_eq!(
        git(home.path(), &work, None, &push).await.status.code(),
        Some(128)
    );
    assert_eq!(
        git(home.path(), &work, Some(&read), &push)
            .await
            .status
            .code(),
        Some(128)
    );
    assert_eq!(world.ledger().accepted, 0);
    ok(&git(home.path(), &work, Some(&write), &push).await);

    let clone = ["clone", "--quiet", &url, "copy"];
    ok(&git(home.path(), home.path(), Some(&read), &clone).await);
    let size = |path: &str| std::fs::metadata(home.path().join(path)).unwrap().len();
    assert_eq!(size("copy/weights"), size("work/weights"));
    let ledger = world.ledger();
    assert_eq!(ledger.tokens.len(), 2);
    assert_eq!(ledger.refused_tokens(), 1);
}

#[tokio::test]
async fn the_hub_asks_for_basic_and_tells_who_the_bearer_is() {
    let home = TempDir::new().unwrap();
    let key = SigningKey::generate().unwrap();
    let world = world(home.path(), &key).await;
    let who = format!("{}/api/whoami-v2", world.hub).parse().unwrap();
    assert_eq!(fetch(&who, None).await.unwrap().status, 401);
    let bearer = format!("Bearer {}", token(&world, &key, &["read"]));
    let page = fetch(&who, Some(&bearer)).await.unwrap();
    assert_eq!(page.status, 200);
    let answer: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(answer["name"], "role:r");
    assert_eq!(answer["auth"]["accessToken"]["role"], "read");
}

#[tokio::test]
async fn discovery_names_the_issuer_it_was_asked_at_and_a_bad_sign_in_gets_a_page() {
    let home = TempDir::new().unwrap();
    let key = SigningKey::generate().unwrap();
    let world = world(home.path(), &key).await;
    let page = visit(&format!(
        "{}/.well-known/openid-configuration",
        world.provider
    ))
    .await
    .unwrap();
    let metadata: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(metadata["issuer"], world.provider);
    assert_eq!(metadata["code_challenge_methods_supported"][0], "S256");
    let page = visit(&format!("{}/authorize?client_id=nobody", world.provider))
        .await
        .unwrap();
    assert_eq!(page.status, 400);
    let twice = format!("{}/authorize?client_id=a&client_id=b", world.provider);
    assert_eq!(visit(&twice).await.unwrap().status, 400);
}

/// POSTs a form with reqwest, as the agent does, and reads the JSON answer.
async fn post(url: &str, form: &[(&str, &str)]) -> (u16, serde_json::Value) {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let body = url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let kind = "application/x-www-form-urlencoded";
    let request = client.post(url).header("content-type", kind).body(body);
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    (
        status,
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default(),
    )
}

/// Signs in as a client does: the callback's address, then the tokens.
async fn sign_in(world: &World) -> serde_json::Value {
    let landing = axum::routing::get(|uri: axum::http::Uri| async move { uri.to_string() });
    let back = axum::Router::new().route("/back", landing);
    let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let redirect = format!("http://{}/back", door.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(door, back).await });

    let verifier = "v".repeat(43);
    let challenge = crate::key::challenge_of(&verifier);
    let mut ask = url::Url::parse(&format!("{}/authorize", world.provider)).unwrap();
    ask.query_pairs_mut().extend_pairs([
        ("client_id", seed::CLIENT),
        ("redirect_uri", &redirect),
        ("response_type", "code"),
        ("scope", "openid"),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ]);
    let page = visit(ask.as_str()).await.unwrap();
    let landed = url::Url::parse(&redirect)
        .unwrap()
        .join(&page.body)
        .unwrap();
    let code = landed
        .query_pairs()
        .find(|(n, _)| n == "code")
        .unwrap()
        .1
        .into_owned();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", seed::CLIENT),
        ("code", &code),
        ("redirect_uri", &redirect),
        ("code_verifier", &verifier),
    ];
    let (status, answer) = post(&format!("{}/token", world.provider), &form).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn a_change_of_teams_is_in_the_next_token_even_when_nobody_takes_the_signal() {
    let home = TempDir::new().unwrap();
    let key = SigningKey::generate().unwrap();
    let world = world(home.path(), &key).await;
    let signed_in = sign_in(&world).await;
    let groups = |answer: &serde_json::Value| {
        let token = answer["id_token"].as_str().unwrap();
        let claims: serde_json::Value =
            jsonwebtoken::dangerous::insecure_decode_claims(token).unwrap();
        claims["groups"].clone()
    };
    assert_eq!(groups(&signed_in), serde_json::json!(seed::ADA.groups));
    // This issuer has no `/signals/ssf`.
    assert!(world.change_teams(&["ml"]).await.is_err());
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::CLIENT),
        (
            "refresh_token",
            signed_in["refresh_token"].as_str().unwrap(),
        ),
    ];
    let (status, answer) = post(&format!("{}/token", world.provider), &form).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(groups(&answer), serde_json::json!(["ml"]));
}

#[tokio::test]
async fn a_jobs_ticket_gets_an_identity_that_its_host_publishes_the_key_of() {
    let home = TempDir::new().unwrap();
    let key = SigningKey::generate().unwrap();
    let world = world(home.path(), &key).await;
    let [(_, url), (_, ticket)] = world.job_variables();
    let address = format!("{url}&audience=x").parse().unwrap();
    assert_eq!(fetch(&address, None).await.unwrap().status, 401);
    let bearer = format!("Bearer {ticket}");
    let page = fetch(&address, Some(&bearer)).await.unwrap();
    let answer: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    let header = jsonwebtoken::decode_header(answer["value"].as_str().unwrap()).unwrap();
    let keys = format!("{}/jwks.json", world.ci).parse().unwrap();
    let keys = fetch(&keys, None).await.unwrap().body;
    assert!(keys.contains(&header.kid.unwrap()), "{keys}");
    assert_eq!(world.job_tokens(), 1);
}
