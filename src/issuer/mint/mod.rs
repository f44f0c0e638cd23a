//! Making a role token by the way of its hub.
//!
//! A token is never wider or longer-lived than its grant. Where a hub makes none so narrow, it is either
//! refused in words or marked `wider_than_asked`; where a hub makes none so short, the row and the answer
//! end with the role's lifetime and [`Mint::due_revocations`] ends the token at its hub.

mod answer;
mod claims;
mod fault;
mod organization;
mod publisher;
mod rest;
mod revoke;
#[cfg(test)]
mod tests;

pub use revoke::{RevokeOutcome, honoured_until};

use super::keys::{SigningKeys, TokenKind, sha256};
use super::outbound::OutboundClient;
use super::seal::{MasterKey, Purpose};
use answer::HubToken;
use oam_model::answer::EndpointFault;
use oam_model::issuer::{Backend, IssuerHub};
use oam_model::name::{HubName, OrgName, Repository};
use oam_model::policy::Decision;
use oam_model::principal::Principal;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_store::{Store, TokenRow};
use std::collections::HashSet;
use std::sync::{Arc, Mutex};

/// What a [`Mint`] works with.
pub struct Parts {
    /// Public URL of the issuer: `iss`.
    pub url: String,
    /// The organization, for entries.
    pub org: OrgName,
    /// The hubs, to find the one of a token that is to be revoked.
    pub hubs: Vec<IssuerHub>,
    /// The signing keys.
    pub keys: Arc<SigningKeys>,
    /// The way out.
    pub outside: Arc<OutboundClient>,
    /// Where client secrets lie.
    pub store: Arc<dyn Store>,
    /// What they are sealed with.
    pub master: Arc<MasterKey>,
}

/// Makes tokens, and ends them at their hubs. A changed configuration makes another one: it is cheap.
pub struct Mint {
    parts: Parts,
    /// Client secrets that a hub refused, so that each raises one alarm and not one an exchange.
    alarmed: Mutex<HashSet<(HubName, u64)>>,
    /// Hubs that the sweep leaves alone for a while.
    rests: Mutex<rest::Rests>,
}

/// An order for one token: everything in it was verified and decided.
#[derive(Clone, Copy)]
pub struct MintRequest<'a> {
    /// On whose behalf.
    pub principal: &'a Principal,
    /// What the policy allows.
    pub decision: &'a Decision,
    /// For which hub.
    pub hub: &'a IssuerHub,
    /// For which repository; none: the whole hub.
    pub repository: Option<&'a Repository>,
    /// Shared with the entry.
    pub request_id: &'a str,
    /// Unix milliseconds.
    pub now_ms: u64,
    /// The principal holds write there too: a read may be served by a token that can write, where the hub
    /// makes no other.
    pub may_write: bool,
}

/// A token that was made. It has no `Debug`.
pub struct MintedToken {
    pub token: Secret,
    /// SHA-256 of it, lower-case hex.
    pub sha256: String,
    /// What is left of it, seconds: the role's lifetime, or the hub's when that is shorter.
    pub expires_in_s: u64,
    /// The hub makes no narrower one.
    pub wider_than_asked: bool,
    /// The token sealed for its row, where its hub has a way to revoke it.
    pub sealed: Option<Vec<u8>>,
}

impl MintedToken {
    /// Whether the hub has a way to revoke it.
    pub const fn revocable(&self) -> bool {
        self.sealed.is_some()
    }
}

/// Why no token was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MintFault {
    /// For whoever asked.
    pub refusal: Refusal,
    /// What the hub answered, when it was asked: facts for the log.
    pub at_hub: Option<EndpointFault>,
}

impl From<Refusal> for MintFault {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            at_hub: None,
        }
    }
}

/// Whether a token for this hub is made by asking it: then an entry must say so before, because a token
/// can come to be whose answer is lost.
pub const fn asks_hub(hub: &IssuerHub) -> bool {
    !matches!(hub.backend, Backend::Jwt { .. })
}

impl MintRequest<'_> {
    const fn now_s(&self) -> u64 {
        self.now_ms / 1000
    }

    /// What is kept of the token that was made for this order.
    pub fn row(&self, minted: &MintedToken) -> TokenRow {
        let principal = self.principal;
        TokenRow {
            sha256: minted.sha256.clone(),
            key: principal.key.clone(),
            name: principal
                .username
                .clone()
                .or_else(|| principal.email.clone()),
            role: self.decision.role.clone(),
            hub: self.hub.name.clone(),
            repository: self.repository.cloned(),
            action: self.decision.action,
            issued_at: self.now_s(),
            expires_at: self.now_s().saturating_add(minted.expires_in_s),
            request_id: self.request_id.to_owned(),
            revoked_at_ms: None,
            sealed: minted.sealed.clone(),
        }
    }
}

impl Mint {
    /// A mint from its parts.
    pub fn new(parts: Parts) -> Self {
        Self {
            parts,
            alarmed: Mutex::default(),
            rests: Mutex::default(),
        }
    }

    /// Makes a token. Where [`asks_hub`] says so the future must be driven to its end: a caller that goes
    /// away must not take it along, or the hub's token is left without a record.
    ///
    /// # Errors
    /// The hub can't make what was asked, is not there, or made something else; a token that it made and
    /// that is not handed out was revoked, or is kept for the sweep to revoke.
    pub async fn mint(&self, order: &MintRequest<'_>) -> Result<MintedToken, MintFault> {
        match &order.hub.backend {
            Backend::Jwt { audience } => Ok(self.own(order, audience.as_deref())?),
            // In a place of their own: asking over the network takes kilobytes of state, which the exchanges
            // that ask nobody need not carry along.
            Backend::HuggingFaceTrustedPublisher => Box::pin(self.trusted_publisher(order)).await,
            Backend::HuggingFaceOrg { client_id } => {
                Box::pin(self.organization(order, client_id)).await
            }
        }
    }

    /// The issuer's own signed token (RFC 9068).
    fn own(&self, order: &MintRequest<'_>, audience: Option<&str>) -> Result<MintedToken, Refusal> {
        let claims = claims::own(order, &self.parts.url, audience)?;
        let token = self
            .parts
            .keys
            .sign(&claims, TokenKind::AccessToken, order.now_ms)?;
        Ok(MintedToken {
            sha256: sha256(token.expose().as_bytes()),
            token,
            expires_in_s: order.decision.lifetime_s,
            wider_than_asked: false,
            sealed: None,
        })
    }

    /// A hub's token as it is handed out: it lives no longer than the role says.
    async fn handed_out(
        &self,
        order: &MintRequest<'_>,
        made: HubToken,
        wider_than_asked: bool,
    ) -> Result<MintedToken, MintFault> {
        let sha256 = sha256(made.token.expose().as_bytes());
        let until_s = order.now_s().saturating_add(made.expires_in_s);
        let kept = revoke::kept(&made.token, until_s);
        let sealed = match self.parts.master.seal(Purpose::HubToken, &sha256, &kept) {
            Ok(sealed) => sealed,
            Err(fault) => {
                self.discard_unfit(order, Some(made.token)).await;
                return Err(Refusal::unavailable(
                    format!("the token could not be kept for its revocation: {fault}"),
                    "try again",
                )
                .into());
            }
        };
        Ok(MintedToken {
            token: made.token,
            sha256,
            expires_in_s: made.expires_in_s.min(order.decision.lifetime_s),
            wider_than_asked,
            sealed: Some(sealed),
        })
    }
}
