//! A token endpoint's successful answer (RFC 6749 §5.1, RFC 8693 §2.2.1, OIDC Core §3.1.3.3).

use super::Answer;
use super::fault::{ok_of_issuer, plain_code};
use oam_model::answer::EndpointFault;
use oam_model::secret::Secret;
use serde::de::{IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fmt;

/// What may stand in it. Members are read loosely, for a provider that writes one of them oddly has often
/// used up the old refresh token all the same: what is odd decides only where the member is used.
#[derive(Default)]
pub struct Tokens {
    /// The access token; of an exchange, the issued token.
    pub access_token: Option<Secret>,
    /// The next refresh token.
    pub refresh_token: Option<Secret>,
    pub id_token: Option<Secret>,
    /// How to use the token.
    pub token_type: Option<Value>,
    /// RFC 8693.
    pub issued_token_type: Option<Value>,
    /// What was granted, where it differs from what was asked.
    pub scope: Option<Value>,
    /// How long it lives.
    pub expires_in: ExpiresIn,
    /// What the organization's own issuer adds. Not typed here: other endpoints may have a member of
    /// that name which is something else.
    pub oam: Option<Value>,
    /// The code of an OAuth error that came with a good status.
    error: Option<String>,
    /// A member came twice: two programs could take different ones.
    twice: bool,
}

/// `expires_in` as providers send it: a number, a number in quotes, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExpiresIn {
    /// Not there.
    #[default]
    Missing,
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
    /// As [`Tokens::kept`], and an OAuth error, or a member that comes twice. Whether a token is in it is the caller's
    /// check.
    pub fn read(answer: Answer) -> Result<Self, EndpointFault> {
        let tokens = Self::kept(answer)?;
        tokens.refusal().map_or(Ok(tokens), Err)
    }

    /// Reads the answer of a token endpoint and judges nothing: whatever else is wrong with it, its refresh
    /// token is the one that counts from now on (promise 3). [`Tokens::fault`] judges.
    ///
    /// # Errors
    /// [`EndpointFault::Status`] unless the status is a good one; [`EndpointFault::Unreadable`] for a body
    /// that is not such an answer. The reader's own text is dropped: it quotes the body.
    pub fn kept(answer: Answer) -> Result<Self, EndpointFault> {
        if (200..300).contains(&answer.status) {
            return Self::understood(&answer);
        }
        Self::understood(&answer.ok()?)
    }

    /// Reads the answer of the organization's own issuer.
    ///
    /// # Errors
    /// As [`Tokens::read`], and [`EndpointFault::Denied`].
    pub fn read_of_issuer(answer: Answer) -> Result<Self, EndpointFault> {
        let tokens = Self::understood(&ok_of_issuer(answer)?)?;
        tokens.refusal().map_or(Ok(tokens), Err)
    }

    /// Why the answer proves nothing. An `error` means what it says (RFC 6749 §5.2), whatever the status; without an
    /// access token it is no token answer (§5.1). One with an error and with tokens says nothing certain.
    pub fn fault(&self) -> Option<EndpointFault> {
        let missing = self.access_token.is_none();
        self.refusal()
            .or_else(|| missing.then(|| unreadable("the answer holds no access token")))
    }

    fn refusal(&self) -> Option<EndpointFault> {
        match &self.error {
            Some(_) if self.access_token.is_some() || self.refresh_token.is_some() => {
                Some(unreadable("the answer holds an error and tokens too"))
            }
            Some(code) => Some(EndpointFault::Status {
                status: 200,
                error: Some(code.clone()),
                bare: false,
            }),
            None if self.twice => Some(unreadable("a member of the answer comes twice")),
            None => None,
        }
    }

    fn understood(answer: &Answer) -> Result<Self, EndpointFault> {
        // Nothing is asked of what follows the object: a stray byte must not cost the tokens before it.
        let mut reader = serde_json::Deserializer::from_slice(&answer.body);
        reader
            .deserialize_map(Members)
            .map_err(|_| EndpointFault::Unreadable {
                why: if answer.content_type == "text/html" {
                    "the answer is a web page".to_owned()
                } else {
                    "the answer is not a token endpoint's".to_owned()
                },
            })
    }
}

fn unreadable(why: &str) -> EndpointFault {
    EndpointFault::Unreadable {
        why: why.to_owned(),
    }
}

/// Reads the members of the answer, each by itself.
struct Members;

impl<'de> Visitor<'de> for Members {
    type Value = Tokens;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Tokens, A::Error> {
        let mut tokens = Tokens::default();
        let mut seen = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            match name.as_str() {
                "access_token" => tokens.access_token = map.next_value::<Text>()?.0,
                "refresh_token" => {
                    // An empty or odd one does not replace the one before it.
                    let next = map.next_value::<Text>()?.0;
                    tokens.refresh_token = next.or(tokens.refresh_token);
                }
                "id_token" => tokens.id_token = map.next_value::<Text>()?.0,
                "token_type" => tokens.token_type = map.next_value()?,
                "issued_token_type" => tokens.issued_token_type = map.next_value()?,
                "scope" => tokens.scope = map.next_value()?,
                "expires_in" => tokens.expires_in = expires_in(map.next_value()?),
                "oam" => tokens.oam = map.next_value()?,
                "error" => tokens.error = error(map.next_value()?),
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    continue;
                }
            }
            tokens.twice |= !seen.insert(name);
        }
        Ok(tokens)
    }
}

/// A token, or nothing where something else stands: no copy of it is left that is not wiped.
struct Text(Option<Secret>);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextOnly).map(Self)
    }
}

struct TextOnly;

impl<'de> Visitor<'de> for TextOnly {
    type Value = Option<Secret>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
        self.visit_string(text.to_owned())
    }

    fn visit_string<E: serde::de::Error>(self, text: String) -> Result<Self::Value, E> {
        Ok(Some(Secret::new(text)).filter(|secret| !secret.is_empty()))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        while seq.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

/// An error's code as it may be shown. `null`, `false` and an empty text are no error.
fn error(value: Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::String(code) if code.is_empty() => None,
        Value::String(code) => Some(plain_code(&code).unwrap_or_else(|| "unnamed".to_owned())),
        _ => Some("unnamed".to_owned()),
    }
}

fn expires_in(value: Value) -> ExpiresIn {
    let text = match value {
        Value::Null => return ExpiresIn::Missing,
        Value::Number(number) => number.to_string(),
        Value::String(text) => text,
        _ => return ExpiresIn::Unreadable,
    };
    whole_seconds(&text).map_or(ExpiresIn::Unreadable, ExpiresIn::Seconds)
}

/// Whole seconds of a number's text; a fraction is cut. Times in JSON may have one (RFC 7519 §2).
pub fn whole_seconds(text: &str) -> Option<u64> {
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
    use oam_model::answer::EndpointFault;
    use zeroize::Zeroizing;

    fn read(body: &str) -> Result<Tokens, EndpointFault> {
        Tokens::kept(Answer {
            status: 200,
            content_type: "application/json".into(),
            body: Zeroizing::new(body.as_bytes().to_vec()),
            date_s: None,
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
            "{\"access_token\":\"tok-123\",",
            "[\"tok-123\"]",
            "\"tok-123\"",
            "",
        ] {
            let fault = read(body).err().unwrap();
            assert!(!format!("{fault:?}").contains("tok-123"), "{fault:?}");
            assert!(matches!(fault, EndpointFault::Unreadable { .. }));
        }
    }

    #[test]
    fn what_is_odd_in_an_answer_never_hides_its_refresh_token() {
        for odd in [
            "\"scope\":[\"openid\",\"profile\"]",
            "\"scope\":7,\"token_type\":[],\"expires_in\":{}",
            "\"access_token\":null",
            "\"access_token\":[\"x\"],\"id_token\":{\"a\":1}",
            "\"error\":\"server_error\"",
            "\"scope\":\"a\",\"scope\":\"b\"",
            "\"unknown\":[[[]]]",
        ] {
            for body in [
                format!("{{{odd},\"refresh_token\":\"rt2\"}}"),
                format!("{{\"refresh_token\":\"rt2\",{odd}}} stray"),
            ] {
                let tokens = read(&body).ok().unwrap();
                assert_eq!(tokens.refresh_token.unwrap().expose(), "rt2", "{body}");
            }
        }
    }

    #[test]
    fn an_answer_without_access_token_or_with_an_error_has_a_fault() {
        let fault = |body: &str| read(body).ok().unwrap().fault();
        for body in [
            "{}",
            "{\"result\":\"redirect\"}",
            "{\"refresh_token\":\"r\"}",
            "{\"access_token\":\"\"}",
            "{\"access_token\":\"a\",\"access_token\":\"b\"}",
            "{\"access_token\":\"a\",\"error\":\"invalid_grant\"}",
        ] {
            assert!(
                matches!(fault(body), Some(EndpointFault::Unreadable { .. })),
                "{body}"
            );
        }
        for (body, code) in [
            ("{\"error\":\"invalid_grant\"}", "invalid_grant"),
            ("{\"error\":\"<b>\"}", "unnamed"),
            ("{\"error\":{\"code\":1}}", "unnamed"),
        ] {
            match fault(body) {
                Some(EndpointFault::Status {
                    status: 200, error, ..
                }) => {
                    assert_eq!(error.as_deref(), Some(code));
                }
                other => panic!("{body}: {other:?}"),
            }
        }
        for error in ["null", "\"\"", "false"] {
            let body = format!("{{\"access_token\":\"a\",\"error\":{error}}}");
            assert!(fault(&body).is_none(), "{body}");
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
