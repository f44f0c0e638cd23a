//! The one way out by HTTP: short requests with secrets in them, answers as facts.
//!
//! What is wiped here (R17): request bodies, and the buffer an answer is collected in. What is not
//! ours to wipe: the buffers of the TLS layer and of the socket below it.

mod bearing;
mod body;
pub(crate) mod fault;
mod roots;
#[cfg(test)]
pub(crate) mod stand_in;
mod streaming;
pub(crate) mod tokens;

pub(crate) use bearing::bearing;
pub use body::Payload;
pub(crate) use roots::ca_sha256;
pub use streaming::Streaming;
pub use tokens::{ExpiresIn, Tokens};

use oam_agent::ports::Clock;
use oam_config::agent::Provider;
use oam_model::answer::EndpointFault;
use oam_model::organization::Route;
use oam_model::time::Moment;
use reqwest::header::HeaderMap;
use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::time::{Duration, SystemTime};
use url::{Host, Url};
use zeroize::{Zeroize, Zeroizing};

/// Longest answer that is read, bytes.
pub const ANSWER_CAP: usize = 1024 * 1024;
/// Total time for a request, connecting and reading included, unless a caller has its own.
pub const TOTAL: Duration = Duration::from_secs(10);
/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// A client is rebuilt after this, so that an agent that lives for weeks sees changed system roots.
const CLIENT_AGE_MS: u64 = 24 * 3600 * 1000;

/// How an organization's requests travel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Via {
    ca_file: Option<String>,
    /// What the file must hold; none: nobody is bound to its content.
    ca_sha256: Option<String>,
    proxy: Option<String>,
}

impl Via {
    /// As the organization's provider settings say; they hold for its exchange too.
    pub fn of(provider: &Provider) -> Self {
        Self {
            ca_file: provider.ca_file.clone(),
            ca_sha256: provider.ca_sha256.clone(),
            proxy: provider.proxy.clone(),
        }
    }

    /// By these roots and this proxy, where they are said.
    #[must_use]
    pub fn with(self, route: Route) -> Self {
        let other = route.ca_file.is_some();
        Self {
            ca_sha256: self.ca_sha256.filter(|_| !other),
            ca_file: route.ca_file.or(self.ca_file),
            proxy: route.proxy.or(self.proxy),
        }
    }
}

/// What distinguishes clients.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    via: Via,
    /// A loopback address: no proxy, whatever the environment says.
    direct: bool,
    /// `http`: no roots are loaded.
    plain: bool,
}

struct Built {
    client: reqwest::Client,
    at: Moment,
    ca_changed: Option<SystemTime>,
}

/// HTTP clients, built at first use (TLS roots take 5 to 35 ms) and kept.
pub struct Http {
    clock: Rc<dyn Clock>,
    built: RefCell<HashMap<Key, Built>>,
}

/// An answer: facts, and a body that is wiped when it is dropped.
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// `Content-Type` without parameters, lower-case; empty when there is none.
    pub content_type: String,
    /// The body.
    pub body: Zeroizing<Vec<u8>>,
    /// `Retry-After` in seconds; a date there is not understood.
    pub retry_after_s: Option<u64>,
}

impl Http {
    /// No client is built yet.
    pub fn new(clock: Rc<dyn Clock>) -> Self {
        Self {
            clock,
            built: RefCell::default(),
        }
    }

    /// One POST, sent at most once.
    ///
    /// # Errors
    /// `NotSent` only when it is certain that no byte of the request arrived, else `Lost`; an
    /// answer longer than [`ANSWER_CAP`] counts by its status.
    pub async fn post(
        &self,
        via: &Via,
        url: &str,
        payload: Payload,
        total: Duration,
    ) -> Result<Answer, EndpointFault> {
        self.post_with(via, url, payload, HeaderMap::new(), total)
            .await
    }

    /// One POST with these headers besides, sent at most once.
    ///
    /// # Errors
    /// As [`Http::post`].
    pub async fn post_with(
        &self,
        via: &Via,
        url: &str,
        payload: Payload,
        headers: HeaderMap,
        total: Duration,
    ) -> Result<Answer, EndpointFault> {
        let url = endpoint(url).map_err(|why| EndpointFault::NotSent { why })?;
        let request = self
            .client(via, &url)?
            .post(url)
            .header(reqwest::header::CONTENT_TYPE, payload.content_type())
            .headers(headers)
            .body(payload.into_body());
        send(request, total).await
    }

    /// One GET of a JSON document.
    ///
    /// # Errors
    /// As [`Http::post`].
    pub async fn get(
        &self,
        via: &Via,
        url: &str,
        total: Duration,
    ) -> Result<Answer, EndpointFault> {
        self.get_with(via, url, HeaderMap::new(), total).await
    }

    /// One GET of a JSON document with these headers besides.
    ///
    /// # Errors
    /// As [`Http::post`].
    pub async fn get_with(
        &self,
        via: &Via,
        url: &str,
        headers: HeaderMap,
        total: Duration,
    ) -> Result<Answer, EndpointFault> {
        let url = endpoint(url).map_err(|why| EndpointFault::NotSent { why })?;
        send(self.client(via, &url)?.get(url).headers(headers), total).await
    }

    /// Now, from the same clock that everything here uses.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }

    fn client(&self, via: &Via, url: &Url) -> Result<reqwest::Client, EndpointFault> {
        let key = Key {
            via: via.clone(),
            direct: is_loopback(url),
            plain: url.scheme() == "http",
        };
        let now = self.clock.now();
        let ca_changed = via.ca_file.as_deref().and_then(changed_at);
        let mut built = self.built.borrow_mut();
        if let Some(known) = built.get(&key)
            && known.ca_changed == ca_changed
            && now.since(known.at) < CLIENT_AGE_MS
        {
            return Ok(known.client.clone());
        }
        let client = build(&key).map_err(|why| EndpointFault::NotSent { why })?;
        let fresh = Built {
            client: client.clone(),
            at: now,
            ca_changed,
        };
        built.insert(key, fresh);
        Ok(client)
    }
}

impl Answer {
    /// The answer of the organization's own issuer when its status is 200; its refusals are kept in the
    /// words that people read.
    ///
    /// # Errors
    /// [`EndpointFault::Denied`], or as [`Answer::ok`] when something else answered in its place.
    pub fn ok_of_issuer(self) -> Result<Self, EndpointFault> {
        if self.status != 200
            && let Some((error, denial)) = fault::denial(&self.body)
            // From 500 on nothing was decided, whatever stands in the body.
            && (self.status < 500 || denial.code.passes())
        {
            return Err(EndpointFault::Denied {
                status: self.status,
                error,
                denial: Box::new(denial),
                retry_after_s: self.retry_after_s,
            });
        }
        self.ok()
    }

    /// The answer when its status is 200.
    ///
    /// # Errors
    /// [`EndpointFault::Status`] otherwise, with nothing of the endpoint's own prose.
    pub fn ok(self) -> Result<Self, EndpointFault> {
        if self.status == 200 {
            return Ok(self);
        }
        let error = fault::oauth_error(&self.body);
        // A web page is what proxies and captive portals send: not the bare answer of a provider
        // that ends a session, which a repetition would make final.
        let page =
            self.content_type == "text/html" || self.body.trim_ascii_start().starts_with(b"<");
        Err(EndpointFault::Status {
            status: self.status,
            bare: error.is_none() && !page,
            error,
        })
    }
}

/// Parses a URL that a request may go to: https, or http to a loopback address (R35). User names,
/// passwords and fragments are refused: nothing of ours needs them, and they hide the real host.
///
/// # Errors
/// Our own words.
pub fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "the address is not a URL".to_owned())?;
    match url.scheme() {
        "https" => {}
        "http" if is_loopback(&url) => {}
        _ => {
            return Err(
                "the address is not https (http is for loopback addresses only)".to_owned(),
            );
        }
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("the address holds a user name, a password or a fragment".to_owned());
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn changed_at(path: &str) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}

fn build(key: &Key) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("oam/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        // A refresh token must be sent once: a kept connection that the peer has closed meanwhile
        // makes a client send again by itself, so none is kept, and no other retry is allowed.
        // The price, one handshake a request, is paid once a minute at most.
        .pool_max_idle_per_host(0)
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT);
    if key.plain {
        builder = builder.tls_certs_only([]);
    } else {
        builder = builder.https_only(true);
        if let Some(path) = &key.via.ca_file {
            builder = builder.tls_certs_merge(roots::roots(path, key.via.ca_sha256.as_deref())?);
        }
    }
    if key.direct {
        builder = builder.no_proxy();
    } else if let Some(proxy) = &key.via.proxy {
        let proxy = reqwest::Proxy::all(proxy.as_str())
            .map_err(|_| "the address in `proxy` is not a URL".to_owned())?;
        builder = builder.proxy(proxy);
    }
    builder.build().map_err(|_| {
        "the system's certificates can't be loaded: install the CA certificates of the system"
            .to_owned()
    })
}

async fn send(request: reqwest::RequestBuilder, total: Duration) -> Result<Answer, EndpointFault> {
    let response = request
        .header(reqwest::header::ACCEPT, "application/json")
        .timeout(total)
        .send()
        .await
        .map_err(|e| fault::of(&e))?;
    collect(response).await
}

async fn collect(mut response: reqwest::Response) -> Result<Answer, EndpointFault> {
    let status = response.status().as_u16();
    let content_type = content_type(response.headers());
    let retry_after_s = retry_after(response.headers());
    let announced = response.content_length().unwrap_or(0);
    let mut body = Zeroizing::new(Vec::with_capacity(
        usize::try_from(announced)
            .unwrap_or(ANSWER_CAP)
            .clamp(4096, ANSWER_CAP),
    ));
    while let Some(chunk) = response.chunk().await.map_err(|e| fault::lost(&e))? {
        if body.len() + chunk.len() > ANSWER_CAP {
            return Err(fault::too_long(status));
        }
        body::append(&mut body, &chunk);
        // Only when nobody else holds the same buffer; the HTTP layer often does.
        if let Ok(mut own) = chunk.try_into_mut() {
            own.as_mut().zeroize();
        }
    }
    Ok(Answer {
        status,
        content_type,
        body,
        retry_after_s,
    })
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    let value = headers.get(reqwest::header::RETRY_AFTER)?;
    value.to_str().ok()?.trim().parse().ok()
}

fn content_type(headers: &reqwest::header::HeaderMap) -> String {
    headers
        .get(reqwest::header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .map(|kind| kind.trim().to_ascii_lowercase())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
