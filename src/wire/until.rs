//! A deadline over several steps, and a standard input that keeps to one.

use std::io;
use std::time::{Duration, Instant};

/// One deadline for everything that follows. Monotonic: it only bounds waiting, nothing expires by it.
#[derive(Debug, Clone, Copy)]
pub struct Until(Option<Instant>);

impl Until {
    /// A deadline `span` from now.
    pub fn after(span: Duration) -> Self {
        Self(Instant::now().checked_add(span))
    }

    /// No deadline.
    pub const fn ever() -> Self {
        Self(None)
    }

    /// What is left; `Ok(None)`: no deadline.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] when nothing is left.
    pub fn left(self) -> io::Result<Option<Duration>> {
        let Some(at) = self.0 else { return Ok(None) };
        match at.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => Ok(Some(left)),
            _ => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    /// What is left, at most `most`; zero when nothing is.
    pub fn at_most(self, most: Duration) -> Duration {
        match self.left() {
            Ok(Some(left)) => left.min(most),
            Ok(None) => most,
            Err(_) => Duration::ZERO,
        }
    }
}

/// Waits until `fd` can be read or the other end closed it.
///
/// # Errors
/// [`io::ErrorKind::TimedOut`], or what the system says.
#[cfg(unix)]
pub fn readable(fd: impl std::os::fd::AsFd, until: Until) -> io::Result<()> {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    loop {
        let left = until.left()?;
        let limit = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut [PollFd::new(&fd, PollFlags::IN)], limit.as_ref()) {
            Ok(0) => return Err(io::ErrorKind::TimedOut.into()),
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Standard input that stops waiting at a deadline (R9): a writer that never closes its end must
/// not keep a helper for ever. It is read without a buffer of ours in between, which nobody would wipe.
pub struct Stdin {
    until: Until,
}

impl Stdin {
    /// Standard input until then. On Windows the deadline is not kept.
    pub const fn new(until: Until) -> Self {
        Self { until }
    }
}

impl io::Read for Stdin {
    #[cfg(unix)]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let stdin = rustix::stdio::stdin();
        readable(stdin, self.until)?;
        Ok(rustix::io::read(stdin, bytes)?)
    }

    #[cfg(windows)]
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.until.left()?;
        io::stdin().read(bytes)
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::{Until, readable};
    use std::io::{self, Write};
    use std::time::Duration;

    #[test]
    fn a_deadline_that_passed_is_a_time_out_at_once() {
        let (reader, mut writer) = io::pipe().unwrap();
        let passed = Until::after(Duration::ZERO);
        let fault = readable(&reader, passed).unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::TimedOut);
        assert_eq!(passed.at_most(Duration::from_secs(9)), Duration::ZERO);
        writer.write_all(b"x").unwrap();
        assert!(readable(&reader, Until::ever()).is_ok());
    }

    #[test]
    fn a_closed_writer_can_be_read() {
        let (reader, writer) = io::pipe().unwrap();
        drop(writer);
        assert!(readable(&reader, Until::ever()).is_ok());
    }
}
