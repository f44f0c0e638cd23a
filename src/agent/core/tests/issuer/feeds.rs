//! What comes by the feed.

use super::*;

#[test]
fn a_heartbeat_keeps_the_proof_fresh_without_a_renewal() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.beat(0).await;
        let outcome = agent.get();
        agent.mint_as(Ok(granted("t1"))).await;
        token_of(outcome.await.unwrap());
        for _ in 0..20 {
            agent.wait(15_000).await;
            agent.beat(1_000).await;
        }
        assert_eq!(token_of(agent.get().await.unwrap()), "t1");
        assert!(agent.fake.refreshes.borrow().is_empty());
        let feed = agent.status().orgs[0].feed.clone().unwrap();
        assert_eq!(feed.state, "connected");
        assert_eq!(feed.as_of, Some(agent.fake.now.get().unix() - 1));
    });
}

#[test]
fn a_revocation_on_the_feed_ends_the_session_at_once() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.beat(0).await;
        let mut heard = agent.follow();
        agent.mint_as(Ok(granted("t1"))).await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Following(..))));
        let event = FeedEvent::Revoked {
            at_ms: 1,
            reason: "account-disabled".into(),
        };
        agent.feed(Some("1.2"), event).await;
        assert!(is_withdrawn(&mut heard, true));
        assert!(agent.fake.files.borrow().is_empty());
        match agent.get().await.unwrap() {
            Reply::Refused { refusal, .. } => {
                assert!(refusal.sentence.ends_with("the account was disabled"));
            }
            _ => panic!("another outcome"),
        }
        assert!(agent.fake.place_of("persist_tombstone") < agent.fake.place_of("record End"));
        assert_eq!(agent.status().orgs[0].feed.clone().unwrap().state, "off");
        assert_eq!(agent.core.subscription_wake(agent.core.now()), None);
    });
}

#[test]
fn a_doubt_takes_tokens_and_files_away_until_the_provider_proves_the_session() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.beat(0).await;
        let mut heard = agent.follow();
        agent.mint_as(Ok(granted("t1"))).await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Following(..))));
        let event = FeedEvent::Doubt {
            at_ms: 1,
            reason: "logout".into(),
        };
        agent.feed(Some("1.2"), event).await;
        assert!(is_withdrawn(&mut heard, false), "paused");
        assert!(agent.fake.files.borrow().is_empty());
        assert_eq!(
            agent.issuer().feeds.borrow().len(),
            1,
            "not again with the same bearer"
        );
        agent.provider_has_settled();
        agent
            .answer(Ok(with_id("id2", "rt2", live_until(&agent.fake, 3600))))
            .await;
        agent.mint_as(Ok(granted("t2"))).await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Renewed { .. })));
        let issuer = agent.issuer();
        let feeds = issuer.feeds.borrow();
        assert_eq!(
            (feeds[1].bearer.as_str(), feeds[1].after.as_deref()),
            ("id2", Some("1.2"))
        );
    });
}

#[test]
fn a_doubt_that_the_provider_confirms_ends_the_session() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let event = FeedEvent::Doubt {
            at_ms: 1,
            reason: "logout".into(),
        };
        agent.feed(None, event).await;
        let outcome = agent.get();
        agent.settle().await;
        assert!(
            agent.fake.refreshes.borrow().is_empty(),
            "a provider that tells of a logout ends the session only afterwards"
        );
        agent.provider_has_settled();
        agent.answer(Err(refused())).await;
        assert_eq!(code_of(outcome.await.unwrap()), RefusalCode::Ended);
    });
}

#[test]
fn a_lost_role_goes_from_a_running_child_and_the_others_stay() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.beat(0).await;
        let mut heard = agent.follow();
        agent.mint_as(Ok(granted("t1"))).await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Following(..))));
        let event = FeedEvent::RolesChanged {
            at_ms: 1,
            held: vec!["publisher".parse().unwrap()],
            lost: vec!["reader".parse().unwrap()],
        };
        agent.feed(Some("1.3"), event).await;
        match heard.try_recv() {
            Ok(Reply::Withdrawn { refusal }) => {
                assert_eq!(refusal.code, RefusalCode::Denied);
                assert!(
                    refusal.sentence.contains("no longer hold reader"),
                    "{}",
                    refusal.sentence
                );
            }
            _ => panic!("not withdrawn"),
        }
        assert!(agent.fake.files.borrow().is_empty());
        agent
            .tell_roles(vec![held("publisher", Action::Write)])
            .await;
        let outcome = agent.get();
        let mut minted = granted("t2");
        minted.granting.as_mut().unwrap().role = "publisher".parse().unwrap();
        agent.mint_as(Ok(minted)).await;
        assert_eq!(token_of(outcome.await.unwrap()), "t2");
    });
}

#[test]
fn a_restart_chooses_at_once_and_goes_on_with_the_feed_while_the_bearer_lives() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let event = FeedEvent::RolesChanged {
            at_ms: 1,
            held: vec!["reader".parse().unwrap()],
            lost: vec![],
        };
        agent.feed(Some("1.7"), event).await;
        agent.tell_roles(vec![held("reader", Action::Read)]).await;
        agent
            .answer(Ok(with_id("id2", "rt2", live_until(&agent.fake, 3600))))
            .await;
        let fake = Rc::clone(&agent.fake);
        fake.issuer.feeds.borrow_mut().clear();
        let mut agent = TestAgent::start(&fake, &with_issuer()).await;
        {
            let feeds = fake.issuer.feeds.borrow();
            assert_eq!(feeds.len(), 1);
            assert_eq!(
                (feeds[0].bearer.as_str(), feeds[0].after.as_deref()),
                ("id2", Some("1.7"))
            );
        }
        // The heartbeat is its first proof: no renewal is needed.
        agent.beat(500).await;
        let outcome = agent.get();
        agent.mint_as(Ok(granted("t1"))).await;
        assert_eq!(token_of(outcome.await.unwrap()), "t1");
        assert!(fake.refreshes.borrow().is_empty());
    });
}

#[test]
fn a_restored_session_whose_bearer_has_expired_asks_nobody() {
    story(async {
        let agent = TestAgent::at_issuer().await;
        let fake = Rc::clone(&agent.fake);
        drop(agent);
        fake.issuer.feeds.borrow_mut().clear();
        fake.pass(3_700_000);
        let agent = TestAgent::start(&fake, &with_issuer()).await;
        assert!(fake.issuer.feeds.borrow().is_empty() && fake.refreshes.borrow().is_empty());
        assert_eq!(agent.core.subscription_wake(fake.now.get()), None);
    });
}

#[test]
fn an_organization_without_an_issuer_has_no_link_and_no_wake_for_one() {
    story(async {
        let agent = TestAgent::signed_in(&settings()).await;
        assert!(agent.fake.issuer.feeds.borrow().is_empty());
        assert_eq!(agent.core.subscription_wake(agent.fake.now.get()), None);
    });
}

#[test]
fn a_lost_feed_is_made_anew_and_polled_while_a_token_is_out() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.beat(0).await;
        let outcome = agent.get();
        agent.mint_as(Ok(granted("t1"))).await;
        token_of(outcome.await.unwrap());
        let feed = agent.issuer().feeds.borrow_mut().pop().unwrap();
        feed.end.send(Err(lost())).ok().unwrap();
        agent.settle().await;
        assert_eq!(agent.status().orgs[0].feed.clone().unwrap().state, "down");
        for _ in 0..40 {
            agent.wait(1_000).await;
        }
        assert!(!agent.issuer().feeds.borrow().is_empty());
        let poll = agent.issuer().polls.borrow_mut().pop().expect("a poll");
        let sent_at_ms = agent.fake.now.get().wall_ms;
        let items = vec![FeedItem {
            id: None,
            event: FeedEvent::Heartbeat {
                as_of_ms: sent_at_ms,
                sent_at_ms,
                setup: None,
            },
        }];
        poll.send(Ok(Poll {
            v: VERSION,
            items,
            head: None,
        }))
        .ok()
        .unwrap();
        agent.settle().await;
        assert!(agent.status().orgs[0].feed.clone().unwrap().polling);
    });
}

/// As an issuer signs it; the agent looks at the claims only.
fn head(generation: u64, seq: u64) -> String {
    use base64::Engine;
    let claims = format!(
        r#"{{"org":"acme","generation":{generation},"seq":{seq},"hash":"{}"}}"#,
        "0".repeat(64)
    );
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
    format!("e30.{claims}.c2ln")
}

#[test]
fn the_last_head_of_the_organizations_log_is_kept_and_shown_to_the_issuer_again() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.beat(0).await;
        let shown = async |agent: &mut TestAgent, told: String| {
            agent.feed(None, FeedEvent::Head { head: told }).await;
            let feed = agent.issuer().feeds.borrow_mut().pop().unwrap();
            feed.end.send(Ok(())).ok().unwrap();
            agent.settle().await;
            for _ in 0..40 {
                agent.wait(1_000).await;
            }
            agent.beat(0).await;
            let issuer = agent.issuer();
            let feeds = issuer.feeds.borrow();
            feeds.last().unwrap().head.clone()
        };
        assert_eq!(shown(&mut agent, head(0, 7)).await, Some(head(0, 7)));
        // An issuer that went back to an older database is shown what it forgot,
        assert_eq!(shown(&mut agent, head(0, 3)).await, Some(head(0, 7)));
        assert_eq!(shown(&mut agent, "no head".into()).await, Some(head(0, 7)));
        // and one that was restored in order is taken.
        assert_eq!(shown(&mut agent, head(1, 4)).await, Some(head(1, 4)));
    });
}
