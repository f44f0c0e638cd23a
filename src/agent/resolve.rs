//! Which hub, repository, intent and role an ask is about: hub by host, repository by path, intent by ancestry, role by
//! policy. It reads what is known, and changes nothing.

use super::org_session::{Chosen, OrgSessions, with_roles};
use super::ports::Question;
use super::settings::LiveSettings;
use oam_config::agent::{Hub, Org, UnknownIntent};
use oam_model::caller::{Caller, intent_of_ancestry};
use oam_model::name::{HubName, OrgName, Repository};
use oam_model::refusal::Refusal;
use oam_model::report::WhyReport;
use oam_model::role::Action;
use oam_model::time::Moment;
use oam_model::token_request::{Intent, TokenRequest, repository_of_path};
use oam_session::hub::{Owner, among, owner};
use oam_session::role::{AccessRequest, Choice, choose};
use oam_session::state::Need;

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

/// What an ask is resolved by, at one moment.
pub(super) struct Resolver<'a> {
    pub settings: &'a LiveSettings,
    pub org_sessions: &'a OrgSessions,
    /// Why nothing can be served, if so.
    pub closed: Option<Refusal>,
    pub now: Moment,
}

impl Resolver<'_> {
    /// Chooses hub, repository, intent and role; says what refuses before the session machine is asked.
    pub(super) fn resolve(&self, ask: &TokenRequest, front: &str, caller: &Caller) -> Resolved {
        match owner(self.settings, ask) {
            Owner::Hub(org, hub) => self.resolve_at(org, hub, ask, front, caller),
            Owner::Several(hubs) => self.resolve_among(&hubs, ask, front, caller),
            Owner::Nobody => Resolved::NotOurs,
            Owner::Refused(refusal) => Denied::early(self.settings.unread().unwrap_or(refusal)),
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
        match among(self.settings, &asked, &plain(what)) {
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
        if let Some(refusal) = &self.closed {
            return Err(refusal.clone());
        }
        let now = self.now;
        let missing = || Refusal::unavailable("the organization is not there", "try again");
        let org_session = self.org_sessions.get(&org.name).ok_or_else(missing)?;
        let machine = &org_session.machine;
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
        let of = with_roles(Some(org_session), org)?;
        let groups = &live.identity.groups;
        choose(of, hub, groups, wish, self.settings.unknown_intent)
    }

    /// The hub that is named; where none is, the one whose roles cover the ask.
    pub(super) fn hub_of(
        &self,
        ask: &TokenRequest,
        front: &str,
        caller: &Caller,
    ) -> Result<(OrgName, HubName), Refusal> {
        match owner(self.settings, ask) {
            Owner::Hub(org, hub) => Ok((org.name.clone(), hub.name.clone())),
            Owner::Nobody => Err(Refusal::no_hub()),
            Owner::Refused(refusal) => Err(self.settings.unread().unwrap_or(refusal)),
            Owner::Several(_) => match self.resolve(ask, front, caller) {
                Resolved::Chosen(chosen) => Ok((chosen.org.clone(), chosen.hub.clone())),
                Resolved::Refused(denied) => Err(denied.refusal),
                Resolved::NotOurs => Err(Refusal::no_hub()),
            },
        }
    }

    /// Why the session would not serve what was chosen, in the words that the ask for it would get.
    pub(super) fn refused_by_session(&self, chosen: &Chosen) -> Option<Refusal> {
        let org_session = self.org_sessions.get(&chosen.org)?;
        let (order, offline) = (chosen.order(), chosen.offline());
        let served = org_session.machine.would_serve(&order, offline, self.now);
        served.err()
    }

    /// What `oam why` says of an ask without its issuer.
    pub(super) fn why(&self, ask: &TokenRequest, caller: &Caller) -> WhyReport {
        let empty = WhyReport {
            hub: None,
            org: None,
            repository: None,
            action: None,
            role: None,
            rule: None,
            refusal: None,
            groups: Vec::new(),
        };
        match self.resolve(ask, "why", caller) {
            Resolved::NotOurs => WhyReport {
                refusal: Some(Refusal::no_hub()),
                ..empty
            },
            Resolved::Refused(denied) => WhyReport {
                hub: denied.hub,
                org: denied.org,
                repository: denied.repository,
                action: match denied.intent {
                    Intent::Read => Some(Action::Read),
                    Intent::Write => Some(Action::Write),
                    Intent::Unknown => None,
                },
                refusal: Some(denied.refusal),
                ..empty
            },
            Resolved::Chosen(chosen) => {
                let refusal = self.refused_by_session(&chosen);
                let granted = refusal.is_none();
                WhyReport {
                    hub: Some(chosen.hub),
                    org: Some(chosen.org),
                    repository: chosen.repository,
                    action: Some(chosen.choice.action),
                    role: Some(chosen.choice.role).filter(|_| granted),
                    rule: Some(chosen.choice.rule).filter(|_| granted),
                    refusal,
                    ..empty
                }
            }
        }
    }

    /// What the issuer is asked; nothing when the session or the ask itself refuses already.
    pub(super) fn question(
        &self,
        ask: &TokenRequest,
        caller: &Caller,
    ) -> Option<(OrgName, Question)> {
        match self.resolve(ask, "why", caller) {
            Resolved::NotOurs => None,
            Resolved::Chosen(chosen) if self.refused_by_session(&chosen).is_some() => None,
            Resolved::Chosen(chosen) => Some((
                chosen.org,
                Question {
                    hub: chosen.hub,
                    repository: chosen.repository,
                    action: chosen.choice.action,
                    // A role that was not named is for the issuer to choose: it says why not another.
                    role: ask.role.clone(),
                },
            )),
            Resolved::Refused(denied) if denied.by_standing => None,
            Resolved::Refused(denied) => {
                let action = match (denied.intent, self.settings.unknown_intent) {
                    (Intent::Read, _) | (Intent::Unknown, UnknownIntent::Read) => Action::Read,
                    (Intent::Write, _) | (Intent::Unknown, UnknownIntent::Write) => Action::Write,
                    (Intent::Unknown, UnknownIntent::Refuse) => return None,
                };
                let question = Question {
                    hub: denied.hub?,
                    // A path that can't be understood is refused here, and not asked about.
                    repository: match (&denied.repository, ask.path.as_deref()) {
                        (None, Some(path)) if !path.trim_matches('/').is_empty() => return None,
                        (repository, _) => repository.clone(),
                    },
                    action,
                    role: ask.role.clone(),
                };
                Some((denied.org?, question))
            }
        }
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
