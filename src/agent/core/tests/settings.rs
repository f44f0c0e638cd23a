//! Promise 9: nobody redirects a session; and edits that take effect at once.

use super::*;
use oam_config::agent::Exchange as Kind;

fn edited() -> Settings {
    let mut edited = settings();
    edited.orgs[0].provider.issuer = "https://evil.example".into();
    if let Kind::Rfc8693(exchange) = &mut edited.orgs[0].exchange {
        exchange.token_endpoint = "https://evil.example/token".into();
    }
    edited
}

fn nothing_went_astray(fake: &Fake) {
    let trace = fake.trace.borrow().join("\n");
    assert!(!trace.contains("evil"), "{trace}");
    let sent = fake.refreshes.borrow();
    assert!(sent.iter().all(|r| r.issuer == "https://idp.acme.example"));
    let mints = fake.mints.borrow();
    let right = "https://tokens.acme.example";
    assert!(mints.iter().all(|m| m.endpoint == right));
}

#[test]
fn the_retry_of_a_refresh_does_not_go_to_an_edited_provider() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.fake.pass(61_000);
        let _outcome = agent.get();
        agent.settle().await;
        agent.configure(&edited());
        agent.answer(Err(lost())).await;
        nothing_went_astray(&agent.fake);
    });
}

#[test]
fn a_late_refresh_does_not_serve_children_through_an_edited_exchange() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut heard = agent.follow();
        agent.mint("token").await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Following(..))));
        agent.fake.pass(61_000);
        let _outcome = agent.get();
        agent.settle().await;
        agent.configure(&edited());
        assert!(is_withdrawn(&mut heard, false));
        agent.answer(Ok(arrived("rt2", identity()))).await;
        nothing_went_astray(&agent.fake);
        assert!(agent.fake.mints.borrow().is_empty());
        agent.configure(&settings());
        agent.mint("token2").await;
        assert_eq!(agent.fake.files.borrow().len(), 1);
    });
}

#[test]
fn a_sign_out_after_an_edit_goes_to_the_provider_that_was_signed_in_to() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let _outcome = agent.get();
        agent.mint("token").await;
        agent.configure(&edited());
        let _outcome = agent.logout();
        agent.settle().await;
        nothing_went_astray(&agent.fake);
        let trace = agent.fake.trace.borrow().join("\n");
        assert!(trace.contains("revoke-session https://idp.acme.example rt1"));
    });
}

#[test]
fn a_session_restored_under_an_edited_configuration_sends_nothing_and_says_so_at_sign_out() {
    story(async {
        let agent = TestAgent::signed_in(&settings()).await;
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        let mut agent = TestAgent::start(&fake, &edited()).await;
        let code = code_of(agent.get().try_recv().unwrap());
        assert_eq!(code, RefusalCode::SignedOut);
        let mut outcome = agent.logout();
        agent.settle().await;
        nothing_went_astray(&fake);
        let Ok(Reply::SignedOut { warning, .. }) = outcome.try_recv() else {
            panic!("not signed out");
        };
        assert!(warning.unwrap().contains("configuration"));
        assert_eq!(fake.refresh_on_disk(), None);
    });
}

#[test]
fn a_role_taken_out_of_the_configuration_takes_the_childs_file_with_it() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let mut heard = agent.follow();
        agent.mint("token").await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Following(..))));
        let mut narrower = settings();
        narrower.orgs[0].fresh_ms = 30_000;
        agent.configure(&narrower);
        assert_eq!(
            agent.fake.files.borrow().len(),
            1,
            "that is not its concern"
        );
        narrower.orgs[0].roles.remove(0);
        agent.configure(&narrower);
        assert!(is_withdrawn(&mut heard, true));
        assert!(agent.fake.files.borrow().is_empty());
    });
}
