//! What the issuer says to an exchange.

use super::*;

#[test]
fn the_record_of_a_grant_has_the_issuers_rule_and_the_request_id_of_both_sides() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let outcome = agent.get();
        let sent = agent.mint_as(Ok(granted("t1"))).await;
        assert_eq!(sent.len(), 32);
        token_of(outcome.await.unwrap());
        let record = agent.last_record();
        assert_eq!(record.request_id.as_deref(), Some("shared-id"));
        assert!(record.rule.unwrap().contains("(line 9)"));
    });
}

#[test]
fn the_issuers_denial_is_the_answer_and_is_on_record_under_its_request() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let outcome = agent.get();
        agent
            .mint_as(Err(denied(
                RefusalCode::Denied,
                "reader grants nothing there",
            )))
            .await;
        match outcome.await.unwrap() {
            Reply::Refused { refusal, .. } => {
                assert_eq!(refusal.code, RefusalCode::Denied);
                assert_eq!(refusal.sentence, "reader grants nothing there");
            }
            _ => panic!("another outcome"),
        }
        assert_eq!(
            agent.last_record().request_id.as_deref(),
            Some("its-own-id")
        );
        // A lost answer is joined by the id that was sent.
        let outcome = agent.get();
        let sent = agent.mint_as(Err(lost())).await;
        assert_eq!(code_of(outcome.await.unwrap()), RefusalCode::Unavailable);
        assert_eq!(agent.last_record().request_id, Some(sent));
    });
}

#[test]
fn an_exchange_that_says_revoked_ends_the_session() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let outcome = agent.get();
        agent
            .mint_as(Err(revoked("this account is closed", "left")))
            .await;
        match outcome.await.unwrap() {
            Reply::Refused { refusal, .. } => {
                assert_eq!(refusal.code, RefusalCode::Revoked);
                assert_eq!(refusal.sentence, "access to acme was revoked: left");
            }
            _ => panic!("another outcome"),
        }
        assert_eq!(code_of(agent.get().await.unwrap()), RefusalCode::Revoked);
        assert_eq!(agent.fake.on_disk().unwrap().sessions.len(), 0);
    });
}

#[test]
fn a_doubt_is_on_record_once_wherever_it_was_learnt() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let _outcome = agent.get();
        let said = "this token is from before a doubt";
        agent.mint_as(Err(denied(RefusalCode::Ended, said))).await;
        assert_eq!(agent.fake.traced("record Doubt"), 1);
        let record = agent.last_record();
        assert_eq!(record.detail.as_deref(), Some(said));
        assert_eq!(record.subject.as_deref(), Some("ada"));
        assert_eq!(record.request_id.as_deref(), Some("its-own-id"));
        agent.provider_has_settled();
        let renewed = with_id("id2", "rt2", live_until(&agent.fake, 3600));
        agent.answer(Ok(renewed)).await;
        let event = FeedEvent::Doubt {
            at_ms: 1,
            reason: "logout".into(),
        };
        agent.feed(None, event).await;
        assert_eq!(agent.fake.traced("record Doubt"), 2);
        assert!(agent.fake.place_of("record Doubt") < agent.fake.place_of("record Proof"));
    });
}

#[test]
fn an_exchange_that_says_ended_proves_the_session_before_anything_is_served() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let first = agent.get();
        agent.mint_as(Ok(granted("t1"))).await;
        token_of(first.await.unwrap());
        let outcome = agent.get_of("acme/other");
        agent
            .mint_as(Err(denied(
                RefusalCode::Ended,
                "this token is from before a doubt",
            )))
            .await;
        // The token held is not served meanwhile either.
        let held = agent.get();
        agent.settle().await;
        assert_eq!(agent.fake.mints.borrow().len(), 0);
        agent.provider_has_settled();
        let renewed = with_id("id2", "rt2", live_until(&agent.fake, 3600));
        agent.answer(Ok(renewed)).await;
        assert_eq!(agent.fake.mints.borrow().len(), 2);
        agent.mint_as(Ok(granted("t2"))).await;
        agent.mint_as(Ok(granted("t3"))).await;
        let both = [
            token_of(outcome.await.unwrap()),
            token_of(held.await.unwrap()),
        ];
        assert!(!both.contains(&"t1".to_owned()), "{both:?}");
    });
}

#[test]
fn an_issuer_that_is_not_reached_is_called_that() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let mut outcome = agent.get();
        agent.mint_as(Err(lost())).await;
        let Ok(Reply::Refused { refusal, .. }) = outcome.try_recv() else {
            panic!("no refusal");
        };
        let words = &refusal.sentence;
        assert!(words.starts_with("the issuer of acme issued no"), "{words}");
    });
}
