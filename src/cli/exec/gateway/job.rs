//! The gateway of a CI job: the tokens come from the issuer, which is asked here.

use super::super::child;
use super::door::Door;
use super::source::aside;
use crate::Done;
use crate::job::JobClient;
use oam_gateway::held::Held;
use oam_gateway::source::{HubCredential, HubOperation, Target, TokenFuture, TokenSource};
use oam_http::Via;
use oam_model::granted::TokenAnswer;
use oam_model::job::{JobFault, JobOrder, JobToken};
use oam_model::refusal::Refusal;
use oam_model::role::Action;
use oam_model::secret::Secret;
use oam_model::token_request::TokenRequest;
use oam_terminal::Show;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The issuer as a source of tokens.
struct JobTokens {
    job: Arc<JobClient>,
    /// The hub and the role, and the repository of requests that name none.
    order: JobOrder,
}

impl TokenSource for JobTokens {
    fn token(self: Arc<Self>, target: Target) -> TokenFuture<Result<HubCredential, Refusal>> {
        Box::pin(aside(move || {
            let order = JobOrder {
                repository: target.repository.or_else(|| self.order.repository.clone()),
                action: match target.operation {
                    HubOperation::Read => Action::Read,
                    HubOperation::Write => Action::Write,
                },
                ..self.order.clone()
            };
            self.job
                .mint(&order)
                .map(hub_credential)
                .map_err(JobFault::told)
        }))
    }

    fn rejected(self: Arc<Self>, _: Target, _: Arc<Secret>) -> TokenFuture<()> {
        // Nothing is kept here, and the issuer's record has the token.
        Box::pin(std::future::ready(()))
    }
}

/// Runs the command behind a gateway, with the job's tokens.
pub(in super::super) fn run(
    show: &Show,
    mut command: Command,
    job: JobClient,
    (ask, is_hf): (&TokenRequest, bool),
    order: JobOrder,
) -> Done {
    // A command whose right is known to be missing is not started.
    let first = if is_hf || order.repository.is_some() {
        Some(job.mint(&order).map_err(JobFault::told)?)
    } else {
        None
    };
    let granted = first.as_ref().map(|token| token.answer.granted.clone());
    let why = first.as_ref().map(super::super::job::granted);
    let (hub, target) = (order.hub.clone(), target(&order));
    let source = JobTokens {
        job: Arc::new(job),
        order,
    };
    let source = Held::new(Arc::new(source), Duration::MAX);
    if let Some(token) = first {
        source.put(&target, hub_credential(token));
    }
    let limit = target.repository.is_some().then_some(target);
    let door = Door::open(&hub.url, &Via::default(), (source, Arc::default()), limit)?;
    super::tell(show, &door, granted.as_ref(), &hub.name, ask.intent);
    if let Some(why) = why {
        show.say(why);
    }
    if !is_hf {
        super::past::warn(show, &hub.url);
    }
    door.equip(&mut command, &hub.kind, &hub.url);
    // The issuer has each exchange on record, and takes no records from jobs: the sum is the job's own word, for its log.
    Ok(child::run(show, command, || {
        for line in super::sum::lines(&door.served()) {
            show.say(line);
        }
    }))
}

fn hub_credential(token: JobToken) -> HubCredential {
    let TokenAnswer { granted, token } = token.answer;
    HubCredential {
        token,
        scheme: granted.scheme,
        life: Duration::from_secs(granted.expires_in_s),
        username: granted.username,
    }
}

/// The requests that the order's token is for.
fn target(order: &JobOrder) -> Target {
    Target {
        repository: order.repository.clone(),
        operation: match order.action {
            Action::Read => HubOperation::Read,
            Action::Write | Action::Manage => HubOperation::Write,
        },
    }
}
