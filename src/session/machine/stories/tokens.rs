//! What happens to role tokens and to the files of children.

use super::*;
use crate::standing::MintMeaning;

#[test]
fn a_refused_subject_token_proves_the_session_before_it_answers() {
    let mut machine = signed_in();
    let mint = mint_of(&machine.step(ask(1), START)).unwrap();
    let words = String::new();
    let refused = IssuerEvent::MintFailed {
        flight: mint,
        by: TokenServer::Endpoint,
        meaning: MintMeaning::SubjectRefused,
        words,
    };
    let flight = refresh_of(&machine.step(refused, START)).unwrap();
    let end = machine.step(failed(flight.id, Meaning::Ended), START);
    assert!(matches!(end[0], Effect::End { .. }));
    assert_eq!(refusals(&end), [RefusalCode::Ended]);
}

#[test]
fn a_subject_token_refused_again_after_a_proof_is_a_denial() {
    let mut machine = signed_in();
    let refused = |flight| IssuerEvent::MintFailed {
        flight,
        by: TokenServer::Endpoint,
        meaning: MintMeaning::SubjectRefused,
        words: String::new(),
    };
    let mint = mint_of(&machine.step(ask(1), START)).unwrap();
    let flight = refresh_of(&machine.step(refused(mint), START)).unwrap();
    let mint = mint_of(&machine.step(refreshed(flight.id), START)).unwrap();
    assert_eq!(
        refusals(&machine.step(refused(mint), START)),
        [RefusalCode::Denied]
    );
}

#[test]
fn an_id_token_too_old_to_exchange_causes_one_refresh_then_a_refusal_that_says_so() {
    let mut machine = SessionMachine::new("acme", LIMITS, 0, 0);
    let mut session = live(START);
    session.subject_expires = Some(START.unix() + 1);
    machine.step(PersonEvent::SignedIn(session), START);
    let flight = refresh_of(&machine.step(ask(1), START)).unwrap();
    let still_old = ProviderEvent::Refreshed {
        flight: flight.id,
        identity: identity(),
        subject_expires: Some(START.unix() + 1),
    };
    let effects = machine.step(still_old, START);
    assert_eq!(refusals(&effects), [RefusalCode::Unavailable]);
    assert!(mint_of(&effects).is_none());
}

#[test]
fn one_rejection_gets_a_fresh_token_and_a_second_one_stops() {
    let mut machine = signed_in();
    minted(&mut machine, START, 1);
    assert_eq!(
        machine.step(PersonEvent::Rejected(1), START),
        [Effect::Drop(1)]
    );
    let mint = mint_of(&machine.step(ask(1), START)).unwrap();
    machine.step(
        IssuerEvent::Minted {
            flight: mint,
            token: 2,
            expires_in_s: 900,
        },
        START,
    );
    machine.step(PersonEvent::Rejected(2), START.plus(1_000));
    assert_eq!(
        refusals(&machine.step(ask(2), START.plus(1_000))),
        [RefusalCode::Rejected]
    );
    // Later it is tried again.
    assert!(mint_of(&machine.step(ask(3), START.plus(40_000))).is_some());
}

#[test]
fn a_rejection_of_a_token_that_is_not_held_does_nothing() {
    let mut machine = signed_in();
    minted(&mut machine, START, 1);
    assert!(machine.step(PersonEvent::Rejected(7), START).is_empty());
}

#[test]
fn a_childs_file_follows_the_renewal_and_goes_with_the_session() {
    let mut machine = signed_in();
    let mint = mint_of(&machine.step(follow(1), START)).unwrap();
    let first = machine.step(
        IssuerEvent::Minted {
            flight: mint,
            token: 1,
            expires_in_s: 70,
        },
        START,
    );
    assert!(matches!(
        first[..],
        [Effect::Deliver {
            follower: 1,
            token: 1
        }]
    ));
    let due = START.plus(machine.next_wake(START).unwrap());
    let mint = mint_of(&machine.step(HostEvent::Tick, due)).expect("renewed ahead");
    let second = machine.step(
        IssuerEvent::Minted {
            flight: mint,
            token: 2,
            expires_in_s: 70,
        },
        due,
    );
    assert!(matches!(
        second[..],
        [
            Effect::Deliver {
                follower: 1,
                token: 2
            },
            Effect::Drop(1)
        ]
    ));
    let end = machine.step(IssuerEvent::Over(StandingWord::Revoked, None), due);
    assert!(matches!(
        end[0],
        Effect::End {
            word: StandingWord::Revoked,
            ..
        }
    ));
    assert!(end.iter().any(|e| matches!(
        e,
        Effect::Withdraw {
            follower: 1,
            last: true,
            ..
        }
    )));
    assert_eq!(
        end.iter()
            .filter(|e| matches!(e, Effect::Notify(_)))
            .count(),
        1
    );
}

#[test]
fn a_childs_file_goes_when_the_lease_ends_and_comes_back_with_a_proof() {
    let mut machine = signed_in();
    let mint = mint_of(&machine.step(follow(1), START)).unwrap();
    machine.step(
        IssuerEvent::Minted {
            flight: mint,
            token: 1,
            expires_in_s: 3600,
        },
        START,
    );
    let late = START.plus(590_000);
    let flight = refresh_of(&machine.step(HostEvent::Tick, late)).unwrap();
    machine.step(failed(flight.id, Meaning::Untouched), late);
    let gone = machine.step(HostEvent::Tick, START.plus(600_001));
    assert!(matches!(
        gone[0],
        Effect::Withdraw {
            follower: 1,
            last: false,
            ..
        }
    ));
    let back_at = START.plus(630_000);
    let flight = refresh_of(&machine.step(HostEvent::Tick, back_at)).unwrap();
    let back = machine.step(refreshed(flight.id), back_at);
    assert!(
        back.iter()
            .any(|e| matches!(e, Effect::Deliver { follower: 1, .. })),
        "{back:?}"
    );
}

#[test]
fn an_exchange_answered_after_the_end_is_dropped() {
    let mut machine = signed_in();
    let mint = mint_of(&machine.step(ask(1), START)).unwrap();
    machine.step(IssuerEvent::Over(StandingWord::Revoked, None), START);
    assert_eq!(
        machine.step(
            IssuerEvent::Minted {
                flight: mint,
                token: 9,
                expires_in_s: 900
            },
            START
        ),
        [Effect::Drop(9)]
    );
}

/// An exchange is no proof: its answer does not bring back a file that the lease took away.
#[test]
fn a_renewal_answered_beyond_the_lease_brings_no_file_back() {
    let mut machine = signed_in();
    let mint = mint_of(&machine.step(follow(1), START)).unwrap();
    let answer = |flight, token| IssuerEvent::Minted {
        flight,
        token,
        expires_in_s: 3600,
    };
    machine.step(answer(mint, 1), START);
    // Proven again when the successor is due.
    let due = START.plus(3_490_000);
    let flight = refresh_of(&machine.step(HostEvent::Tick, due)).unwrap();
    let mint = mint_of(&machine.step(refreshed(flight.id), due)).unwrap();
    let late = due.plus(LIMITS.lease_ms + 1);
    let gone = machine.step(HostEvent::Tick, late);
    assert!(
        gone.iter()
            .any(|e| matches!(e, Effect::Withdraw { last: false, .. }))
    );
    let effects = machine.step(answer(mint, 2), late);
    assert!(
        !effects.iter().any(|e| matches!(e, Effect::Deliver { .. })),
        "{effects:?}"
    );
}

/// The answer to a refresh that was under way when the configuration was edited (promise 9).
#[test]
fn a_proof_under_an_edited_configuration_serves_no_child() {
    let mut machine = signed_in();
    let mint = mint_of(&machine.step(follow(1), START)).unwrap();
    let minted = IssuerEvent::Minted {
        flight: mint,
        token: 1,
        expires_in_s: 900,
    };
    machine.step(minted, START);
    let later = START.plus(61_000);
    let flight = refresh_of(&machine.step(HostEvent::Tick, later)).unwrap();
    machine.step(HostEvent::Bound(false), later);
    assert!(machine.step(refreshed(flight.id), later).is_empty());
}
