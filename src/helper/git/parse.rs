//! git's credential format, read as bytes (R1–R4, R9).
//!
//! Only a line feed ends a line, only the first `=` ends a key, nothing is trimmed or decoded. What
//! could be read in two ways is refused: the repository's URL, which an attacker writes, must not
//! choose what we see in it.

use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_wire::buffer::Buffer;
use std::io::{ErrorKind, Read};
use zeroize::Zeroize;

/// Longest input, bytes.
const INPUT_LIMIT: usize = 1024 * 1024;

/// Longest line without its line feed, bytes: git's own limit.
const LINE_LIMIT: usize = 65_535;

/// Why an input is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Malformed(&'static str);

impl Malformed {
    pub(super) fn refusal(self) -> Refusal {
        Refusal::bad_request(
            format!("git's request is refused: {}", self.0),
            "look for odd characters in the repository's URL: `git remote -v`, `.gitmodules`",
        )
    }
}

/// What was said, as far as we use it.
pub(super) struct CredentialInput {
    pub(super) protocol: String,
    pub(super) host: String,
    pub(super) path: Option<String>,
    /// `capability[]=authtype` was among it.
    pub(super) authtype: bool,
    /// `password`, or `credential` when git used one.
    pub(super) token: Option<Secret>,
}

/// Reads up to the blank line or the end. More is never waited for: other programs than git keep
/// their end open until they have the answer.
pub(super) fn read(stdin: &mut dyn Read) -> Result<Buffer, Malformed> {
    let mut held = Buffer::new();
    let mut piece = [0; 1024];
    let result = loop {
        match stdin.read(&mut piece) {
            Ok(0) => break Ok(()),
            Ok(count) => {
                let unseen = held.len().saturating_sub(1);
                held.push(&piece[..count]);
                if held.len() > INPUT_LIMIT {
                    break Err(Malformed("it is longer than 1 MiB"));
                }
                let starts_blank = held.bytes().starts_with(b"\n");
                if starts_blank
                    || held.bytes()[unseen..]
                        .windows(2)
                        .any(|pair| pair == b"\n\n")
                {
                    break Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::TimedOut => {
                break Err(Malformed("it did not end within 10 seconds"));
            }
            Err(_) => break Err(Malformed("it can't be read")),
        }
    };
    piece.zeroize();
    result.map(|()| held)
}

/// The single-valued keys that git defines: each at most once, in this spelling only.
const KEYS: [&str; 12] = [
    "protocol",
    "host",
    "path",
    "username",
    "password",
    "credential",
    "authtype",
    "password_expiry_utc",
    "oauth_refresh_token",
    "ephemeral",
    "quit",
    "url",
];

/// The values of [`KEYS`], in that order, as far as they came.
type Values<'a> = [Option<&'a [u8]>; KEYS.len()];

/// Understands what [`read`] brought. `None`: protocol or host is missing or empty (R2).
pub(super) fn parse(bytes: &[u8]) -> Result<Option<CredentialInput>, Malformed> {
    let mut values: Values<'_> = [None; KEYS.len()];
    let mut authtype = false;
    let mut ended = false;
    for line in bytes.split(|byte| *byte == b'\n') {
        if line.is_empty() {
            // The last line feed leaves an empty rest too; it ends nothing that comes after it.
            ended = true;
            continue;
        }
        if ended {
            return Err(Malformed("something follows the blank line"));
        }
        if line.len() > LINE_LIMIT {
            return Err(Malformed("a line is longer than 65,535 bytes"));
        }
        let Some(at) = line.iter().position(|byte| *byte == b'=') else {
            return Err(Malformed("a line has no `=`"));
        };
        let (key, value) = (&line[..at], &line[at + 1..]);
        match key {
            b"capability[]" if value.is_empty() => authtype = false,
            b"capability[]" => authtype |= value == b"authtype",
            _ => single(&mut values, key, value)?,
        }
    }
    input(&values, authtype)
}

fn single<'a>(values: &mut Values<'a>, key: &[u8], value: &'a [u8]) -> Result<(), Malformed> {
    if key.is_empty() || key.iter().any(u8::is_ascii_control) {
        return Err(Malformed("a key is empty or holds control characters"));
    }
    if let Some(index) = KEYS.iter().position(|known| known.as_bytes() == key) {
        if value.iter().any(|byte| matches!(byte, 0 | b'\r')) {
            return Err(Malformed("a value holds a NUL or a carriage return"));
        }
        return match values[index].replace(value) {
            None => Ok(()),
            Some(_) => Err(Malformed("a key is repeated")),
        };
    }
    // `HOST`, `host[]`, `host ` or a byte order mark before `host`: another reader could take it for
    // the key itself. Any other unknown key is ignored.
    let letters = || {
        key.iter()
            .filter(|b| b.is_ascii_alphanumeric() || **b == b'_')
            .map(u8::to_ascii_lowercase)
    };
    if KEYS.iter().any(|known| letters().eq(known.bytes())) {
        return Err(Malformed("a key looks like another one"));
    }
    Ok(())
}

fn input(values: &Values<'_>, authtype: bool) -> Result<Option<CredentialInput>, Malformed> {
    let [protocol, host, path, _, password, credential, ..] = *values;
    let text = |value: Option<&[u8]>| match value {
        None | Some([]) => Ok(None),
        Some(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Ok(Some(text.to_owned())),
            Err(_) => Err(Malformed("a value is not UTF-8")),
        },
    };
    let (Some(protocol), Some(host)) = (text(protocol)?, text(host)?) else {
        return Ok(None);
    };
    let token = text(password.or(credential))?;
    Ok(Some(CredentialInput {
        protocol,
        host,
        path: text(path)?,
        authtype,
        token: token.map(Secret::new),
    }))
}

#[cfg(test)]
mod tests {
    use super::{CredentialInput, INPUT_LIMIT, LINE_LIMIT, Malformed, parse, read};
    use proptest::prelude::*;
    use std::io::{self, Read};

    fn understood(text: &str) -> Result<Option<CredentialInput>, Malformed> {
        parse(text.as_bytes())
    }

    fn refused(text: &str) -> bool {
        understood(text).is_err()
    }

    const GOOD: &str = "protocol=https\nhost=hub.example:8443\n";

    #[test]
    fn what_git_sends_is_understood() {
        let text = "capability[]=authtype\ncapability[]=state\nprotocol=https\nhost=hub.example:8443\n\
                    path=acme/model.git\nwwwauth[]=Basic realm=\"=x\"\nstate[]=a\n\n";
        let input = understood(text).unwrap().unwrap();
        assert_eq!(input.host, "hub.example:8443");
        assert_eq!(input.path.as_deref(), Some("acme/model.git"));
        assert!(input.authtype && input.token.is_none());
    }

    #[test]
    fn an_empty_capability_resets_what_was_announced() {
        let reset = format!("capability[]=authtype\ncapability[]=\n{GOOD}");
        assert!(!understood(&reset).unwrap().unwrap().authtype);
    }

    #[test]
    fn without_protocol_or_host_there_is_nothing() {
        for text in [
            "",
            "\n",
            "protocol=https\n",
            "host=x\n",
            "protocol=\nhost=x\n",
            "protocol=https\nhost=\n",
        ] {
            assert!(matches!(understood(text), Ok(None)), "{text:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for extra in [
            "host=other.example\n",
            "protocol=http\n",
            "path=a\npath=b\n",
            "HOST=x\n",
            "host[]=x\n",
            "Host=x\n",
            "\u{feff}host=x\n",
            "host =x\n",
            " host=x\n",
            "ho\u{0}st=x\n",
            "host\r=x\n",
            "=x\n",
            "path\n",
            "path=a\r\n",
            "path=a\u{0}b\n",
            "\r\n",
            "\nhost=x\n",
            "\npath=x\n",
            "password[]=x\n",
        ] {
            assert!(refused(&format!("{GOOD}{extra}")), "{extra:?}");
        }
        for text in [
            "\u{feff}protocol=https\nhost=x\n",
            "\nprotocol=https\nhost=x\n",
            "protocol=https\r\nhost=x\r\n",
        ] {
            assert!(refused(text), "{text:?}");
        }
    }

    #[test]
    fn only_a_line_feed_separates_and_nothing_is_trimmed() {
        for odd in [
            "\u{2028}",
            "\u{b}",
            "\u{c}",
            "\u{85}",
            "%0a",
            "%0d%0ahost=other",
        ] {
            let input = understood(&format!("protocol=https\nhost=hub.example{odd}\n"))
                .unwrap()
                .unwrap();
            assert_eq!(input.host, format!("hub.example{odd}"));
        }
        let spaced = understood("protocol=https\nhost= hub.example \n")
            .unwrap()
            .unwrap();
        assert_eq!(spaced.host, " hub.example ");
    }

    #[test]
    fn unknown_keys_hold_any_bytes() {
        let mut bytes = GOOD.as_bytes().to_vec();
        bytes.extend_from_slice(b"later=\xff\x00\r\nwwwauth[]=\xfe\r\nlater=again\n");
        assert!(matches!(parse(&bytes), Ok(Some(_))));
        bytes.extend_from_slice(b"path=\xff\n");
        assert!(parse(&bytes).is_err());
    }

    #[test]
    fn a_line_has_at_most_65535_bytes() {
        let line = |count: usize| format!("{GOOD}x={}\n", "y".repeat(count - 2));
        assert!(matches!(understood(&line(LINE_LIMIT)), Ok(Some(_))));
        assert!(refused(&line(LINE_LIMIT + 1)));
    }

    /// Ends never, like a pipe whose writer waits for the answer.
    struct Open<'a>(&'a [u8]);

    impl Read for Open<'_> {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let count = self.0.read(&mut bytes[..1])?;
            Ok(count)
        }
    }

    #[test]
    fn the_blank_line_ends_the_input_and_a_missing_one_meets_the_deadline() {
        let whole = format!("{GOOD}\n");
        assert_eq!(
            read(&mut Open(whole.as_bytes())).unwrap().bytes(),
            whole.as_bytes()
        );
        assert!(read(&mut Open(GOOD.as_bytes())).is_err());
        assert!(read(&mut Open(b"\n")).is_ok());
    }

    #[test]
    fn more_than_a_mebibyte_is_not_taken() {
        assert!(read(&mut io::repeat(b'x')).is_err());
        let full = vec![b'x'; INPUT_LIMIT];
        assert_eq!(read(&mut &full[..]).map(|held| held.len()), Ok(INPUT_LIMIT));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_a_crash(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_is_understood_stands_in_the_input_as_a_line_of_its_own(
            lines in prop::collection::vec("(host|protocol|path|Host|x)(\\[\\])?=[a-z\r\u{0}%:/. \u{2028}]{0,9}", 0..6),
        ) {
            let text = lines.join("\n");
            if let Ok(Some(input)) = understood(&text) {
                let lines: Vec<&str> = text.split('\n').collect();
                let host = format!("host={}", input.host);
                let protocol = format!("protocol={}", input.protocol);
                prop_assert_eq!(lines.iter().filter(|line| line.starts_with("host=")).count(), 1);
                prop_assert!(lines.contains(&host.as_str()));
                prop_assert!(lines.contains(&protocol.as_str()));
            }
        }
    }
}
