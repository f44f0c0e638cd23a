//! The organization's own issuer over HTTP: roles, reasons, records, and the feed of server-sent events.

mod frames;
#[cfg(test)]
mod tests;

use super::http::fault::{ok_of_issuer, plain_text};
use super::http::{Answer, Http, Payload, Via, bearing, way_of};
use frames::{Frame, Frames};
use oam_agent::ports::{IssuerApi as Port, LocalBoxFuture, Question, Since};
use oam_config::agent::{IssuerExchange, Org};
use oam_model::answer::EndpointFault;
use oam_model::feed::{FeedEvent, FeedItem, HEAD_HEADER, Poll, Upload, UploadAnswer};
use oam_model::organization::{EffectiveRoles, VERSION, WhyAnswer};
use oam_model::secret::Secret;
use reqwest::header::{HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Roles and reasons: somebody waits for them.
const SHORT: Duration = Duration::from_secs(5);
/// A batch of records, and a poll.
const LONG: Duration = Duration::from_secs(15);

/// The issuer of each organization that has one.
#[derive(Clone)]
pub struct OwnIssuer(Rc<Http>);

impl OwnIssuer {
    /// The clock is the one of `http`.
    pub const fn new(http: Rc<Http>) -> Self {
        Self(http)
    }

    /// What every request needs.
    fn way(&self, org: &Org) -> Result<Way, EndpointFault> {
        let issuer = org.exchange.issuer().cloned();
        Ok(Way {
            http: Rc::clone(&self.0),
            via: way_of(&org.provider),
            issuer: issuer.ok_or_else(|| EndpointFault::NotSent {
                why: "the organization has no issuer".into(),
            })?,
        })
    }
}

struct Way {
    http: Rc<Http>,
    via: Via,
    issuer: IssuerExchange,
}

impl Port for OwnIssuer {
    fn roles(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
    ) -> LocalBoxFuture<Result<EffectiveRoles, EndpointFault>> {
        let way = self.way(org);
        Box::pin(async move {
            let way = way?;
            let url = &way.issuer.roles_endpoint;
            let headers = bearing(&bearer)?;
            let answer = way.http.get_with(&way.via, url, headers, SHORT).await?;
            let mut holdings: EffectiveRoles = read(answer)?;
            version(holdings.v)?;
            for role in &mut holdings.roles {
                role.because = plain_text(&role.because);
                role.description = role.description.as_deref().map(plain_text);
            }
            Ok(holdings)
        })
    }

    fn why(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
        question: Question,
    ) -> LocalBoxFuture<Result<WhyAnswer, EndpointFault>> {
        let way = self.way(org);
        Box::pin(async move {
            let way = way?;
            let url = asking(&way.issuer.why_endpoint, &question)?;
            let headers = bearing(&bearer)?;
            let answer = way.http.get_with(&way.via, &url, headers, SHORT).await?;
            let mut why: WhyAnswer = read(answer)?;
            version(why.v)?;
            if let Some(decision) = &mut why.decision {
                decision.rule = plain_text(&decision.rule);
                decision.because = plain_text(&decision.because);
            }
            if let Some(refusal) = &mut why.refusal {
                refusal.sentence = plain_text(&refusal.sentence);
                refusal.next = plain_text(&refusal.next);
            }
            Ok(why)
        })
    }

    fn upload(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
        upload: Upload,
    ) -> LocalBoxFuture<Result<UploadAnswer, EndpointFault>> {
        let way = self.way(org);
        Box::pin(async move {
            let way = way?;
            let payload = Payload::json(&upload).map_err(|why| EndpointFault::NotSent { why })?;
            let url = &way.issuer.records_endpoint;
            let headers = bearing(&bearer)?;
            let sent = way.http.post_with(&way.via, url, payload, headers, LONG);
            let mut answer: UploadAnswer = read(sent.await?)?;
            version(answer.v)?;
            answer.alarm = answer.alarm.as_deref().map(plain_text);
            Ok(answer)
        })
    }

    fn poll(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
        since: Since,
    ) -> LocalBoxFuture<Result<Poll, EndpointFault>> {
        let way = self.way(org);
        Box::pin(async move {
            let way = way?;
            let url = &way.issuer.feed_endpoint;
            let headers = resuming(&bearer, &since)?;
            let answer = way.http.get_with(&way.via, url, headers, LONG).await?;
            let mut poll: Poll = read(answer)?;
            version(poll.v)?;
            poll.items = poll.items.into_iter().map(plain).collect();
            Ok(poll)
        })
    }

    fn signed_out(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
    ) -> LocalBoxFuture<Result<(), EndpointFault>> {
        let way = self.way(org);
        Box::pin(async move {
            let way = way?;
            let form =
                Payload::form(&[("token", bearer.expose()), ("token_type_hint", "id_token")]);
            let url = &way.issuer.revocation_endpoint;
            let answer = way.http.post(&way.via, url, form, SHORT).await?;
            ok_of_issuer(answer).map(drop)
        })
    }

    fn feed(
        &self,
        org: &Org,
        bearer: Arc<Secret>,
        since: Since,
        hear: Box<dyn Fn(FeedItem)>,
    ) -> LocalBoxFuture<Result<(), EndpointFault>> {
        let way = self.way(org);
        Box::pin(async move {
            let way = way?;
            let url = &way.issuer.feed_endpoint;
            let headers = resuming(&bearer, &since)?;
            drop(bearer);
            let mut stream = way.http.stream(&way.via, url, headers, LONG).await?;
            let mut frames = Frames::default();
            while let Some(part) = stream.next().await? {
                let whole = frames.push(&part).map_err(|_| EndpointFault::Unreadable {
                    why: "an event of the feed is longer than 64 KiB".into(),
                })?;
                for frame in whole {
                    if let Some(item) = item(&frame)? {
                        hear(plain(item));
                    }
                }
                // A feed that never pauses must not keep the agent from everybody else.
                tokio::task::yield_now().await;
            }
            Ok(())
        })
    }
}

fn resuming(bearer: &Secret, since: &Since) -> Result<HeaderMap, EndpointFault> {
    let mut headers = bearing(bearer)?;
    // A cursor comes from the issuer; one that fits no header is forgotten, which gives a `reset`.
    for (name, text) in [("last-event-id", &since.after), (HEAD_HEADER, &since.head)] {
        if let Some(value) = text
            .as_ref()
            .and_then(|text| HeaderValue::from_str(text).ok())
        {
            headers.insert(name, value);
        }
    }
    Ok(headers)
}

fn asking(endpoint: &str, question: &Question) -> Result<String, EndpointFault> {
    let mut url = url::Url::parse(endpoint).map_err(|_| EndpointFault::NotSent {
        why: "the address is not a URL".into(),
    })?;
    {
        let mut pairs = url.query_pairs_mut();
        pairs.append_pair("hub", question.hub.as_str());
        if let Some(repository) = &question.repository {
            pairs.append_pair("repository", repository.as_str());
        }
        pairs.append_pair("action", question.action.word());
        if let Some(role) = &question.role {
            pairs.append_pair("role", role.as_str());
        }
    }
    Ok(url.into())
}

fn read<T: DeserializeOwned>(answer: Answer) -> Result<T, EndpointFault> {
    let answer = ok_of_issuer(answer)?;
    serde_json::from_slice(&answer.body).map_err(|_| EndpointFault::Unreadable {
        why: if answer.content_type == "text/html" {
            "the answer is a web page".to_owned()
        } else {
            "the answer is not an issuer's".to_owned()
        },
    })
}

fn version(v: u32) -> Result<(), EndpointFault> {
    if v == VERSION {
        return Ok(());
    }
    Err(EndpointFault::Check {
        name: "v".into(),
        why: format!("it is {v}, and this agent knows {VERSION}"),
    })
}

/// A message of the feed; none for a kind that this version does not know.
fn item(frame: &Frame) -> Result<Option<FeedItem>, EndpointFault> {
    const KNOWN: [&str; 6] = [
        "heartbeat",
        "revoked",
        "doubt",
        "roles-changed",
        "head",
        "reset",
    ];
    if !KNOWN.contains(&frame.event.as_str()) {
        return Ok(None);
    }
    let read = || {
        let mut data: serde_json::Map<_, _> = serde_json::from_str(&frame.data).ok()?;
        data.insert("event".into(), frame.event.clone().into());
        let event: FeedEvent = serde_json::from_value(data.into()).ok()?;
        let id = frame.id.clone().filter(|id| !id.is_empty());
        Some(FeedItem { id, event })
    };
    // A `revoked` that can't be read must not pass by unnoticed: the connection ends, and is made anew.
    let unread = || EndpointFault::Unreadable {
        why: format!("a `{}` of the feed can't be understood", frame.event),
    };
    read().map(Some).ok_or_else(unread)
}

/// Its texts made fit to be shown.
fn plain(mut item: FeedItem) -> FeedItem {
    match &mut item.event {
        FeedEvent::Revoked { reason, .. } | FeedEvent::Doubt { reason, .. } => {
            *reason = plain_text(reason);
        }
        FeedEvent::Heartbeat { .. }
        | FeedEvent::RolesChanged { .. }
        | FeedEvent::Head { .. }
        | FeedEvent::Reset {} => {}
    }
    item
}
