use super::{CacheAges, CacheMiss, TtlCache};
use oam_model::answer::EndpointFault;
use oam_model::time::Moment;
use std::cell::Cell;

const NOW: Moment = Moment::new(7_000_000, 1_790_000_000_000);

fn down() -> EndpointFault {
    EndpointFault::Lost {
        why: "no answer".to_owned(),
    }
}

#[tokio::test]
async fn what_is_fresh_is_not_fetched() {
    let kept = TtlCache::default();
    let fetches = Cell::new(0);
    let at = async |now: Moment| {
        let fetch = async {
            fetches.set(fetches.get() + 1);
            Ok(fetches.get())
        };
        kept.find(now, |value| Some(*value), || fetch).await
    };
    assert_eq!(at(NOW).await, Ok(1));
    assert_eq!(
        at(NOW.plus(CacheAges::BY_STRANGERS.fresh_ms - 1)).await,
        Ok(1)
    );
    assert_eq!(at(NOW.plus(CacheAges::BY_STRANGERS.fresh_ms)).await, Ok(2));
}

#[tokio::test]
async fn what_is_not_in_it_is_looked_for_once_in_a_pause() {
    let kept = TtlCache::default();
    let fetches = Cell::new(0);
    let at = async |now: Moment| {
        let fetch = async {
            fetches.set(fetches.get() + 1);
            Ok(())
        };
        kept.find(now, |()| None::<()>, || fetch).await
    };
    for millis in 0..CacheAges::BY_STRANGERS.pause_ms {
        if millis % 100 == 0 {
            assert_eq!(at(NOW.plus(millis)).await, Err(CacheMiss::Absent));
        }
    }
    assert_eq!(fetches.get(), 1);
    assert_eq!(
        at(NOW.plus(CacheAges::BY_STRANGERS.pause_ms)).await,
        Err(CacheMiss::Absent)
    );
    assert_eq!(fetches.get(), 2);
    // A wall clock that is set, back or ahead, neither stops it nor lets a sender repeat it.
    for wall_ms in [NOW.wall_ms - 3_600_000, NOW.wall_ms + 3_600_000] {
        let soon = Moment::new(NOW.boot_ms + CacheAges::BY_STRANGERS.pause_ms + 1, wall_ms);
        assert_eq!(at(soon).await, Err(CacheMiss::Absent));
        assert_eq!(fetches.get(), 2);
    }
    let later = Moment::new(
        NOW.boot_ms + 2 * CacheAges::BY_STRANGERS.pause_ms,
        NOW.wall_ms - 3_600_000,
    );
    assert_eq!(at(later).await, Err(CacheMiss::Absent));
    assert_eq!(fetches.get(), 3);
}

#[tokio::test]
async fn somebody_who_waits_for_a_slow_fetch_is_served_what_is_held() {
    let kept = TtlCache::default();
    let first = kept.find(NOW, |value| Some(*value), || async { Ok(1) });
    assert_eq!(first.await, Ok(1));
    let later = NOW.plus(CacheAges::BY_STRANGERS.fresh_ms);
    let slow = kept.find(later, |value| Some(*value), std::future::pending);
    let quick = kept.find(later, |value| Some(*value), || async { Err(down()) });
    tokio::select! {
        biased;
        _ = slow => panic!("it is still being fetched"),
        outcome = quick => assert_eq!(outcome, Ok(1)),
    }
    assert!(!kept.is_failing());
}

#[tokio::test]
async fn a_wall_clock_that_leaps_gives_nothing_up_while_the_provider_is_down() {
    const DAY_MS: u64 = 86_400_000;
    let kept = TtlCache::default();
    let first = kept.find(NOW, |value| Some(*value), || async { Ok(1) });
    assert_eq!(first.await, Ok(1));
    let at = async |now: Moment| {
        kept.find(now, |value| Some(*value), || async { Err(down()) })
            .await
    };
    for wall_ms in [NOW.wall_ms + 30 * DAY_MS, NOW.wall_ms - 30 * DAY_MS] {
        assert_eq!(at(Moment::new(NOW.boot_ms + 20_000, wall_ms)).await, Ok(1));
    }
    let old = Moment::new(NOW.boot_ms + DAY_MS, NOW.wall_ms - 30 * DAY_MS);
    assert_eq!(at(old).await, Err(CacheMiss::Unreachable(down())));
}
