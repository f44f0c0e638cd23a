//! Bodies: read whole, within a size and a time, into buffers that are wiped.

use crate::issuer::refused::Refused;
use crate::issuer::state::Issuer;
use crate::model::secret::Secret;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use std::time::Duration;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use url::form_urlencoded;
use zeroize::{Zeroize, Zeroizing};

/// Most parameters of a form.
const PARAMETERS: usize = 64;

/// Reads a body of this type.
///
/// # Errors
/// Another type, too large, too slow, broken off.
pub async fn read(
    issuer: &Issuer,
    headers: &HeaderMap,
    body: Body,
    content_type: &str,
    most: usize,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    typed(headers, content_type)?;
    let limits = issuer.in_force().settings.limits;
    // Before the deadline of the whole request: whoever sends too slowly is told so.
    let deadline = Duration::from_millis(limits.request_ms / 4 * 3);
    timeout(deadline, collect(headers, body, most))
        .await
        .unwrap_or_else(|_| {
            Err(Refused {
                status: Some(408),
                ..Refused::bad_request("the body came too slowly", "send it at once")
            })
        })
}

fn typed(headers: &HeaderMap, wanted: &str) -> Result<(), Refused> {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let plain = given.split(';').next().unwrap_or_default().trim();
    if plain.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(Refused {
        status: Some(415),
        ..Refused::bad_request(
            "the body is of another type than this address takes",
            format!("send it as {wanted}"),
        )
    })
}

async fn collect(
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Zeroizing<Vec<u8>>, Refused> {
    let told = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let mut whole = Zeroizing::new(Vec::with_capacity(told.unwrap_or(4096).min(most)));
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part =
            part.map_err(|_| Refused::bad_request("the body broke off", "send the request again"))?;
        if part.len() > most - whole.len() {
            return Err(too_large(most));
        }
        grown(&mut whole, part.len());
        whole.extend_from_slice(&part);
    }
    Ok(whole)
}

/// Makes room without leaving the bytes of a smaller buffer behind.
fn grown(whole: &mut Zeroizing<Vec<u8>>, more: usize) {
    if whole.capacity() - whole.len() >= more {
        return;
    }
    let mut larger = Vec::with_capacity((whole.len() + more).max(whole.capacity() * 2));
    larger.extend_from_slice(whole);
    let mut old = std::mem::replace(&mut **whole, larger);
    old.zeroize();
}

fn too_large(most: usize) -> Refused {
    Refused {
        status: Some(413),
        ..Refused::bad_request(
            format!("the body is larger than {most} bytes"),
            "send a smaller one",
        )
    }
}

/// The parameters of a form, each at most once (RFC 6749 §3.2).
pub struct Form(Vec<(String, Zeroizing<String>)>);

impl Form {
    /// Reads a form.
    ///
    /// # Errors
    /// As [`read`]; a repeated parameter, or far too many.
    pub async fn read(issuer: &Issuer, headers: &HeaderMap, body: Body) -> Result<Self, Refused> {
        let most = issuer.in_force().settings.limits.body_bytes;
        let form = "application/x-www-form-urlencoded";
        let bytes = read(issuer, headers, body, form, most).await?;
        Self::parse(&bytes)
    }

    /// Parses a form, or a query.
    ///
    /// # Errors
    /// A repeated parameter, or far too many.
    pub fn parse(bytes: &[u8]) -> Result<Self, Refused> {
        let mut pairs: Vec<(String, Zeroizing<String>)> = Vec::new();
        for (name, value) in form_urlencoded::parse(bytes) {
            if pairs.iter().any(|(known, _)| *known == name) {
                return Err(Refused::bad_request(
                    "the request holds a parameter more than once",
                    "send each parameter once (RFC 6749 §3.2)",
                ));
            }
            if pairs.len() == PARAMETERS {
                return Err(Refused::bad_request(
                    "the request holds too many parameters",
                    "send only those that are documented",
                ));
            }
            pairs.push((name.into_owned(), Zeroizing::new(value.into_owned())));
        }
        Ok(Self(pairs))
    }

    /// A parameter; an empty one counts as none (RFC 6749 §3.1).
    pub fn get(&self, name: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == name);
        found
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A parameter that must be there.
    ///
    /// # Errors
    /// It is not.
    pub fn need(&self, name: &str) -> Result<&str, Refused> {
        self.get(name).ok_or_else(|| {
            Refused::bad_request(
                format!("the request has no `{name}`"),
                format!("send `{name}` once"),
            )
        })
    }

    /// A parameter that must be there and is a secret. Taken out: no copy of it stays here.
    ///
    /// # Errors
    /// It is not there.
    pub fn secret(&mut self, name: &str) -> Result<Secret, Refused> {
        self.need(name)?;
        let place = self.0.iter_mut().find(|(known, _)| known == name);
        Ok(Secret::new(place.map_or_else(String::new, |(_, value)| {
            std::mem::take(&mut **value)
        })))
    }

    /// The first name that is none of these.
    pub fn unknown(&self, known: &[&str]) -> bool {
        self.0
            .iter()
            .any(|(name, _)| !known.contains(&name.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::Form;

    #[test]
    fn a_parameter_that_comes_twice_is_refused_also_with_the_same_value() {
        for bad in ["a=1&a=1", "a=1&b=2&a=", "a&a"] {
            assert!(Form::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn values_are_decoded_and_an_empty_one_counts_as_none() {
        let mut form = Form::parse(b"scope=role%3Ax+read&empty=&token=s").unwrap();
        assert_eq!(form.get("scope"), Some("role:x read"));
        assert_eq!(form.get("empty"), None);
        assert!(form.need("nothing").is_err());
        assert_eq!(form.secret("token").unwrap().expose(), "s");
        assert_eq!(form.get("token"), None);
    }

    #[test]
    fn a_flood_of_parameters_is_refused() {
        let many: Vec<String> = (0..65).map(|n| format!("p{n}=1")).collect();
        assert!(Form::parse(many.join("&").as_bytes()).is_err());
    }
}
