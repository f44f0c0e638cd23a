//! Bodies: read whole, within a size and a time, into buffers that are wiped.

use crate::refused::Refused;
use crate::state::Issuer;
use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use oam_model::secret::Secret;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use tokio_stream::StreamExt;
use url::form_urlencoded;
use zeroize::{Zeroize, Zeroizing};

/// Most parameters of a form.
const PARAMETERS: usize = 64;
/// Largest form or signed event, bytes: a subject token has 16 KiB at most, and three for each byte encoded.
pub const FORM: usize = 64 * 1024;
/// What a body begins with, bytes.
const FIRST: usize = 4 * 1024;
/// Up to this many bytes a body needs no room: an exchange has fewer, and never waits for others' uploads.
const FREE: usize = 8 * 1024;
/// What all larger bodies have together beyond that, KiB.
pub const ROOM_KIB: usize = 64 * 1024;

/// Reads a body of one of these types.
///
/// # Errors
/// Another type, too large, too slow, broken off.
pub async fn read(
    issuer: &Issuer,
    headers: &HeaderMap,
    body: Body,
    content_types: &[&str],
    most: usize,
) -> Result<Bytes, Refused> {
    typed(headers, content_types)?;
    let limits = issuer.live_config().settings.limits;
    // Before the deadline of the whole request: whoever sends too slowly is told so.
    let deadline = Duration::from_millis(limits.request_ms / 4 * 3);
    timeout(deadline, collect(issuer, headers, body, most))
        .await
        .unwrap_or_else(|_| {
            Err(Refused {
                status: Some(408),
                ..Refused::bad_request("the body came too slowly", "send it at once")
            })
        })
}

fn typed(headers: &HeaderMap, wanted: &[&str]) -> Result<(), Refused> {
    let given = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let plain = given.split(';').next().unwrap_or_default().trim();
    if wanted.iter().any(|one| plain.eq_ignore_ascii_case(one)) {
        return Ok(());
    }
    Err(Refused {
        status: Some(415),
        ..Refused::bad_request(
            "the body is of another type than this address takes",
            format!("send it as {}", wanted.join(" or ")),
        )
    })
}

async fn collect(
    issuer: &Issuer,
    headers: &HeaderMap,
    body: Body,
    most: usize,
) -> Result<Bytes, Refused> {
    let told = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|length| length > most) {
        return Err(too_large(most));
    }
    let mut whole = Bytes::new(Arc::clone(&issuer.room));
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part =
            part.map_err(|_| Refused::bad_request("the body broke off", "send the request again"))?;
        if part.len() > most - whole.len() {
            return Err(too_large(most));
        }
        if !whole.append(&part) {
            return Err(Refused::unavailable(
                "too many large requests are being read at once",
                "try again in a few seconds",
            ));
        }
    }
    Ok(whole)
}

/// The bytes of a body. It begins small whatever length was announced, grows with what came, and wipes
/// what was written and nothing else: an announced megabyte costs nobody but its sender. What is larger
/// than `FREE` has its place in the room that all bodies share.
pub struct Bytes {
    written: Vec<u8>,
    room: Arc<Semaphore>,
    held: Option<OwnedSemaphorePermit>,
}

impl Bytes {
    fn new(room: Arc<Semaphore>) -> Self {
        Self {
            written: Vec::with_capacity(FIRST),
            room,
            held: None,
        }
    }

    /// Appends; false where there is no room.
    fn append(&mut self, part: &[u8]) -> bool {
        let length = self.written.len() + part.len();
        if length > self.written.capacity() {
            let capacity = length.max(self.written.capacity() * 2);
            if !self.make_room(capacity) {
                return false;
            }
            // A vector that grows by itself leaves its old bytes behind.
            let mut larger = Vec::with_capacity(capacity);
            larger.extend_from_slice(&self.written);
            std::mem::swap(&mut self.written, &mut larger);
            larger.as_mut_slice().zeroize();
        }
        self.written.extend_from_slice(part);
        true
    }

    fn make_room(&mut self, capacity: usize) -> bool {
        let held = self
            .held
            .as_ref()
            .map_or(0, OwnedSemaphorePermit::num_permits);
        let needed = capacity.saturating_sub(FREE).div_ceil(1024);
        let Some(more) = needed.checked_sub(held).filter(|more| *more > 0) else {
            return true;
        };
        let more = u32::try_from(more).unwrap_or(u32::MAX);
        let Ok(got) = Arc::clone(&self.room).try_acquire_many_owned(more) else {
            return false;
        };
        match &mut self.held {
            Some(held) => held.merge(got),
            none => *none = Some(got),
        }
        true
    }
}

impl Deref for Bytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.written
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        // Only appended to: nothing was ever written beyond its length.
        self.written.as_mut_slice().zeroize();
    }
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
        let most = issuer.live_config().settings.limits.body_bytes.min(FORM);
        let form = "application/x-www-form-urlencoded";
        let bytes = read(issuer, headers, body, &[form], most).await?;
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
    use super::{Bytes, FIRST, FREE, Form};
    use std::sync::Arc;
    use tokio::sync::Semaphore;

    #[test]
    fn a_body_grows_with_what_came_and_large_ones_share_a_room() {
        let room = Arc::new(Semaphore::new(24));
        let mut small = Bytes::new(Arc::clone(&room));
        assert_eq!(small.written.capacity(), FIRST);
        assert!(small.append(&[1; FREE]));
        assert_eq!(room.available_permits(), 24);
        let mut large = Bytes::new(Arc::clone(&room));
        for _ in 0..3 {
            assert!(large.append(&[2; FREE]));
        }
        assert_eq!(large.len(), 3 * FREE);
        assert!(!small.append(&[1; FREE]), "no room is left");
        assert_eq!(small.len(), FREE);
        drop(large);
        assert_eq!(room.available_permits(), 24);
        assert!(small.append(&[1; FREE]));
    }

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
