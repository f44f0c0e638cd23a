//! The link to an organization's issuer: when to connect to its feed, what a heartbeat proves, and
//! when to poll instead.
//!
//! Pure like the session machine: an input and the moment go in, steps come out. A heartbeat proves only as much
//! as its journey allows: it was sent no earlier than the stream was asked for, so the time since then,
//! less the time that passed at the issuer between the first heartbeat and this one, is the longest that
//! it can have been on its way. Rejected: to trust the issuer's clock against ours, which differ.

mod clock;
mod connection;
mod heartbeat;
#[cfg(test)]
mod tests;
mod word;

use super::machine::IssuerEvent;
use clock::ClockGap;
use connection::{LONGEST_ASKED_MS, jittered};
use heartbeat::DelayEstimator;
use oam_model::feed::{FeedEvent, FeedItem};
use oam_model::standing::{EndReason, StandingWord};
use oam_model::time::Moment;
pub use word::Word;

/// A heartbeat that may have been on its way for longer than this came through a buffer, ms.
pub const LATE_MS: u64 = 5_000;
/// Time between polls, ms; each is up to a fifth shorter or longer.
pub const POLL_MS: u64 = 30_000;
/// What the session has to show at the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssuerBearer {
    /// Grows with every renewal and sign-in.
    pub generation: u64,
    /// Its expiry, Unix seconds, when known.
    pub expires: Option<u64>,
}

/// Why a connection or poll came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Closed {
    /// The bearer is not taken any more.
    pub refused: bool,
    /// `Retry-After`, ms.
    pub retry_after_ms: Option<u64>,
}

/// What happens to a link.
#[derive(Debug, Clone)]
pub enum SubscriptionInput {
    /// The session has this bearer, or there is none to keep a link for.
    Bearer(Option<IssuerBearer>),
    /// A message of the connection with this number.
    Heard(u64, FeedItem),
    /// The connection with this number is over.
    Closed(u64, Closed),
    /// The poll with this number was answered.
    Polled(u64, Result<Vec<FeedItem>, Closed>),
    /// Time passed.
    Tick,
}

/// What the core has to do, in this order.
#[derive(Debug, Clone)]
pub enum SubscriptionEffect {
    /// Ends the connection.
    Hangup,
    /// Opens the feed after this cursor.
    Connect {
        /// Number of the connection.
        number: u64,
        /// The cursor.
        after: Option<String>,
    },
    /// Asks once for what has come after this cursor.
    Poll {
        /// Number of the poll.
        number: u64,
        /// The cursor.
        after: Option<String>,
    },
    /// Lets the session machine decide.
    Tell(IssuerEvent),
    /// Reads the roles anew.
    ReadRoles,
}

/// The connection.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Phase {
    /// None is wanted.
    Off,
    /// None, until then.
    Waiting(Moment),
    /// Asked for, or open.
    Open(Stream),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Stream {
    bearer: IssuerBearer,
    /// The last message, or when it was asked for.
    last: Moment,
    pace_ms: u64,
    journey: DelayEstimator,
    /// The last heartbeat was in time; none yet: not known.
    in_time: Option<bool>,
    late_in_a_row: u32,
}

/// A poll under way.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Poll {
    number: u64,
    asked: Moment,
    generation: u64,
}

/// The state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeedSubscription {
    phase: Phase,
    bearer: Option<IssuerBearer>,
    cursor: Option<String>,
    numbers: u64,
    /// Connections in a row that brought nothing.
    failures: u32,
    /// This bearer is not taken any more.
    refused: Option<u64>,
    /// Renewals asked for since the last believed heartbeat, and when to ask again.
    renewals: u32,
    renew_again: Option<Moment>,
    /// A bearer that lives was seen: from then on the session is renewed in time. A restored session
    /// whose bearer has expired stays silent until somebody asks for something.
    kept: bool,
    poll: Option<Poll>,
    next_poll: Option<Moment>,
    /// The time that the last believed evidence speaks of.
    as_of: Option<Moment>,
    clock: ClockGap,
    /// Down since a connection was lost or came to nothing.
    down: bool,
}

impl Default for FeedSubscription {
    fn default() -> Self {
        Self::new(None)
    }
}

impl FeedSubscription {
    /// A link that goes on after a stored cursor.
    pub const fn new(cursor: Option<String>) -> Self {
        Self {
            phase: Phase::Off,
            bearer: None,
            cursor,
            numbers: 0,
            failures: 0,
            refused: None,
            renewals: 0,
            renew_again: None,
            kept: false,
            poll: None,
            next_poll: None,
            as_of: None,
            clock: ClockGap::new(),
            down: false,
        }
    }

    /// The cursor, to be kept.
    pub const fn cursor(&self) -> Option<&String> {
        self.cursor.as_ref()
    }

    /// The time that the issuer's last believed evidence speaks of.
    pub const fn as_of(&self) -> Option<Moment> {
        self.as_of
    }

    /// How far the wall clock of this machine is ahead of the issuer's, ms; negative: behind.
    pub fn clock_ahead_ms(&self, now: Moment) -> Option<i64> {
        self.clock.ahead_ms(now)
    }

    /// How it is.
    pub fn word(&self, now: Moment) -> Word {
        match &self.phase {
            Phase::Off => Word::Off,
            Phase::Waiting(_) => Word::Down,
            Phase::Open(stream) => match stream.in_time {
                Some(false) => Word::Buffered,
                Some(true) if now.since(stream.last) <= stream.pace_ms + LATE_MS => Word::Connected,
                Some(true) => Word::Late,
                None if self.down => Word::Down,
                None => Word::Connecting,
            },
        }
    }

    /// Whether what proves comes by polling.
    pub const fn polls(&self) -> bool {
        self.next_poll.is_some() || self.poll.is_some()
    }

    /// One input. `wanted`: tokens are out or children follow, so that news must not be missed; `random`:
    /// random bits for jitter.
    pub fn step(
        &mut self,
        input: SubscriptionInput,
        wanted: bool,
        now: Moment,
        random: u64,
    ) -> Vec<SubscriptionEffect> {
        let mut steps = Vec::new();
        match input {
            SubscriptionInput::Bearer(bearer) => self.bearer_is(bearer, now, &mut steps),
            SubscriptionInput::Heard(number, item) => {
                if number == self.numbers && matches!(self.phase, Phase::Open(_)) {
                    self.heard(item, now, &mut steps);
                }
            }
            SubscriptionInput::Closed(number, closed) => {
                if number == self.numbers && matches!(self.phase, Phase::Open(_)) {
                    self.lost(closed, now, random);
                }
            }
            SubscriptionInput::Polled(number, answer) => {
                self.polled(number, answer, now, random, &mut steps);
            }
            SubscriptionInput::Tick => {}
        }
        self.go_on(wanted, now, random, &mut steps);
        steps
    }

    fn bearer_is(
        &mut self,
        bearer: Option<IssuerBearer>,
        now: Moment,
        steps: &mut Vec<SubscriptionEffect>,
    ) {
        let before = self.bearer.map(|b| b.generation);
        self.bearer = bearer;
        let Some(bearer) = bearer else {
            if matches!(self.phase, Phase::Open(_)) {
                steps.push(SubscriptionEffect::Hangup);
            }
            let numbers = self.numbers;
            *self = Self::new(None);
            self.numbers = numbers;
            return;
        };
        if before != Some(bearer.generation)
            && self.refused.is_some_and(|refused| Some(refused) == before)
            && matches!(self.phase, Phase::Waiting(_))
        {
            // It waited for this.
            self.phase = Phase::Waiting(now);
        }
    }

    fn heard(&mut self, item: FeedItem, now: Moment, steps: &mut Vec<SubscriptionEffect>) {
        let Phase::Open(stream) = &mut self.phase else {
            return;
        };
        stream.last = now;
        let generation = stream.bearer.generation;
        if let FeedEvent::Heartbeat {
            as_of_ms,
            sent_at_ms,
            ..
        } = item.event
        {
            let beat = stream.journey.heartbeat(as_of_ms, sent_at_ms, now);
            self.clock.heard(sent_at_ms, beat.on_way_ms, now);
            if let Some(gap) = beat.gap_ms {
                // A pace that slows down is followed at once, a quicker one bit by bit.
                stream.pace_ms = gap.clamp(1_000, 60_000).max(stream.pace_ms * 3 / 4);
            }
            stream.in_time = Some(beat.proof.is_some());
            stream.late_in_a_row = match beat.proof {
                Some(_) => 0,
                None => stream.late_in_a_row + 1,
            };
            if let Some(proof) = beat.proof {
                self.failures = 0;
                self.renewals = 0;
                self.down = false;
                self.next_poll = None;
                self.believe(proof, steps);
            }
            self.take_cursor(item.id);
            return;
        }
        self.news(item, generation, now, steps);
    }

    fn take_cursor(&mut self, id: Option<String>) {
        if id.is_some() {
            self.cursor = id;
        }
    }

    fn believe(&mut self, proof: Moment, steps: &mut Vec<SubscriptionEffect>) {
        if self.as_of.is_none_or(|known| known.wall_ms < proof.wall_ms) {
            self.as_of = Some(proof);
        }
        steps.push(SubscriptionEffect::Tell(IssuerEvent::Vouched(proof)));
    }

    /// A message that is no heartbeat, from a stream or poll with the bearer of `generation`.
    fn news(
        &mut self,
        item: FeedItem,
        generation: u64,
        now: Moment,
        steps: &mut Vec<SubscriptionEffect>,
    ) {
        self.take_cursor(item.id);
        match item.event {
            FeedEvent::Revoked { reason, .. } => {
                steps.push(SubscriptionEffect::Tell(IssuerEvent::Over(
                    StandingWord::Revoked,
                    Some(EndReason::Words(reason)),
                )));
            }
            FeedEvent::Doubt { reason, .. } => {
                // With the same bearer the issuer would say the same again.
                self.refused = Some(generation);
                if matches!(self.phase, Phase::Open(_)) {
                    steps.push(SubscriptionEffect::Hangup);
                    self.phase = Phase::Waiting(now);
                }
                steps.push(SubscriptionEffect::Tell(IssuerEvent::Doubted(reason)));
            }
            FeedEvent::RolesChanged { held, lost, .. } => {
                steps.push(SubscriptionEffect::Tell(IssuerEvent::RolesChanged {
                    held,
                    lost,
                }));
                steps.push(SubscriptionEffect::ReadRoles);
                // The token of before names the groups of before.
                steps.push(SubscriptionEffect::Tell(IssuerEvent::Renew));
            }
            FeedEvent::Reset {} => {
                self.cursor = None;
                steps.push(SubscriptionEffect::ReadRoles);
            }
            FeedEvent::Heartbeat { .. } | FeedEvent::Head { .. } => {}
        }
    }

    fn polled(
        &mut self,
        number: u64,
        answer: Result<Vec<FeedItem>, Closed>,
        now: Moment,
        random: u64,
        steps: &mut Vec<SubscriptionEffect>,
    ) {
        let Some(poll) = self.poll.take_if(|poll| poll.number == number) else {
            return;
        };
        let mut wait = jittered(POLL_MS, random);
        match answer {
            Ok(items) => {
                for item in items {
                    if let FeedEvent::Heartbeat {
                        as_of_ms,
                        sent_at_ms,
                        ..
                    } = item.event
                    {
                        let beat =
                            DelayEstimator::new(poll.asked).heartbeat(as_of_ms, sent_at_ms, now);
                        self.clock.heard(sent_at_ms, beat.on_way_ms, now);
                        if let Some(proof) = beat.proof {
                            self.believe(proof, steps);
                        }
                        self.take_cursor(item.id);
                    } else {
                        self.news(item, poll.generation, now, steps);
                    }
                }
            }
            Err(closed) => {
                if closed.refused {
                    self.refused = Some(poll.generation);
                }
                let asked = closed.retry_after_ms.unwrap_or(0).min(LONGEST_ASKED_MS);
                wait = wait.max(asked);
            }
        }
        if self.next_poll.is_some() {
            self.next_poll = Some(now.plus(wait));
        }
    }
}
