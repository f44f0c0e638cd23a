//! The client for requests and answers of any size: their bodies pass, and nothing of them is kept.

use crate::client::{ClientPolicy, Via, tls_by};
use crate::connect::Connector;
use crate::proxy::ProxyWay;
use crate::{endpoint, fault, is_loopback};
use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::{Request, Response, Uri};
use http_body_util::combinators::UnsyncBoxBody;
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use oam_model::answer::EndpointFault;
use std::error::Error;
use std::time::Duration;
use url::Url;

/// Time to connect, proxy and TLS included.
const CONNECT: Duration = Duration::from_secs(3);
/// Most of a body that is held of one connection each way, bytes.
const MOST_AT_ONCE: usize = 256 * 1024;

/// The body of a request.
pub type StreamBody = UnsyncBoxBody<Bytes, Box<dyn Error + Send + Sync>>;

/// Streams to one address. It follows no redirects, and sends nothing again that may have arrived.
pub struct StreamClient {
    client: Client<Connector, StreamBody>,
    user_agent: &'static str,
}

impl StreamClient {
    /// A client for this address, and the address as it was read.
    ///
    /// # Errors
    /// `NotSent`: no such address, or roots or proxy can't be used.
    pub fn new(
        via: &Via,
        address: &str,
        policy: ClientPolicy,
    ) -> Result<(Self, Url), EndpointFault> {
        let built = endpoint(address).and_then(|url| Ok((Self::build(via, &url, policy)?, url)));
        built.map_err(|why| EndpointFault::NotSent { why })
    }

    fn build(via: &Via, url: &Url, policy: ClientPolicy) -> Result<Self, String> {
        let tls = (url.scheme() == "https").then(|| tls_by(via)).transpose()?;
        let proxy = if is_loopback(url) {
            None
        } else {
            Some(ProxyWay::new(
                via.proxy.as_deref(),
                via.proxy_auth_file.as_deref(),
            )?)
        };
        let mut builder = Client::builder(TokioExecutor::new());
        builder
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .http1_max_buf_size(MOST_AT_ONCE);
        match policy.kept {
            Some(idle) => builder.pool_idle_timeout(idle),
            None => builder.pool_max_idle_per_host(0),
        };
        Ok(Self {
            client: builder.build(Connector::new(tls, proxy, CONNECT)),
            user_agent: policy.user_agent,
        })
    }

    /// One request, to the head of its answer.
    ///
    /// # Errors
    /// `NotSent` only when it is certain that no byte of it arrived, else `Lost`.
    pub async fn send(
        &self,
        url: &Url,
        mut request: Request<StreamBody>,
    ) -> Result<Response<Incoming>, EndpointFault> {
        let uri: Uri = url.as_str().parse().map_err(|_| EndpointFault::NotSent {
            why: "the address is none that HTTP takes".to_owned(),
        })?;
        *request.uri_mut() = uri;
        let agent = HeaderValue::from_static(self.user_agent);
        request.headers_mut().entry(USER_AGENT).or_insert(agent);
        let answered = self.client.request(request).await;
        answered.map_err(|error| fault::of_stream(&error))
    }
}

#[cfg(test)]
mod tests {
    use super::StreamClient;
    use crate::{ClientPolicy, Via};
    use bytes::Bytes;
    use http::Request;
    use http_body_util::{BodyExt, Empty};
    use oam_model::answer::EndpointFault;
    use std::net::SocketAddr;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinHandle;

    const POLICY: ClientPolicy = ClientPolicy {
        user_agent: "oam/test",
        kept: None,
    };

    /// Answers one connection; what it was told.
    async fn answering(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let told = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            String::from_utf8(head).unwrap()
        });
        (address, told)
    }

    async fn ask(via: &Via, address: &str) -> Result<Bytes, EndpointFault> {
        let (client, url) = StreamClient::new(via, address, POLICY)?;
        let body = Empty::new().map_err(|never| match never {}).boxed_unsync();
        let answer = client.send(&url, Request::new(body)).await?;
        Ok(answer.into_body().collect().await.unwrap().to_bytes())
    }

    fn through(proxy: &str) -> Via {
        Via {
            proxy: Some(proxy.to_owned()),
            ..Via::default()
        }
    }

    fn not_sent(outcome: Result<Bytes, EndpointFault>) -> String {
        match outcome {
            Err(EndpointFault::NotSent { why }) => why,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_request_reaches_its_server_and_what_is_not_there_is_not_sent() {
        let (server, told) = answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await;
        let address = format!("http://{server}/a/b?c=d");
        assert_eq!(ask(&Via::default(), &address).await.unwrap(), "ok");
        let head = told.await.unwrap().to_ascii_lowercase();
        assert!(head.starts_with("get /a/b?c=d http/1.1\r\n"), "{head}");
        assert!(head.contains(&format!("host: {server}\r\n")), "{head}");
        assert!(head.contains("user-agent: oam/test\r\n"), "{head}");
        let gone = ask(&Via::default(), &address).await;
        assert!(not_sent(gone).contains("refused"));
        let (server, _told) = answering("").await;
        let broken = ask(&Via::default(), &format!("http://{server}/")).await;
        assert!(matches!(broken, Err(EndpointFault::Lost { .. })));
    }

    #[tokio::test]
    async fn a_proxy_opens_the_way_by_name_and_what_it_says_is_told_as_its_own() {
        let hub = "https://hub.example/x";
        let (proxy, told) = answering("HTTP/1.1 407 Who are you\r\n\r\n").await;
        let via = through(&format!("http://ada:hunter2@{proxy}"));
        let why = not_sent(ask(&via, hub).await);
        assert!(why.contains("(407)"), "{why}");
        let head = told.await.unwrap().to_ascii_lowercase();
        assert!(
            head.starts_with("connect hub.example:443 http/1.1\r\n"),
            "{head}"
        );
        assert!(head.contains("proxy-authorization: basic "), "{head}");
        let via = through(&format!("http://{proxy}"));
        let why = not_sent(ask(&via, hub).await);
        assert!(why.contains("the proxy refused the connection"), "{why}");
        // A way that leads to something else than TLS.
        let (proxy, _told) = answering("HTTP/1.1 200 OK\r\n\r\nno TLS").await;
        let why = not_sent(ask(&through(&format!("http://{proxy}")), hub).await);
        assert!(why.contains("could not be made"), "{why}");
        let why = not_sent(ask(&through("socks5://127.0.0.1:9"), hub).await);
        assert!(!why.is_empty(), "{why}");
    }
}
