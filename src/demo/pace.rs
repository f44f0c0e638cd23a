//! Pushes at the hub, which takes them at the rate of a network.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes a second that the hub takes of a push.
pub const RATE: usize = 256 * 1024;

/// One push. Its bytes count among the open ones until it ends, whole or not.
pub struct Push<'a> {
    open: &'a AtomicUsize,
    bytes: usize,
}

impl<'a> Push<'a> {
    pub const fn begin(open: &'a AtomicUsize) -> Self {
        Self { open, bytes: 0 }
    }

    /// Counts so many bytes more, and waits for as long as a network would take for them.
    pub async fn took(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.open.fetch_add(bytes, Ordering::Relaxed);
        let micros = bytes.saturating_mul(1_000_000) / RATE;
        tokio::time::sleep(Duration::from_micros(micros.try_into().unwrap_or(0))).await;
    }
}

impl Drop for Push<'_> {
    fn drop(&mut self) {
        self.open.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Push;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn a_push_counts_while_it_is_open() {
        let open = AtomicUsize::default();
        let (mut one, mut two) = (Push::begin(&open), Push::begin(&open));
        one.took(3).await;
        two.took(5).await;
        assert_eq!(open.load(Ordering::Relaxed), 8);
        drop(one);
        assert_eq!(open.load(Ordering::Relaxed), 5);
        drop(two);
        assert_eq!(open.load(Ordering::Relaxed), 0);
    }
}
