//! An organization with an issuer of its own: roles, feed, reasons, records.

use super::*;
use crate::agent::ports::{Issuer as Port, Later, Question};
use crate::config::agent::{Exchange as Kind, Issuer, Org};
use crate::model::feed::{FeedEvent, FeedItem, Poll, Upload};
use crate::model::organization::{Denial, Granting, HeldGrant, HeldRole, VERSION, WhyAnswer};
use crate::model::refusal::RefusalCode;
use crate::model::report::StatusReport;
use crate::model::role::{Action, OfflineRule};
use std::cell::RefCell;

type Answer<T> = oneshot::Sender<Result<T, EndpointFault>>;

/// A feed that is open.
pub(super) struct OpenFeed {
    bearer: String,
    after: Option<String>,
    hear: Box<dyn Fn(FeedItem)>,
    end: Answer<()>,
}

/// An issuer that only remembers.
#[derive(Default)]
pub(super) struct FakeIssuer {
    roles: RefCell<Vec<(String, Answer<Holdings>)>>,
    whys: RefCell<Vec<(Question, Answer<WhyAnswer>)>>,
    uploads: RefCell<Vec<(Upload, Answer<UploadAnswer>)>>,
    polls: RefCell<Vec<Answer<Poll>>>,
    feeds: RefCell<Vec<OpenFeed>>,
}

/// A sender that the test dropped is a connection that broke.
fn later<T: 'static>(
    answer: oneshot::Receiver<Result<T, EndpointFault>>,
) -> Later<Result<T, EndpointFault>> {
    Box::pin(async move { answer.await.unwrap_or_else(|_| Err(lost())) })
}

impl Port for FakeIssuer {
    fn roles(&self, _: &Org, bearer: Arc<Secret>) -> Later<Result<Holdings, EndpointFault>> {
        let (sender, receiver) = oneshot::channel();
        self.roles
            .borrow_mut()
            .push((bearer.expose().to_owned(), sender));
        later(receiver)
    }

    fn why(
        &self,
        _: &Org,
        _: Arc<Secret>,
        question: Question,
    ) -> Later<Result<WhyAnswer, EndpointFault>> {
        let (sender, receiver) = oneshot::channel();
        self.whys.borrow_mut().push((question, sender));
        later(receiver)
    }

    fn upload(
        &self,
        _: &Org,
        _: Arc<Secret>,
        upload: Upload,
    ) -> Later<Result<UploadAnswer, EndpointFault>> {
        let (sender, receiver) = oneshot::channel();
        self.uploads.borrow_mut().push((upload, sender));
        later(receiver)
    }

    fn poll(
        &self,
        _: &Org,
        _: Arc<Secret>,
        _: Option<String>,
    ) -> Later<Result<Poll, EndpointFault>> {
        let (sender, receiver) = oneshot::channel();
        self.polls.borrow_mut().push(sender);
        later(receiver)
    }

    fn feed(
        &self,
        _: &Org,
        bearer: Arc<Secret>,
        after: Option<String>,
        hear: Box<dyn Fn(FeedItem)>,
    ) -> Later<Result<(), EndpointFault>> {
        let (end, receiver) = oneshot::channel();
        self.feeds.borrow_mut().push(OpenFeed {
            bearer: bearer.expose().to_owned(),
            after,
            hear,
            end,
        });
        later(receiver)
    }
}

fn with_issuer() -> Settings {
    let mut settings = settings();
    settings.orgs[0].exchange = Kind::Issuer(Issuer::at("https://issuer.acme.example"));
    settings.orgs[0].roles.clear();
    settings
}

fn held(name: &str, action: Action) -> HeldRole {
    HeldRole {
        role: name.parse().unwrap(),
        description: None,
        because: format!("member of {name}s"),
        lifetime_s: 900,
        offline: OfflineRule::Grace,
        grants: vec![HeldGrant {
            hub: "hub".parse().unwrap(),
            repositories: vec!["acme/*".into()],
            action,
        }],
    }
}

fn holdings(roles: Vec<HeldRole>) -> Holdings {
    Holdings {
        v: VERSION,
        subject: "okta:ada".into(),
        roles,
    }
}

fn denied(code: RefusalCode, sentence: &str) -> EndpointFault {
    EndpointFault::Denied {
        status: 400,
        error: Some("invalid_grant".into()),
        denial: Box::new(Denial {
            code,
            sentence: sentence.into(),
            next: "ask for it".into(),
            request_id: "its-own-id".into(),
        }),
        retry_after_s: None,
    }
}

fn granted(token: &str) -> Minted {
    Minted {
        granting: Some(Granting {
            role: "reader".parse().unwrap(),
            action: Action::Read,
            rule: "reader grants read on hub for acme/* (line 9)".into(),
            wider_than_asked: false,
            request_id: "shared-id".into(),
        }),
        ..minted(token)
    }
}

fn live_until(fake: &Fake, seconds: u64) -> Identity {
    Identity {
        id_token_expires: Some(fake.now.get().unix() + seconds),
        ..identity()
    }
}

fn with_id(id: &str, refresh: &str, identity: Identity) -> Arrived {
    let mut arrived = arrived(refresh, identity);
    arrived.tokens.id = Arc::new(Secret::new(id.into()));
    arrived
}

impl Desk {
    fn issuer(&self) -> Rc<FakeIssuer> {
        Rc::clone(&self.fake.issuer)
    }

    /// Ada is signed in, her roles are told, the feed is open.
    async fn at_issuer() -> Self {
        let fake = Fake::new();
        let mut desk = Self::start(&fake, &with_issuer()).await;
        let mut heard = desk.login_to("acme", Store::Keyring);
        desk.settle().await;
        let arrival = fake.logins.borrow_mut().pop().unwrap();
        let arrived = with_id("id1", "rt1", live_until(&fake, 3600));
        arrival.send(Ok(arrived)).ok().unwrap();
        desk.settle().await;
        desk.tell_roles(vec![
            held("reader", Action::Read),
            held("publisher", Action::Write),
        ])
        .await;
        assert!(matches!(heard.try_recv(), Ok(LoginNews::Challenge { .. })));
        match heard.try_recv() {
            Ok(LoginNews::SignedIn { roles, .. }) => assert_eq!(roles, ["reader", "publisher"]),
            _ => panic!("not signed in"),
        }
        fake.trace.borrow_mut().clear();
        desk
    }

    async fn tell_roles(&mut self, roles: Vec<HeldRole>) {
        let (_, answer) = self
            .issuer()
            .roles
            .borrow_mut()
            .pop()
            .expect("the roles are asked for");
        answer.send(Ok(holdings(roles))).ok().unwrap();
        self.settle().await;
    }

    async fn feed(&mut self, id: Option<&str>, event: FeedEvent) {
        {
            let issuer = self.issuer();
            let feeds = issuer.feeds.borrow();
            let feed = feeds.last().expect("a feed is open");
            (feed.hear)(FeedItem {
                id: id.map(Into::into),
                event,
            });
        }
        self.settle().await;
    }

    async fn beat(&mut self, age_ms: u64) {
        let sent_at_ms = self.fake.now.get().wall_ms;
        let event = FeedEvent::Heartbeat {
            as_of_ms: sent_at_ms - age_ms,
            sent_at_ms,
        };
        self.feed(None, event).await;
    }

    async fn mint_as(&mut self, minted: Result<Minted, EndpointFault>) -> String {
        self.settle().await;
        let mint = self.fake.mints.borrow_mut().pop().expect("an exchange");
        mint.answer.send(minted).ok().unwrap();
        self.settle().await;
        mint.request_id
    }

    async fn wait(&mut self, ms: u64) {
        self.fake.pass(ms);
        self.keeper.tick();
        self.settle().await;
    }

    fn status(&mut self) -> StatusReport {
        let (reply, mut outcome) = oneshot::channel();
        self.keeper.command(Command::Report {
            kind: crate::agent::command::ReportKind::Status,
            reply,
        });
        match outcome.try_recv() {
            Ok(Outcome::Status(report)) => report,
            _ => panic!("no status"),
        }
    }

    fn last_record(&self) -> crate::model::record::Record {
        let lines = self.fake.lines.borrow();
        let entry: crate::model::record::Entry =
            serde_json::from_str(lines.last().unwrap()).unwrap();
        entry.record
    }
}

#[test]
fn the_record_of_a_grant_has_the_issuers_rule_and_the_request_id_of_both_sides() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let outcome = desk.get();
        let sent = desk.mint_as(Ok(granted("t1"))).await;
        assert_eq!(sent.len(), 32);
        token_of(outcome.await.unwrap());
        let record = desk.last_record();
        assert_eq!(record.request_id.as_deref(), Some("shared-id"));
        assert!(record.rule.unwrap().contains("(line 9)"));
    });
}

#[test]
fn the_issuers_denial_is_the_answer_and_is_on_record_under_its_request() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let outcome = desk.get();
        desk.mint_as(Err(denied(
            RefusalCode::Denied,
            "reader grants nothing there",
        )))
        .await;
        match outcome.await.unwrap() {
            Outcome::Refused(refusal, _) => {
                assert_eq!(refusal.code, RefusalCode::Denied);
                assert_eq!(refusal.sentence, "reader grants nothing there");
            }
            _ => panic!("another outcome"),
        }
        assert_eq!(desk.last_record().request_id.as_deref(), Some("its-own-id"));
        // A lost answer is joined by the id that was sent.
        let outcome = desk.get();
        let sent = desk.mint_as(Err(lost())).await;
        assert_eq!(code_of(outcome.await.unwrap()), RefusalCode::Unavailable);
        assert_eq!(desk.last_record().request_id, Some(sent));
    });
}

#[test]
fn an_exchange_that_says_revoked_ends_the_session() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let outcome = desk.get();
        desk.mint_as(Err(denied(
            RefusalCode::Revoked,
            "access to acme was revoked: left",
        )))
        .await;
        match outcome.await.unwrap() {
            Outcome::Refused(refusal, _) => {
                assert_eq!(refusal.code, RefusalCode::Revoked);
                assert_eq!(refusal.sentence, "access to acme was revoked: left");
            }
            _ => panic!("another outcome"),
        }
        assert_eq!(code_of(desk.get().await.unwrap()), RefusalCode::Revoked);
        assert_eq!(desk.fake.on_disk().unwrap().sessions.len(), 0);
    });
}

#[test]
fn an_exchange_that_says_ended_proves_the_session_before_anything_is_served() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let first = desk.get();
        desk.mint_as(Ok(granted("t1"))).await;
        token_of(first.await.unwrap());
        let outcome = desk.get_of("acme/other");
        desk.mint_as(Err(denied(
            RefusalCode::Ended,
            "this token is from before a doubt",
        )))
        .await;
        // The token held is not served meanwhile either.
        let held = desk.get();
        desk.settle().await;
        assert_eq!(desk.fake.mints.borrow().len(), 0);
        let renewed = with_id("id2", "rt2", live_until(&desk.fake, 3600));
        desk.answer(Ok(renewed)).await;
        assert_eq!(desk.fake.mints.borrow().len(), 2);
        desk.mint_as(Ok(granted("t2"))).await;
        desk.mint_as(Ok(granted("t3"))).await;
        let both = [
            token_of(outcome.await.unwrap()),
            token_of(held.await.unwrap()),
        ];
        assert!(!both.contains(&"t1".to_owned()), "{both:?}");
    });
}

#[test]
fn a_heartbeat_keeps_the_proof_fresh_without_a_renewal() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        desk.beat(0).await;
        let outcome = desk.get();
        desk.mint_as(Ok(granted("t1"))).await;
        token_of(outcome.await.unwrap());
        for _ in 0..20 {
            desk.wait(15_000).await;
            desk.beat(1_000).await;
        }
        assert_eq!(token_of(desk.get().await.unwrap()), "t1");
        assert!(desk.fake.refreshes.borrow().is_empty());
        let feed = desk.status().orgs[0].feed.clone().unwrap();
        assert_eq!(feed.state, "connected");
        assert_eq!(feed.as_of, Some(desk.fake.now.get().unix() - 1));
    });
}

#[test]
fn a_revocation_on_the_feed_ends_the_session_at_once() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        desk.beat(0).await;
        let mut heard = desk.follow();
        desk.mint_as(Ok(granted("t1"))).await;
        assert!(matches!(heard.try_recv(), Ok(News::Following(..))));
        let event = FeedEvent::Revoked {
            at_ms: 1,
            reason: "account-disabled".into(),
        };
        desk.feed(Some("1.2"), event).await;
        assert!(is_withdrawn(&mut heard, true));
        assert!(desk.fake.files.borrow().is_empty());
        match desk.get().await.unwrap() {
            Outcome::Refused(refusal, _) => assert!(refusal.sentence.ends_with("account-disabled")),
            _ => panic!("another outcome"),
        }
        assert!(desk.fake.place_of("bury") < desk.fake.place_of("record End"));
        assert_eq!(desk.status().orgs[0].feed.clone().unwrap().state, "off");
        assert_eq!(desk.keeper.link_wake(desk.keeper.now()), None);
    });
}

#[test]
fn a_doubt_takes_tokens_and_files_away_until_the_provider_proves_the_session() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        desk.beat(0).await;
        let mut heard = desk.follow();
        desk.mint_as(Ok(granted("t1"))).await;
        assert!(matches!(heard.try_recv(), Ok(News::Following(..))));
        let event = FeedEvent::Doubt {
            at_ms: 1,
            reason: "logout".into(),
        };
        desk.feed(Some("1.2"), event).await;
        assert!(is_withdrawn(&mut heard, false), "paused");
        assert!(desk.fake.files.borrow().is_empty());
        assert_eq!(
            desk.issuer().feeds.borrow().len(),
            1,
            "not again with the same bearer"
        );
        desk.answer(Ok(with_id("id2", "rt2", live_until(&desk.fake, 3600))))
            .await;
        desk.mint_as(Ok(granted("t2"))).await;
        assert!(matches!(heard.try_recv(), Ok(News::Renewed { .. })));
        let issuer = desk.issuer();
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
        let mut desk = Desk::at_issuer().await;
        let event = FeedEvent::Doubt {
            at_ms: 1,
            reason: "logout".into(),
        };
        desk.feed(None, event).await;
        let outcome = desk.get();
        desk.answer(Err(refused())).await;
        assert_eq!(code_of(outcome.await.unwrap()), RefusalCode::Ended);
    });
}

#[test]
fn a_lost_role_goes_from_a_running_child_and_the_others_stay() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        desk.beat(0).await;
        let mut heard = desk.follow();
        desk.mint_as(Ok(granted("t1"))).await;
        assert!(matches!(heard.try_recv(), Ok(News::Following(..))));
        let event = FeedEvent::RolesChanged {
            at_ms: 1,
            held: vec!["publisher".parse().unwrap()],
            lost: vec!["reader".parse().unwrap()],
        };
        desk.feed(Some("1.3"), event).await;
        match heard.try_recv() {
            Ok(News::Withdrawn(refusal)) => {
                assert_eq!(refusal.code, RefusalCode::Denied);
                assert!(
                    refusal.sentence.contains("no longer hold reader"),
                    "{}",
                    refusal.sentence
                );
            }
            _ => panic!("not withdrawn"),
        }
        assert!(desk.fake.files.borrow().is_empty());
        desk.tell_roles(vec![held("publisher", Action::Write)])
            .await;
        let outcome = desk.get();
        let mut minted = granted("t2");
        minted.granting.as_mut().unwrap().role = "publisher".parse().unwrap();
        desk.mint_as(Ok(minted)).await;
        assert_eq!(token_of(outcome.await.unwrap()), "t2");
    });
}

#[test]
fn an_ask_waits_for_the_roles_and_a_refusal_is_not_made_from_old_ones() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let mut outcome = desk.get_of("other/model");
        // Young: refused at once, the issuer is not asked again.
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Denied);
        desk.wait(61_000).await;
        let outcome = desk.get_of("other/model");
        desk.settle().await;
        let mut wider = held("reader", Action::Read);
        wider.grants[0].repositories = vec!["**".into()];
        desk.tell_roles(vec![wider]).await;
        desk.answer(Ok(with_id("id2", "rt2", live_until(&desk.fake, 3600))))
            .await;
        desk.mint_as(Ok(granted("t1"))).await;
        assert_eq!(token_of(outcome.await.unwrap()), "t1");
    });
}

#[test]
fn whoever_waits_for_roles_that_do_not_come_is_told_so() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        desk.wait(61_000).await;
        let mut outcome = desk.get_of("other/model");
        desk.wait(4_000).await;
        assert_eq!(code_of(outcome.try_recv().unwrap()), RefusalCode::Denied);
    });
}

#[test]
fn a_restart_chooses_at_once_and_goes_on_with_the_feed_while_the_bearer_lives() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let event = FeedEvent::RolesChanged {
            at_ms: 1,
            held: vec!["reader".parse().unwrap()],
            lost: vec![],
        };
        desk.feed(Some("1.7"), event).await;
        desk.tell_roles(vec![held("reader", Action::Read)]).await;
        desk.answer(Ok(with_id("id2", "rt2", live_until(&desk.fake, 3600))))
            .await;
        let fake = Rc::clone(&desk.fake);
        fake.issuer.feeds.borrow_mut().clear();
        let mut desk = Desk::start(&fake, &with_issuer()).await;
        {
            let feeds = fake.issuer.feeds.borrow();
            assert_eq!(feeds.len(), 1);
            assert_eq!(
                (feeds[0].bearer.as_str(), feeds[0].after.as_deref()),
                ("id2", Some("1.7"))
            );
        }
        // The heartbeat is its first proof: no renewal is needed.
        desk.beat(500).await;
        let outcome = desk.get();
        desk.mint_as(Ok(granted("t1"))).await;
        assert_eq!(token_of(outcome.await.unwrap()), "t1");
        assert!(fake.refreshes.borrow().is_empty());
    });
}

#[test]
fn a_restored_session_whose_bearer_has_expired_asks_nobody() {
    story(async {
        let desk = Desk::at_issuer().await;
        let fake = Rc::clone(&desk.fake);
        drop(desk);
        fake.issuer.feeds.borrow_mut().clear();
        fake.pass(3_700_000);
        let desk = Desk::start(&fake, &with_issuer()).await;
        assert!(fake.issuer.feeds.borrow().is_empty() && fake.refreshes.borrow().is_empty());
        assert_eq!(desk.keeper.link_wake(fake.now.get()), None);
    });
}

#[test]
fn an_organization_without_an_issuer_has_no_link_and_no_wake_for_one() {
    story(async {
        let desk = Desk::signed_in(&settings()).await;
        assert!(desk.fake.issuer.feeds.borrow().is_empty());
        assert_eq!(desk.keeper.link_wake(desk.fake.now.get()), None);
    });
}

#[test]
fn a_lost_feed_is_made_anew_and_polled_while_a_token_is_out() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        desk.beat(0).await;
        let outcome = desk.get();
        desk.mint_as(Ok(granted("t1"))).await;
        token_of(outcome.await.unwrap());
        let feed = desk.issuer().feeds.borrow_mut().pop().unwrap();
        feed.end.send(Err(lost())).ok().unwrap();
        desk.settle().await;
        assert_eq!(desk.status().orgs[0].feed.clone().unwrap().state, "down");
        for _ in 0..40 {
            desk.wait(1_000).await;
        }
        assert!(!desk.issuer().feeds.borrow().is_empty());
        let poll = desk.issuer().polls.borrow_mut().pop().expect("a poll");
        let sent_at_ms = desk.fake.now.get().wall_ms;
        let items = vec![FeedItem {
            id: None,
            event: FeedEvent::Heartbeat {
                as_of_ms: sent_at_ms,
                sent_at_ms,
            },
        }];
        poll.send(Ok(Poll { v: VERSION, items })).ok().unwrap();
        desk.settle().await;
        assert!(desk.status().orgs[0].feed.clone().unwrap().polling);
    });
}

#[test]
fn the_issuers_reason_is_the_answer_to_why() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let (reply, outcome) = oneshot::channel();
        desk.keeper.command(Command::Report {
            kind: crate::agent::command::ReportKind::Why(ask(), Caller::default()),
            reply,
        });
        let (question, answer) = desk.issuer().whys.borrow_mut().pop().unwrap();
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
        };
        answer.send(Ok(said)).ok().unwrap();
        match outcome.await.unwrap() {
            Outcome::Why(report) => {
                assert_eq!((report.role, report.refusal), (None, Some(refusal)))
            }
            _ => panic!("another outcome"),
        }
    });
}

#[test]
fn records_go_in_batches_are_kept_over_an_outage_and_are_shown() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        desk.wait(1_000).await;
        desk.wait(3_000).await;
        let (upload, answer) = desk.issuer().uploads.borrow_mut().pop().expect("a batch");
        assert_eq!(upload.log, "0123456789abcdef0123456789abcdef");
        assert_eq!(upload.lines.len() as u64, upload.head_seq);
        answer.send(Err(lost())).ok().unwrap();
        desk.settle().await;
        assert_eq!(desk.status().orgs[0].records.clone().unwrap().held, 0);
        desk.wait(8_000).await;
        let (again, answer) = desk
            .issuer()
            .uploads
            .borrow_mut()
            .pop()
            .expect("the batch again");
        assert_eq!(again.lines[..upload.lines.len()], upload.lines[..]);
        let said = UploadAnswer {
            v: VERSION,
            held_seq: again.head_seq,
            held_hash: again.head_hash.clone(),
            alarm: None,
        };
        answer.send(Ok(said)).ok().unwrap();
        desk.settle().await;
        assert_eq!(
            desk.status().orgs[0].records.clone().unwrap().held,
            again.head_seq
        );
        assert_eq!(desk.keeper.held_by_organizations()[0].hash, again.head_hash);
        // Nothing new: nothing is sent, and nobody is woken for it.
        desk.wait(60_000).await;
        assert!(desk.issuer().uploads.borrow().is_empty());
    });
}

#[test]
fn the_last_records_are_sent_at_the_end() {
    story(async {
        let mut desk = Desk::at_issuer().await;
        let issuer = desk.issuer();
        let answer = async {
            loop {
                if let Some((upload, answer)) = issuer.uploads.borrow_mut().pop() {
                    let said = UploadAnswer {
                        v: VERSION,
                        held_seq: upload.head_seq,
                        held_hash: upload.head_hash,
                        alarm: None,
                    };
                    return answer.send(Ok(said)).is_ok();
                }
                tokio::task::yield_now().await;
            }
        };
        let ((), answered) = tokio::join!(desk.keeper.close(), answer);
        assert!(answered);
        let written = desk.fake.lines.borrow().len() as u64;
        assert_eq!(desk.keeper.held_by_organizations()[0].sequence, written);
    });
}
