//! Clients by way and policy: built at first use (TLS roots take 5 to 35 ms) and kept.

use crate::answer::{Answer, collect};
use crate::body::Payload;
use crate::proxy::proxy;
use crate::{endpoint, fault, is_loopback, roots, tls};
use oam_model::answer::EndpointFault;
use oam_model::organization::Route;
use oam_model::time::Moment;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};
use url::Url;

/// Time to connect, TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// A client is rebuilt after this, so that a program that runs for weeks sees changed system roots.
const CLIENT_AGE_MS: u64 = 24 * 3600 * 1000;

/// What one side's requests have in common.
#[derive(Debug, Clone, Copy)]
pub struct ClientPolicy {
    /// `User-Agent`.
    pub user_agent: &'static str,
    /// How long a connection is kept without use; none: each request has its own. A refresh token must be
    /// sent once, and a kept connection that the peer has closed meanwhile makes a client send again by itself.
    pub kept: Option<Duration>,
}

/// How requests travel.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Via {
    /// Roots besides the system's.
    pub ca_file: Option<String>,
    /// What the file must hold; none: nobody is bound to its content.
    pub ca_sha256: Option<String>,
    /// The proxy, in place of the environment's.
    pub proxy: Option<String>,
    /// Private file with the user name and password for it.
    pub proxy_auth_file: Option<String>,
}

impl Via {
    /// By these roots and this proxy, where they are said.
    #[must_use]
    pub fn with(self, route: Route) -> Self {
        let other = route.ca_file.is_some();
        // Who we are to one proxy is no business of another.
        let proxy_auth_file = match (&route.proxy, &route.proxy_auth_file) {
            (_, Some(file)) => Some(file.clone()),
            (Some(_), None) => None,
            (None, None) => self.proxy_auth_file,
        };
        Self {
            ca_sha256: self.ca_sha256.filter(|_| !other),
            ca_file: route.ca_file.or(self.ca_file),
            proxy: route.proxy.or(self.proxy),
            proxy_auth_file,
        }
    }

    /// Looks at roots and proxy, so that wrong ones are said at start and not at the first request.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn check(&self) -> Result<(), String> {
        if let Some(text) = &self.proxy {
            proxy(text, self.proxy_auth_file.as_deref())?;
        }
        if let Some(path) = &self.ca_file {
            roots(path, self.ca_sha256.as_deref())?;
        }
        Ok(())
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
    changed: [Option<SystemTime>; 2],
}

/// HTTP clients of one policy.
pub struct HttpClient {
    policy: ClientPolicy,
    built: Mutex<HashMap<Key, Built>>,
}

impl HttpClient {
    /// No client is built yet.
    pub fn new(policy: ClientPolicy) -> Self {
        Self {
            policy,
            built: Mutex::default(),
        }
    }

    /// One POST with these headers besides, sent at most once.
    ///
    /// # Errors
    /// `NotSent` only when it is certain that no byte of the request arrived, else `Lost`; an
    /// answer longer than [`ANSWER_CAP`](crate::ANSWER_CAP) counts by its status. Any status is an answer:
    /// [`Answer::ok`] tells them apart.
    pub async fn post(
        &self,
        via: &Via,
        url: &str,
        payload: Payload,
        headers: HeaderMap,
        within: (Moment, Duration),
    ) -> Result<Answer, EndpointFault> {
        let (client, url) = self.client(via, url, within.0)?;
        let request = client
            .post(url)
            .header(CONTENT_TYPE, payload.content_type())
            .headers(headers)
            .body(payload.into_body());
        send(request, within.1).await
    }

    /// One GET of a JSON document with these headers besides.
    ///
    /// # Errors
    /// As [`HttpClient::post`].
    pub async fn get(
        &self,
        via: &Via,
        url: &str,
        headers: HeaderMap,
        within: (Moment, Duration),
    ) -> Result<Answer, EndpointFault> {
        let (client, url) = self.client(via, url, within.0)?;
        send(client.get(url).headers(headers), within.1).await
    }

    /// One GET of a JSON document whose answer is told with its headers.
    ///
    /// # Errors
    /// As [`HttpClient::post`].
    pub async fn get_with_headers(
        &self,
        via: &Via,
        url: &str,
        headers: HeaderMap,
        within: (Moment, Duration),
    ) -> Result<(HeaderMap, Answer), EndpointFault> {
        let (client, url) = self.client(via, url, within.0)?;
        let response = sent(client.get(url).headers(headers), within.1).await?;
        let headers = response.headers().clone();
        Ok((headers, collect(response).await?))
    }

    /// The client for an address that a request may go to.
    ///
    /// # Errors
    /// `NotSent`: no such address, or roots or proxy can't be used.
    pub fn client(
        &self,
        via: &Via,
        url: &str,
        now: Moment,
    ) -> Result<(reqwest::Client, Url), EndpointFault> {
        let found = endpoint(url).and_then(|url| Ok((self.built(via, &url, now)?, url)));
        found.map_err(|why| EndpointFault::NotSent { why })
    }

    fn built(&self, via: &Via, url: &Url, now: Moment) -> Result<reqwest::Client, String> {
        let key = Key {
            via: via.clone(),
            direct: is_loopback(url),
            plain: url.scheme() == "http",
        };
        let files = [via.ca_file.as_deref(), via.proxy_auth_file.as_deref()];
        let changed = files.map(|file| file.and_then(changed_at));
        // A panic elsewhere can't leave the map half written: what is in it is still good.
        let mut built = self.built.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = built.get(&key)
            && known.changed == changed
            && now.since(known.at) < CLIENT_AGE_MS
        {
            return Ok(known.client.clone());
        }
        let client = build(&key, self.policy)?;
        let fresh = Built {
            client: client.clone(),
            at: now,
            changed,
        };
        built.insert(key, fresh);
        Ok(client)
    }
}

fn changed_at(path: &str) -> Option<SystemTime> {
    std::fs::metadata(path).and_then(|m| m.modified()).ok()
}

const NO_ROOTS: &str =
    "the system's certificates can't be loaded: install the CA certificates of the system";

fn build(key: &Key, policy: ClientPolicy) -> Result<reqwest::Client, String> {
    let mut builder = reqwest::Client::builder()
        .user_agent(policy.user_agent)
        .redirect(reqwest::redirect::Policy::none())
        // What was asked for may have been done although its answer was lost: asking again is the
        // caller's decision.
        .retry(reqwest::retry::never())
        .referer(false)
        .connect_timeout(CONNECT);
    builder = match policy.kept {
        Some(idle) => builder.pool_idle_timeout(idle),
        None => builder.pool_max_idle_per_host(0),
    };
    if key.plain {
        builder = builder.tls_certs_only([]);
    } else {
        let roots = match &key.via.ca_file {
            Some(path) => roots(path, key.via.ca_sha256.as_deref())?,
            None => Vec::new(),
        };
        let tls = tls::config(roots).map_err(|_| NO_ROOTS.to_owned())?;
        builder = builder.https_only(true).tls_backend_preconfigured(tls);
    }
    if key.direct {
        builder = builder.no_proxy();
    } else if let Some(text) = &key.via.proxy {
        builder = builder.proxy(proxy(text, key.via.proxy_auth_file.as_deref())?);
    }
    builder.build().map_err(|_| NO_ROOTS.to_owned())
}

async fn send(request: reqwest::RequestBuilder, total: Duration) -> Result<Answer, EndpointFault> {
    collect(sent(request, total).await?).await
}

async fn sent(
    request: reqwest::RequestBuilder,
    total: Duration,
) -> Result<reqwest::Response, EndpointFault> {
    let request = request.header(ACCEPT, "application/json").timeout(total);
    request.send().await.map_err(|e| fault::of(&e))
}

#[cfg(test)]
mod tests {
    use super::{ClientPolicy, HttpClient, Via};
    use oam_model::answer::EndpointFault;
    use oam_model::time::Moment;
    use std::time::SystemTime;

    const NOW: Moment = Moment::new(1_000_000, 1_790_000_000_000);
    const TLS: &str = "https://127.0.0.1:9/";
    const PLAIN: &str = "http://127.0.0.1:9/";

    fn client() -> HttpClient {
        HttpClient::new(ClientPolicy {
            user_agent: "oam",
            kept: None,
        })
    }

    fn why(http: &HttpClient, via: &Via) -> String {
        match http.client(via, TLS, NOW).err() {
            Some(EndpointFault::NotSent { why }) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_client_is_kept_until_its_roots_change_or_a_day_is_over() {
        let http = client();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let via = Via {
            ca_file: Some(file.to_string_lossy().into_owned()),
            ..Via::default()
        };
        assert!(why(&http, &via).contains("ca_file"));
        std::fs::write(&file, "no certificate").unwrap();
        assert!(why(&http, &via).contains("PEM"));
        let built_at = |now: Moment| {
            http.client(&via, PLAIN, now).ok().unwrap();
            http.built.lock().unwrap().values().next().unwrap().at
        };
        assert_eq!(built_at(NOW), NOW);
        let later = NOW.plus(3_600_000);
        assert_eq!(built_at(later), NOW);
        std::fs::File::options()
            .write(true)
            .open(&file)
            .unwrap()
            .set_modified(SystemTime::UNIX_EPOCH)
            .unwrap();
        assert_eq!(built_at(later), later);
        let next_day = later.plus(24 * 3_600_000);
        assert_eq!(built_at(next_day), next_day);
    }

    #[test]
    fn roots_that_are_not_those_of_the_sign_in_are_not_trusted() {
        let http = client();
        let folder = tempfile::tempdir().unwrap();
        let bound_to = |path: &std::path::Path| {
            let path = path.to_string_lossy().into_owned();
            Via {
                ca_sha256: Some(crate::ca_sha256(&path)),
                ca_file: Some(path),
                ..Via::default()
            }
        };
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, "the company's").unwrap();
        let bound = bound_to(&file);
        assert!(
            why(&http, &bound).contains("PEM"),
            "it is read as it was bound"
        );
        std::fs::write(&file, "somebody else's").unwrap();
        assert!(why(&http, &bound).contains("something else than"));
        // What can't be read binds to nothing that comes later.
        let missing = folder.path().join("gone.pem");
        let unread = bound_to(&missing);
        std::fs::write(&missing, "put there later").unwrap();
        assert!(why(&http, &unread).contains("something else than"));
    }
}
