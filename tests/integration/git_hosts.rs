//! git servers that nobody here wrote take role tokens: Apache with `mod_oauth2`, by signature and by asking, and nginx
//! that asks. Their configuration is the one that `oam help hubs` shows.

use crate::support::git_host::{GitHost, Server, snippet};
use crate::support::http::Ask;
use crate::support::port::Port;
use crate::support::wait::until_true;
use crate::support::{Company, Plan, Run};
use serde_json::json;

/// A company with the hub `git` at this address, beside the usual one.
fn company(hub: &str) -> Company {
    let table =
        format!("[hubs.git]\nurl = \"{hub}\"\nbackend = {{ kind = \"jwt\" }}\n\n[hubs.hub]");
    Plan::default()
        .settings(move |text| text.replace("[hubs.hub]", &table))
        .policy(|text| {
            let mut text = text.to_owned();
            for action in ["read", "write"] {
                let end = format!("action = \"{action}\" }}]");
                let more = format!(
                    "action = \"{action}\" }}, {{ hub = \"git\", repositories = [\"acme/*\"], action = \"{action}\" }}]"
                );
                text = text.replace(&end, &more);
            }
            text
        })
        .start()
}

/// A role token for `acme/model` at the hub `git`.
fn token(company: &Company, hub: &str, account: &str, scope: &str) -> String {
    let subject = company.id_token(account, &json!({}));
    let ask = Ask::post(&format!("{}/oauth/token", company.inner)).form(&[
        ("grant_type", crate::support::company::EXCHANGE),
        ("subject_token", &subject),
        ("subject_token_type", crate::support::company::ID_TOKEN),
        ("audience", hub),
        ("resource", "acme/model"),
        ("scope", scope),
    ]);
    let answer = ask.send().expect(200).json();
    answer["access_token"].as_str().unwrap().to_owned()
}

fn reader(company: &Company, hub: &str) -> String {
    token(company, hub, "ada", "role:model-reader read")
}

/// What the host answers to a clone (`upload-pack`) or push (`receive-pack`) with this token.
fn status(host: &GitHost, token: &str, repository: &str, service: &str) -> u16 {
    let url = format!(
        "{}/{repository}.git/info/refs?service=git-{service}",
        host.url
    );
    Ask::get(&url).bearer(token).send().status
}

/// A client of the issuer that asks about tokens of the hub `git`; its secret.
fn client(company: &Company, name: &str) -> String {
    let made = company.issuer(&["client", "add", name, "--hub", "git", "--json"]);
    made.expect(0).json()["secret"].as_str().unwrap().to_owned()
}

/// The line with which Apache asks the issuer, and keeps an answer for so long (none: as long as it does by itself).
fn asking(company: &Company, expiry: Option<u8>) -> String {
    let secret = client(company, "apache");
    let line = snippet("introspect.auth").replace("SECRET", &secret);
    match expiry {
        Some(seconds) => line.replace("expiry=10", &format!("expiry={seconds}")),
        None => line.replace("&expiry=10", ""),
    }
}

/// Clone and push by git and its helper, as ada; then a reader's push, which the host itself refuses.
fn works_with_git(company: &Company, host: &GitHost) {
    let world = &company.world;
    company.login("ada");
    world.set_up_git();
    world
        .git("", &["clone", &format!("{}/acme/model.git", host.url), "c"])
        .expect(0);
    std::fs::write(world.home.join("c/layers.txt"), "2\n").unwrap();
    world.git("c", &["add", "."]).expect(0);
    world.git("c", &["commit", "-m", "layers"]).expect(0);
    world.git("c", &["push", "origin", "HEAD:main"]).expect(0);
    world
        .git("", &["clone", &format!("{}/acme/model", host.url), "again"])
        .expect(0);
    assert!(world.home.join("again/layers.txt").exists());
    world
        .git("c", &["commit", "--allow-empty", "-m", "more"])
        .expect(0);
    let refused = with_token(
        company,
        &reader(company, &host.url),
        &["push", "origin", "HEAD:main"],
    );
    assert_ne!(refused.code, 0, "{}", refused.stderr);
    with_token(company, &reader(company, &host.url), &["fetch", "origin"]).expect(0);
}

/// git with this token and without our helper.
fn with_token(company: &Company, token: &str, args: &[&str]) -> Run {
    let header = format!("http.extraHeader=Authorization: Bearer {token}");
    let mut all = vec!["-c", "credential.helper=", "-c", &header];
    all.extend(args);
    company.world.git("c", &all)
}

/// Tokens that are good for something else, or nowhere.
fn refuses_what_is_not_for_it(company: &Company, host: &GitHost) {
    let write = token(company, &host.url, "ada", "role:model-publisher write");
    let other_hub = company.granted(
        &company.id_token("ada", &json!({})),
        "acme/model",
        "role:model-publisher write",
    );
    assert_eq!(status(host, &write, "acme/model", "receive-pack"), 200);
    for (token, repository) in [
        (write.as_str(), "acme/other"),
        (&other_hub, "acme/model"),
        ("forged", "acme/model"),
    ] {
        let status = status(host, token, repository, "upload-pack");
        assert!(matches!(status, 401 | 403), "{status} for {repository}");
    }
    let forged = company.forged("ada", &json!({"aud": host.url, "repository": "acme/model", "actions": ["write"], "iss": company.url}), &json!({}));
    assert_eq!(status(host, &forged, "acme/model", "upload-pack"), 401);
    let url = format!("{}/acme/model.git/HEAD", host.url);
    assert_eq!(Ask::get(&url).send().status, 401, "a stranger");
}

#[test]
fn git_behind_a_gateway_has_no_token_and_apache_takes_the_one_that_the_gateway_adds() {
    let port = Port::take();
    let company = company(&port.url());
    let host = GitHost::start(&Server::ApacheBySignature, &port, &port.url(), &company.url);
    company.login("ada");
    let script = format!(
        "git clone -q {}/acme/model.git c; cd c; git commit -q --allow-empty -m more; git push -q origin HEAD:main; \
         git ls-remote origin main; git rev-parse HEAD; env; git config --list",
        host.url
    );
    let exec = ["exec", "--hub", "git", "--", "sh", "-ec", &script];
    let run = company.world.oam(&exec).expect(0);
    let words: Vec<&str> = run.stdout.split_whitespace().collect();
    assert_eq!(words[0], words[2], "pushed: {}", run.stdout);
    assert!(!run.stdout.contains("eyJ"), "{}", run.stdout);
}

#[test]
fn apache_takes_a_token_by_its_signature_until_it_expires() {
    let port = Port::take();
    let company = company(&port.url());
    let host = GitHost::start(&Server::ApacheBySignature, &port, &port.url(), &company.url);
    works_with_git(&company, &host);
    refuses_what_is_not_for_it(&company, &host);
    let held = token(&company, &host.url, "ada", "role:model-publisher write");
    company.issuer(&["revoke", "ada"]).expect(0);
    assert_eq!(
        status(&host, &held, "acme/model", "receive-pack"),
        200,
        "it asks nobody"
    );
    let later = Port::take();
    let tomorrow = Server::ApacheAt("+1d");
    let tomorrow = GitHost::start(&tomorrow, &later, &host.url, &company.url);
    assert_eq!(status(&tomorrow, &held, "acme/model", "upload-pack"), 401);
}

#[test]
fn apache_that_asks_the_issuer_refuses_after_the_end_as_soon_as_it_forgets() {
    let port = Port::take();
    let company = company(&port.url());
    let verify = asking(&company, Some(1));
    let host = GitHost::start(&Server::Apache(&verify), &port, &port.url(), &company.url);
    works_with_git(&company, &host);
    refuses_what_is_not_for_it(&company, &host);
    // The same server as it is without the setting.
    let (usual_port, usual) = (Port::take(), verify.replace("&expiry=1", ""));
    let usual = GitHost::start(
        &Server::Apache(&usual),
        &usual_port,
        &host.url,
        &company.url,
    );
    let seen = token(&company, &host.url, "ada", "role:model-publisher write");
    let unseen = token(&company, &host.url, "ada", "role:model-publisher write");
    for host in [&host, &usual] {
        assert_eq!(status(host, &seen, "acme/model", "receive-pack"), 200);
    }
    company.issuer(&["revoke", "ada"]).expect(0);
    assert_eq!(status(&host, &unseen, "acme/model", "upload-pack"), 401);
    until_true("Apache to forget the issuer's answer", || {
        status(&host, &seen, "acme/model", "upload-pack") == 401
    });
    assert_eq!(status(&usual, &unseen, "acme/model", "upload-pack"), 401);
    assert_eq!(
        status(&usual, &seen, "acme/model", "upload-pack"),
        200,
        "kept for 300 s"
    );
}

#[test]
fn nginx_that_asks_the_issuer_refuses_the_first_request_after_the_end() {
    let port = Port::take();
    let company = company(&port.url());
    let secret = client(&company, "nginx");
    let host = GitHost::start(
        &Server::Nginx("nginx", &secret),
        &port,
        &port.url(),
        &company.url,
    );
    works_with_git(&company, &host);
    refuses_what_is_not_for_it(&company, &host);
    let held = token(&company, &host.url, "ada", "role:model-publisher write");
    let read = reader(&company, &host.url);
    assert_eq!(status(&host, &held, "acme/model", "receive-pack"), 200);
    assert_eq!(status(&host, &read, "acme/model", "receive-pack"), 403);
    // Headers of the caller's own do not speak for the request that is made.
    let url = format!(
        "{}/acme/model.git/info/refs?service=git-receive-pack",
        host.url
    );
    let lying = Ask::get(&url)
        .bearer(&read)
        .header(
            "X-Forwarded-Uri",
            "/acme/model.git/info/refs?service=git-upload-pack",
        )
        .header("X-Forwarded-Authorization", &format!("Bearer {held}"));
    assert_eq!(lying.send().status, 403);
    company.issuer(&["revoke", "ada"]).expect(0);
    for token in [&held, &read] {
        assert_eq!(status(&host, token, "acme/model", "upload-pack"), 401);
    }
}

#[test]
fn the_curl_test_of_the_help_page_tells_what_a_host_takes() {
    let port = Port::take();
    let company = company(&port.url());
    let host = GitHost::start(&Server::ApacheBySignature, &port, &port.url(), &company.url);
    company.login("ada");
    let script = snippet("curl -sS").replace("https://git.acme.example", &host.url);
    let run = company.world.run("bash", &["-c", &script]).expect(0);
    assert_eq!(run.stdout, "200\n401\n403\n401\n", "{}", run.stderr);
}
