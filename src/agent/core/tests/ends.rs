//! Promise 1: nothing leaves after the end.

use super::*;

#[test]
fn an_end_is_carried_out_in_the_order_of_promise_1() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut heard = agent.follow();
        agent.mint("token").await;
        let Ok(Reply::Following(started)) = heard.try_recv() else {
            panic!("no file");
        };
        agent.fake.pass(61_000);
        let mut outcome = agent.get();
        agent.settle().await;
        agent.fake.trace.borrow_mut().clear();
        agent.answer(Err(refused())).await;
        let steps = [
            "persist_tombstone",
            "save",
            "discard-aside",
            "record End",
            "withdraw",
            "record Withdrawal",
            "record Refusal",
            "revoke-token https://tokens.acme.example token",
        ];
        let trace = agent.fake.trace.borrow();
        let mut from = 0;
        for step in steps {
            let at = trace[from..].iter().position(|t| t.starts_with(step));
            from += at.unwrap_or_else(|| panic!("{step} is not in its place: {trace:?}"));
        }
        // It is shown once the screen's state is known.
        assert_eq!(agent.fake.traced("notice"), 1);
        assert!(agent.fake.files.borrow().is_empty());
        let (gate, epoch) = heard.gate.unwrap();
        assert!(!gate.lets(epoch) && epoch == started.granted.epoch);
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Ended);
        assert!(agent.fake.on_disk().unwrap().sessions.is_empty());
    });
}

#[test]
fn answers_that_come_after_the_end_bring_nothing_and_are_revoked() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut minting = agent.get();
        agent.settle().await;
        agent.fake.pass(61_000);
        let mut proving = agent.get();
        agent.settle().await;
        let _signed_out = agent.logout();
        agent.mint("late").await;
        agent.answer(Ok(arrived("rt2", identity()))).await;
        for outcome in [&mut minting, &mut proving] {
            assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::SignedOut);
        }
        let trace = agent.fake.trace.borrow().join("\n");
        assert!(trace.contains("revoke-token https://tokens.acme.example late"));
        assert!(trace.contains("revoke-session https://idp.acme.example rt1"));
        assert!(trace.contains("revoke-session https://idp.acme.example rt2"));
        assert!(agent.fake.on_disk().unwrap().sessions.is_empty());
    });
}

#[test]
fn killed_after_the_tombstone_a_restart_finds_the_end_first() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.breaks("save");
        agent
            .core
            .step(&acme(), IssuerEvent::Over(StandingWord::Revoked, None));
        let fake = Rc::clone(&agent.fake);
        assert!(fake.refresh_on_disk().is_some(), "the sealed state is old");
        drop(agent);
        fake.mend();
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let mut outcome = agent.get();
        agent.settle().await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Revoked);
        assert_eq!(fake.refresh_on_disk(), None);
    });
}

#[test]
fn a_session_that_was_over_before_the_restart_costs_no_other_one() {
    story(async {
        let mut two = settings();
        let mut other = two.orgs[0].clone();
        other.name = "other".parse().unwrap();
        two.orgs.push(other);
        let mut agent = TestAgent::signed_in(&two).await;
        let _heard = agent.login_to("other", StoreChoice::Keyring);
        agent.settle().await;
        let arrival = agent.fake.logins.borrow_mut().pop().unwrap();
        arrival.send(Ok(arrived("rt2", identity()))).ok().unwrap();
        agent.settle().await;
        agent.fake.breaks("save");
        agent
            .core
            .step(&acme(), IssuerEvent::Over(StandingWord::Revoked, None));
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        fake.mend();
        assert_eq!(fake.on_disk().unwrap().sessions.len(), 2);
        let _agent = TestAgent::start(&fake, &two).await;
        let sessions = fake.on_disk().unwrap().sessions;
        let names: Vec<&str> = sessions.keys().map(OrgName::as_str).collect();
        assert_eq!(names, ["other"], "its only copy");
    });
}

#[test]
fn an_end_that_can_not_be_written_deletes_the_sealed_state() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.breaks("save");
        agent.fake.breaks("persist_tombstone");
        agent
            .core
            .step(&acme(), IssuerEvent::Over(StandingWord::Revoked, None));
        assert_eq!(agent.fake.traced("discard"), 1);
        assert!(agent.fake.on_disk().is_none());
    });
}

/// A laptop that slept over the session's age: the end of the old session must not be taken for the
/// end of the one that replaces it.
#[test]
fn a_sign_in_when_the_old_session_is_too_old_holds() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(8 * 86_400_000);
        agent.sign_in("rt2", identity()).await;
        assert_eq!(agent.fake.refresh_on_disk().as_deref(), Some("rt2"));
        let mut outcome = agent.get();
        agent.mint("token").await;
        assert_eq!(token_of(outcome.try_recv().unwrap()), "token");
    });
}

#[test]
fn tokens_that_are_out_are_known_after_a_restart_and_after_the_end() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let _outcome = agent.get();
        agent.mint("token").await;
        agent.core.sync_log();
        let out = |agent: &TestAgent| agent.core.org_sessions[&acme()].outstanding.len();
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        let mut agent = TestAgent::start(&fake, &settings()).await;
        assert_eq!(out(&agent), 1);
        agent
            .core
            .step(&acme(), IssuerEvent::Over(StandingWord::Revoked, None));
        drop(agent);
        assert_eq!(out(&TestAgent::start(&fake, &settings()).await), 1);
    });
}

#[test]
fn an_answer_of_the_session_before_does_not_revoke_what_the_new_one_may_share() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let _outcome = agent.get();
        agent.settle().await;
        agent.sign_in("rt9", identity()).await;
        agent.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(agent.fake.refresh_on_disk().as_deref(), Some("rt9"));
        let trace = agent.fake.trace.borrow().join("\n");
        assert!(!trace.contains("revoke-session"), "{trace}");
    });
}

/// An older refresh token may lie in a file that could not be opened.
#[test]
fn a_sign_out_where_nobody_is_signed_in_discards_what_was_moved_aside() {
    story(async {
        let fake = Fake::new();
        let mut agent = TestAgent::start(&fake, &settings()).await;
        let mut outcome = agent.logout();
        agent.settle().await;
        let Ok(Reply::SignedOut { was_signed_in, .. }) = outcome.try_recv() else {
            panic!("not signed out");
        };
        assert!(!was_signed_in);
        assert_eq!(fake.traced("discard-aside"), 1);
    });
}

#[test]
fn what_was_moved_aside_and_can_not_be_deleted_at_an_end_is_said() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.breaks("discard-aside");
        let _signed_out = agent.logout();
        assert!(agent.core.durable.trouble.is_some());
    });
}
