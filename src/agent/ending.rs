//! The end of a session, in the order of promise 1.

use super::answers::PortAnswer;
use super::command::{ReplySender, say};
use super::core::AgentCore;
use super::org_session::OrgSession;
use super::ports::{IssuerApi, LocalBoxFuture};
use super::state::Tombstone;
use super::work::Work;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::caller::Caller;
use oam_model::name::OrgName;
use oam_model::record::{EventKind, Record};
use oam_model::report::TokenState;
use oam_model::secret::Secret;
use oam_model::standing::{EndReason, StandingWord};
use oam_session::machine::PersonEvent;
use oam_session::standing::{IT, words};
use oam_session::subscription::SubscriptionInput;
use oam_wire::message::Reply;
use std::rc::Rc;
use std::sync::Arc;

impl AgentCore {
    /// Tombstone, epoch, caches, sealed session; withdrawals, notification and records follow as
    /// effects of their own. All of it happens within one step of the one task: no answer can
    /// leave in between.
    pub(super) fn end(
        &mut self,
        org: &OrgName,
        word: StandingWord,
        reason: Option<EndReason>,
    ) -> Vec<Work> {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return Vec::new();
        };
        org_session.forget_expired(now);
        for out in &mut org_session.outstanding {
            out.state = TokenState::OutstandingUntil;
        }
        // The session machine is in the next epoch already; the session that ends was in the one before.
        let tombstone = Tombstone {
            epoch: org_session.machine.epoch().saturating_sub(1),
            standing: word,
            detail: reason.clone(),
            at_ms: now.wall_ms,
            outstanding: org_session.outstanding.clone(),
        };
        let epoch = org_session.machine.epoch();
        let buried = self.durable.persist_end(org, tombstone);
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return Vec::new();
        };
        org_session.gate.set(epoch);
        // Of an end that the provider or the session's age brought nobody waits until the issuer knows.
        if word == StandingWord::Ended
            && let Some(told) = org_session.sign_out_at(&*self.ports.issuer)
        {
            tokio::task::spawn_local(told);
        }
        let session = org_session.session.take();
        let held: Vec<(Arc<Secret>, String)> = std::mem::take(&mut org_session.held)
            .into_values()
            .map(|held| (held.token, held.sha256))
            .collect();
        let saved = self.save();
        self.durable.discard_aside();
        if let (Err(why), Err(_)) = (buried, saved) {
            self.durable.discard_unwritten(&why);
        }
        let mut record = Record::new(
            if word == StandingWord::SignedOut {
                EventKind::Logout
            } else {
                EventKind::End
            },
            now.wall_ms,
        );
        record.org = Some(org.clone());
        record.detail = Some(reason.map_or_else(|| word.word().to_owned(), |why| why.words()));
        record.epoch = Some(epoch);
        self.write(&record);
        self.tell_watchers(org);
        self.forget_issuer(org);
        drop(session);
        for (token, sha256) in held {
            self.revoke_token(org, token, sha256);
        }
        vec![Work::Subscription(SubscriptionInput::Bearer(None))]
    }

    /// Revokes a role token where the exchange offers it.
    pub(super) fn revoke_token(&self, name: &OrgName, token: Arc<Secret>, sha256: String) {
        let to = self
            .org_sessions
            .get(name)
            .and_then(|o| o.signed_in_to.clone());
        let Some(org) = to else { return };
        let exchange = Rc::clone(&self.ports.exchange);
        let (aside, name) = (self.aside.clone(), name.clone());
        tokio::task::spawn_local(async move {
            if exchange.revoke(&org, token).await == Ok(true) {
                aside.send(PortAnswer::TokenRevoked { org: name, sha256 });
            }
        });
    }

    /// A token that was out is revoked at its issuer: no longer outstanding.
    pub(super) fn token_revoked(&mut self, org: &OrgName, sha256: &str) {
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        for out in org_session
            .outstanding
            .iter_mut()
            .filter(|out| out.granted.token_sha256 == sha256)
        {
            out.state = TokenState::Revoked;
        }
        if let Some(tombstone) = self.durable.tombstones.get_mut(org) {
            tombstone.outstanding.clone_from(&org_session.outstanding);
            self.durable.persist_tombstones();
        }
    }

    /// Revokes a refresh token that nobody holds any more. Not while somebody is signed in: providers
    /// that know one grant for a person and a client revoke all that came from it (RFC 7009 §2.1), and
    /// the session in force with it.
    pub(super) fn revoke_session(&self, org: &Org, refresh: Arc<Secret>) {
        let org_session = self.org_sessions.get(&org.name);
        if org_session.is_some_and(|org_session| org_session.session.is_some()) {
            return;
        }
        let org = org.clone();
        let idp = Rc::clone(&self.ports.idp);
        tokio::task::spawn_local(async move {
            let _ = idp.revoke(&org, refresh).await;
        });
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
        let org_session = self.org_sessions.get(&org.name);
        let signed_in = org_session.and_then(|org_session| {
            let refresh = Arc::clone(&org_session.session.as_ref()?.tokens.refresh);
            let told = org_session.sign_out_at(&*self.ports.issuer);
            Some((refresh, org_session.signed_in_to.clone(), told))
        });
        let Some((refresh, to, told)) = signed_in else {
            self.durable.orphaned.remove(&org.name);
            let _ = self.durable.vault.discard_aside();
            let nobody = Reply::SignedOut {
                org: org.name,
                was_signed_in: false,
                warning: None,
                issuer_warning: None,
            };
            return say(&answers, nobody);
        };
        let mut record = Record::new(EventKind::Logout, self.now().wall_ms);
        record.org = Some(org.name.clone());
        record.caller = Some(caller);
        record.detail = Some("asked for".into());
        self.write(&record);
        self.step(&org.name.clone(), PersonEvent::SignedOut);
        let idp = Rc::clone(&self.ports.idp);
        tokio::task::spawn_local(async move {
            let at_provider = async {
                match to {
                    Some(to) => idp.revoke(&to, refresh).await.err(),
                    None => Some(
                        "the configuration was edited since, and the session is not sent anywhere else"
                            .to_owned(),
                    ),
                }
            };
            let at_issuer = async {
                let fault = told?.await.err()?;
                Some(words(IT, &fault))
            };
            let (warning, issuer_warning) = tokio::join!(at_provider, at_issuer);
            let signed_out = Reply::SignedOut {
                org: org.name,
                was_signed_in: true,
                warning,
                issuer_warning,
            };
            say(&answers, signed_out);
        });
    }
}

impl OrgSession {
    /// Tells the organization's issuer that what spoke for the person here counts no longer: an ID token
    /// outlives the session by an hour. None where there is no issuer, or nobody signed in.
    fn sign_out_at(
        &self,
        issuer: &dyn IssuerApi,
    ) -> Option<LocalBoxFuture<Result<(), EndpointFault>>> {
        let org = self.signed_in_to.as_ref()?;
        org.exchange.issuer()?;
        let bearer = self.subject(org)?;
        Some(issuer.signed_out(org, bearer))
    }
}
