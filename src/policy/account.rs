//! The state of an account at the issuer, for a person or a job: what ended, by whom, and since when.
//!
//! One pure function, which the store applies to the row that it reads in its own transaction. A provider's
//! events count by their own times, so that they come to the same in whatever order they arrive, and twice.
//! An administrator's orders count in the order in which the store takes them: a clock that was set back
//! must not make one void; so do the words of a directory, which tells states and no times. Each author lifts only its
//! own end.

use crate::admission::End;

/// Who ended an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// The identity provider, by a signal.
    Provider,
    /// An administrator, by a command.
    Administrator,
    /// The company's directory: it deactivated or deleted somebody.
    Directory,
}

/// What was ended and not lifted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Account {
    /// The last end that the provider told, also when it was lifted since.
    pub provider: Option<End>,
    /// When the provider last said that the account may be used, Unix milliseconds.
    pub provider_restored_at_ms: Option<u64>,
    /// The end of an administrator, until it is lifted.
    pub administrator: Option<End>,
    /// The end of the directory, until it is lifted.
    pub directory: Option<End>,
    /// The last end of a session; an end of the account is one too, and stays one when it is lifted.
    pub session: Option<End>,
    /// The last doubt.
    pub doubt: Option<End>,
}

/// What happened to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountEvent {
    /// It may not be used until its author lifts that.
    Ended(Author, End),
    /// A sign-in later than this is needed.
    SessionEnded(End),
    /// Evidence from before is not taken.
    Doubted(End),
    /// An end was lifted.
    Restored(Reinstated),
}

/// Whose end is lifted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reinstated {
    /// The provider lifts its own, at this time (Unix milliseconds).
    ByProvider(u64),
    /// An administrator lifts the administrators' end.
    ByAdministrator,
    /// The directory lifts its own.
    ByDirectory,
    /// An administrator lifts the provider's and the directory's end too, at this time (Unix milliseconds): there
    /// are providers that never say that somebody is back.
    ForProvider(u64),
}

impl Account {
    /// The end of the account that counts: an administrator's before the directory's, and that before the
    /// provider's. The provider's end wins over its own word of the same moment.
    pub fn ended(&self) -> Option<(Author, &End)> {
        let administrator = self.administrator.as_ref();
        let by_administrator = administrator.map(|end| (Author::Administrator, end));
        let directory = self.directory.as_ref();
        by_administrator
            .or_else(|| Some((Author::Directory, directory?)))
            .or_else(|| Some((Author::Provider, self.ended_by_provider()?)))
    }

    /// The provider's end, while it is not lifted.
    pub fn ended_by_provider(&self) -> Option<&End> {
        let lifted = self.provider_restored_at_ms;
        let end = self.provider.as_ref()?;
        lifted.is_none_or(|at_ms| at_ms <= end.at_ms).then_some(end)
    }

    /// The events of the provider that make what is kept of it. They come to the same in any order.
    pub fn told_by_provider(&self) -> Vec<AccountEvent> {
        let ended = self.provider.clone();
        let restored = self.provider_restored_at_ms;
        let session = self.session.clone().map(AccountEvent::SessionEnded);
        let doubt = self.doubt.clone().map(AccountEvent::Doubted);
        let ended = ended.map(|end| AccountEvent::Ended(Author::Provider, end));
        let restored = restored.map(|at_ms| AccountEvent::Restored(Reinstated::ByProvider(at_ms)));
        [ended, restored, session, doubt]
            .into_iter()
            .flatten()
            .collect()
    }

    /// The account after an event.
    #[must_use]
    pub fn after(mut self, event: &AccountEvent) -> Self {
        match event {
            AccountEvent::Ended(Author::Provider, end) => {
                self.session = Some(latest(self.session, end));
                self.provider = Some(latest(self.provider, end));
            }
            AccountEvent::Ended(Author::Administrator, end) => {
                self.session = Some(latest(self.session, end));
                self.administrator = self.administrator.or_else(|| Some(end.clone()));
            }
            AccountEvent::Ended(Author::Directory, end) => {
                self.session = Some(latest(self.session, end));
                self.directory = self.directory.or_else(|| Some(end.clone()));
            }
            AccountEvent::SessionEnded(end) => self.session = Some(latest(self.session, end)),
            AccountEvent::Doubted(end) => self.doubt = Some(latest(self.doubt, end)),
            AccountEvent::Restored(Reinstated::ByAdministrator) => self.administrator = None,
            AccountEvent::Restored(Reinstated::ByDirectory) => self.directory = None,
            AccountEvent::Restored(Reinstated::ByProvider(at_ms)) => {
                self.provider_restored_at_ms = self.provider_restored_at_ms.max(Some(*at_ms));
            }
            AccountEvent::Restored(Reinstated::ForProvider(at_ms)) => {
                self.administrator = None;
                self.directory = None;
                let after = self
                    .provider
                    .as_ref()
                    .map(|end| end.at_ms.saturating_add(1));
                self.provider_restored_at_ms =
                    self.provider_restored_at_ms.max(Some(*at_ms)).max(after);
            }
        }
        self
    }
}

/// The later end; of two of one moment always the same one, whichever came first.
fn latest(kept: Option<End>, end: &End) -> End {
    let is_later = |kept: &End| (kept.at_ms, &kept.reason) > (end.at_ms, &end.reason);
    kept.filter(is_later).unwrap_or_else(|| end.clone())
}

#[cfg(test)]
mod tests;
