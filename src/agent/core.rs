//! The one task that owns the state.

use super::answers::PortAnswer;
use super::aside::Aside;
use super::command::{AgentCommand, ClientRequest, WaitPolicy, say};
use super::durable::Durable;
use super::followers::{FollowRequest, Followers};
use super::org_session::{OrgSession, OrgSessions, Ticket};
use super::ports::{Ports, StoreWish};
use super::settings::LiveSettings;
use super::work::WorkQueue;
use login::Logins;
use oam_config::agent::Settings;
use oam_model::name::OrgName;
use oam_model::time::Moment;
use oam_session::machine::HostEvent;
use oam_session::notice_queue::NoticeQueue;
use oam_session::subscription::SubscriptionInput;
use oam_wire::message::{Reply, Request};
use proving::ProofWaiter;
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// While a child of `oam exec` uses a token, the session machines are looked at this often at least, ms.
const LONGEST_WITH_CHILDREN_MS: u64 = 15_000;

pub struct AgentCore {
    pub(super) ports: Ports,
    pub(super) version: String,
    pub(super) settings: LiveSettings,
    pub(super) org_sessions: OrgSessions,
    pub(super) durable: Durable,
    pub(super) tickets: BTreeMap<u64, Ticket>,
    pub(super) followers: Followers,
    logins: Logins,
    pub(super) notices: NoticeQueue,
    pub(super) numbers: u64,
    pub(super) parked: Vec<AgentCommand>,
    proof_waiters: Vec<ProofWaiter>,
    pub(super) retired: bool,
    pub(super) queue: WorkQueue,
    ticked: Moment,
    /// Sign-ins that arrived while the sealed state was being read.
    pub(super) arrived: Vec<PortAnswer>,
    pub(super) aside: Aside,
    answers: mpsc::UnboundedReceiver<PortAnswer>,
}

impl AgentCore {
    /// A core in the state that the disk tells. Reads tombstones first, so that an end survives
    /// whatever the keyring does; sweeps token files before anything is accepted.
    pub fn new(ports: Ports, settings: Arc<Settings>, version: &str) -> Self {
        let (aside, answers) = Aside::new();
        let durable = Durable::new(Rc::clone(&ports.vault), Rc::clone(&ports.journal));
        let followers = Followers::new(Rc::clone(&ports.files));
        let ticked = ports.clock.now();
        let mut core = Self {
            ticked,
            arrived: Vec::new(),
            ports,
            version: version.to_owned(),
            settings: LiveSettings::new(settings),
            org_sessions: OrgSessions::new(),
            durable,
            tickets: BTreeMap::new(),
            followers,
            logins: Logins::default(),
            notices: NoticeQueue::default(),
            numbers: 0,
            parked: Vec::new(),
            proof_waiters: Vec::new(),
            retired: false,
            queue: WorkQueue::default(),
            aside,
            answers,
        };
        core.start();
        core
    }

    /// The configuration could not be read at start: `status` says why.
    pub fn settings_not_taken(&mut self, why: String) {
        self.settings.trouble = Some(why);
    }

    /// Runs until the mailbox closes, the core retires or `stop` resolves.
    pub async fn run(
        mut self,
        mut mailbox: mpsc::Receiver<AgentCommand>,
        stop: impl Future<Output = ()>,
    ) {
        tokio::pin!(stop);
        self.open_aside();
        loop {
            if self.next_wake() == Some(0) {
                // Commands come first below: without this a flood of them would keep an overdue
                // withdrawal waiting. What is still due then goes through the sleep, which yields.
                self.tick();
            }
            let wake = self.next_wake();
            tokio::select! {
                biased;
                () = &mut stop => break,
                Some(inner) = self.answers.recv() => self.answered(inner),
                command = mailbox.recv() => match command {
                    Some(command) => self.command(command),
                    None => break,
                },
                () = sleep(wake), if wake.is_some() => self.tick(),
            }
            if self.retired {
                break;
            }
        }
        self.close().await;
    }

    pub(super) fn now(&self) -> Moment {
        self.ports.clock.now()
    }

    pub(super) const fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    fn next_wake(&self) -> Option<u64> {
        let now = self.now();
        let machines = self
            .org_sessions
            .values()
            .filter_map(|org_session| org_session.machine.next_wake(now));
        // The sleep begins anew with every event and stops in a suspend.
        let children = (!self.followers.is_empty())
            .then(|| now.until(self.ticked.plus(LONGEST_WITH_CHILDREN_MS)));
        let sync = self.durable.sync_at.map(|at| now.until(at));
        let links = self.subscription_wake(now);
        let waiters = self.logins.waiters_wake(now);
        let waiters = waiters.into_iter().chain(self.proofs_wake(now));
        let others = children.into_iter().chain(sync).chain(links);
        machines.chain(others).chain(waiters).min()
    }

    /// Milliseconds until something of an issuer wants to be looked at.
    fn subscription_wake(&self, now: Moment) -> Option<u64> {
        let wakes = self.org_sessions.iter().filter_map(|(name, org_session)| {
            let wanted = org_session.wants_news(self.followers.uses(name), now);
            org_session.issuer_client.next_wake(wanted, now)
        });
        wakes.min()
    }

    fn tick(&mut self) {
        if !self.state_is_ours() {
            return;
        }
        let now = self.now();
        self.ticked = now;
        if self.durable.sync_at.is_some_and(|at| now.reached(at)) {
            self.sync_log();
        }
        let orgs: Vec<OrgName> = self.org_sessions.keys().cloned().collect();
        for org in &orgs {
            self.step(org, HostEvent::Tick);
            self.subscription_step(org, SubscriptionInput::Tick);
        }
        for org in &orgs {
            self.of_org(org, OrgSession::release_overdue);
        }
        self.drain();
        for org in &orgs {
            self.of_org(org, OrgSession::send_records);
        }
        self.release();
    }

    fn command(&mut self, command: AgentCommand) {
        if !self.state_is_ours() {
            // Its reply goes with it: whoever asked is told that this agent ends.
            return;
        }
        if self.must_wait_for_opening(&command) {
            self.parked.push(command);
            self.open_aside();
        } else {
            self.admit(command);
        }
        self.drain();
        self.release();
    }

    /// Those whose sign-in or proof is over go on.
    pub(super) fn release(&mut self) {
        self.release_waiters();
        self.release_proven();
    }

    /// A command that need not wait for the sealed state; for a proof and for roles it may have to.
    pub(super) fn admit(&mut self, command: AgentCommand) {
        if let Some(command) = self.prove_for(command) {
            self.admit_proven(command);
        }
    }

    /// A command that need not wait for a proof, or has.
    fn admit_proven(&mut self, command: AgentCommand) {
        if let Some(org) = self.resolver().must_wait_for_roles(&command) {
            self.park_for_roles(&org, command);
        } else {
            self.execute(command, WaitPolicy::Waits);
        }
    }

    /// Keeps a command until the roles are there, or it has waited long enough.
    pub(super) fn park_for_roles(&mut self, org: &OrgName, command: AgentCommand) {
        self.of_org(org, |own, cx| own.park_for_roles(cx, command));
    }

    pub(super) fn execute(&mut self, command: AgentCommand, wait_policy: WaitPolicy) {
        match command {
            AgentCommand::Asked(asked) => self.asked(asked, wait_policy),
            AgentCommand::Configured(Ok(settings)) => self.configured(&settings),
            AgentCommand::Configured(Err(why)) => self.settings.trouble = Some(why),
        }
    }

    fn asked(&mut self, asked: ClientRequest, wait_policy: WaitPolicy) {
        let ClientRequest {
            request,
            caller,
            answers,
        } = asked;
        match request {
            Request::Get { ask, front } => self.get(ask, front, caller, answers, wait_policy),
            Request::Erase { ask: _, token } => self.erase(&token, &caller, &answers),
            Request::Follow {
                ask,
                again,
                with_token,
            } => {
                let wanted = FollowRequest {
                    ask,
                    again,
                    with_token,
                };
                self.follow(wanted, caller, answers, wait_policy);
            }
            Request::Watch { ask } => self.watch(ask, caller, answers, wait_policy),
            Request::Serving { org, served } => {
                self.keep_served(&org, served, &caller);
                say(&answers, Reply::Done);
            }
            Request::Served { org, hub, served } => {
                self.record_served(org, hub, served, caller);
                say(&answers, Reply::Done);
            }
            Request::Login {
                org,
                store,
                or_next_best,
                by,
            } => {
                let store = StoreWish {
                    store,
                    or_next_best,
                };
                self.login(org, (store, by), caller, answers);
            }
            Request::Logout { org } => self.logout(org, caller, answers),
            Request::Status { proof: _ } => say(&answers, Reply::Status(self.reports().status())),
            Request::Roles => say(&answers, Reply::Roles(self.reports().roles())),
            Request::Why { ask } => self.answer_why(ask, caller, answers),
            Request::Anchor => say(&answers, Reply::Anchor(self.anchor_report())),
            Request::AcknowledgeLog => say(&answers, self.acknowledge_log(caller)),
            Request::Organization { url, route } => self.organization(&url, route, answers),
            Request::Provider { org } => self.ask_provider(&org, answers),
            Request::Reload => say(&answers, self.reload()),
            Request::Retire => say(&answers, self.retire()),
        }
    }
}

/// Sleeps on tokio's clock. It stops in a suspend; every event re-reads the boot clock, so nothing
/// is served by it that is too old.
async fn sleep(ms: Option<u64>) {
    if let Some(ms) = ms {
        tokio::time::sleep(Duration::from_millis(ms)).await;
    }
}

mod answered;
mod asks;
mod closing;
mod configured;
mod follow;
mod login;
mod meanwhile;
mod notices;
mod opening;
mod proving;
mod reports;
mod retiring;
mod turn;
mod watch;
mod why;

#[cfg(test)]
mod tests;
