//! Before a sign-in: the configuration read when it was just written.

use super::*;

fn reload(agent: &mut TestAgent) -> Reply {
    agent.reported(Request::Reload)
}

#[test]
fn what_was_written_is_in_force_when_the_answer_is_there() {
    story(async {
        let fake = Fake::new();
        let mut agent = TestAgent::start(&fake, &Settings::default()).await;
        *fake.written.borrow_mut() = settings();
        assert!(matches!(reload(&mut agent), Reply::Done));
        // Not one turn of the loop later: a sign-in follows at once.
        assert!(agent.core.org_sessions.contains_key(&acme()));
        agent.sign_in("rt1", identity()).await;
    });
}

#[test]
fn a_file_with_a_fault_leaves_everything_as_it_was_and_says_so() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.breaks("load");
        let Reply::Refused { refusal, .. } = reload(&mut agent) else {
            panic!("a broken file was taken");
        };
        assert!(refusal.sentence.contains("load is broken"), "{refusal:?}");
        let outcome = agent.get();
        agent.mint("token").await;
        assert_eq!(token_of(outcome.await.unwrap()), "token");
    });
}

#[test]
fn an_organization_is_asked_for_before_anything_is_configured_and_leaves_no_trace() {
    story(async {
        let fake = Fake::new();
        let mut agent = TestAgent::starting(&fake, &Settings::default());
        let url = "https://issuer.example".to_owned();
        let outcome = agent.asks(Request::Organization { url, route: None });
        agent.settle().await;
        assert_eq!(code_of(outcome.await.unwrap()), RefusalCode::Unavailable);
        let trace = fake.trace.borrow().join("\n");
        assert!(
            trace.contains("asked https://issuer.example false"),
            "{trace}"
        );
        assert!(agent.core.org_sessions.is_empty());
    });
}
