//! Counts are told while traffic passes: a gateway that is killed tells no sum.

use crate::count::Counts;
use crate::source::TokenFuture;
use oam_model::served::ServedTraffic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Between a change and its telling: what passed in the last of it is missing on the record of a gateway that is killed.
pub const EVERY: Duration = Duration::from_secs(5);

/// Whether counts changed since they were told, and who waits for that.
#[derive(Debug, Default)]
pub(crate) struct Change {
    is_untold: AtomicBool,
    waiting: Notify,
}

impl Change {
    /// A count is another than before.
    pub(crate) fn note(&self) {
        if !self.is_untold.swap(true, Ordering::AcqRel) {
            self.waiting.notify_one();
        }
    }

    /// Whether there is something to tell; from here on it counts as told.
    pub(crate) fn take(&self) -> bool {
        self.is_untold.swap(false, Ordering::AcqRel)
    }

    /// Resolves when there is something to tell.
    async fn noted(&self) {
        while !self.is_untold.load(Ordering::Acquire) {
            self.waiting.notified().await;
        }
    }
}

/// Tells the sum one `pause` after it changed, as long as this is polled. What is told by others meanwhile is not told
/// again, and where nothing passes nothing is waited for but a change.
pub async fn while_it_passes(
    counts: Arc<Counts>,
    pause: impl Fn() -> TokenFuture<()>,
    tell: impl Fn(ServedTraffic) -> TokenFuture<()>,
) {
    loop {
        counts.change().noted().await;
        pause().await;
        if let Some(served) = counts.untold() {
            tell(served).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::while_it_passes;
    use crate::count::Counts;
    use crate::source::{HubOperation, Target, TokenFuture};
    use oam_model::served::ServedTraffic;
    use proptest::prelude::*;
    use std::future::{Future, poll_fn};
    use std::pin::{Pin, pin};
    use std::sync::{Arc, Mutex};
    use std::task::{Context, Poll, Waker};
    use tokio::sync::oneshot;

    #[derive(Debug, Clone, Copy)]
    enum Step {
        /// A request, or bytes of the one that is open.
        Passes(bool),
        /// The time of a pause is over.
        PauseEnds,
        /// The sum goes along with a question for a token.
        ToldBesides,
    }

    /// What the task did.
    #[derive(Default)]
    struct Seen {
        pause: Option<oneshot::Sender<()>>,
        told: Option<ServedTraffic>,
        tells: usize,
    }

    fn poll(task: Pin<&mut impl Future<Output = ()>>) {
        let polled = task.poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(polled, Poll::Pending, "it goes on for ever");
    }

    fn once(resolves: oneshot::Receiver<()>) -> TokenFuture<()> {
        Box::pin(async move {
            let _ = resolves.await;
        })
    }

    proptest! {
        #[test]
        fn what_passes_is_told_one_pause_later_and_nothing_runs_while_nothing_passes(
            steps in prop::collection::vec(prop_oneof![
                any::<bool>().prop_map(Step::Passes),
                Just(Step::PauseEnds),
                Just(Step::ToldBesides),
            ], 0..60),
        ) {
            let (counts, seen) = (Arc::new(Counts::default()), Mutex::new(Seen::default()));
            let target = Target { repository: None, operation: HubOperation::Read };
            let open = counts.request(&target);
            let mut task = pin!(while_it_passes(
                Arc::clone(&counts),
                || {
                    let (ends, paused) = oneshot::channel();
                    let before = seen.lock().unwrap().pause.replace(ends);
                    assert!(before.is_none(), "one pause at a time");
                    once(paused)
                },
                |served| {
                    let mut seen = seen.lock().unwrap();
                    (seen.told, seen.tells) = (Some(served), seen.tells + 1);
                    Box::pin(poll_fn(|_| Poll::Ready(())))
                },
            ));
            poll(task.as_mut());
            // Changed since it was told last, by whom ever.
            let mut untold = true;
            for step in steps {
                let (tells, paused) = { let seen = seen.lock().unwrap(); (seen.tells, seen.pause.is_some()) };
                let mut may_tell = false;
                match step {
                    Step::Passes(true) => { counts.request(&target); untold = true; }
                    Step::Passes(false) => { open.received(3); untold = true; }
                    Step::PauseEnds => {
                        let ends = seen.lock().unwrap().pause.take();
                        may_tell = ends.is_some() && untold;
                        ends.map(|ends| ends.send(()));
                    }
                    Step::ToldBesides => {
                        prop_assert_eq!(counts.untold().is_some(), untold);
                        untold = false;
                    }
                }
                poll(task.as_mut());
                let seen = seen.lock().unwrap();
                prop_assert_eq!(seen.tells, tells + usize::from(may_tell), "only when a pause is over");
                if may_tell {
                    prop_assert_eq!(seen.told.as_ref(), Some(&counts.served()));
                    untold = false;
                }
                let waits = seen.pause.is_some();
                prop_assert!(waits || !untold, "what changed is told");
                let stays = paused && !matches!(step, Step::PauseEnds);
                prop_assert!(!waits || untold || stays, "no clock runs for nothing");
            }
        }
    }
}
