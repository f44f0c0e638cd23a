//! From an ask to the session machine: hub by host, repository by path, intent by ancestry, role by policy.

use super::command::{AgentCommand, CommandOutcome};
use super::core::{AgentCore, Ticket};
use super::effective_roles::WaitPolicy;
use super::org_session::Chosen;
use oam_config::agent::{Hub, Org};
use oam_model::caller::{Caller, intent_of_ancestry};
use oam_model::name::{HubName, OrgName, Repository};
use oam_model::record::{EventKind, Record};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_model::token_request::{Intent, TokenRequest, repository_of_path};
use oam_session::hub::{Owner, among, owner};
use oam_session::machine::{Effect, PersonEvent, Who};
use oam_session::role::{AccessRequest, Choice, choose};
use oam_session::state::Need;
use tokio::sync::oneshot;

/// What became of an ask before the session machine sees it.
pub(super) enum Resolved {
    NotOurs,
    /// Boxed: it is much larger than the others.
    Chosen(Box<Chosen>),
    Refused(Box<Denied>),
}

/// A refusal, with as much as is known about the ask.
pub(super) struct Denied {
    pub refusal: Refusal,
    pub org: Option<OrgName>,
    pub hub: Option<HubName>,
    pub repository: Option<Repository>,
    pub intent: Intent,
    /// The standing alone refuses: the session machine decides about a notification.
    pub by_standing: bool,
}

impl Denied {
    fn early(refusal: Refusal) -> Resolved {
        Resolved::Refused(Box::new(Self {
            refusal,
            org: None,
            hub: None,
            repository: None,
            intent: Intent::Unknown,
            by_standing: false,
        }))
    }
}

impl AgentCore {
    /// Chooses hub, repository, intent and role; says what refuses before the session machine is asked.
    pub(super) fn resolve(&self, ask: &TokenRequest, front: &str, caller: &Caller) -> Resolved {
        match owner(&self.settings, ask) {
            Owner::Hub(org, hub) => self.resolve_at(org, hub, ask, front, caller),
            Owner::Several(hubs) => self.resolve_among(&hubs, ask, front, caller),
            Owner::Nobody => Resolved::NotOurs,
            Owner::Refused(refusal) => {
                Denied::early(self.unread_configuration().unwrap_or(refusal))
            }
        }
    }

    /// No hub was named: what the roles cover decides.
    fn resolve_among(
        &self,
        hubs: &[(&Org, &Hub)],
        ask: &TokenRequest,
        front: &str,
        caller: &Caller,
    ) -> Resolved {
        let resolve = |(org, hub): &(&Org, &Hub)| self.resolve_at(org, hub, ask, front, caller);
        let mut answers: Vec<Resolved> = hubs.iter().map(resolve).collect();
        let asked: Vec<(&Hub, Option<&Refusal>)> = hubs
            .iter()
            .zip(&answers)
            .map(|((_, hub), answer)| match answer {
                Resolved::Refused(denied) => (*hub, Some(&denied.refusal)),
                Resolved::Chosen(_) | Resolved::NotOurs => (*hub, None),
            })
            .collect();
        let what = ask.path.as_deref().unwrap_or("the whole hub");
        match among(&self.settings, &asked, &plain(what)) {
            Ok(at) => answers.swap_remove(at),
            Err(refusal) => {
                let mut orgs = hubs.iter().map(|(org, _)| &org.name);
                let first = orgs.next().filter(|first| orgs.all(|org| org == *first));
                let intent = ask_intent(ask, caller);
                let repository = ask.path.as_deref().map(repository_of_path);
                Resolved::Refused(Box::new(Denied {
                    refusal,
                    org: first.cloned(),
                    hub: None,
                    repository: repository.and_then(Result::ok).flatten(),
                    intent,
                    by_standing: false,
                }))
            }
        }
    }

    fn resolve_at(
        &self,
        org: &Org,
        hub: &Hub,
        ask: &TokenRequest,
        front: &str,
        caller: &Caller,
    ) -> Resolved {
        let intent = ask_intent(ask, caller);
        let mut denied = Denied {
            refusal: Refusal::denied("", ""),
            org: Some(org.name.clone()),
            hub: Some(hub.name.clone()),
            repository: None,
            intent,
            by_standing: false,
        };
        match ask.path_at(&hub.url).map_or(Ok(None), repository_of_path) {
            Ok(repository) => denied.repository = repository,
            Err(fault) => {
                let next = "check the remote's URL with `git remote -v`";
                denied.refusal = Refusal::bad_request(fault.to_string(), next);
                return Resolved::Refused(Box::new(denied));
            }
        }
        match self.choice(org, hub, ask, front, &mut denied) {
            Ok(choice) => Resolved::Chosen(Box::new(Chosen {
                org: org.name.clone(),
                hub: hub.name.clone(),
                hub_url: hub.url.clone(),
                hub_kind: hub.kind.word(),
                variables: hub.variables.clone(),
                scheme: hub.scheme,
                username: hub.username.clone(),
                repository: denied.repository,
                intent,
                choice,
                front: front.to_owned(),
                caller: caller.clone(),
            })),
            Err(refusal) => {
                denied.refusal = refusal;
                Resolved::Refused(Box::new(denied))
            }
        }
    }

    /// The role for an ask, as far as the session's standing lets it be chosen at all.
    fn choice(
        &self,
        org: &Org,
        hub: &Hub,
        ask: &TokenRequest,
        front: &str,
        denied: &mut Denied,
    ) -> Result<Choice, Refusal> {
        if let Some(refusal) = self.closed_because() {
            return Err(refusal);
        }
        let now = self.now();
        let missing = || Refusal::unavailable("the organization is not there", "try again");
        let machine = &self
            .org_sessions
            .get(&org.name)
            .ok_or_else(missing)?
            .machine;
        let (standing, limits) = (machine.standing(), machine.limits());
        let served = standing.need(now, limits) != Need::Login;
        let Some(live) = standing.live().filter(|_| served) else {
            denied.by_standing = true;
            return Err(standing.refusal(org.name.as_str(), now, limits));
        };
        let wish = AccessRequest {
            repository: denied.repository.as_ref(),
            intent: denied.intent,
            role: ask.role.as_ref(),
            by_git: front == "git",
        };
        let of = self.with_roles(org)?;
        let groups = &live.identity.groups;
        choose(of, hub, groups, wish, self.settings.unknown_intent)
    }

    pub(super) fn get(
        &mut self,
        ask: TokenRequest,
        front: String,
        caller: Caller,
        reply: oneshot::Sender<CommandOutcome>,
        patience: WaitPolicy,
    ) {
        match self.resolve(&ask, &front, &caller) {
            Resolved::NotOurs => {
                let _ = reply.send(CommandOutcome::NotOurs);
            }
            Resolved::Refused(denied) => {
                if let Some(org) = self.may_read_roles_for(&denied, patience) {
                    let again = AgentCommand::Get {
                        ask,
                        front,
                        caller,
                        reply,
                    };
                    return self.park_for_roles(&org, again);
                }
                let attended = caller.attended;
                self.record_refusal(&denied, &front, caller);
                let epoch = self.notice_by_standing(&denied, attended);
                let _ = reply.send(CommandOutcome::Refused(denied.refusal, epoch));
            }
            Resolved::Chosen(chosen) => {
                let ticket = self.number();
                let (org, order, offline) = (chosen.org.clone(), chosen.order(), chosen.offline());
                self.tickets.insert(
                    ticket,
                    Ticket {
                        chosen: *chosen,
                        reply,
                    },
                );
                self.step(
                    &org,
                    PersonEvent::Asked {
                        who: Who::Ticket(ticket),
                        order,
                        offline,
                    },
                );
            }
        }
    }

    /// Drops the one token that the hub rejected. Nobody learns whether it was held.
    pub(super) fn erase(
        &mut self,
        token: &Secret,
        caller: &Caller,
        reply: oneshot::Sender<CommandOutcome>,
    ) {
        let found = self.org_sessions.iter().find_map(|(org, org_session)| {
            let held = org_session
                .held
                .iter()
                .find(|(_, held)| held.token.matches(token))?;
            Some((org.clone(), *held.0, held.1.sha256.clone()))
        });
        if let Some((org, id, sha256)) = found {
            let mut record = Record::new(EventKind::Erase, self.now().wall_ms);
            record.org = Some(org.clone());
            record.caller = Some(caller.clone());
            record.token_sha256 = Some(sha256);
            self.write(&record);
            self.step(&org, PersonEvent::Rejected(id));
        }
        let _ = reply.send(CommandOutcome::Done);
    }

    pub(super) fn record_refusal(&mut self, denied: &Denied, front: &str, caller: Caller) {
        let mut record = Record::new(EventKind::Refusal, self.now().wall_ms);
        record.org.clone_from(&denied.org);
        record.hub.clone_from(&denied.hub);
        record.repository.clone_from(&denied.repository);
        record.intent = Some(denied.intent);
        record.front = Some(front.to_owned());
        record.caller = Some(caller);
        record.refusal = Some(denied.refusal.code);
        record.detail = Some(denied.refusal.sentence.clone());
        if let Some(org_session) = denied
            .org
            .as_ref()
            .and_then(|org| self.org_sessions.get(org))
        {
            record.epoch = Some(org_session.machine.epoch());
            record.subject = org_session
                .machine
                .standing()
                .live()
                .map(|live| live.identity.subject.clone());
        }
        self.write(&record);
    }

    /// Lets the session machine notify once when somebody is turned away because nobody is signed in.
    pub(super) fn notice_by_standing(&mut self, denied: &Denied, attended: bool) -> u64 {
        let now = self.now();
        let Some(org) = &denied.org else { return 0 };
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return 0;
        };
        let epoch = org_session.machine.epoch();
        if denied.by_standing && denied.refusal.code != RefusalCode::Unavailable {
            let mut effects = org_session.machine.turn_away(Who::Ticket(0), attended, now);
            effects.retain(|effect| !matches!(effect, Effect::Refuse { ticket: 0, .. }));
            let org = org.clone();
            self.carry_out(&org, effects);
        }
        epoch
    }

    /// Writes the record of a grant. While the log can't be made durable it counts as written only when
    /// it is durable at once (promise 4).
    pub(super) fn write_grant(&mut self, record: &Record) -> bool {
        self.write(record)
            && (self.audit_chain.not_durable.is_none() || self.audit_chain.sync().is_ok())
    }

    /// Writes a record; a failure is kept for `status`.
    pub(super) fn write(&mut self, record: &Record) -> bool {
        let written = self.audit_chain.append(record).is_ok();
        if written {
            self.log_is_dirty();
        }
        self.tell_breaks();
        written
    }
}

/// As told, else as the caller's ancestry tells.
fn ask_intent(ask: &TokenRequest, caller: &Caller) -> Intent {
    match ask.intent {
        Intent::Unknown => intent_of_ancestry(&caller.ancestry),
        told => told,
    }
}

/// A path as the caller gave it, fit for a sentence.
fn plain(path: &str) -> String {
    path.chars().filter(|c| !c.is_control()).take(200).collect()
}
