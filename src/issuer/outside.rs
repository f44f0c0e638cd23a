//! The issuer's one way out by HTTP: to identity sources and to hubs. Answers are facts; nothing of
//! the peer's prose is kept.
//!
//! Wiped (R17): the request bodies and the buffer an answer is collected in. Not ours to wipe: header
//! values, and the buffers of the TLS layer and the socket.

mod answer;
mod body;
mod fault;
#[cfg(test)]
mod tests;

pub use answer::Answer;

use body::Payload;
use oam_model::answer::EndpointFault;
use oam_model::issuer::IssuerSettings;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use serde::Serialize;
use std::collections::HashMap;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use url::{Host, Url};
use zeroize::Zeroizing;

/// Longest answer that is read, bytes.
pub const ANSWER_CAP: usize = 1024 * 1024;
/// Total time for a request, connecting and reading included, unless a caller has its own.
pub const TOTAL: Duration = Duration::from_secs(10);
/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// A connection is kept this long without use: shorter than the 5 s after which common servers close
/// theirs, so that a request does not run into one that is just being closed.
const IDLE: Duration = Duration::from_secs(4);
/// A client is rebuilt after this, so that an issuer that runs for months sees changed system roots.
const CLIENT_AGE: Duration = Duration::from_hours(24);
/// Largest `ca_file`, bytes.
const CA_CAP: u64 = 4 * 1024 * 1024;

/// What a request shows of its sender.
#[derive(Clone, Copy)]
pub enum Auth<'a> {
    /// Nothing.
    None,
    /// Client credentials as RFC 6749 §2.3.1 encodes them.
    Basic {
        /// Client id.
        id: &'a str,
        /// Client secret.
        secret: &'a Secret,
    },
    /// RFC 6750.
    Bearer(&'a Secret),
}

/// What distinguishes clients.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Kind {
    /// A loopback address: no proxy, whatever the environment says.
    direct: bool,
    /// `http`: no roots are loaded.
    plain: bool,
}

struct Built {
    client: reqwest::Client,
    at: Instant,
    ca_changed: Option<SystemTime>,
}

/// HTTP clients, built at first use (TLS roots take 5 to 35 ms) and kept, with their connections.
pub struct Outside {
    ca_file: Option<String>,
    proxy: Option<String>,
    built: Mutex<HashMap<Kind, Built>>,
}

/// Requests with their own total time.
#[derive(Clone, Copy)]
pub struct Within<'a> {
    outside: &'a Outside,
    total: Duration,
}

impl Outside {
    /// No client is built yet; `proxy` and `ca_file` are looked at now, so that a wrong one is said
    /// at start and not at the first exchange.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(settings: &IssuerSettings) -> Result<Self, Refusal> {
        Self::through(settings.ca_file.clone(), settings.proxy.clone())
            .map_err(|why| Refusal::bad_request(why, "correct it in the issuer's configuration"))
    }

    pub(crate) fn through(ca_file: Option<String>, proxy: Option<String>) -> Result<Self, String> {
        if let Some(proxy) = &proxy {
            proxy_of(proxy)?;
        }
        if let Some(path) = &ca_file {
            roots(path)?;
        }
        Ok(Self {
            ca_file,
            proxy,
            built: Mutex::default(),
        })
    }

    /// The same with another total time for each request.
    pub const fn within(&self, total: Duration) -> Within<'_> {
        Within {
            outside: self,
            total,
        }
    }

    /// One GET of a JSON document. As [`Within::get_json`], in [`TOTAL`].
    pub async fn get_json(
        &self,
        url: &str,
        bearer: Option<&Secret>,
    ) -> Result<Answer, EndpointFault> {
        self.within(TOTAL).get_json(url, bearer).await
    }

    /// One POST of a form. As [`Within::post_form`], in [`TOTAL`].
    pub async fn post_form(
        &self,
        url: &str,
        pairs: &[(&str, &str)],
        auth: Auth<'_>,
    ) -> Result<Answer, EndpointFault> {
        self.within(TOTAL).post_form(url, pairs, auth).await
    }

    /// One POST of a JSON document. As [`Within::post_json`], in [`TOTAL`].
    pub async fn post_json<T: Serialize + Sync>(
        &self,
        url: &str,
        value: &T,
        auth: Auth<'_>,
    ) -> Result<Answer, EndpointFault> {
        self.within(TOTAL).post_json(url, value, auth).await
    }

    fn client(&self, url: &Url) -> Result<reqwest::Client, String> {
        let kind = Kind {
            direct: is_loopback(url),
            plain: url.scheme() == "http",
        };
        let ca_changed = self.ca_file.as_deref().and_then(changed_at);
        // A panic elsewhere can't leave the map half written: what is in it is still good.
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = built.get(&kind)
            && known.ca_changed == ca_changed
            && known.at.elapsed() < CLIENT_AGE
        {
            return Ok(known.client.clone());
        }
        let client = self.build(kind)?;
        let fresh = Built {
            client: client.clone(),
            at: Instant::now(),
            ca_changed,
        };
        built.insert(kind, fresh);
        Ok(client)
    }

    fn build(&self, kind: Kind) -> Result<reqwest::Client, String> {
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("oam-issuer/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            // A hub that was asked for a token may have made it although its answer was lost: asking
            // again is the caller's decision.
            .retry(reqwest::retry::never())
            .pool_idle_timeout(IDLE)
            .referer(false)
            .connect_timeout(CONNECT);
        if kind.plain {
            builder = builder.tls_certs_only([]);
        } else {
            builder = builder.https_only(true);
            if let Some(path) = &self.ca_file {
                builder = builder.tls_certs_merge(roots(path)?);
            }
        }
        if kind.direct {
            builder = builder.no_proxy();
        } else if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy_of(proxy)?);
        }
        builder.build().map_err(|_| {
            "the system's certificates can't be loaded: install the CA certificates of the system"
                .to_owned()
        })
    }
}

impl Within<'_> {
    /// One GET of a JSON document, with `bearer` when one is given.
    ///
    /// # Errors
    /// [`EndpointFault::NotSent`] only when it is certain that no byte of the request arrived, else
    /// `Lost`; an answer longer than [`ANSWER_CAP`] counts by its status. Any status is an answer:
    /// [`Answer::ok`] tells them apart.
    pub async fn get_json(
        self,
        url: &str,
        bearer: Option<&Secret>,
    ) -> Result<Answer, EndpointFault> {
        let (client, url) = self.way(url)?;
        let auth = bearer.map_or(Auth::None, Auth::Bearer);
        self.send(client.get(url), auth).await
    }

    /// One POST of a form, sent at most once.
    ///
    /// # Errors
    /// As [`Within::get_json`].
    pub async fn post_form(
        self,
        url: &str,
        pairs: &[(&str, &str)],
        auth: Auth<'_>,
    ) -> Result<Answer, EndpointFault> {
        self.post(url, Payload::form(pairs), auth).await
    }

    /// One POST of a JSON document, sent at most once.
    ///
    /// # Errors
    /// As [`Within::get_json`]; `NotSent` for a value that is no JSON.
    pub async fn post_json<T: Serialize + Sync>(
        self,
        url: &str,
        value: &T,
        auth: Auth<'_>,
    ) -> Result<Answer, EndpointFault> {
        let payload = Payload::json(value).map_err(|why| EndpointFault::NotSent { why })?;
        self.post(url, payload, auth).await
    }

    async fn post(
        self,
        url: &str,
        payload: Payload,
        auth: Auth<'_>,
    ) -> Result<Answer, EndpointFault> {
        let (client, url) = self.way(url)?;
        let request = client
            .post(url)
            .header(CONTENT_TYPE, payload.content_type())
            .body(payload.into_body());
        self.send(request, auth).await
    }

    fn way(self, url: &str) -> Result<(reqwest::Client, Url), EndpointFault> {
        let found = endpoint(url).and_then(|url| Ok((self.outside.client(&url)?, url)));
        found.map_err(|why| EndpointFault::NotSent { why })
    }

    async fn send(
        self,
        request: reqwest::RequestBuilder,
        auth: Auth<'_>,
    ) -> Result<Answer, EndpointFault> {
        let mut request = request
            .header(ACCEPT, "application/json")
            .timeout(self.total);
        if let Some(value) = authorization(auth)? {
            request = request.header(AUTHORIZATION, value);
        }
        let response = request.send().await.map_err(|e| fault::of(&e))?;
        answer::collect(response).await
    }
}

fn authorization(auth: Auth<'_>) -> Result<Option<HeaderValue>, EndpointFault> {
    let text = match auth {
        Auth::None => return Ok(None),
        Auth::Bearer(token) => Zeroizing::new(format!("Bearer {}", token.expose())),
        Auth::Basic { id, secret } => body::basic(id, secret),
    };
    let mut value = HeaderValue::from_str(&text).map_err(|_| EndpointFault::NotSent {
        why: "the credential holds characters that no header takes".to_owned(),
    })?;
    // Left out of every Debug of the HTTP layer.
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Parses a URL that a request may go to: https, or http to a loopback address (R35). User names,
/// passwords and fragments are refused: nothing of ours needs them, and they hide the real host.
///
/// # Errors
/// Our own words.
pub fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|_| "the address is not a URL".to_owned())?;
    let allowed = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(&url));
    if !allowed {
        return Err("the address is not https (http is for loopback addresses only)".to_owned());
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

fn proxy_of(text: &str) -> Result<reqwest::Proxy, String> {
    reqwest::Proxy::all(text).map_err(|_| "the address in `proxy` is not a URL".to_owned())
}

fn roots(path: &str) -> Result<Vec<reqwest::Certificate>, String> {
    let mut pem = Vec::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(CA_CAP).read_to_end(&mut pem))
        .map_err(|e| format!("the file of `ca_file` can't be read ({})", e.kind()))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(list) if !list.is_empty() => Ok(list),
        _ => Err("the file of `ca_file` holds no PEM certificate".to_owned()),
    }
}
