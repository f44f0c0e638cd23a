use super::{FRESH_MS, Kept, Miss, PAUSE_MS};
use crate::model::answer::EndpointFault;
use std::cell::Cell;

const NOW_MS: u64 = 1_790_000_000_000;

fn down() -> EndpointFault {
    EndpointFault::Lost {
        why: "no answer".to_owned(),
    }
}

#[tokio::test]
async fn what_is_fresh_is_not_fetched() {
    let kept = Kept::new();
    let fetches = Cell::new(0);
    let at = async |now_ms: u64| {
        let fetch = async {
            fetches.set(fetches.get() + 1);
            Ok(fetches.get())
        };
        kept.find(now_ms, |value| Some(*value), || fetch).await
    };
    assert_eq!(at(NOW_MS).await, Ok(1));
    assert_eq!(at(NOW_MS + FRESH_MS - 1).await, Ok(1));
    assert_eq!(at(NOW_MS + FRESH_MS).await, Ok(2));
}

#[tokio::test]
async fn what_is_not_in_it_is_looked_for_once_in_a_pause() {
    let kept = Kept::new();
    let fetches = Cell::new(0);
    let at = async |now_ms: u64| {
        let fetch = async {
            fetches.set(fetches.get() + 1);
            Ok(())
        };
        kept.find(now_ms, |()| None::<()>, || fetch).await
    };
    for millis in 0..PAUSE_MS {
        if millis % 100 == 0 {
            assert_eq!(at(NOW_MS + millis).await, Err(Miss::Absent));
        }
    }
    assert_eq!(fetches.get(), 1);
    assert_eq!(at(NOW_MS + PAUSE_MS).await, Err(Miss::Absent));
    assert_eq!(fetches.get(), 2);
    // A clock that was set back an hour does not stop it for an hour.
    assert_eq!(at(NOW_MS - 3_600_000).await, Err(Miss::Absent));
    assert_eq!(fetches.get(), 3);
}

#[tokio::test]
async fn somebody_who_waits_for_a_slow_fetch_is_served_what_is_held() {
    let kept = Kept::new();
    let first = kept.find(NOW_MS, |value| Some(*value), || async { Ok(1) });
    assert_eq!(first.await, Ok(1));
    let later = NOW_MS + FRESH_MS;
    let slow = kept.find(later, |value| Some(*value), std::future::pending);
    let quick = kept.find(later, |value| Some(*value), || async { Err(down()) });
    tokio::select! {
        biased;
        _ = slow => panic!("it is still being fetched"),
        outcome = quick => assert_eq!(outcome, Ok(1)),
    }
    assert!(!kept.is_failing());
}
