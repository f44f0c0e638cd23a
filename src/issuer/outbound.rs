//! The issuer's requests, to identity sources and to hubs: by the client of both sides, on kept connections.

#[cfg(test)]
mod tests;

pub use oam_http::{ANSWER_CAP, Answer, Auth, TOTAL, endpoint};

use oam_http::{ClientPolicy, HttpClient, Payload, Via};
use oam_model::answer::EndpointFault;
use oam_model::issuer::IssuerSettings;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use oam_system::clock;
use reqwest::header::HeaderMap;
use serde::Serialize;
use std::time::Duration;

/// A connection is kept this long without use: shorter than the 5 s after which common servers close
/// theirs, so that a request does not run into one that is just being closed.
const KEPT: Duration = Duration::from_secs(4);
const POLICY: ClientPolicy = ClientPolicy {
    user_agent: concat!("oam-issuer/", env!("CARGO_PKG_VERSION")),
    kept: Some(KEPT),
};

/// HTTP clients by one way, with their connections.
pub struct OutboundClient {
    http: HttpClient,
    via: Via,
}

/// Requests with their own total time.
#[derive(Clone, Copy)]
pub struct DeadlineClient<'a> {
    outside: &'a OutboundClient,
    total: Duration,
}

impl OutboundClient {
    /// No client is built yet; `proxy` and `ca_file` are looked at now, so that a wrong one is said
    /// at start and not at the first exchange.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(settings: &IssuerSettings) -> Result<Self, Refusal> {
        let via = Via {
            ca_file: settings.ca_file.clone(),
            ca_sha256: None,
            proxy: settings.proxy.clone(),
            proxy_auth_file: settings.proxy_auth_file.clone(),
        };
        Self::through(via)
            .map_err(|why| Refusal::bad_request(why, "correct it in the issuer's configuration"))
    }

    pub(crate) fn through(via: Via) -> Result<Self, String> {
        via.check()?;
        Ok(Self {
            http: HttpClient::new(POLICY),
            via,
        })
    }

    /// The same with another total time for each request.
    pub const fn within(&self, total: Duration) -> DeadlineClient<'_> {
        DeadlineClient {
            outside: self,
            total,
        }
    }

    /// One GET of a JSON document. As [`DeadlineClient::get_json`], in [`TOTAL`].
    pub async fn get_json(
        &self,
        url: &str,
        bearer: Option<&Secret>,
    ) -> Result<Answer, EndpointFault> {
        self.within(TOTAL).get_json(url, bearer).await
    }

    /// One GET of a JSON document with these headers, in [`TOTAL`]; the answer is told with its own.
    ///
    /// # Errors
    /// As [`DeadlineClient::get_json`].
    pub async fn get_with_headers(
        &self,
        url: &str,
        headers: HeaderMap,
    ) -> Result<(HeaderMap, Answer), EndpointFault> {
        let within = (clock::now(), TOTAL);
        self.http
            .get_with_headers(&self.via, url, headers, within)
            .await
    }

    /// One POST of a form. As [`DeadlineClient::post_form`], in [`TOTAL`].
    pub async fn post_form(
        &self,
        url: &str,
        pairs: &[(&str, &str)],
        auth: Auth<'_>,
    ) -> Result<Answer, EndpointFault> {
        self.within(TOTAL).post_form(url, pairs, auth).await
    }

    /// One POST of a JSON document. As [`DeadlineClient::post_json`], in [`TOTAL`].
    pub async fn post_json<T: Serialize + Sync>(
        &self,
        url: &str,
        value: &T,
        auth: Auth<'_>,
    ) -> Result<Answer, EndpointFault> {
        self.within(TOTAL).post_json(url, value, auth).await
    }
}

impl DeadlineClient<'_> {
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
        let headers = bearer.map_or(Auth::None, Auth::Bearer).headers()?;
        let OutboundClient { http, via } = self.outside;
        http.get(via, url, headers, (clock::now(), self.total))
            .await
    }

    /// One POST of a form, sent at most once.
    ///
    /// # Errors
    /// As [`DeadlineClient::get_json`].
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
    /// As [`DeadlineClient::get_json`]; `NotSent` for a value that is no JSON.
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
        let OutboundClient { http, via } = self.outside;
        let within = (clock::now(), self.total);
        http.post(via, url, payload, auth.headers()?, within).await
    }
}
