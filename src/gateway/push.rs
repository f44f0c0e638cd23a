//! Which refs a push is about: git's commands stand before the pack (gitprotocol-pack(5)), and are read as they pass.

/// Longest line of the protocol, its length included.
const LONGEST: usize = 65_520;

/// Reads along.
#[derive(Default)]
pub struct Commands {
    /// What has come of the next line.
    begun: Vec<u8>,
    over: bool,
}

impl Commands {
    /// The refs in the next bytes of the body. A body of another form has none.
    pub fn take(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut refs = Vec::new();
        if self.over {
            return refs;
        }
        self.begun.extend_from_slice(bytes);
        let mut rest = self.begun.as_slice();
        loop {
            let length = match length(rest) {
                Length::Line(length) => length,
                Length::NotThere => break,
                Length::End => {
                    self.over = true;
                    break;
                }
            };
            let Some(line) = rest.get(4..length) else {
                break;
            };
            refs.extend(name(line));
            rest = rest.get(length..).unwrap_or_default();
        }
        self.begun = if self.over { Vec::new() } else { rest.to_vec() };
        refs
    }
}

enum Length {
    NotThere,
    Line(usize),
    /// A flush, which ends the commands, or what is no length.
    End,
}

fn length(bytes: &[u8]) -> Length {
    let Some(digits) = bytes.get(..4) else {
        return Length::NotThere;
    };
    let length = std::str::from_utf8(digits)
        .ok()
        .and_then(|digits| usize::from_str_radix(digits, 16).ok());
    match length {
        Some(length) if (5..=LONGEST).contains(&length) => Length::Line(length),
        _ => Length::End,
    }
}

/// The ref of `OLD NEW REF`, behind which the first line has capabilities.
fn name(line: &[u8]) -> Option<String> {
    let command = line.split(|byte| *byte == 0).next()?;
    let text = std::str::from_utf8(command).ok()?.trim_end();
    let mut words = text.split(' ');
    let ids = [words.next()?, words.next()?];
    let is_id = |id: &&str| id.len() >= 40 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    let name = words.next()?;
    let is_ref = name.starts_with("refs/") && !name.contains(char::is_control);
    (ids.iter().all(is_id) && is_ref && words.next().is_none()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::Commands;
    use proptest::prelude::*;

    fn line(text: &str) -> String {
        format!("{:04x}{text}", text.len() + 4)
    }

    fn push() -> Vec<u8> {
        let (old, new) = ("0".repeat(40), "a".repeat(40));
        let mut body = line(&format!(
            "{old} {new} refs/heads/main\0 report-status side-band-64k\n"
        ));
        body += &line(&format!("{new} {old} refs/tags/v1"));
        body += "0000PACK";
        let mut body = body.into_bytes();
        body.extend([0, 0xff, 7]);
        body.extend(line(&format!("{old} {new} refs/heads/inside-of-the-pack")).bytes());
        body
    }

    proptest! {
        #[test]
        fn the_refs_are_found_however_the_body_is_cut(cuts in proptest::collection::vec(1..60usize, 1..40)) {
            let (body, mut commands, mut found) = (push(), Commands::default(), Vec::new());
            let mut rest = body.as_slice();
            for cut in cuts {
                let (piece, behind) = rest.split_at(cut.min(rest.len()));
                found.extend(commands.take(piece));
                rest = behind;
            }
            found.extend(commands.take(rest));
            prop_assert_eq!(found, ["refs/heads/main", "refs/tags/v1"]);
        }

        #[test]
        fn whatever_comes_is_read_in_bounded_memory(pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 0..30)) {
            let mut commands = Commands::default();
            for piece in pieces {
                commands.take(&piece);
                prop_assert!(commands.begun.len() <= super::LONGEST);
            }
        }
    }

    #[test]
    fn a_probe_and_what_is_no_push_have_none() {
        for body in ["0000", "", "{\"a\":1}", "0004", "zzzz", "0032push-cert\0x"] {
            assert!(
                Commands::default().take(body.as_bytes()).is_empty(),
                "{body}"
            );
        }
    }
}
