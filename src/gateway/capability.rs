//! What the child shows at its gateway.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use oam_model::secret::Secret;
use oam_system::clock;
use zeroize::Zeroizing;

/// 256 random bits, good at one listener alone and for nothing else.
pub struct Capability(Secret);

/// What a request showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// No credential at all: git asks its helper only after it was told to.
    Nothing,
    /// Something else: asking again would only repeat it.
    Foreign,
    /// This capability.
    Good,
}

impl Capability {
    /// A new one.
    pub fn new() -> Self {
        let mut random = Zeroizing::new([0; 32]);
        clock::fill(&mut *random);
        Self(Secret::new(hex::encode(*random)))
    }

    /// For the child's environment.
    pub const fn secret(&self) -> &Secret {
        &self.0
    }

    /// Looks for it where git (password of Basic, any user name) and hub clients (Bearer) put a token.
    pub fn shown(&self, headers: &HeaderMap) -> Shown {
        let mut all = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = all.next() else {
            return Shown::Nothing;
        };
        let given = value.to_str().ok().and_then(credential);
        match given {
            Some(given) if all.next().is_none() && given.matches(&self.0) => Shown::Good,
            _ => Shown::Foreign,
        }
    }
}

impl Default for Capability {
    fn default() -> Self {
        Self::new()
    }
}

/// The token in an `Authorization` header.
fn credential(value: &str) -> Option<Secret> {
    let (scheme, rest) = value.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Secret::new(rest.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = Zeroizing::new(STANDARD.decode(rest).ok()?);
    let colon = pair.iter().position(|byte| *byte == b':')?;
    let password = std::str::from_utf8(pair.get(colon + 1..)?).ok()?;
    Some(Secret::new(password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::{Capability, Shown};
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use http::HeaderMap;
    use http::header::AUTHORIZATION;
    use proptest::prelude::*;

    fn with(values: &[String]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        headers
    }

    fn basic(user: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    }

    #[test]
    fn it_is_taken_as_bearer_and_as_password_and_is_another_each_time() {
        let capability = Capability::new();
        let text = capability.secret().expose();
        assert_eq!(text.len(), 64);
        for value in [
            format!("Bearer {text}"),
            format!("bearer {text}"),
            basic("x", text),
            basic("", text),
        ] {
            assert_eq!(capability.shown(&with(&[value])), Shown::Good);
        }
        assert_eq!(
            Capability::new().shown(&with(&[format!("Bearer {text}")])),
            Shown::Foreign
        );
        assert_eq!(capability.shown(&HeaderMap::new()), Shown::Nothing);
        let twice = [format!("Bearer {text}"), "Bearer x".to_owned()];
        assert_eq!(capability.shown(&with(&twice)), Shown::Foreign);
    }

    proptest! {
        #[test]
        fn nothing_else_is_taken(text in "[ -~]{0,90}", user in "[a-z]{0,4}") {
            let capability = Capability::new();
            for value in [text.clone(), format!("Bearer {text}"), basic(&user, &text)] {
                prop_assert_eq!(capability.shown(&with(&[value])), Shown::Foreign);
            }
        }
    }
}
