//! Why an ask is granted or refused: by what is known here, and by the word of the organization's own issuer.

use super::AgentCore;
use crate::answers::{Explained, PortAnswer};
use crate::command::{ReplySender, say};
use crate::resolve::Resolved;
use oam_model::answer::EndpointFault;
use oam_model::caller::Caller;
use oam_model::organization::WhyAnswer;
use oam_model::refusal::Refusal;
use oam_model::report::WhyReport;
use oam_model::token_request::TokenRequest;
use oam_session::standing::{IT, words};
use oam_wire::message::Reply;

impl AgentCore {
    /// Asks the issuer where there is one: it alone grants. Without its answer it is said what would be
    /// asked for, and that it is only that.
    pub(crate) fn answer_why(&self, ask: TokenRequest, caller: Caller, answers: ReplySender) {
        let asked = self
            .resolver()
            .question(&ask, &caller)
            .and_then(|(name, question)| {
                let org_session = self.org_sessions.get(&name)?;
                let (org, bearer) = org_session.usable_bearer(self.now())?;
                let (epoch, generation) = (
                    org_session.machine.epoch(),
                    org_session.issuer_client.generation,
                );
                let answer = self.ports.issuer.why(&org, bearer, question);
                Some((name, epoch, generation, answer))
            });
        let Some((org, epoch, generation, answer)) = asked else {
            let report = self.resolver().why(&ask, &caller);
            return say(&answers, Reply::Why(report));
        };
        self.aside.run(async move {
            let result = answer.await;
            PortAnswer::Explained(Box::new(Explained {
                org,
                epoch,
                generation,
                ask,
                caller,
                answers,
                result,
            }))
        });
    }

    /// The answer is there. That the identity or session is over counts like the same word on the feed; and
    /// when the session is another one than asked, its own standing is the answer.
    pub(crate) fn explained(&mut self, explained: Explained) {
        let Explained {
            org,
            epoch,
            generation,
            ask,
            caller,
            answers,
            result,
        } = explained;
        if let Err(fault) = &result {
            self.of_org(&org, |own, cx| own.heed(cx, generation, fault));
            self.drain();
        }
        let resolver = self.resolver();
        let own = resolver.why(&ask, &caller);
        let refused = match resolver.resolve(&ask, "why", &caller) {
            Resolved::Chosen(chosen) => resolver.refused_by_session(&chosen),
            Resolved::NotOurs | Resolved::Refused(_) => None,
        };
        let org_session = self.org_sessions.get(&org);
        let report = if org_session.is_some_and(|org_session| org_session.machine.epoch() == epoch)
        {
            told(own, refused, result)
        } else {
            own
        };
        say(&answers, Reply::Why(report));
    }
}

/// The issuer grants or denies; what it grants the session may still not serve (`refused`).
fn told(
    own: WhyReport,
    refused: Option<Refusal>,
    answer: Result<WhyAnswer, EndpointFault>,
) -> WhyReport {
    match answer {
        Ok(answer) => {
            let decision = answer.decision.filter(|_| refused.is_none());
            WhyReport {
                repository: answer.repository,
                action: Some(answer.action),
                role: decision.as_ref().map(|d| d.role.clone()),
                rule: decision.map(|d| format!("{}; {}", d.rule, d.because)),
                refusal: answer.refusal.or(refused),
                groups: answer.groups,
                ..own
            }
        }
        Err(fault) => match fault.refusal() {
            Some(refusal) => WhyReport {
                role: None,
                rule: None,
                refusal: Some(refusal),
                ..own
            },
            None => WhyReport {
                rule: own.rule.map(|rule| {
                    format!(
                        "{rule} (as last read; the issuer was not asked: {})",
                        words(IT, &fault)
                    )
                }),
                ..own
            },
        },
    }
}
