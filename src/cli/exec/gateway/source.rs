//! Tokens of the agent, one question for each request: what it holds is the cache.

use crate::agent_client::{ANSWER, AgentClient, astray};
use oam_gateway::count::Counts;
use oam_gateway::report;
use oam_gateway::source::{HubCredential, HubOperation, Target, TokenFuture, TokenSource};
use oam_model::granted::{Granted, TokenAnswer};
use oam_model::name::OrgName;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_model::served::ServedTraffic;
use oam_model::token_request::{Intent, TokenRequest};
use oam_terminal::Talk;
use oam_wire::message::{Reply, Request};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// For the record.
const FRONT: &str = "gateway";
/// Connections that are kept for the next question.
const KEPT: usize = 8;

/// The agent as a source of tokens.
#[derive(Clone)]
pub(super) struct AgentTokens(Arc<Inner>);

struct Inner {
    /// The hub, the role, and the repository of requests that name none.
    wanted: TokenRequest,
    /// What passed, for the record of a gateway that is killed.
    org: OrgName,
    counts: Arc<Counts>,
    kept: Mutex<Vec<AgentClient>>,
    talk: Talk,
}

impl AgentTokens {
    /// Tokens as `wanted` says; with each question the agent is told what passed by then at this organization's hub.
    pub(super) fn new(
        wanted: TokenRequest,
        (org, counts): (OrgName, Arc<Counts>),
        talk: Talk,
    ) -> Self {
        Self(Arc::new(Inner {
            wanted,
            org,
            counts,
            kept: Mutex::default(),
            talk,
        }))
    }

    /// What the command would get at first.
    pub(super) fn first(&self) -> Result<Granted, Refusal> {
        Ok(self.0.get(&self.0.wanted)?.granted)
    }

    /// Tells all that passed by now: to an agent that has not heard of it.
    pub(super) fn tell_again(&self) {
        let served = self.0.counts.served();
        if !served.is_empty() {
            self.0.tell_served(&served);
        }
    }

    /// Tells what passes while it passes.
    pub(super) fn report(&self) -> impl Future<Output = ()> + Send + use<> {
        let inner = Arc::clone(&self.0);
        report::while_it_passes(
            Arc::clone(&self.0.counts),
            || Box::pin(tokio::time::sleep(report::EVERY)),
            move |served| {
                let inner = Arc::clone(&inner);
                Box::pin(async move {
                    let _ = tokio::task::spawn_blocking(move || inner.tell_served(&served)).await;
                })
            },
        )
    }
}

impl Inner {
    fn ask(&self, target: &Target) -> TokenRequest {
        let path = target
            .repository
            .as_ref()
            .map(|repository| repository.as_str().to_owned());
        TokenRequest {
            path: path.or_else(|| self.wanted.path.clone()),
            intent: match target.operation {
                HubOperation::Read => Intent::Read,
                HubOperation::Write => Intent::Write,
            },
            ..self.wanted.clone()
        }
    }

    /// An agent of a version that does not know this only lacks it where the gateway is killed. One that can't be reached
    /// is told all of it when it is found again.
    fn tell_served(&self, served: &ServedTraffic) {
        let _ = self.tell(&|| Request::Serving {
            org: self.org.clone(),
            served: served.clone(),
        });
    }

    fn get(&self, ask: &TokenRequest) -> Result<TokenAnswer, Refusal> {
        let front = FRONT.to_owned();
        match self.tell(&|| Request::Get {
            ask: ask.clone(),
            front: front.clone(),
        })? {
            Reply::Token(answer) => Ok(answer),
            _ => Err(astray()),
        }
    }

    /// Asks on a kept connection, and once more on a new one: the agent closes idle ones, or was started anew.
    fn tell(&self, request: &dyn Fn() -> Request) -> Result<Reply, Refusal> {
        let kept = self
            .kept
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        if let Some(mut link) = kept {
            match quietly(&mut link, request()) {
                Err(refusal) if refusal.code == RefusalCode::Unreachable => {}
                settled => {
                    self.keep(link);
                    return settled;
                }
            }
        }
        let mut link = AgentClient::again(self.talk)?;
        let settled = quietly(&mut link, request());
        self.keep(link);
        settled
    }

    fn keep(&self, link: AgentClient) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < KEPT {
            kept.push(link);
        }
    }
}

/// Asks without a word to the terminal, which is the command's while it runs.
fn quietly(link: &mut AgentClient, request: Request) -> Result<Reply, Refusal> {
    link.send(request)?;
    link.next(Some(ANSWER))
}

impl TokenSource for AgentTokens {
    fn token(self: Arc<Self>, target: Target) -> TokenFuture<Result<HubCredential, Refusal>> {
        let inner = Arc::clone(&self.0);
        Box::pin(aside(move || {
            if let Some(served) = inner.counts.untold() {
                inner.tell_served(&served);
            }
            let answer = inner.get(&inner.ask(&target))?;
            Ok(HubCredential {
                token: answer.token,
                scheme: answer.granted.scheme,
                life: Duration::from_secs(answer.granted.expires_in_s),
                username: answer.granted.username,
            })
        }))
    }

    fn rejected(self: Arc<Self>, target: Target, token: Arc<Secret>) -> TokenFuture<()> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move {
            let told = aside(move || {
                let ask = inner.ask(&target);
                inner.tell(&|| Request::Erase {
                    ask: ask.clone(),
                    token: Secret::new(token.expose().to_owned()),
                })
            });
            // Whatever it says, the next token is asked for anew.
            let _ = told.await;
        })
    }
}

/// Asks on a thread that may block.
pub(super) async fn aside<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Refusal> + Send + 'static,
) -> Result<T, Refusal> {
    let asked = tokio::task::spawn_blocking(ask).await;
    asked.unwrap_or_else(|_| {
        Err(Refusal::unavailable(
            "the question to the agent was given up",
            "try again",
        ))
    })
}
