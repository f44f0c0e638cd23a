//! `/scim/v2`: the company's directory (RFC 7644). A directory shows its token with every request; what it may see
//! and change are the people and groups of its own source.

mod discovery;
mod groups;
mod query;
mod reply;
mod users;

use super::bearer;
use super::body::{self, Bytes};
use crate::grant::RequestOrigin;
use crate::record;
use crate::refused::{OAuthError, Refused};
use crate::scim::ScimError;
use crate::scim::provision::{Directory, IfMatch};
use crate::secrets::{DirectoryToken, verify_directory};
use crate::state::{Issuer, LiveConfig};
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, RawQuery, State};
use axum::http::header::IF_MATCH;
use axum::http::{HeaderMap, Method};
use axum::response::Response;
use axum::routing::any;
use discovery::About;
use oam_model::audit::AuditEvent;
use oam_model::issuer::DirectorySettings;
use oam_model::name::SourceName;
use oam_model::refusal::Refusal;
use oam_policy::rate::Rate;
use oam_system::clock;
use query::Query;
use serde_json::Value;
use std::sync::Arc;

/// How often it is noted that a directory was heard.
const HEARD: Rate = Rate::new(1, 1);
/// Largest body whatever the limits say, bytes.
const MOST: usize = 16 << 20;

/// What an address is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Users,
    Groups,
    About(About),
    Search(Of),
    Bulk,
    Me,
}

/// Whom a search is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Of {
    Users,
    Groups,
    Both,
}

/// The routes below `/scim/v2`.
pub(super) fn routes() -> Router<Arc<Issuer>> {
    let of = |kind: Kind| {
        any(
            move |State(issuer): State<Arc<Issuer>>,
                  Extension(origin): Extension<RequestOrigin>,
                  id: Option<Path<String>>,
                  RawQuery(query): RawQuery,
                  method: Method,
                  headers: HeaderMap,
                  body: Body| async move {
                let id = id.map(|Path(id)| id);
                match Asked::by(issuer, origin, headers, query).await {
                    Ok(asked) => asked.serve(kind, method, id, body).await,
                    Err(error) => reply::error(&error),
                }
            },
        )
    };
    let about = |about| of(Kind::About(about));
    Router::new()
        .route("/Users", of(Kind::Users))
        .route("/Users/.search", of(Kind::Search(Of::Users)))
        .route("/Users/{id}", of(Kind::Users))
        .route("/Groups", of(Kind::Groups))
        .route("/Groups/.search", of(Kind::Search(Of::Groups)))
        .route("/Groups/{id}", of(Kind::Groups))
        .route("/.search", of(Kind::Search(Of::Both)))
        .route("/ServiceProviderConfig", about(About::Config))
        .route("/ResourceTypes", about(About::ResourceTypes))
        .route("/ResourceTypes/{id}", about(About::ResourceTypes))
        .route("/Schemas", about(About::Schemas))
        .route("/Schemas/{id}", about(About::Schemas))
        .route("/Bulk", of(Kind::Bulk))
        .route("/Me", of(Kind::Me))
        .fallback(nothing)
}

/// A request whose directory is known.
struct Asked {
    issuer: Arc<Issuer>,
    live_config: Arc<LiveConfig>,
    origin: RequestOrigin,
    source: SourceName,
    settings: DirectorySettings,
    headers: HeaderMap,
    query: Option<String>,
    expected: IfMatch,
}

impl Asked {
    /// Who asks. A refusal is on record.
    async fn by(
        issuer: Arc<Issuer>,
        origin: RequestOrigin,
        headers: HeaderMap,
        query: Option<String>,
    ) -> Result<Self, ScimError> {
        let live_config = issuer.live_config();
        let source = directory(&issuer, &live_config, &origin, &headers).await?;
        let settings = live_config
            .identities
            .source(&source)
            .and_then(|one| one.scim);
        let settings = settings.ok_or_else(unconfigured)?;
        let rate = Rate::new(
            settings.requests_per_minute,
            settings.requests_per_minute / 6,
        );
        let now = clock::steady();
        if let Err(wait_s) = issuer.directories.requests.ask(rate, &source, now) {
            return Err(slow_down(wait_s));
        }
        let expected = headers.get(IF_MATCH).and_then(|value| value.to_str().ok());
        let asked = Self {
            expected: IfMatch::read(expected),
            issuer,
            live_config,
            origin,
            source,
            settings,
            headers,
            query,
        };
        let heard = &asked.issuer.directories.heard;
        if heard.ask(HEARD, &asked.source, now).is_ok() {
            asked.directory().heard().await;
        }
        Ok(asked)
    }

    fn directory(&self) -> Directory<'_> {
        Directory {
            issuer: &self.issuer,
            origin: &self.origin,
            source: self.source.clone(),
            settings: self.settings,
        }
    }

    /// Base of the addresses that are told.
    fn url(&self) -> String {
        url(&self.live_config)
    }

    fn query(&self) -> Result<Query, ScimError> {
        Query::read(self.query.as_deref())
    }

    async fn serve(&self, kind: Kind, method: Method, id: Option<String>, body: Body) -> Response {
        let changes = method != Method::GET && !matches!(kind, Kind::Search(_));
        let answer = match kind {
            Kind::Users => users::answer(self, method, id, body).await,
            Kind::Groups => groups::answer(self, method, id, body).await,
            Kind::Search(_) if method != Method::POST => Ok(other_method()),
            Kind::Search(of) => self.search(of, body).await,
            Kind::About(_) if method != Method::GET => Ok(other_method()),
            Kind::About(about) => discovery::answer(self, about, id.as_deref()),
            Kind::Bulk => Err(ScimError::new(
                501,
                None,
                "bulk requests are not taken: send each operation by itself, as ServiceProviderConfig says",
            )),
            Kind::Me => Err(ScimError::new(
                501,
                None,
                "a directory is nobody in particular: name a user by its id",
            )),
        };
        match answer {
            Ok(response) => response,
            // On record: a directory whose words are not taken leaves a leaver active, also where they are about a
            // record that is not there, is another's, or has another version. To look for such a record is no word.
            Err(error)
                if matches!(error.status, 400 | 413 | 415)
                    || (changes && matches!(error.status, 403 | 404 | 409 | 412 | 501)) =>
            {
                let told = refuse(&self.issuer, &self.origin, Some(&self.source), error).await;
                reply::error(&told)
            }
            Err(error) => reply::error(&error),
        }
    }

    /// A search whose query is a body (RFC 7644 §3.4.3): among users, groups, or users and then groups.
    async fn search(&self, of: Of, body: Body) -> Result<Response, ScimError> {
        let query = Query::of_body(&self.body(body).await?)?;
        match of {
            Of::Users => return users::list(self, &query).await,
            Of::Groups => return groups::list(self, &query).await,
            Of::Both => {}
        }
        // A filter of which one of the two knows nothing finds none of them.
        let (users, groups) = (query.wanted(false), query.wanted(true));
        if let (Err(error), Err(_)) = (&users, &groups) {
            return Err(error.clone());
        }
        let (mut all, mut total) = (Vec::new(), 0);
        if users.is_ok() {
            (all, total) = users::found(self, &query).await?;
        }
        if groups.is_ok() {
            let rest = query.clone().behind(total, all.len());
            let (more, of_groups) = groups::found(self, &rest).await?;
            all.extend(more);
            total += of_groups;
        }
        Ok(reply::list(all, total, &query))
    }

    async fn body(&self, body: Body) -> Result<Value, ScimError> {
        let most = self.live_config.settings.limits.body_bytes.min(MOST);
        let types = ["application/scim+json", "application/json"];
        let bytes = body::read(&self.issuer, &self.headers, body, &types, most).await;
        let bytes: Bytes = bytes.map_err(|refused| ScimError {
            retry_after_s: refused.retry_after_s,
            ..ScimError::new(
                refused.status.unwrap_or_else(|| refused.error.status()),
                None,
                format!("{}: {}", refused.refusal.sentence, refused.refusal.next),
            )
        })?;
        serde_json::from_slice(&bytes)
            .map_err(|_| ScimError::syntax("the body is not JSON: send one object"))
    }
}

fn url(live_config: &LiveConfig) -> String {
    format!("{}/scim/v2", live_config.settings.url)
}

/// The source whose directory's token the request shows.
async fn directory(
    issuer: &Issuer,
    live_config: &LiveConfig,
    origin: &RequestOrigin,
    headers: &HeaderMap,
) -> Result<SourceName, ScimError> {
    let sources = live_config.settings.sources.iter();
    let sources: Vec<&SourceName> = sources
        .filter(|source| source.scim.is_some())
        .map(|source| &source.name)
        .collect();
    if sources.is_empty() {
        return Err(unconfigured());
    }
    let Ok(token) = bearer::token(headers) else {
        let why = "the request shows no token: send it as `Authorization: Bearer`";
        return Err(refuse(issuer, origin, None, unauthorized(why)).await);
    };
    let verified = verify_directory(&*issuer.store, &sources, &token, clock::now_ms()).await;
    match verified.map_err(|fault| ScimError::of(&fault))? {
        DirectoryToken::Good(source) => Ok(source),
        DirectoryToken::Over(source) => {
            let why = "this token is over: make another one with `oam-issuer scim token`";
            Err(refuse(issuer, origin, Some(&source), unauthorized(why)).await)
        }
        DirectoryToken::Foreign => {
            let why = "this token is of no directory here: make one with `oam-issuer scim token`";
            Err(refuse(issuer, origin, None, unauthorized(why)).await)
        }
    }
}

fn unauthorized(why: &str) -> ScimError {
    ScimError::new(401, None, why)
}

fn unconfigured() -> ScimError {
    ScimError::new(
        404,
        None,
        "no source of this issuer has a directory: add `[sources.NAME.scim]` to its configuration",
    )
}

fn slow_down(wait_s: u64) -> ScimError {
    ScimError {
        retry_after_s: Some(wait_s),
        ..ScimError::new(
            429,
            None,
            format!("asked too often: try again in {wait_s} s"),
        )
    }
}

/// Puts a refusal on record, and tells what leaves.
async fn refuse(
    issuer: &Issuer,
    origin: &RequestOrigin,
    source: Option<&SourceName>,
    error: ScimError,
) -> ScimError {
    let mut entry = issuer.entry(AuditEvent::Refusal);
    record::origin(&mut entry, origin);
    entry.source = source.cloned();
    let refusal = Refusal::bad_request(
        format!("a directory's request was refused: {}", error.detail),
        "compare the directory's settings with the issuer's",
    );
    let refused = Refused::new(OAuthError::InvalidRequest, refusal);
    let told = record::refusal(issuer, entry, refused, origin.from).await;
    issuer.metrics.refused(told.refusal.code);
    if told.error == OAuthError::SlowDown {
        return slow_down(told.retry_after_s.unwrap_or(1));
    }
    error
}

async fn nothing() -> Response {
    reply::error(&ScimError::new(
        404,
        None,
        "there is nothing at this address: /Users and /Groups are",
    ))
}

fn other_method() -> Response {
    reply::error(&ScimError::new(
        405,
        None,
        "this address takes another method",
    ))
}
