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
            let mut desk = Desk::signed_in(&settings()).await;
            let mut first = desk.get();
            desk.mint("token").await;
            assert_eq!(token_of(first.try_recv().unwrap()), "token");
            let epoch = desk.keeper.offices[&acme()].desk.epoch();
            *desk.fake.meanwhile.borrow_mut() = Some(tombstone(epoch, word));
            let mut outcome = desk.get();
            desk.settle().await;
            assert_eq!(code_of(outcome.try_recv().unwrap()), code);
            assert_eq!(desk.fake.refresh_on_disk(), None);
            assert!(desk.fake.tombs.borrow()[&acme()].epoch >= epoch);
            let trace = desk.fake.trace.borrow().join("\n");
            assert!(trace.contains("revoke-session https://idp.acme.example rt1"));
        });
    }
}

#[test]
fn a_refresh_that_was_under_way_does_not_bring_a_buried_session_back() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.pass(61_000);
        let mut outcome = desk.get();
        desk.settle().await;
        let epoch = desk.keeper.offices[&acme()].desk.epoch();
        *desk.fake.meanwhile.borrow_mut() = Some(tombstone(epoch, StandingWord::SignedOut));
        desk.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::SignedOut);
        assert_eq!(desk.fake.refresh_on_disk(), None);
    });
}

#[test]
fn an_older_tombstone_is_no_end_of_a_younger_session() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        let epoch = desk.keeper.offices[&acme()].desk.epoch();
        *desk.fake.meanwhile.borrow_mut() = Some(tombstone(epoch - 1, StandingWord::Ended));
        let mut outcome = desk.get();
        desk.mint("token").await;
        assert_eq!(token_of(outcome.try_recv().unwrap()), "token");
    });
}

#[test]
fn tombstones_that_can_not_be_read_stop_all_answers_until_they_can() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        *desk.fake.meanwhile.borrow_mut() = Some(Meanwhile::Unreadable("garbled".into()));
        let mut outcome = desk.get();
        desk.settle().await;
        let code = code_of(outcome.try_recv().unwrap());
        assert_eq!(code, RefusalCode::Unavailable);
        *desk.fake.meanwhile.borrow_mut() = Some(Meanwhile::Buried(BTreeMap::new()));
        let mut outcome = desk.get();
        desk.mint("token").await;
        assert_eq!(token_of(outcome.try_recv().unwrap()), "token");
    });
}

#[test]
fn an_agent_that_lost_its_state_answers_and_writes_nothing_more() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        let _heard = desk.follow();
        desk.mint("token").await;
        assert_eq!(desk.fake.files.borrow().len(), 1);
        *desk.fake.meanwhile.borrow_mut() = Some(Meanwhile::Lost("the lock is gone".into()));
        let before = desk.fake.lines.borrow().len();
        let mut outcome = desk.get();
        desk.settle().await;
        assert!(outcome.try_recv().is_err());
        assert!(desk.keeper.retired);
        desk.fake.trace.borrow_mut().clear();
        desk.keeper.close().await;
        let trace = desk.fake.trace.borrow();
        // The folder of files may be another agent's by now: only its own goes.
        assert_eq!(*trace, ["withdraw"]);
        assert!(desk.fake.files.borrow().is_empty());
        assert_eq!(desk.fake.lines.borrow().len(), before);
    });
}
