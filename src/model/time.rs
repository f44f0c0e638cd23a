//! Instants on two clocks.
//!
//! The wall clock can be set back; the boot clock (which counts suspend) restarts with the machine.
//! A token or proof is too old as soon as either clock says so (R41).

use serde::{Deserialize, Serialize};

/// A point in time as read from both clocks at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// Milliseconds since boot, suspend included.
    pub boot_ms: u64,
    /// Milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

impl Moment {
    /// A moment from both readings, in milliseconds.
    pub const fn new(boot_ms: u64, wall_ms: u64) -> Self {
        Self { boot_ms, wall_ms }
    }

    /// Milliseconds since `earlier`: the larger reading of the two clocks, so that neither a wall
    /// clock set back nor a suspended monotonic clock makes something look younger than it is.
    pub fn since(self, earlier: Self) -> u64 {
        let boot = self.boot_ms.saturating_sub(earlier.boot_ms);
        let wall = self.wall_ms.saturating_sub(earlier.wall_ms);
        boot.max(wall)
    }

    /// Milliseconds left until `later`, the smaller reading of the two clocks; 0 when passed.
    pub fn until(self, later: Self) -> u64 {
        let boot = later.boot_ms.saturating_sub(self.boot_ms);
        let wall = later.wall_ms.saturating_sub(self.wall_ms);
        boot.min(wall)
    }

    /// The moment `ms` milliseconds after this one.
    #[must_use]
    pub const fn plus(self, ms: u64) -> Self {
        Self {
            boot_ms: self.boot_ms.saturating_add(ms),
            wall_ms: self.wall_ms.saturating_add(ms),
        }
    }

    /// Whether this moment lies at or after `other` on either clock.
    pub const fn reached(self, other: Self) -> bool {
        self.boot_ms >= other.boot_ms || self.wall_ms >= other.wall_ms
    }

    /// Whole seconds since the Unix epoch.
    pub const fn unix(self) -> u64 {
        self.wall_ms / 1000
    }
}

/// A reading of a clock that nobody can set: for what compares two moments of one process. The wall clock's readings are
/// plain numbers, so that neither is taken for the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SteadyTime(u64);

impl SteadyTime {
    /// A reading in microseconds since the clock began.
    pub const fn from_us(us: u64) -> Self {
        Self(us)
    }

    /// Microseconds since the clock began; they mean nothing outside of this process.
    pub const fn us(self) -> u64 {
        self.0
    }

    /// Whole milliseconds since the clock began.
    pub const fn ms(self) -> u64 {
        self.0 / 1000
    }

    /// Microseconds since `earlier`; 0 when that is later.
    pub const fn since_us(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// A span of time for people: the two largest units, the rest left out (`6 days 23 hours`).
pub fn span(ms: u64) -> String {
    const UNITS: [(&str, u64); 4] = [
        ("day", 86_400_000),
        ("hour", 3_600_000),
        ("minute", 60_000),
        ("second", 1_000),
    ];
    let mut rest = ms;
    let mut words = Vec::new();
    for (name, length) in UNITS {
        let count = rest / length;
        rest %= length;
        if count > 0 {
            words.push(format!(
                "{count} {name}{}",
                if count == 1 { "" } else { "s" }
            ));
        }
    }
    words.truncate(2);
    if words.is_empty() {
        return "0 seconds".to_owned();
    }
    words.join(" ")
}

#[cfg(test)]
mod tests {
    use super::{Moment, span};

    #[test]
    fn a_span_is_told_in_the_units_that_it_has() {
        for (ms, said) in [
            (60_000, "1 minute"),
            (1_200_000, "20 minutes"),
            (5_400_000, "1 hour 30 minutes"),
            (7 * 86_400_000, "7 days"),
            (999, "0 seconds"),
        ] {
            assert_eq!(span(ms), said);
        }
    }

    #[test]
    fn a_wall_clock_set_back_does_not_make_a_proof_younger() {
        let proof = Moment::new(1_000, 100_000);
        assert_eq!(Moment::new(61_000, 50_000).since(proof), 60_000);
    }

    #[test]
    fn a_wall_clock_set_forward_ends_a_token() {
        let now = Moment::new(1_000, 100_000);
        let expiry = now.plus(60_000);
        assert_eq!(Moment::new(2_000, 200_000).until(expiry), 0);
        assert!(Moment::new(2_000, 200_000).reached(expiry));
    }
}
