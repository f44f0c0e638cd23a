//! Signing in and out, as the person sees it.

use super::agent::{self, status};
use super::home::Home;
use oam_wire::message::{Reply, Request, StoreChoice};
use std::fs;
use std::sync::Arc;

#[test]
fn login_opens_the_browser_that_is_named_and_prints_the_address_anyway() {
    let home = Home::new();
    let address =
        "https://idp.example/authorize?state=a%20b&redirect_uri=http%3A%2F%2F127.0.0.1%3A4%2F";
    let seen = home.path("seen");
    let opened = seen.clone();
    let asked = agent::start(
        &home,
        Arc::new(move |request, line| {
            if !matches!(request, Request::Login { .. }) {
                return line.say(status("git"));
            }
            line.say(Reply::Challenge {
                url: address.into(),
                org: "acme".parse().unwrap(),
                issuer: "https://idp.example".into(),
                device: None,
                kept_in: None,
            });
            // Signed in only after the browser was there, so that the test can't pass without it.
            while fs::read_to_string(&opened)
                .unwrap_or_default()
                .lines()
                .count()
                < 1
            {
                std::thread::yield_now();
            }
            line.say(Reply::SignedIn {
                org: "acme".parse().unwrap(),
                subject: "ada".into(),
                email: Some("ada@acme.example".into()),
                roles: vec!["publisher".into()],
                roles_unread: None,
            });
        }),
    );
    let script = home.path("browser");
    fs::write(
        &script,
        format!("#!/bin/sh\necho \"$@\" > {}\n", seen.display()),
    )
    .unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
    }
    let browser = format!("/no/such/browser:{} --new %s", script.display());
    let output = home
        .oam(&["login", "acme", "--store", "memory"])
        .env("BROWSER", browser)
        .output()
        .unwrap();
    let ran = super::home::Ran::of(&output);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        fs::read_to_string(&seen).unwrap(),
        format!("--new {address}\n")
    );
    assert!(
        ran.err
            .contains(&format!("If no browser opens, open: {address}")),
        "{ran:?}"
    );
    assert!(
        ran.out
            .contains("signed in to acme as ada@acme.example (ada)"),
        "{ran:?}"
    );
    assert!(ran.out.contains("session ends in"), "{ran:?}");
    let in_memory = |request: &Request| {
        matches!(
            request,
            Request::Login {
                store: StoreChoice::Memory,
                ..
            }
        )
    };
    assert!(asked.lock().unwrap().iter().any(in_memory));
}

#[test]
fn an_address_that_is_none_of_the_webs_is_never_opened() {
    let home = Home::new();
    agent::start(
        &home,
        Arc::new(|_, line| {
            line.say(Reply::Challenge {
                url: "file:///etc/passwd".into(),
                org: "acme".parse().unwrap(),
                issuer: "https://idp.example".into(),
                device: None,
                kept_in: None,
            });
        }),
    );
    let output = home
        .oam(&["login"])
        .env("BROWSER", "/bin/echo")
        .output()
        .unwrap();
    let ran = super::home::Ran::of(&output);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("no browser should open"), "{ran:?}");
}

#[test]
fn logout_says_when_the_provider_was_not_told() {
    let home = Home::new();
    agent::start(
        &home,
        Arc::new(|_, line| {
            line.say(Reply::SignedOut {
                org: "acme".parse().unwrap(),
                was_signed_in: true,
                warning: Some("the provider could not be reached".into()),
                issuer_warning: None,
            });
        }),
    );
    let ran = home.run(&["logout"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.out.contains("signed out of acme"), "{ran:?}");
    assert!(
        ran.err
            .contains("the provider could not be reached\nnext: "),
        "{ran:?}"
    );
}
