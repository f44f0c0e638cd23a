//! Roles, reasons and records.

use super::*;

#[test]
fn an_ask_waits_for_the_roles_and_a_refusal_is_not_made_from_old_ones() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let mut outcome = agent.get_of("other/model");
        // Young: refused at once, the issuer is not asked again.
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Denied);
        agent.wait(61_000).await;
        let outcome = agent.get_of("other/model");
        agent.settle().await;
        let mut wider = held("reader", Action::Read);
        wider.grants[0].repositories = vec!["**".into()];
        agent.tell_roles(vec![wider]).await;
        agent
            .answer(Ok(with_id("id2", "rt2", live_until(&agent.fake, 3600))))
            .await;
        agent.mint_as(Ok(granted("t1"))).await;
        assert_eq!(token_of(outcome.await.unwrap()), "t1");
    });
}

#[test]
fn whoever_waits_for_roles_that_do_not_come_is_told_so() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.wait(61_000).await;
        let mut outcome = agent.get_of("other/model");
        agent.wait(4_000).await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Denied);
    });
}

#[test]
fn the_issuers_reason_is_the_answer_to_why() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let outcome = agent.asks(Request::Why { ask: ask() });
        let (question, answer) = agent.issuer().whys.borrow_mut().pop().unwrap();
        assert_eq!(
            (question.hub.as_str(), question.action, question.role),
            ("hub", Action::Read, None)
        );
        let refusal = Refusal::denied("your groups hold no role", "ask for one");
        let said = WhyAnswer {
            v: VERSION,
            hub: question.hub,
            repository: question.repository,
            action: question.action,
            decision: None,
            refusal: Some(refusal.clone()),
            groups: Vec::new(),
        };
        answer.send(Ok(said)).ok().unwrap();
        agent.settle().await;
        match outcome.await.unwrap() {
            Reply::Why(report) => {
                assert_eq!((report.role, report.refusal), (None, Some(refusal)));
            }
            _ => panic!("another outcome"),
        }
    });
}

impl TestAgent {
    fn why(&mut self) -> (Heard, Answer<WhyAnswer>) {
        let outcome = self.asks(Request::Why { ask: ask() });
        let (_, answer) = self.issuer().whys.borrow_mut().pop().unwrap();
        (outcome, answer)
    }
}

fn refusal_of(outcome: Reply) -> Refusal {
    match outcome {
        Reply::Why(report) => {
            assert_eq!((report.role, report.rule), (None, None));
            report.refusal.expect("a refusal")
        }
        _ => panic!("another outcome"),
    }
}

#[test]
fn why_that_learns_of_the_end_of_the_identity_says_so_and_ends_the_session() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let (outcome, answer) = agent.why();
        let said = revoked("this account is closed", "left");
        answer.send(Err(said)).ok().unwrap();
        agent.settle().await;
        let refusal = refusal_of(outcome.await.unwrap());
        assert_eq!(refusal.code, RefusalCode::Revoked);
        assert_eq!(refusal.sentence, "access to acme was revoked: left");
        assert_eq!(
            code_of(agent.get().try_recv().unwrap()),
            RefusalCode::Revoked
        );
        assert_eq!(agent.fake.on_disk().unwrap().sessions.len(), 0);
    });
}

#[test]
fn why_that_learns_of_a_doubt_says_so_and_nothing_is_served_before_a_proof() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let (outcome, answer) = agent.why();
        let said = denied(RefusalCode::Ended, "this token is from before a doubt");
        answer.send(Err(said)).ok().unwrap();
        agent.settle().await;
        let refusal = refusal_of(outcome.await.unwrap());
        assert_eq!(refusal.code, RefusalCode::Ended);
        assert_eq!(agent.fake.traced("record Doubt"), 1);
        let _waits = agent.get();
        agent.settle().await;
        assert!(agent.fake.mints.borrow().is_empty());
    });
}

#[test]
fn a_session_that_ended_while_the_issuer_was_asked_is_the_answer_to_why() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let (outcome, answer) = agent.why();
        agent.core.step(
            &acme(),
            IssuerEvent::Over(
                StandingWord::Revoked,
                Some(oam_model::standing::EndReason::Words("left".into())),
            ),
        );
        answer.send(Err(lost())).ok().unwrap();
        agent.settle().await;
        let refusal = refusal_of(outcome.await.unwrap());
        assert_eq!(refusal.code, RefusalCode::Revoked);
    });
}

#[test]
fn records_go_in_batches_are_kept_over_an_outage_and_are_shown() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        agent.wait(1_000).await;
        agent.wait(3_000).await;
        let (upload, answer) = agent.issuer().uploads.borrow_mut().pop().expect("a batch");
        assert_eq!(upload.log.len(), 32);
        assert_eq!(upload.lines.len() as u64, upload.head_seq);
        answer.send(Err(lost())).ok().unwrap();
        agent.settle().await;
        assert_eq!(agent.status().orgs[0].records.clone().unwrap().held, 0);
        agent.wait(8_000).await;
        let (again, answer) = agent
            .issuer()
            .uploads
            .borrow_mut()
            .pop()
            .expect("the batch again");
        assert_eq!(again.log, upload.log);
        assert_eq!(again.lines[..upload.lines.len()], upload.lines[..]);
        let said = UploadAnswer {
            v: VERSION,
            head: None,
            held_seq: again.head_seq,
            held_hash: again.head_hash.clone(),
            alarm: None,
        };
        answer.send(Ok(said)).ok().unwrap();
        agent.settle().await;
        assert_eq!(
            agent.status().orgs[0].records.clone().unwrap().held,
            again.head_seq
        );
        assert_eq!(
            crate::audit_upload::held_at(&agent.core.org_sessions)[0].hash,
            again.head_hash
        );
        // Nothing new: nothing is sent, and nobody is woken for it.
        agent.wait(60_000).await;
        assert!(agent.issuer().uploads.borrow().is_empty());
    });
}

#[test]
fn the_last_records_are_sent_at_the_end() {
    story(async {
        let mut agent = TestAgent::at_issuer().await;
        let issuer = agent.issuer();
        let answer = async {
            loop {
                if let Some((upload, answer)) = issuer.uploads.borrow_mut().pop() {
                    let said = UploadAnswer {
                        v: VERSION,
                        head: None,
                        held_seq: upload.head_seq,
                        held_hash: upload.head_hash,
                        alarm: None,
                    };
                    return answer.send(Ok(said)).is_ok();
                }
                tokio::task::yield_now().await;
            }
        };
        let ((), answered) = tokio::join!(agent.core.close(), answer);
        assert!(answered);
        let written = agent.fake.lines.borrow().len() as u64;
        assert_eq!(
            crate::audit_upload::held_at(&agent.core.org_sessions)[0].sequence,
            written
        );
    });
}
