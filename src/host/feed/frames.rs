//! Server-sent events from bytes, whatever the cuts between them (WHATWG HTML §9.2.6). Pure.

/// Longest line, and longest data of one event, bytes.
pub(super) const LONGEST: usize = 64 * 1024;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Frame {
    /// `event`; empty when it has none.
    pub(super) event: String,
    /// `data`, its lines joined by line feeds.
    pub(super) data: String,
    /// `id`, when this event has one.
    pub(super) id: Option<String>,
}

/// A line or an event is too long.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLong;

/// The parser: what has come of the line and the event under way.
#[derive(Debug, Default)]
pub(super) struct Frames {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    returned: bool,
    /// The first line was met: a byte order mark stands before it only.
    begun: bool,
    event: String,
    data: Option<String>,
    id: Option<String>,
}

impl Frames {
    /// Takes bytes; gives the events that are complete with them.
    ///
    /// # Errors
    /// [`TooLong`]; nothing that follows can be trusted then.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Frame>, TooLong> {
        let mut frames = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.returned, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => frames.extend(self.line_ends()?),
                _ if self.line.len() >= LONGEST => return Err(TooLong),
                _ => self.line.push(byte),
            }
        }
        Ok(frames)
    }

    fn line_ends(&mut self) -> Result<Option<Frame>, TooLong> {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let mut text = text.as_ref();
        if !std::mem::replace(&mut self.begun, true) {
            text = text.strip_prefix('\u{feff}').unwrap_or(text);
        }
        if text.is_empty() {
            return Ok(self.dispatch());
        }
        let (name, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.event),
            "data" => self.add(value)?,
            "id" if !value.contains('\0') => self.id = Some(value.to_owned()),
            // A comment has an empty name; `retry` is ours to decide; others are to be ignored.
            _ => {}
        }
        Ok(None)
    }

    fn add(&mut self, value: &str) -> Result<(), TooLong> {
        match &mut self.data {
            None => self.data = Some(value.to_owned()),
            Some(data) if data.len() + value.len() < LONGEST => {
                data.push('\n');
                data.push_str(value);
            }
            Some(_) => return Err(TooLong),
        }
        Ok(())
    }

    fn dispatch(&mut self) -> Option<Frame> {
        let event = std::mem::take(&mut self.event);
        let id = self.id.take();
        let data = self.data.take()?;
        Some(Frame { event, data, id })
    }
}

#[cfg(test)]
mod tests {
    use super::{Frame, Frames, LONGEST, TooLong};
    use proptest::prelude::*;

    fn all(bytes: &[u8]) -> Result<Vec<Frame>, TooLong> {
        Frames::default().push(bytes)
    }

    fn frame(event: &str, data: &str, id: Option<&str>) -> Frame {
        Frame {
            event: event.into(),
            data: data.into(),
            id: id.map(Into::into),
        }
    }

    #[test]
    fn the_lines_of_an_event_are_its_fields() {
        let text = "\u{feff}: hello\nid: 1.2\nevent:heartbeat\ndata: {\"a\":1}\n\nretry: 5\ndata\n\ndata:  x\ndata:y\nodd: z\n\nid: 9\n\ndata: cut";
        assert_eq!(
            all(text.as_bytes()).unwrap(),
            [
                frame("heartbeat", "{\"a\":1}", Some("1.2")),
                frame("", "", None),
                frame("", " x\ny", None),
            ]
        );
    }

    #[test]
    fn every_kind_of_line_end_ends_one_line() {
        let expected = [frame("a", "1", None), frame("b", "2", None)];
        for end in ["\n", "\r", "\r\n"] {
            let text = ["event: a", "data: 1", "", "event: b", "data: 2", "", ""].join(end);
            assert_eq!(all(text.as_bytes()).unwrap(), expected, "{end:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_an_end_and_not_a_memory() {
        let mut long = vec![b'x'; LONGEST];
        assert!(all(&long).unwrap().is_empty());
        long.push(b'x');
        assert_eq!(all(&long), Err(TooLong));
        let many = format!("data: {}\n", "y".repeat(1000)).repeat(70);
        assert_eq!(all(many.as_bytes()), Err(TooLong));
    }

    fn bytes() -> impl Strategy<Value = Vec<u8>> {
        let part = prop_oneof![
            Just("data: {\"x\":1}".to_owned()),
            Just("event: heartbeat".to_owned()),
            Just("id: 1.1".to_owned()),
            Just("\n".to_owned()),
            Just("\r".to_owned()),
            Just("\r\n".to_owned()),
            Just("\u{feff}".to_owned()),
            Just(":".to_owned()),
            "\\PC{0,6}",
        ];
        proptest::collection::vec(part, 0..60).prop_map(|parts| parts.concat().into_bytes())
    }

    proptest! {
        #[test]
        fn any_cut_of_the_bytes_gives_the_same_events(bytes in bytes(), cuts in proptest::collection::vec(0usize..400, 0..20)) {
            let whole = all(&bytes).unwrap();
            let mut cuts: Vec<usize> = cuts.into_iter().filter(|at| *at < bytes.len()).collect();
            cuts.push(bytes.len());
            cuts.sort_unstable();
            let (mut parser, mut found, mut from) = (Frames::default(), Vec::new(), 0);
            for at in cuts {
                found.extend(parser.push(&bytes[from..at]).unwrap());
                from = at;
            }
            prop_assert_eq!(found, whole);
        }

        #[test]
        fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..500)) {
            let _ = all(&bytes);
        }
    }
}
