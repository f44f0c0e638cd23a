//! Names as the configuration spells them, checked once where they enter.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;

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
}

impl TryFrom<String> for Repository {
    type Error = NameFault;

    /// Refuses empty, `.` and `..` segments, backslashes, percent signs and control characters: a
    /// path that two programs could read differently must not choose a grant (R10).
    fn try_from(text: String) -> Result<Self, NameFault> {
        let odd =
            |c: char| c.is_control() || matches!(c, '\\' | '%' | '?' | '#' | '*' | '\u{2028}');
        let bad_segment = |s: &str| s.is_empty() || s == "." || s == "..";
        if text.len() > 512 || text.chars().any(odd) || text.split('/').any(bad_segment) {
            return Err(NameFault(format!(
                "`{}` is not a repository's path",
                text.chars().take(80).collect::<String>().escape_debug()
            )));
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
    use super::{Repository, RoleName};

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
            "acme/",
        ] {
            assert!(bad.parse::<Repository>().is_err(), "{bad:?}");
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
