//! Properties that hold for every order of inputs.

use super::*;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Move {
    Pass(u32),
    Heartbeat(u32, u32),
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
        4 => (0..20_000u32, 0..200_000u32).prop_map(|(d, a)| Move::Heartbeat(d, a)),
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
    fn give(&mut self, input: SubscriptionInput, oldest: Option<u64>) {
        let steps = self.told.give(input);
        for step in &steps {
            match step {
                SubscriptionEffect::Hangup => {
                    assert!(self.open, "hung up twice");
                    self.open = false;
                }
                SubscriptionEffect::Connect { .. } => {
                    assert!(self.signed_in && !self.open, "two connections at once");
                    self.open = true;
                    self.asked = self.told.now;
                }
                SubscriptionEffect::Poll { number, .. } => {
                    assert!(self.signed_in && self.told.wanted);
                    assert!(self.polling.is_none(), "two polls at once");
                    self.polling = Some(*number);
                }
                SubscriptionEffect::Tell(IssuerEvent::Vouched(at)) => {
                    let age = self.told.now.since(*at);
                    assert!(age >= oldest.unwrap(), "{age} is younger than the evidence");
                }
                SubscriptionEffect::Tell(_) | SubscriptionEffect::ReadRoles => {}
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
        let steps = self.told.give(SubscriptionInput::Tick);
        for step in steps {
            match step {
                SubscriptionEffect::Hangup => self.open = false,
                SubscriptionEffect::Connect { .. } => {
                    self.open = true;
                    self.asked = self.told.now;
                }
                SubscriptionEffect::Poll { number, .. } => self.polling = Some(number),
                _ => {}
            }
        }
    }

    fn play(&mut self, one: &Move) {
        let number = self.told.link.numbers;
        match *one {
            Move::Pass(ms) => {
                self.told.now = self.told.now.plus(u64::from(ms));
                self.give(SubscriptionInput::Tick, None);
            }
            Move::Heartbeat(delay, age) if self.open => {
                // Nothing is sent before the stream was asked for.
                let delay = u64::from(delay).min(self.told.now.since(self.asked));
                let sent = Moment::new(0, self.told.now.wall_ms - delay);
                let item = beat(sent, u64::from(age));
                self.give(
                    SubscriptionInput::Heard(number, item),
                    Some(delay + u64::from(age)),
                );
            }
            Move::Heartbeat(..) => {}
            Move::Other(n) => {
                let event = other(n);
                self.give(SubscriptionInput::Heard(number, news("1.1", event)), None);
            }
            Move::Close(refused, retry) => {
                self.open = false;
                let closed = Closed {
                    refused,
                    retry_after_ms: retry.map(|s| u64::from(s) * 1000),
                };
                self.give(SubscriptionInput::Closed(number, closed), None);
            }
            Move::Poll(ok) => {
                if let Some(number) = self.polling.take() {
                    let answer = if ok {
                        Ok(vec![])
                    } else {
                        Err(Closed::default())
                    };
                    self.give(SubscriptionInput::Polled(number, answer), None);
                }
            }
            Move::Bearer(lives) => {
                self.signed_in = true;
                self.generation += 1;
                let bearer = IssuerBearer {
                    generation: self.generation,
                    expires: Some(self.told.now.unix() + u64::from(lives)),
                };
                self.give(SubscriptionInput::Bearer(Some(bearer)), None);
            }
            Move::Gone => {
                self.signed_in = false;
                self.polling = None;
                self.give(SubscriptionInput::Bearer(None), None);
            }
            Move::Want(wanted) => {
                self.told.wanted = wanted;
                self.give(SubscriptionInput::Tick, None);
            }
        }
    }
}

fn other(n: u8) -> FeedEvent {
    match n {
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
