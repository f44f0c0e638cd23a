//! The issuer publishes another set-up than the one that is configured.

use super::*;
use oam_config::organization::fixture;

impl TestAgent {
    async fn told(&mut self, digest: &str) {
        let sent_at_ms = self.fake.now.get().wall_ms;
        let event = FeedEvent::Heartbeat {
            as_of_ms: sent_at_ms,
            sent_at_ms,
            setup: Some(digest.into()),
        };
        self.feed(None, event).await;
    }

    fn asked_for_it(&self) -> usize {
        let trace = self.fake.trace.borrow();
        trace
            .iter()
            .filter(|line| line.starts_with("asked https"))
            .count()
    }
}

#[test]
fn another_digest_is_looked_at_once_and_the_changes_are_in_the_status() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        *agent.fake.published.borrow_mut() = Some(fixture::acme());
        agent.told("one").await;
        let setup = agent.status().orgs[0].setup.clone().unwrap();
        assert!(setup.sign_in, "{setup:?}");
        let hub = "hub models is new: https://hub.acme.example";
        assert!(setup.changes.iter().any(|c| c == hub), "{setup:?}");
        agent.told("one").await;
        assert_eq!(agent.asked_for_it(), 1);
        agent.told("two").await;
        assert_eq!(agent.asked_for_it(), 2);
    });
}

#[test]
fn an_issuer_that_can_not_say_it_is_asked_again_after_a_minute() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        for _ in 0..4 {
            agent.told("one").await;
            agent.wait(15_000).await;
        }
        assert_eq!(agent.asked_for_it(), 1);
        agent.told("one").await;
        assert_eq!(agent.asked_for_it(), 2);
        assert!(agent.status().orgs[0].setup.is_none());
    });
}

#[test]
fn a_request_by_the_old_set_up_that_the_issuer_refuses_names_the_update() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        *agent.fake.published.borrow_mut() = Some(fixture::acme());
        agent.told("one").await;
        let outcome = agent.get();
        let fault = denied(
            RefusalCode::BadRequest,
            "`audience` is no hub of this issuer",
        );
        agent.mint_as(Err(fault)).await;
        let Reply::Refused { refusal, .. } = outcome.await.unwrap() else {
            panic!("granted");
        };
        assert!(refusal.next.contains("oam update acme"), "{refusal:?}");
    });
}
