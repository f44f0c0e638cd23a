//! Carries out what a session machine decided, in its order: record first, then the answer.

use super::command::{GatedReply, refused, say};
use super::org_context::OrgContext;
use super::org_session::{OrgSession, Ticket};
use super::work::Work;
use oam_model::granted::{Granted, TokenAnswer};
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_model::time::Moment;
use oam_session::cache::TokenId;
use oam_session::machine::{Effect, Event};
use oam_session::notice_queue::DueNotice;
use oam_wire::message::Reply;
use std::sync::Arc;

impl OrgSession {
    /// Carries out one effect; what it brings is for the queue.
    pub(super) fn perform(&mut self, cx: &mut OrgContext<'_>, effect: Effect) -> Vec<Work> {
        match effect {
            Effect::End { word, reason } => return self.end(cx, word, reason),
            Effect::Doubt(reason) => self.record_of_issuer(cx, EventKind::Doubt, reason),
            Effect::Drop(token) => {
                self.held.remove(&token);
            }
            Effect::Withdraw {
                follower,
                refusal,
                last,
            } => return brought(cx.withdraw(follower, refusal, last)),
            Effect::Notify(kind) => {
                return vec![Work::Tell(DueNotice::Session(self.name.clone(), kind))];
            }
            Effect::Grant { ticket, token } => self.grant(cx, ticket, token),
            Effect::Deliver { follower, token } => {
                return brought(self.deliver(cx, follower, token));
            }
            Effect::Refuse { ticket, refusal } => self.refuse(cx, ticket, refusal),
            Effect::Refresh(flight) => return self.refresh(cx, flight),
            Effect::Mint { flight, order } => return brought(self.mint(cx, flight, order)),
        }
        Vec::new()
    }

    fn grant(&mut self, cx: &mut OrgContext<'_>, ticket: u64, token: TokenId) {
        let now = cx.now();
        let Some(Ticket { chosen, answers }) = cx.tickets.remove(&ticket) else {
            return;
        };
        let epoch = self.machine.epoch();
        let Some(held) = self.held.get(&token) else {
            return;
        };
        let granted = chosen.granted(held, epoch, now);
        let (secret, gate) = (Arc::clone(&held.token), self.gate.clone());
        let mut record = Record::new(EventKind::Grant, now.wall_ms).with_granted(&granted);
        record.subject = self.person();
        record.front = Some(chosen.front);
        record.caller = Some(chosen.caller);
        record.intent = Some(chosen.intent);
        held.sign(&mut record, &chosen.choice.rule);
        if cx.write_grant(&record) {
            self.hand_out(cx, &granted, now);
            let answer = TokenAnswer {
                granted: granted.clone(),
                token: secret,
            };
            say(
                &answers,
                GatedReply::gated(Reply::Token(answer), &granted, gate),
            );
        } else {
            say(&answers, refused(cx.durable.unrecorded(), epoch));
        }
    }

    /// A token is in the sealed state before it leaves, once: an end after a kill names it too.
    pub(super) fn hand_out(&mut self, cx: &mut OrgContext<'_>, granted: &Granted, now: Moment) {
        if self.goes_out(granted, now) {
            cx.save_quietly(self);
        }
    }

    fn refuse(&self, cx: &mut OrgContext<'_>, ticket: u64, refusal: Refusal) {
        let Some(Ticket { chosen, answers }) = cx.tickets.remove(&ticket) else {
            return;
        };
        let epoch = self.machine.epoch();
        let mut record = Record::new(EventKind::Refusal, cx.now().wall_ms);
        record.org = Some(self.name.clone());
        record.subject = self.person();
        record.front = Some(chosen.front);
        record.caller = Some(chosen.caller);
        record.hub = Some(chosen.hub);
        record.repository = chosen.repository;
        record.intent = Some(chosen.intent);
        record.role = Some(chosen.choice.role);
        record.refusal = Some(refusal.code);
        record.detail = Some(refusal.sentence.clone());
        record.epoch = Some(epoch);
        record.request_id = cx.queue.request_in_hand();
        // Refusals leave also when they can't be recorded.
        cx.write(&record);
        say(&answers, refused(refusal, epoch));
    }
}

fn brought(event: Option<Event>) -> Vec<Work> {
    event.into_iter().map(Work::Session).collect()
}
