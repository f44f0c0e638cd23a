//! What an administrator orders, and what somebody does by signing out.

use super::{Applied, person};
use oam_model::audit::{AuditEvent, AuditRecord};
use oam_model::name::OrgName;
use oam_model::principal::PrincipalKey;
use oam_policy::account::{Author, Reinstated};
use oam_store::{Batch, EndKind, Ended, PersonRow, Store, StoreChange, StoreFault};

/// What an administrator orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    /// The account is ended until it is restored.
    EndAccount {
        /// The administrator's words.
        reason: Option<String>,
    },
    /// The session is over; a new sign-in is taken.
    EndSession {
        /// The administrator's words.
        reason: Option<String>,
    },
    /// The account may be used again, by a new sign-in.
    Restore {
        /// Also where the provider ended it, and will not say that it is back.
        provider: bool,
    },
}

/// Carries out an administrator's order. `row` is what is known of the person; none for somebody who was
/// never seen, who is refused from the beginning then.
///
/// # Errors
/// [`StoreFault::Unchanged`] when it is so already, or the store did not take it; nothing was done.
pub async fn order(
    store: &dyn Store,
    org: &OrgName,
    key: &PrincipalKey,
    row: Option<&PersonRow>,
    order: &Order,
    now_ms: u64,
) -> Result<Applied, StoreFault> {
    let (event, change, detail) = match order {
        Order::EndAccount { reason } => {
            person::ordered(key, EndKind::Account, reason.as_deref(), now_ms)
        }
        Order::EndSession { reason } => {
            person::ordered(key, EndKind::Session, reason.as_deref(), now_ms)
        }
        Order::Restore { provider } => (
            AuditEvent::Restoration,
            StoreChange::Restore {
                key: key.clone(),
                restored: if *provider {
                    Reinstated::ForProvider(now_ms)
                } else {
                    Reinstated::ByAdministrator
                },
            },
            "restored by an administrator".to_owned(),
        ),
    };
    let mut entry = AuditRecord::new(event, org.clone(), now_ms);
    entry.source = Some(key.source.clone());
    entry.person = Some(key.key.clone());
    entry.name = row.and_then(person::shown);
    entry.detail = Some(detail);
    let committed = store
        .commit(Batch {
            changes: vec![change],
            entries: vec![entry],
        })
        .await?;
    Ok(Applied {
        people: vec![key.clone()],
        revoked: committed.revoked,
        ..Applied::default()
    })
}

/// Somebody signed out on one of their machines: what was said of them before `at_ms` counts no longer, and
/// their other machines renew at the provider. The change, and the words for the record.
pub fn signed_out(key: &PrincipalKey, at_ms: u64) -> (StoreChange, String) {
    let reason = "signed out on one of the person's machines".to_owned();
    let detail = format!("{}: {reason}", person::what_ended(EndKind::Doubt));
    let ended = Ended {
        kind: EndKind::Doubt,
        at_ms,
        reason,
    };
    (person::end(key.clone(), Author::Provider, ended), detail)
}
