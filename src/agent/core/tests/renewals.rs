//! Promise 3: no session is lost through us.

use super::*;

fn check(name: &str) -> EndpointFault {
    EndpointFault::Check {
        name: name.into(),
        why: "it fails".into(),
    }
}

#[test]
fn a_rotated_token_is_durable_and_the_mark_came_before_the_refresh() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let mut outcome = agent.get();
        agent.settle().await;
        assert!(agent.fake.place_of("save") < agent.fake.place_of("refresh"));
        let mark = |fake: &Fake| fake.on_disk().unwrap().sessions[&acme()].in_flight;
        assert_eq!(mark(&agent.fake), Some(1));
        agent.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(mark(&agent.fake), None);
        assert_eq!(agent.fake.refresh_on_disk().as_deref(), Some("rt2"));
        agent.mint("token").await;
        assert_eq!(token_of(outcome.try_recv().unwrap()), "token");
    });
}

#[test]
fn without_a_durable_mark_no_refresh_is_sent_and_no_mark_stays() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(700_000);
        agent.fake.breaks("save");
        let mut outcome = agent.get();
        agent.settle().await;
        assert_eq!(agent.fake.traced("refresh"), 0);
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Unproven);
        agent.fake.mend();
        agent.core.save_quietly();
        let sealed = agent.fake.on_disk().unwrap();
        assert_eq!(sealed.sessions[&acme()].in_flight, None);
    });
}

/// The ID token is too old to be exchanged and the disk is full: to try the refresh again at once
/// would never end.
#[test]
fn within_the_lease_an_old_subject_token_and_a_full_disk_are_one_refusal() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut old = identity();
        old.id_token_expires = Some(START.unix() + 30);
        agent.sign_in("rt1", old).await;
        agent.fake.pass(61_000);
        agent.fake.breaks("save");
        let mut outcome = agent.get();
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Unproven);
        assert_eq!(agent.fake.traced("refresh"), 0);
    });
}

#[test]
fn a_lost_answer_is_retried_once_with_the_old_token_and_then_the_session_ended() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let mut outcome = agent.get();
        agent.answer(Err(lost())).await;
        assert_eq!(agent.fake.refreshes.borrow()[0].token, "rt1");
        agent.answer(Err(refused())).await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Ended);
        assert_eq!(agent.fake.traced("refresh"), 2);
    });
}

/// The clock of this machine is wrong, or there are too many groups: the provider has rotated the
/// token all the same, and the old one would be taken for a stolen one.
#[test]
fn an_id_token_that_fails_a_check_does_not_cost_the_rotated_refresh_token() {
    story(async {
        for name in ["iat", "exp", "nbf", "groups", "at_hash", "kid", "signature"] {
            let mut agent = TestAgent::signed_in(&settings()).await;
            agent.fake.pass(700_000);
            let mut outcome = agent.get();
            let flawed = Arrived {
                flaw: Some(check(name)),
                ..arrived("rt2", identity())
            };
            agent.answer(Ok(flawed)).await;
            assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Unproven);
            assert_eq!(agent.fake.traced("refresh"), 1, "{name}: no retry");
            assert_eq!(agent.fake.refresh_on_disk().as_deref(), Some("rt2"));
            agent.fake.pass(31_000);
            let _outcome = agent.get();
            agent.settle().await;
            assert_eq!(agent.fake.refreshes.borrow()[0].token, "rt2");
        }
    });
}

#[test]
fn an_id_token_of_somebody_else_ends_the_session() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let mut outcome = agent.get();
        let flawed = Arrived {
            flaw: Some(check("sub")),
            ..arrived("rt2", identity())
        };
        agent.answer(Ok(flawed)).await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Ended);
        assert_eq!(agent.fake.refresh_on_disk(), None);
    });
}

#[test]
fn an_organization_taken_out_of_the_configuration_keeps_a_token_that_rotates_meanwhile() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let _outcome = agent.get();
        agent.settle().await;
        agent.configure(&Settings::default());
        agent.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(agent.fake.refresh_on_disk().as_deref(), Some("rt2"));
        agent.configure(&settings());
        agent.fake.pass(61_000);
        let _outcome = agent.get();
        agent.settle().await;
        assert_eq!(agent.fake.refreshes.borrow()[0].token, "rt2");
    });
}

#[test]
fn after_a_crash_with_a_mark_there_is_one_attempt_and_its_refusal_says_why() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let _outcome = agent.get();
        agent.settle().await;
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        fake.trace.borrow_mut().clear();
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let mut outcome = agent.get();
        agent.answer(Err(refused())).await;
        let Ok(Reply::Refused { refusal, .. }) = outcome.try_recv() else {
            panic!("no refusal");
        };
        assert!(refusal.sentence.contains("was lost"), "{refusal:?}");
        assert_eq!(fake.traced("refresh"), 1);
    });
}

#[test]
fn an_agent_that_keeps_the_session_in_memory_only_is_not_replaced() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.store.set(StoreChoice::Memory);
        let mut outcome = agent.asks(Request::Retire);
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Busy);
        assert!(!agent.core.retired);
    });
}

fn warnings(agent: &mut TestAgent) -> String {
    match agent.asks(Request::Status { proof: false }).try_recv() {
        Ok(Reply::Status(report)) => report.warnings.join("\n"),
        _ => panic!("no status"),
    }
}

#[test]
fn a_renewed_token_that_can_not_be_stored_is_said_and_stored_as_soon_as_there_is_room() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let _outcome = agent.get();
        agent.settle().await;
        agent.fake.breaks("save");
        agent.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(agent.fake.refresh_on_disk().as_deref(), Some("rt1"));
        assert!(warnings(&mut agent).contains("is in memory only and is lost"));
        let mut outcome = agent.asks(Request::Retire);
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Busy);
        agent.fake.pass(800);
        agent.core.tick();
        assert!(
            warnings(&mut agent).contains("is in memory only and is lost"),
            "still"
        );
        agent.fake.mend();
        // Nobody has to ask for anything: it is tried again by itself.
        assert!(agent.core.next_wake().unwrap() <= 800);
        agent.fake.pass(800);
        agent.core.tick();
        assert_eq!(agent.fake.refresh_on_disk().as_deref(), Some("rt2"));
        assert_eq!(warnings(&mut agent), "");
    });
}

#[test]
fn a_token_is_in_the_sealed_state_before_it_leaves_and_that_costs_one_save() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut first = agent.get();
        agent.mint("token").await;
        assert_eq!(token_of(first.try_recv().unwrap()), "token");
        let sealed = agent.fake.on_disk().unwrap();
        let out = &sealed.sessions[&acme()].outstanding;
        assert_eq!(out[0].granted.token_sha256, "sha256 of token");
        let saves = agent.fake.traced("save");
        let mut second = agent.get();
        agent.settle().await;
        assert_eq!(token_of(second.try_recv().unwrap()), "token");
        assert_eq!(agent.fake.traced("save"), saves);
        // Killed and signed out after that: the end knows what is out.
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let _signed_out = agent.logout();
        assert_eq!(fake.tombstones.borrow()[&acme()].outstanding.len(), 1);
    });
}
