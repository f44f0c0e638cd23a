//! The system's clock and randomness as the agent's core asks for them.

use oam_agent::ports::{Clock, Rng};
use oam_model::time::Moment;
use oam_system::clock;

/// The machine's clocks.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Moment {
        clock::since_boot()
    }
}

/// The system's random numbers.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn random(&self) -> u128 {
        let mut bytes = [0; 16];
        clock::fill(&mut bytes);
        u128::from_ne_bytes(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::SystemRng;
    use oam_agent::ports::Rng;

    #[test]
    fn two_numbers_differ() {
        assert_ne!(SystemRng.random(), SystemRng.random());
    }
}
