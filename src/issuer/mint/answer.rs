//! What a hub answered, compared with what was asked.

use crate::outbound::Answer;
use oam_model::answer::EndpointFault;
use oam_model::secret::Secret;
use serde::{Deserialize, Deserializer};

/// Longest token that is taken, bytes.
const TOKEN_CAP: usize = 16 * 1024;

/// RFC 8693 §3.
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A hub's successful answer (RFC 8693 §2.2.1). A key that comes twice is refused by the reader.
#[derive(Deserialize)]
struct Reply {
    #[serde(default, deserialize_with = "secret")]
    access_token: Option<Secret>,
    #[serde(default)]
    token_type: Option<String>,
    #[serde(default)]
    issued_token_type: Option<String>,
    #[serde(default)]
    scope: Option<String>,
    #[serde(default)]
    expires_in: Option<u64>,
}

/// A hub's token that is what was asked. It has no `Debug`.
pub(super) struct HubToken {
    pub(super) token: Secret,
    /// How long the hub honours it, seconds.
    pub(super) expires_in_s: u64,
}

/// Why an answer gives no token that may be handed out.
pub(super) struct AnswerError {
    /// The fact.
    pub(super) fault: EndpointFault,
    /// A token that came all the same: the hub would honour it, so it is to be revoked.
    pub(super) token: Option<Secret>,
}

impl From<EndpointFault> for AnswerError {
    fn from(fault: EndpointFault) -> Self {
        Self { fault, token: None }
    }
}

/// The token of an answer. `scopes`: every scope that it may name; an answer without any names those
/// that were asked (RFC 8693 §2.2.1).
pub(super) fn read(answer: Answer, scopes: &[&str]) -> Result<HubToken, AnswerError> {
    let reply: Reply = answer.json()?;
    match (check(&reply, scopes), reply.access_token) {
        (Ok(expires_in_s), Some(token)) => Ok(HubToken {
            token,
            expires_in_s,
        }),
        (Ok(_), None) => Err(wrong("access_token", "there is no token in the answer").into()),
        (Err(fault), token) => Err(AnswerError {
            fault,
            token: token.filter(is_plain),
        }),
    }
}

fn check(reply: &Reply, scopes: &[&str]) -> Result<u64, EndpointFault> {
    let Some(token) = &reply.access_token else {
        return Err(wrong("access_token", "there is no token in the answer"));
    };
    if !is_plain(token) {
        return Err(wrong(
            "access_token",
            "the token is too long or holds characters that no header takes",
        ));
    }
    let bearer = |kind: &String| kind.eq_ignore_ascii_case("bearer");
    if !reply.token_type.as_ref().is_some_and(bearer) {
        return Err(wrong("token_type", "it is not a bearer token"));
    }
    if reply.issued_token_type.as_deref() != Some(ACCESS_TOKEN) {
        return Err(wrong("issued_token_type", "it is not an access token"));
    }
    let named = reply.scope.as_deref().unwrap_or_default();
    if named.split_ascii_whitespace().any(|s| !scopes.contains(&s)) {
        return Err(wrong("scope", "it may do more than what was asked"));
    }
    match reply.expires_in {
        None | Some(0) => Err(wrong("expires_in", "it does not say how long it lives")),
        Some(seconds) => Ok(seconds),
    }
}

fn wrong(name: &str, why: &str) -> EndpointFault {
    EndpointFault::Check {
        name: name.to_owned(),
        why: why.to_owned(),
    }
}

/// The characters of RFC 6750 §2.1, and a length that headers take.
fn is_plain(token: &Secret) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~+/=".contains(&b);
    let text = token.expose();
    !text.is_empty() && text.len() <= TOKEN_CAP && text.bytes().all(plain)
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    let text = Option::<String>::deserialize(deserializer)?;
    Ok(text.map(Secret::new).filter(|secret| !secret.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::{TOKEN_CAP, read};
    use crate::outbound::Answer;
    use oam_model::answer::EndpointFault;
    use serde_json::{Value, json};
    use zeroize::Zeroizing;

    fn good() -> Value {
        json!({
            "access_token": "hf_jwt_abc.-_~+/=", "token_type": "bearer", "expires_in": 3600,
            "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
        })
    }

    fn answer(body: &Value) -> Answer {
        Answer {
            date_s: None,
            retry_after_s: None,
            status: 200,
            content_type: "application/json".into(),
            body: Zeroizing::new(body.to_string().into_bytes()),
        }
    }

    /// The check that fails when `name` has this value; null: when it is not there.
    fn fails(name: &str, value: Value) -> Option<EndpointFault> {
        let mut body = good();
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value;
        }
        let unfit = read(answer(&body), &["read-repos"]).err();
        unfit.map(|unfit| unfit.fault)
    }

    #[test]
    fn an_answer_that_is_what_was_asked_gives_its_token() {
        let token = read(answer(&good()), &[]).ok().unwrap();
        assert_eq!(token.token.expose(), "hf_jwt_abc.-_~+/=");
        assert_eq!(token.expires_in_s, 3600);
        assert_eq!(fails("scope", json!("read-repos")), None);
        assert_eq!(fails("scope", json!("")), None);
        assert_eq!(fails("token_type", json!("Bearer")), None);
        assert_eq!(fails("access_token", json!("x".repeat(TOKEN_CAP))), None);
    }

    #[test]
    fn each_difference_is_refused_by_name() {
        for (name, value) in [
            ("access_token", Value::Null),
            ("access_token", json!("")),
            ("access_token", json!("a b")),
            ("access_token", json!("a\r\nX: y")),
            ("access_token", json!("tökén")),
            ("access_token", json!("x".repeat(TOKEN_CAP + 1))),
            ("token_type", Value::Null),
            ("token_type", json!("DPoP")),
            ("token_type", json!("N_A")),
            ("issued_token_type", Value::Null),
            (
                "issued_token_type",
                json!("urn:ietf:params:oauth:token-type:refresh_token"),
            ),
            ("scope", json!("read-repos write-repos")),
            ("scope", json!("openid")),
            ("expires_in", Value::Null),
            ("expires_in", json!(0)),
        ] {
            let fault = fails(name, value.clone());
            let named = matches!(&fault, Some(EndpointFault::Check { name: n, .. }) if n == name);
            assert!(named, "{name} {value}: {fault:?}");
        }
    }

    #[test]
    fn an_answer_that_is_none_is_unreadable_and_does_not_show() {
        for (name, value) in [
            ("expires_in", json!(-1)),
            ("expires_in", json!(1.5)),
            ("expires_in", json!("soon")),
            ("access_token", json!(["tok-1"])),
            ("scope", json!(["read-repos"])),
        ] {
            let fault = fails(name, value);
            assert!(
                matches!(fault, Some(EndpointFault::Unreadable { .. })),
                "{fault:?}"
            );
            assert!(!format!("{fault:?}").contains("tok-1"));
        }
    }

    #[test]
    fn a_token_that_is_refused_is_kept_to_be_revoked() {
        let mut body = good();
        body["scope"] = json!("manage-repos");
        let unfit = read(answer(&body), &["read-repos"]).err().unwrap();
        assert_eq!(unfit.token.unwrap().expose(), "hf_jwt_abc.-_~+/=");
        body["access_token"] = json!("a b");
        assert!(read(answer(&body), &[]).err().unwrap().token.is_none());
    }
}
