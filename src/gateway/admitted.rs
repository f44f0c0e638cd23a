//! A request that may go to the hub: what is looked at before a token is asked for.

use crate::admit::admit;
use crate::answer::{self, ErrorFormat};
use crate::body::{self, AnswerBody};
use crate::capability::Shown;
use crate::forward::Gateway;
use crate::headers;
use crate::lfs;
use crate::link::Links;
use crate::route::{self, Changes, NoRoute, RequestRoute, classify};
use crate::source::{HubOperation, Target};
use bytes::Bytes;
use http::header::CONTENT_ENCODING;
use http::request::Parts;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use oam_model::name::Repository;
use serde::Deserialize;
use url::Url;

/// Longest body that creates a repository.
const CREATE: usize = 64 * 1024;

/// A request that was admitted, before it has a token.
pub(crate) struct AdmittedRequest {
    pub(crate) method: Method,
    pub(crate) url: Url,
    pub(crate) headers: HeaderMap,
    pub(crate) target: Target,
    pub(crate) body: Content,
    /// The answer is Git LFS's, with links.
    pub(crate) batch: bool,
    /// Git LFS asks for the locks of others before it pushes.
    pub(crate) locks: bool,
    /// Which refs it is about.
    pub(crate) changes: Changes,
    /// The body went out as it came, so it is gone.
    pub(crate) streamed: bool,
    pub(crate) format: ErrorFormat,
}

/// A request's body.
pub(crate) enum Content {
    Nothing,
    Whole(Bytes),
    Stream(Incoming),
}

impl Gateway {
    /// Admits a request, or answers it.
    pub(crate) async fn admitted(
        &self,
        request: Request<Incoming>,
        format: ErrorFormat,
    ) -> Result<AdmittedRequest, Box<Response<AnswerBody>>> {
        let forbidden =
            |sentence: &str| Box::new(answer::error(StatusCode::FORBIDDEN, sentence, "", format));
        let (parts, body) = request.into_parts();
        admit(&parts.method, &parts.uri, &parts.headers, self.own)
            .map_err(|error| forbidden(error.sentence()))?;
        self.still_serves(format)?;
        if Links::is_link(parts.uri.path()) {
            let (url, target) = self.linked(&parts).map_err(forbidden)?;
            return Ok(AdmittedRequest::stream(parts, body, url, target, format));
        }
        match self.capability.shown(&parts.headers) {
            Shown::Good => {}
            Shown::Nothing => return Err(Box::new(answer::show_capability(format))),
            Shown::Foreign => {
                return Err(forbidden(
                    "this credential is not the one of this gateway's command",
                ));
            }
        }
        let route = classify(&parts.method, parts.uri.path(), parts.uri.query());
        let route = route.map_err(|none: NoRoute| forbidden(none.sentence()))?;
        let address = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let away = || forbidden("this address leads away from the hub");
        let url = self.hub.address(address).ok_or_else(away)?;
        let most = match &route {
            RequestRoute::Settled(target) => {
                let changes = route::changes(&parts.method, parts.uri.path());
                let mut wanted = AdmittedRequest::stream(parts, body, url, target.clone(), format);
                wanted.changes = changes;
                return Ok(wanted);
            }
            RequestRoute::LfsBatch(_) => lfs::MOST,
            RequestRoute::Create => CREATE,
        };
        let unreadable = || forbidden("the gateway can't read what this request is to do");
        if parts.headers.contains_key(CONTENT_ENCODING) {
            return Err(unreadable());
        }
        let bytes = tokio::select! {
            biased;
            _ = body::ended(self.end.clone()) => None,
            bytes = body::read(body, most) => bytes,
        };
        self.still_serves(format)?;
        let bytes = bytes.ok_or_else(unreadable)?;
        let (target, batch) = match route {
            RequestRoute::LfsBatch(repository) => {
                (target(repository, lfs::operation(&bytes)), true)
            }
            RequestRoute::Create | RequestRoute::Settled(_) => (target_of_creation(&bytes), false),
        };
        let target = target.ok_or_else(unreadable)?;
        let mut wanted = AdmittedRequest::new(parts, Content::Whole(bytes), url, target, format);
        wanted.batch = batch;
        if batch {
            headers::take_no_encoding(&mut wanted.headers);
        }
        Ok(wanted)
    }

    /// Whether the identity has not ended; the refusal otherwise.
    fn still_serves(&self, format: ErrorFormat) -> Result<(), Box<Response<AnswerBody>>> {
        match &*self.end.borrow() {
            Some(refusal) => Err(Box::new(answer::refusal(refusal, format))),
            None => Ok(()),
        }
    }

    /// What one of this gateway's own links stands for; otherwise why it is none.
    fn linked(&self, parts: &Parts) -> Result<(Url, Target), &'static str> {
        let path = parts.uri.path_and_query();
        let linked = path.and_then(|path| self.links.read(path.as_str()));
        let linked = linked
            .filter(|linked| fits(&parts.method, linked.target.operation))
            .ok_or("this link was not made by this gateway")?;
        let url = self.hub.at_host(&linked.address);
        let url = url.ok_or("this link leads away from the hub")?;
        Ok((url, linked.target))
    }
}

impl AdmittedRequest {
    fn new(parts: Parts, body: Content, url: Url, target: Target, format: ErrorFormat) -> Self {
        Self {
            locks: lfs::verifies_locks(&parts.method, parts.uri.path()),
            headers: headers::to_hub(&parts.headers),
            method: parts.method,
            url,
            target,
            body,
            batch: false,
            format,
            changes: Changes::Untold,
            streamed: false,
        }
    }

    fn stream(parts: Parts, body: Incoming, url: Url, target: Target, format: ErrorFormat) -> Self {
        let body = if body.is_end_stream() {
            Content::Nothing
        } else {
            Content::Stream(body)
        };
        Self::new(parts, body, url, target, format)
    }
}

/// Whether a link for this operation takes the method.
fn fits(method: &Method, operation: HubOperation) -> bool {
    let reads = method == Method::GET || method == Method::HEAD;
    let writes = method == Method::PUT || method == Method::POST || method == Method::PATCH;
    reads || (writes && operation == HubOperation::Write)
}

fn target(repository: Repository, operation: Option<HubOperation>) -> Option<Target> {
    operation.map(|operation| Target {
        repository: Some(repository),
        operation,
    })
}

#[derive(Deserialize)]
struct Creation {
    name: String,
    organization: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
}

/// The repository that is to be created. Clients ask for it before each upload, and the hub says that it is there.
fn target_of_creation(body: &[u8]) -> Option<Target> {
    let creation: Creation = serde_json::from_slice(body).ok()?;
    let folder = match creation.kind.as_deref() {
        None | Some("model") => "",
        Some("dataset") => "datasets/",
        Some("space") => "spaces/",
        Some(_) => return None,
    };
    let owner = creation
        .organization
        .map_or(String::new(), |owner| format!("{owner}/"));
    let repository = format!("{folder}{owner}{}", creation.name).parse().ok()?;
    target(repository, Some(HubOperation::Write))
}
