//! Renewals of a session: a refresh goes out, what it brings is durable before anything is decided on it.

use super::answers::PortAnswer;
use super::org_context::OrgContext;
use super::org_session::{OrgSession, subject_expires};
use super::ports::{Arrived, UserInfo};
use super::work::Work;
use oam_model::answer::EndpointFault;
use oam_model::identity::Identity;
use oam_model::name::RoleName;
use oam_model::record::{EventKind, Record};
use oam_session::machine::ProviderEvent;
use oam_session::role::holds;
use oam_session::standing::{Meaning, PROVIDER, of_refresh, words};
use oam_session::state::Flight;
use std::rc::Rc;
use std::sync::Arc;

impl OrgSession {
    /// Sends a refresh. The in-flight mark is durable before a byte leaves (promise 3).
    pub(super) fn refresh(&mut self, cx: &mut OrgContext<'_>, flight: Flight) -> Vec<Work> {
        let live = self.machine.standing().live();
        let known = live.map(|live| live.identity.clone());
        let to = self.signed_in_to.clone();
        let (Some(settings), Some(session), Some(known)) = (to, self.session.as_mut(), known)
        else {
            let words = "what was signed in to is not known".to_owned();
            return not_sent(flight, words);
        };
        let before = session.in_flight;
        session.in_flight = Some(before.unwrap_or(0).saturating_add(1));
        let tokens = session.tokens.share();
        if let Err(why) = cx.save(self) {
            if let Some(session) = &mut self.session {
                session.in_flight = before;
            }
            let words = format!("the session state can't be written: {why}");
            return not_sent(flight, words);
        }
        let (idp, org) = (Rc::clone(&cx.ports.idp), self.name.clone());
        cx.aside.run(async move {
            PortAnswer::Refreshed {
                org,
                flight: flight.id,
                result: idp.refresh(&settings, tokens, known).await,
            }
        });
        Vec::new()
    }

    pub(super) fn refreshed(
        &mut self,
        cx: &mut OrgContext<'_>,
        flight: u64,
        result: Result<Arrived, EndpointFault>,
    ) {
        let awaited = self.machine.awaits(flight);
        match result {
            Ok(arrived) if awaited => self.renewed(cx, flight, arrived),
            // The session ended meanwhile: what arrived is nobody's, and is revoked.
            Ok(arrived) => {
                if let Some(to) = &self.signed_in_to {
                    self.revoke_session(cx, to, arrived.tokens.refresh);
                }
            }
            Err(fault) => {
                let meaning = of_refresh(&fault);
                if awaited
                    && meaning == Meaning::Untouched
                    && let Some(session) = &mut self.session
                {
                    // That one did not leave; an earlier one with this token may have.
                    session.in_flight = match session.in_flight {
                        Some(sent) if sent > 1 => Some(sent - 1),
                        _ => None,
                    };
                }
                self.not_renewed(cx, flight, meaning, &fault);
            }
        }
    }

    /// The rotated token is durable before anything is decided on it.
    fn renewed(&mut self, cx: &mut OrgContext<'_>, flight: u64, arrived: Arrived) {
        // Where it was signed in to: the configuration may no longer name the organization.
        let (Some(to), Some(session)) = (self.signed_in_to.clone(), self.session.as_mut()) else {
            return;
        };
        session.id_not_renewed = arrived.without_id;
        session.tokens = arrived.tokens;
        session.in_flight = None;
        session.durable = false;
        if let Some(flaw) = arrived.flaw {
            return self.unproven(cx, flight, &flaw);
        }
        let access = Arc::clone(&session.tokens.access);
        let mut identity = arrived.identity;
        // Named by userinfo before, and by no ID token: they stand until userinfo says otherwise.
        let elsewhere = session.groups_by_userinfo && identity.groups.is_empty();
        if elsewhere && let Some(live) = self.machine.standing().live() {
            identity.groups.clone_from(&live.identity.groups);
        }
        cx.save_quietly(self);
        let is_told = !arrived.without_id && !elsewhere;
        if is_told || to.exchange.issuer().is_some() {
            return self.proven(cx, flight, identity, UserInfo::Unread);
        }
        // Nobody else says whether the groups are still those: where there is an issuer, it asks itself.
        let (idp, org) = (Rc::clone(&cx.ports.idp), self.name.clone());
        cx.aside.run(async move {
            let said = idp.userinfo(&to, access, identity.clone()).await;
            PortAnswer::UserInfo(org, flight, Box::new((identity, said)))
        });
    }

    /// What userinfo said with a renewal, unless the session has ended meanwhile.
    pub(super) fn userinfo_said(
        &mut self,
        cx: &mut OrgContext<'_>,
        flight: u64,
        (identity, said): (Identity, UserInfo),
    ) {
        if self.machine.awaits(flight) {
            self.proven(cx, flight, identity, said);
        }
    }

    fn proven(
        &mut self,
        cx: &mut OrgContext<'_>,
        flight: u64,
        mut identity: Identity,
        said: UserInfo,
    ) {
        let (Some(to), Some(session)) = (self.signed_in_to.as_ref(), self.session.as_mut()) else {
            return;
        };
        let known = std::mem::take(&mut identity.groups);
        identity.groups = session.groups_after(said, known);
        let expires = subject_expires(to, &session.tokens, identity.id_token_expires);
        let live = self.machine.standing().live();
        let had = live
            .map(|live| live.identity.groups.clone())
            .unwrap_or_default();
        let mut record = Record::new(EventKind::Proof, cx.now().wall_ms);
        record.org = Some(self.name.clone());
        record.subject = Some(identity.subject.clone());
        cx.write(&record);
        let org = cx.configured(&self.name);
        let lost: Vec<RoleName> = org
            .iter()
            .flat_map(|org| &org.roles)
            .filter(|role| holds(role, &had) && !holds(role, &identity.groups))
            .map(|role| role.name.clone())
            .collect();
        let name = &self.name;
        if !lost.is_empty() {
            cx.queue.push(name, ProviderEvent::RolesLost(lost).into());
        }
        let other_groups = had != identity.groups;
        let proven = ProviderEvent::Refreshed {
            flight,
            identity,
            subject_expires: expires,
        };
        cx.queue.push(name, proven.into());
        cx.queue.push(name, Work::Resubscribe);
        cx.queue.push(name, Work::RenewalOver { renewed: true });
        if other_groups {
            cx.queue.push(name, Work::GroupsChanged);
        }
    }

    /// An answer whose ID token fails a check: its refresh token is kept, and it proves nothing. Only
    /// an ID token about somebody else ends the session.
    fn unproven(&mut self, cx: &mut OrgContext<'_>, flight: u64, flaw: &EndpointFault) {
        cx.save_quietly(self);
        let meaning = match of_refresh(flaw) {
            Meaning::Ended => Meaning::Ended,
            // The new refresh token was not sent yet: there is nothing to retry and no doubt.
            _ => Meaning::Untouched,
        };
        self.not_renewed(cx, flight, meaning, flaw);
    }

    fn not_renewed(
        &self,
        cx: &mut OrgContext<'_>,
        flight: u64,
        meaning: Meaning,
        fault: &EndpointFault,
    ) {
        let failed = ProviderEvent::RefreshFailed {
            flight,
            meaning,
            words: words(PROVIDER, fault),
        };
        cx.queue.push(&self.name, failed.into());
        cx.queue
            .push(&self.name, Work::RenewalOver { renewed: false });
    }
}

/// A refresh that did not leave: it failed, and whoever waits for a younger bearer waits in vain.
fn not_sent(flight: Flight, words: String) -> Vec<Work> {
    let failed = ProviderEvent::RefreshFailed {
        flight: flight.id,
        meaning: Meaning::Untouched,
        words,
    };
    vec![failed.into(), Work::RenewalAsked]
}
