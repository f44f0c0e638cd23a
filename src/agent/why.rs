//! What the organization's own issuer has to do with reports: its reasons, and how it is reached.

use super::answers::PortAnswer;
use super::command::{ReplySender, say};
use super::core::AgentCore;
use super::reports::Reports;
use oam_config::agent::Org;
use oam_model::answer::EndpointFault;
use oam_model::caller::Caller;
use oam_model::name::OrgName;
use oam_model::organization::WhyAnswer;
use oam_model::report::{FeedStatus, RecordsStatus, WhyReport};
use oam_model::time::Moment;
use oam_model::token_request::TokenRequest;
use oam_session::standing::{IT, words};
use oam_wire::message::Reply;

/// The issuer's answer to a question, and whose answer waits for it.
pub(super) struct Explained {
    org: OrgName,
    /// Of the session that asked.
    epoch: u64,
    generation: u64,
    ask: TokenRequest,
    caller: Caller,
    answers: ReplySender,
    result: Result<WhyAnswer, EndpointFault>,
}

impl AgentCore {
    /// Asks the issuer where there is one: it alone grants. Without its answer it is said what would be
    /// asked for, and that it is only that.
    pub(super) fn answer_why(&self, ask: TokenRequest, caller: Caller, answers: ReplySender) {
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
    pub(super) fn explained(&mut self, explained: Explained) {
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
            self.heed(&org, generation, fault);
        }
        let own = self.resolver().why(&ask, &caller);
        let org_session = self.org_sessions.get(&org);
        let report = if org_session.is_some_and(|org_session| org_session.machine.epoch() == epoch)
        {
            told(own, result)
        } else {
            own
        };
        say(&answers, Reply::Why(report));
    }
}

impl Reports<'_> {
    pub(super) fn feed_status(&self, org: &Org) -> Option<FeedStatus> {
        org.exchange.issuer()?;
        let now = self.now;
        let org_session = self.org_sessions.get(&org.name)?;
        let wanted = org_session.wants_news(self.followers.uses(&org.name), now);
        let issuer_client = &org_session.issuer_client;
        Some(FeedStatus {
            state: issuer_client.subscription.word(now).word().to_owned(),
            polling: issuer_client.subscription.polls() && wanted,
            as_of: issuer_client.subscription.as_of().map(Moment::unix),
            clock_ahead_ms: issuer_client.subscription.clock_ahead_ms(now),
            roles_read_at: issuer_client.entitlements.read_at.map(Moment::unix),
            roles_trouble: issuer_client
                .entitlements
                .unread
                .as_ref()
                .map(|unread| unread.why.clone()),
        })
    }

    pub(super) fn records_status(&self, org: &Org) -> Option<RecordsStatus> {
        org.exchange.issuer()?;
        let records = &self.org_sessions.get(&org.name)?.issuer_client.uploads;
        Some(RecordsStatus {
            held: records.held.as_ref().map_or(0, |held| held.seq),
            known: records.held.is_some(),
            written: self.durable.audit_chain.sequence(),
            alarm: records.alarm.clone(),
            trouble: records.trouble.clone(),
        })
    }
}

fn told(own: WhyReport, answer: Result<WhyAnswer, EndpointFault>) -> WhyReport {
    match answer {
        Ok(answer) => {
            let decision = answer.decision;
            WhyReport {
                repository: answer.repository,
                action: Some(answer.action),
                role: decision.as_ref().map(|d| d.role.clone()),
                rule: decision.map(|d| format!("{}; {}", d.rule, d.because)),
                refusal: answer.refusal,
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
