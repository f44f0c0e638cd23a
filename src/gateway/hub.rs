//! The one hub behind a gateway: its address, and the way there.

use oam_http::{ClientPolicy, HttpClient, Via};
use oam_model::answer::EndpointFault;
use oam_model::refusal::Refusal;
use oam_system::clock;
use std::time::Duration;
use url::Url;

/// Connections to the hub are kept for the next request. A child's own `User-Agent` goes before this one.
const POLICY: ClientPolicy = ClientPolicy {
    user_agent: concat!("oam/", env!("CARGO_PKG_VERSION")),
    kept: Some(Duration::from_mins(1)),
};

/// The hub.
pub struct Upstream {
    /// Scheme, host and port, without a slash at the end.
    origin: String,
    /// The hub's own path, without a slash at the end; most have none.
    path: String,
    /// The address as it was read.
    url: Url,
    /// The client, which follows nothing and keeps connections.
    pub(crate) client: reqwest::Client,
}

impl Upstream {
    /// The hub at this address.
    ///
    /// # Errors
    /// The address or the way there can't be used.
    pub fn new(url: &str, via: &Via) -> Result<Self, Refusal> {
        let http = HttpClient::new(POLICY);
        let (client, parsed) = http.client(via, url, clock::now()).map_err(|fault| {
            let why = match fault {
                EndpointFault::NotSent { why } => why,
                _ => String::from("its address can't be used"),
            };
            Refusal::unavailable(
                format!("the hub can't be reached: {why}"),
                "run `oam doctor`",
            )
        })?;
        Ok(Self {
            origin: parsed.origin().ascii_serialization(),
            path: parsed.path().trim_end_matches('/').to_owned(),
            url: parsed,
            client,
        })
    }

    /// Where a path of the gateway lies at the hub. `None`: it does not stay there.
    pub fn address(&self, path_and_query: &str) -> Option<Url> {
        self.at_host(&format!("{}{path_and_query}", self.path))
    }

    /// Where a path of the hub's host lies. `None`: it does not stay there.
    pub fn at_host(&self, path_and_query: &str) -> Option<Url> {
        let url = Url::parse(&format!("{}{path_and_query}", self.origin)).ok()?;
        let stays = url.origin() == self.url.origin()
            && url.username().is_empty()
            && url.password().is_none();
        stays.then_some(url)
    }

    /// Path and query of an address at the hub's host; `None`: another host, or no absolute address.
    pub fn own(&self, address: &str) -> Option<String> {
        let url = Url::parse(address).ok()?;
        if url.origin() != self.url.origin() {
            return None;
        }
        let query = url
            .query()
            .map_or(String::new(), |query| format!("?{query}"));
        Some(format!("{}{query}", url.path()))
    }

    /// Whether a link leads to another host.
    pub fn is_elsewhere(&self, link: &str) -> bool {
        let url = self.url.join(link);
        url.is_ok_and(|url| url.origin() != self.url.origin())
    }

    /// The gateway's path for a link of the hub, absolute or from its root; `None`: the gateway has none for it.
    pub fn back(&self, link: &str) -> Option<String> {
        let path = if link.starts_with('/') && !link.starts_with("//") {
            link.to_owned()
        } else {
            self.own(link)?
        };
        let rest = path.strip_prefix(&self.path)?;
        rest.starts_with('/').then(|| rest.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::Upstream;
    use oam_http::Via;

    #[test]
    fn a_hub_that_cant_be_reached_as_the_organization_says_is_told_at_the_start() {
        let fault = |url: &str, via: &Via| Upstream::new(url, via).err().unwrap().sentence;
        let roots = Via {
            ca_file: Some("/no/such/roots.pem".into()),
            ..Via::default()
        };
        assert!(fault("https://hub.example", &roots).contains("ca_file"));
        let proxy = Via {
            proxy: Some("::".into()),
            ..Via::default()
        };
        assert!(fault("https://hub.example", &proxy).contains("proxy"));
        assert!(fault("http://hub.example", &Via::default()).contains("https"));
    }

    #[test]
    fn a_request_stays_at_the_hub_and_only_its_own_links_come_back() {
        let hub = Upstream::new("http://127.0.0.1:8000/api/hf", &Via::default()).unwrap();
        let at = |path: &str| hub.address(path).map(String::from);
        assert_eq!(
            at("/acme/m?x=1").as_deref(),
            Some("http://127.0.0.1:8000/api/hf/acme/m?x=1")
        );
        assert_eq!(
            hub.back("http://127.0.0.1:8000/api/hf/a/b?c").as_deref(),
            Some("/a/b?c")
        );
        assert_eq!(hub.back("/api/hf/a").as_deref(), Some("/a"));
        for link in [
            "http://127.0.0.1:8001/api/hf/a",
            "https://127.0.0.1:8000/api/hf/a",
            "//x/api/hf/a",
            "/api/hfx/a",
            "/other",
            "a",
        ] {
            assert_eq!(hub.back(link), None, "{link}");
        }
        for (link, elsewhere) in [
            ("https://store.example/x?sig=1", true),
            ("//store.example/x", true),
            ("http://127.0.0.1:8000/other", false),
            ("/api/hf/a", false),
            ("a", false),
        ] {
            assert_eq!(hub.is_elsewhere(link), elsewhere, "{link}");
        }
        let bare = Upstream::new("http://127.0.0.1:8000", &Via::default()).unwrap();
        assert_eq!(bare.at_host("@evil.example/x").map(String::from), None);
        assert_eq!(bare.back("http://127.0.0.1:8000").as_deref(), Some("/"));
    }
}
