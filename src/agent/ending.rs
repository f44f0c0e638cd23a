//! The end of a session, in the order of promise 1.

use super::answers::PortAnswer;
use super::command::{ReplySender, say};
use super::org_context::OrgContext;
use super::org_session::OrgSession;
use super::ports::{IssuerApi, LocalBoxFuture};
use super::state::Tombstone;
use super::work::Work;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::caller::Caller;
use oam_model::record::{EventKind, Record};
use oam_model::report::TokenState;
use oam_model::secret::Secret;
use oam_model::standing::{EndReason, StandingWord};
use oam_session::machine::{IssuerEvent, PersonEvent};
use oam_session::standing::{IT, words};
use oam_session::subscription::SubscriptionInput;
use oam_wire::message::Reply;
use std::rc::Rc;
use std::sync::Arc;

impl OrgSession {
    /// Tombstone, epoch, caches, sealed session; withdrawals, notification and records follow as
    /// effects of their own. All of it happens within one step of the one task: no answer can
    /// leave in between.
    pub(super) fn end(
        &mut self,
        cx: &mut OrgContext<'_>,
        word: StandingWord,
        reason: Option<EndReason>,
    ) -> Vec<Work> {
        let now = cx.now();
        self.forget_expired(now);
        for out in &mut self.outstanding {
            out.state = TokenState::OutstandingUntil;
        }
        let epoch = self.machine.epoch();
        // The session machine is in the next epoch already; the session that ends was in the one before.
        let tombstone = Tombstone {
            epoch: epoch.saturating_sub(1),
            standing: word,
            detail: reason.clone(),
            at_ms: now.wall_ms,
            outstanding: self.outstanding.clone(),
        };
        let buried = cx.durable.persist_end(&self.name, tombstone);
        self.gate.set(epoch);
        // Of an end that the provider or the session's age brought nobody waits until the issuer knows.
        if word == StandingWord::Ended
            && let Some(told) = self.sign_out_at(&*cx.ports.issuer)
        {
            tokio::task::spawn_local(told);
        }
        let session = self.session.take();
        let held: Vec<(Arc<Secret>, String)> = std::mem::take(&mut self.held)
            .into_values()
            .map(|held| (held.token, held.sha256))
            .collect();
        let saved = cx.save(self);
        cx.durable.discard_aside();
        if let (Err(why), Err(_)) = (buried, saved) {
            cx.durable.discard_unwritten(&why);
        }
        let mut record = Record::new(
            if word == StandingWord::SignedOut {
                EventKind::Logout
            } else {
                EventKind::End
            },
            now.wall_ms,
        );
        record.org = Some(self.name.clone());
        record.detail = Some(reason.map_or_else(|| word.word().to_owned(), |why| why.words()));
        record.epoch = Some(epoch);
        cx.write(&record);
        self.tell_watchers(now);
        self.forget_issuer(now);
        drop(session);
        for (token, sha256) in held {
            self.revoke_token(cx, token, sha256);
        }
        vec![Work::Subscription(SubscriptionInput::Bearer(None))]
    }

    /// A tombstone that another program wrote; what is to be revoked when it has ended the session here.
    pub(super) fn buried(
        &mut self,
        cx: &mut OrgContext<'_>,
        tombstone: Tombstone,
    ) -> Option<(Org, Arc<Secret>)> {
        if tombstone.epoch < self.machine.epoch() {
            return None;
        }
        self.machine.resume_at(tombstone.epoch);
        let session = self.session.as_ref();
        let refresh = session.map(|session| Arc::clone(&session.tokens.refresh));
        let event = IssuerEvent::Over(tombstone.standing, tombstone.detail);
        cx.queue.push(&self.name, event.into());
        // It may be a younger one than whoever wrote the tombstone knew.
        Some((self.signed_in_to.clone()?, refresh?))
    }

    /// Revokes a role token where the exchange offers it.
    pub(super) fn revoke_token(&self, cx: &OrgContext<'_>, token: Arc<Secret>, sha256: String) {
        let Some(org) = self.signed_in_to.clone() else {
            return;
        };
        let exchange = Rc::clone(&cx.ports.exchange);
        let aside = cx.aside.clone();
        tokio::task::spawn_local(async move {
            if exchange.revoke(&org, token).await == Ok(true) {
                aside.send(PortAnswer::TokenRevoked {
                    org: org.name,
                    sha256,
                });
            }
        });
    }

    /// A token that was out is revoked at its issuer: no longer outstanding.
    pub(super) fn token_revoked(&mut self, cx: &mut OrgContext<'_>, sha256: &str) {
        for out in self
            .outstanding
            .iter_mut()
            .filter(|out| out.granted.token_sha256 == sha256)
        {
            out.state = TokenState::Revoked;
        }
        if let Some(tombstone) = cx.durable.tombstones.get_mut(&self.name) {
            tombstone.outstanding.clone_from(&self.outstanding);
            cx.durable.persist_tombstones();
        }
    }

    /// Revokes a refresh token that nobody holds any more. Not while somebody is signed in: providers
    /// that know one grant for a person and a client revoke all that came from it (RFC 7009 §2.1), and
    /// the session in force with it.
    pub(super) fn revoke_session(&self, cx: &OrgContext<'_>, org: &Org, refresh: Arc<Secret>) {
        if self.session.is_some() {
            return;
        }
        let org = org.clone();
        let idp = Rc::clone(&cx.ports.idp);
        tokio::task::spawn_local(async move {
            let _ = idp.revoke(&org, refresh).await;
        });
    }

    /// The person signs out: here at once, then at the organization's issuer and at the provider. The issuer first: it
    /// asks the provider about an access token, and one that is dead there would tell it nothing to remember.
    pub(super) fn sign_out(&self, cx: &mut OrgContext<'_>, caller: Caller, answers: ReplySender) {
        let name = self.name.clone();
        let Some(session) = &self.session else {
            cx.durable.orphaned.remove(&name);
            let _ = cx.durable.vault.discard_aside();
            let nobody = Reply::SignedOut {
                org: name,
                was_signed_in: false,
                warning: None,
                issuer_warning: None,
            };
            return say(&answers, nobody);
        };
        let refresh = Arc::clone(&session.tokens.refresh);
        let told = self.sign_out_at(&*cx.ports.issuer);
        let to = self.signed_in_to.clone();
        let mut record = Record::new(EventKind::Logout, cx.now().wall_ms);
        record.org = Some(name.clone());
        record.caller = Some(caller);
        record.detail = Some("asked for".into());
        cx.write(&record);
        cx.queue.push(&name, PersonEvent::SignedOut.into());
        let idp = Rc::clone(&cx.ports.idp);
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
            let issuer_warning = at_issuer.await;
            let warning = at_provider.await;
            let signed_out = Reply::SignedOut {
                org: name,
                was_signed_in: true,
                warning,
                issuer_warning,
            };
            say(&answers, signed_out);
        });
    }

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
