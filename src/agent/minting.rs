//! Exchanges: sent aside, their answers on record under the request that both sides know.

use super::answers::PortAnswer;
use super::core::AgentCore;
use super::org_session::CachedSecret;
use super::ports::Minted;
use oam_model::answer::EndpointFault;
use oam_model::name::OrgName;
use oam_model::token_key::TokenKey;
use oam_session::machine::{Event, IssuerEvent};
use oam_session::standing::{IT, MintMeaning, of_exchange, words};

impl AgentCore {
    pub(super) fn mint(&self, name: &OrgName, flight: u64, order: TokenKey) -> Option<Event> {
        let ready = self.org_sessions.get(name).and_then(|org_session| {
            let org = org_session.signed_in_to.clone()?;
            Some((org_session.subject(&org)?, org))
        });
        let Some((subject, org)) = ready else {
            let event = IssuerEvent::MintFailed {
                flight,
                meaning: MintMeaning::Unavailable,
                words: "what was signed in to is not known".into(),
            };
            return Some(event.into());
        };
        let request_id = format!("{:032x}", self.ports.rng.random());
        let name = name.clone();
        let minting = self
            .ports
            .exchange
            .mint(&org, subject, order, request_id.clone());
        self.aside.run(async move {
            PortAnswer::Minted {
                org: name,
                flight,
                request_id,
                result: minting.await,
            }
        });
        None
    }

    pub(super) fn minted(
        &mut self,
        org: &OrgName,
        flight: u64,
        request_id: String,
        result: Result<Minted, EndpointFault>,
    ) {
        let now = self.now();
        match result {
            Ok(minted) => {
                let token = self.number();
                let Some(org_session) = self.org_sessions.get_mut(org) else {
                    return;
                };
                if !org_session.machine.awaits_mint(flight) {
                    return self.revoke_token(org, minted.token, minted.sha256);
                }
                let expires_in_s = minted.expires_in_s;
                org_session
                    .held
                    .insert(token, CachedSecret::new(minted, now));
                self.step(
                    org,
                    IssuerEvent::Minted {
                        flight,
                        token,
                        expires_in_s,
                    },
                );
            }
            Err(fault) => self.not_minted(org, flight, request_id, &fault),
        }
    }

    fn not_minted(
        &mut self,
        org: &OrgName,
        flight: u64,
        request_id: String,
        fault: &EndpointFault,
    ) {
        let meaning = of_exchange(fault);
        let event = match fault.refusal() {
            Some(refusal) => IssuerEvent::MintDenied {
                flight,
                meaning,
                refusal: match self.org_sessions.get(org) {
                    Some(o) => o
                        .issuer_client
                        .setup
                        .remedy(self.settings.org(org), refusal),
                    None => refusal,
                },
            },
            None => IssuerEvent::MintFailed {
                flight,
                meaning,
                words: words(IT, fault),
            },
        };
        // At the issuer the request is on record even when its answer was lost.
        let has_issuer = self
            .org_sessions
            .get(org)
            .is_some_and(|o| o.bearer().is_some());
        let said = fault.denial().map(|denial| denial.request_id.clone());
        let said = said.filter(|id| !id.is_empty());
        self.request_in_hand = said.or_else(|| has_issuer.then_some(request_id));
        self.step(org, event);
        self.request_in_hand = None;
        if let Some(denial) = fault.denial() {
            self.roles_are_old(org, denial.code);
        }
    }
}
