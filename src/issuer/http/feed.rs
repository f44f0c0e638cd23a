//! `GET /v1/feed`: server-sent events, or one JSON object with what has come since.

use super::answer;
use super::bearer;
use super::body::Form;
use crate::authorize::{self, AuthorizeError};
use crate::feed::{Subscriber, jitter_ms};
use crate::grant::RequestOrigin;
use crate::history;
use crate::refused::{OAuthError, Refused};
use crate::state::Issuer;
use crate::stream::{Listener, cursor};
use axum::body::Body;
use axum::extract::{Extension, RawQuery, State};
use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use oam_model::feed::{FeedEvent, FeedItem, HEAD_HEADER, Poll};
use oam_model::organization::VERSION;
use oam_model::principal::{Principal, PrincipalKind};
use oam_model::refusal::Refusal;
use oam_store::{Cursor, StoreFault};
use oam_system::clock;
use serde_json::Value;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
const BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");
/// A reader that takes nothing for this long is gone.
const STUCK: Duration = Duration::from_secs(20);
/// A stream ends after this long, whatever its bearer says; its agent opens another.
const LONGEST: Duration = Duration::from_hours(24);
/// Pause after the store was not there.
const AGAIN_MS: u64 = 1_000;

/// The feed of the bearer, and of nobody else.
pub async fn feed(
    State(issuer): State<Arc<Issuer>>,
    Extension(origin): Extension<RequestOrigin>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let poll = headers
        .get(ACCEPT)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kinds| kinds.contains("application/json"));
    let opened = async {
        let principal = subject(&issuer, &headers, &origin).await?;
        let after = after(query.as_deref(), &headers)?;
        if let Some(head) = headers.get(HEAD_HEADER).and_then(|head| head.to_str().ok()) {
            history::shown(&issuer, &format!("the agent of {}", principal.key), head).await;
        }
        let listener = Listener::new(Arc::clone(&issuer), principal.clone(), after);
        if poll {
            return polled(&issuer, listener).await;
        }
        let subscriber = issuer.feeds.subscribe(&principal.key).ok_or_else(full)?;
        streamed(&issuer, listener, subscriber).await
    };
    match opened.await {
        Ok(response) => response,
        Err(refused) => answer::refused(&refused, &origin.request_id),
    }
}

/// Whose feed it is. A person whose identity ended gets a stream all the same: it says so and ends.
async fn subject(
    issuer: &Issuer,
    headers: &HeaderMap,
    origin: &RequestOrigin,
) -> Result<Principal, Refused> {
    let live_config = issuer.live_config();
    let principal = bearer::verified(issuer, &live_config, headers, origin).await?;
    if principal.kind == PrincipalKind::Job {
        let refusal = Refusal::denied(
            "a job has no feed",
            "its tokens are short-lived: ask for a new one when one is refused",
        );
        let refused = Refused::new(OAuthError::AccessDenied, refusal);
        return Err(bearer::refuse(issuer, origin, Some(&principal), refused).await);
    }
    match authorize::admit_and_keep(issuer, principal).await {
        Ok(admitted) => Ok(admitted.principal),
        Err(AuthorizeError::Unknown(refused)) => Err(refused),
        Err(AuthorizeError::Denied(barred)) => Ok(barred.principal),
    }
}

fn after(query: Option<&str>, headers: &HeaderMap) -> Result<Option<Cursor>, Refused> {
    let query = Form::parse(query.unwrap_or_default().as_bytes())?;
    if query.unknown(&["after"]) {
        return Err(Refused::bad_request(
            "the feed takes no such parameter",
            "its subject is whoever asks; `after` is the last id that was seen",
        ));
    }
    let header = headers
        .get(LAST_EVENT_ID)
        .and_then(|value| value.to_str().ok());
    Ok(header
        .filter(|id| !id.is_empty())
        .or_else(|| query.get("after"))
        .map(cursor))
}

fn full() -> Refused {
    Refused {
        retry_after_s: Some(15),
        ..Refused::unavailable("all places of the feed are taken", "poll until one is free")
    }
}

fn unavailable(fault: &StoreFault) -> Refused {
    Refused::of_exchange(fault.refusal(), false)
}

async fn polled(issuer: &Issuer, mut listener: Listener) -> Result<Response, Refused> {
    let look = listener.look(true).await.map_err(|f| unavailable(&f))?;
    Ok(answer::json(
        200,
        &Poll {
            v: VERSION,
            items: look.items,
            head: issuer.heads.told().map(|head| head.text.to_string()),
        },
    ))
}

/// The first look is taken before the answer begins: a store that is not there is a 503, not a stream
/// that says nothing.
async fn streamed(
    issuer: &Arc<Issuer>,
    mut listener: Listener,
    subscriber: Subscriber,
) -> Result<Response, Refused> {
    let first = listener.look(true).await.map_err(|f| unavailable(&f))?;
    let (sender, frames) = mpsc::channel(1);
    let stream = Stream {
        stopping: issuer.stopping.subscribe(),
        heartbeat_ms: issuer.live_config().settings.heartbeat_ms.max(1),
        listener,
        subscriber,
        sender,
        issuer: Arc::clone(issuer),
        head: None,
    };
    tokio::spawn(stream.run(first.items, first.over));
    let body = Body::from_stream(ReceiverStream::new(frames).map(Ok::<Bytes, Infallible>));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(BUFFERING, HeaderValue::from_static("no"));
    Ok(response)
}

struct Stream {
    listener: Listener,
    subscriber: Subscriber,
    sender: mpsc::Sender<Bytes>,
    stopping: tokio::sync::watch::Receiver<bool>,
    heartbeat_ms: u64,
    issuer: Arc<Issuer>,
    /// The head that was told last.
    head: Option<Arc<str>>,
}

impl Stream {
    /// Until the bearer expires, its identity ends, the reader goes, or the server ends.
    async fn run(mut self, first: Vec<FeedItem>, over: bool) {
        if !self.say(&first).await || over || !self.say_head().await {
            return;
        }
        let expiry = Instant::now() + left(self.listener.expires_at(), clock::now_s());
        // Streams that came together, after a restart, must not tick together for ever.
        let mut beat_at = in_ms(self.heartbeat_ms - jitter_ms(self.heartbeat_ms / 2));
        let mut retry_at = None;
        loop {
            let beat = tokio::select! {
                () = self.sender.closed() => return,
                _ = self.stopping.wait_for(|stopping| *stopping) => return,
                () = sleep_until(expiry) => return,
                () = self.subscriber.given_away() => return,
                () = self.subscriber.woken() => false,
                () = sleep_until(retry_at.unwrap_or(expiry)), if retry_at.is_some() => false,
                () = sleep_until(beat_at) => true,
            };
            if beat {
                beat_at = in_ms(self.heartbeat_ms);
            }
            let look = {
                let _turn = self.subscriber.turn().await;
                self.listener.look(beat).await
            };
            retry_at = match look {
                // Nothing is known: no heartbeat, and another look soon.
                Err(_) => Some(in_ms(AGAIN_MS + jitter_ms(AGAIN_MS))),
                Ok(look) => {
                    if !self.say(&look.items).await || look.over {
                        return;
                    }
                    if beat && !self.say_head().await {
                        return;
                    }
                    None
                }
            };
        }
    }

    /// The head of the audit log, when it is another than the one that was told.
    async fn say_head(&mut self) -> bool {
        let Some(head) = self.issuer.heads.told().map(|head| head.text) else {
            return true;
        };
        if self.head.as_ref() == Some(&head) {
            return true;
        }
        let item = FeedItem {
            id: None,
            event: FeedEvent::Head {
                head: head.to_string(),
            },
        };
        self.head = Some(head);
        self.say(&[item]).await
    }

    async fn say(&self, items: &[FeedItem]) -> bool {
        if items.is_empty() {
            return true;
        }
        let frames: String = items.iter().map(frame).collect();
        let sent = timeout(STUCK, self.sender.send(Bytes::from(frames))).await;
        matches!(sent, Ok(Ok(())))
    }
}

/// What a stream has left of its bearer, both Unix seconds. An end is an outside number: one in ten thousand
/// years is beyond what an instant can count.
fn left(expires_at: u64, now_s: u64) -> Duration {
    Duration::from_secs(expires_at.saturating_sub(now_s)).min(LONGEST)
}

fn in_ms(ms: u64) -> Instant {
    Instant::now() + Duration::from_millis(ms)
}

/// One event on the wire.
fn frame(item: &FeedItem) -> String {
    let mut data = serde_json::to_value(&item.event).unwrap_or_default();
    let event = match data.as_object_mut().and_then(|all| all.remove("event")) {
        Some(Value::String(event)) => event,
        _ => String::new(),
    };
    let id = match &item.id {
        Some(id) => format!("id: {id}\n"),
        None => String::new(),
    };
    format!("{id}event: {event}\ndata: {data}\n\n")
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, frame, left};
    use oam_model::feed::{FeedEvent, FeedItem};
    use std::time::Duration;
    use tokio::time::Instant;

    #[test]
    fn an_end_that_no_clock_can_count_to_does_not_overflow() {
        assert_eq!(left(1_000, 400), Duration::from_mins(10));
        assert_eq!(left(400, 1_000), Duration::ZERO);
        assert_eq!(left(u64::MAX, 0), LONGEST);
        assert!(Instant::now().checked_add(left(u64::MAX, 0)).is_some());
    }

    #[test]
    fn a_frame_has_id_name_and_one_line_of_data() {
        let item = FeedItem {
            id: Some("g.7".into()),
            event: FeedEvent::Revoked {
                at_ms: 5,
                reason: "one\nline".into(),
            },
        };
        assert_eq!(
            frame(&item),
            "id: g.7\nevent: revoked\ndata: {\"at_ms\":5,\"reason\":\"one\\nline\"}\n\n"
        );
        let reset = FeedItem {
            id: None,
            event: FeedEvent::Reset {},
        };
        assert_eq!(frame(&reset), "event: reset\ndata: {}\n\n");
    }
}
