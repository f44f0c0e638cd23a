use super::*;
use proptest::prelude::*;

const START: Moment = Moment::new(5_000_000, 1_800_000_000_000);
/// The issuer's clock is a minute behind ours.
const SKEW_MS: u64 = 60_000;

fn bearer(generation: u64, lives_s: u64) -> Bearer {
    Bearer {
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
    link: Link,
    now: Moment,
    wanted: bool,
}

impl Told {
    fn new() -> Self {
        Self {
            link: Link::new(None),
            now: START,
            wanted: true,
        }
    }

    /// A link whose first heartbeat was believed.
    fn connected() -> Self {
        let mut told = Self::new();
        told.give(Input::Bearer(Some(bearer(1, 3600))));
        told.hear(beat(START, 0));
        assert_eq!(told.link.word(told.now), Word::Connected);
        told
    }

    fn give(&mut self, input: Input) -> Vec<Step> {
        self.link.step(input, self.wanted, self.now, 7)
    }

    fn hear(&mut self, item: FeedItem) -> Vec<Step> {
        self.give(Input::Heard(self.link.numbers, item))
    }

    fn pass(&mut self, ms: u64) -> Vec<Step> {
        self.now = self.now.plus(ms);
        self.give(Input::Tick)
    }

    /// Goes to the next wake; how long it took.
    fn wake(&mut self) -> (u64, Vec<Step>) {
        let ms = self.link.next_wake(self.wanted, self.now).unwrap();
        (ms, self.pass(ms))
    }
}

fn vouched(steps: &[Step]) -> Option<Moment> {
    steps.iter().find_map(|step| match step {
        Step::Tell(Event::Vouched(at)) => Some(*at),
        _ => None,
    })
}

fn connects(steps: &[Step]) -> Option<Option<String>> {
    steps.iter().find_map(|step| match step {
        Step::Connect { after, .. } => Some(after.clone()),
        _ => None,
    })
}

fn has(steps: &[Step], what: fn(&Step) -> bool) -> bool {
    steps.iter().any(what)
}

fn renews(steps: &[Step]) -> bool {
    has(steps, |s| matches!(s, Step::Tell(Event::Renew)))
}

fn polls(steps: &[Step]) -> Option<u64> {
    steps.iter().find_map(|step| match step {
        Step::Poll { number, .. } => Some(*number),
        _ => None,
    })
}

#[test]
fn a_heartbeat_proves_the_time_that_it_speaks_of_whatever_the_issuers_clock_says() {
    let mut told = Told::new();
    let steps = told.give(Input::Bearer(Some(bearer(1, 3600))));
    assert_eq!(connects(&steps), Some(None));
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
    assert!(!told.link.next_poll.is_some());
}

#[test]
fn the_first_heartbeat_is_late_when_it_does_not_come_at_once() {
    let mut told = Told::new();
    told.give(Input::Bearer(Some(bearer(1, 3600))));
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
    assert!(has(&steps, |s| matches!(s, Step::Hangup)));
    let first = polls(&steps).unwrap();
    assert_eq!(told.link.word(told.now), Word::Down);
    // It is asked at once, and tried again to connect.
    told.now = told.now.plus(300);
    let answer = vec![beat(told.now, 2_000)];
    let steps = told.give(Input::Polled(first, Ok(answer)));
    assert_eq!(told.now.since(vouched(&steps).unwrap()), 2_300);
    let (_, steps) = told.wake();
    assert!(connects(&steps).is_some());
}

#[test]
fn nobody_is_polled_when_no_token_is_out() {
    let mut told = Told::connected();
    told.wanted = false;
    let (_, steps) = told.wake();
    assert!(has(&steps, |s| matches!(s, Step::Hangup)));
    for _ in 0..20 {
        let (_, steps) = told.wake();
        assert_eq!(polls(&steps), None);
        let number = told.link.numbers;
        told.give(Input::Closed(number, Closed::default()));
    }
}

#[test]
fn polls_come_every_half_minute_while_the_feed_is_down() {
    let mut told = Told::connected();
    let number = told.link.numbers;
    told.give(Input::Closed(number, Closed::default()));
    let mut asked = Vec::new();
    while asked.len() < 6 {
        let (_, steps) = told.wake();
        if let Some(number) = polls(&steps) {
            asked.push(told.now.wall_ms);
            told.give(Input::Polled(number, Err(Closed::default())));
        }
        if connects(&steps).is_some() {
            let number = told.link.numbers;
            told.give(Input::Closed(number, Closed::default()));
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
    told.give(Input::Bearer(Some(bearer(1, 100_000))));
    let mut waits = Vec::new();
    for _ in 0..9 {
        let number = told.link.numbers;
        told.give(Input::Closed(number, Closed::default()));
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
    told.give(Input::Closed(number, asked));
    let (ms, _) = told.wake();
    assert!((120_000..=132_000).contains(&ms), "{ms}");
}

#[test]
fn a_doubt_waits_for_a_younger_bearer() {
    let mut told = Told::connected();
    let steps = told.hear(news("1.4", doubt()));
    assert!(has(&steps, |s| matches!(s, Step::Tell(Event::Doubted(_)))));
    assert!(has(&steps, |s| matches!(s, Step::Hangup)));
    assert_eq!(connects(&steps), None);
    assert_eq!(connects(&told.pass(60_000)), None);
    let steps = told.give(Input::Bearer(Some(bearer(2, 7200))));
    assert_eq!(connects(&steps), Some(Some("1.4".into())));
}

#[test]
fn a_bearer_near_its_end_is_renewed_once_and_the_younger_one_takes_over() {
    let mut told = Told::new();
    told.wanted = false;
    told.give(Input::Bearer(Some(bearer(1, 120))));
    told.hear(beat(START, 0));
    let mut renewals = 0;
    while told.now.unix() < START.unix() + 95 {
        let ms = told.link.next_wake(false, told.now).unwrap().min(10_000);
        renewals += u32::from(renews(&told.pass(ms)));
        let sent = told.now;
        told.hear(beat(sent, 0));
    }
    assert_eq!(renewals, 1);
    let steps = told.give(Input::Bearer(Some(bearer(2, 7200))));
    assert!(has(&steps, |s| matches!(s, Step::Hangup)));
    assert!(connects(&steps).is_some());
}

#[test]
fn a_restored_session_whose_bearer_has_expired_stays_silent() {
    let mut told = Told::new();
    let steps = told.give(Input::Bearer(Some(bearer(1, 0))));
    assert!(steps.is_empty());
    assert_eq!(told.link.next_wake(true, told.now), None);
    let steps = told.give(Input::Bearer(Some(bearer(2, 3600))));
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
    assert!(has(&steps, |s| matches!(s, Step::ReadRoles)));
    assert_eq!(vouched(&steps), None);
    assert_eq!(told.link.cursor(), None);
}

#[test]
fn an_issuer_that_takes_no_bearer_is_not_asked_without_end() {
    let mut told = Told::new();
    told.wanted = true;
    let mut generation = 1;
    told.give(Input::Bearer(Some(bearer(1, 360_000))));
    let (mut renewals, mut connections) = (0, 0);
    while told.now.unix() < START.unix() + 3600 {
        let refused = Closed {
            refused: true,
            retry_after_ms: None,
        };
        let number = told.link.numbers;
        let mut steps = told.give(Input::Closed(number, refused));
        let ms = told.link.next_wake(true, told.now).unwrap();
        steps.extend(told.pass(ms));
        connections += u32::from(connects(&steps).is_some());
        if renews(&steps) {
            renewals += 1;
            generation += 1;
            told.give(Input::Bearer(Some(bearer(generation, 360_000))));
        }
    }
    assert!((5..=12).contains(&renewals), "{renewals}");
    assert!(connections <= 30, "{connections}");
}

#[derive(Debug, Clone)]
enum Move {
    Pass(u32),
    Beat(u32, u32),
    Other(u8),
    Close(bool, Option<u16>),
    Poll(bool),
    Bearer(u16),
    Gone,
    Want(bool),
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        4 => prop_oneof![0..3_000u32, 10_000..50_000u32, 100_000..900_000u32].prop_map(Move::Pass),
        4 => (0..20_000u32, 0..200_000u32).prop_map(|(d, a)| Move::Beat(d, a)),
        2 => (0..4u8).prop_map(Move::Other),
        3 => (any::<bool>(), proptest::option::of(0..500u16)).prop_map(|(r, s)| Move::Close(r, s)),
        2 => any::<bool>().prop_map(Move::Poll),
        2 => (0..2_000u16).prop_map(Move::Bearer),
        1 => Just(Move::Gone),
        1 => any::<bool>().prop_map(Move::Want),
    ];
    proptest::collection::vec(one, 1..80)
}

/// Checks what the link does: a heartbeat sent `delay` ago by evidence `age` older still proves no
/// younger time than that.
struct World {
    told: Told,
    generation: u64,
    open: bool,
    asked: Moment,
    polling: Option<u64>,
    signed_in: bool,
}

impl World {
    fn give(&mut self, input: Input, oldest: Option<u64>) {
        let steps = self.told.give(input);
        for step in &steps {
            match step {
                Step::Hangup => {
                    assert!(self.open, "hung up twice");
                    self.open = false;
                }
                Step::Connect { .. } => {
                    assert!(self.signed_in && !self.open, "two connections at once");
                    self.open = true;
                    self.asked = self.told.now;
                }
                Step::Poll { number, .. } => {
                    assert!(self.signed_in && self.told.wanted);
                    assert!(self.polling.is_none(), "two polls at once");
                    self.polling = Some(*number);
                }
                Step::Tell(Event::Vouched(at)) => {
                    let age = self.told.now.since(*at);
                    assert!(age >= oldest.unwrap(), "{age} is younger than the evidence");
                }
                Step::Tell(_) | Step::ReadRoles => {}
            }
        }
        // A wake that changes nothing would be a loop without a pause.
        if self.told.link.next_wake(self.told.wanted, self.told.now) == Some(0) {
            let before = self.told.link.clone();
            self.told_again();
            let wake = self.told.link.next_wake(self.told.wanted, self.told.now);
            assert_ne!(wake, Some(0), "{before:?}");
        }
    }

    fn told_again(&mut self) {
        let steps = self.told.give(Input::Tick);
        for step in steps {
            match step {
                Step::Hangup => self.open = false,
                Step::Connect { .. } => {
                    self.open = true;
                    self.asked = self.told.now;
                }
                Step::Poll { number, .. } => self.polling = Some(number),
                _ => {}
            }
        }
    }

    fn play(&mut self, one: &Move) {
        let number = self.told.link.numbers;
        match *one {
            Move::Pass(ms) => {
                self.told.now = self.told.now.plus(u64::from(ms));
                self.give(Input::Tick, None);
            }
            Move::Beat(delay, age) if self.open => {
                // Nothing is sent before the stream was asked for.
                let delay = u64::from(delay).min(self.told.now.since(self.asked));
                let sent = Moment::new(0, self.told.now.wall_ms - delay);
                let item = beat(sent, u64::from(age));
                self.give(Input::Heard(number, item), Some(delay + u64::from(age)));
            }
            Move::Beat(..) => {}
            Move::Other(n) => {
                let event = match n {
                    0 => doubt(),
                    1 => FeedEvent::Reset {},
                    2 => FeedEvent::Revoked {
                        at_ms: 1,
                        reason: "gone".into(),
                    },
                    _ => FeedEvent::RolesChanged {
                        at_ms: 1,
                        held: vec![],
                        lost: vec![],
                    },
                };
                self.give(Input::Heard(number, news("1.1", event)), None);
            }
            Move::Close(refused, retry) => {
                self.open = false;
                let closed = Closed {
                    refused,
                    retry_after_ms: retry.map(|s| u64::from(s) * 1000),
                };
                self.give(Input::Closed(number, closed), None);
            }
            Move::Poll(ok) => {
                if let Some(number) = self.polling.take() {
                    let answer = if ok {
                        Ok(vec![])
                    } else {
                        Err(Closed::default())
                    };
                    self.give(Input::Polled(number, answer), None);
                }
            }
            Move::Bearer(lives) => {
                self.signed_in = true;
                self.generation += 1;
                let bearer = Bearer {
                    generation: self.generation,
                    expires: Some(self.told.now.unix() + u64::from(lives)),
                };
                self.give(Input::Bearer(Some(bearer)), None);
            }
            Move::Gone => {
                self.signed_in = false;
                self.polling = None;
                self.give(Input::Bearer(None), None);
            }
            Move::Want(wanted) => {
                self.told.wanted = wanted;
                self.give(Input::Tick, None);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn one_connection_and_one_poll_at_a_time_no_proof_younger_than_its_evidence_and_no_busy_loop(moves in moves()) {
        let mut world = World {
            told: Told::new(),
            generation: 0,
            open: false,
            asked: START,
            polling: None,
            signed_in: false,
        };
        for one in moves {
            world.play(&one);
        }
    }
}
