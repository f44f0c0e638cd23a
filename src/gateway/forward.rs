//! From a request to its answer: the decisions of the other modules in their order, and the way to the hub.

use crate::admitted::{AdmittedRequest, Content};
use crate::answer::{self, ErrorFormat};
use crate::body::{self, AnswerBody, CONFIRM, Direction, EndWatch, Passing, Watch};
use crate::capability::Capability;
use crate::count::{Counts, Tally};
use crate::headers;
use crate::hub::Upstream;
use crate::lfs;
use crate::link::Links;
use crate::peer::Stranger;
use crate::route::Changes;
use crate::source::{HubCredential, Target, TokenSource};
use bytes::Bytes;
use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_LOCATION, LINK, LOCATION,
};
use http::{HeaderName, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use oam_model::answer::EndpointFault;
use oam_model::refusal::Refusal;
use oam_system::clock;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;

/// A gateway: one child, one hub.
pub struct Gateway {
    pub(crate) hub: Upstream,
    pub(crate) own: SocketAddr,
    pub(crate) capability: Capability,
    pub(crate) links: Links,
    source: Arc<dyn TokenSource>,
    pub(crate) counts: Arc<Counts>,
    pub(crate) end: EndWatch,
    confirm: Duration,
    limit: Option<Target>,
}

/// A request that is under way.
struct Transfer {
    tally: Arc<Tally>,
    watch: Watch,
}

impl Gateway {
    /// A gateway that listens at `own` and ends with `end`.
    pub fn new(
        hub: Upstream,
        own: SocketAddr,
        source: Arc<dyn TokenSource>,
        end: EndWatch,
    ) -> Self {
        Self {
            hub,
            own,
            capability: Capability::new(),
            links: Links::new(),
            source,
            counts: Arc::default(),
            end,
            confirm: CONFIRM,
            limit: None,
        }
    }

    /// Asks for the right to an open transfer again `every` so long.
    #[must_use]
    pub const fn confirming(mut self, every: Duration) -> Self {
        self.confirm = every;
        self
    }

    /// Lets the child do no more than this, whatever the roles allow; none: what they allow.
    #[must_use]
    pub fn limited_to(mut self, limit: Option<Target>) -> Self {
        self.limit = limit;
        self
    }

    /// Counts here, where others look too.
    #[must_use]
    pub fn counting_in(mut self, counts: Arc<Counts>) -> Self {
        self.counts = counts;
        self
    }

    /// For the child's environment.
    pub const fn capability(&self) -> &Capability {
        &self.capability
    }

    /// What went through by now.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Its address, without a slash at the end.
    pub fn address(&self) -> String {
        format!("http://{}", self.own)
    }

    /// Where it listens.
    pub(crate) const fn own(&self) -> SocketAddr {
        self.own
    }

    /// The answer to a process that is not the command's.
    pub(crate) fn refuse(
        &self,
        stranger: Stranger,
        request: &Request<Incoming>,
    ) -> Response<AnswerBody> {
        self.counts.turned_away();
        let (sentence, next) = stranger.words();
        answer::error(
            StatusCode::FORBIDDEN,
            sentence,
            next,
            ErrorFormat::of(request.headers()),
        )
    }

    /// Answers one request of a connection; `connection` is how it is told that it must end.
    pub async fn answer(
        &self,
        request: Request<Incoming>,
        connection: Arc<Notify>,
    ) -> Response<AnswerBody> {
        let format = ErrorFormat::of(request.headers());
        let wanted = match self.admitted(request, format).await {
            Ok(wanted) => wanted,
            Err(response) => {
                self.counts.turned_away();
                return *response;
            }
        };
        if let Some(limit) = self.limit.as_ref()
            && !limit.covers(&wanted.target)
        {
            self.counts.turned_away();
            return answer::error(
                StatusCode::FORBIDDEN,
                &format!(
                    "this command was started to {limit}, and would {}",
                    wanted.target
                ),
                "name with --repo and --write what it needs, or no repository: then your roles decide",
                format,
            );
        }
        self.forward(wanted, connection).await
    }

    async fn forward(
        &self,
        mut wanted: AdmittedRequest,
        connection: Arc<Notify>,
    ) -> Response<AnswerBody> {
        let transfer = Transfer {
            tally: self.counts.request(&wanted.target),
            watch: Watch::begin(
                self.end.clone(),
                (Arc::clone(&self.source), wanted.target.clone()),
                self.confirm,
                connection,
            ),
        };
        if let Changes::Ref(name) = &wanted.changes {
            transfer.tally.changes(name.clone());
        }
        // All of it under the watch, also what is read of the hub's answer before the child's can begin.
        let answered = tokio::select! {
            biased;
            refusal = transfer.watch.over() => Err(refusal),
            answered = self.answered(&mut wanted, &transfer) => answered,
        };
        answered.unwrap_or_else(|refusal| answer::refusal(&refusal, wanted.format))
    }

    /// The hub's answer, or why there is none.
    async fn answered(
        &self,
        wanted: &mut AdmittedRequest,
        transfer: &Transfer,
    ) -> Result<Response<AnswerBody>, Arc<Refusal>> {
        let mut again = true;
        loop {
            let (answered, token) = self.attempt(wanted, transfer).await?;
            if answered.status() != StatusCode::UNAUTHORIZED {
                return Ok(self.back(answered, &token, wanted, transfer).await);
            }
            let source = Arc::clone(&self.source);
            source.rejected(wanted.target.clone(), token.token).await;
            // What can be sent again is, once: a token may have been ended in favour of another.
            if !std::mem::take(&mut again) || wanted.streamed {
                return Ok(answer::error(
                    StatusCode::FORBIDDEN,
                    "the hub does not accept the token of your role",
                    "look at `oam status` and `oam why`, then ask the hub's owner",
                    wanted.format,
                ));
            }
        }
    }

    /// Asks for a token and sends the request with it.
    async fn attempt(
        &self,
        wanted: &mut AdmittedRequest,
        transfer: &Transfer,
    ) -> Result<(reqwest::Response, HubCredential), Arc<Refusal>> {
        let token = Arc::clone(&self.source)
            .token(wanted.target.clone())
            .await
            .map_err(Arc::new)?;
        let unfit = || {
            Arc::new(Refusal::unavailable(
                "the token can't be sent to the hub",
                "run `oam doctor`",
            ))
        };
        let mut request = reqwest::Request::new(wanted.method.clone(), wanted.url.clone());
        request.headers_mut().clone_from(&wanted.headers);
        request.headers_mut().insert(
            AUTHORIZATION,
            headers::credential(&token).ok_or_else(unfit)?,
        );
        let spent = match &wanted.body {
            Content::Nothing => Content::Nothing,
            Content::Whole(bytes) => Content::Whole(bytes.clone()),
            Content::Stream(_) => std::mem::replace(&mut wanted.body, Content::Nothing),
        };
        match spent {
            Content::Nothing => {}
            Content::Whole(bytes) => {
                transfer.tally.sent(bytes.len());
                *request.body_mut() = Some(bytes.into());
            }
            Content::Stream(stream) => {
                let passing = Passing::new(
                    stream,
                    &transfer.watch,
                    Arc::clone(&transfer.tally),
                    Direction::Out,
                );
                let passing = match wanted.changes {
                    Changes::Push => passing.reading_refs(),
                    Changes::Untold | Changes::Ref(_) => passing,
                };
                *request.body_mut() = Some(reqwest::Body::wrap(passing));
                wanted.streamed = true;
            }
        }
        let answered = self
            .hub
            .client
            .execute(request)
            .await
            .map_err(|fault| Arc::new(unreached(&fault)))?;
        Ok((answered, token))
    }

    /// The hub's answer on its way to the child.
    async fn back(
        &self,
        answered: reqwest::Response,
        token: &HubCredential,
        wanted: &AdmittedRequest,
        transfer: &Transfer,
    ) -> Response<AnswerBody> {
        let (parts, content) = Response::<reqwest::Body>::from(answered).into_parts();
        // A Xet token is for another host, and lives on whatever happens here.
        let xet = parts.headers.get("x-xet-token-expiration");
        let until = xet.and_then(|until| until.to_str().ok()?.parse().ok());
        if let Some(until) = until {
            self.counts.handed_out(Some(until));
        }
        let absent = [StatusCode::NOT_FOUND, StatusCode::NOT_IMPLEMENTED];
        if wanted.locks && absent.contains(&parts.status) {
            return answer::json(lfs::NO_LOCKS, "application/vnd.git-lfs+json");
        }
        let mut response = Response::new(body::whole(Bytes::new()));
        *response.status_mut() = parts.status;
        *response.headers_mut() = headers::to_child(&parts.headers);
        for name in [
            LOCATION,
            CONTENT_LOCATION,
            LINK,
            HeaderName::from_static("x-xet-refresh-route"),
        ] {
            self.lead_through(response.headers_mut(), &name, &wanted.target);
        }
        if wanted.batch && parts.status.is_success() {
            let rewritten = self.batch(content, token, wanted, transfer).await;
            let Some(bytes) = rewritten.filter(|_| !parts.headers.contains_key(CONTENT_ENCODING))
            else {
                let sentence = "the hub's answer about large files can't be passed on";
                return answer::error(
                    StatusCode::BAD_GATEWAY,
                    sentence,
                    "ask the hub's owner",
                    wanted.format,
                );
            };
            response.headers_mut().remove(CONTENT_LENGTH);
            // Counted as it was read. Its links leave under the watch too.
            let uncounted = Arc::default();
            let passing = Passing::new(
                body::whole(bytes),
                &transfer.watch,
                uncounted,
                Direction::Back,
            );
            *response.body_mut() = passing.boxed_unsync();
            return response;
        }
        let tally = Arc::clone(&transfer.tally);
        let passing = Passing::new(content, &transfer.watch, tally, Direction::Back);
        *response.body_mut() = passing.boxed_unsync();
        response
    }

    async fn batch(
        &self,
        content: reqwest::Body,
        token: &HubCredential,
        wanted: &AdmittedRequest,
        transfer: &Transfer,
    ) -> Option<Vec<u8>> {
        let bytes = body::read(content, lfs::MOST).await?;
        transfer.tally.received(bytes.len());
        let own = self.address();
        let way = lfs::Way {
            hub: &self.hub,
            links: &self.links,
            own: &own,
            repository: wanted.target.repository.as_ref()?,
            operation: wanted.target.operation,
            now_s: clock::now().wall_ms / 1000,
        };
        let value = headers::credential(token)?;
        let encoded = value.to_str().ok()?.split_once(' ')?.1;
        let led = lfs::through(&bytes, &way, &[token.token.expose(), encoded])?;
        for until in led.handed_out {
            self.counts.handed_out(until);
        }
        Some(led.bytes)
    }
}

fn unreached(fault: &reqwest::Error) -> Refusal {
    let why = match oam_http::fault::of(fault) {
        EndpointFault::NotSent { why } => format!("no connection to the hub could be made: {why}"),
        _ if fault.is_timeout() => "the hub did not answer in time".to_owned(),
        _ => "the connection to the hub broke".to_owned(),
    };
    Refusal::unavailable(why, "try again; if it stays so, run `oam doctor`")
}
