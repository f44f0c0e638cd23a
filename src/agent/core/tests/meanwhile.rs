//! What another program does to the state under a living agent.

use super::*;
use crate::ports::Meanwhile;

fn tombstone(epoch: u64, standing: StandingWord) -> Meanwhile {
    let tombstone = Tombstone {
        epoch,
        standing,
        detail: None,
        at_ms: 0,
        outstanding: Vec::new(),
    };
    Meanwhile::Buried(BTreeMap::from([(acme(), tombstone)]))
}

#[test]
fn an_end_that_another_program_wrote_holds_before_the_next_answer_and_the_next_save() {
    for (word, code) in [
        (StandingWord::SignedOut, RefusalCode::SignedOut),
        (StandingWord::Ended, RefusalCode::Ended),
        (StandingWord::Revoked, RefusalCode::Revoked),
    ] {
        story(async move {
            let mut agent = TestAgent::signed_in(&settings()).await;
            let mut first = agent.get();
            agent.mint("token").await;
            assert_eq!(token_of(first.try_recv().unwrap()), "token");
            let epoch = agent.core.org_sessions[&acme()].machine.epoch();
            *agent.fake.meanwhile.borrow_mut() = Some(tombstone(epoch, word));
            let mut outcome = agent.get();
            agent.settle().await;
            assert_eq!(code_of(outcome.try_recv().unwrap()), code);
            assert_eq!(agent.fake.refresh_on_disk(), None);
            assert!(agent.fake.tombstones.borrow()[&acme()].epoch >= epoch);
            let trace = agent.fake.trace.borrow().join("\n");
            assert!(trace.contains("revoke-session https://idp.acme.example rt1"));
        });
    }
}

#[test]
fn a_refresh_that_was_under_way_does_not_bring_a_buried_session_back() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let mut outcome = agent.get();
        agent.settle().await;
        let epoch = agent.core.org_sessions[&acme()].machine.epoch();
        *agent.fake.meanwhile.borrow_mut() = Some(tombstone(epoch, StandingWord::SignedOut));
        agent.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::SignedOut);
        assert_eq!(agent.fake.refresh_on_disk(), None);
    });
}

#[test]
fn an_older_tombstone_is_no_end_of_a_younger_session() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let epoch = agent.core.org_sessions[&acme()].machine.epoch();
        *agent.fake.meanwhile.borrow_mut() = Some(tombstone(epoch - 1, StandingWord::Ended));
        let mut outcome = agent.get();
        agent.mint("token").await;
        assert_eq!(token_of(outcome.try_recv().unwrap()), "token");
    });
}

#[test]
fn tombstones_that_can_not_be_read_stop_all_answers_until_they_can() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        *agent.fake.meanwhile.borrow_mut() = Some(Meanwhile::Unreadable("garbled".into()));
        let mut outcome = agent.get();
        agent.settle().await;
        let code = code_of(outcome.try_recv().unwrap());
        assert_eq!(code, RefusalCode::Unavailable);
        *agent.fake.meanwhile.borrow_mut() = Some(Meanwhile::Buried(BTreeMap::new()));
        let mut outcome = agent.get();
        agent.mint("token").await;
        assert_eq!(token_of(outcome.try_recv().unwrap()), "token");
    });
}

#[test]
fn an_agent_that_lost_its_state_answers_and_writes_nothing_more() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let _heard = agent.follow();
        agent.mint("token").await;
        assert_eq!(agent.fake.files.borrow().len(), 1);
        *agent.fake.meanwhile.borrow_mut() = Some(Meanwhile::Lost("the lock is gone".into()));
        let before = agent.fake.lines.borrow().len();
        let mut outcome = agent.get();
        agent.settle().await;
        assert!(outcome.try_recv().is_err());
        assert!(agent.core.retired);
        agent.fake.trace.borrow_mut().clear();
        agent.core.close().await;
        let trace = agent.fake.trace.borrow();
        // The folder of files may be another agent's by now: only its own goes.
        assert_eq!(*trace, ["withdraw"]);
        assert!(agent.fake.files.borrow().is_empty());
        assert_eq!(agent.fake.lines.borrow().len(), before);
    });
}
