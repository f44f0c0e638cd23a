//! A token endpoint's successful answer (RFC 6749 §5.1, RFC 8693 §2.2.1, OIDC Core §3.1.3.3).

use super::Answer;
use crate::model::answer::EndpointFault;
use crate::model::secret::Secret;
use serde::{Deserialize, Deserializer};

/// What may stand in it. A key that comes twice is refused by the reader: two programs could take
/// different ones.
#[derive(Deserialize)]
pub struct Tokens {
    /// The access token; of an exchange, the issued token.
    #[serde(default, deserialize_with = "secret")]
    pub access_token: Option<Secret>,
    /// The next refresh token.
    #[serde(default, deserialize_with = "secret")]
    pub refresh_token: Option<Secret>,
    /// The ID token.
    #[serde(default, deserialize_with = "secret")]
    pub id_token: Option<Secret>,
    /// How to use the token.
    #[serde(default)]
    pub token_type: Option<String>,
    /// RFC 8693.
    #[serde(default)]
    pub issued_token_type: Option<String>,
    /// What was granted, where it differs from what was asked.
    #[serde(default)]
    pub scope: Option<String>,
    /// How long it lives.
    #[serde(default, deserialize_with = "expires_in")]
    pub expires_in: ExpiresIn,
    /// What the organization's own issuer adds. Not typed here: other endpoints may have a member of
    /// that name which is something else.
    #[serde(default)]
    pub oam: Option<serde_json::Value>,
}

/// `expires_in` as providers send it: a number, a number in quotes, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpiresIn {
    /// Not there.
    #[default]
    Missing,
    /// Seconds.
    Seconds(u64),
    /// There, but no number of seconds.
    Unreadable,
}

impl ExpiresIn {
    /// The seconds, when they are known.
    pub const fn seconds(self) -> Option<u64> {
        match self {
            Self::Seconds(s) => Some(s),
            Self::Missing | Self::Unreadable => None,
        }
    }
}

impl Tokens {
    /// Reads the answer of a token endpoint.
    ///
    /// # Errors
    /// [`EndpointFault::Status`] unless the status is 200; [`EndpointFault::Unreadable`] for a body
    /// that is not such an answer. The reader's own text is dropped: it quotes the body.
    pub fn read(answer: Answer) -> Result<Self, EndpointFault> {
        Self::understood(&answer.ok()?)
    }

    /// Reads the answer of the organization's own issuer.
    ///
    /// # Errors
    /// As [`Tokens::read`], and [`EndpointFault::Denied`].
    pub fn read_of_issuer(answer: Answer) -> Result<Self, EndpointFault> {
        Self::understood(&answer.ok_of_issuer()?)
    }

    fn understood(answer: &Answer) -> Result<Self, EndpointFault> {
        serde_json::from_slice(&answer.body).map_err(|_| EndpointFault::Unreadable {
            why: if answer.content_type == "text/html" {
                "the answer is a web page".to_owned()
            } else {
                "the answer is not a token endpoint's".to_owned()
            },
        })
    }
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(Secret::new).filter(|s| !s.is_empty()))
}

fn expires_in<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ExpiresIn, D::Error> {
    use serde_json::Value;
    let text = match Value::deserialize(deserializer)? {
        Value::Null => return Ok(ExpiresIn::Missing),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text,
        _ => return Ok(ExpiresIn::Unreadable),
    };
    Ok(whole_seconds(&text).map_or(ExpiresIn::Unreadable, ExpiresIn::Seconds))
}

/// Whole seconds of a number's text; a fraction is cut. Times in JSON may have one (RFC 7519 §2).
pub(crate) fn whole_seconds(text: &str) -> Option<u64> {
    let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
    let digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !digits(whole) || !digits(fraction) {
        return None;
    }
    whole.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::{Answer, ExpiresIn, Tokens};
    use crate::model::answer::EndpointFault;
    use zeroize::Zeroizing;

    fn read(body: &str) -> Result<Tokens, EndpointFault> {
        Tokens::read(Answer {
            status: 200,
            content_type: "application/json".into(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
            retry_after_s: None,
        })
    }

    #[test]
    fn expires_in_is_a_number_or_a_numeric_text_or_missing() {
        for (text, expected) in [
            ("300", ExpiresIn::Seconds(300)),
            ("\"300\"", ExpiresIn::Seconds(300)),
            ("299.9", ExpiresIn::Seconds(299)),
            ("null", ExpiresIn::Missing),
            ("-1", ExpiresIn::Unreadable),
            ("\"soon\"", ExpiresIn::Unreadable),
            ("\"\"", ExpiresIn::Unreadable),
            ("1e300", ExpiresIn::Unreadable),
            ("[]", ExpiresIn::Unreadable),
        ] {
            let tokens = read(&format!("{{\"expires_in\":{text}}}")).ok().unwrap();
            assert_eq!(tokens.expires_in, expected, "{text}");
        }
        assert_eq!(read("{}").ok().unwrap().expires_in, ExpiresIn::Missing);
    }

    #[test]
    fn what_cannot_be_read_says_nothing_of_its_content() {
        for body in [
            "<html>tok-123</html>",
            "{\"access_token\":\"tok-123\",\"access_token\":\"tok-123\"}",
            "{\"access_token\":[\"tok-123\"]}",
            "\"tok-123\"",
            "",
        ] {
            let fault = read(body).err().unwrap();
            assert!(!format!("{fault:?}").contains("tok-123"), "{fault:?}");
            assert!(matches!(fault, EndpointFault::Unreadable { .. }));
        }
    }

    #[test]
    fn an_empty_token_is_no_token() {
        assert!(
            read("{\"refresh_token\":\"\"}")
                .ok()
                .unwrap()
                .refresh_token
                .is_none()
        );
    }
}
