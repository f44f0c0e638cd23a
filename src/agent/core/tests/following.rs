//! Children of `oam exec`.

use super::*;

impl ChildTokenFiles for Fake {
    fn put(&self, name: &str, token: &Secret) -> Result<String, String> {
        self.call("put")?;
        let mut files = self.files.borrow_mut();
        files.insert(name.to_owned(), token.expose().to_owned());
        Ok(format!("exec/{name}/token"))
    }

    fn withdraw(&self, name: &str) -> Result<(), String> {
        self.call("withdraw")?;
        self.files.borrow_mut().remove(name);
        Ok(())
    }

    fn sweep(&self) -> Result<(), String> {
        self.call("sweep")?;
        self.files.borrow_mut().clear();
        Ok(())
    }

    fn in_memory(&self) -> bool {
        true
    }
}

async fn with_child() -> (TestAgent, Heard) {
    let mut agent = TestAgent::signed_in(&settings()).await;
    let mut heard = agent.follow();
    agent.mint("token").await;
    assert!(matches!(heard.try_recv(), Ok(Reply::Following(..))));
    assert_eq!(agent.fake.files.borrow().len(), 1);
    (agent, heard)
}

#[test]
fn a_file_withdrawn_by_the_lease_comes_back_with_a_proof() {
    story(async {
        let (mut agent, mut heard) = with_child().await;
        agent.fake.pass(601_000);
        agent.core.tick();
        assert!(is_withdrawn(&mut heard, false));
        assert!(agent.fake.files.borrow().is_empty());
        agent.answer(Ok(arrived("rt2", identity()))).await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Renewed { .. })));
        assert_eq!(agent.fake.files.borrow().len(), 1);
    });
}

#[test]
fn a_child_that_is_killed_leaves_no_file() {
    story(async {
        let (mut agent, heard) = with_child().await;
        drop(heard);
        agent.settle().await;
        assert!(agent.fake.files.borrow().is_empty());
        assert!(agent.core.followers.is_empty());
        assert!(agent.core.org_sessions[&acme()].machine.is_idle());
    });
}

#[test]
fn a_session_that_ends_while_a_child_starts_leaves_no_file() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut heard = agent.follow();
        agent.settle().await;
        agent
            .core
            .step(&acme(), IssuerEvent::Over(StandingWord::Revoked, None));
        agent.mint("late").await;
        assert!(is_withdrawn(&mut heard, true));
        assert!(agent.fake.files.borrow().is_empty());
    });
}

#[test]
fn an_agent_that_was_killed_leaves_files_that_the_next_one_sweeps_first() {
    story(async {
        let (agent, _heard) = with_child().await;
        let fake = Rc::clone(&agent.fake);
        std::mem::forget(agent);
        assert_eq!(fake.files.borrow().len(), 1);
        let _next = TestAgent::starting(&fake, &settings());
        assert!(fake.files.borrow().is_empty());
    });
}

/// Other traffic restarts the sleep every time; the children must be looked after all the same.
#[test]
fn other_traffic_does_not_keep_a_child_waiting() {
    story(async {
        let (mut agent, _heard) = with_child().await;
        agent.core.tick();
        agent.fake.pass(14_000);
        assert!(agent.core.next_wake().unwrap() <= 1_000);
        agent.fake.pass(1_000);
        assert_eq!(agent.core.next_wake(), Some(0));
        agent.core.tick();
        assert!(agent.core.next_wake().unwrap() > 1_000);
    });
}

#[test]
fn somebody_else_signing_in_takes_over_no_child_and_no_ask() {
    story(async {
        let (mut agent, mut heard) = with_child().await;
        agent.fake.pass(61_000);
        let mut outcome = agent.get();
        let mut brian = identity();
        brian.subject = "brian".into();
        agent.sign_in("rt9", brian).await;
        assert!(is_withdrawn(&mut heard, true));
        assert!(agent.fake.files.borrow().is_empty());
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Ended);
        assert!(agent.fake.mints.borrow().is_empty());
    });
}
