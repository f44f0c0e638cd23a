//! Tokens for the requests of a moment: a client that opens 64 connections at once asks for one token.

use crate::source::{HubCredential, Target, TokenFuture, TokenSource};
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// No token is given to a request so short before its end, or in the second half of a shorter life.
const MARGIN: Duration = Duration::from_mins(1);
/// More targets than this are not remembered.
const MOST: usize = 256;

/// A source before which tokens are held for some time; requests for one target ask one after the other.
pub struct Held {
    inner: Arc<dyn TokenSource>,
    longest: Duration,
    slots: Mutex<BTreeMap<Target, Slot>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<(HubCredential, Instant)>>>;

impl Held {
    /// Holds each token so long at most. What is held is given out even when the right to it has ended meanwhile, so
    /// this is short where the source can tell at once.
    pub fn new(inner: Arc<dyn TokenSource>, longest: Duration) -> Self {
        Self {
            inner,
            longest,
            slots: Mutex::default(),
        }
    }

    /// A token that is there already, for the first request.
    pub fn put(&self, target: &Target, token: HubCredential) {
        let until = self.until(&token, Instant::now());
        if let Ok(mut slot) = self.slot(target).try_lock() {
            *slot = Some((token, until));
        }
    }

    fn slot(&self, target: &Target) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if slots.len() >= MOST && !slots.contains_key(target) {
            slots.clear();
        }
        Arc::clone(slots.entry(target.clone()).or_default())
    }

    /// Since `now`.
    fn until(&self, token: &HubCredential, now: Instant) -> Instant {
        let usable = token.life.saturating_sub(MARGIN.min(token.life / 2));
        let usable = usable.min(self.longest);
        now.checked_add(usable).unwrap_or(now)
    }
}

impl TokenSource for Held {
    fn token(self: Arc<Self>, target: Target) -> TokenFuture<Result<HubCredential, Refusal>> {
        Box::pin(async move {
            let slot = self.slot(&target);
            let mut slot = slot.lock().await;
            if let Some((token, until)) = &*slot
                && Instant::now() < *until
            {
                return Ok(token.shared());
            }
            *slot = None;
            let token = Arc::clone(&self.inner).token(target).await?;
            *slot = Some((token.shared(), self.until(&token, Instant::now())));
            Ok(token)
        })
    }

    fn rejected(self: Arc<Self>, target: Target, token: Arc<Secret>) -> TokenFuture<()> {
        Box::pin(async move {
            let slot = self.slot(&target);
            let mut slot = slot.lock().await;
            // Another request may have brought the next one already.
            if slot
                .as_ref()
                .is_some_and(|(held, _)| Arc::ptr_eq(&held.token, &token))
            {
                *slot = None;
            }
            drop(slot);
            Arc::clone(&self.inner).rejected(target, token).await;
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Held;
    use crate::source::{HubCredential, HubOperation, Target, TokenSource};
    use crate::tests::Numbered;
    use std::sync::Arc;
    use std::time::Duration;

    fn target(name: &str) -> Target {
        Target {
            repository: Some(name.parse().unwrap()),
            operation: HubOperation::Read,
        }
    }

    async fn ask(held: &Arc<Held>, name: &str) -> HubCredential {
        Arc::clone(held).token(target(name)).await.ok().unwrap()
    }

    #[tokio::test]
    async fn requests_of_one_moment_share_a_token_and_a_rejected_one_is_replaced() {
        let numbered = Arc::new(Numbered::default());
        let inner: Arc<dyn TokenSource> = Arc::<Numbered>::clone(&numbered);
        let held = Arc::new(Held::new(inner, Duration::from_hours(1)));
        let (one, two) = tokio::join!(ask(&held, "acme/a"), ask(&held, "acme/a"));
        assert!(Arc::ptr_eq(&one.token, &two.token));
        assert_eq!(
            ask(&held, "acme/b").await.token.expose(),
            "token-2",
            "another repository"
        );
        Arc::clone(&held)
            .rejected(target("acme/a"), Arc::clone(&one.token))
            .await;
        let next = ask(&held, "acme/a").await;
        assert_eq!(next.token.expose(), "token-3");
        // Told late, by a request that had the old one.
        Arc::clone(&held)
            .rejected(target("acme/a"), one.token)
            .await;
        assert!(Arc::ptr_eq(&ask(&held, "acme/a").await.token, &next.token));
        assert_eq!(numbered.rejected.lock().unwrap().len(), 2);
    }

    #[tokio::test]
    async fn a_token_is_not_held_longer_than_it_may_or_than_it_is_good() {
        for (longest, life) in [(Duration::ZERO, 3600), (Duration::from_hours(1), 0)] {
            let numbered = Numbered {
                life: Duration::from_secs(life),
                ..Numbered::default()
            };
            let held = Arc::new(Held::new(Arc::new(numbered), longest));
            assert_eq!(ask(&held, "acme/a").await.token.expose(), "token-1");
            assert_eq!(ask(&held, "acme/a").await.token.expose(), "token-2");
        }
    }
}
