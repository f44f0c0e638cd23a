//! An organization with an issuer of its own: roles, feed, reasons, records.

mod answers;
mod exchanges;
mod feeds;
mod proving;
mod records;
mod set_up;
mod sign_in;
mod waiting;

use super::*;
use crate::ports::{IssuerApi as Port, LocalBoxFuture, Question, Since};
use oam_config::agent::{Exchange as Kind, IssuerExchange, Org};
use oam_model::feed::{FeedEvent, FeedItem, Poll, Upload};
use oam_model::organization::{Denial, Granting, HeldGrant, HeldRole, VERSION, WhyAnswer};
use oam_model::refusal::RefusalCode;
use oam_model::report::StatusReport;
use oam_model::role::{Action, OfflineRule};
use std::cell::RefCell;

type Answer<T> = oneshot::Sender<Result<T, EndpointFault>>;

/// A feed that is open.
pub(super) struct OpenFeed {
    bearer: String,
    after: Option<String>,
    head: Option<String>,
    hear: Box<dyn Fn(FeedItem)>,
    end: Answer<()>,
}

/// An issuer that only remembers.
#[derive(Default)]
pub(super) struct FakeIssuer {
    roles: RefCell<Vec<(String, Answer<EffectiveRoles>)>>,
    sign_outs: RefCell<Vec<(String, Answer<()>)>>,
    whys: RefCell<Vec<(Question, Answer<WhyAnswer>)>>,
    uploads: RefCell<Vec<(Upload, Answer<UploadAnswer>)>>,
    polls: RefCell<Vec<Answer<Poll>>>,
    feeds: RefCell<Vec<OpenFeed>>,
}

/// A sender that the test dropped is a connection that broke.
fn later<T: 'static>(
    answer: oneshot::Receiver<Result<T, EndpointFault>>,
) -> LocalBoxFuture<Result<T, EndpointFault>> {
    Box::pin(async move { answer.await.unwrap_or_else(|_| Err(lost())) })
}

impl Port for FakeIssuer {
    fn roles(
        &self,
        _: &Org,
        bearer: Arc<Secret>,
    ) -> LocalBoxFuture<Result<EffectiveRoles, EndpointFault>> {
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
    ) -> LocalBoxFuture<Result<WhyAnswer, EndpointFault>> {
        let (sender, receiver) = oneshot::channel();
        self.whys.borrow_mut().push((question, sender));
        later(receiver)
    }

    fn upload(
        &self,
        _: &Org,
        _: Arc<Secret>,
        upload: Upload,
    ) -> LocalBoxFuture<Result<UploadAnswer, EndpointFault>> {
        let (sender, receiver) = oneshot::channel();
        self.uploads.borrow_mut().push((upload, sender));
        later(receiver)
    }

    fn poll(
        &self,
        _: &Org,
        _: Arc<Secret>,
        _: Since,
    ) -> LocalBoxFuture<Result<Poll, EndpointFault>> {
        let (sender, receiver) = oneshot::channel();
        self.polls.borrow_mut().push(sender);
        later(receiver)
    }

    fn signed_out(
        &self,
        _: &Org,
        bearer: Arc<Secret>,
    ) -> LocalBoxFuture<Result<(), EndpointFault>> {
        let (sender, receiver) = oneshot::channel();
        self.sign_outs
            .borrow_mut()
            .push((bearer.expose().to_owned(), sender));
        later(receiver)
    }

    fn feed(
        &self,
        _: &Org,
        bearer: Arc<Secret>,
        since: Since,
        hear: Box<dyn Fn(FeedItem)>,
    ) -> LocalBoxFuture<Result<(), EndpointFault>> {
        let (end, receiver) = oneshot::channel();
        self.feeds.borrow_mut().push(OpenFeed {
            bearer: bearer.expose().to_owned(),
            after: since.after,
            head: since.head,
            hear,
            end,
        });
        later(receiver)
    }
}

fn with_issuer() -> Settings {
    let mut settings = settings();
    settings.orgs[0].exchange = Kind::Issuer(IssuerExchange::at("https://issuer.acme.example"));
    settings.orgs[0].roles.clear();
    settings
}

fn held(name: &str, action: Action) -> HeldRole {
    HeldRole {
        role: name.parse().unwrap(),
        description: None,
        because: format!("member of {name}s"),
        priority: 0,
        lifetime_s: 900,
        offline: OfflineRule::Grace,
        grants: vec![HeldGrant {
            hub: "hub".parse().unwrap(),
            repositories: vec!["acme/*".into()],
            action,
        }],
    }
}

fn holdings(roles: Vec<HeldRole>) -> EffectiveRoles {
    EffectiveRoles {
        v: VERSION,
        subject: "okta:ada".into(),
        roles,
        setup: None,
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
            reason: None,
            request_id: "its-own-id".into(),
        }),
        retry_after_s: None,
    }
}

/// The issuer's word that access is revoked, in whatever words: its reason is a field.
fn revoked(sentence: &str, reason: &str) -> EndpointFault {
    let mut fault = denied(RefusalCode::Revoked, sentence);
    if let EndpointFault::Denied { denial, .. } = &mut fault {
        denial.reason = Some(reason.into());
    }
    fault
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

impl TestAgent {
    fn issuer(&self) -> Rc<FakeIssuer> {
        Rc::clone(&self.fake.issuer)
    }

    /// Ada is signed in, her roles are told, the feed is open.
    async fn at_issuer() -> Self {
        let fake = Fake::new();
        let mut agent = Self::start(&fake, &with_issuer()).await;
        let mut heard = agent.login_to("acme", StoreChoice::Keyring);
        agent.settle().await;
        let arrival = fake.logins.borrow_mut().pop().unwrap();
        let arrived = with_id("id1", "rt1", live_until(&fake, 3600));
        arrival.send(Ok(arrived)).ok().unwrap();
        agent.settle().await;
        agent
            .tell_roles(vec![
                held("reader", Action::Read),
                held("publisher", Action::Write),
            ])
            .await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Challenge { .. })));
        match heard.try_recv() {
            Ok(Reply::SignedIn { roles, .. }) => assert_eq!(roles, ["reader", "publisher"]),
            _ => panic!("not signed in"),
        }
        fake.trace.borrow_mut().clear();
        agent
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
            setup: None,
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
        self.core.tick();
        self.settle().await;
    }

    fn status(&mut self) -> StatusReport {
        match self.asks(Request::Status { proof: false }).try_recv() {
            Ok(Reply::Status(report)) => report,
            _ => panic!("no status"),
        }
    }

    fn last_record(&self) -> oam_model::record::Record {
        let lines = self.fake.lines.borrow();
        let entry: oam_model::record::Entry = serde_json::from_str(lines.last().unwrap()).unwrap();
        entry.record
    }
}
