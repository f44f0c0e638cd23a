//! What a change makes of somebody: one pure function, which every store applies to the row that it reads in its
//! own transaction.

use super::{PersonRow, StoreChange};
use oam_model::feed::FeedEvent;
use oam_model::name::RoleName;
use oam_model::principal::PrincipalKey;
use oam_policy::account::{Account, AccountEvent, Reinstated};

/// What is to be written.
pub(super) struct AccountStep<'a> {
    pub(super) row: PersonRow,
    /// Which tokens end.
    pub(super) ends: Option<Ends<'a>>,
    /// What the feed says.
    pub(super) feed: Option<&'a FeedEvent>,
}

/// The tokens of somebody that live at a moment. Also tokens issued after the moment that a signal tells: it is
/// late, and they are younger than what ended.
pub(super) struct Ends<'a> {
    /// Unix milliseconds.
    pub(super) at_ms: u64,
    /// But those of these roles; none: all. Which roles are lost is told by the tokens: one can have been issued
    /// since the roles were compared.
    pub(super) but: Option<&'a [RoleName]>,
}

impl StoreChange {
    /// Whose row it changes.
    pub(super) const fn person(&self) -> Option<&PrincipalKey> {
        match self {
            Self::Seen(seen) | Self::TakeOver(seen) => Some(&seen.key),
            Self::End { key, .. }
            | Self::Restore { key, .. }
            | Self::RolesChanged { key, .. }
            | Self::Held { key, .. } => Some(key),
            _ => None,
        }
    }

    /// What it makes of this row; `said`: what was kept of a [`StoreChange::TakeOver`]'s names. None: nothing.
    ///
    /// Somebody may be spoken of before they were ever seen, and must find that when they come.
    pub(super) fn step(
        &self,
        kept: Option<PersonRow>,
        said: &[Account],
    ) -> Option<AccountStep<'_>> {
        let known = |kept: Option<PersonRow>, key: &PrincipalKey, at_ms| {
            kept.unwrap_or_else(|| PersonRow::unseen(key, at_ms))
        };
        let only = |row| AccountStep {
            row,
            ends: None,
            feed: None,
        };
        Some(match self {
            Self::Seen(seen) => only(PersonRow::seen(kept, seen)),
            Self::TakeOver(seen) => only(PersonRow::taking_over(kept, seen, said)),
            Self::End {
                key,
                author,
                ended,
                feed,
            } => AccountStep {
                row: known(kept, key, ended.at_ms)
                    .after(&ended.event(*author))
                    .overtaken(),
                ends: Some(Ends {
                    at_ms: ended.at_ms,
                    but: None,
                }),
                feed: Some(feed),
            },
            // The account may be used again by a new sign-in.
            Self::Restore { key, restored } => {
                let at_ms = match restored {
                    Reinstated::ByProvider(at_ms) | Reinstated::ForProvider(at_ms) => *at_ms,
                    Reinstated::ByAdministrator | Reinstated::ByDirectory => 0,
                };
                only(known(kept, key, at_ms).after(&AccountEvent::Restored(*restored)))
            }
            Self::RolesChanged {
                key,
                groups,
                held,
                at_ms,
                feed,
                ..
            } => {
                let row = known(kept, key, *at_ms);
                let row = row.roles_changed(groups.as_deref(), held, *at_ms)?;
                of_roles(row, held, *at_ms, feed.as_ref())
            }
            Self::Held {
                key,
                held,
                lost,
                at_ms,
                feed,
                ..
            } => {
                let row = known(kept, key, *at_ms).holding(held, !lost.is_empty());
                of_roles(row, held, *at_ms, feed.as_ref())
            }
            _ => return None,
        })
    }
}

const fn of_roles<'a>(
    row: PersonRow,
    held: &'a [RoleName],
    at_ms: u64,
    feed: Option<&'a FeedEvent>,
) -> AccountStep<'a> {
    AccountStep {
        row,
        ends: Some(Ends {
            at_ms,
            but: Some(held),
        }),
        feed,
    }
}
