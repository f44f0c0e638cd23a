//! How something ends, and which orders to end or to lift an end change nothing. Pure, for every store.

use super::{StoreChange, StoreFault};
use oam_model::principal::PrincipalKey;
use oam_policy::account::{Account, AccountEvent, Author, Reinstated};
use oam_policy::admission::End;

/// How something ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Which kind.
    pub kind: EndKind,
    /// Unix milliseconds.
    pub at_ms: u64,
    /// Our own words.
    pub reason: String,
}

/// Kinds of an end, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EndKind {
    /// Subject tokens of before are not taken any more; a younger one is.
    Doubt,
    /// A sign-in later than this is needed.
    Session,
    /// Refused until restored.
    Account,
}

impl Ended {
    /// What happened to the account.
    pub(super) fn event(&self, author: Author) -> AccountEvent {
        let end = End {
            at_ms: self.at_ms,
            reason: self.reason.clone(),
        };
        match self.kind {
            EndKind::Account => AccountEvent::Ended(author, end),
            EndKind::Session => AccountEvent::SessionEnded(end),
            EndKind::Doubt => AccountEvent::Doubted(end),
        }
    }
}

impl StoreChange {
    /// An administrator's order that is refused when the account is so already.
    pub(super) fn order(&self) -> Option<(&PrincipalKey, AccountEvent)> {
        let ends = |author, ended: &Ended| {
            author == Author::Administrator && ended.kind == EndKind::Account
        };
        match self {
            Self::End {
                key, author, ended, ..
            } if ends(*author, ended) => Some((key, ended.event(*author))),
            Self::Restore { key, restored }
                if !matches!(
                    restored,
                    Reinstated::ByProvider(_) | Reinstated::ByDirectory
                ) =>
            {
                Some((key, AccountEvent::Restored(*restored)))
            }
            _ => None,
        }
    }
}

/// Refuses an administrator's order that changes nothing of this account.
pub(super) fn changes_something(account: &Account, order: &AccountEvent) -> Result<(), StoreFault> {
    let after = account.clone().after(order);
    // An order to lift an end that is not there moves the time of the lifting only.
    if account.ended() == after.ended() && account.administrator == after.administrator {
        return Err(StoreFault::Unchanged);
    }
    Ok(())
}

/// The latest verification of a stream; 0 says that it was stopped.
pub(super) fn verification_after(kept: Option<u64>, at_ms: u64) -> u64 {
    let latest = kept.map_or(at_ms, |kept| kept.max(at_ms));
    if at_ms == 0 { 0 } else { latest }
}
