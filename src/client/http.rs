//! The agent's requests: by the client of both sides, each on a connection of its own.

mod bearing;
pub mod fault;
mod streaming;
pub mod tokens;

pub use bearing::bearing;
pub use oam_http::ca_sha256;
pub use oam_http::{Answer, Payload, TOTAL, Via, endpoint};
pub use streaming::Streaming;
pub use tokens::{ExpiresIn, Tokens};

use oam_agent::ports::Clock;
use oam_config::agent::Provider;
use oam_http::{ClientPolicy, HttpClient};
use oam_model::answer::EndpointFault;
use oam_model::time::Moment;
use reqwest::header::HeaderMap;
use std::rc::Rc;
use std::time::Duration;

/// Each request has its own connection. The price, one handshake a request, is paid once a minute at most.
const POLICY: ClientPolicy = ClientPolicy {
    user_agent: concat!("oam/", env!("CARGO_PKG_VERSION")),
    kept: None,
};

/// As the organization's provider settings say; they hold for its exchange too.
pub fn way_of(provider: &Provider) -> Via {
    Via {
        ca_file: provider.ca_file.clone(),
        ca_sha256: provider.ca_sha256.clone(),
        proxy: provider.proxy.clone(),
        proxy_auth_file: provider.proxy_auth_file.clone(),
    }
}

/// The agent's HTTP clients, and the clock that everything here uses.
pub struct Http {
    clock: Rc<dyn Clock>,
    client: HttpClient,
}

impl Http {
    /// No client is built yet.
    pub fn new(clock: Rc<dyn Clock>) -> Self {
        Self {
            clock,
            client: HttpClient::new(POLICY),
        }
    }

    /// One POST, sent at most once.
    ///
    /// # Errors
    /// `NotSent` only when it is certain that no byte of the request arrived, else `Lost`; an
    /// answer longer than [`oam_http::ANSWER_CAP`] counts by its status.
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
        let within = (self.now(), total);
        self.client.post(via, url, payload, headers, within).await
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
        let within = (self.now(), total);
        self.client.get(via, url, headers, within).await
    }

    /// Now, from the same clock that everything here uses.
    pub fn now(&self) -> Moment {
        self.clock.now()
    }
}

#[cfg(test)]
mod tests;
