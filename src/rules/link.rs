//! The link to an organization's issuer: when to connect to its feed, what a heartbeat proves, and
//! when to poll instead.
//!
//! Pure like the desk: an input and the moment go in, steps come out. A heartbeat proves only as much
//! as its journey allows: it was sent no earlier than the stream was asked for, so the time since then,
//! less the time that passed at the issuer between the first heartbeat and this one, is the longest that
//! it can have been on its way. Rejected: to trust the issuer's clock against ours, which differ.

mod heartbeat;
#[cfg(test)]
mod tests;

use super::desk::Event;
use crate::model::feed::{FeedEvent, FeedItem};
use crate::model::time::Moment;
use heartbeat::Journey;

/// A heartbeat that may have been on its way for longer than this came through a buffer, ms.
pub const LATE_MS: u64 = 5_000;
/// Time between polls, ms; each is up to a fifth shorter or longer.
pub const POLL_MS: u64 = 30_000;
/// Heartbeats come this often until the issuer shows its own pace, ms (design §3.6).
const USUAL_PACE_MS: u64 = 15_000;
/// First and longest wait before a connection is tried again, ms.
const FIRST_WAIT_MS: u64 = 1_000;
const LONGEST_WAIT_MS: u64 = 60_000;
/// A `Retry-After` beyond this is cut, ms.
const LONGEST_ASKED_MS: u64 = 3_600_000;
/// The session is renewed when its bearer has less life than this, seconds.
const LEAD_S: u64 = 30;
/// A bearer must live at least this much longer to be sent, seconds.
const MARGIN_S: u64 = 10;
/// The session is renewed for the link no sooner than this after the last time, ms; twice as long each
/// time that it did not help, up to 32 times.
const RENEW_AGAIN_MS: u64 = 20_000;
/// After so many late heartbeats in a row another connection is tried.
const LATE_IN_A_ROW: u32 = 4;

/// What the session has to show at the issuer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bearer {
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
pub enum Input {
    /// The session has this bearer, or there is none to keep a link for.
    Bearer(Option<Bearer>),
    /// A message of the connection with this number.
    Heard(u64, FeedItem),
    /// The connection with this number is over.
    Closed(u64, Closed),
    /// The poll with this number was answered.
    Polled(u64, Result<Vec<FeedItem>, Closed>),
    /// Time passed.
    Tick,
}

/// What the keeper has to do, in this order.
#[derive(Debug, Clone)]
pub enum Step {
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
    /// Lets the desk decide.
    Tell(Event),
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
    bearer: Bearer,
    /// The last message, or when it was asked for.
    last: Moment,
    pace_ms: u64,
    journey: Journey,
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
pub struct Link {
    phase: Phase,
    bearer: Option<Bearer>,
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
    /// Down since a connection was lost or came to nothing.
    down: bool,
}

/// How the link is, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Nothing to connect with.
    Off,
    /// The first heartbeat is not there yet.
    Connecting,
    /// Heartbeats come in time.
    Connected,
    /// A heartbeat is missing.
    Late,
    /// Heartbeats come through a buffer, so they prove nothing.
    Buffered,
    /// No connection.
    Down,
}

impl Word {
    /// As it is shown.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Late => "late",
            Self::Buffered => "buffered",
            Self::Down => "down",
        }
    }
}

impl Default for Link {
    fn default() -> Self {
        Self::new(None)
    }
}

impl Link {
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

    /// One input. `wanted`: tokens are out or children follow, so that news must not be missed; `roll`:
    /// random bits for jitter.
    pub fn step(&mut self, input: Input, wanted: bool, now: Moment, roll: u64) -> Vec<Step> {
        let mut steps = Vec::new();
        match input {
            Input::Bearer(bearer) => self.bearer_is(bearer, now, &mut steps),
            Input::Heard(number, item) => {
                if number == self.numbers && matches!(self.phase, Phase::Open(_)) {
                    self.heard(item, now, &mut steps);
                }
            }
            Input::Closed(number, closed) => {
                if number == self.numbers && matches!(self.phase, Phase::Open(_)) {
                    self.lost(closed, now, roll);
                }
            }
            Input::Polled(number, answer) => self.polled(number, answer, now, roll, &mut steps),
            Input::Tick => {}
        }
        self.go_on(wanted, now, roll, &mut steps);
        steps
    }

    fn bearer_is(&mut self, bearer: Option<Bearer>, now: Moment, steps: &mut Vec<Step>) {
        let before = self.bearer.map(|b| b.generation);
        self.bearer = bearer;
        let Some(bearer) = bearer else {
            if matches!(self.phase, Phase::Open(_)) {
                steps.push(Step::Hangup);
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

    fn heard(&mut self, item: FeedItem, now: Moment, steps: &mut Vec<Step>) {
        let Phase::Open(stream) = &mut self.phase else {
            return;
        };
        stream.last = now;
        let generation = stream.bearer.generation;
        if let FeedEvent::Heartbeat {
            as_of_ms,
            sent_at_ms,
        } = item.event
        {
            let beat = stream.journey.heartbeat(as_of_ms, sent_at_ms, now);
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

    fn believe(&mut self, proof: Moment, steps: &mut Vec<Step>) {
        if self.as_of.is_none_or(|known| known.wall_ms < proof.wall_ms) {
            self.as_of = Some(proof);
        }
        steps.push(Step::Tell(Event::Vouched(proof)));
    }

    /// A message that is no heartbeat, from a stream or poll with the bearer of `generation`.
    fn news(&mut self, item: FeedItem, generation: u64, now: Moment, steps: &mut Vec<Step>) {
        self.take_cursor(item.id);
        match item.event {
            FeedEvent::Revoked { reason, .. } => {
                steps.push(Step::Tell(Event::Revoked(Some(reason))));
            }
            FeedEvent::Doubt { reason, .. } => {
                // With the same bearer the issuer would say the same again.
                self.refused = Some(generation);
                if matches!(self.phase, Phase::Open(_)) {
                    steps.push(Step::Hangup);
                    self.phase = Phase::Waiting(now);
                }
                steps.push(Step::Tell(Event::Doubted(reason)));
            }
            FeedEvent::RolesChanged { held, lost, .. } => {
                steps.push(Step::Tell(Event::RolesChanged { held, lost }));
                steps.push(Step::ReadRoles);
                // The token of before names the groups of before.
                steps.push(Step::Tell(Event::Renew));
            }
            FeedEvent::Reset {} => {
                self.cursor = None;
                steps.push(Step::ReadRoles);
            }
            FeedEvent::Heartbeat { .. } => {}
        }
    }

    /// The connection is over: the next one after a while.
    fn lost(&mut self, closed: Closed, now: Moment, roll: u64) {
        let Phase::Open(stream) = &self.phase else {
            return;
        };
        let generation = stream.bearer.generation;
        if closed.refused {
            self.refused = Some(generation);
        }
        self.failures = self.failures.saturating_add(1);
        self.down = true;
        self.phase = Phase::Waiting(now.plus(wait_ms(self.failures, closed.retry_after_ms, roll)));
        self.next_poll
            .get_or_insert(now.plus(jittered(POLL_MS, roll)));
    }

    /// A younger bearer is wanted; this is the one refresh in the life of a subject token that the
    /// link itself causes.
    fn ask_renewal(&mut self, now: Moment, steps: &mut Vec<Step>) {
        if self.renew_again.is_some_and(|again| !now.reached(again)) {
            return;
        }
        self.renew_again = Some(now.plus(RENEW_AGAIN_MS << self.renewals.min(5)));
        self.renewals = self.renewals.saturating_add(1);
        steps.push(Step::Tell(Event::Renew));
    }

    fn polled(
        &mut self,
        number: u64,
        answer: Result<Vec<FeedItem>, Closed>,
        now: Moment,
        roll: u64,
        steps: &mut Vec<Step>,
    ) {
        let Some(poll) = self.poll.take_if(|poll| poll.number == number) else {
            return;
        };
        let mut wait = jittered(POLL_MS, roll);
        match answer {
            Ok(items) => {
                for item in items {
                    if let FeedEvent::Heartbeat {
                        as_of_ms,
                        sent_at_ms,
                    } = item.event
                    {
                        let beat = Journey::new(poll.asked).heartbeat(as_of_ms, sent_at_ms, now);
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

    /// What follows from the state and the time.
    fn go_on(&mut self, wanted: bool, now: Moment, roll: u64, steps: &mut Vec<Step>) {
        let Some(bearer) = self.bearer else { return };
        let usable = is_usable(bearer, now);
        self.kept |= usable;
        self.end_silent(now, roll, steps);
        let refused = self.refused == Some(bearer.generation);
        if self.kept && (refused || ends_soon(bearer, now)) {
            self.ask_renewal(now, steps);
        }
        self.connect(bearer, usable, now, steps);
        let may = usable && wanted && !refused;
        let due = self.next_poll.is_some_and(|at| now.reached(at));
        if may && due && self.poll.is_none() {
            self.numbers_for_poll(bearer, now, steps);
        }
    }

    /// Two heartbeats that did not come, or came through a buffer again and again.
    fn end_silent(&mut self, now: Moment, roll: u64, steps: &mut Vec<Step>) {
        let Phase::Open(stream) = &self.phase else {
            return;
        };
        if now.reached(stream.last.plus(silence_ms(stream))) {
            steps.push(Step::Hangup);
            self.lost(Closed::default(), now, roll);
            self.next_poll = Some(now);
        } else if stream.late_in_a_row >= LATE_IN_A_ROW {
            steps.push(Step::Hangup);
            self.lost(Closed::default(), now, roll);
        } else if stream.late_in_a_row > 0 {
            self.next_poll.get_or_insert(now);
        }
    }

    fn connect(&mut self, bearer: Bearer, usable: bool, now: Moment, steps: &mut Vec<Step>) {
        if !usable || self.refused == Some(bearer.generation) {
            return;
        }
        match &self.phase {
            Phase::Waiting(until) if !now.reached(*until) => return,
            Phase::Off | Phase::Waiting(_) => {}
            Phase::Open(stream) => {
                // A younger bearer takes over just before the old one ends.
                if stream.bearer.generation == bearer.generation
                    || !ends_soon(stream.bearer, now)
                    || ends_soon(bearer, now)
                {
                    return;
                }
                steps.push(Step::Hangup);
            }
        }
        self.numbers += 1;
        self.phase = Phase::Open(Stream {
            bearer,
            last: now,
            pace_ms: USUAL_PACE_MS,
            journey: Journey::new(now),
            in_time: None,
            late_in_a_row: 0,
        });
        steps.push(Step::Connect {
            number: self.numbers,
            after: self.cursor.clone(),
        });
    }

    /// Polls have numbers of their own row: a connection's number must not be used up by one.
    fn numbers_for_poll(&mut self, bearer: Bearer, now: Moment, steps: &mut Vec<Step>) {
        let number = now.boot_ms;
        self.poll = Some(Poll {
            number,
            asked: now,
            generation: bearer.generation,
        });
        steps.push(Step::Poll {
            number,
            after: self.cursor.clone(),
        });
    }

    /// Milliseconds until this link wants an [`Input::Tick`].
    pub fn next_wake(&self, wanted: bool, now: Moment) -> Option<u64> {
        let bearer = self.bearer?;
        let usable = is_usable(bearer, now);
        let refused = self.refused == Some(bearer.generation);
        let mut wakes = Vec::new();
        match &self.phase {
            Phase::Off => {}
            Phase::Waiting(until) if usable && !refused => wakes.push(now.until(*until)),
            Phase::Waiting(_) => {}
            Phase::Open(stream) => wakes.push(now.until(stream.last.plus(silence_ms(stream)))),
        }
        if self.kept && (refused || bearer.expires.is_some()) {
            let soon = bearer.expires.map_or(0, |at| {
                let lead = at.saturating_sub(LEAD_S).saturating_mul(1000);
                lead.saturating_sub(now.wall_ms)
            });
            let again = self.renew_again.map_or(0, |again| now.until(again));
            wakes.push(if refused { again } else { soon.max(again) });
        }
        if wanted
            && usable
            && !refused
            && self.poll.is_none()
            && let Some(at) = self.next_poll
        {
            wakes.push(now.until(at));
        }
        wakes.into_iter().min()
    }
}

/// Silence after which a connection is given up, ms.
const fn silence_ms(stream: &Stream) -> u64 {
    2 * stream.pace_ms + LATE_MS
}

fn is_usable(bearer: Bearer, now: Moment) -> bool {
    bearer.expires.is_none_or(|at| at > now.unix() + MARGIN_S)
}

fn ends_soon(bearer: Bearer, now: Moment) -> bool {
    bearer.expires.is_some_and(|at| at <= now.unix() + LEAD_S)
}

/// Exponential backoff with jitter: a fleet must not come back in step.
fn wait_ms(failures: u32, retry_after_ms: Option<u64>, roll: u64) -> u64 {
    let doubled = FIRST_WAIT_MS << failures.saturating_sub(1).min(6);
    let most = doubled.min(LONGEST_WAIT_MS);
    let own = (most / 2 + roll % (most / 2 + 1)).max(FIRST_WAIT_MS);
    let asked = retry_after_ms.unwrap_or(0).min(LONGEST_ASKED_MS);
    // Asked for by the issuer: never sooner, and not all at that second either.
    own.max(asked + asked / 10 * (roll % 11) / 10)
}

/// Up to a fifth shorter or longer.
const fn jittered(ms: u64, roll: u64) -> u64 {
    ms - ms / 5 + roll % (2 * ms / 5 + 1)
}
