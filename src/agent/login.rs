//! Signing in: one attempt per organization; a second one replaces the first.

use super::command::LoginNews;
use super::issuing::Records;
use super::keeper::{Inner, Keeper};
use super::office::{Session, live_of};
use super::opening::Opening;
use super::ports::{Arrived, Idp, Store, Vault};
use crate::config::agent::Org;
use crate::config::digest;
use crate::model::caller::Caller;
use crate::model::identity::Identity;
use crate::model::name::OrgName;
use crate::model::record::{Happening, Record};
use crate::model::refusal::{Refusal, RefusalCode};
use crate::rules::desk::Event;
use crate::rules::role::holds;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

/// Sign-ins under way.
#[derive(Default)]
pub(super) struct Logins(BTreeMap<OrgName, Login>);

struct Login {
    number: u64,
    /// What is signed in to.
    to: Org,
    digest: String,
    store: Store,
    news: mpsc::Sender<LoginNews>,
    caller: Caller,
    task: AbortHandle,
}

impl Logins {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Keeper {
    pub(super) fn login(
        &mut self,
        org: Option<OrgName>,
        store: Store,
        caller: Caller,
        news: mpsc::Sender<LoginNews>,
    ) {
        let org = match (self.org_or_default(org), &self.blocked) {
            (Ok(org), None) => org,
            (Err(refusal), _) => return say(&news, LoginNews::Refused(refusal)),
            (Ok(_), Some(blocked)) => return say(&news, LoginNews::Refused(blocked.clone())),
        };
        self.cancel_login(&org.name, "another sign-in was started");
        if self.logins.0.values().any(|login| login.store != store) {
            let refusal = Refusal::new(
                RefusalCode::Busy,
                "another sign-in is under way, and its session is to be kept elsewhere",
                "finish that one first, then try again",
            );
            return say(&news, LoginNews::Refused(refusal));
        }
        let number = self.number();
        let reopen = matches!(self.opening, Opening::Failed(_));
        let (vault, idp) = (Rc::clone(&self.ports.vault), Rc::clone(&self.ports.idp));
        let (inner, to, name) = (self.inner.clone(), news.clone(), org.name.clone());
        let (digest, signed_in_to) = (digest::binding(&org), org.clone());
        let key = org.name.clone();
        let task = tokio::task::spawn_local(async move {
            let gone = to.clone();
            tokio::select! {
                result = sign_in(vault, idp, &org, store, to, reopen.then(|| inner.clone())) => {
                    let _ = inner.send(Inner::LoggedIn { org: name, login: number, result });
                }
                () = gone.closed() => {
                    let _ = inner.send(Inner::LoginGone { org: name, login: number });
                }
            }
        });
        let login = Login {
            number,
            to: signed_in_to,
            digest,
            store,
            news,
            caller,
            task: task.abort_handle(),
        };
        self.logins.0.insert(key, login);
    }

    /// Ends a sign-in under way; its listener closes with the task.
    pub(super) fn cancel_login(&mut self, org: &OrgName, why: &str) {
        if let Some(login) = self.logins.0.remove(org) {
            login.task.abort();
            let refusal = Refusal::new(
                RefusalCode::SignedOut,
                format!("this sign-in was given up: {why}"),
                format!("finish the other one, or run `oam login {org}` again"),
            );
            say(&login.news, LoginNews::Refused(refusal));
        }
    }

    /// The client hung up (Ctrl-C): nothing is left open.
    pub(super) fn login_gone(&mut self, org: &OrgName, number: u64) {
        if self
            .logins
            .0
            .get(org)
            .is_some_and(|login| login.number == number)
        {
            self.logins.0.remove(org);
        }
    }

    pub(super) fn logged_in(
        &mut self,
        name: &OrgName,
        number: u64,
        result: Result<Arrived, Refusal>,
    ) {
        if self
            .logins
            .0
            .get(name)
            .is_none_or(|login| login.number != number)
        {
            // Given up meanwhile; the session is dropped with what arrived.
            if let (Ok(arrived), Some(org)) = (result, self.settings.org(name)) {
                self.revoke_session(org, arrived.tokens.refresh);
            }
            return;
        }
        let Some(login) = self.logins.0.remove(name) else {
            return;
        };
        let result = result.and_then(|arrived| self.take_in(name, &login, arrived));
        match result {
            Ok(news) => self.greet(name, &login.news, news),
            Err(refusal) => {
                let mut record = Record::new(Happening::LoginFailed, self.now().wall_ms);
                record.org = Some(name.clone());
                record.caller = Some(login.caller.clone());
                record.refusal = Some(refusal.code);
                record.detail = Some(refusal.sentence.clone());
                self.write(&record);
                say(&login.news, LoginNews::Refused(refusal));
            }
        }
    }

    /// Takes the new session in: durable first, then in force. Where it can't be stored, the old
    /// session stays as it was.
    fn take_in(
        &mut self,
        name: &OrgName,
        login: &Login,
        arrived: Arrived,
    ) -> Result<LoginNews, Refusal> {
        let now = self.now();
        let org = self.still_bound(name, login)?;
        self.opening = Opening::Open;
        let missing = || Refusal::unavailable("the organization is not there", "try again");
        let office = self.offices.get_mut(name).ok_or_else(missing)?;
        let identity = arrived.identity.clone();
        let (tokens, at) = (arrived.tokens, now.wall_ms);
        let refresh = Arc::clone(&tokens.refresh);
        let live = live_of(&org, &tokens, arrived.identity, at, Some(now));
        let digest = login.digest.clone();
        let session = Session {
            tokens,
            signed_in_at_ms: at,
            digest,
            in_flight: None,
        };
        // The epoch grows with the sign-in, so the tombstone of the one before does not bury it.
        let before = (office.desk.clone(), office.session.replace(session));
        let mut effects = office.desk.hand_over(&live.identity, &org.roles);
        effects.extend(office.desk.step(Event::SignedIn(live), now));
        self.ports.vault.adopt();
        if let Err(why) = self.save() {
            self.ports.vault.abandon();
            if let Some(office) = self.offices.get_mut(name) {
                (office.desk, office.session) = before;
            }
            self.revoke_session(&org, refresh);
            return Err(Refusal::unavailable(
                format!("the session can't be stored: {why}"),
                "make room or fix the folder's permissions, then sign in again",
            ));
        }
        self.unlink(name);
        if let Some(office) = self.offices.get_mut(name) {
            // Perhaps another person, whose log has another name there: the issuer says what it holds.
            office.issuing.records = Records::default();
        }
        self.take_effect(name, login, &identity);
        self.carry_out(name, effects);
        self.relink(name);
        if org.exchange.issuer().is_some() {
            self.read_roles(name);
        }
        let roles = org
            .roles
            .iter()
            .filter(|role| holds(role, &identity.groups));
        Ok(LoginNews::SignedIn {
            org: name.clone(),
            subject: identity.subject,
            email: identity.email,
            roles: roles.map(|role| role.name.to_string()).collect(),
            unread: None,
        })
    }

    /// The session is durable: the gate opens for its epoch, the tombstone goes.
    fn take_effect(&mut self, name: &OrgName, login: &Login, identity: &Identity) {
        let mut record = Record::new(Happening::Login, self.now().wall_ms);
        record.org = Some(name.clone());
        record.subject = Some(identity.subject.clone());
        record.caller = Some(login.caller.clone());
        if let Some(office) = self.offices.get_mut(name) {
            office.signed_in_to = Some(login.to.clone());
            office.gate.set(office.desk.epoch());
            record.epoch = Some(office.desk.epoch());
        }
        self.strays.remove(name);
        if self.tombstones.remove(name).is_some()
            && let Err(why) = self.ports.vault.bury(&self.tombstones)
        {
            self.save_trouble = Some(why);
        }
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

/// The slow part: key, provider, browser.
async fn sign_in(
    vault: Rc<dyn Vault>,
    idp: Rc<dyn Idp>,
    org: &Org,
    store: Store,
    news: mpsc::Sender<LoginNews>,
    reopen: Option<mpsc::UnboundedSender<Inner>>,
) -> Result<Arrived, Refusal> {
    vault.prepare(store).await?;
    if let Some(inner) = reopen {
        // The keyring may be back: what was sealed before must not be written over unread.
        let opened = vault.open().await;
        if opened.is_ok() {
            let _ = inner.send(Inner::Opened(opened));
        }
    }
    let pending = idp.begin(org).await?;
    let challenge = LoginNews::Challenge {
        url: pending.url,
        org: org.name.clone(),
        issuer: org.provider.issuer.clone(),
    };
    let _ = news.send(challenge).await;
    pending.arrival.await
}

fn say(news: &mpsc::Sender<LoginNews>, what: LoginNews) {
    let _ = news.try_send(what);
}
