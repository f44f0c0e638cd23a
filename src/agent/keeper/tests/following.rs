//! Children of `oam exec`.

use super::*;

async fn with_child() -> (Desk, mpsc::Receiver<News>) {
    let mut desk = Desk::signed_in(&settings()).await;
    let mut heard = desk.follow();
    desk.mint("token").await;
    assert!(matches!(heard.try_recv(), Ok(News::Following(..))));
    assert_eq!(desk.fake.files.borrow().len(), 1);
    (desk, heard)
}

#[test]
fn a_file_withdrawn_by_the_lease_comes_back_with_a_proof() {
    story(async {
        let (mut desk, mut heard) = with_child().await;
        desk.fake.pass(601_000);
        desk.keeper.tick();
        assert!(is_withdrawn(&mut heard, false));
        assert!(desk.fake.files.borrow().is_empty());
        desk.answer(Ok(arrived("rt2", identity()))).await;
        assert!(matches!(heard.try_recv(), Ok(News::Renewed { .. })));
        assert_eq!(desk.fake.files.borrow().len(), 1);
    });
}

#[test]
fn a_child_that_is_killed_leaves_no_file() {
    story(async {
        let (mut desk, heard) = with_child().await;
        drop(heard);
        desk.settle().await;
        assert!(desk.fake.files.borrow().is_empty());
        assert!(desk.keeper.following.is_empty());
        assert!(desk.keeper.offices[&acme()].desk.is_idle());
    });
}

#[test]
fn a_session_that_ends_while_a_child_starts_leaves_no_file() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        let mut heard = desk.follow();
        desk.settle().await;
        desk.keeper
            .step(&acme(), Event::Over(StandingWord::Revoked, None));
        desk.mint("late").await;
        assert!(is_withdrawn(&mut heard, true));
        assert!(desk.fake.files.borrow().is_empty());
    });
}

#[test]
fn an_agent_that_was_killed_leaves_files_that_the_next_one_sweeps_first() {
    story(async {
        let (desk, _heard) = with_child().await;
        let fake = Rc::clone(&desk.fake);
        std::mem::forget(desk);
        assert_eq!(fake.files.borrow().len(), 1);
        let _next = Desk::starting(&fake, &settings());
        assert!(fake.files.borrow().is_empty());
    });
}

/// Other traffic restarts the sleep every time; the children must be looked after all the same.
#[test]
fn other_traffic_does_not_keep_a_child_waiting() {
    story(async {
        let (mut desk, _heard) = with_child().await;
        desk.keeper.tick();
        desk.fake.pass(14_000);
        assert!(desk.keeper.next_wake().unwrap() <= 1_000);
        desk.fake.pass(1_000);
        assert_eq!(desk.keeper.next_wake(), Some(0));
        desk.keeper.tick();
        assert!(desk.keeper.next_wake().unwrap() > 1_000);
    });
}

#[test]
fn somebody_else_signing_in_takes_over_no_child_and_no_ask() {
    story(async {
        let (mut desk, mut heard) = with_child().await;
        desk.fake.pass(61_000);
        let mut outcome = desk.get();
        let mut brian = identity();
        brian.subject = "brian".into();
        desk.sign_in("rt9", brian).await;
        assert!(is_withdrawn(&mut heard, true));
        assert!(desk.fake.files.borrow().is_empty());
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Ended);
        assert!(desk.fake.mints.borrow().is_empty());
    });
}
