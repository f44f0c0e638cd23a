//! What is told of a session before it is refused.

use super::*;
use oam_config::agent::{Exchange, SubjectToken};
use oam_model::report::OrgWarning;

fn warned(desk: &mut Desk) -> Vec<OrgWarning> {
    match desk.reported(ReportKind::Status) {
        CommandOutcome::Status(mut report) => report.orgs.remove(0).warnings,
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

/// Userinfo was asked with a renewal that brought no ID token.
async fn renew_by(desk: &mut Desk, userinfo: UserInfo) {
    desk.fake.pass(61_000);
    *desk.fake.userinfo.borrow_mut() = userinfo;
    let _outcome = desk.get();
    let groups = desk.keeper.offices[&acme()].desk.standing().live().unwrap();
    let known = Identity {
        groups: groups.identity.groups.clone(),
        ..identity()
    };
    let renewed = Arrived {
        without_id: true,
        ..arrived("rt2", known)
    };
    desk.answer(Ok(renewed)).await;
}

#[test]
fn groups_that_userinfo_names_count_and_its_silence_counts_once_it_named_some() {
    story(async {
        let mut settings = settings();
        if let Exchange::Rfc8693(exchange) = &mut settings.orgs[0].exchange {
            exchange.subject = SubjectToken::AccessToken;
        }
        let mut desk = Desk::start(&Fake::new(), &settings).await;
        let publishers = || vec!["publishers".to_owned()];
        let named = Identity {
            groups: publishers(),
            ..identity()
        };
        desk.sign_in("rt1", named).await;
        let groups = |desk: &Desk| {
            let live = desk.keeper.offices[&acme()].desk.standing().live();
            live.unwrap().identity.groups.clone()
        };
        // Silent from the beginning: it is no place for groups at this provider.
        for said in [UserInfo::Silent, UserInfo::Unread] {
            renew_by(&mut desk, said).await;
            assert_eq!(groups(&desk), publishers());
            assert!(warned(&mut desk)[0].sentence.contains("groups stay"));
        }
        renew_by(&mut desk, UserInfo::Groups(vec!["others".into()])).await;
        assert_eq!(groups(&desk), ["others"]);
        assert_eq!(warned(&mut desk), []);
        renew_by(&mut desk, UserInfo::Unread).await;
        assert_eq!(groups(&desk), ["others"], "not read is not silent");
        renew_by(&mut desk, UserInfo::Silent).await;
        assert!(groups(&desk).is_empty());
    });
}

#[test]
fn a_renewed_session_is_on_disk_before_userinfo_is_asked_and_an_end_meanwhile_is_one() {
    story(async {
        let mut desk = Desk::signed_in(&settings()).await;
        let renewed = || Arrived {
            without_id: true,
            ..arrived("rt2", identity())
        };
        desk.fake.pass(61_000);
        let mut outcome = desk.get();
        desk.answer(Ok(renewed())).await;
        assert_eq!(desk.fake.traced("userinfo, Some(\"rt2\") is on disk"), 1);
        assert!(outcome.try_recv().is_err(), "a token is on its way");
        // What is said after the end is of nobody.
        desk.fake.pass(61_000);
        let mut late = desk.get();
        desk.settle().await;
        let refresh = desk.fake.refreshes.borrow_mut().pop().unwrap();
        refresh.answer.send(Ok(renewed())).ok().unwrap();
        let _reply = desk.logout();
        desk.settle().await;
        assert_eq!(code_of(late.try_recv().unwrap()), RefusalCode::SignedOut);
        assert!(desk.fake.on_disk().unwrap().sessions.is_empty());
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
