//! Signing in again: after an end, past an age, against the issuer's word; and what is said while nothing comes.

use crate::support::parts::package;
use crate::support::wait::until_true;
use crate::support::world::read_line;
use crate::support::{Builder, Company, Plan, Run, World};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// A provider like most: it tells `auth_time` only to who asks for `max_age`.
fn without_auth_time() -> Value {
    json!({"require_auth_time": false})
}

fn opened(world: &World) -> PathBuf {
    world.home.join("opened")
}

/// `oam login acme`, in a browser that keeps the provider's session.
fn login(company: &Company) -> Run {
    let world = &company.world;
    let mut login = world.oam_command(&["login", "acme"]);
    login.env("OAM_TEST_COOKIES", world.home.join("cookies"));
    login.env("OAM_TEST_OPENED", opened(world));
    World::feed(&mut login, b"")
}

/// The address that the last sign-in opened.
fn last_opened(world: &World) -> String {
    let all = std::fs::read_to_string(opened(world)).unwrap();
    all.lines().last().unwrap().to_owned()
}

fn until_standing(world: &World, standing: &str) {
    until_true("the agent to hear of it", || {
        world.status()["standing"] == standing
    });
}

#[test]
fn after_an_ended_session_the_provider_is_asked_for_a_new_authentication() {
    let company = Plan::default().idp(without_auth_time()).start();
    let world = &company.world;
    company.login("ada");
    assert!(world.token().is_some());
    company.until_fed();
    company.issuer(&["revoke", "ada", "--session"]).expect(0);
    until_standing(world, "revoked");
    assert_eq!(world.token(), None);
    // The browser still has the provider's session: without `prompt=login` it would bring the old one back.
    login(&company).expect(0);
    let asked = last_opened(world);
    for said in ["prompt=login", "max_age=604800"] {
        assert!(asked.contains(said), "{said}: {asked}");
    }
    assert!(world.token().is_some());
}

#[test]
fn a_restored_person_signs_in_at_once() {
    let company = Company::signed_in();
    let world = &company.world;
    company.until_fed();
    company.issuer(&["revoke", "ada"]).expect(0);
    until_standing(world, "revoked");
    company.issuer(&["restore", "ada"]).expect(0);
    login(&company).expect(0);
    assert!(world.token().is_some());
    assert_eq!(world.status()["standing"], "active");
}

/// Opens the address of a waiting sign-in and gives what the person sees.
fn visit(world: &World, address: &str) -> Run {
    let mut command = world.command(package().join("tests/parts/browser.mjs"));
    command.arg(address).stderr(Stdio::null());
    World::feed(&mut command, b"")
}

fn live_grants(world: &World) -> usize {
    let grants = world.idp.ask("grants");
    let list = grants["grants"].as_array().unwrap();
    list.iter().filter(|grant| grant["live"] == true).count()
}

/// A sign-in that the issuer refuses: on both ends, and nothing is left of it.
fn refused_by_the_issuer(world: &World, code: i32, said: &str) {
    let before = live_grants(world);
    let mut waiting = world.oam_start(&["login", "acme", "--no-browser"]);
    let address = read_line(&mut waiting);
    let page = visit(world, &address);
    assert!(page.stdout.contains("Sign-in failed"), "{}", page.stdout);
    assert!(page.stdout.contains(said), "{}", page.stdout);
    let run = Run::of(&waiting.wait_with_output().unwrap()).expect(code);
    assert!(run.stderr.contains(said), "{}", run.stderr);
    assert!(!run.stdout.contains("signed in"), "{}", run.stdout);
    assert_eq!(world.token(), None);
    assert_eq!(live_grants(world), before, "nothing of it stays open");
}

#[test]
fn whom_the_issuer_has_revoked_is_not_told_that_they_are_signed_in() {
    let company = Company::signed_in();
    let world = &company.world;
    company.until_fed();
    company
        .issuer(&["revoke", "ada", "--reason", "left"])
        .expect(0);
    until_standing(world, "revoked");
    refused_by_the_issuer(world, 4, "access to acme was revoked");
}

#[test]
fn a_source_that_is_one_slash_off_is_found_by_the_first_sign_in() {
    let company = Plan::default()
        .settings(|text| {
            let line = text
                .lines()
                .find(|line| line.starts_with("issuer = "))
                .unwrap();
            text.replacen(line, &format!("{}/\"", line.trim_end_matches('"')), 1)
        })
        .start();
    let world = &company.world;
    // As written by hand: the set-up that this issuer publishes would carry the slash too.
    let text = format!(
        "[orgs.acme]\nissuer = \"{}\"\nclient_id = \"oam\"\n[orgs.acme.exchange]\nkind = \"issuer\"\nurl = \"{}\"\n\
         [orgs.acme.hubs.hub]\nurl = \"{}\"\nkind = \"huggingface\"\n",
        world.idp.get("issuer"),
        company.url,
        world.hub.get("url"),
    );
    world.write_config(&text);
    let mut waiting = world.oam_start(&["login", "acme", "--no-browser"]);
    let address = read_line(&mut waiting);
    let page = visit(world, &address);
    assert!(page.stdout.contains("Sign-in failed"), "{}", page.stdout);
    let run = Run::of(&waiting.wait_with_output().unwrap()).expect(2);
    assert!(run.stderr.contains("issuer"), "{}", run.stderr);
    assert_eq!(world.status()["standing"], "signed-out");
}

#[test]
fn a_redirect_that_is_not_registered_is_named_while_nothing_comes_back() {
    let world = Builder::default()
        .idp(json!({"any_redirect_port": false}))
        .start();
    let mut waiting = world.oam_start(&["login", "acme", "--no-browser"]);
    let address = read_line(&mut waiting);
    let page = visit(&world, &address);
    assert_ne!(
        page.code, 0,
        "the provider shows an error of its own: {}",
        page.stdout
    );
    let stderr = BufReader::new(waiting.stderr.take().unwrap());
    let hint = stderr
        .lines()
        .map_while(Result::ok)
        .find(|line| line.contains("register"));
    let hint = hint.expect("a hint, before the sign-in is given up");
    assert!(
        hint.contains("register http://127.0.0.1:") && hint.contains("/callback"),
        "{hint}"
    );
    assert!(
        hint.contains("the client oam") && hint.contains("`redirect_port`"),
        "{hint}"
    );
    let stopped = Command::new("kill")
        .args(["-INT", &waiting.id().to_string()])
        .status();
    assert!(stopped.unwrap().success());
    waiting.wait().unwrap();
}

#[test]
fn an_edit_with_a_fault_beside_a_correction_is_said_not_to_be_in_force() {
    let world = World::signed_in();
    let usual = world.usual_config();
    let edited = usual.replace(
        "client_id = \"oam\"\nscopes",
        "client_id = \"other\"\nscopes",
    );
    assert_ne!(edited, usual);
    world.write_config(&format!("{edited}\n[orgs.acme.mistake]\n"));
    let run = world.oam(&["login", "acme"]).expect(0);
    for said in ["has a fault and is not in force", "oam config check"] {
        assert!(run.stderr.contains(said), "{said}: {}", run.stderr);
    }
    world.write_config(&edited);
    let run = world.oam(&["login", "acme"]).expect(0);
    assert!(!run.stderr.contains("not in force"), "{}", run.stderr);
    assert_eq!(world.status()["standing"], "active");
}
