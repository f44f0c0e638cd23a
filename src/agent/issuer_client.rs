//! What the core knows through an organization's own issuer, beside the session.

use super::entitlements::Entitlements;
use super::setup::SetUp;
use super::state::{AuditAnchor, KeptOfIssuer};
use oam_audit::history::replaces_head;
use oam_model::secret::Secret;
use oam_model::time::Moment;
use oam_session::subscription::FeedSubscription;
use std::sync::Arc;
use tokio::task::AbortHandle;

/// One organization's issuer.
#[derive(Default)]
pub(super) struct IssuerClientState {
    /// Decides about the feed.
    pub subscription: FeedSubscription,
    /// The feed that is open.
    pub feed: Option<AbortHandle>,
    /// The last bearer, to tell a younger one from the same.
    pub bearer: Option<Arc<Secret>>,
    /// Its number.
    pub generation: u64,
    pub entitlements: Entitlements,
    /// The last head of the organization's audit log that the issuer told: shown to it again.
    pub head: Option<String>,
    pub uploads: Uploads,
    pub setup: SetUp,
}

/// The audit log at the organization.
#[derive(Default)]
pub(super) struct Uploads {
    /// The last record that it holds; none: not known.
    pub held: Option<AuditAnchor>,
    /// What is held may be less than what is known: it is to be asked, also with nothing to send.
    pub unsure: bool,
    /// The feed's connection on which it was asked last.
    pub asked_on: u64,
    /// A batch of so many lines is under way.
    pub under_way: Option<usize>,
    /// When the next batch is due.
    pub due: Option<Moment>,
    pub failures: u32,
    /// What the organization found wrong with the log.
    pub alarm: Option<String>,
    /// Why the last batch was not taken.
    pub trouble: Option<String>,
}

impl IssuerClientState {
    /// What is sealed.
    pub(super) fn kept(&self) -> KeptOfIssuer {
        KeptOfIssuer {
            effective_roles: self.entitlements.effective().cloned(),
            cursor: self.subscription.cursor().cloned(),
            records: self.uploads.held.clone(),
            head: self.head.clone(),
        }
    }

    /// Goes on from what was sealed.
    pub(super) fn resume(&mut self, kept: KeptOfIssuer) {
        self.subscription = FeedSubscription::new(kept.cursor);
        self.entitlements.set(kept.effective_roles);
        self.uploads.held = kept.records;
        self.head = kept.head;
    }

    /// The session is over: nothing of it is true for the next one. What waits stays, to be answered;
    /// what the organization holds of the log stays true.
    pub(super) fn forget(&mut self, now: Moment) {
        self.entitlements.forget(now);
        self.uploads.due = None;
        self.uploads.failures = 0;
    }

    /// Milliseconds until something here is due; `wanted`: news must not be missed.
    pub(super) fn next_wake(&self, wanted: bool, now: Moment) -> Option<u64> {
        let feed = self.subscription.next_wake(wanted, now);
        let parked = self.entitlements.parked_until().map(|at| now.until(at));
        let records = self.uploads.due.map(|at| now.until(at));
        feed.into_iter().chain(parked).chain(records).min()
    }

    /// The issuer told a head of its audit log. An older one is not kept: the issuer is shown what it forgot.
    pub(super) fn told_head(&mut self, head: Option<String>) {
        if let Some(head) = head
            && replaces_head(&head, self.head.as_deref())
        {
            self.head = Some(head);
        }
    }
}
