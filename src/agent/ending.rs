//! The end of a session, in the order of promise 1.

use super::answers::PortAnswer;
use super::command::CommandOutcome;
use super::core::AgentCore;
use super::ports::LocalBoxFuture;
use super::state::Tombstone;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::caller::Caller;
use oam_model::name::OrgName;
use oam_model::record::{EventKind, Record};
use oam_model::refusal::Refusal;
use oam_model::report::TokenState;
use oam_model::secret::Secret;
use oam_model::standing::{EndReason, StandingWord};
use oam_session::machine::PersonEvent;
use oam_session::standing::{IT, words};
use std::rc::Rc;
use std::sync::Arc;
use tokio::sync::oneshot;

impl AgentCore {
    /// Tombstone, epoch, caches, sealed session; withdrawals, notification and records follow as
    /// effects of their own. All of it happens within one step of the one task: no answer can
    /// leave in between.
    pub(super) fn end(&mut self, org: &OrgName, word: StandingWord, reason: Option<EndReason>) {
        let now = self.now();
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
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
        self.tombstones.insert(org.clone(), tombstone);
        let buried = self.ports.vault.persist_tombstone(&self.tombstones);
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        org_session.gate.set(epoch);
        self.tell_issuer_of(org, word);
        let Some(org_session) = self.org_sessions.get_mut(org) else {
            return;
        };
        let session = org_session.session.take();
        let held: Vec<(Arc<Secret>, String)> = std::mem::take(&mut org_session.held)
            .into_values()
            .map(|held| (held.token, held.sha256))
            .collect();
        let saved = self.save();
        if let Err(why) = self.ports.vault.discard_aside() {
            self.save_trouble = Some(why);
        }
        if let (Err(why), Err(_)) = (buried, saved) {
            self.discard_unwritten(&why);
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
        self.unlink(org);
        drop(session);
        for (token, sha256) in held {
            self.revoke_token(org, token, sha256);
        }
    }

    /// Neither the tombstone nor a state without the session could be written (a full disk): deleting needs
    /// no room, and a restart then finds nobody signed in.
    fn discard_unwritten(&mut self, why: &str) {
        let discarded = self.ports.vault.discard();
        self.save_trouble = Some(match discarded {
            Ok(()) => format!(
                "the end of a session could not be written ({why}); its sealed state was deleted"
            ),
            Err(also) => {
                format!("the end of a session could not be written ({why}) nor deleted ({also})")
            }
        });
    }

    /// Revokes a role token where the exchange offers it.
    pub(super) fn revoke_token(&self, name: &OrgName, token: Arc<Secret>, sha256: String) {
        let Some(org) = self.signed_in_to(name) else {
            return;
        };
        let (exchange, inner, name) = (
            Rc::clone(&self.ports.exchange),
            self.inner.clone(),
            name.clone(),
        );
        tokio::task::spawn_local(async move {
            if exchange.revoke(&org, token).await == Ok(true) {
                let _ = inner.send(PortAnswer::TokenRevoked { org: name, sha256 });
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
        if let Some(tombstone) = self.tombstones.get_mut(org) {
            tombstone.outstanding.clone_from(&org_session.outstanding);
            if let Err(why) = self.ports.vault.persist_tombstone(&self.tombstones) {
                self.save_trouble = Some(why);
            }
        }
    }

    /// Where the session of this organization was signed in to, also when it is over (promise 9).
    fn signed_in_to(&self, name: &OrgName) -> Option<Org> {
        self.org_sessions.get(name)?.signed_in_to.clone()
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

    /// Tells the organization's issuer that what spoke for the person here counts no longer: an ID token
    /// outlives the session by an hour. None where there is no issuer, or nobody signed in.
    fn sign_out_at_issuer(
        &self,
        name: &OrgName,
    ) -> Option<LocalBoxFuture<Result<(), EndpointFault>>> {
        let org_session = self.org_sessions.get(name)?;
        let org = org_session.signed_in_to.as_ref()?;
        org.exchange.issuer()?;
        let bearer = org_session.subject(org)?;
        Some(self.ports.issuer.signed_out(org, bearer))
    }

    /// An end that the provider or the session's age brought: nobody waits until the issuer knows.
    fn tell_issuer_of(&self, name: &OrgName, word: StandingWord) {
        if word == StandingWord::Ended
            && let Some(told) = self.sign_out_at_issuer(name)
        {
            tokio::task::spawn_local(told);
        }
    }

    pub(super) fn logout(
        &mut self,
        org: Option<OrgName>,
        caller: Caller,
        reply: oneshot::Sender<CommandOutcome>,
    ) {
        let org = match self.org_or_default(org) {
            Ok(org) => org,
            Err(refusal) => {
                let _ = reply.send(CommandOutcome::Refused(refusal, 0));
                return;
            }
        };
        if let Some(refusal) = self.closed_because() {
            let _ = reply.send(CommandOutcome::Refused(refusal, 0));
            return;
        }
        self.cancel_login(&org.name, "the person signed out");
        let refresh = self
            .org_sessions
            .get(&org.name)
            .and_then(|org_session| org_session.session.as_ref())
            .map(|session| Arc::clone(&session.tokens.refresh));
        let to = self.signed_in_to(&org.name);
        let Some(refresh) = refresh else {
            self.orphaned.remove(&org.name);
            let _ = self.ports.vault.discard_aside();
            let _ = reply.send(CommandOutcome::SignedOut {
                org: org.name,
                was_signed_in: false,
                warning: None,
                issuer_warning: None,
            });
            return;
        };
        let mut record = Record::new(EventKind::Logout, self.now().wall_ms);
        record.org = Some(org.name.clone());
        record.caller = Some(caller);
        record.detail = Some("asked for".into());
        self.write(&record);
        let told = self.sign_out_at_issuer(&org.name);
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
            let _ = reply.send(CommandOutcome::SignedOut {
                org: org.name,
                was_signed_in: true,
                warning,
                issuer_warning,
            });
        });
    }

    /// The organization named, the default one, or the only one.
    pub(super) fn org_or_default(&self, name: Option<OrgName>) -> Result<Org, Refusal> {
        if let Some(refusal) = self.unread_configuration() {
            return Err(refusal);
        }
        let list = || {
            self.settings
                .orgs
                .iter()
                .map(|org| org.name.as_str())
                .collect::<Vec<_>>()
                .join(", ")
        };
        if let Some(name) = name {
            return self.settings.org(&name).cloned().ok_or_else(|| {
                let next = if self.settings.orgs.is_empty() {
                    "run `oam login URL` with the address of its issuer, or add it to config.toml, which `oam config path` names".to_owned()
                } else {
                    format!("use one of: {}", list())
                };
                Refusal::bad_request(format!("no organization named {name} is configured"), next)
            });
        }
        let default = self
            .settings
            .default_org
            .as_ref()
            .and_then(|name| self.settings.org(name));
        match (default, self.settings.orgs.as_slice()) {
            (Some(org), _) | (None, [org]) => Ok(org.clone()),
            (None, []) => Err(Refusal::bad_request(
                "no organization is configured",
                "run `oam login URL` with the address of your company's issuer, or write config.toml, which `oam config path` names",
            )),
            (None, _) => Err(Refusal::bad_request(
                "more than one organization is configured",
                format!("name one: {}", list()),
            )),
        }
    }
}
