use super::{KeyLife, KeyState, LONGEST_TOKEN_MS, gone, published, rotate, signing, state};
use proptest::prelude::*;
use std::collections::BTreeSet;

const HOUR: u64 = 3_600_000;

fn first(now_ms: u64) -> Vec<KeyLife> {
    vec![rotate(&[], "k0".into(), now_ms, HOUR, false).unwrap().made]
}

fn apply(rows: &mut Vec<KeyLife>, kid: &str, now_ms: u64, announce_ms: u64, at_once: bool) -> bool {
    let Ok(rotation) = rotate(rows, kid.into(), now_ms, announce_ms, at_once) else {
        return false;
    };
    rows.retain(|row| !rotation.dropped.contains(&row.kid));
    for changed in rotation.changed {
        let place = rows.iter_mut().find(|row| row.kid == changed.kid).unwrap();
        *place = changed;
    }
    rows.push(rotation.made);
    true
}

/// The next moment at which another key signs or the set changes by itself.
fn next_wake(rows: &[KeyLife], now_ms: u64) -> Option<u64> {
    let times = rows
        .iter()
        .flat_map(|row| [Some(row.signs_from_ms), row.gone_at_ms]);
    times.flatten().filter(|at| *at > now_ms).min()
}

fn kids(rows: &[KeyLife], now_ms: u64) -> Vec<&str> {
    published(rows, now_ms)
        .into_iter()
        .map(|row| row.kid.as_str())
        .collect()
}

#[test]
fn the_first_key_signs_at_once() {
    let rows = first(1000);
    assert_eq!(signing(&rows, 1000).unwrap().kid, "k0");
    assert_eq!(next_wake(&rows, 1000), None);
    assert!(signing(&[], 1000).is_none());
}

#[test]
fn a_clock_set_back_behind_the_first_key_leaves_it_signing() {
    let mut rows = first(20 * HOUR);
    let back = 20 * HOUR - 600_000;
    assert_eq!(signing(&rows, back).unwrap().kid, "k0");
    assert_eq!(state(&rows, &rows[0], back), KeyState::Signing);
    assert!(apply(&mut rows, "k1", 20 * HOUR + 1, HOUR, false));
    assert_eq!(signing(&rows, back).unwrap().kid, "k0");
}

#[test]
fn a_rotation_announces_takes_over_retires_and_goes() {
    let mut rows = first(0);
    assert!(apply(&mut rows, "k1", 10, HOUR, false));
    let state_of = |kid: &str, now| {
        let row = rows.iter().find(|row| row.kid == kid).unwrap();
        state(&rows, row, now)
    };
    assert_eq!(state_of("k0", 10), KeyState::Signing);
    assert_eq!(state_of("k1", 10), KeyState::Announced);
    assert_eq!(kids(&rows, 10), ["k1", "k0"]);
    let over = next_wake(&rows, 10).unwrap();
    assert_eq!(over, HOUR + 10);
    assert_eq!(state_of("k0", over), KeyState::Retired);
    assert_eq!(state_of("k1", over), KeyState::Signing);
    let leaves = next_wake(&rows, over).unwrap();
    assert!(leaves >= over + LONGEST_TOKEN_MS);
    assert_eq!(state_of("k0", leaves), KeyState::Gone);
    assert_eq!(kids(&rows, leaves), ["k1"]);
    assert_eq!(gone(&rows, leaves), ["k0"]);
    assert_eq!(next_wake(&rows, leaves), None);
}

#[test]
fn a_second_rotation_waits_for_the_first_unless_it_is_urgent() {
    let mut rows = first(0);
    assert!(apply(&mut rows, "k1", 10, HOUR, false));
    let refused = rotate(&rows, "k2".into(), 20, HOUR, false).unwrap_err();
    assert_eq!(
        (refused.kid.as_str(), refused.signs_from_ms),
        ("k1", HOUR + 10)
    );
    assert!(apply(&mut rows, "k2", 20, HOUR, true));
    assert_eq!(signing(&rows, 20).unwrap().kid, "k2");
    // The one that waited never takes over, and is still published.
    assert_eq!(signing(&rows, HOUR + 10).unwrap().kid, "k2");
    assert_eq!(kids(&rows, HOUR + 10), ["k2", "k1", "k0"]);
}

#[derive(Debug, Clone)]
enum Step {
    Rotate { at_once: bool },
    Pass(u64),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let pass = prop_oneof![0..3u64, 1..5 * HOUR, Just(HOUR), 20 * HOUR..60 * HOUR];
    let step = prop_oneof![
        2 => any::<bool>().prop_map(|at_once| Step::Rotate { at_once }),
        3 => pass.prop_map(Step::Pass),
    ];
    prop::collection::vec(step, 1..40)
}

proptest! {
    /// A server signs with what it sees, at every step and also with rows that are 250 ms old. Always:
    /// one key signs; the key of every token that lives is published; no key signs before it was
    /// announced long enough, the first and urgent ones excepted.
    #[test]
    fn one_key_signs_and_every_living_tokens_key_is_published(
        steps in steps(), announce_ms in prop_oneof![Just(0u64), 1..10 * HOUR],
    ) {
        let mut now = 1_000_000;
        let mut rows = first(now);
        let mut urgent = BTreeSet::from(["k0".to_owned()]);
        let mut tokens: Vec<(String, u64)> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            let before = rows.clone();
            match step {
                Step::Pass(ms) => now += ms,
                Step::Rotate { at_once } => {
                    let kid = format!("k{}", number + 1);
                    if apply(&mut rows, &kid, now, announce_ms, at_once) && at_once {
                        urgent.insert(kid);
                    }
                }
            }
            for (rows, at) in [(&rows, now), (&before, now), (&before, now + 250)] {
                let signs = signing(rows, at);
                prop_assert!(signs.is_some());
                let signs = signs.unwrap();
                tokens.push((signs.kid.clone(), at + LONGEST_TOKEN_MS));
                let announced = at >= signs.made_at_ms + announce_ms;
                prop_assert!(announced || urgent.contains(&signs.kid), "{} too early", signs.kid);
            }
            let all: Vec<_> = rows.iter().map(|row| state(&rows, row, now)).collect();
            prop_assert_eq!(all.iter().filter(|s| **s == KeyState::Signing).count(), 1);
            let published = kids(&rows, now);
            for (kid, expires) in &tokens {
                let lives = *expires > now;
                prop_assert!(!lives || published.contains(&kid.as_str()), "{} is needed", kid);
            }
        }
    }

    /// Nothing changes by itself between two wakes.
    #[test]
    fn the_set_stands_still_until_the_next_wake(
        steps in steps(), announce_ms in 0..10 * HOUR, part in 0.0..1.0f64,
    ) {
        let mut now = 0;
        let mut rows = first(now);
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Pass(ms) => now += ms,
                Step::Rotate { at_once } => {
                    apply(&mut rows, &format!("k{}", number + 1), now, announce_ms, at_once);
                }
            }
            let wake = next_wake(&rows, now).unwrap_or(now + 100 * HOUR);
            #[expect(clippy::cast_precision_loss, clippy::cast_sign_loss, clippy::cast_possible_truncation,
                reason = "any moment in between does")]
            let between = now + (part * (wake - now - 1) as f64) as u64;
            prop_assert_eq!(signing(&rows, now), signing(&rows, between));
            prop_assert_eq!(published(&rows, now), published(&rows, between));
        }
    }
}
