//! What the issuer says to an exchange.

use super::*;

#[test]
fn the_record_of_a_grant_has_the_issuers_rule_and_the_request_id_of_both_sides() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let outcome = desk.get();
        let sent = desk.mint_as(Ok(granted("t1"))).await;
        assert_eq!(sent.len(), 32);
        token_of(outcome.await.unwrap());
        let record = desk.last_record();
        assert_eq!(record.request_id.as_deref(), Some("shared-id"));
        assert!(record.rule.unwrap().contains("(line 9)"));
    });
}

#[test]
fn the_issuers_denial_is_the_answer_and_is_on_record_under_its_request() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let outcome = desk.get();
        desk.mint_as(Err(denied(
            RefusalCode::Denied,
            "reader grants nothing there",
        )))
        .await;
        match outcome.await.unwrap() {
            CommandOutcome::Refused(refusal, _) => {
                assert_eq!(refusal.code, RefusalCode::Denied);
                assert_eq!(refusal.sentence, "reader grants nothing there");
            }
            _ => panic!("another outcome"),
        }
        assert_eq!(desk.last_record().request_id.as_deref(), Some("its-own-id"));
        // A lost answer is joined by the id that was sent.
        let outcome = desk.get();
        let sent = desk.mint_as(Err(lost())).await;
        assert_eq!(code_of(outcome.await.unwrap()), RefusalCode::Unavailable);
        assert_eq!(desk.last_record().request_id, Some(sent));
    });
}

#[test]
fn an_exchange_that_says_revoked_ends_the_session() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let outcome = desk.get();
        desk.mint_as(Err(revoked("this account is closed", "left")))
            .await;
        match outcome.await.unwrap() {
            CommandOutcome::Refused(refusal, _) => {
                assert_eq!(refusal.code, RefusalCode::Revoked);
                assert_eq!(refusal.sentence, "access to acme was revoked: left");
            }
            _ => panic!("another outcome"),
        }
        assert_eq!(code_of(desk.get().await.unwrap()), RefusalCode::Revoked);
        assert_eq!(desk.fake.on_disk().unwrap().sessions.len(), 0);
    });
}

#[test]
fn a_doubt_is_on_record_once_wherever_it_was_learnt() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let _outcome = desk.get();
        let said = "this token is from before a doubt";
        desk.mint_as(Err(denied(RefusalCode::Ended, said))).await;
        assert_eq!(desk.fake.traced("record Doubt"), 1);
        let record = desk.last_record();
        assert_eq!(record.detail.as_deref(), Some(said));
        assert_eq!(record.subject.as_deref(), Some("ada"));
        assert_eq!(record.request_id.as_deref(), Some("its-own-id"));
        desk.provider_has_settled();
        let renewed = with_id("id2", "rt2", live_until(&desk.fake, 3600));
        desk.answer(Ok(renewed)).await;
        let event = FeedEvent::Doubt {
            at_ms: 1,
            reason: "logout".into(),
        };
        desk.feed(None, event).await;
        assert_eq!(desk.fake.traced("record Doubt"), 2);
        assert!(desk.fake.place_of("record Doubt") < desk.fake.place_of("record Proof"));
    });
}

#[test]
fn an_exchange_that_says_ended_proves_the_session_before_anything_is_served() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let first = desk.get();
        desk.mint_as(Ok(granted("t1"))).await;
        token_of(first.await.unwrap());
        let outcome = desk.get_of("acme/other");
        desk.mint_as(Err(denied(
            RefusalCode::Ended,
            "this token is from before a doubt",
        )))
        .await;
        // The token held is not served meanwhile either.
        let held = desk.get();
        desk.settle().await;
        assert_eq!(desk.fake.mints.borrow().len(), 0);
        desk.provider_has_settled();
        let renewed = with_id("id2", "rt2", live_until(&desk.fake, 3600));
        desk.answer(Ok(renewed)).await;
        assert_eq!(desk.fake.mints.borrow().len(), 2);
        desk.mint_as(Ok(granted("t2"))).await;
        desk.mint_as(Ok(granted("t3"))).await;
        let both = [
            token_of(outcome.await.unwrap()),
            token_of(held.await.unwrap()),
        ];
        assert!(!both.contains(&"t1".to_owned()), "{both:?}");
    });
}
