use super::{World, now_s};
use crate::demo::browser::{fetch, visit};
use crate::demo::cgi::Backend;
use crate::demo::exchange::RoleClaims;
use crate::demo::seed;
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

async fn world(home: &Path) -> World {
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
    World::start(Backend {
        root,
        environment: environment(home),
    })
    .await
    .unwrap()
}

fn token(world: &World, actions: &[&str]) -> String {
    let claims = RoleClaims {
        iss: world.issuer.clone(),
        sub: "u-1".into(),
        aud: world.hub.clone(),
        iat: now_s(),
        exp: now_s() + 60,
        jti: actions.concat(),
        role: "r".into(),
        repository: "acme/model".into(),
        actions: actions.iter().map(|&action| action.to_owned()).collect(),
    };
    world.signed(&claims).unwrap()
}

#[tokio::test]
async fn real_git_pushes_and_clones_through_verified_tokens_only() {
    let home = TempDir::new().unwrap();
    let world = world(home.path()).await;
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

    let (read, write) = (token(&world, &["read"]), token(&world, &["read", "write"]));
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
    let world = world(home.path()).await;
    let who = format!("{}/api/whoami-v2", world.hub).parse().unwrap();
    assert_eq!(fetch(&who, None).await.unwrap().status, 401);
    let bearer = format!("Bearer {}", token(&world, &["read"]));
    let page = fetch(&who, Some(&bearer)).await.unwrap();
    assert_eq!(page.status, 200);
    let answer: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(answer["name"], "u-1");
    assert_eq!(answer["auth"]["accessToken"]["role"], "read");
}

#[tokio::test]
async fn discovery_names_the_issuer_it_was_asked_at_and_a_bad_sign_in_gets_a_page() {
    let home = TempDir::new().unwrap();
    let world = world(home.path()).await;
    let page = visit(&format!(
        "{}/.well-known/openid-configuration",
        world.issuer
    ))
    .await
    .unwrap();
    let metadata: serde_json::Value = serde_json::from_str(&page.body).unwrap();
    assert_eq!(metadata["issuer"], world.issuer);
    assert_eq!(metadata["code_challenge_methods_supported"][0], "S256");
    let page = visit(&format!("{}/authorize?client_id=nobody", world.issuer))
        .await
        .unwrap();
    assert_eq!(page.status, 400);
    let twice = format!("{}/authorize?client_id=a&client_id=b", world.issuer);
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
    let challenge = crate::demo::key::challenge_of(&verifier);
    let mut ask = url::Url::parse(&format!("{}/authorize", world.issuer)).unwrap();
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
    let (status, answer) = post(&format!("{}/token", world.issuer), &form).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

#[tokio::test]
async fn the_whole_way_over_http_from_sign_in_to_the_end_of_the_session() {
    let home = TempDir::new().unwrap();
    let world = world(home.path()).await;
    let signed_in = sign_in(&world).await;
    let form = [
        (
            "grant_type",
            "urn:ietf:params:oauth:grant-type:token-exchange",
        ),
        ("subject_token", signed_in["id_token"].as_str().unwrap()),
        (
            "subject_token_type",
            "urn:ietf:params:oauth:token-type:id_token",
        ),
        ("audience", &world.hub),
        ("resource", "acme/model"),
        ("scope", "role:model-reader read"),
    ];
    let exchange = format!("{}/exchange", world.issuer);
    let (status, role) = post(&exchange, &form).await;
    assert_eq!(status, 200, "{role}");
    let bearer = format!("Bearer {}", role["access_token"].as_str().unwrap());
    for (service, status) in [("git-upload-pack", 200), ("git-receive-pack", 403)] {
        let refs = format!("{}/acme/model/info/refs?service={service}", world.hub);
        let page = fetch(&refs.parse().unwrap(), Some(&bearer)).await.unwrap();
        assert_eq!(page.status, status, "{service}");
    }

    assert_eq!(world.end_identity(), 1);
    assert_eq!(post(&exchange, &form).await.0, 400);
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", seed::CLIENT),
        (
            "refresh_token",
            signed_in["refresh_token"].as_str().unwrap(),
        ),
    ];
    let (status, answer) = post(&format!("{}/token", world.issuer), &form).await;
    assert_eq!(
        (status, answer["error"].as_str()),
        (400, Some("invalid_grant"))
    );
}
