//! Bytes that may hold a token, and their cutting into lines.
//!
//! All are wiped when dropped, also the old ones when a buffer grows: a plain `Vec` would leave a
//! copy behind.

use super::frame::{FrameFault, LIMIT};
use zeroize::Zeroize;

/// Bytes that a buffer begins with: most requests fit. Small on purpose: a larger one is a mapping of its own
/// and costs the helper two page faults, a twentieth of its life.
const FIRST: usize = 480;

/// Bytes that are wiped when dropped and when they move.
#[derive(Default)]
pub struct Buffer(Vec<u8>);

impl Buffer {
    /// An empty buffer.
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Makes room for `more` bytes: the growth is ours, because `Vec` frees the old bytes unwiped.
    fn reserve(&mut self, more: usize) {
        let need = self.0.len().saturating_add(more);
        if need <= self.0.capacity() {
            return;
        }
        let mut larger = Vec::with_capacity(need.max(self.0.capacity() * 2).max(FIRST));
        larger.extend_from_slice(&self.0);
        self.0.zeroize();
        self.0 = larger;
    }

    /// Adds bytes at the end.
    pub fn push(&mut self, bytes: &[u8]) {
        self.reserve(bytes.len());
        self.0.extend_from_slice(bytes);
    }

    /// The bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Forgets the first `count` bytes, and wipes where the rest lay.
    fn forget(&mut self, count: usize) {
        let count = count.min(self.0.len());
        let rest = self.0.len() - count;
        self.0.copy_within(count.., 0);
        self.0[rest..].zeroize();
        self.0.truncate(rest);
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Bytes that came in, cut into lines. It does no I/O: client and server both feed it.
#[derive(Default)]
pub struct Inbox {
    held: Buffer,
    /// Bytes of `held` that were searched for a line feed already.
    searched: usize,
}

impl Inbox {
    /// An empty inbox.
    pub const fn new() -> Self {
        Self {
            held: Buffer::new(),
            searched: 0,
        }
    }

    /// Takes bytes that came in.
    pub fn take(&mut self, bytes: &[u8]) {
        self.held.push(bytes);
    }

    /// The next whole line without its line feed, if it came.
    ///
    /// # Errors
    /// [`FrameFault::TooLong`] as soon as [`LIMIT`] bytes are there without a line feed among them.
    pub fn next_line(&mut self) -> Result<Option<Buffer>, FrameFault> {
        let bytes = self.held.bytes();
        let within = &bytes[..bytes.len().min(LIMIT)];
        let unseen = within.get(self.searched..).unwrap_or_default();
        let Some(at) = unseen.iter().position(|byte| *byte == b'\n') else {
            self.searched = within.len();
            return if bytes.len() >= LIMIT {
                Err(FrameFault::TooLong)
            } else {
                Ok(None)
            };
        };
        let end = self.searched + at;
        let mut line = Buffer::new();
        line.push(&bytes[..end]);
        self.held.forget(end + 1);
        self.searched = 0;
        Ok(Some(line))
    }

    /// Whether bytes of an unfinished or further line are held.
    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }

    /// Whether no more should be read before a line was taken out.
    pub fn is_full(&self) -> bool {
        self.held.len() >= LIMIT
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, Inbox, LIMIT};
    use proptest::prelude::*;

    #[test]
    fn a_line_of_exactly_the_limit_is_taken() {
        let mut inbox = Inbox::new();
        inbox.take(&vec![b'x'; LIMIT - 1]);
        assert!(matches!(inbox.next_line(), Ok(None)));
        inbox.take(b"\n");
        assert_eq!(inbox.next_line().unwrap().unwrap().len(), LIMIT - 1);
    }

    proptest! {
        #[test]
        fn lines_come_out_the_same_however_the_bytes_are_cut(
            lines in prop::collection::vec("[a-z]{0,40}", 0..8),
            cut in 1usize..17,
        ) {
            let mut all = Vec::new();
            for line in &lines {
                all.extend_from_slice(line.as_bytes());
                all.push(b'\n');
            }
            let mut inbox = Inbox::new();
            let mut out = Vec::new();
            for piece in all.chunks(cut) {
                inbox.take(piece);
                while let Some(line) = inbox.next_line().unwrap() {
                    out.push(String::from_utf8(line.bytes().to_vec()).unwrap());
                }
            }
            prop_assert_eq!(out, lines);
        }

        #[test]
        fn a_buffer_holds_what_was_pushed(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 0..5)) {
            let mut buffer = Buffer::new();
            for part in &parts {
                buffer.push(part);
            }
            prop_assert_eq!(buffer.bytes(), parts.concat());
        }
    }
}
