//! The issuer restarted, killed, without disk, without its database: nothing is granted without a record,
//! and agents recover by themselves.

use crate::support::agents::Trap;
use crate::support::disk::Small;
use crate::support::http::Ask;
use crate::support::traces::sha256;
use crate::support::wait::{LONG, until, until_true};
use crate::support::{Company, Plan};
use serde_json::json;
use std::collections::BTreeSet;
use std::sync::mpsc;

/// A repository for which the agent holds no token: one that it holds is served without the issuer.
const CORPUS: &str = "datasets/acme/corpus";

/// SHA-256 of every token that the company has on record.
fn on_record(company: &Company) -> BTreeSet<String> {
    let exchanges = company.audited("exchange");
    let hashes = exchanges.iter().filter_map(|e| e["token_sha256"].as_str());
    hashes.map(str::to_owned).collect()
}

/// Asks for tokens by `clients` at once until the issuer is gone; all tokens that were answered.
fn storm(ask: &Ask, clients: usize) -> Vec<String> {
    let (got, all) = mpsc::channel();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            let got = got.clone();
            scope.spawn(move || {
                while let Ok(answer) = ask.try_send() {
                    if let Some(token) = answer.json()["access_token"].as_str() {
                        got.send(token.to_owned()).unwrap();
                    }
                }
            });
        }
    });
    drop(got);
    all.iter().collect()
}

#[test]
fn an_issuer_that_restarts_forgets_nothing_and_agents_find_it_by_themselves() {
    let company = Company::signed_in();
    let client = company.hub_introspects();
    let client = (client.0.as_str(), client.1.as_str());
    let token = company.world.token().expect("a token");
    let jwks = || {
        Ask::get(&format!("{}/jwks.json", company.url))
            .send()
            .json()
    };
    let keys = jwks();
    company.until_fed();
    assert_eq!(company.end("-TERM"), 0);

    // While it is away: what is held is served, what is not is refused by name, and no session is lost.
    assert_eq!(company.world.token().as_deref(), Some(token.as_str()));
    let write = ["token", "--hub", "hub", "--repo", CORPUS, "--write"];
    let refused = company.world.oam(&write);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("next: "), "{}", refused.stderr);
    assert_eq!(company.world.status()["standing"], "active");

    company.up();
    company.until_fed();
    assert_eq!(jwks(), keys);
    assert_eq!(company.introspect(client, &token).json()["active"], true);
    until_true("a token to write", || company.world.oam(&write).code == 0);
    // And what happens now reaches the agent: nothing was asked of it.
    company.issuer(&["revoke", "ada"]).expect(0);
    until_true("the end", || {
        company.world.status()["standing"] == "revoked"
    });
    company.verify();
    let starts = company.audited("start").len();
    let stops = company.audited("stop").len();
    assert_eq!((starts, stops), (2, 1));
}

#[test]
fn the_doctor_names_an_issuer_that_is_stopped_and_the_feed_that_is_down() {
    let company = Company::signed_in();
    company.until_fed();
    let bad = || {
        let report = company.world.oam(&["doctor", "--json"]).json();
        let checks = report["checks"].as_array().expect("checks").clone();
        let bad = checks.into_iter().filter(|check| check["verdict"] == "bad");
        bad.map(|check| {
            assert!(check["next"].is_string(), "{check}");
            check["name"].as_str().expect("a name").to_owned()
        })
        .collect::<BTreeSet<String>>()
    };
    let before = bad();
    assert!(
        !before.contains("issuer") && !before.contains("feed"),
        "{before:?}"
    );
    assert_eq!(company.end("-TERM"), 0);
    until_true("both to be told", || {
        let bad = bad();
        bad.contains("issuer") && bad.contains("feed")
    });
    company.up();
    company.until_fed();
    until_true("both to be well", || {
        let bad = bad();
        !bad.contains("issuer") && !bad.contains("feed")
    });
}

/// What was revoked while the agent could not hear it is told when it comes back.
#[test]
fn what_happened_while_the_issuer_was_down_reaches_the_agent_when_it_is_back() {
    let company = Company::signed_in();
    assert!(company.world.token().is_some());
    company.until_fed();
    company.end("-9");
    company.issuer(&["revoke", "ada"]).expect(0);
    company.up();
    until_true("the end", || {
        company.world.status()["standing"] == "revoked"
    });
    assert_eq!(company.world.token(), None);
    company.verify();
}

#[test]
fn sweep_killed_in_mid_exchange_every_token_that_a_client_got_is_on_record() {
    let company = Company::signed_in();
    company.until_fed();
    let subject = company.id_token("ada", &json!({}));
    let ask = company.exchange_ask(&subject, "acme/model", "role:model-reader read");
    ask.send().expect(200);
    let mut got = BTreeSet::new();
    for call in ["fdatasync,fsync", "pwrite64", "?sendto,write,writev"] {
        for nth in [1, 2, 5, 12] {
            let trap = Trap::set(company.pid(), call, nth);
            let tokens = storm(&ask, 4);
            assert_eq!(company.gone(), 128 + 9);
            drop(trap);
            company.up();
            // The agent, of which nobody asked anything meanwhile, is back by itself.
            company.until_fed();
            assert_eq!(company.world.status()["standing"], "active");
            let known = on_record(&company);
            for token in &tokens {
                assert!(
                    known.contains(&sha256(token.as_bytes())),
                    "{call} {nth}: not on record"
                );
            }
            got.extend(tokens);
            company.verify();
        }
    }
    assert!(got.len() > 20, "only {} tokens were answered", got.len());
    // A token of a dead issuer is honoured by the one that came after.
    let client = company.hub_introspects();
    let client = (client.0.as_str(), client.1.as_str());
    for token in got.iter().take(5) {
        assert_eq!(company.introspect(client, token).json()["active"], true);
    }
}

#[test]
fn an_agent_whose_exchange_died_with_the_issuer_recovers_by_itself() {
    let company = Company::signed_in();
    let world = &company.world;
    for repository in ["acme/model", CORPUS] {
        company.until_fed();
        let write = ["token", "--hub", "hub", "--repo", repository, "--write"];
        let trap = Trap::set(company.pid(), "fdatasync,fsync", 1);
        let cut = world.oam(&write);
        assert_eq!(company.gone(), 128 + 9);
        drop(trap);
        // The commit never came about, so there is no token; and the person is told what to do.
        assert_ne!(cut.code, 0, "{}", cut.stdout);
        assert!(cut.stderr.contains("next: "), "{}", cut.stderr);
        company.up();
        company.until_fed();
        until_true("a token to write", || world.oam(&write).code == 0);
        let token = world.oam(&write).expect(0).stdout;
        assert!(on_record(&company).contains(&sha256(token.trim().as_bytes())));
        assert_eq!(world.status()["standing"], "active");
        company.verify();
    }
    world.oam(&["log", "--verify"]).expect(0);
}

#[test]
fn a_full_database_grants_nothing_lets_refusals_leave_and_recovers_as_root() {
    let place = tempfile::tempdir().unwrap();
    let small = Small::mount(&place.path().join("db"), "4m");
    let company = Plan::default().database_in(small.path()).start();
    company.login("ada");
    company.world.set_up_git();
    assert!(company.world.token().is_some());
    let ada = company.id_token("ada", &json!({}));
    let before = on_record(&company);
    small.fill();

    // The last page may have room for a few entries; from the first refusal on nothing is granted.
    let ask = company.exchange_ask(&ada, "acme/model", "role:model-publisher write");
    let mut granted = BTreeSet::new();
    let refused = until("a refusal", LONG, || {
        let answer = ask.send();
        match answer.json()["access_token"].as_str() {
            Some(token) => {
                granted.insert(sha256(token.as_bytes()));
                None
            }
            None => Some(answer),
        }
    });
    let refused = refused.expect(503).json();
    assert_eq!(refused["error"], "temporarily_unavailable", "{refused}");
    assert!(
        refused["oam"]["next"]
            .as_str()
            .is_some_and(|n| !n.is_empty()),
        "{refused}"
    );
    // The entry of a refusal may still fit and make it ready for a moment, and so may a token with its own.
    until_true("unreadiness", || {
        let answer = ask.send();
        if let Some(token) = answer.json()["access_token"].as_str() {
            granted.insert(sha256(token.as_bytes()));
        }
        company.ready().0 == 503
    });
    // A refusal by policy leaves as itself, whether it can be recorded or not.
    let eve = company.id_token("eve", &json!({}));
    let denied = company.exchange(&eve, "acme/model", "read").json();
    assert_eq!(denied["error"], "invalid_target", "{denied}");
    let write = ["token", "--hub", "hub", "--repo", CORPUS, "--write"];
    assert_ne!(company.world.oam(&write).code, 0);
    assert_eq!(
        company.world.status()["standing"],
        "active",
        "no session is lost by it"
    );

    small.make_room();
    until_true("the issuer to recover", || ask.send().status == 200);
    until_true("the agent to recover", || {
        company.world.oam(&write).code == 0
    });
    let known = on_record(&company);
    assert!(
        granted
            .iter()
            .chain(&before)
            .all(|hash| known.contains(hash))
    );
    company.verify();
    until_true("readiness", || company.ready().0 == 200);
    drop(company);
    drop(small);
}

#[test]
fn a_database_file_that_is_gone_grants_nothing_and_a_new_one_serves_agents_again() {
    let company = Company::signed_in();
    assert!(company.world.token().is_some());
    company.until_fed();
    let ada = company.id_token("ada", &json!({}));
    let ask = company.exchange_ask(&ada, "acme/model", "role:model-publisher write");
    ask.send().expect(200);
    for name in ["issuer.db", "issuer.db-wal", "issuer.db-shm"] {
        let _ = std::fs::remove_file(company.folder.join(name));
    }
    // Whatever it answers from here on, a token that it gives is in the file that an administrator finds.
    let mut granted = Vec::new();
    let refused = until("it to notice", LONG, || {
        let answer = ask.send();
        let token = answer.json()["access_token"].as_str().map(str::to_owned);
        let refused = token.is_none();
        granted.extend(token);
        refused.then_some(answer)
    });
    assert!(
        granted.is_empty(),
        "{} tokens without a record",
        granted.len()
    );
    assert_eq!(
        refused.expect(503).json()["error"],
        "temporarily_unavailable"
    );
    let (status, problems) = company.ready();
    assert_eq!(status, 503);
    assert!(problems.to_string().contains("database"), "{problems}");

    // Nor does a restart begin another one by itself: it would have forgotten every revocation.
    company.end("-TERM");
    company.spawn();
    assert_eq!(company.gone(), 1);
    assert!(company.log().contains("forgotten every revocation"));
    // The marker knows that there was one.
    let refused = company.issuer(&["init"]).expect(2);
    assert!(
        refused.stderr.contains("issuer.db-marker"),
        "{}",
        refused.stderr
    );
    std::fs::remove_file(company.folder.join("issuer.db-marker")).unwrap();
    company.issuer(&["init"]).expect(0);
    company.issuer(&["init"]).expect(2);
    company.up();
    let write = ["token", "--hub", "hub", "--repo", CORPUS, "--write"];
    until_true("the agent to recover", || {
        company.world.oam(&write).code == 0
    });
    let token = company.world.oam(&write).expect(0).stdout;
    assert!(on_record(&company).contains(&sha256(token.trim().as_bytes())));
    assert_eq!(
        company.at_the_hub(token.trim(), CORPUS, "receive-pack"),
        200
    );
    company.verify();
}
