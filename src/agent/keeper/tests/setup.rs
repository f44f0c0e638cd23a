//! Before a sign-in: the configuration read when it was just written.

use super::*;

fn reload(desk: &mut Desk) -> CommandOutcome {
    let (reply, mut outcome) = oneshot::channel();
    desk.keeper.command(AgentCommand::Reload { reply });
    outcome.try_recv().unwrap()
}

#[test]
fn what_was_written_is_in_force_when_the_answer_is_there() {
    story(async {
        let fake = Fake::new();
        let mut desk = Desk::start(&fake, &Settings::default()).await;
        *fake.written.borrow_mut() = settings();
        assert!(matches!(reload(&mut desk), CommandOutcome::Done));
        // Not one turn of the loop later: a sign-in follows at once.
        assert!(desk.keeper.offices.contains_key(&acme()));
        desk.sign_in("rt1", identity()).await;
    });
}

#[test]
fn a_file_with_a_fault_leaves_everything_as_it_was_and_says_so() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        desk.fake.breaks("load");
        let CommandOutcome::Refused(refusal, _) = reload(&mut desk) else {
            panic!("a broken file was taken");
        };
        assert!(refusal.sentence.contains("load is broken"), "{refusal:?}");
        let outcome = desk.get();
        desk.mint("token").await;
        assert_eq!(token_of(outcome.await.unwrap()), "token");
    });
}

#[test]
fn an_organization_is_asked_for_before_anything_is_configured_and_leaves_no_trace() {
    story(async {
        let fake = Fake::new();
        let mut desk = Desk::starting(&fake, &Settings::default());
        let (reply, outcome) = oneshot::channel();
        let url = "https://issuer.example".to_owned();
        desk.keeper.command(AgentCommand::Organization {
            url,
            route: None,
            reply,
        });
        desk.settle().await;
        assert_eq!(code_of(outcome.await.unwrap()), RefusalCode::Unavailable);
        let trace = fake.trace.borrow().join("\n");
        assert!(
            trace.contains("asked https://issuer.example false"),
            "{trace}"
        );
        assert!(desk.keeper.offices.is_empty());
    });
}
