//! The core on ports that only remember: an injected clock, answers given by the test.

mod ends;
mod faults;
mod following;
mod gateways;
mod issuer;
mod log;
mod meanwhile;
mod outside;
mod proving;
mod renewals;
mod screen;
mod settings;
mod setup;
mod warned;

use super::*;
use crate::command::{EpochGate, GatedReply};
use crate::ports::{
    Arrived, AuditFile, ChildTokenFiles, Clock, IdentityProvider, Minted, Rng, TokenEndpoint,
    UserInfo, Vault,
};
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
use oam_wire::message::{Reply, Request, StoreChoice};
use outside::Fake;
use tokio::sync::oneshot;

/// A core with its outside.
struct TestAgent {
    core: AgentCore,
    fake: Rc<Fake>,
}

/// What a client hears.
struct Heard {
    answers: mpsc::Receiver<GatedReply>,
    /// Of the last answer with a token.
    gate: Option<(EpochGate, u64)>,
}

impl Heard {
    /// An answer that is there; one with a token passes its gate.
    fn try_recv(&mut self) -> Result<Reply, mpsc::error::TryRecvError> {
        let answer = self.answers.try_recv()?;
        if let Some((gate, epoch)) = &answer.gate {
            assert!(gate.lets(*epoch));
            self.gate = Some((gate.clone(), *epoch));
        }
        Ok(answer.reply)
    }
}

impl IntoFuture for Heard {
    type Output = Option<Reply>;
    type IntoFuture = std::pin::Pin<Box<dyn Future<Output = Option<Reply>>>>;

    fn into_future(mut self) -> Self::IntoFuture {
        Box::pin(async move { self.answers.recv().await.map(|answer| answer.reply) })
    }
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
    fn reported(&mut self, request: Request) -> Reply {
        self.asks(request).try_recv().unwrap()
    }

    /// What a client asks.
    fn asks(&mut self, request: Request) -> Heard {
        self.asks_as(Caller::default(), request)
    }

    fn asks_as(&mut self, caller: Caller, request: Request) -> Heard {
        let (answers, heard) = mpsc::channel(8);
        self.core.command(AgentCommand::Asked(ClientRequest {
            request,
            caller,
            answers,
        }));
        Heard {
            answers: heard,
            gate: None,
        }
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
            rng: Rc::<Fake>::clone(fake),
            idp: Rc::<Fake>::clone(fake),
            exchange: Rc::<Fake>::clone(fake),
            issuer: Rc::<issuer::FakeIssuer>::clone(&fake.issuer),
            vault: Rc::<Fake>::clone(fake),
            journal: Rc::<Fake>::clone(fake),
            notices: Rc::<Fake>::clone(fake),
            screen: Rc::<Fake>::clone(fake),
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

    fn login_to(&mut self, org: &str, store: StoreChoice) -> Heard {
        self.asks(Request::Login {
            org: Some(org.parse().unwrap()),
            store,
            or_next_best: false,
            by: oam_model::sign_in::SignInBy::Browser,
        })
    }

    fn logout(&mut self) -> Heard {
        self.logout_of("acme")
    }

    fn logout_of(&mut self, org: &str) -> Heard {
        self.asks(Request::Logout {
            org: Some(org.parse().unwrap()),
        })
    }

    async fn sign_in(&mut self, refresh: &str, identity: Identity) {
        let mut heard = self.login_to("acme", StoreChoice::Keyring);
        self.settle().await;
        let arrival = self.fake.logins.borrow_mut().pop().unwrap();
        arrival.send(Ok(arrived(refresh, identity))).ok().unwrap();
        self.settle().await;
        assert!(matches!(heard.try_recv(), Ok(Reply::Challenge { .. })));
        assert!(matches!(heard.try_recv(), Ok(Reply::SignedIn { .. })));
    }

    fn get(&mut self) -> Heard {
        self.get_of("acme/model")
    }

    fn get_of(&mut self, path: &str) -> Heard {
        self.asks(Request::Get {
            ask: TokenRequest {
                path: Some(path.into()),
                ..ask()
            },
            front: "git".into(),
        })
    }

    fn follow(&mut self) -> Heard {
        self.asks(Request::Follow {
            ask: ask(),
            again: None,
            with_token: false,
        })
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

fn token_of(outcome: Reply) -> String {
    match outcome {
        Reply::Token(answer) => answer.token.expose().to_owned(),
        Reply::Refused { refusal, .. } => panic!("refused: {refusal:?}"),
        _ => panic!("another outcome"),
    }
}

fn code_of(outcome: Reply) -> RefusalCode {
    match outcome {
        Reply::Refused { refusal, .. } => refusal.code,
        Reply::Token(..) => panic!("a token left"),
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

fn is_withdrawn(heard: &mut Heard, for_good: bool) -> bool {
    match heard.try_recv() {
        Ok(Reply::Withdrawn { .. }) => for_good,
        Ok(Reply::Paused { .. }) => !for_good,
        _ => false,
    }
}
