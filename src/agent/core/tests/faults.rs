//! Promise 4, and what happens when the disk or the keyring does not do its part.

use super::*;

fn with_other() -> Settings {
    let mut two = settings();
    let mut other = two.orgs[0].clone();
    other.name = "other".parse().unwrap();
    two.orgs.push(other);
    two
}

#[test]
fn a_grant_that_can_not_be_recorded_is_refused_and_a_refusal_leaves() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut outcome = agent.get();
        agent.fake.breaks("append");
        agent.mint("token").await;
        let code = code_of(outcome.try_recv().unwrap());
        assert_eq!(code, RefusalCode::Unavailable);
        agent
            .core
            .step(&acme(), IssuerEvent::Over(StandingWord::Revoked, None));
        let mut outcome = agent.get();
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Revoked);
    });
}

#[test]
fn a_log_that_can_not_be_made_durable_grants_nothing_until_it_can() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let _outcome = agent.get();
        agent.settle().await;
        agent.fake.breaks("sync");
        agent.mint("token").await;
        agent.core.sync_log();
        assert!(agent.core.durable.sync_at.is_some(), "it is tried again");
        let code = code_of(agent.get().try_recv().unwrap());
        assert_eq!(code, RefusalCode::Unavailable);
        agent.fake.mend();
        assert_eq!(token_of(agent.get().try_recv().unwrap()), "token");
    });
}

#[test]
fn the_anchor_never_runs_ahead_of_what_is_durable() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.core.sync_log();
        let anchored = |fake: &Fake| fake.on_disk().unwrap().anchor.unwrap().seq;
        let before = anchored(&agent.fake);
        agent.fake.breaks("sync");
        let _outcome = agent.get();
        agent.mint("token").await;
        agent.core.save_quietly();
        assert_eq!(anchored(&agent.fake), before);
    });
}

#[test]
fn a_log_that_was_cut_raises_an_alarm_and_goes_on_after_its_anchor() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.core.sync_log();
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        let anchor = fake.on_disk().unwrap().anchor.unwrap().seq;
        fake.lines.borrow_mut().clear();
        let agent = TestAgent::start(&fake, &settings()).await;
        assert_eq!(fake.traced("record Alarm"), 1);
        assert_eq!(
            agent.core.durable.audit_chain.head().unwrap().seq,
            anchor + 2
        );
    });
}

#[test]
fn a_token_file_that_can_not_be_written_is_a_refusal_and_leaves_nothing_behind() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.breaks("put");
        let mut heard = agent.follow();
        agent.mint("token").await;
        assert!(is_withdrawn(&mut heard, true));
        assert!(agent.core.followers.is_empty());
        assert!(agent.fake.files.borrow().is_empty());
    });
}

#[test]
fn tombstones_that_can_not_be_read_refuse_everything_and_cost_no_session() {
    story(async {
        let agent = TestAgent::signed_in(&settings()).await;
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        fake.breaks("tombstones");
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let mut outcome = agent.get();
        agent.settle().await;
        let code = code_of(outcome.try_recv().unwrap());
        assert_eq!(code, RefusalCode::Unavailable);
        assert_eq!(fake.refresh_on_disk().as_deref(), Some("rt1"));
        fake.mend();
        let mut outcome = agent.get();
        agent.answer(Ok(arrived("rt2", identity()))).await;
        agent.mint("token").await;
        assert_eq!(token_of(outcome.try_recv().unwrap()), "token");
    });
}

/// The keyring was locked at the start; it opens while somebody signs in to another organization.
#[test]
fn a_sign_in_waits_for_the_sealed_state_that_is_being_read() {
    story(async {
        let agent = TestAgent::signed_in(&settings()).await;
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        fake.breaks("open");
        let mut agent = TestAgent::start(&fake, &with_other()).await;
        let mut heard = agent.login_to("other", StoreChoice::Keyring);
        agent.settle().await;
        fake.mend();
        fake.slow_open.set(true);
        let mut parked = agent.logout_of("acme");
        agent.settle().await;
        let arrival = fake.logins.borrow_mut().pop().unwrap();
        let arrived = arrived("rt-other", identity());
        arrival.send(Ok(arrived)).ok().unwrap();
        agent.settle().await;
        assert_eq!(fake.refresh_on_disk().as_deref(), Some("rt1"), "not lost");
        for open in fake.opens.borrow_mut().drain(..) {
            open.send(()).unwrap();
        }
        agent.settle().await;
        // What was parked is carried out, on the session that was read.
        let signed_out = matches!(
            parked.try_recv(),
            Ok(Reply::SignedOut {
                was_signed_in: true,
                ..
            })
        );
        assert!(signed_out);
        assert!(matches!(heard.try_recv(), Ok(Reply::Challenge { .. })));
        assert!(matches!(heard.try_recv(), Ok(Reply::SignedIn { .. })));
        assert_eq!(fake.refresh_on_disk().as_deref(), Some("rt-other"));
    });
}

/// What one prepares the other would adopt: a session meant for memory only would lie on disk.
#[test]
fn a_sign_in_with_another_store_does_not_begin_while_one_is_under_way() {
    story(async {
        let mut agent = TestAgent::start(&Fake::new(), &with_other()).await;
        let mut clients = Vec::new();
        for (org, store, refused) in [
            ("acme", StoreChoice::Keyring, false),
            ("other", StoreChoice::Memory, true),
            ("other", StoreChoice::Keyring, false),
            ("acme", StoreChoice::Memory, true),
        ] {
            let mut heard = agent.login_to(org, store);
            agent.settle().await;
            let said = matches!(heard.try_recv(), Ok(Reply::Refused { .. }));
            assert_eq!(said, refused, "{org} {store:?}");
            clients.push(heard);
        }
    });
}

#[test]
fn the_provider_of_an_organization_that_is_not_configured_is_not_asked() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let kind = Request::Provider {
            org: "nobody".parse().unwrap(),
        };
        assert_eq!(code_of(agent.reported(kind)), RefusalCode::BadRequest);
    });
}

#[test]
fn a_status_with_many_tokens_fits_a_message() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        for n in 0..300 {
            let _outcome = agent.get_of(&format!("acme/model{n}"));
            agent.mint(&format!("token {n}")).await;
        }
        let Reply::Status(report) = agent.reported(Request::Status { proof: false }) else {
            panic!("no status");
        };
        assert!(serde_json::to_vec(&report).unwrap().len() < 48 * 1024);
        let org = &report.orgs[0];
        assert_eq!(org.tokens.len() + org.more_tokens, 300);
    });
}

#[test]
fn parallel_asks_get_each_their_own_token() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut asks: Vec<_> = (0..20u8)
            .map(|n| (n, agent.get_of(&format!("acme/model{}", n % 5))))
            .collect();
        agent.settle().await;
        assert_eq!(agent.fake.mints.borrow().len(), 5, "one exchange for each");
        // Answered in another order than asked.
        let mints: Vec<_> = agent.fake.mints.borrow_mut().drain(..).rev().collect();
        for mint in mints {
            let token = format!("token of {}", mint.repository);
            mint.answer.send(Ok(minted(&token))).ok().unwrap();
        }
        agent.settle().await;
        for (n, outcome) in &mut asks {
            let expected = format!("token of acme/model{}", *n % 5);
            assert_eq!(token_of(outcome.try_recv().unwrap()), expected);
        }
    });
}

#[test]
fn no_secret_stands_in_a_record_or_report() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let _heard = agent.follow();
        agent.mint("s3cret-role").await;
        let _done = agent.asks(Request::Erase {
            ask: ask(),
            token: Secret::new("s3cret-role".into()),
        });
        agent.fake.pass(61_000);
        let _outcome = agent.get();
        agent
            .answer(Ok(arrived("s3cret-refresh", identity())))
            .await;
        let reports = [
            Request::Status { proof: false },
            Request::Roles,
            Request::Why { ask: ask() },
            Request::Anchor,
        ];
        let mut said = agent.fake.lines.borrow().join("\n");
        for kind in reports {
            said += &match agent.reported(kind) {
                Reply::Status(report) => serde_json::to_string(&report),
                Reply::Roles(report) => serde_json::to_string(&report),
                Reply::Why(report) => serde_json::to_string(&report),
                Reply::Anchor(report) => serde_json::to_string(&report),
                _ => panic!("no report"),
            }
            .unwrap();
        }
        let _outcome = agent.logout();
        said += &agent.fake.lines.borrow().join("\n");
        said += &serde_json::to_string(&*agent.fake.tombstones.borrow()).unwrap();
        // The hash of this exchange names its token.
        let said = said.replace("sha256 of s3cret-role", "");
        assert!(said.contains("erase") && said.contains("logout"));
        assert!(!said.contains("s3cret"), "{said}");
        assert!(!said.contains("rt1"), "{said}");
    });
}
