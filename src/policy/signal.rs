//! From a verified security event token to a signal (RFC 8417, SSF 1.0, CAEP 1.0, RISC 1.0), and from a
//! verified logout token (OIDC Back-Channel Logout 1.0).
//!
//! Transmitters deviate from the specifications and from each other; what is taken here is the union of
//! what is known of them, as long as it can't be read in two ways. What can't be understood is rejected,
//! so that the transmitter's operator sees it too; what is understood and of no consequence is noted.

mod logout;
mod meaning;
mod subject;

pub use logout::logout;

use crate::claims::{Claims, SKEW_S, read};
use oam_model::issuer::{IdentitySource, Transmitter};
use oam_model::signal::{Signal, SignalMeaning, SignalSubject};
use serde_json::Value;

/// A signal older than this is rejected, seconds: what was taken is remembered a day longer, so that a
/// replay is told for ever.
pub const OLDEST_S: u64 = 30 * 24 * 3600;
/// How long after its `iat` the id of a signal is remembered, ms.
pub const REMEMBERED_MS: u64 = (OLDEST_S + 24 * 3600) * 1000;
/// More events than a token ever has: several are only other names of one (SSF 1.0 §4).
const MOST_EVENTS: usize = 16;
/// Seconds beyond this are milliseconds: the year 5138.
const MILLISECONDS_FROM: u64 = 100_000_000_000;

/// What RFC 8935 §2.4 and the registry of IANA call the fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetError {
    /// The token can't be read, or lacks something.
    InvalidRequest,
    /// Its key is not the transmitter's, or the signature is wrong.
    InvalidKey,
    /// Nobody that is known here.
    InvalidIssuer,
    /// It is for somebody else.
    InvalidAudience,
    /// The `Authorization` header is wrong.
    AuthenticationFailed,
    /// Not to be taken from this transmitter.
    AccessDenied,
}

impl SetError {
    /// The word on the wire.
    pub const fn word(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidKey => "invalid_key",
            Self::InvalidIssuer => "invalid_issuer",
            Self::InvalidAudience => "invalid_audience",
            Self::AuthenticationFailed => "authentication_failed",
            Self::AccessDenied => "access_denied",
        }
    }
}

/// Why a signal was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    /// The word.
    pub err: SetError,
    /// Our own sentence.
    pub description: String,
}

impl Rejected {
    /// A rejection with its words.
    pub fn new(err: SetError, description: impl Into<String>) -> Self {
        Self {
            err,
            description: description.into(),
        }
    }

    fn request(description: impl Into<String>) -> Self {
        Self::new(SetError::InvalidRequest, description)
    }
}

/// Who speaks, and of whose people.
#[derive(Debug, Clone, Copy)]
pub struct Channel<'a> {
    pub transmitter: &'a Transmitter,
    /// The source whose people it speaks of.
    pub source: &'a IdentitySource,
    /// `critical_subject_members` of its metadata (SSF 1.0 §7.1): members of a complex subject that
    /// must not be ignored.
    pub critical: &'a [String],
}

/// What a security event token says. Its signature was verified with a key of the transmitter; `typ` is
/// the header's, `now_ms` Unix milliseconds.
///
/// # Errors
/// The word and sentence for the answer.
pub fn event(
    channel: &Channel<'_>,
    typ: Option<&str>,
    claims: &Claims,
    now_ms: u64,
) -> Result<Signal, Rejected> {
    explicit_type(typ)?;
    addressed(
        claims,
        &channel.transmitter.issuer,
        &channel.transmitter.audiences,
    )?;
    let (issued_s, id) = made(claims, now_ms)?;
    let spoken = strongest(channel, claims)?;
    let names = subject::of(channel, claims, spoken.payload)?;
    let (meaning, reason) = match names.unknown_critical {
        Some(member) => (
            SignalMeaning::NotActedOn,
            format!(
                "{}: its subject has the critical member {member}",
                spoken.reason
            ),
        ),
        None => (spoken.meaning, spoken.reason),
    };
    let mut others = names.subjects.into_iter();
    Ok(Signal {
        source: channel.source.name.clone(),
        subject: others.next().unwrap_or_default(),
        also: others.collect(),
        meaning,
        at_ms: happened_at(spoken.payload, claims, issued_s),
        reason,
        transmitter: channel.transmitter.issuer.clone(),
        id,
    })
}

/// SSF 1.0 §4 demands the type; without it, an ID token signed by the same keys could pose as a signal.
fn explicit_type(typ: Option<&str>) -> Result<(), Rejected> {
    let typ = typ.unwrap_or("").to_ascii_lowercase();
    let typ = typ.strip_prefix("application/").unwrap_or(&typ);
    if typ == "secevent+jwt" {
        return Ok(());
    }
    Err(Rejected::request(
        "the header's `typ` must be `secevent+jwt`",
    ))
}

/// `iss` byte for byte, one of our audiences, and nothing that only another kind of token has.
fn addressed(claims: &Claims, issuer: &str, audiences: &[String]) -> Result<(), Rejected> {
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err(Rejected::new(
            SetError::InvalidIssuer,
            "`iss` is not the one of the keys",
        ));
    }
    if !read::is_one_of(claims.get("aud"), audiences) {
        return Err(Rejected::new(
            SetError::InvalidAudience,
            "`aud` is none of this receiver's audiences",
        ));
    }
    if claims.contains_key("nonce") || claims.contains_key("at_hash") {
        return Err(Rejected::request("an ID token is no signal"));
    }
    Ok(())
}

/// `iat`, Unix seconds, and `jti`. An `exp`, which old transmitters send, must not be over.
fn made(claims: &Claims, now_ms: u64) -> Result<(u64, String), Rejected> {
    let now = now_ms / 1000;
    let issued = claims
        .get("iat")
        .and_then(read::seconds)
        .ok_or_else(|| Rejected::request("`iat` is missing or no time"))?;
    if issued > now.saturating_add(SKEW_S) {
        return Err(Rejected::request("`iat` is in the future"));
    }
    if issued.saturating_add(OLDEST_S) < now {
        return Err(Rejected::request("`iat` is more than 30 days ago"));
    }
    if let Some(expires) = claims.get("exp") {
        let over = read::seconds(expires).is_none_or(|at| at.saturating_add(SKEW_S) <= now);
        if over {
            return Err(Rejected::request("`exp` is over or no time"));
        }
    }
    let id = claims.get("jti").and_then(Value::as_str).unwrap_or("");
    if id.is_empty() || id.len() > 512 || id.chars().any(char::is_control) {
        return Err(Rejected::request("`jti` is missing or no plain text"));
    }
    Ok((issued, id.to_owned()))
}

/// An event of the token, understood.
struct Spoken<'a> {
    meaning: SignalMeaning,
    reason: String,
    payload: &'a Claims,
}

/// Several events of one token are aspects of one thing that happened to one subject (RFC 8417 §2). The gravest
/// counts where it brings all that the others do; what can't be told as one is not taken, for a part of it would
/// be dropped.
fn strongest<'a>(channel: &Channel<'_>, claims: &'a Claims) -> Result<Spoken<'a>, Rejected> {
    let events = claims
        .get("events")
        .and_then(Value::as_object)
        .filter(|events| !events.is_empty() && events.len() <= MOST_EVENTS)
        .ok_or_else(|| Rejected::request("`events` is missing, empty or too long"))?;
    let mut spoken = Vec::with_capacity(events.len());
    for (uri, payload) in events {
        let payload = payload
            .as_object()
            .ok_or_else(|| Rejected::request("the payload of an event is no object"))?;
        let (meaning, reason) = meaning::of(channel.source, uri, payload)?;
        spoken.push(Spoken {
            meaning,
            reason,
            payload,
        });
    }
    spoken.sort_by_key(|one| std::cmp::Reverse(meaning::gravity(&one.meaning)));
    let mut spoken = spoken.into_iter();
    let gravest = spoken
        .next()
        .ok_or_else(|| Rejected::request("`events` is empty"))?;
    // Where `sub_id` is there, it is the subject of all of them.
    let subject = |one: &Spoken<'a>| match claims.get("sub_id") {
        Some(_) => None,
        None => one.payload.get("subject"),
    };
    for other in spoken.filter(|one| one.meaning != SignalMeaning::Noted) {
        if subject(&other) != subject(&gravest)
            || !meaning::brings(&gravest.meaning, &other.meaning)
        {
            return Err(Rejected::request(
                "its events are of several subjects or effects: each needs a token of its own",
            ));
        }
    }
    Ok(gravest)
}

/// `event_timestamp` (seconds by CAEP 1.0 §2, milliseconds at Okta), else `toe` (RFC 8417 §2.2), else
/// `iat`. A time that can't be is not believed: an end in 1970 would end nothing.
fn happened_at(payload: &Claims, claims: &Claims, issued: u64) -> u64 {
    let issued_ms = issued.saturating_mul(1000);
    let said = payload
        .get("event_timestamp")
        .or_else(|| claims.get("toe"))
        .and_then(read::seconds)
        .map_or(issued_ms, |at| {
            if at >= MILLISECONDS_FROM {
                at
            } else {
                at.saturating_mul(1000)
            }
        });
    let earliest = issued_ms.saturating_sub(OLDEST_S * 1000);
    let latest = issued_ms.saturating_add(SKEW_S * 1000);
    if (earliest..=latest).contains(&said) {
        said
    } else {
        issued_ms
    }
}

/// A short code of the transmitter's, if it is one: prose is neither kept nor shown.
fn code<'a>(payload: &'a Claims, name: &str) -> Option<&'a str> {
    let text = payload.get(name)?.as_str()?;
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    (!text.is_empty() && text.len() <= 40 && text.chars().all(plain)).then_some(text)
}

/// A subject that names somebody, with what it does not name left out.
fn named(subject: SignalSubject) -> Option<SignalSubject> {
    (!subject.is_empty()).then_some(subject)
}

#[cfg(any(test, feature = "fixture"))]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "samples for tests"
)]
pub mod fixture;
#[cfg(test)]
mod tests;
