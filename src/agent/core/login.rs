//! Signing in: one attempt per organization; a second one replaces the first.

mod attempt;
mod waiters;

use super::AgentCore;
use crate::answers::{Accepted, Failed, PortAnswer};
use crate::command::{ReplySender, say};
use crate::durable::Opening;
use crate::first::until_later_than;
use crate::issuer_client::Uploads;
use crate::org_session::{Session, live_of};
use crate::ports::{Authentication, StoreWish};
use crate::work::Work;
use attempt::Attempt;
use oam_config::agent::Org;
use oam_config::digest;
use oam_model::caller::Caller;
use oam_model::identity::Identity;
use oam_model::name::OrgName;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::sign_in::{SignInBy, SignedInBy};
use oam_session::notice_queue::NoticeEvent;
use oam_session::subscription::SubscriptionInput;
use oam_wire::message::Reply;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use tokio::task::AbortHandle;
use waiters::LoginWaiter;

/// Sign-ins under way.
#[derive(Default)]
pub(super) struct Logins {
    under_way: BTreeMap<OrgName, Login>,
    /// Where the organization's issuer refused the last sign-in: the session in the person's browser will
    /// not do, and the next sign-in asks for a new authentication.
    refused: BTreeSet<OrgName>,
    /// Who waits for one of them.
    waiters: Vec<LoginWaiter>,
}

struct Login {
    number: u64,
    /// What is signed in to.
    to: Org,
    digest: String,
    store: StoreWish,
    answers: ReplySender,
    caller: Caller,
    task: AbortHandle,
}

impl Logins {
    pub(super) fn is_empty(&self) -> bool {
        self.under_way.is_empty()
    }

    /// A sign-in is under way whose session is to be kept elsewhere: one key is in use at a time.
    fn is_elsewhere(&self, store: StoreWish) -> bool {
        self.under_way.values().any(|login| login.store != store)
    }
}

impl AgentCore {
    pub(super) fn login(
        &mut self,
        org: Option<OrgName>,
        (store, by): (StoreWish, SignInBy),
        caller: Caller,
        answers: ReplySender,
    ) {
        let org = match (self.settings.org_or_default(org), &self.durable.blocked) {
            (Ok(org), None) => org,
            (Err(refusal), _) => return say(&answers, refusal),
            (Ok(_), Some(blocked)) => return say(&answers, blocked.clone()),
        };
        self.cancel_login(&org.name, "another sign-in was started");
        if self.logins.is_elsewhere(store) {
            return say(&answers, elsewhere());
        }
        let number = self.number();
        let reopen = matches!(self.durable.opening, Opening::Failed(_));
        let attempt = Attempt {
            vault: Rc::clone(&self.durable.vault),
            idp: Rc::clone(&self.ports.idp),
            screen: Rc::clone(&self.ports.screen),
            unattended: (!caller.attended).then_some(caller.pid),
            issuer: Rc::clone(&self.ports.issuer),
            store,
            by,
            authentication: self.authentication(&org.name),
            not_before_ms: self.not_before(&org.name),
            reopen: reopen.then(|| self.aside.clone()),
        };
        let (to, name) = (answers.clone(), org.name.clone());
        let (digest, signed_in_to) = (digest::binding(&org), org.clone());
        let key = org.name.clone();
        let task = self.aside.run(async move {
            let gone = to.clone();
            tokio::select! {
                result = attempt.sign_in(&org, to) => {
                    PortAnswer::LoggedIn { org: name, login: number, result }
                }
                () = gone.closed() => PortAnswer::LoginGone { org: name, login: number },
            }
        });
        let login = Login {
            number,
            to: signed_in_to,
            digest,
            store,
            answers,
            caller,
            task,
        };
        self.logins.under_way.insert(key, login);
    }

    pub(super) fn logout(&mut self, org: Option<OrgName>, caller: Caller, answers: ReplySender) {
        let org = match self.settings.org_or_default(org) {
            Ok(org) => org,
            Err(refusal) => return say(&answers, refusal),
        };
        if let Some(refusal) = self.durable.closed_because() {
            return say(&answers, refusal);
        }
        self.cancel_login(&org.name, "the person signed out");
        self.of_org(&org.name, |own, cx| own.sign_out(cx, caller, answers));
        self.drain();
    }

    /// What the sign-in asks of the provider: after an end, or where the issuer refused the last one, the
    /// session that the person's browser has there would bring back what is over.
    fn authentication(&self, name: &OrgName) -> Authentication {
        if self.durable.was_ended(name) || self.logins.refused.contains(name) {
            Authentication::Anew
        } else {
            Authentication::AsItStands
        }
    }

    /// Milliseconds until a sign-in counts as later than the last end: providers tell times in whole
    /// seconds, and an end wins over a sign-in of its own second.
    fn not_before(&self, name: &OrgName) -> u64 {
        let ended = self
            .durable
            .tombstones
            .get(name)
            .map(|tombstone| tombstone.at_ms);
        ended.map_or(0, |at_ms| until_later_than(at_ms, self.now().wall_ms))
    }

    /// Ends a sign-in under way; its listener closes with the task.
    pub(super) fn cancel_login(&mut self, org: &OrgName, why: &str) {
        if let Some(login) = self.logins.under_way.remove(org) {
            login.task.abort();
            let refusal = Refusal::new(
                RefusalCode::SignedOut,
                format!("this sign-in was given up: {why}"),
                format!("finish the other one, or run `oam login {org}` again"),
            );
            say(&login.answers, refusal);
        }
    }

    /// The client hung up (Ctrl-C): nothing is left open.
    pub(super) fn login_gone(&mut self, org: &OrgName, number: u64) {
        if self
            .logins
            .under_way
            .get(org)
            .is_some_and(|login| login.number == number)
        {
            self.logins.under_way.remove(org);
        }
    }

    pub(super) fn logged_in(
        &mut self,
        name: &OrgName,
        number: u64,
        result: Result<Accepted, Failed>,
    ) {
        if self
            .logins
            .under_way
            .get(name)
            .is_none_or(|login| login.number != number)
        {
            // Given up meanwhile; the session is dropped with what arrived.
            let refresh = match result {
                Ok(accepted) => Some(accepted.arrived.tokens.refresh),
                Err(failed) => failed.refresh,
            };
            if let (Some(refresh), Some(org)) = (refresh, self.settings.org(name).cloned()) {
                self.of_org(name, |own, cx| own.revoke_session(cx, &org, refresh));
            }
            return;
        }
        let Some(login) = self.logins.under_way.remove(name) else {
            return;
        };
        let (by, result) = match result {
            Ok(accepted) => (Some(accepted.by), self.take_in(name, &login, accepted)),
            Err(failed) => {
                if let Some(refresh) = failed.refresh {
                    self.of_org(name, |own, cx| own.revoke_session(cx, &login.to, refresh));
                }
                if failed.by_issuer {
                    self.logins.refused.insert(name.clone());
                }
                (failed.by, Err(failed.refusal))
            }
        };
        match result {
            Ok(reply) => say(&login.answers, reply),
            Err(refusal) => {
                let mut record = Record::new(EventKind::LoginFailed, self.now().wall_ms);
                record.org = Some(name.clone());
                record.caller = Some(login.caller.clone());
                record.refusal = Some(refusal.code);
                record.detail = Some(refusal.sentence.clone());
                record.signed_in_by = by;
                self.write(&record);
                say(&login.answers, refusal);
            }
        }
    }

    /// Takes the new session in, durable first; where it can't be stored, the old one stays as it was.
    fn take_in(
        &mut self,
        name: &OrgName,
        login: &Login,
        accepted: Accepted,
    ) -> Result<Reply, Refusal> {
        let Accepted {
            arrived,
            said,
            by,
            groups_by_userinfo,
        } = accepted;
        let now = self.now();
        let org = self.still_bound(name, login)?;
        if matches!(self.durable.opening, Opening::Failed(_)) {
            // What was sealed before gives way, and with it what it knew of the log.
            let by_itself = self.durable.vault.key_went_with_the_boot();
            self.durable
                .audit_chain
                .was_replaced(by_itself, now.wall_ms);
        }
        self.durable.opening = Opening::Open;
        let identity = arrived.identity.clone();
        let (tokens, at) = (arrived.tokens, began_at(&identity, now.wall_ms));
        let live = live_of(&org, &tokens, arrived.identity, at, Some(now));
        let session = Session {
            groups_by_userinfo,
            ..Session::begun(tokens, at, login.digest.clone())
        };
        let begun = self.at(name, |own, cx| own.begin(cx, &org, session, live));
        let effects = begun.ok_or_else(missing)??;
        // The session is another person's, or begins anew: nothing of the subscription before is true.
        self.subscription_step(name, SubscriptionInput::Bearer(None));
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.forget_issuer(now);
            // Perhaps another person, whose log has another name there: the issuer says what it holds.
            org_session.issuer_client.uploads = Uploads::default();
        }
        self.take_effect(name, login, &identity, by);
        self.carry_out(name, effects);
        self.queue.push(name, Work::Resubscribe);
        self.drain();
        let told = self.at(name, |own, cx| {
            own.roles_at_sign_in(cx, &org, &identity, said)
        });
        self.drain();
        let (roles, unread) = told.ok_or_else(missing)?;
        Ok(Reply::SignedIn {
            org: name.clone(),
            subject: identity.subject,
            email: identity.email,
            roles,
            roles_unread: unread,
        })
    }

    /// The session is durable: the gate opens for its epoch, the tombstone goes.
    fn take_effect(&mut self, name: &OrgName, login: &Login, identity: &Identity, by: SignedInBy) {
        let mut record = Record::new(EventKind::Login, self.now().wall_ms);
        record.org = Some(name.clone());
        record.subject = Some(identity.subject.clone());
        record.caller = Some(login.caller.clone());
        record.kept_in = Some(self.durable.kept_in().to_owned());
        record.signed_in_by = Some(by);
        if let Some(org_session) = self.org_sessions.get_mut(name) {
            org_session.signed_in_to = Some(login.to.clone());
            org_session.gate.set(org_session.machine.epoch());
            record.epoch = Some(org_session.machine.epoch());
        }
        self.logins.refused.remove(name);
        self.durable.forget_end(name);
        self.durable.keep_notices(|memory| memory.forget(name));
        self.notices_step(NoticeEvent::SignedIn(name.clone()));
        self.write(&record);
    }

    fn still_bound(&self, name: &OrgName, login: &Login) -> Result<Org, Refusal> {
        let org = self.settings.org(name).cloned();
        org.filter(|org| digest::binding(org) == login.digest)
            .ok_or_else(|| {
                Refusal::bad_request(
                    format!("the configuration of {name} changed during the sign-in"),
                    format!("run `oam login {name}` again"),
                )
            })
    }
}

/// When the session began, Unix milliseconds: with the authentication that the provider tells of, which may
/// be older than this sign-in. The organization's issuer counts from there too.
fn began_at(identity: &Identity, now_ms: u64) -> u64 {
    let told = identity.auth_time.map(|at| at.saturating_mul(1000));
    told.map_or(now_ms, |at_ms| at_ms.min(now_ms))
}

fn elsewhere() -> Refusal {
    Refusal::new(
        RefusalCode::Busy,
        "another sign-in is under way, and its session is to be kept elsewhere",
        "finish that one first, then try again",
    )
}

fn missing() -> Refusal {
    Refusal::unavailable("the organization is not there", "try again")
}
