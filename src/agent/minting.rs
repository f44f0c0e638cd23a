//! Exchanges: sent aside, their answers on record under the request that both sides know.

use super::answers::PortAnswer;
use super::org_context::OrgContext;
use super::org_session::{CachedSecret, OrgSession};
use super::ports::Minted;
use super::work::Work;
use oam_model::answer::EndpointFault;
use oam_model::refusal::RefusalCode;
use oam_model::token_key::TokenKey;
use oam_session::machine::{Event, IssuerEvent, TokenServer};
use oam_session::standing::{IT, MintMeaning, of_exchange, words};

impl OrgSession {
    pub(super) fn mint(&self, cx: &OrgContext<'_>, flight: u64, order: TokenKey) -> Option<Event> {
        let ready = self
            .signed_in_to
            .as_ref()
            .and_then(|org| Some((self.subject(org)?, org)));
        let Some((subject, org)) = ready else {
            let event = IssuerEvent::MintFailed {
                flight,
                by: self.token_server(),
                meaning: MintMeaning::Unavailable,
                words: "what was signed in to is not known".into(),
            };
            return Some(event.into());
        };
        let request_id = format!("{:032x}", cx.ports.rng.random());
        let name = self.name.clone();
        let minting = cx
            .ports
            .exchange
            .mint(org, subject, order, request_id.clone());
        cx.aside.run(async move {
            PortAnswer::Minted {
                org: name,
                flight,
                request_id,
                result: minting.await,
            }
        });
        None
    }

    /// Who was asked: what was signed in to counts, and not an edit of the configuration.
    fn token_server(&self) -> TokenServer {
        let to = self.signed_in_to.as_ref();
        if to.is_some_and(|org| org.exchange.issuer().is_some()) {
            TokenServer::Issuer
        } else {
            TokenServer::Endpoint
        }
    }

    pub(super) fn minted(
        &mut self,
        cx: &mut OrgContext<'_>,
        flight: u64,
        request_id: String,
        result: Result<Minted, EndpointFault>,
    ) {
        match result {
            Ok(minted) => {
                let token = cx.number();
                if !self.machine.awaits_mint(flight) {
                    return self.revoke_token(cx, minted.token, minted.sha256);
                }
                let expires_in_s = minted.expires_in_s;
                self.held.insert(token, CachedSecret::new(minted, cx.now()));
                let event = IssuerEvent::Minted {
                    flight,
                    token,
                    expires_in_s,
                };
                cx.queue.push(&self.name, event.into());
            }
            Err(fault) => self.not_minted(cx, flight, request_id, &fault),
        }
    }

    fn not_minted(
        &self,
        cx: &mut OrgContext<'_>,
        flight: u64,
        request_id: String,
        fault: &EndpointFault,
    ) {
        let meaning = of_exchange(fault);
        let event = match fault.refusal() {
            Some(refusal) => IssuerEvent::MintDenied {
                flight,
                meaning,
                refusal: self
                    .issuer_client
                    .setup
                    .remedy(cx.configured(&self.name), refusal),
            },
            None => IssuerEvent::MintFailed {
                flight,
                by: self.token_server(),
                meaning,
                words: words(IT, fault),
            },
        };
        // At the issuer the request is on record even when its answer was lost.
        let said = fault.denial().map(|denial| denial.request_id.clone());
        let said = said.filter(|id| !id.is_empty());
        let request = said.or_else(|| self.bearer().is_some().then_some(request_id));
        cx.queue.push_answer(&self.name, request, event.into());
        // What was chosen by is old then, as far as it is known here.
        if fault
            .denial()
            .is_some_and(|denial| denial.code == RefusalCode::Denied)
        {
            cx.queue.push(&self.name, Work::RolesMayBeOld);
        }
    }
}
