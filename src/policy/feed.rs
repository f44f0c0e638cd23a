//! What one subject's feed says next: missed events, whether it is over, and what a heartbeat may
//! claim.

use oam_model::feed::FeedEvent;

/// Whether the bearer of a stream is still admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StreamAccess {
    /// It is: ends of before it are not its business.
    Admitted,
    /// It is not any more; this says why, as the feed says it.
    Over(FeedEvent),
}

/// What to send, in order, each with the number for its cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The messages.
    pub items: Vec<(Option<u64>, FeedEvent)>,
    /// The stream ends after them, without a heartbeat.
    pub over: bool,
}

/// The messages for one look at the feed. `reset`: the cursor was unknown; `events`: what came after it.
///
/// An end is sent only when it is the end of this bearer: a person who was revoked, restored and
/// signed in anew resumes with the old cursor, and the old end must not end the new session. And an
/// end that this bearer has is sent even when the events do not hold it: it was before the cursor, or
/// came between the two looks at the store. Nothing is sent after it.
pub fn delivery(reset: bool, events: Vec<(u64, FeedEvent)>, bearer: StreamAccess) -> Delivery {
    let last = events.last().map(|(seq, _)| *seq);
    let mut items = Vec::new();
    if let StreamAccess::Over(end) = bearer {
        items.push((last, end));
        return Delivery { items, over: true };
    }
    if reset {
        items.push((None, FeedEvent::Reset {}));
    }
    for (seq, event) in events {
        match event {
            FeedEvent::Revoked { .. }
            | FeedEvent::Doubt { .. }
            | FeedEvent::Heartbeat { .. }
            | FeedEvent::Head { .. }
            | FeedEvent::Reset {} => {}
            FeedEvent::RolesChanged { .. } => items.push((Some(seq), event)),
        }
    }
    Delivery { items, over: false }
}

/// The issuer's own evidence for a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Evidence {
    /// The time that the bearer speaks of, Unix ms.
    pub bearer_ms: u64,
    /// The time that the person's last verified token speaks of, Unix ms; 0: none.
    pub proven_ms: u64,
    /// The last verification of the transmitter's stream for this source, Unix ms, and for how long it
    /// counts, ms.
    pub stream: Option<(u64, u64)>,
}

/// `as_of_ms` of a heartbeat: the greatest of the evidence, never later than now. A stream counts
/// only while it is verified lately: silence of a dead one says nothing.
pub fn as_of_ms(evidence: Evidence, now_ms: u64) -> u64 {
    let stream = evidence
        .stream
        .filter(|(at_ms, live_for_ms)| now_ms.saturating_sub(*at_ms) < *live_for_ms)
        .map_or(0, |(at_ms, _)| at_ms);
    evidence
        .bearer_ms
        .max(evidence.proven_ms)
        .max(stream)
        .min(now_ms)
}

#[cfg(test)]
mod tests {
    use super::{Delivery, Evidence, StreamAccess, as_of_ms, delivery};
    use oam_model::feed::FeedEvent;
    use proptest::prelude::*;

    fn revoked(at_ms: u64) -> FeedEvent {
        FeedEvent::Revoked {
            at_ms,
            reason: "by an administrator".into(),
        }
    }

    fn changed(at_ms: u64) -> FeedEvent {
        FeedEvent::RolesChanged {
            at_ms,
            held: Vec::new(),
            lost: Vec::new(),
        }
    }

    #[test]
    fn an_end_of_before_does_not_end_a_session_of_after() {
        let events = vec![(4, changed(1)), (5, revoked(2)), (6, changed(3))];
        assert_eq!(
            delivery(false, events, StreamAccess::Admitted),
            Delivery {
                items: vec![(Some(4), changed(1)), (Some(6), changed(3))],
                over: false
            }
        );
    }

    #[test]
    fn an_end_is_the_one_item_and_the_last_one_even_when_no_event_holds_it() {
        for events in [vec![], vec![(7, revoked(9)), (8, changed(9))]] {
            let last = events.last().map(|(seq, _)| *seq);
            let sent = delivery(true, events, StreamAccess::Over(revoked(9)));
            assert_eq!(sent.items, [(last, revoked(9))]);
            assert!(sent.over);
        }
    }

    #[test]
    fn an_unknown_cursor_is_said_first() {
        let sent = delivery(true, vec![(3, changed(1))], StreamAccess::Admitted);
        assert_eq!(sent.items[0], (None, FeedEvent::Reset {}));
        assert_eq!(sent.items.len(), 2);
    }

    #[test]
    fn a_stream_that_was_verified_too_long_ago_is_no_evidence() {
        let old = Evidence {
            bearer_ms: 10,
            proven_ms: 20,
            stream: Some((40, 50)),
        };
        assert_eq!(as_of_ms(old, 89), 40);
        assert_eq!(as_of_ms(old, 90), 20);
    }

    proptest! {
        #[test]
        fn evidence_is_never_of_the_future_and_never_invented(
            bearer_ms in 0u64..1000, proven_ms in 0u64..1000, at in 0u64..1000, live in 0u64..1000, now in 0u64..1000,
        ) {
            let evidence = Evidence { bearer_ms, proven_ms, stream: Some((at, live)) };
            let as_of = as_of_ms(evidence, now);
            prop_assert!(as_of <= now);
            prop_assert!([bearer_ms, proven_ms, at, now].contains(&as_of));
            prop_assert!(as_of >= bearer_ms.min(now));
        }
    }
}
