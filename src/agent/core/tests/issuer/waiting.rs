//! Whoever waits for roles: at the opening, at a sign-in, and when the agent is asked to go.

use super::*;

/// Everything that the issuer may read.
fn wide() -> Vec<HeldRole> {
    let mut wide = held("reader", Action::Read);
    wide.grants[0].repositories = vec!["**".into()];
    vec![wide]
}

#[test]
fn an_ask_that_waited_for_the_sealed_state_waits_for_the_roles_too() {
    story(async {
        let agent = TestAgent::at_issuer().await;
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        fake.slow_open.set(true);
        fake.issuer.roles.borrow_mut().clear();
        let mut agent = TestAgent::starting(&fake, &with_issuer());
        let mut outcome = agent.get_of("other/model");
        agent.settle().await;
        for open in fake.opens.borrow_mut().drain(..) {
            open.send(()).unwrap();
        }
        agent.settle().await;
        assert!(outcome.try_recv().is_err(), "refused by old roles");
        agent.tell_roles(wide()).await;
        agent.beat(0).await;
        agent
            .answer(Ok(with_id("id2", "rt2", live_until(&fake, 3600))))
            .await;
        agent.mint_as(Ok(granted("t1"))).await;
        assert_eq!(token_of(outcome.await.unwrap()), "t1");
    });
}

#[test]
fn an_agent_that_is_asked_to_go_answers_those_who_wait_for_roles_first() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.wait(61_000).await;
        let outcome = agent.get_of("other/model");
        let retire = |agent: &mut TestAgent| agent.asks(Request::Retire).try_recv().unwrap();
        assert_eq!(code_of(retire(&mut agent)), RefusalCode::Busy);
        agent.tell_roles(vec![held("reader", Action::Read)]).await;
        assert_eq!(code_of(outcome.await.unwrap()), RefusalCode::Denied);
        assert!(matches!(retire(&mut agent), Reply::Done));
    });
}

/// What somebody hears who signs in while the issuer does with the roles as `answers` says.
async fn greeted(answers: impl AsyncFnOnce(&mut TestAgent)) -> (Vec<String>, Option<String>) {
    let fake = Fake::new();
    let mut agent = TestAgent::start(&fake, &with_issuer()).await;
    let mut heard = agent.login_to("acme", StoreChoice::Keyring);
    agent.settle().await;
    let arrival = fake.logins.borrow_mut().pop().unwrap();
    let arrived = with_id("id1", "rt1", live_until(&fake, 3600));
    arrival.send(Ok(arrived)).ok().unwrap();
    agent.settle().await;
    assert!(matches!(heard.try_recv(), Ok(Reply::Challenge { .. })));
    assert!(heard.try_recv().is_err(), "told before the roles are there");
    answers(&mut agent).await;
    match heard.try_recv() {
        Ok(Reply::SignedIn {
            roles,
            roles_unread: unread,
            ..
        }) => (roles, unread),
        _ => panic!("not signed in"),
    }
}

#[test]
fn a_sign_in_whose_roles_are_not_read_is_not_told_that_there_are_none() {
    story(async {
        let (roles, unread) = greeted(async |agent: &mut TestAgent| {
            let (_, answer) = agent.issuer().roles.borrow_mut().pop().unwrap();
            answer.send(Err(lost())).ok().unwrap();
            agent.settle().await;
        })
        .await;
        assert!(roles.is_empty());
        assert!(
            unread
                .unwrap()
                .contains("the answer of the issuer was lost (reset)")
        );
        // One that is busy has refused nobody.
        let (_, unread) = greeted(async |agent: &mut TestAgent| {
            let (_, answer) = agent.issuer().roles.borrow_mut().pop().unwrap();
            let busy = denied(RefusalCode::Busy, "the issuer is busy");
            answer.send(Err(busy)).ok().unwrap();
            agent.settle().await;
        })
        .await;
        assert!(unread.unwrap().contains("the issuer is busy"));
        // None held is another thing.
        let none = greeted(async |agent: &mut TestAgent| agent.tell_roles(Vec::new()).await).await;
        assert_eq!(none, (Vec::new(), None));
    });
}
