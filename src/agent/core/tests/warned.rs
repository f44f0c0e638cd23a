//! What is told of a session before it is refused.

use super::*;
use oam_config::agent::{Exchange, SubjectToken};
use oam_model::report::OrgWarning;

fn warned(agent: &mut TestAgent) -> Vec<OrgWarning> {
    match agent.reported(Request::Status { proof: false }) {
        Reply::Status(mut report) => report.orgs.remove(0).warnings,
        _ => panic!("no status"),
    }
}

async fn renew(agent: &mut TestAgent, without_id: bool) {
    agent.fake.pass(61_000);
    let _outcome = agent.get();
    let renewed = Arrived {
        without_id,
        ..arrived("rt2", identity())
    };
    agent.answer(Ok(renewed)).await;
}

#[test]
fn a_renewal_without_an_id_token_is_told_until_one_comes() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        assert_eq!(warned(&mut agent), []);
        renew(&mut agent, true).await;
        let told = warned(&mut agent);
        assert!(told[0].refuses && told[0].sentence.contains("no ID token"));
        assert!(told[0].next.contains("subject = \"access-token\""));
        // The same text again, as of one second: it came.
        renew(&mut agent, false).await;
        assert_eq!(warned(&mut agent), []);
    });
}

#[test]
fn where_access_tokens_are_exchanged_a_renewal_without_an_id_token_refuses_nothing() {
    story(async {
        let mut settings = settings();
        if let Exchange::Rfc8693(exchange) = &mut settings.orgs[0].exchange {
            exchange.subject = SubjectToken::AccessToken;
        }
        let mut agent = TestAgent::signed_in(&settings).await;
        renew(&mut agent, true).await;
        let told = warned(&mut agent);
        assert!(!told[0].refuses && told[0].sentence.contains("groups stay"));
    });
}

/// Userinfo was asked with a renewal that brought no ID token.
async fn renew_by(agent: &mut TestAgent, userinfo: UserInfo) {
    agent.fake.pass(61_000);
    *agent.fake.userinfo.borrow_mut() = userinfo;
    let _outcome = agent.get();
    let groups = agent.core.org_sessions[&acme()]
        .machine
        .standing()
        .live()
        .unwrap();
    let known = Identity {
        groups: groups.identity.groups.clone(),
        ..identity()
    };
    let renewed = Arrived {
        without_id: true,
        ..arrived("rt2", known)
    };
    agent.answer(Ok(renewed)).await;
}

#[test]
fn groups_that_userinfo_names_count_and_its_silence_counts_once_it_named_some() {
    story(async {
        let mut settings = settings();
        if let Exchange::Rfc8693(exchange) = &mut settings.orgs[0].exchange {
            exchange.subject = SubjectToken::AccessToken;
        }
        let mut agent = TestAgent::start(&Fake::new(), &settings).await;
        let publishers = || vec!["publishers".to_owned()];
        let named = Identity {
            groups: publishers(),
            ..identity()
        };
        agent.sign_in("rt1", named).await;
        let groups = |agent: &TestAgent| {
            let live = agent.core.org_sessions[&acme()].machine.standing().live();
            live.unwrap().identity.groups.clone()
        };
        // Silent from the beginning: it is no place for groups at this provider.
        for said in [UserInfo::Silent, UserInfo::Unread] {
            renew_by(&mut agent, said).await;
            assert_eq!(groups(&agent), publishers());
            assert!(warned(&mut agent)[0].sentence.contains("groups stay"));
        }
        renew_by(&mut agent, UserInfo::Groups(vec!["others".into()])).await;
        assert_eq!(groups(&agent), ["others"]);
        assert_eq!(warned(&mut agent), []);
        renew_by(&mut agent, UserInfo::Unread).await;
        assert_eq!(groups(&agent), ["others"], "not read is not silent");
        renew_by(&mut agent, UserInfo::Silent).await;
        assert!(groups(&agent).is_empty());
    });
}

/// A provider whose ID tokens have no groups: only userinfo names them.
#[test]
fn groups_that_only_userinfo_names_count_from_the_sign_in_and_outlive_a_restart() {
    story(async {
        let mut settings = settings();
        if let Exchange::Rfc8693(exchange) = &mut settings.orgs[0].exchange {
            exchange.subject = SubjectToken::AccessToken;
        }
        let fake = Fake::new();
        let mut agent = TestAgent::start(&fake, &settings).await;
        *fake.userinfo.borrow_mut() = UserInfo::Groups(vec!["publishers".into()]);
        agent.sign_in("rt1", identity()).await;
        let groups = |agent: &TestAgent| {
            let live = agent.core.org_sessions[&acme()].machine.standing().live();
            live.unwrap().identity.groups.clone()
        };
        assert_eq!(groups(&agent), ["publishers"]);
        // A renewal brings an ID token, without groups as ever; userinfo can't be had.
        fake.pass(61_000);
        *fake.userinfo.borrow_mut() = UserInfo::Unread;
        let _outcome = agent.get();
        agent.answer(Ok(arrived("rt2", identity()))).await;
        assert_eq!(groups(&agent), ["publishers"], "not read is not silent");
        let mut agent = TestAgent::start(&fake, &settings).await;
        assert_eq!(groups(&agent), ["publishers"]);
        fake.pass(61_000);
        *fake.userinfo.borrow_mut() = UserInfo::Silent;
        let _outcome = agent.get();
        agent.answer(Ok(arrived("rt3", identity()))).await;
        assert!(groups(&agent).is_empty(), "there are none any more");
    });
}

#[test]
fn a_renewed_session_is_on_disk_before_userinfo_is_asked_and_an_end_meanwhile_is_one() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        let renewed = || Arrived {
            without_id: true,
            ..arrived("rt2", identity())
        };
        agent.fake.pass(61_000);
        let mut outcome = agent.get();
        agent.answer(Ok(renewed())).await;
        assert_eq!(agent.fake.traced("userinfo, Some(\"rt2\") is on disk"), 1);
        assert!(outcome.try_recv().is_err(), "a token is on its way");
        // What is said after the end is of nobody.
        agent.fake.pass(61_000);
        let mut late = agent.get();
        agent.settle().await;
        let refresh = agent.fake.refreshes.borrow_mut().pop().unwrap();
        refresh.answer.send(Ok(renewed())).ok().unwrap();
        let _reply = agent.logout();
        agent.settle().await;
        assert_eq!(code_of(late.try_recv().unwrap()), RefusalCode::SignedOut);
        assert!(agent.fake.on_disk().unwrap().sessions.is_empty());
    });
}

#[test]
fn a_provider_that_names_no_groups_is_told_where_every_role_wants_one() {
    story(async {
        let mut settings = settings();
        settings.orgs[0]
            .roles
            .retain(|role| !role.groups.is_empty());
        let mut agent = TestAgent::signed_in(&settings).await;
        let told = warned(&mut agent);
        assert!(told[0].refuses && told[0].sentence.contains("named no groups"));
        assert!(told[0].next.contains("groups_claim"), "{}", told[0].next);
        let named = Identity {
            groups: vec!["publishers".into()],
            ..identity()
        };
        agent.sign_in("rt1", named).await;
        assert_eq!(warned(&mut agent), []);
    });
}
