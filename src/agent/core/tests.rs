//! The core on ports that only remember: an injected clock, answers given by the test.

mod ends;
mod faults;
mod following;
mod gateways;
mod issuer;
mod log;
mod meanwhile;
mod outside;
mod renewals;
mod settings;
mod setup;
mod warned;

use super::*;
use crate::command::{CommandOutcome, LoginNews, LoginRequest, News, ReportKind};
use crate::ports::SessionStore;
use crate::ports::{Arrived, Minted, UserInfo};
use crate::state::{SessionTokens, Tombstone};
use oam_model::answer::EndpointFault;
use oam_model::caller::Caller;
use oam_model::feed::UploadAnswer;
use oam_model::identity::Identity;
use oam_model::organization::EffectiveRoles;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_model::standing::StandingWord;
use oam_model::token_request::{HubRef, Intent, TokenRequest};
use oam_session::machine::IssuerEvent;
use oam_session::machine::fixture::{START, identity, settings};
use outside::Fake;

/// A core with its outside.
struct TestAgent {
    core: AgentCore,
    fake: Rc<Fake>,
}

/// Runs a story on one thread, as the agent does.
fn story<F: Future<Output = ()>>(told: F) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    tokio::task::LocalSet::new().block_on(&runtime.unwrap(), told);
}

fn acme() -> OrgName {
    "acme".parse().unwrap()
}

fn arrived(refresh: &str, identity: Identity) -> Arrived {
    let secret = |text: &str| Arc::new(Secret::new(text.to_owned()));
    Arrived {
        tokens: SessionTokens {
            refresh: secret(refresh),
            id: secret("id"),
            access: secret("access"),
            access_expires: None,
        },
        identity,
        flaw: None,
        without_id: false,
    }
}

fn minted(token: &str) -> Minted {
    Minted {
        token: Arc::new(Secret::new(token.into())),
        sha256: format!("sha256 of {token}"),
        expires_in_s: 900,
        wider_than_asked: false,
        granting: None,
    }
}

fn ask() -> TokenRequest {
    TokenRequest {
        hub: HubRef::Only,
        path: Some("acme/model".into()),
        intent: Intent::Read,
        role: None,
    }
}

impl TestAgent {
    /// A report that is made at once.
    fn reported(&mut self, kind: ReportKind) -> CommandOutcome {
        let (reply, mut outcome) = oneshot::channel();
        self.core.command(AgentCommand::Report { kind, reply });
        outcome.try_recv().unwrap()
    }

    /// A core that read the disk.
    async fn start(fake: &Rc<Fake>, settings: &Settings) -> Self {
        let mut agent = Self::starting(fake, settings);
        agent.settle().await;
        agent
    }

    /// A core that is about to read the disk.
    fn starting(fake: &Rc<Fake>, settings: &Settings) -> Self {
        let ports = Ports {
            clock: Rc::<Fake>::clone(fake),
            dice: Rc::<Fake>::clone(fake),
            idp: Rc::<Fake>::clone(fake),
            exchange: Rc::<Fake>::clone(fake),
            issuer: Rc::<issuer::FakeIssuer>::clone(&fake.issuer),
            vault: Rc::<Fake>::clone(fake),
            journal: Rc::<Fake>::clone(fake),
            notices: Rc::<Fake>::clone(fake),
            files: Rc::<Fake>::clone(fake),
            published: Rc::<Fake>::clone(fake),
            configuration: Rc::<Fake>::clone(fake),
        };
        let mut core = AgentCore::new(ports, Arc::new(settings.clone()), "test");
        core.open_aside();
        Self {
            core,
            fake: Rc::clone(fake),
        }
    }

    /// A core where ada is signed in, with the refresh token `rt1`.
    async fn signed_in(settings: &Settings) -> Self {
        let fake = Fake::new();
        let mut agent = Self::start(&fake, settings).await;
        agent.sign_in("rt1", identity()).await;
        fake.trace.borrow_mut().clear();
        agent
    }

    /// Lets everything happen that can.
    async fn settle(&mut self) {
        for _ in 0..20 {
            tokio::task::yield_now().await;
            while let Ok(inner) = self.core.answers.try_recv() {
                self.core.answered(inner);
            }
        }
    }

    fn login_to(&mut self, org: &str, store: SessionStore) -> mpsc::Receiver<LoginNews> {
        let (news, heard) = mpsc::channel(8);
        self.core.command(AgentCommand::Login(LoginRequest {
            org: Some(org.parse().unwrap()),
            store: store.into(),
            by: oam_model::sign_in::SignInBy::Browser,
            caller: Caller::default(),
            news,
        }));
        heard
    }

    fn logout(&mut self) -> oneshot::Receiver<CommandOutcome> {
        self.logout_of("acme")
    }

    fn logout_of(&mut self, org: &str) -> oneshot::Receiver<CommandOutcome> {
        let (reply, outcome) = oneshot::channel();
        self.core.command(AgentCommand::Logout {
            org: Some(org.parse().unwrap()),
            caller: Caller::default(),
            reply,
        });
        outcome
    }

    async fn sign_in(&mut self, refresh: &str, identity: Identity) {
        let mut heard = self.login_to("acme", SessionStore::Keyring);
        self.settle().await;
        let arrival = self.fake.logins.borrow_mut().pop().unwrap();
        arrival.send(Ok(arrived(refresh, identity))).ok().unwrap();
        self.settle().await;
        assert!(matches!(heard.try_recv(), Ok(LoginNews::Challenge { .. })));
        assert!(matches!(heard.try_recv(), Ok(LoginNews::SignedIn { .. })));
    }

    fn get(&mut self) -> oneshot::Receiver<CommandOutcome> {
        self.get_of("acme/model")
    }

    fn get_of(&mut self, path: &str) -> oneshot::Receiver<CommandOutcome> {
        let (reply, outcome) = oneshot::channel();
        self.core.command(AgentCommand::Get {
            ask: TokenRequest {
                path: Some(path.into()),
                ..ask()
            },
            front: "git".into(),
            caller: Caller::default(),
            reply,
        });
        outcome
    }

    fn follow(&mut self) -> mpsc::Receiver<News> {
        let (news, heard) = mpsc::channel(8);
        self.core.command(AgentCommand::Follow {
            ask: ask(),
            again: None,
            caller: Caller::default(),
            news,
        });
        heard
    }

    async fn mint(&mut self, token: &str) {
        self.settle().await;
        let mint = self.fake.mints.borrow_mut().pop().unwrap();
        mint.answer.send(Ok(minted(token))).ok().unwrap();
        self.settle().await;
    }

    /// The time passes that a provider is given after a doubt.
    fn provider_has_settled(&mut self) {
        self.fake.pass(oam_session::state::PROVIDER_SETTLES_MS);
        self.core.tick();
    }

    /// Answers the refresh that was sent last.
    async fn answer(&mut self, result: Result<Arrived, EndpointFault>) {
        self.settle().await;
        let refresh = self.fake.refreshes.borrow_mut().pop().unwrap();
        refresh.answer.send(result).ok().unwrap();
        self.settle().await;
    }

    fn configure(&mut self, settings: &Settings) {
        let settings = Ok(Arc::new(settings.clone()));
        self.core.command(AgentCommand::Configured(settings));
    }
}

fn token_of(outcome: CommandOutcome) -> String {
    match outcome {
        CommandOutcome::Token(answer, gate) => {
            assert!(gate.lets(answer.granted.epoch));
            answer.token.expose().to_owned()
        }
        CommandOutcome::Refused(refusal, _) => panic!("refused: {refusal:?}"),
        _ => panic!("another outcome"),
    }
}

fn code_of(outcome: CommandOutcome) -> RefusalCode {
    match outcome {
        CommandOutcome::Refused(refusal, _) => refusal.code,
        CommandOutcome::Token(..) => panic!("a token left"),
        _ => panic!("another outcome"),
    }
}

fn lost() -> EndpointFault {
    EndpointFault::Lost {
        why: "reset".into(),
    }
}

fn refused() -> EndpointFault {
    EndpointFault::Status {
        status: 400,
        error: Some("invalid_grant".into()),
        bare: false,
    }
}

fn is_withdrawn(heard: &mut mpsc::Receiver<News>, for_good: bool) -> bool {
    match heard.try_recv() {
        Ok(News::Withdrawn(_)) => for_good,
        Ok(News::Paused(_)) => !for_good,
        _ => false,
    }
}
