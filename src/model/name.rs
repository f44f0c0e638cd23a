//! Names as the configuration spells them, checked once where they enter.

use super::line::is_unsafe;
use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt::{self, Write as _};

/// Why a name was not accepted, in words for the person who wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameFault(pub String);

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NameFault {}

fn check(kind: &str, text: &str) -> Result<(), NameFault> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.is_empty() || text.len() > 64 {
        return Err(NameFault(format!("{kind} has 1 to 64 characters")));
    }
    if !text.chars().all(plain) || text.starts_with('.') || text.starts_with('-') {
        return Err(NameFault(format!(
            "{kind} `{}` may hold only letters, digits, `-`, `_` and `.`, and starts with a letter, a digit or `_`",
            text.escape_debug()
        )));
    }
    Ok(())
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident, $kind:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameFault;
            fn try_from(text: String) -> Result<Self, NameFault> {
                check($kind, &text)?;
                Ok(Self(text))
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameFault;
            fn from_str(text: &str) -> Result<Self, NameFault> {
                Self::try_from(text.to_owned())
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name!(
    /// An organization: one company's set-up.
    OrgName,
    "an organization's name"
);
name!(
    /// A hub: a service that takes tokens.
    HubName,
    "a hub's name"
);
name!(
    /// An identity source: somebody whose tokens the issuer takes.
    SourceName,
    "an identity source's name"
);
name!(
    /// A role: a named set of grants.
    RoleName,
    "a role's name"
);

/// A repository's path on its hub, without leading or trailing slash and without `.git`,
/// e.g. `acme/model` or `datasets/acme/corpus`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository(String);

impl Repository {
    /// The path as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The path as it stands in a URL (RFC 3986 §2.1): everything but plain letters, digits, `-_.~+` and the slash is
    /// percent-encoded.
    pub fn encoded(&self) -> String {
        let mut out = String::with_capacity(self.0.len() + 16);
        for byte in self.0.bytes() {
            if byte.is_ascii_alphanumeric() || b"-_.~+/".contains(&byte) {
                out.push(char::from(byte));
            } else {
                let _ = write!(out, "%{byte:02X}");
            }
        }
        out
    }

    /// The path that stands in a URL. An encoded slash is refused: for some programs it parts segments, for others not.
    ///
    /// # Errors
    /// It is no path, or its escapes are none.
    pub fn decoded(text: &str) -> Result<Self, NameFault> {
        unescaped(text)
            .ok_or_else(|| no_path(text))
            .and_then(Self::try_from)
    }
}

/// A URL's path without its escapes (RFC 3986 §2.1); none where they are none, or one is an encoded slash.
pub fn unescaped(text: &str) -> Option<String> {
    let slash = text.to_ascii_lowercase().contains("%2f");
    percent_decoded(text).filter(|_| !slash)
}

/// A text without its escapes (RFC 3986 §2.1); none where they are none, or it is no UTF-8.
pub fn percent_decoded(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let pair = [rest.next()?, rest.next()?].map(|digit| char::from(digit).to_digit(16));
        let [Some(high), Some(low)] = pair else {
            return None;
        };
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(bytes).ok()
}

fn no_path(text: &str) -> NameFault {
    let shown = text.chars().take(80).collect::<String>();
    NameFault(format!(
        "`{}` is not a repository's path",
        shown.escape_debug()
    ))
}

impl TryFrom<String> for Repository {
    type Error = NameFault;

    /// Refuses empty, `.` and `..` segments, backslashes, percent signs, and characters that are not seen or turn
    /// how others are: a path that two programs, or two people, could read differently must not choose a grant (R10).
    fn try_from(text: String) -> Result<Self, NameFault> {
        let odd = |c: char| is_unsafe(c) || matches!(c, '\\' | '%' | '?' | '#' | '*');
        let bad_segment = |s: &str| s.is_empty() || s == "." || s == "..";
        if text.len() > 512 || text.chars().any(odd) || text.split('/').any(bad_segment) {
            return Err(no_path(&text));
        }
        Ok(Self(text))
    }
}

impl std::str::FromStr for Repository {
    type Err = NameFault;
    fn from_str(text: &str) -> Result<Self, NameFault> {
        Self::try_from(text.to_owned())
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.0
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Repository, RoleName, is_unsafe};
    use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

    #[test]
    fn what_is_encoded_is_plain_and_what_is_decoded_is_the_same_path() {
        for (path, encoded) in [
            ("acme/model", "acme/model"),
            (
                "acme/My Project/_git/My Repo",
                "acme/My%20Project/_git/My%20Repo",
            ),
            ("acme/mod\u{e8}le", "acme/mod%C3%A8le"),
            ("acme/a@b,c:d", "acme/a%40b%2Cc%3Ad"),
        ] {
            let repository: Repository = path.parse().unwrap();
            assert_eq!(repository.encoded(), encoded);
            assert_eq!(Repository::decoded(encoded), Ok(repository.clone()));
            assert_eq!(
                Repository::decoded(path),
                Ok(repository),
                "as older ones send it"
            );
        }
        for bad in [
            "acme%2Fmodel",
            "acme/%2e%2e/x",
            "acme/%",
            "acme/%4",
            "acme/%zz",
            "acme/%+1",
            "acme/%ff",
            "acme/%2525",
            "acme/%0a",
            "acme/%E2%80%AEx",
        ] {
            assert!(Repository::decoded(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn every_path_comes_back_as_it_was_sent(text in "[^%/\\\\]{1,12}(/[ -~\\PC]{1,12}){0,3}") {
            if let Ok(repository) = text.parse::<Repository>() {
                let encoded = repository.encoded();
                prop_assert!(encoded.is_ascii() && !encoded.contains([' ', ',', ':']));
                prop_assert_eq!(Repository::decoded(&encoded), Ok(repository));
            }
        }
    }

    #[test]
    fn a_repository_path_with_tricks_is_refused() {
        for bad in [
            "",
            "/acme/m",
            "acme//m",
            "acme/../m",
            "acme/m%2e",
            "a\\b",
            "acme/m\n",
            "acme/m\u{202e}ledom",
            "acme/mo\u{200b}del",
            "acme/m\u{2066}",
            "acme/m\u{85}",
            "acme/",
        ] {
            let fault = bad.parse::<Repository>().unwrap_err().to_string();
            assert!(!fault.chars().any(is_unsafe), "shown escaped: {fault:?}");
        }
        assert!("datasets/acme/corpus".parse::<Repository>().is_ok());
    }

    #[test]
    fn a_name_keeps_to_plain_characters() {
        assert!("model-publisher".parse::<RoleName>().is_ok());
        assert!("../x".parse::<RoleName>().is_err());
        assert!("".parse::<RoleName>().is_err());
    }
}
