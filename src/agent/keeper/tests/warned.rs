//! What is told of a session before it is refused.

use super::*;
use oam_config::agent::{Exchange, SubjectToken};
use oam_model::report::OrgWarning;

fn warned(desk: &mut Desk) -> Vec<OrgWarning> {
    let (reply, mut outcome) = oneshot::channel();
    let kind = ReportKind::Status;
    desk.keeper.command(Command::Report { kind, reply });
    match outcome.try_recv() {
        Ok(Outcome::Status(mut report)) => report.orgs.remove(0).warnings,
        _ => panic!("no status"),
    }
}

async fn renew(desk: &mut Desk, without_id: bool) {
    desk.fake.pass(61_000);
    let _outcome = desk.get();
    let renewed = Arrived {
        without_id,
        ..arrived("rt2", identity())
    };
    desk.answer(Ok(renewed)).await;
}

#[test]
fn a_renewal_without_an_id_token_is_told_until_one_comes() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        assert_eq!(warned(&mut desk), []);
        renew(&mut desk, true).await;
        let told = warned(&mut desk);
        assert!(told[0].refuses && told[0].sentence.contains("no ID token"));
        assert!(told[0].next.contains("subject = \"access-token\""));
        // The same text again, as of one second: it came.
        renew(&mut desk, false).await;
        assert_eq!(warned(&mut desk), []);
    });
}

#[test]
fn where_access_tokens_are_exchanged_a_renewal_without_an_id_token_refuses_nothing() {
    story(async {
        let mut settings = settings();
        if let Exchange::Rfc8693(exchange) = &mut settings.orgs[0].exchange {
            exchange.subject = SubjectToken::AccessToken;
        }
        let mut desk = Desk::signed_in(&settings).await;
        renew(&mut desk, true).await;
        let told = warned(&mut desk);
        assert!(!told[0].refuses && told[0].sentence.contains("groups stay"));
    });
}

#[test]
fn a_provider_that_names_no_groups_is_told_where_every_role_wants_one() {
    story(async {
        let mut settings = settings();
        settings.orgs[0]
            .roles
            .retain(|role| !role.groups.is_empty());
        let mut desk = Desk::signed_in(&settings).await;
        let told = warned(&mut desk);
        assert!(told[0].refuses && told[0].sentence.contains("named no groups"));
        assert!(told[0].next.contains("groups_claim"), "{}", told[0].next);
        let named = Identity {
            groups: vec!["publishers".into()],
            ..identity()
        };
        desk.sign_in("rt1", named).await;
        assert_eq!(warned(&mut desk), []);
    });
}
