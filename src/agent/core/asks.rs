//! Asks for one token: from what is asked to the session machine, and the records of it.

use super::AgentCore;
use crate::command::{ClientRequest, ReplySender, WaitPolicy, refused, say};
use crate::org_session::Ticket;
use crate::resolve::{Denied, Resolved};
use oam_model::caller::Caller;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::secret::Secret;
use oam_model::token_request::TokenRequest;
use oam_session::machine::{PersonEvent, Who};
use oam_wire::message::{Reply, Request};

impl AgentCore {
    pub(super) fn get(
        &mut self,
        ask: TokenRequest,
        front: String,
        caller: Caller,
        answers: ReplySender,
        wait_policy: WaitPolicy,
    ) {
        match self.resolver().resolve(&ask, &front, &caller) {
            Resolved::NotOurs => {
                say(&answers, Reply::NotOurs);
            }
            Resolved::Refused(denied) => {
                if let Some(waits) = self.waits_for(&denied, wait_policy) {
                    return self.park(
                        waits,
                        ClientRequest {
                            request: Request::Get { ask, front },
                            caller,
                            answers,
                        },
                    );
                }
                let (refusal, epoch) = self.deny(*denied, &front, caller, wait_policy);
                say(&answers, refused(refusal, epoch));
            }
            Resolved::Chosen(chosen) => {
                let ticket = self.number();
                let (org, order, offline) = (chosen.org.clone(), chosen.order(), chosen.offline());
                self.tickets.insert(
                    ticket,
                    Ticket {
                        chosen: *chosen,
                        answers,
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

    /// Refuses who waits for nothing, or no longer: on record, with one notice. What is said, and the epoch it is of.
    pub(super) fn deny(
        &mut self,
        mut denied: Denied,
        front: &str,
        caller: Caller,
        wait_policy: WaitPolicy,
    ) -> (Refusal, u64) {
        self.sign_in_not_awaited(&mut denied, wait_policy);
        let attended = caller.attended;
        self.record_refusal(&denied, front, caller);
        let epoch = self.notice_by_standing(&denied, attended);
        (denied.refusal, epoch)
    }

    /// Drops the one token that the hub rejected. Nobody learns whether it was held.
    pub(super) fn erase(&mut self, token: &Secret, caller: &Caller, answers: &ReplySender) {
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
        say(answers, Reply::Done);
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
        let Some(org) = &denied.org else { return 0 };
        let Some(org_session) = self.org_sessions.get(org) else {
            return 0;
        };
        let epoch = org_session.machine.epoch();
        if denied.by_standing && denied.refusal.code != RefusalCode::Unavailable {
            self.step(org, PersonEvent::TurnedAway { attended });
        }
        epoch
    }

    /// Writes a record; a failure is kept for `status`.
    pub(super) fn write(&mut self, record: &Record) -> bool {
        let written = self.durable.append(record, self.ports.clock.now());
        self.tell_breaks();
        written
    }
}
