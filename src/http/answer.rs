//! An answer: facts, and a body that is wiped.

use crate::body::append;
use crate::{ANSWER_CAP, fault};
use oam_model::answer::EndpointFault;
use reqwest::header::HeaderMap;
use serde::de::DeserializeOwned;
use zeroize::{Zeroize, Zeroizing};

/// What a peer answered, whatever its status.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type` without parameters, lower-case; empty when there is none.
    pub content_type: String,
    /// `Date`, Unix seconds: the peer's clock.
    pub date_s: Option<u64>,
    /// `Retry-After` in seconds; a date there is not understood.
    pub retry_after_s: Option<u64>,
    /// The body, wiped when it is dropped.
    pub body: Zeroizing<Vec<u8>>,
}

impl Answer {
    /// The answer when its status is 200.
    ///
    /// # Errors
    /// [`EndpointFault::Status`] otherwise, with nothing of the endpoint's own prose.
    pub fn ok(self) -> Result<Self, EndpointFault> {
        if self.status == 200 {
            return Ok(self);
        }
        let error = fault::oauth_error(&self.body);
        // A web page is what proxies and captive portals send, not the bare answer of an
        // endpoint: of a provider it ends a session, which a repetition would make final.
        let page =
            self.content_type == "text/html" || self.body.trim_ascii_start().starts_with(b"<");
        Err(EndpointFault::Status {
            status: self.status,
            bare: error.is_none() && !page,
            error,
        })
    }

    /// The body as JSON, when the status is 200.
    ///
    /// # Errors
    /// As [`Answer::ok`]; [`EndpointFault::Unreadable`] for another body. The reader's own text is
    /// dropped: it quotes the body.
    pub fn json<T: DeserializeOwned>(self) -> Result<T, EndpointFault> {
        let answer = self.ok()?;
        serde_json::from_slice(&answer.body).map_err(|_| EndpointFault::Unreadable {
            why: if answer.content_type == "text/html" {
                "the answer is a web page".to_owned()
            } else {
                "the answer is not the JSON that belongs there".to_owned()
            },
        })
    }
}

/// Reads an answer to its end.
///
/// # Errors
/// The connection broke, or the answer is longer than [`ANSWER_CAP`].
pub async fn collect(mut response: reqwest::Response) -> Result<Answer, EndpointFault> {
    let status = response.status().as_u16();
    let content_type = content_type(response.headers());
    let date_s = date(response.headers());
    let retry_after_s = retry_after(response.headers());
    let announced = response.content_length().unwrap_or(0);
    let room = usize::try_from(announced).unwrap_or(ANSWER_CAP);
    let mut body = Zeroizing::new(Vec::with_capacity(room.clamp(4096, ANSWER_CAP)));
    while let Some(chunk) = response.chunk().await.map_err(|e| fault::lost(&e))? {
        if body.len() + chunk.len() > ANSWER_CAP {
            return Err(fault::too_long(status));
        }
        append(&mut body, &chunk);
        // Only when nobody else holds the same buffer; the HTTP layer often does.
        if let Ok(mut own) = chunk.try_into_mut() {
            own.as_mut().zeroize();
        }
    }
    Ok(Answer {
        status,
        content_type,
        date_s,
        retry_after_s,
        body,
    })
}

/// RFC 9110 §5.6.7, the form that is sent today.
fn date(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(reqwest::header::DATE)?.to_str().ok()?;
    let at = jiff::fmt::rfc2822::parse(text).ok()?;
    u64::try_from(at.timestamp().as_second()).ok()
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(reqwest::header::RETRY_AFTER)?;
    value.to_str().ok()?.trim().parse().ok()
}

/// `Content-Type` without parameters, lower-case; empty when there is none.
pub fn content_type(headers: &HeaderMap) -> String {
    headers
        .get(reqwest::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase())
        .unwrap_or_default()
}
