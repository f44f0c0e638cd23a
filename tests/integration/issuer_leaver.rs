//! A leaver, from the signal to the refusal of the next get, of a push in progress and of a running child.

use crate::support::company::now;
use crate::support::wait::{LONG, until, until_true};
use crate::support::world::child_that_waits;
use crate::support::{Company, Plan, Run};
use serde_json::{Value, json};
use std::process::{Child, Stdio};

/// Somebody at work: a token out, a child that runs, a push that has its token and is at the hub.
struct AtWork {
    company: Company,
    client: (String, String),
    token: String,
    child: Child,
    push: Child,
    head: Value,
    granted: usize,
}

fn at_work(company: Company) -> AtWork {
    let world = &company.world;
    company.login("ada");
    world.set_up_git();
    let client = company.hub_introspects();
    let token = world.token().expect("a token");
    let child = child_that_waits(world);
    let url = world.url("acme/model");
    world.git("", &["lfs", "install", "--skip-repo"]).expect(0);
    world.git("", &["clone", &url, "c"]).expect(0);
    world.git("c", &["lfs", "track", "*.bin"]).expect(0);
    std::fs::write(world.home.join("c/weights.bin"), vec![7; 100_000]).unwrap();
    world.git("c", &["add", "."]).expect(0);
    world.git("c", &["commit", "-m", "weights"]).expect(0);
    let head = world.hub.ask("head?path=acme/model");
    // git has had its token and is at the hub; git-lfs, which it runs before it sends anything, asks next.
    let hold = json!({"path": "info/lfs", "at": "arrival"});
    world.hub.control("hold", &hold);
    let push = world
        .command("git")
        .args(["push", "origin", "HEAD:main"])
        .current_dir(world.home.join("c"))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    world
        .hub
        .ask("wait?held=1&path=info/lfs&count=1&deadline_ms=30000");
    company.until_fed();
    let granted = company.audited("exchange").len();
    AtWork {
        company,
        client,
        token,
        child,
        push,
        head,
        granted,
    }
}

/// What must hold once the signal was given: nobody asks for anything before the child's token is gone.
fn is_refused(at_work: AtWork, standing: &str, code: i32) -> Company {
    let AtWork {
        company,
        client,
        token,
        mut child,
        push,
        head,
        granted,
    } = at_work;
    let world = &company.world;
    until("the running child's token to go", LONG, || {
        world.token_files().is_empty().then_some(())
    });
    let get = world.helper("get", "path=acme/model\n");
    assert!(!get.stdout.contains("password="), "{}", get.stdout);
    assert!(get.stdout.contains("quit=1"), "{}", get.stdout);
    assert_eq!(get.stderr.trim_end().lines().count(), 2, "{}", get.stderr);
    assert_eq!(world.status()["standing"], standing);
    world
        .oam(&["token", "--hub", "hub", "--repo", "acme/model"])
        .expect(code);

    world.hub.control("release", &json!({}));
    let push = Run::of(&push.wait_with_output().unwrap());
    assert_ne!(push.code, 0, "{}", push.stderr);
    assert!(push.stderr.contains("oam: "), "{}", push.stderr);
    assert_eq!(world.hub.ask("head?path=acme/model"), head);

    // The token that is out is worth nothing, wherever it went.
    let client = (client.0.as_str(), client.1.as_str());
    assert_eq!(
        company.introspect(client, &token).json(),
        json!({"active": false})
    );
    assert_eq!(company.at_the_hub(&token, "acme/model", "upload-pack"), 401);
    assert_eq!(
        company.audited("exchange").len(),
        granted,
        "no token after it"
    );

    // Nor does a restart of the agent change anything.
    world.kill_agent("-9");
    world
        .oam(&["token", "--hub", "hub", "--repo", "acme/model"])
        .expect(code);
    drop(child.stdin.take());
    let said = Run::of(&child.wait_with_output().unwrap()).stderr;
    assert!(said.contains("oam: "), "the child was told: {said}");
    company.verify();
    company
}

#[test]
fn a_leaver_by_revoke_is_refused_at_the_next_get_in_a_push_and_in_a_running_child() {
    let at_work = at_work(Company::start());
    let before = at_work.company.id_token("ada", &json!({}));
    let args = ["revoke", "ada", "--reason", "left on Friday"];
    at_work.company.issuer(&args).expect(0);
    let company = is_refused(at_work, "revoked", 4);
    let entry = company.until_audited("the revocation", |e| e["event"] == "revocation");
    assert_eq!(entry["name"], "ada", "{entry}");
    assert!(entry.to_string().contains("left on Friday"), "{entry}");

    // The provider would still let ada in; the issuer does not, until it is told to.
    let token = company.id_token("ada", &json!({}));
    let answer = company.exchange(&token, "acme/model", "read").expect(400);
    assert_eq!(answer.json()["error"], "invalid_grant", "{}", answer.text());
    assert_eq!(answer.json()["oam"]["code"], "revoked", "{}", answer.text());
    let roles = company.bearer("/v1/roles", &token).expect(403);
    assert_eq!(roles.json()["error"], "access_denied", "{}", roles.text());
    company.issuer(&["restore", "ada"]).expect(0);
    company.exchange(&before, "acme/model", "read").expect(400);
    let end = now();
    until_true("the next second", || now() > end);
    let token = company.id_token("ada", &json!({}));
    company.exchange(&token, "acme/model", "read").expect(200);
    company.until_audited("the restoration", |e| e["event"] == "restoration");
}

#[test]
fn a_leaver_by_a_security_event_is_refused_at_the_next_get_in_a_push_and_in_a_running_child() {
    let at_work = at_work(Company::start());
    let company = &at_work.company;
    let event = json!({"type": "session-revoked", "subject": company.world.subject("ada")});
    let answer = company.ssf.control("push", &event);
    assert_eq!(answer["status"], 202, "{answer}");
    assert_eq!(answer["body"], "");
    let end = now();
    let company = is_refused(at_work, "revoked", 4);
    company.until_audited("the signal", |e| e["event"] == "signal");
    company.until_audited("what followed from it", |e| {
        e["event"] == "revocation" && e["name"] == "ada"
    });

    // A sign-in after it is another session.
    until_true("the next second", || now() > end);
    std::fs::remove_file(company.world.home.join("cookies")).unwrap();
    company.login("ada");
    assert!(company.world.token().is_some());
}

#[test]
fn a_leaver_by_logout_at_the_provider_is_refused_at_the_next_get_in_a_push_and_in_a_running_child()
{
    // Without offline access the provider ends the grant with its session.
    let plan = Plan::default()
        .idp(json!({"expires_with_session": true}))
        .policy(|text| text.replace("\"offline_access\", ", ""));
    let at_work = at_work(plan.start());
    signs_out(&at_work.company);
    let company = is_refused(at_work, "ended", 3);
    let sent = company.world.idp.ask("backchannels");
    assert_eq!(sent["sent"][0]["ok"], true, "{sent}");
    company.until_audited("the logout", |e| e["event"] == "signal");
    company.until_audited("what followed from it", |e| {
        e["event"] == "revocation" && e["name"] == "ada"
    });
}

/// Signs ada out at the provider, which tells the issuer before its page answers.
fn signs_out(company: &Company) {
    let world = &company.world;
    let page = format!("{}/session/end?client_id=oam", world.idp.get("issuer"));
    let mut browser =
        world.command(crate::support::parts::package().join("tests/parts/browser.mjs"));
    browser
        .arg(page)
        .env("OAM_TEST_COOKIES", world.home.join("cookies"));
    Run::of(&browser.output().unwrap()).expect(0);
}

/// A logout is weak evidence: tokens so far are dead, and the provider, asked again, decides.
#[test]
fn a_logout_that_leaves_the_grant_alive_kills_the_tokens_and_not_the_session() {
    let company = Company::signed_in();
    let client = company.hub_introspects();
    let before = company.world.token().expect("a token");
    company.until_fed();
    // Providers tell whole seconds: a token of the logout's own second counts as one of after it.
    let signed_in = now();
    until_true("a second after the sign-in", || now() > signed_in);
    let end = now();
    signs_out(&company);
    let client = (client.0.as_str(), client.1.as_str());
    assert_eq!(
        company.introspect(client, &before).json(),
        json!({"active": false})
    );
    until_true("the next second", || now() > end);
    // The feed is quick, but not quicker than an ask in the same millisecond.
    let after = until("another token", LONG, || {
        company.world.token().filter(|token| *token != before)
    });
    assert_eq!(company.at_the_hub(&after, "acme/model", "upload-pack"), 200);
    assert_eq!(company.world.status()["standing"], "active");
}
