//! `oam why` and an ask for a token agree: over every standing, lease, rejection and token held.

use super::fixture::{LIMITS, START, identity, live, order};
use super::*;
use crate::standing::Meaning;
use crate::state::{PROOF_DEADLINE_MS, Suspicion};
use proptest::prelude::*;

const TICKET: Who = Who::Ticket(1);

/// What a machine may be in.
#[derive(Debug, Clone)]
struct Case {
    over: Option<StandingWord>,
    proof_age: Option<u64>,
    failed_ago: Option<u64>,
    /// The provider is asked about a doubt in so many ms.
    doubted: Option<u64>,
    bound: bool,
    flight: bool,
    /// Seconds that the subject token lives.
    subject: Option<u64>,
    rejections: u8,
    /// Seconds that a token held lives.
    held: Option<u64>,
    offline: OfflineRule,
    /// The organization wants a proof at every ask.
    always: bool,
}

/// What the provider answers.
#[derive(Debug, Clone, Copy)]
enum Answer {
    /// With a subject token that lives so many seconds.
    Renewed(u64),
    Failed(Meaning),
    /// Not within the time of a proof.
    Late,
}

fn cases() -> impl Strategy<Value = Case> {
    let over = prop_oneof![
        8 => Just(None),
        1 => Just(Some(StandingWord::Ended)),
        1 => Just(Some(StandingWord::Revoked)),
        1 => Just(Some(StandingWord::SignedOut)),
    ];
    let ages: &'static [u64] = &[0, 59_999, 60_000, 598_000, 600_000, 600_001, 900_000];
    let proofs = (
        over,
        prop::option::of(prop::sample::select(ages)),
        prop::option::of(prop::sample::select(&[0, 28_000, 29_999, 30_000][..])),
        prop::option::weighted(0.2, prop::sample::select(&[0, 900, 5_000][..])),
        prop::bool::weighted(0.9),
        any::<bool>(),
    );
    let tokens = (
        prop::option::of(prop::sample::select(&[0, 11, 3_600][..])),
        0..3u8,
        prop::option::of(prop::sample::select(&[59, 60, 90, 600][..])),
        prop::sample::select(&[OfflineRule::Strict, OfflineRule::Grace][..]),
        any::<bool>(),
    );
    (proofs, tokens).prop_map(
        |(
            (over, proof_age, failed_ago, doubted, bound, flight),
            (subject, rejections, held, offline, always),
        )| Case {
            over,
            proof_age,
            failed_ago,
            doubted,
            bound,
            flight,
            subject,
            rejections,
            held,
            offline,
            always,
        },
    )
}

fn answers() -> impl Strategy<Value = Answer> {
    prop_oneof![
        prop::sample::select(&[5, 300][..]).prop_map(Answer::Renewed),
        prop::sample::select(
            &[
                Meaning::Ended,
                Meaning::EndedIfRepeated,
                Meaning::Ambiguous,
                Meaning::Untouched,
                Meaning::OurMistake,
            ][..]
        )
        .prop_map(Answer::Failed),
        Just(Answer::Late),
    ]
}

/// Hands a token of this life in.
fn mint(machine: &mut SessionMachine, number: u64, seconds: u64, at: Moment) {
    let asked = PersonEvent::Asked {
        who: Who::Ticket(100 + number),
        order: order(0),
        offline: OfflineRule::Grace,
    };
    let effects = machine.step(asked, at);
    let flight = effects.iter().find_map(|effect| match effect {
        Effect::Mint { flight, .. } => Some(*flight),
        _ => None,
    });
    let minted = IssuerEvent::Minted {
        flight: flight.unwrap(),
        token: number,
        expires_in_s: seconds,
    };
    machine.step(minted, at);
}

fn machine(case: &Case) -> SessionMachine {
    let before = |ms: u64| Moment::new(START.boot_ms - ms, START.wall_ms - ms);
    let mut machine = SessionMachine::new("acme", LIMITS, 0, 0);
    let began = before(20_000);
    machine.step(PersonEvent::SignedIn(live(began)), began);
    for number in 0..u64::from(case.rejections) {
        mint(&mut machine, number, 900, began);
        machine.step(PersonEvent::Rejected(number), began);
    }
    if let Some(seconds) = case.held.filter(|_| case.rejections < 2) {
        mint(&mut machine, 9, seconds + 20, began);
    }
    if case.always {
        machine.limits.fresh_ms = 0;
    }
    if let Some(word) = case.over {
        machine.end(word, None, START, &mut Vec::new());
        return machine;
    }
    let flight = Flight { id: 77, attempt: 1 };
    machine.flights = 77;
    let live = machine.standing.live_mut().unwrap();
    live.last_proof = case.proof_age.map(before);
    live.failed_at = case.failed_ago.map(before);
    live.trouble = case.failed_ago.map(|_| "down".to_owned());
    live.bound = case.bound;
    live.flight = case.flight.then_some(flight);
    live.subject_expires = case.subject.map(|s| START.unix() + s);
    if let Some(ms) = case.doubted {
        live.suspicion = Some(Suspicion {
            reason: "a logout".into(),
            before: None,
            ask_from: START.plus(ms),
        });
        live.last_proof = None;
        // The provider settles long before a failure is forgotten.
        live.failed_at = live.failed_at.filter(|_| live.failed_recently(START));
    }
    machine
}

/// The refusal of the ask, where it was refused.
fn refused(effects: &[Effect]) -> Option<&Refusal> {
    effects.iter().find_map(|effect| match effect {
        Effect::Refuse { ticket: 1, refusal } => Some(refusal),
        _ => None,
    })
}

/// Lets the provider answer, until nothing is under way; the moment after that.
fn answer(machine: &mut SessionMachine, answer: Answer, now: Moment) -> (Vec<Effect>, Moment) {
    let mut effects = Vec::new();
    let mut now = now;
    if let Some(asks) = machine
        .asks_about_doubt_in(now)
        .filter(|ms| *ms < PROOF_DEADLINE_MS)
    {
        now = now.plus(asks);
        effects.extend(machine.step(HostEvent::Tick, now));
    }
    for _ in 0..2 {
        let live = machine.standing().live();
        let Some(flight) = live.and_then(|live| live.flight) else {
            break;
        };
        let said: Event = match answer {
            Answer::Renewed(seconds) => ProviderEvent::Refreshed {
                flight: flight.id,
                identity: identity(),
                subject_expires: Some(now.unix() + seconds),
            }
            .into(),
            Answer::Failed(meaning) => ProviderEvent::RefreshFailed {
                flight: flight.id,
                meaning,
                words: "down".into(),
            }
            .into(),
            Answer::Late => break,
        };
        effects.extend(machine.step(said, now));
    }
    if machine.is_proving(now) {
        now = START.plus(PROOF_DEADLINE_MS);
        effects.extend(machine.step(HostEvent::Tick, now));
    }
    (effects, now)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    #[test]
    fn why_says_granted_exactly_when_an_ask_is_served(case in cases(), provider in answers()) {
        let offline = case.offline;
        let mut asks = machine(&case);
        let mut looks = asks.clone();
        let waits = looks.wants_proof(&order(0), offline, START);
        let asked = PersonEvent::Asked { who: TICKET, order: order(0), offline };
        let mut effects = asks.step(asked, START);
        prop_assert_eq!(waits, asks.waiting.iter().any(|waiting| waiting.who == TICKET));
        let mut now = START;
        if waits {
            looks.step(PersonEvent::ProofWanted, START);
            (_, now) = answer(&mut looks, provider, START);
            let (more, then) = answer(&mut asks, provider, START);
            prop_assert_eq!(now, then);
            effects.extend(more);
        }
        let told = looks.would_serve(&order(0), offline, now);
        prop_assert_eq!(refused(&effects), told.as_ref().err(), "{:?}", effects);
        prop_assert!(asks.waiting.is_empty(), "nobody waits longer");
    }

    /// A look that asks nobody: what it says of a session that nobody asked about is not that nobody could confirm it.
    #[test]
    fn who_was_not_asked_has_confirmed_and_denied_nothing(age in prop::option::of(600_001..1_000_000u64)) {
        let mut session = live(START);
        session.last_proof = age.map(|ms| Moment::new(START.boot_ms - ms.min(START.boot_ms), START.wall_ms - ms));
        let standing = SessionState::Live(session);
        let refusal = standing.refusal("acme", START, &LIMITS);
        prop_assert!(refusal.sentence.contains("was not asked"), "{}", refusal.sentence);
        prop_assert!(refusal.next.contains("at the next use"), "{}", refusal.next);
    }
}
