//! Who only wants to know whether the session stands: one proof, and not by everybody who looks.

use super::*;
use oam_model::report::{OrgStatus, WhyReport};

fn check() -> Request {
    Request::Status { proof: true }
}

fn org_of(reply: Reply) -> OrgStatus {
    match reply {
        Reply::Status(mut report) => report.orgs.remove(0),
        _ => panic!("no status"),
    }
}

fn why_of(reply: Reply) -> WhyReport {
    match reply {
        Reply::Why(report) => report,
        _ => panic!("no reasons"),
    }
}

impl TestAgent {
    /// Another agent on the state that this one leaves.
    async fn started_anew(self, settings: &Settings) -> Self {
        let fake = Rc::clone(&self.fake);
        drop(self);
        fake.trace.borrow_mut().clear();
        fake.refreshes.borrow_mut().clear();
        Self::start(&fake, settings).await
    }

    async fn waits(&mut self, ms: u64) {
        self.fake.pass(ms);
        self.core.tick();
        self.settle().await;
    }
}

#[test]
fn a_check_after_a_start_asks_the_provider_and_a_look_does_not() {
    story(async {
        let agent = TestAgent::signed_in(&settings()).await;
        let mut agent = agent.started_anew(&settings()).await;
        let seen = org_of(agent.reported(Request::Status { proof: false }));
        assert_eq!(seen.standing, StandingWord::Unproven);
        let words = seen.detail.unwrap();
        assert!(
            words.contains("was not asked about this session since the agent started"),
            "{words}"
        );
        agent.settle().await;
        assert_eq!(agent.fake.traced("refresh"), 0);
        let mut checked = agent.asks(check());
        assert!(checked.try_recv().is_err(), "the provider is asked first");
        agent.answer(Ok(arrived("rt2", identity()))).await;
        let seen = org_of(checked.try_recv().unwrap());
        assert_eq!(seen.standing, StandingWord::Active);
        // Fresh: nobody is asked again.
        let seen = org_of(agent.reported(check()));
        assert_eq!(seen.standing, StandingWord::Active);
        assert_eq!(agent.fake.traced("refresh"), 1);
    });
}

#[test]
fn a_check_after_a_quiet_time_beyond_the_lease_asks_the_provider() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        agent.waits(700_000).await;
        let seen = org_of(agent.reported(Request::Status { proof: false }));
        let words = seen.detail.unwrap();
        assert!(words.contains("for 11 minutes 40 seconds"), "{words}");
        let mut checked = agent.asks(check());
        agent.answer(Ok(arrived("rt2", identity()))).await;
        let seen = org_of(checked.try_recv().unwrap());
        assert_eq!(seen.standing, StandingWord::Active);
    });
}

#[test]
fn a_check_is_told_what_the_provider_says_and_does_not_wait_longer_than_an_ask() {
    story(async {
        let agent = TestAgent::signed_in(&settings()).await;
        let mut agent = agent.started_anew(&settings()).await;
        let mut checked = agent.asks(check());
        agent.settle().await;
        agent.waits(1_999).await;
        assert!(checked.try_recv().is_err(), "not yet");
        assert!(agent.core.next_wake().unwrap() <= 1);
        agent.waits(1).await;
        let seen = org_of(checked.try_recv().unwrap());
        assert_eq!(seen.standing, StandingWord::Unproven);
        let words = seen.detail.unwrap();
        assert!(words.contains("has not answered yet"), "{words}");
        let mut checked = agent.asks(check());
        let down = EndpointFault::NotSent {
            why: "no route".into(),
        };
        agent.answer(Err(down)).await;
        let seen = org_of(checked.try_recv().unwrap());
        assert_eq!(seen.standing, StandingWord::Unproven);
        assert!(seen.detail.unwrap().contains("could not confirm"));
        // It failed a moment ago: the answer is at once.
        let seen = org_of(agent.reported(check()));
        assert_eq!(seen.standing, StandingWord::Unproven);
        agent.waits(31_000).await;
        let mut checked = agent.asks(check());
        agent.answer(Err(refused())).await;
        let seen = org_of(checked.try_recv().unwrap());
        assert_eq!(seen.standing, StandingWord::Ended);
    });
}

#[test]
fn a_check_has_the_keyring_tried_once_more_as_an_ask_does() {
    story(async {
        let agent = TestAgent::signed_in(&settings()).await;
        agent.fake.breaks("open");
        let mut agent = agent.started_anew(&settings()).await;
        agent.fake.mend();
        let mut checked = agent.asks(check());
        agent.answer(Ok(arrived("rt2", identity()))).await;
        let seen = org_of(checked.try_recv().unwrap());
        assert_eq!(seen.standing, StandingWord::Active);
    });
}

#[test]
fn an_agent_with_somebody_who_waits_for_a_proof_does_not_go() {
    story(async {
        let agent = TestAgent::signed_in(&settings()).await;
        let mut agent = agent.started_anew(&settings()).await;
        let _waits = agent.asks(check());
        let retired = agent.asks(Request::Retire).try_recv().unwrap();
        assert_eq!(code_of(retired), RefusalCode::Busy);
    });
}

/// What `oam why` and `oam token` say of the same, one after the other at two agents that are alike.
#[test]
fn why_after_a_start_says_what_an_ask_gets() {
    story(async {
        let down = || EndpointFault::NotSent {
            why: "no route".into(),
        };
        for up in [true, false] {
            let mut codes = Vec::new();
            for looks in [true, false] {
                let agent = TestAgent::signed_in(&settings()).await;
                let mut agent = agent.started_anew(&settings()).await;
                let mut heard = if looks {
                    agent.asks(Request::Why { ask: ask() })
                } else {
                    agent.get()
                };
                let renewed = arrived("rt2", identity());
                agent
                    .answer(if up { Ok(renewed) } else { Err(down()) })
                    .await;
                if looks {
                    let report = why_of(heard.try_recv().unwrap());
                    assert_eq!(report.role.is_some(), up);
                    assert_eq!(report.rule.is_some(), up);
                    codes.push(report.refusal.map(|refusal| refusal.code));
                } else if up {
                    agent.mint("token").await;
                    assert_eq!(token_of(heard.try_recv().unwrap()), "token");
                    codes.push(None);
                } else {
                    codes.push(Some(code_of(heard.try_recv().unwrap())));
                }
            }
            assert_eq!(codes[0], codes[1]);
            assert_eq!(codes[0], (!up).then_some(RefusalCode::Unproven));
        }
    });
}

#[test]
fn why_knows_that_the_hub_rejected_two_tokens_in_a_row() {
    story(async {
        let mut agent = TestAgent::signed_in(&settings()).await;
        for token in ["t1", "t2"] {
            let _outcome = agent.get();
            agent.mint(token).await;
            let _done = agent.asks(Request::Erase {
                ask: ask(),
                token: Secret::new(token.into()),
            });
        }
        let report = why_of(agent.reported(Request::Why { ask: ask() }));
        assert_eq!(report.refusal.unwrap().code, RefusalCode::Rejected);
        assert_eq!(
            code_of(agent.get().try_recv().unwrap()),
            RefusalCode::Rejected
        );
        agent.fake.pass(30_000);
        let report = why_of(agent.reported(Request::Why { ask: ask() }));
        assert_eq!(report.refusal, None);
    });
}
