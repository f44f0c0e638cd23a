//! A sign-in is what the organization's issuer takes for one.

use super::*;
use crate::ports::Authentication;
use oam_model::record::EventKind;
use oam_model::standing::StandingWord;

/// Ada comes back from the provider, and the issuer answers so.
async fn answered(agent: &mut TestAgent, answer: EndpointFault) -> Refusal {
    let mut heard = agent.login_to("acme", StoreChoice::Keyring);
    agent.settle().await;
    let arrival = agent.fake.logins.borrow_mut().pop().unwrap();
    let arrived = with_id("id1", "rt1", live_until(&agent.fake, 3600));
    arrival.send(Ok(arrived)).ok().unwrap();
    agent.settle().await;
    assert!(agent.fake.pages.borrow().is_empty(), "told too early");
    let (bearer, first) = agent.issuer().roles.borrow_mut().pop().unwrap();
    assert_eq!(bearer, "id1");
    first.send(Err(answer)).ok().unwrap();
    agent.settle().await;
    assert!(matches!(heard.try_recv(), Ok(Reply::Challenge { .. })));
    match heard.try_recv() {
        Ok(Reply::Refused { refusal, .. }) => refusal,
        _ => panic!("not refused"),
    }
}

#[test]
fn whom_the_issuer_refuses_is_not_signed_in_and_is_told_so_on_both_ends() {
    story(async {
        for (code, sentence) in [
            (RefusalCode::Revoked, "access to acme was revoked: left"),
            (RefusalCode::BadRequest, "`iss` is no source of this issuer"),
            (
                RefusalCode::Ended,
                "the sign-in to acme is older than the organization allows",
            ),
        ] {
            let mut agent = TestAgent::start(&Fake::new(), &with_issuer()).await;
            let refusal = answered(&mut agent, denied(code, sentence)).await;
            assert_eq!((refusal.code, refusal.sentence.as_str()), (code, sentence));
            assert_eq!(*agent.fake.pages.borrow(), [Some(code)]);
            let record = agent.last_record();
            assert_eq!(record.what, EventKind::LoginFailed);
            assert_eq!(record.refusal, Some(code));
            assert_eq!(agent.status().orgs[0].standing, StandingWord::SignedOut);
            assert_eq!(agent.fake.refresh_on_disk(), None);
            let trace = agent.fake.trace.borrow().clone();
            let revoked = "revoke-session https://idp.acme.example rt1".to_owned();
            assert!(trace.contains(&revoked), "{trace:?}");
        }
    });
}

#[test]
fn after_an_authentication_that_is_too_old_a_new_one_is_asked_for() {
    story(async {
        let mut agent = TestAgent::start(&Fake::new(), &with_issuer()).await;
        let old = denied(RefusalCode::Ended, "the sign-in to acme is too old");
        let refusal = answered(&mut agent, old).await;
        assert!(
            refusal
                .next
                .contains("sign out at https://idp.acme.example"),
            "{refusal:?}"
        );
        agent.fake.pages.borrow_mut().clear();
        let again = denied(RefusalCode::Ended, "the sign-in to acme is too old");
        answered(&mut agent, again).await;
        assert_eq!(
            *agent.fake.authentications.borrow(),
            [Authentication::AsItStands, Authentication::Anew]
        );
    });
}

#[test]
fn an_end_asks_for_a_new_authentication_and_a_sign_out_does_not() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let reason = "left".to_owned();
        let at_ms = agent.fake.now.get().wall_ms;
        agent
            .feed(Some("1"), FeedEvent::Revoked { at_ms, reason })
            .await;
        // A sign-in of the second of the end would count as from before it.
        agent.fake.pass(1_000);
        let _heard = agent.login_to("acme", StoreChoice::Keyring);
        agent.settle().await;
        let mut other = TestAgent::at_issuer().await;
        drop(other.logout());
        other.settle().await;
        other.fake.pass(1_000);
        let _also = other.login_to("acme", StoreChoice::Keyring);
        other.settle().await;
        let asked = |agent: &TestAgent| agent.fake.authentications.borrow().last().copied();
        assert_eq!(asked(&agent), Some(Authentication::Anew));
        assert_eq!(asked(&other), Some(Authentication::AsItStands));
    });
}

#[test]
fn a_session_is_as_old_as_the_authentication_that_it_began_with() {
    story(async {
        let mut agent = TestAgent::start(&Fake::new(), &settings()).await;
        let now = agent.fake.now.get().unix();
        let an_hour_ago = Identity {
            auth_time: Some(now - 3_600),
            ..identity()
        };
        agent.sign_in("rt1", an_hour_ago).await;
        let ends = agent.status().orgs[0].session_ends_at.unwrap();
        assert_eq!(ends, now - 3_600 + 7 * 86_400);
    });
}

/// The sign-out is told to the issuer, with the token that it would have taken until it expires.
#[test]
fn a_sign_out_and_an_end_are_told_to_the_issuer() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let mut outcome = agent.logout();
        agent.settle().await;
        assert!(outcome.try_recv().is_err(), "the issuer is waited for");
        let revoked = "revoke-session https://idp.acme.example rt1".to_owned();
        let at_provider = |agent: &TestAgent| agent.fake.trace.borrow().contains(&revoked);
        assert!(
            !at_provider(&agent),
            "the issuer asks the provider about the token"
        );
        let (token, answer) = agent.issuer().sign_outs.borrow_mut().pop().unwrap();
        assert_eq!(token, "id1");
        answer.send(Err(lost())).ok().unwrap();
        let Some(Reply::SignedOut { issuer_warning, .. }) = outcome.await else {
            panic!("not signed out");
        };
        assert!(issuer_warning.unwrap().contains("its answer was lost"));
        assert!(at_provider(&agent), "also when the issuer did not answer");

        let mut agent = TestAgent::at_issuer().await;
        agent.wait(61_000).await;
        let _asked = agent.get();
        agent.answer(Err(refused())).await;
        let (token, _) = agent.issuer().sign_outs.borrow_mut().pop().unwrap();
        assert_eq!(token, "id1");
    });
}
