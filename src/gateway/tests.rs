//! A gateway before a small hub, over real sockets.

mod cut;
mod framing;
mod hub;
mod links;
mod ranges;
mod tokens;

use crate::forward::Gateway;
use crate::hub::Upstream;
use crate::serve::serve;
use crate::source::{HubCredential, Target, TokenFuture, TokenSource};
use oam_model::granted::Scheme;
use oam_model::refusal::Refusal;
use oam_model::secret::Secret;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Longer than any test.
pub(super) const LONG: Duration = Duration::from_hours(1);

/// What the end of an identity brings about is there; how soon, `serve::DROPPED` says and a loaded machine does not.
pub(super) async fn in_time<T>(what: &str, event: impl Future<Output = T>) -> T {
    let waited = tokio::time::timeout(Duration::from_secs(30), event).await;
    waited.unwrap_or_else(|_| panic!("not in time: {what}"))
}

/// A source that counts: the tokens are `token-1`, `token-2`, …
pub(super) struct Numbered {
    pub(super) asked: Mutex<Vec<Target>>,
    pub(super) rejected: Mutex<Vec<String>>,
    pub(super) refuses: Mutex<Option<Refusal>>,
    pub(super) life: Duration,
}

impl Default for Numbered {
    fn default() -> Self {
        Self {
            asked: Mutex::default(),
            rejected: Mutex::default(),
            refuses: Mutex::default(),
            life: LONG,
        }
    }
}

impl TokenSource for Numbered {
    fn token(self: Arc<Self>, target: Target) -> TokenFuture<Result<HubCredential, Refusal>> {
        let mut asked = self.asked.lock().unwrap();
        asked.push(target);
        let token = Arc::new(Secret::new(format!("token-{}", asked.len())));
        let (refusal, life) = (self.refuses.lock().unwrap().clone(), self.life);
        Box::pin(async move {
            refusal.map_or(
                Ok(HubCredential {
                    token,
                    scheme: Scheme::Bearer,
                    username: String::new(),
                    life,
                }),
                Err,
            )
        })
    }

    fn rejected(self: Arc<Self>, _: Target, token: Arc<Secret>) -> TokenFuture<()> {
        self.rejected
            .lock()
            .unwrap()
            .push(token.expose().to_owned());
        Box::pin(async {})
    }
}

pub(super) struct Stage {
    pub(super) gateway: Arc<Gateway>,
    pub(super) own: SocketAddr,
    pub(super) hub: SocketAddr,
    pub(super) source: Arc<Numbered>,
    pub(super) end: watch::Sender<Option<Arc<Refusal>>>,
}

impl Stage {
    /// A hub with these routes, and a gateway before it.
    pub(super) async fn before(routes: axum::Router) -> Self {
        Self::before_confirming(routes, LONG).await
    }

    /// A gateway for a command that is to do this alone.
    pub(super) async fn limited(routes: axum::Router, limit: Target) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hub = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self::with(hub, LONG, Some(limit)).await
    }

    /// A gateway that asks for the right to an open transfer so often.
    pub(super) async fn before_confirming(routes: axum::Router, confirm: Duration) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let hub = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        Self::before_address(hub, confirm).await
    }

    pub(super) async fn before_address(hub: SocketAddr, confirm: Duration) -> Self {
        Self::with(hub, confirm, None).await
    }

    async fn with(hub: SocketAddr, confirm: Duration, limit: Option<Target>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = listener.local_addr().unwrap();
        let source = Arc::new(Numbered::default());
        let (end, ended) = watch::channel(None);
        let there = Upstream::new(&format!("http://{hub}"), &oam_http::Via::default()).unwrap();
        let source_too: Arc<dyn TokenSource> = Arc::<Numbered>::clone(&source);
        let gateway = Gateway::new(there, own, source_too, ended)
            .confirming(confirm)
            .limited_to(limit);
        let gateway = Arc::new(gateway);
        tokio::spawn(serve(listener, Arc::clone(&gateway)));
        Self {
            gateway,
            own,
            hub,
            source,
            end,
        }
    }

    /// A request of the child, with its capability.
    pub(super) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let capability = self.gateway.capability().secret().expose().to_owned();
        self.bare(method, path).bearer_auth(capability)
    }

    /// A request without it.
    pub(super) fn bare(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let client = reqwest::Client::builder();
        let client = client
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none());
        let client = client.build().unwrap();
        client.request(
            method.parse().unwrap(),
            format!("http://{}{path}", self.own),
        )
    }

    /// Bytes as they are; `@HOST` and `@AUTH` are filled in.
    pub(super) async fn raw(&self, text: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.own).await.unwrap();
        let capability = self.gateway.capability().secret().expose();
        let text = text.replace("@HOST", &format!("Host: {}", self.own));
        let text = text.replace("@AUTH", &format!("Authorization: Bearer {capability}"));
        stream.write_all(text.as_bytes()).await.unwrap();
        stream
    }
}

/// Everything up to the end of the connection, however it ends.
pub(super) async fn rest(mut stream: TcpStream) -> String {
    let mut all = Vec::new();
    let _ = stream.read_to_end(&mut all).await;
    String::from_utf8_lossy(&all).into_owned()
}

/// What has come once `text` is among it.
pub(super) async fn up_to(stream: &mut TcpStream, text: &str) -> String {
    let mut all = Vec::new();
    while !String::from_utf8_lossy(&all).contains(text) {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.unwrap();
        assert!(
            count > 0,
            "the connection ended: {}",
            String::from_utf8_lossy(&all)
        );
        all.extend_from_slice(&piece[..count]);
    }
    String::from_utf8(all).unwrap()
}
