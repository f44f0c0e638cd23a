//! Carries out what a session machine decided, in its order: record first, then the answer.

use super::answers::PortAnswer;
use super::command::{GatedReply, refused, say};
use super::core::{AgentCore, Ticket};
use super::org_session::{Session, subject_expires};
use super::ports::{Arrived, Notice, UserInfo};
use super::work::Work;
use oam_model::answer::EndpointFault;
use oam_model::granted::{Granted, TokenAnswer};
use oam_model::identity::Identity;
use oam_model::name::{OrgName, RoleName};
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_model::time::Moment;
use oam_session::cache::TokenId;
use oam_session::machine::{Effect, Event, ProviderEvent};
use oam_session::notice;
use oam_session::role::holds;
use oam_session::standing::{Meaning, PROVIDER, of_refresh, words};
use oam_session::state::Flight;
use oam_wire::message::Reply;
use std::rc::Rc;
use std::sync::Arc;

impl AgentCore {
    /// Carries out one effect; what it brings is for the queue.
    pub(super) fn perform(&mut self, org: &OrgName, effect: Effect) -> Vec<Work> {
        match effect {
            Effect::End { word, reason } => return self.end(org, word, reason),
            Effect::Doubt(reason) => self.record_of_issuer(org, EventKind::Doubt, reason),
            Effect::Drop(token) => {
                if let Some(org_session) = self.org_sessions.get_mut(org) {
                    org_session.held.remove(&token);
                }
            }
            Effect::Withdraw {
                follower,
                refusal,
                last,
            } => return brought(self.withdraw(follower, refusal, last)),
            Effect::Notify(occasion) => {
                let text = notice::text(org.as_str(), &occasion);
                let notice = Notice {
                    title: text.title,
                    body: text.body,
                    urgent: text.urgent,
                };
                self.ports.notices.show(notice);
            }
            Effect::Grant { ticket, token } => self.grant(org, ticket, token),
            Effect::Deliver { follower, token } => {
                return brought(self.deliver(org, follower, token));
            }
            Effect::Refuse { ticket, refusal } => self.refuse(org, ticket, refusal),
            Effect::Refresh(flight) => return self.refresh(org, flight),
            Effect::Mint { flight, order } => return brought(self.mint(org, flight, order)),
        }
        Vec::new()
    }

    pub(super) fn subject_of(&self, org: &OrgName) -> Option<String> {
        self.org_sessions
            .get(org)?
            .machine
            .standing()
            .live()
            .map(|live| live.identity.subject.clone())
    }

    fn grant(&mut self, org: &OrgName, ticket: u64, token: TokenId) {
        let now = self.now();
        let Some(Ticket { chosen, answers }) = self.tickets.remove(&ticket) else {
            return;
        };
        let subject = self.subject_of(org);
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        let epoch = org_session.machine.epoch();
        let Some(held) = org_session.held.get(&token) else {
            return;
        };
        let granted = chosen.granted(held, epoch, now);
        let (secret, gate) = (Arc::clone(&held.token), org_session.gate.clone());
        let mut record = Record::new(EventKind::Grant, now.wall_ms).with_granted(&granted);
        record.subject = subject;
        record.front = Some(chosen.front);
        record.caller = Some(chosen.caller);
        record.intent = Some(chosen.intent);
        held.sign(&mut record, &chosen.choice.rule);
        if self.write_grant(&record) {
            self.goes_out(org, &granted, now);
            let answer = TokenAnswer {
                granted: granted.clone(),
                token: secret,
            };
            say(
                &answers,
                GatedReply::gated(Reply::Token(answer), &granted, gate),
            );
        } else {
            say(&answers, refused(self.durable.unrecorded(), epoch));
        }
    }

    /// A token is in the sealed state before it leaves, once: an end after a kill names it too.
    pub(super) fn goes_out(&mut self, org: &OrgName, granted: &Granted, now: Moment) {
        let org_session = self.org_sessions.get_mut(org);
        if org_session.is_some_and(|org_session| org_session.goes_out(granted, now)) {
            self.save_quietly();
        }
    }

    fn refuse(&mut self, org: &OrgName, ticket: u64, refusal: Refusal) {
        let Some(Ticket { chosen, answers }) = self.tickets.remove(&ticket) else {
            return;
        };
        let epoch = self
            .org_sessions
            .get(org)
            .map_or(0, |org_session| org_session.machine.epoch());
        let mut record = Record::new(EventKind::Refusal, self.now().wall_ms);
        record.org = Some(org.clone());
        record.subject = self.subject_of(org);
        record.front = Some(chosen.front);
        record.caller = Some(chosen.caller);
        record.hub = Some(chosen.hub);
        record.repository = chosen.repository;
        record.intent = Some(chosen.intent);
        record.role = Some(chosen.choice.role);
        record.refusal = Some(refusal.code);
        record.detail = Some(refusal.sentence.clone());
        record.epoch = Some(epoch);
        record.request_id.clone_from(&self.request_in_hand);
        // Refusals leave also when they can't be recorded.
        self.write(&record);
        say(&answers, refused(refusal, epoch));
    }

    /// Sends a refresh. The in-flight mark is durable before a byte leaves (promise 3).
    fn refresh(&mut self, org: &OrgName, flight: Flight) -> Vec<Work> {
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return Vec::new();
        };
        let known = org_session
            .machine
            .standing()
            .live()
            .map(|live| live.identity.clone());
        let to = org_session.signed_in_to.clone();
        let (Some(settings), Some(session), Some(known)) =
            (to, org_session.session.as_mut(), known)
        else {
            let words = "what was signed in to is not known".to_owned();
            return not_sent(flight, words);
        };
        let before = session.in_flight;
        session.in_flight = Some(before.unwrap_or(0).saturating_add(1));
        let tokens = session.tokens.share();
        if let Err(why) = self.save() {
            if let Some(session) = self.session_of(org) {
                session.in_flight = before;
            }
            let words = format!("the session state can't be written: {why}");
            return not_sent(flight, words);
        }
        let (idp, org) = (Rc::clone(&self.ports.idp), org.clone());
        self.aside.run(async move {
            PortAnswer::Refreshed {
                org,
                flight: flight.id,
                result: idp.refresh(&settings, tokens, known).await,
            }
        });
        Vec::new()
    }

    fn session_of(&mut self, org: &OrgName) -> Option<&mut Session> {
        self.org_sessions.get_mut(org)?.session.as_mut()
    }

    pub(super) fn refreshed(
        &mut self,
        name: &OrgName,
        flight: u64,
        result: Result<Arrived, EndpointFault>,
    ) {
        let awaited = self
            .org_sessions
            .get(name)
            .is_some_and(|org_session| org_session.machine.awaits(flight));
        match result {
            Ok(arrived) if awaited => self.renewed(name, flight, arrived),
            // The session ended meanwhile: what arrived is nobody's, and is revoked.
            Ok(arrived) => {
                let to = self
                    .org_sessions
                    .get(name)
                    .and_then(|o| o.signed_in_to.clone());
                if let Some(to) = to {
                    self.revoke_session(&to, arrived.tokens.refresh);
                }
            }
            Err(fault) => {
                let meaning = of_refresh(&fault);
                if awaited
                    && meaning == Meaning::Untouched
                    && let Some(session) = self.session_of(name)
                {
                    // That one did not leave; an earlier one with this token may have.
                    session.in_flight = match session.in_flight {
                        Some(sent) if sent > 1 => Some(sent - 1),
                        _ => None,
                    };
                }
                self.step(
                    name,
                    ProviderEvent::RefreshFailed {
                        flight,
                        meaning,
                        words: words(PROVIDER, &fault),
                    },
                );
                self.renewal_over(name, false);
            }
        }
    }

    /// The rotated token is durable before anything is decided on it.
    fn renewed(&mut self, name: &OrgName, flight: u64, arrived: Arrived) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        // Where it was signed in to: the configuration may no longer name the organization.
        let (Some(to), Some(session)) = (
            org_session.signed_in_to.clone(),
            org_session.session.as_mut(),
        ) else {
            return;
        };
        session.id_not_renewed = arrived.without_id;
        session.tokens = arrived.tokens;
        session.in_flight = None;
        session.durable = false;
        if let Some(flaw) = arrived.flaw {
            return self.unproven(name, flight, &flaw);
        }
        let access = Arc::clone(&session.tokens.access);
        let mut identity = arrived.identity;
        // Named by userinfo before, and by no ID token: they stand until userinfo says otherwise.
        let elsewhere = session.groups_by_userinfo && identity.groups.is_empty();
        if elsewhere && let Some(live) = org_session.machine.standing().live() {
            identity.groups.clone_from(&live.identity.groups);
        }
        self.save_quietly();
        let is_told = !arrived.without_id && !elsewhere;
        if is_told || to.exchange.issuer().is_some() {
            return self.proven(name, flight, identity, UserInfo::Unread);
        }
        // Nobody else says whether the groups are still those: where there is an issuer, it asks itself.
        let (idp, org) = (Rc::clone(&self.ports.idp), name.clone());
        self.aside.run(async move {
            let said = idp.userinfo(&to, access, identity.clone()).await;
            PortAnswer::UserInfo(org, flight, Box::new((identity, said)))
        });
    }

    /// What userinfo said with a renewal, unless the session has ended meanwhile.
    pub(super) fn userinfo_said(
        &mut self,
        name: &OrgName,
        flight: u64,
        (identity, said): (Identity, UserInfo),
    ) {
        let org_session = self.org_sessions.get(name);
        if org_session.is_some_and(|org_session| org_session.machine.awaits(flight)) {
            self.proven(name, flight, identity, said);
        }
    }

    fn proven(&mut self, name: &OrgName, flight: u64, mut identity: Identity, said: UserInfo) {
        let Some(org_session) = self.org_sessions.get_mut(name) else {
            return;
        };
        let (Some(to), Some(session)) = (
            org_session.signed_in_to.as_ref(),
            org_session.session.as_mut(),
        ) else {
            return;
        };
        let known = std::mem::take(&mut identity.groups);
        identity.groups = session.groups_after(said, known);
        let expires = subject_expires(to, &session.tokens, identity.id_token_expires);
        let had = org_session
            .machine
            .standing()
            .live()
            .map(|live| live.identity.groups.clone())
            .unwrap_or_default();
        let mut record = Record::new(EventKind::Proof, self.now().wall_ms);
        record.org = Some(name.clone());
        record.subject = Some(identity.subject.clone());
        self.write(&record);
        let org = self.settings.org(name).cloned();
        let lost: Vec<RoleName> = org
            .iter()
            .flat_map(|org| &org.roles)
            .filter(|role| holds(role, &had) && !holds(role, &identity.groups))
            .map(|role| role.name.clone())
            .collect();
        if !lost.is_empty() {
            self.step(name, ProviderEvent::RolesLost(lost));
        }
        let other_groups = had != identity.groups;
        self.step(
            name,
            ProviderEvent::Refreshed {
                flight,
                identity,
                subject_expires: expires,
            },
        );
        self.resubscribe(name);
        self.renewal_over(name, true);
        if other_groups
            && self
                .org_sessions
                .get(name)
                .is_some_and(|o| o.bearer().is_some())
        {
            self.read_roles(name);
        }
    }

    /// An answer whose ID token fails a check: its refresh token is kept, and it proves nothing. Only
    /// an ID token about somebody else ends the session.
    fn unproven(&mut self, name: &OrgName, flight: u64, flaw: &EndpointFault) {
        self.save_quietly();
        let meaning = match of_refresh(flaw) {
            Meaning::Ended => Meaning::Ended,
            // The new refresh token was not sent yet: there is nothing to retry and no doubt.
            _ => Meaning::Untouched,
        };
        self.step(
            name,
            ProviderEvent::RefreshFailed {
                flight,
                meaning,
                words: words(PROVIDER, flaw),
            },
        );
        self.renewal_over(name, false);
    }
}

/// A refresh that did not leave: it failed, and whoever waits for a younger bearer waits in vain.
fn not_sent(flight: Flight, words: String) -> Vec<Work> {
    let failed = ProviderEvent::RefreshFailed {
        flight: flight.id,
        meaning: Meaning::Untouched,
        words,
    };
    vec![Work::Session(failed.into()), Work::RenewalAsked]
}

fn brought(event: Option<Event>) -> Vec<Work> {
    event.into_iter().map(Work::Session).collect()
}
