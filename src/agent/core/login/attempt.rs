//! One attempt to sign in, from the key to the issuer's word.

use crate::answers::{Accepted, Failed, PortAnswer};
use crate::aside::Aside;
use crate::command::ReplySender;
use crate::first::first_answer;
use crate::ports::{
    Arrived, Authentication, IdentityProvider, IssuerApi, Screen, StoreWish, UserInfo, Vault,
};
use oam_config::agent::Org;
use oam_model::refusal::{Refusal, RefusalCode};
use oam_model::sign_in::{SignInBy, SignedInBy};
use oam_wire::message::Reply;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// The slow part of a sign-in: key, provider, browser, and the issuer's word.
pub(super) struct Attempt {
    pub(super) vault: Rc<dyn Vault>,
    pub(super) idp: Rc<dyn IdentityProvider>,
    pub(super) issuer: Rc<dyn IssuerApi>,
    pub(super) screen: Rc<dyn Screen>,
    /// Who started it, where that was not done in the foreground of a terminal.
    pub(super) unattended: Option<u32>,
    pub(super) store: StoreWish,
    pub(super) by: SignInBy,
    pub(super) authentication: Authentication,
    pub(super) not_before_ms: u64,
    pub(super) reopen: Option<Aside>,
}

impl Attempt {
    pub(super) async fn sign_in(self, org: &Org, answers: ReplySender) -> Result<Accepted, Failed> {
        self.is_awaited_by_somebody(org).await?;
        let kept_in = self.vault.prepare(self.store).await?;
        if let Some(aside) = &self.reopen {
            // The keyring may be back: what was sealed before must not be written over unread.
            let opened = self.vault.open().await;
            if opened.is_ok() {
                aside.send(PortAnswer::Opened(opened));
            }
        }
        if self.not_before_ms > 0 {
            tokio::time::sleep(Duration::from_millis(self.not_before_ms)).await;
        }
        let pending = self.idp.begin(org, self.authentication, self.by).await?;
        let by = match &pending.device {
            Some(_) => SignedInBy::Device,
            None => SignedInBy::Browser,
        };
        let challenge = Reply::Challenge {
            url: pending.url,
            org: org.name.clone(),
            issuer: org.provider.issuer.clone(),
            device: pending.device,
            kept_in: Some(kept_in),
        };
        let _ = answers.send(challenge.into()).await;
        let returned = pending.arrival.await.map_err(|refusal| Failed {
            by: Some(by),
            ..refusal.into()
        })?;
        let said = first_answer(&*self.issuer, org, &returned.arrived.tokens).await;
        match said.transpose() {
            Ok(said) => {
                let mut arrived = returned.arrived;
                let by_userinfo = self.groups_elsewhere(org, &arrived).await;
                (returned.tell)(None).await;
                let groups_by_userinfo = by_userinfo.is_some();
                if let Some(groups) = by_userinfo {
                    arrived.identity.groups = groups;
                }
                Ok(Accepted {
                    arrived,
                    said,
                    by,
                    groups_by_userinfo,
                })
            }
            Err(refusal) => {
                (returned.tell)(Some(refusal.clone())).await;
                Err(Failed {
                    refusal,
                    refresh: Some(returned.arrived.tokens.refresh),
                    by_issuer: true,
                    by: Some(by),
                })
            }
        }
    }

    /// A program that signs in behind a locked screen would open a window that nobody sees (promise 7).
    async fn is_awaited_by_somebody(&self, org: &Org) -> Result<(), Refusal> {
        let Some(caller) = self.unattended else {
            return Ok(());
        };
        let state = self.screen.state(Some(caller)).await;
        let signed_out = Refusal::new(
            RefusalCode::SignedOut,
            format!("a program wants a sign-in to {}", org.name),
            "",
        );
        state.refusal(&signed_out).map_or(Ok(()), Err)
    }

    /// The groups that userinfo names where the ID token names none. Where there is an issuer, it asks itself.
    async fn groups_elsewhere(&self, org: &Org, arrived: &Arrived) -> Option<Vec<String>> {
        if org.exchange.issuer().is_some() || !arrived.identity.groups.is_empty() {
            return None;
        }
        let access = Arc::clone(&arrived.tokens.access);
        match self
            .idp
            .userinfo(org, access, arrived.identity.clone())
            .await
        {
            UserInfo::Groups(groups) => Some(groups),
            UserInfo::Silent | UserInfo::Unread => None,
        }
    }
}
