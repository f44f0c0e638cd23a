//! What happens to a session, told case by case; `tokens.rs` has what happens to its tokens.

mod tokens;

use super::fixture::{LIMITS, START, identity, live, order};
use super::*;
use crate::standing::Meaning;
use oam_model::refusal::RefusalCode;
use oam_model::standing::EndReason;

fn signed_in() -> SessionMachine {
    let mut machine = SessionMachine::new("acme", LIMITS, 0, 0);
    machine.step(PersonEvent::SignedIn(live(START)), START);
    machine
}

fn ask(ticket: u64) -> PersonEvent {
    PersonEvent::Asked {
        who: Who::Ticket(ticket),
        order: order(1),
        offline: OfflineRule::Grace,
    }
}

fn follow(id: u64) -> PersonEvent {
    PersonEvent::Asked {
        who: Who::Follower(id),
        order: order(1),
        offline: OfflineRule::Grace,
    }
}

fn failed(flight: u64, meaning: Meaning) -> ProviderEvent {
    ProviderEvent::RefreshFailed {
        flight,
        meaning,
        words: "it answered 500".into(),
    }
}

fn refreshed(flight: u64) -> ProviderEvent {
    ProviderEvent::Refreshed {
        flight,
        identity: identity(),
        subject_expires: None,
    }
}

fn refresh_of(effects: &[Effect]) -> Option<Flight> {
    effects.iter().find_map(|e| {
        if let Effect::Refresh(flight) = e {
            Some(*flight)
        } else {
            None
        }
    })
}

fn mint_of(effects: &[Effect]) -> Option<u64> {
    effects.iter().find_map(|e| {
        if let Effect::Mint { flight, .. } = e {
            Some(*flight)
        } else {
            None
        }
    })
}

fn refusals(effects: &[Effect]) -> Vec<RefusalCode> {
    effects
        .iter()
        .filter_map(|e| {
            if let Effect::Refuse { refusal, .. } = e {
                Some(refusal.code)
            } else {
                None
            }
        })
        .collect()
}

fn minted(machine: &mut SessionMachine, now: Moment, token: u64) {
    let flight = mint_of(&machine.step(ask(900 + token), now)).expect("an exchange");
    machine.step(
        IssuerEvent::Minted {
            flight,
            token,
            expires_in_s: 900,
        },
        now,
    );
}

#[test]
fn two_hundred_asks_on_an_empty_cache_cause_one_refresh_and_one_exchange() {
    let mut machine = signed_in();
    let later = START.plus(61_000);
    let first: Vec<Effect> = (0..200).flat_map(|t| machine.step(ask(t), later)).collect();
    assert_eq!(
        first
            .iter()
            .filter(|e| matches!(e, Effect::Refresh(_)))
            .count(),
        1
    );
    let flight = refresh_of(&first).unwrap();
    let second = machine.step(refreshed(flight.id), later);
    assert_eq!(
        second
            .iter()
            .filter(|e| matches!(e, Effect::Mint { .. }))
            .count(),
        1
    );
    let mint = mint_of(&second).unwrap();
    let third = machine.step(
        IssuerEvent::Minted {
            flight: mint,
            token: 1,
            expires_in_s: 900,
        },
        later,
    );
    assert_eq!(
        third
            .iter()
            .filter(|e| matches!(e, Effect::Grant { .. }))
            .count(),
        200
    );
}

#[test]
fn a_lost_answer_is_retried_exactly_once_and_a_refusal_of_the_retry_is_the_end() {
    let mut machine = signed_in();
    let later = START.plus(61_000);
    let flight = refresh_of(&machine.step(ask(1), later)).unwrap();
    assert_eq!(flight.attempt, 1);
    let retry = refresh_of(&machine.step(failed(flight.id, Meaning::Ambiguous), later)).unwrap();
    assert_eq!((retry.id, retry.attempt), (flight.id, 2));
    let end = machine.step(failed(flight.id, Meaning::Ended), later);
    assert!(
        matches!(&end[0], Effect::End { word: StandingWord::Ended, reason: Some(r) } if r.words().contains("lost"))
    );
    assert_eq!(refusals(&end), [RefusalCode::Ended]);
}

#[test]
fn after_an_interrupted_renewal_a_restart_has_one_try() {
    let mut machine = SessionMachine::new("acme", LIMITS, 3, 0);
    let mut restored = live(START);
    restored.last_proof = None;
    restored.doubt = true;
    machine.step(HostEvent::Restored(restored), START);
    let flight = refresh_of(&machine.step(ask(1), START)).unwrap();
    assert_eq!(flight.attempt, 2);
    assert!(refresh_of(&machine.step(failed(flight.id, Meaning::Ambiguous), START)).is_none());
}

#[test]
fn a_dead_provider_leaves_the_lease_and_then_unproven() {
    let mut machine = signed_in();
    minted(&mut machine, START, 1);
    let later = START.plus(61_000);
    let flight = refresh_of(&machine.step(ask(1), later)).unwrap();
    let served = machine.step(failed(flight.id, Meaning::Untouched), later);
    assert!(matches!(
        served[..],
        [Effect::Grant {
            ticket: 1,
            token: 1
        }]
    ));
    // Remembered for 30 s: no second attempt, no wait.
    let again = machine.step(ask(2), later.plus(10_000));
    assert!(matches!(
        again[..],
        [Effect::Grant {
            ticket: 2,
            token: 1
        }]
    ));
    let beyond = START.plus(600_001);
    let flight = refresh_of(&machine.step(ask(3), beyond)).unwrap();
    let refused = machine.step(failed(flight.id, Meaning::Untouched), beyond);
    assert_eq!(refusals(&refused), [RefusalCode::Unproven]);
    assert_eq!(
        machine.standing().word(beyond, &LIMITS),
        StandingWord::Unproven
    );
}

#[test]
fn a_slow_provider_holds_an_ask_for_two_seconds_only() {
    let mut machine = signed_in();
    minted(&mut machine, START, 1);
    let later = START.plus(61_000);
    let flight = refresh_of(&machine.step(ask(1), later)).unwrap();
    assert!(machine.next_wake(later).unwrap() <= 2_000);
    let served = machine.step(HostEvent::Tick, later.plus(2_000));
    assert!(matches!(
        served[..],
        [Effect::Grant {
            ticket: 1,
            token: 1
        }]
    ));
    // The answer that comes late is taken: its refresh token must not be lost.
    assert!(machine.awaits(flight.id));
    machine.step(refreshed(flight.id), later.plus(9_000));
    assert!(
        machine
            .standing()
            .live()
            .unwrap()
            .is_fresh(later.plus(9_000), &LIMITS)
    );
}

#[test]
fn a_bare_refusal_is_final_only_when_repeated() {
    let mut machine = signed_in();
    let later = START.plus(61_000);
    let flight = refresh_of(&machine.step(ask(1), later)).unwrap();
    let retry = machine.step(failed(flight.id, Meaning::EndedIfRepeated), later);
    assert!(refresh_of(&retry).is_some());
    let end = machine.step(failed(flight.id, Meaning::EndedIfRepeated), later);
    assert!(matches!(
        end[0],
        Effect::End {
            word: StandingWord::Ended,
            ..
        }
    ));
}

#[test]
fn the_session_age_ends_a_session_whatever_the_provider_says() {
    let mut machine = signed_in();
    let old = START.plus(LIMITS.session_age_ms);
    let effects = machine.step(ask(1), old);
    assert!(matches!(
        effects[0],
        Effect::End {
            word: StandingWord::Ended,
            reason: Some(EndReason::SessionAge { .. }),
        }
    ));
    assert_eq!(refusals(&effects), [RefusalCode::Ended]);
    // It is our own limit, and not what the provider said.
    let refusal = machine.standing().refusal("acme", old, &LIMITS);
    let said = "over its age: the organization wants a sign-in every ";
    assert!(refusal.sentence.contains(said), "{refusal:?}");
    assert!(!refusal.sentence.contains("honours"), "{refusal:?}");
}

#[test]
fn an_edited_configuration_refuses_and_undoing_it_serves_again() {
    let mut machine = signed_in();
    minted(&mut machine, START, 1);
    assert_eq!(
        machine.step(HostEvent::Bound(false), START),
        [Effect::Drop(1)]
    );
    assert_eq!(
        refusals(&machine.step(ask(1), START)),
        [RefusalCode::SignedOut]
    );
    machine.step(HostEvent::Bound(true), START);
    assert!(mint_of(&machine.step(ask(2), START)).is_some());
}

#[test]
fn a_caller_without_a_session_causes_one_notification_an_hour_unless_somebody_watches() {
    let mut machine = SessionMachine::new("acme", LIMITS, 0, 0);
    let effects: Vec<Effect> = (0..200).flat_map(|t| machine.step(ask(t), START)).collect();
    assert_eq!(
        effects
            .iter()
            .filter(|e| matches!(e, Effect::Notify(NotificationKind::SignInNeeded(_))))
            .count(),
        1
    );
    assert_eq!(refusals(&effects).len(), 200);
    let told = |effects: &[Effect]| effects.iter().any(|e| matches!(e, Effect::Notify(_)));
    let hour = START.plus(3_600_000);
    let mut turned_away = |attended, now| machine.step(PersonEvent::TurnedAway { attended }, now);
    assert!(
        !told(&turned_away(true, hour)),
        "it is read in the terminal"
    );
    assert!(!told(&turned_away(false, START.plus(3_599_999))));
    assert!(told(&turned_away(false, hour)));
}
