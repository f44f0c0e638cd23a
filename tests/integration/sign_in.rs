//! Signing in and out: who is let in, what is refused by name, what is left open.

use crate::support::parts::{package, tool};
use crate::support::wait::until_true;
use crate::support::{Builder, Run, World, world};
use serde_json::{Value, json};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// `oam login acme`, with a browser that notes each address it is given.
fn login(world: &World, set: &[(&str, &str)]) -> Run {
    let mut command = world.oam_command(&["login", "acme"]);
    command.env("OAM_TEST_OPENED", opened(world));
    command.envs(set.iter().copied());
    World::feed(&mut command, b"")
}

fn opened(world: &World) -> PathBuf {
    world.home.join("opened")
}

/// The port on 127.0.0.1 to which the sign-in of this address comes back.
fn port_of(address: &str) -> u16 {
    let (_, rest) = address
        .split_once("redirect_uri=http%3A%2F%2F127.0.0.1%3A")
        .unwrap_or_else(|| panic!("no redirect in {address}"));
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn is_listening(port: u16) -> bool {
    TcpStream::connect(("127.0.0.1", port)).is_ok()
}

fn live_grants(world: &World) -> usize {
    let grants = world.idp.ask("grants");
    let list = grants["grants"].as_array().unwrap();
    list.iter().filter(|grant| grant["live"] == true).count()
}

/// No listener, no session at the provider, nobody signed in; and the next sign-in works.
#[track_caller]
fn nothing_is_left_open(world: &World) {
    let addresses = std::fs::read_to_string(opened(world)).unwrap();
    for address in addresses.lines() {
        assert!(!is_listening(port_of(address)), "still open: {address}");
    }
    assert_eq!(live_grants(world), 0, "{}", world.idp.ask("grants"));
    assert_eq!(world.status()["standing"], "signed-out");
    assert_eq!(world.token(), None);
    login(world, &[]).expect(0);
    assert_eq!(world.status()["standing"], "active");
}

/// A sign-in whose ID token is wrong is refused, and the check that failed is named.
#[track_caller]
fn refused_by_name(world: &World, tampering: &Value, check: &str) {
    world.idp.control("tamper", tampering);
    expect_check(login(world, &[]), check);
}

#[track_caller]
fn expect_check(run: Run, check: &str) {
    let run = run.expect(1);
    assert!(
        run.stderr
            .contains(&format!("the check of `{check}` failed")),
        "{}",
        run.stderr
    );
}

#[test]
fn sign_in_by_code() {
    let world = World::start();
    let run = world.oam(&["login", "acme"]).expect(0);
    assert!(
        run.stdout.contains("ada") || run.stderr.contains("ada"),
        "{}{}",
        run.stdout,
        run.stderr
    );
    let status = world.status();
    assert_eq!(status["standing"], "active");
    assert_eq!(status["subject"], "ada");
    assert_eq!(world.idp.count("code"), 1);
}

#[test]
fn sign_in_through_a_real_chromium() {
    let world = World::start();
    let mut command = world.oam_command(&["login", "acme"]);
    command
        .env("BROWSER", package().join("tests/parts/chromium.mjs"))
        .env("CHROMIUM", tool("CHROMIUM"));
    World::feed(&mut command, b"").expect(0);
    assert_eq!(world.status()["subject"], "ada");
    assert!(world.token().is_some());
}

#[test]
fn a_sign_in_that_the_provider_refuses_says_so_and_leaves_nothing_open() {
    let world = World::start();
    let run = login(&world, &[("OAM_TEST_DENY", "1")]).expect(5);
    assert!(run.stderr.contains("access_denied"), "{}", run.stderr);
    assert!(run.stderr.contains("refused the sign-in"), "{}", run.stderr);
    let failed = world.records();
    let failed = failed.iter().find(|r| r["what"] == "login-failed");
    assert!(failed.is_some(), "{:?}", world.records());
    nothing_is_left_open(&world);
}

#[test]
fn a_wrong_or_missing_iss_parameter_is_refused_by_name() {
    let world = World::start();
    for field in ["iss", "missing-iss"] {
        world
            .idp
            .control("tamper-redirect", &json!({"field": field}));
        expect_check(login(&world, &[]), "iss");
    }
    // The code was not even used: nothing of such an answer is believed.
    assert_eq!(world.idp.count("code"), 0);
    nothing_is_left_open(&world);
}

#[test]
fn an_error_from_another_issuer_is_not_believed() {
    let world = World::start();
    world
        .idp
        .control("tamper-redirect", &json!({"field": "iss"}));
    expect_check(login(&world, &[("OAM_TEST_DENY", "1")]), "iss");
}

/// A wrong `state` is no answer to this sign-in: its page is refused by name, and the sign-in waits
/// on for the right one. Were it given up instead, any page that finds the port could end it.
#[test]
fn a_wrong_or_missing_state_is_refused_by_name_and_does_not_end_the_sign_in() {
    let world = World::start();
    let mut waiting = world.oam_start(&["login", "acme", "--no-browser"]);
    let address = read_address(&mut waiting);
    for field in ["state", "missing-state"] {
        world
            .idp
            .control("tamper-redirect", &json!({"field": field}));
        let page = visit(&world, &address).expect(1);
        assert!(page.stdout.contains("state"), "{field}: {}", page.stdout);
        assert_eq!(world.idp.count("code"), 0, "{field}");
        assert!(is_listening(port_of(&address)), "{field}");
    }
    visit(&world, &address).expect(0);
    assert!(waiting.wait().unwrap().success());
    assert_eq!(world.status()["standing"], "active");
}

#[test]
fn a_wrong_or_missing_nonce_is_refused_by_name() {
    let world = World::start();
    refused_by_name(&world, &json!({"field": "nonce", "on": "code"}), "nonce");
    refused_by_name(
        &world,
        &json!({"field": "missing-nonce", "on": "code"}),
        "nonce",
    );
    nothing_is_left_open(&world);
}

#[test]
fn a_wrong_aud_is_refused_by_name() {
    let world = World::start();
    refused_by_name(&world, &json!({"field": "aud", "on": "code"}), "aud");
    refused_by_name(&world, &json!({"field": "azp", "on": "code"}), "azp");
    nothing_is_left_open(&world);
}

#[test]
fn a_wrong_iss_in_the_id_token_is_refused_by_name() {
    let world = World::start();
    refused_by_name(&world, &json!({"field": "iss", "on": "code"}), "iss");
    nothing_is_left_open(&world);
}

#[test]
fn a_wrong_alg_is_refused_by_name() {
    let world = World::start();
    for field in ["alg-none", "alg-hs256"] {
        refused_by_name(&world, &json!({"field": field, "on": "code"}), "alg");
    }
    nothing_is_left_open(&world);
}

#[test]
fn an_id_token_that_another_key_signed_is_refused_by_name() {
    let world = World::start();
    for (field, check) in [
        ("sig", "signature"),
        ("foreign-key", "signature"),
        ("kid", "kid"),
        ("exp", "exp"),
        ("iat", "iat"),
        ("missing-sub", "sub"),
        ("missing", "id_token"),
    ] {
        refused_by_name(&world, &json!({"field": field, "on": "code"}), check);
    }
    nothing_is_left_open(&world);
}

#[test]
fn a_second_login_replaces_the_first() {
    let world = World::start();
    let mut first = world.oam_start(&["login", "acme", "--no-browser"]);
    let old = read_address(&mut first);
    let mut second = world.oam_start(&["login", "acme", "--no-browser"]);
    let new = read_address(&mut second);

    let given_up = Run::of(&first.wait_with_output().unwrap()).expect(3);
    assert!(
        given_up.stderr.contains("another sign-in"),
        "{}",
        given_up.stderr
    );
    until_true("the first port to close", || !is_listening(port_of(&old)));
    visit(&world, &old).expect(1);

    visit(&world, &new).expect(0);
    assert!(second.wait().unwrap().success());
    assert_eq!(world.status()["subject"], "ada");
}

#[test]
fn a_login_while_signed_in_replaces_the_session() {
    let world = World::signed_in();
    let before = world.token().expect("a token");
    let run = login(&world, &[("OAM_TEST_ACCOUNT", "brian")]).expect(0);
    assert!(run.stdout.contains("brian"), "{}", run.stdout);
    let status = world.status();
    assert_eq!(status["subject"], "brian");
    assert_ne!(world.token().expect("a token"), before);
}

#[test]
fn ctrl_c_leaves_nothing_open() {
    let world = World::start();
    let mut waiting = world.oam_start(&["login", "acme", "--no-browser"]);
    let address = read_address(&mut waiting);
    let port = port_of(&address);
    assert!(is_listening(port));
    let interrupted = Command::new("kill")
        .args(["-INT", &waiting.id().to_string()])
        .status();
    assert!(interrupted.unwrap().success());
    assert!(!waiting.wait().unwrap().success());
    until_true("the port to close", || !is_listening(port));
    std::fs::write(opened(&world), &address).unwrap();
    nothing_is_left_open(&world);
}

#[test]
fn an_agent_that_dies_during_a_sign_in_leaves_nothing_open() {
    let world = World::start();
    let mut waiting = world.oam_start(&["login", "acme", "--no-browser"]);
    let address = read_address(&mut waiting);
    world.kill_agent("-9");
    let run = Run::of(&waiting.wait_with_output().unwrap()).expect(6);
    assert!(run.stderr.contains("agent"), "{}", run.stderr);
    std::fs::write(opened(&world), &address).unwrap();
    nothing_is_left_open(&world);
}

#[test]
fn logout_revokes_at_the_provider_and_wipes() {
    let world = World::signed_in();
    assert!(world.token().is_some());
    assert_eq!(live_grants(&world), 1);
    let newest = world.idp.log("refresh").pop().unwrap()["got"].clone();
    world.oam(&["logout"]).expect(0);

    let revoked = world.idp.log("revoke");
    assert!(
        revoked
            .iter()
            .any(|e| e["sent"] == newest && e["provider"] == 200),
        "{revoked:?}"
    );
    assert_eq!(live_grants(&world), 0);
    assert_eq!(world.status()["standing"], "signed-out");
    let run = world.helper("get", "path=acme/model\n");
    assert!(run.stdout.contains("quit=1"), "{}", run.stdout);
    assert!(run.stderr.contains("oam login acme"), "{}", run.stderr);
    crate::support::traces::none_is_left(&world);

    world.kill_agent("-9");
    assert_eq!(world.status()["standing"], "signed-out");
    assert_eq!(world.token(), None);
    let again = world.oam(&["logout"]).expect(0);
    assert!(
        again.stdout.contains("nobody was signed in"),
        "{}",
        again.stdout
    );
}

#[test]
fn a_logout_that_could_not_be_revoked_says_so_and_wipes_all_the_same() {
    for fault in ["500", "down"] {
        let world = World::signed_in();
        assert!(world.token().is_some());
        if fault == "down" {
            world.idp.control("down", &json!({}));
        } else {
            world.idp.fault("revocation", fault, "before", -1);
        }
        let run = world.oam(&["logout"]).expect(1);
        assert!(run.stdout.contains("signed out"), "{fault}: {}", run.stdout);
        assert!(
            run.stderr.contains("could not be revoked"),
            "{fault}: {}",
            run.stderr
        );
        assert!(
            run.stderr.contains("at the identity provider"),
            "{}",
            run.stderr
        );
        assert_eq!(world.status()["standing"], "signed-out", "{fault}");
        assert_eq!(world.token(), None, "{fault}");
        crate::support::traces::none_is_left(&world);
    }
}

/// The address that `oam login --no-browser` prints.
fn read_address(child: &mut std::process::Child) -> String {
    world::read_line(child)
}

/// What a browser sees that opens this address.
fn visit(world: &World, address: &str) -> Run {
    let mut command = world.command(package().join("tests/parts/browser.mjs"));
    command.arg(address).stderr(Stdio::null());
    World::feed(&mut command, b"")
}

#[test]
fn a_provider_without_refresh_tokens_is_named_at_sign_in() {
    let world = Builder::default()
        .idp(json!({"strict_offline": true}))
        .start();
    expect_check(login(&world, &[]), "refresh_token");
}
