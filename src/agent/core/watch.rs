//! What gateways of `oam exec` ask and tell.

use super::AgentCore;
use crate::answers::PortAnswer;
use crate::command::{ClientRequest, ReplySender, WaitPolicy, say};
use crate::resolve::{Denied, Resolver};
use crate::watcher::Watcher;
use oam_model::caller::Caller;
use oam_model::name::{HubName, OrgName};
use oam_model::organization::Route;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_model::served::ServedTraffic;
use oam_model::token_request::TokenRequest;
use oam_session::state::Need;
use oam_wire::message::{Reply, Request, Watching};

/// For the record.
const FRONT: &str = "gateway";

impl AgentCore {
    /// Tells which hub is meant and that its session stands, and later that it ended. Nothing is granted by it, so only a
    /// refusal is recorded: each token is asked for by itself.
    pub(super) fn watch(
        &mut self,
        ask: TokenRequest,
        caller: Caller,
        answers: ReplySender,
        wait_policy: WaitPolicy,
    ) {
        let reply = match self.resolver().watched(&ask, &caller) {
            Ok(watched) => {
                self.begin_to_watch(&watched, caller, &answers);
                Reply::Watching(watched)
            }
            Err(denied) => {
                if let Some(waits) = self.sign_in_to_await(&denied, wait_policy) {
                    let request = Request::Watch { ask };
                    return self.park(
                        waits,
                        ClientRequest {
                            request,
                            caller,
                            answers,
                        },
                    );
                }
                let (refusal, _) = self.deny(*denied, FRONT, caller, wait_policy);
                Reply::Withdrawn { refusal }
            }
        };
        say(&answers, reply);
    }

    fn begin_to_watch(&mut self, watched: &Watching, caller: Caller, answers: &ReplySender) {
        let number = self.number();
        let Some(org_session) = self.org_sessions.get_mut(&watched.org) else {
            return;
        };
        org_session.watchers.push(Watcher {
            number,
            answers: answers.clone(),
            caller,
            hub: watched.hub.clone(),
            served: None,
            summed: false,
            withdrawn: false,
        });
        let (gone, org) = (answers.clone(), watched.org.clone());
        self.aside.run(async move {
            gone.closed().await;
            PortAnswer::GatewayGone {
                org,
                watcher: number,
            }
        });
    }

    /// What a gateway told while it works, for the case that it is killed.
    pub(super) fn keep_served(&mut self, org: &OrgName, served: ServedTraffic, caller: &Caller) {
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        org_session.hands_out_elsewhere(&served);
        if let Some(watcher) = org_session.watcher(caller).filter(|one| !one.summed) {
            watcher.served = Some(served.bounded());
        }
    }

    /// The process of a gateway is gone. One that could not tell its sum is on record with what it told last.
    pub(super) fn gateway_gone(&mut self, org: &OrgName, watcher: u64) {
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        let watchers = &mut org_session.watchers;
        let at = watchers.iter().position(|one| one.number == watcher);
        let Some(gone) = at.map(|at| watchers.swap_remove(at)) else {
            return;
        };
        if let Some(served) = gone.served.filter(|served| !served.is_empty()) {
            let served = ServedTraffic {
                incomplete: true,
                ..served
            };
            self.record_served(org.clone(), gone.hub, served, gone.caller);
        }
    }

    /// The one record of a command that used a gateway. Any program of this user can tell such a sum, as it can ask for
    /// tokens: the record says who did.
    pub(super) fn record_served(
        &mut self,
        org: OrgName,
        hub: HubName,
        served: ServedTraffic,
        caller: Caller,
    ) {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(&org) else {
            return;
        };
        org_session.hands_out_elsewhere(&served);
        if let Some(watcher) = org_session.watcher(&caller) {
            (watcher.served, watcher.summed) = (None, true);
        }
        let mut record = Record::new(EventKind::Served, now.wall_ms);
        record.epoch = Some(org_session.machine.epoch());
        let live = org_session.machine.standing().live();
        record.subject = live.map(|live| live.identity.subject.clone());
        record.org = Some(org);
        record.hub = Some(hub);
        record.front = Some(FRONT.to_owned());
        record.caller = Some(caller);
        let served = served.bounded();
        if let [one] = served.repositories.as_slice() {
            record.repository.clone_from(&one.repository);
        }
        record.served = Some(served);
        self.write(&record);
    }
}

impl Resolver<'_> {
    /// The hub that a gateway is for, while its session stands.
    fn watched(&self, ask: &TokenRequest, caller: &Caller) -> Result<Watching, Box<Denied>> {
        let mut denied = Box::new(Denied {
            refusal: Refusal::unavailable("the organization is not there", "try again"),
            org: None,
            hub: None,
            repository: None,
            intent: ask.intent,
            by_standing: false,
        });
        match self.hub_of(ask, FRONT, caller) {
            Ok((org, hub)) => (denied.org, denied.hub) = (Some(org), Some(hub)),
            Err(refusal) => denied.refusal = refusal,
        }
        let found = denied.org.as_ref().and_then(|name| {
            let org = self.settings.org(name)?;
            let hub = org
                .hubs
                .iter()
                .find(|one| Some(&one.name) == denied.hub.as_ref())?;
            Some((org, hub, &self.org_sessions.get(name)?.machine))
        });
        let Some((org, hub, machine)) = found else {
            return Err(denied);
        };
        if let Some(refusal) = &self.closed {
            denied.refusal = refusal.clone();
            return Err(denied);
        }
        let now = self.now;
        if machine.standing().need(now, machine.limits()) == Need::Login {
            denied.refusal = machine
                .standing()
                .refusal(org.name.as_str(), now, machine.limits());
            denied.by_standing = true;
            return Err(denied);
        }
        Ok(Watching {
            org: org.name.clone(),
            hub: hub.name.clone(),
            hub_url: hub.url.clone(),
            hub_kind: hub.kind.word().to_owned(),
            variables: hub.variables.clone(),
            route: Route {
                ca_file: org.provider.ca_file.clone(),
                proxy: org.provider.proxy.clone(),
                proxy_auth_file: org.provider.proxy_auth_file.clone(),
            },
            ca_sha256: org.provider.ca_sha256.clone(),
        })
    }
}
