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
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.pass(61_000);
        let mut outcome = desk.get();
        desk.settle().await;
        assert!(desk.fake.place_of("save") < desk.fake.place_of("refresh"));
        let mark = |fake: &Fake| fake.on_disk().unwrap().sessions[&acme()].in_flight;
        assert_eq!(mark(&desk.fake), Some(1));
        desk.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(mark(&desk.fake), None);
        assert_eq!(desk.fake.refresh_on_disk().as_deref(), Some("rt2"));
        desk.mint("token").await;
        assert_eq!(token_of(outcome.try_recv().unwrap()), "token");
    });
}

#[test]
fn without_a_durable_mark_no_refresh_is_sent_and_no_mark_stays() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.pass(700_000);
        desk.fake.breaks("save");
        let mut outcome = desk.get();
        desk.settle().await;
        assert_eq!(desk.fake.traced("refresh"), 0);
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Unproven);
        desk.fake.mend();
        desk.keeper.save_quietly();
        let sealed = desk.fake.on_disk().unwrap();
        assert_eq!(sealed.sessions[&acme()].in_flight, None);
    });
}

/// The ID token is too old to be exchanged and the disk is full: to try the refresh again at once
/// would never end.
#[test]
fn within_the_lease_an_old_subject_token_and_a_full_disk_are_one_refusal() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        let mut old = identity();
        old.id_token_expires = Some(START.unix() + 30);
        desk.sign_in("rt1", old).await;
        desk.fake.pass(61_000);
        desk.fake.breaks("save");
        let mut outcome = desk.get();
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Unproven);
        assert_eq!(desk.fake.traced("refresh"), 0);
    });
}

#[test]
fn a_lost_answer_is_retried_once_with_the_old_token_and_then_the_session_ended() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.pass(61_000);
        let mut outcome = desk.get();
        desk.answer(Err(lost())).await;
        assert_eq!(desk.fake.refreshes.borrow()[0].token, "rt1");
        desk.answer(Err(refused())).await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Ended);
        assert_eq!(desk.fake.traced("refresh"), 2);
    });
}

/// The clock of this machine is wrong, or there are too many groups: the provider has rotated the
/// token all the same, and the old one would be taken for a stolen one.
#[test]
fn an_id_token_that_fails_a_check_does_not_cost_the_rotated_refresh_token() {
    story(async {
        for name in ["iat", "exp", "nbf", "groups", "at_hash", "kid", "signature"] {
            let mut desk = Desk::signed_in(&settings()).await;
            desk.fake.pass(700_000);
            let mut outcome = desk.get();
            let flawed = Arrived {
                flaw: Some(check(name)),
                ..arrived("rt2", identity())
            };
            desk.answer(Ok(flawed)).await;
            assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Unproven);
            assert_eq!(desk.fake.traced("refresh"), 1, "{name}: no retry");
            assert_eq!(desk.fake.refresh_on_disk().as_deref(), Some("rt2"));
            desk.fake.pass(31_000);
            let _outcome = desk.get();
            desk.settle().await;
            assert_eq!(desk.fake.refreshes.borrow()[0].token, "rt2");
        }
    });
}

#[test]
fn an_id_token_of_somebody_else_ends_the_session() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.pass(61_000);
        let mut outcome = desk.get();
        let flawed = Arrived {
            flaw: Some(check("sub")),
            ..arrived("rt2", identity())
        };
        desk.answer(Ok(flawed)).await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Ended);
        assert_eq!(desk.fake.refresh_on_disk(), None);
    });
}

#[test]
fn an_organization_taken_out_of_the_configuration_keeps_a_token_that_rotates_meanwhile() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.pass(61_000);
        let _outcome = desk.get();
        desk.settle().await;
        desk.configure(&Settings::default());
        desk.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(desk.fake.refresh_on_disk().as_deref(), Some("rt2"));
        desk.configure(&settings());
        desk.fake.pass(61_000);
        let _outcome = desk.get();
        desk.settle().await;
        assert_eq!(desk.fake.refreshes.borrow()[0].token, "rt2");
    });
}

#[test]
fn after_a_crash_with_a_mark_there_is_one_attempt_and_its_refusal_says_why() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.pass(61_000);
        let _outcome = desk.get();
        desk.settle().await;
        let fake = Rc::clone(&desk.fake);
        drop(desk);
        fake.trace.borrow_mut().clear();
        let mut desk = Desk::start(&fake, &settings()).await;
        let mut outcome = desk.get();
        desk.answer(Err(refused())).await;
        let Ok(CommandOutcome::Refused(refusal, _)) = outcome.try_recv() else {
            panic!("no refusal");
        };
        assert!(refusal.sentence.contains("was lost"), "{refusal:?}");
        assert_eq!(fake.traced("refresh"), 1);
    });
}

#[test]
fn an_agent_that_keeps_the_session_in_memory_only_is_not_replaced() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.store.set(SessionStore::Memory);
        let (reply, mut outcome) = oneshot::channel();
        desk.keeper.command(AgentCommand::Retire { reply });
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Busy);
        assert!(!desk.keeper.retired);
    });
}

fn warnings(desk: &mut Desk) -> String {
    let (reply, mut outcome) = oneshot::channel();
    let kind = ReportKind::Status;
    desk.keeper.command(AgentCommand::Report { kind, reply });
    match outcome.try_recv() {
        Ok(CommandOutcome::Status(report)) => report.warnings.join("\n"),
        _ => panic!("no status"),
    }
}

#[test]
fn a_renewed_token_that_can_not_be_stored_is_said_and_stored_as_soon_as_there_is_room() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.pass(61_000);
        let _outcome = desk.get();
        desk.settle().await;
        desk.fake.breaks("save");
        desk.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(desk.fake.refresh_on_disk().as_deref(), Some("rt1"));
        assert!(warnings(&mut desk).contains("is in memory only and is lost"));
        let (reply, mut outcome) = oneshot::channel();
        desk.keeper.command(AgentCommand::Retire { reply });
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Busy);
        desk.fake.pass(800);
        desk.keeper.tick();
        assert!(
            warnings(&mut desk).contains("is in memory only and is lost"),
            "still"
        );
        desk.fake.mend();
        // Nobody has to ask for anything: it is tried again by itself.
        assert!(desk.keeper.next_wake().unwrap() <= 800);
        desk.fake.pass(800);
        desk.keeper.tick();
        assert_eq!(desk.fake.refresh_on_disk().as_deref(), Some("rt2"));
        assert_eq!(warnings(&mut desk), "");
    });
}

#[test]
fn a_token_is_in_the_sealed_state_before_it_leaves_and_that_costs_one_save() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        let mut first = desk.get();
        desk.mint("token").await;
        assert_eq!(token_of(first.try_recv().unwrap()), "token");
        let sealed = desk.fake.on_disk().unwrap();
        let out = &sealed.sessions[&acme()].outstanding;
        assert_eq!(out[0].granted.token_sha256, "sha256 of token");
        let saves = desk.fake.traced("save");
        let mut second = desk.get();
        desk.settle().await;
        assert_eq!(token_of(second.try_recv().unwrap()), "token");
        assert_eq!(desk.fake.traced("save"), saves);
        // Killed and signed out after that: the end knows what is out.
        let fake = Rc::clone(&desk.fake);
        drop(desk);
        let mut desk = Desk::start(&fake, &settings()).await;
        let _signed_out = desk.logout();
        assert_eq!(fake.tombs.borrow()[&acme()].outstanding.len(), 1);
    });
}
