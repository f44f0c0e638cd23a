//! What follows when an identity ends, changes or comes back: one durable batch for a signal or an
//! administrator's order, so that a killed server has done all of it or nothing, and a signal that is
//! sent again does nothing.
//!
//! After the commit every token of before is inactive here. Those that a hub might still honour are in
//! [`Applied::revoked`]: the caller hands them to `mint`, which tells the hubs and records the outcome;
//! a transmitter does not wait for that.

mod order;
mod person;

use crate::overtaken::until_kept;
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::feed::FeedEvent;
use oam_model::name::OrgName;
use oam_model::principal::PrincipalKey;
use oam_model::signal::{Signal, SignalMeaning};
use oam_policy::account::{AccountEvent, Author, Reinstated};
use oam_policy::admission::End;
use oam_policy::policy::Index;
use oam_policy::signal::REMEMBERED_MS;
use oam_store::{Batch, EndKind, Ended, PersonRow, Store, StoreChange, StoreFault, TokenRow};

/// Most people that one signal names. A provider's e-mail address may belong to several; more than this
/// is a mistake, and is left to a person.
const MOST_PEOPLE: usize = 64;
/// How often a signal is tried that others overtake.
const ATTEMPTS: usize = 4;

/// Where a signal came from, for the record.
#[derive(Debug, Clone, Copy, Default)]
pub struct SignalOrigin<'a> {
    /// Id of the request.
    pub request_id: Option<&'a str>,
    /// Address of the sender.
    pub from: Option<&'a str>,
}

/// What a signal or an order came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// It was taken before: nothing was done.
    pub replayed: bool,
    /// The people that it changed.
    pub people: Vec<PrincipalKey>,
    /// Why a person must look at it; an entry was made. For the alarm counter.
    pub alarm: Option<String>,
    /// Tokens that it made inactive and that a hub might still honour.
    pub revoked: Vec<TokenRow>,
}

/// Applies signals.
#[derive(Clone, Copy)]
pub struct SignalProcessor<'a> {
    /// Where people are kept.
    pub store: &'a dyn Store,
    /// The policy in force, to compare roles by.
    pub policy: &'a Index,
}

impl SignalProcessor<'_> {
    /// Carries out a verified signal. `now_ms` is the issuer's clock, Unix milliseconds.
    ///
    /// # Errors
    /// The store did not take it, and nothing was done: it has to be sent again.
    pub async fn apply(
        &self,
        signal: &Signal,
        origin: SignalOrigin<'_>,
        now_ms: u64,
    ) -> Result<Applied, StoreFault> {
        // Whom it names can come while it is looked for, or their roles become others.
        until_kept(ATTEMPTS, || self.attempt(signal, origin, now_ms)).await
    }

    async fn attempt(
        &self,
        signal: &Signal,
        origin: SignalOrigin<'_>,
        now_ms: u64,
    ) -> Result<Applied, StoreFault> {
        let mut draft = Draft::new(self.org(), signal, origin, now_ms);
        let people = if person::speaks_of_people(&signal.meaning) {
            self.people(signal).await?
        } else {
            Vec::new()
        };
        match &signal.meaning {
            SignalMeaning::StreamVerified => draft.stream(signal.at_ms.min(now_ms)),
            SignalMeaning::StreamStopped => {
                draft.stream(0);
                draft.alarm(format!(
                    "a stream of signals was stopped: {}",
                    signal.reason
                ));
            }
            SignalMeaning::NotActedOn => {
                draft.alarm(format!("a signal was not acted on: {}", signal.reason));
            }
            SignalMeaning::Noted => {}
            _ if people.is_empty() => draft.nobody(),
            _ if people.len() > MOST_PEOPLE => {
                draft.alarm(format!(
                    "a signal names {} people: {}",
                    people.len(),
                    signal.reason
                ));
            }
            meaning => {
                for row in &people {
                    self.one(&mut draft, meaning, row);
                }
            }
        }
        draft.commit(self.store).await
    }

    const fn org(&self) -> &OrgName {
        &self.policy.policy().org.name
    }

    /// The people whom the first of the signal's names finds. No name is empty: it would find everybody.
    async fn people(&self, signal: &Signal) -> Result<Vec<PersonRow>, StoreFault> {
        let names = std::iter::once(&signal.subject).chain(&signal.also);
        for name in names.filter(|name| !name.is_empty()) {
            let found = self
                .store
                .people(signal.source.clone(), name.clone())
                .await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        Ok(Vec::new())
    }

    fn one(&self, draft: &mut Draft<'_>, meaning: &SignalMeaning, row: &PersonRow) {
        match meaning {
            SignalMeaning::AccountEnded => draft.end(row, EndKind::Account),
            SignalMeaning::SessionEnded => draft.end(row, EndKind::Session),
            SignalMeaning::SessionDoubtful => draft.end(row, EndKind::Doubt),
            SignalMeaning::AccountRestored => draft.restore(row),
            SignalMeaning::ClaimsChanged { groups } => {
                draft.groups(self.policy, row, groups.clone());
            }
            SignalMeaning::StreamVerified
            | SignalMeaning::StreamStopped
            | SignalMeaning::NotActedOn
            | SignalMeaning::Noted => {}
        }
    }
}

/// The batch of a signal as it is put together.
struct Draft<'a> {
    org: &'a OrgName,
    signal: &'a Signal,
    origin: SignalOrigin<'a>,
    now_ms: u64,
    batch: Batch,
    applied: Applied,
}

impl<'a> Draft<'a> {
    /// Begins with what makes it happen once, and with an entry for the signal itself.
    fn new(org: &'a OrgName, signal: &'a Signal, origin: SignalOrigin<'a>, now_ms: u64) -> Self {
        let mut draft = Self {
            org,
            signal,
            origin,
            now_ms,
            batch: Batch::default(),
            applied: Applied::default(),
        };
        draft.batch.changes.push(StoreChange::Once {
            transmitter: signal.transmitter.clone(),
            id: signal.id.clone(),
            until_ms: now_ms.saturating_add(REMEMBERED_MS),
        });
        let said = format!("{} of {}", signal.reason, signal.transmitter);
        draft.entry(AuditEvent::Signal, None, said);
        draft
    }

    fn entry(&mut self, event: AuditEvent, person: Option<&PersonRow>, detail: String) {
        let mut entry = AuditRecord::new(event, self.org.clone(), self.now_ms);
        entry.source = Some(self.signal.source.clone());
        entry.person = person.map(|row| row.seen.key.key.clone());
        entry.name = person.and_then(person::shown);
        entry.request_id = self.origin.request_id.map(str::to_owned);
        entry.from = self.origin.from.map(str::to_owned);
        entry.detail = Some(detail);
        self.batch.entries.push(entry);
    }

    fn alarm(&mut self, why: String) {
        self.entry(AuditEvent::Alarm, None, why.clone());
        self.applied.alarm = Some(why);
    }

    fn stream(&mut self, at_ms: u64) {
        self.batch.changes.push(StoreChange::StreamVerified {
            transmitter: self.signal.transmitter.clone(),
            at_ms,
        });
    }

    fn end(&mut self, row: &PersonRow, kind: EndKind) {
        let key = &row.seen.key;
        let ended = Ended {
            kind,
            at_ms: self.signal.at_ms,
            reason: self.signal.reason.clone(),
        };
        let detail = format!("{}: {}", person::what_ended(kind), ended.reason);
        self.entry(AuditEvent::Revocation, Some(row), detail);
        self.batch
            .changes
            .push(person::end(key.clone(), Author::Provider, ended));
        self.applied.people.push(key.clone());
    }

    /// It matches nobody who was seen here. What ends, doubts or restores them is kept under the names that it
    /// gives, for when they come; all but a restoration alarms, for a leaver may go on under a name that is not
    /// known.
    fn nobody(&mut self) {
        let signal = self.signal;
        let end = || End {
            at_ms: signal.at_ms,
            reason: signal.reason.clone(),
        };
        let kept = match signal.meaning {
            SignalMeaning::AccountEnded => Some(AccountEvent::Ended(Author::Provider, end())),
            SignalMeaning::SessionEnded => Some(AccountEvent::SessionEnded(end())),
            SignalMeaning::SessionDoubtful => Some(AccountEvent::Doubted(end())),
            SignalMeaning::AccountRestored => {
                Some(AccountEvent::Restored(Reinstated::ByProvider(signal.at_ms)))
            }
            _ => None,
        };
        let subjects = person::widest(std::iter::once(&signal.subject).chain(&signal.also));
        let mut why = format!("{}: nobody matches it", signal.reason);
        if let Some(event) = kept.filter(|_| !subjects.is_empty()) {
            self.batch.changes.push(StoreChange::Unmatched {
                source: signal.source.clone(),
                subjects,
                event,
            });
            why.push_str(" so far; it is kept for whoever comes by one of its names");
        }
        if signal.meaning != SignalMeaning::AccountRestored {
            self.alarm(why);
        }
    }

    fn restore(&mut self, row: &PersonRow) {
        let key = row.seen.key.clone();
        let restored = Reinstated::ByProvider(self.signal.at_ms);
        let before = &row.account;
        let after = before.clone().after(&AccountEvent::Restored(restored));
        // Kept in any case: an older end may arrive after it, or another one is being written now.
        self.batch.changes.push(StoreChange::Restore {
            key: key.clone(),
            restored,
        });
        if before.ended_by_provider() == after.ended_by_provider() {
            return;
        }
        let detail = match after.ended() {
            Some(_) => format!("{}; an administrator's end stands", self.signal.reason),
            None => self.signal.reason.clone(),
        };
        self.entry(AuditEvent::Restoration, Some(row), detail);
        self.applied.people.push(key);
    }

    /// Only the roles that are lost are withdrawn; the others' tokens live on.
    fn groups(&mut self, policy: &Index, row: &PersonRow, groups: Option<Vec<String>>) {
        let at_ms = self.signal.at_ms;
        // A later signal or token told the groups already.
        if row.has_groups_after(at_ms) {
            return;
        }
        let after = person::roles_with(policy, row, groups.clone());
        if after.changed {
            let detail = format!(
                "{}; lost: {}",
                self.signal.reason,
                person::listed(&after.lost)
            );
            self.entry(AuditEvent::RolesChanged, Some(row), detail);
        }
        let key = row.seen.key.clone();
        self.applied.people.push(key.clone());
        let feed = after.changed.then(|| FeedEvent::RolesChanged {
            at_ms,
            held: after.held.clone(),
            lost: after.lost.clone(),
        });
        self.batch.changes.push(StoreChange::RolesChanged {
            key,
            from: row.compared(),
            groups,
            held: after.held,
            at_ms,
            feed,
        });
    }

    async fn commit(self, store: &dyn Store) -> Result<Applied, StoreFault> {
        match store.commit(self.batch).await {
            Ok(committed) => Ok(Applied {
                revoked: committed.revoked,
                ..self.applied
            }),
            Err(StoreFault::Replayed) => Ok(Applied {
                replayed: true,
                ..Applied::default()
            }),
            Err(fault) => Err(fault),
        }
    }
}

pub use order::{Order, order, signed_out};
pub use person::facts;
pub(crate) use person::{Relaxed, end, listed, roles_by, roles_under, shown};

#[cfg(test)]
mod tests;
