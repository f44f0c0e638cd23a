mod properties;

use super::*;

const START: Moment = Moment::new(5_000_000, 1_800_000_000_000);
/// The issuer's clock is a minute behind ours.
const SKEW_MS: u64 = 60_000;

fn bearer(generation: u64, lives_s: u64) -> IssuerBearer {
    IssuerBearer {
        generation,
        expires: Some(START.unix() + lives_s),
    }
}

fn beat(sent: Moment, age_ms: u64) -> FeedItem {
    let sent_at_ms = sent.wall_ms - SKEW_MS;
    FeedItem {
        id: None,
        event: FeedEvent::Heartbeat {
            as_of_ms: sent_at_ms - age_ms,
            sent_at_ms,
            setup: None,
        },
    }
}

fn news(id: &str, event: FeedEvent) -> FeedItem {
    FeedItem {
        id: Some(id.into()),
        event,
    }
}

fn doubt() -> FeedEvent {
    FeedEvent::Doubt {
        at_ms: 1,
        reason: "logout".into(),
    }
}

/// A link and what it last did.
struct Told {
    link: FeedSubscription,
    now: Moment,
    wanted: bool,
}

impl Told {
    fn new() -> Self {
        Self {
            link: FeedSubscription::new(None),
            now: START,
            wanted: true,
        }
    }

    /// A link whose first heartbeat was believed.
    fn connected() -> Self {
        let mut told = Self::new();
        told.give(SubscriptionInput::Bearer(Some(bearer(1, 3600))));
        told.hear(beat(START, 0));
        assert_eq!(told.link.word(told.now), Word::Connected);
        told
    }

    fn give(&mut self, input: SubscriptionInput) -> Vec<SubscriptionEffect> {
        self.link.step(input, self.wanted, self.now, 7)
    }

    fn hear(&mut self, item: FeedItem) -> Vec<SubscriptionEffect> {
        self.give(SubscriptionInput::Heard(self.link.numbers, item))
    }

    fn pass(&mut self, ms: u64) -> Vec<SubscriptionEffect> {
        self.now = self.now.plus(ms);
        self.give(SubscriptionInput::Tick)
    }

    /// Goes to the next wake; how long it took.
    fn wake(&mut self) -> (u64, Vec<SubscriptionEffect>) {
        let ms = self.link.next_wake(self.wanted, self.now).unwrap();
        (ms, self.pass(ms))
    }
}

fn vouched(steps: &[SubscriptionEffect]) -> Option<Moment> {
    steps.iter().find_map(|step| match step {
        SubscriptionEffect::Tell(IssuerEvent::Vouched(at)) => Some(*at),
        _ => None,
    })
}

/// The cursor of a connection that is asked for, `-` without one.
fn connects(steps: &[SubscriptionEffect]) -> Option<String> {
    steps.iter().find_map(|step| match step {
        SubscriptionEffect::Connect { after, .. } => Some(after.clone().unwrap_or("-".into())),
        _ => None,
    })
}

fn has(steps: &[SubscriptionEffect], what: fn(&SubscriptionEffect) -> bool) -> bool {
    steps.iter().any(what)
}

fn renews(steps: &[SubscriptionEffect]) -> bool {
    has(steps, |s| {
        matches!(s, SubscriptionEffect::Tell(IssuerEvent::Renew))
    })
}

fn polls(steps: &[SubscriptionEffect]) -> Option<u64> {
    steps.iter().find_map(|step| match step {
        SubscriptionEffect::Poll { number, .. } => Some(*number),
        _ => None,
    })
}

#[test]
fn a_heartbeat_proves_the_time_that_it_speaks_of_whatever_the_issuers_clock_says() {
    let mut told = Told::new();
    let steps = told.give(SubscriptionInput::Bearer(Some(bearer(1, 3600))));
    assert_eq!(connects(&steps).as_deref(), Some("-"));
    told.now = START.plus(200);
    // Evidence of 40 s ago; 200 ms may have gone by on the way.
    let steps = told.hear(beat(START.plus(150), 40_000));
    let proof = vouched(&steps).unwrap();
    assert_eq!(told.now.since(proof), 40_200);
    told.now = START.plus(15_200);
    let steps = told.hear(beat(START.plus(15_150), 1_000));
    assert_eq!(told.now.since(vouched(&steps).unwrap()), 1_200);
}

#[test]
fn heartbeats_in_time_tell_how_far_the_clock_is_off_and_buffered_ones_nothing() {
    let mut told = Told::new();
    told.give(SubscriptionInput::Bearer(Some(bearer(1, 3600))));
    assert_eq!(told.link.clock_ahead_ms(told.now), None);
    told.now = START.plus(200);
    told.hear(beat(START.plus(100), 40_000));
    let ahead = i64::try_from(SKEW_MS).unwrap() + 100;
    assert_eq!(told.link.clock_ahead_ms(told.now), Some(ahead));
    told.now = START.plus(15_000 + LATE_MS + 1);
    told.hear(beat(START.plus(15_000), 0));
    assert_eq!(told.link.clock_ahead_ms(told.now), Some(ahead));
    // The wall clock of this machine is set back: known by the heartbeats of before.
    let set = Moment::new(told.now.boot_ms, told.now.wall_ms - 300_000);
    assert_eq!(told.link.clock_ahead_ms(set), Some(ahead - 300_000));
}

#[test]
fn a_heartbeat_that_came_through_a_buffer_is_no_proof_and_polling_takes_over() {
    let mut told = Told::connected();
    told.now = START.plus(15_000 + LATE_MS + 1);
    let steps = told.hear(beat(START.plus(15_000), 0));
    assert_eq!(vouched(&steps), None);
    assert_eq!(told.link.word(told.now), Word::Buffered);
    assert!(polls(&steps).is_some());
    // One in time is a proof again.
    told.now = START.plus(30_000);
    let steps = told.hear(beat(START.plus(30_000), 0));
    assert!(vouched(&steps).is_some());
    assert_eq!(told.link.word(told.now), Word::Connected);
    assert!(told.link.next_poll.is_none());
}

#[test]
fn the_first_heartbeat_is_late_when_it_does_not_come_at_once() {
    let mut told = Told::new();
    told.give(SubscriptionInput::Bearer(Some(bearer(1, 3600))));
    told.now = START.plus(20_000);
    // A proxy held it back: it was sent at once, and nothing in it says so.
    let steps = told.hear(beat(START.plus(20_000), 0));
    assert_eq!(vouched(&steps), None);
    assert_eq!(told.link.word(told.now), Word::Buffered);
}

#[test]
fn two_missing_heartbeats_end_the_connection_and_what_comes_is_polled() {
    let mut told = Told::connected();
    told.pass(25_000);
    assert_eq!(told.link.word(told.now), Word::Late);
    let (ms, steps) = told.wake();
    assert_eq!(ms, 10_000, "35 s of silence");
    assert!(has(&steps, |s| matches!(s, SubscriptionEffect::Hangup)));
    let first = polls(&steps).unwrap();
    assert_eq!(told.link.word(told.now), Word::Down);
    // It is asked at once, and tried again to connect.
    told.now = told.now.plus(300);
    let answer = vec![beat(told.now, 2_000)];
    let steps = told.give(SubscriptionInput::Polled(first, Ok(answer)));
    assert_eq!(told.now.since(vouched(&steps).unwrap()), 2_300);
    let (_, steps) = told.wake();
    assert!(connects(&steps).is_some());
}

#[test]
fn nobody_is_polled_when_no_token_is_out() {
    let mut told = Told::connected();
    told.wanted = false;
    let (_, steps) = told.wake();
    assert!(has(&steps, |s| matches!(s, SubscriptionEffect::Hangup)));
    for _ in 0..20 {
        let (_, steps) = told.wake();
        assert_eq!(polls(&steps), None);
        let number = told.link.numbers;
        told.give(SubscriptionInput::Closed(number, Closed::default()));
    }
}

#[test]
fn polls_come_every_half_minute_while_the_feed_is_down() {
    let mut told = Told::connected();
    let number = told.link.numbers;
    told.give(SubscriptionInput::Closed(number, Closed::default()));
    let mut asked = Vec::new();
    while asked.len() < 6 {
        let (_, steps) = told.wake();
        if let Some(number) = polls(&steps) {
            asked.push(told.now.wall_ms);
            told.give(SubscriptionInput::Polled(number, Err(Closed::default())));
        }
        if connects(&steps).is_some() {
            let number = told.link.numbers;
            told.give(SubscriptionInput::Closed(number, Closed::default()));
        }
    }
    for pair in asked.windows(2) {
        assert!(
            (24_000..=36_000).contains(&(pair[1] - pair[0])),
            "{asked:?}"
        );
    }
}

#[test]
fn each_failure_waits_longer_and_the_issuers_own_wish_counts() {
    let mut told = Told::new();
    told.wanted = false;
    told.give(SubscriptionInput::Bearer(Some(bearer(1, 100_000))));
    let mut waits = Vec::new();
    for _ in 0..9 {
        let number = told.link.numbers;
        told.give(SubscriptionInput::Closed(number, Closed::default()));
        let (ms, steps) = told.wake();
        assert!(connects(&steps).is_some());
        waits.push(ms);
    }
    assert!(waits[0] >= 1_000 && waits[0] < 2_000, "{waits:?}");
    assert!(waits.windows(2).all(|w| w[0] <= w[1]), "{waits:?}");
    assert!(waits[8] >= 30_000 && waits[8] <= 60_000, "{waits:?}");
    let number = told.link.numbers;
    let asked = Closed {
        refused: false,
        retry_after_ms: Some(120_000),
    };
    told.give(SubscriptionInput::Closed(number, asked));
    let (ms, _) = told.wake();
    assert!((120_000..=132_000).contains(&ms), "{ms}");
}

#[test]
fn a_doubt_waits_for_a_younger_bearer() {
    let mut told = Told::connected();
    let steps = told.hear(news("1.4", doubt()));
    assert!(has(&steps, |s| matches!(
        s,
        SubscriptionEffect::Tell(IssuerEvent::Doubted(_))
    )));
    assert!(has(&steps, |s| matches!(s, SubscriptionEffect::Hangup)));
    assert_eq!(connects(&steps), None);
    assert_eq!(connects(&told.pass(60_000)), None);
    let steps = told.give(SubscriptionInput::Bearer(Some(bearer(2, 7200))));
    assert_eq!(connects(&steps).as_deref(), Some("1.4"));
}

#[test]
fn a_bearer_near_its_end_is_renewed_once_and_the_younger_one_takes_over() {
    let mut told = Told::new();
    told.wanted = false;
    told.give(SubscriptionInput::Bearer(Some(bearer(1, 120))));
    told.hear(beat(START, 0));
    let mut renewals = 0;
    while told.now.unix() < START.unix() + 95 {
        let ms = told.link.next_wake(false, told.now).unwrap().min(10_000);
        renewals += u32::from(renews(&told.pass(ms)));
        let sent = told.now;
        told.hear(beat(sent, 0));
    }
    assert_eq!(renewals, 1);
    let steps = told.give(SubscriptionInput::Bearer(Some(bearer(2, 7200))));
    assert!(has(&steps, |s| matches!(s, SubscriptionEffect::Hangup)));
    assert!(connects(&steps).is_some());
}

#[test]
fn a_restored_session_whose_bearer_has_expired_stays_silent() {
    let mut told = Told::new();
    let steps = told.give(SubscriptionInput::Bearer(Some(bearer(1, 0))));
    assert!(steps.is_empty());
    assert_eq!(told.link.next_wake(true, told.now), None);
    let steps = told.give(SubscriptionInput::Bearer(Some(bearer(2, 3600))));
    assert!(connects(&steps).is_some());
}

#[test]
fn a_reset_and_other_roles_make_the_roles_be_read_and_prove_nothing() {
    let mut told = Told::connected();
    told.hear(news(
        "1.1",
        FeedEvent::RolesChanged {
            at_ms: 1,
            held: vec![],
            lost: vec![],
        },
    ));
    assert_eq!(told.link.cursor().map(String::as_str), Some("1.1"));
    let steps = told.hear(FeedItem {
        id: None,
        event: FeedEvent::Reset {},
    });
    assert!(has(&steps, |s| matches!(s, SubscriptionEffect::ReadRoles)));
    assert_eq!(vouched(&steps), None);
    assert_eq!(told.link.cursor(), None);
}

#[test]
fn an_issuer_that_takes_no_bearer_is_not_asked_without_end() {
    let mut told = Told::new();
    told.wanted = true;
    let mut generation = 1;
    told.give(SubscriptionInput::Bearer(Some(bearer(1, 360_000))));
    let (mut renewals, mut connections) = (0, 0);
    while told.now.unix() < START.unix() + 3600 {
        let refused = Closed {
            refused: true,
            retry_after_ms: None,
        };
        let number = told.link.numbers;
        let mut steps = told.give(SubscriptionInput::Closed(number, refused));
        let ms = told.link.next_wake(true, told.now).unwrap();
        steps.extend(told.pass(ms));
        connections += u32::from(connects(&steps).is_some());
        if renews(&steps) {
            renewals += 1;
            generation += 1;
            told.give(SubscriptionInput::Bearer(Some(bearer(generation, 360_000))));
        }
    }
    assert!((5..=12).contains(&renewals), "{renewals}");
    assert!(connections <= 30, "{connections}");
}
