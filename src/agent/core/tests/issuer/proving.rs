//! Only the issuer knows what it revoked while the agent was away.

use super::*;

async fn started_anew() -> TestAgent {
    let agent = TestAgent::at_issuer().await;
    let fake = Rc::clone(&agent.fake);
    drop(agent);
    fake.issuer.roles.borrow_mut().clear();
    fake.refreshes.borrow_mut().clear();
    TestAgent::start(&fake, &with_issuer()).await
}

#[test]
fn a_check_after_a_start_hears_of_a_revocation_at_the_issuer() {
    story(async {
        let mut agent = started_anew().await;
        let mut checked = agent.asks(Request::Status { proof: true });
        let renewed = with_id("id2", "rt2", live_until(&agent.fake, 3600));
        agent.answer(Ok(renewed)).await;
        assert!(checked.try_recv().is_err(), "the issuer was not heard yet");
        // Asked with the old bearer, and with the new one again.
        loop {
            let asked = agent.issuer().roles.borrow_mut().pop();
            let Some((_, answer)) = asked else { break };
            let said = revoked("this account is closed", "left");
            answer.send(Err(said)).ok().unwrap();
            agent.settle().await;
        }
        match checked.try_recv().unwrap() {
            Reply::Status(report) => assert_eq!(report.orgs[0].standing, StandingWord::Revoked),
            _ => panic!("no status"),
        }
    });
}

#[test]
fn an_issuer_that_is_silent_keeps_a_check_no_longer_than_a_proof() {
    story(async {
        let mut agent = started_anew().await;
        let mut checked = agent.asks(Request::Status { proof: true });
        let renewed = with_id("id2", "rt2", live_until(&agent.fake, 3600));
        agent.answer(Ok(renewed)).await;
        agent.wait(2_000).await;
        match checked.try_recv().unwrap() {
            Reply::Status(report) => assert_eq!(report.orgs[0].standing, StandingWord::Active),
            _ => panic!("no status"),
        }
    });
}

#[test]
fn what_the_issuer_grants_and_the_session_does_not_serve_is_refused_by_why() {
    story(async {
        let mut agent = started_anew().await;
        let mut outcome = agent.asks(Request::Why { ask: ask() });
        let down = EndpointFault::NotSent {
            why: "no route".into(),
        };
        agent.answer(Err(down)).await;
        agent.wait(2_000).await;
        match outcome.try_recv().unwrap() {
            Reply::Why(report) => {
                assert_eq!(report.refusal.unwrap().code, RefusalCode::Unproven);
            }
            _ => panic!("another outcome"),
        }
        assert!(
            agent.issuer().whys.borrow().is_empty(),
            "not asked for nothing"
        );
    });
}
