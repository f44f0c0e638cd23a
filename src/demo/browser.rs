//! The demo's browser: GET on loopback, redirects followed. It is also the attacker with forged tokens,
//! and how provider and hub call the issuer.
//!
//! Rejected: the HTTP client of the agent. It may go through the machine's proxy, and a demo that
//! talks to its own loopback servers needs neither TLS nor a pool.

use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// Redirects followed before giving up.
const HOPS: usize = 5;
/// Longest answer read, bytes.
const MOST: u64 = 1 << 20;
/// Time for one page.
const DEADLINE: Duration = Duration::from_secs(15);

/// What is sent with a request.
#[derive(Clone, Copy, Default)]
pub struct Sent<'a> {
    /// The `Authorization` header.
    pub authorization: Option<&'a str>,
    /// Media type and body: with it the request is a POST.
    pub body: Option<(&'a str, &'a str)>,
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub struct PageResponse {
    /// HTTP status.
    pub status: u16,
    /// `Location`, when there is one.
    pub location: Option<String>,
    /// The body as it came.
    pub body: String,
}

/// Opens `url` and follows redirects, as a person's browser does.
///
/// # Errors
/// A page can't be had, a redirect leaves this machine, or there are too many; in words. No URL is
/// in the text: the callback's holds a code.
pub async fn visit(url: &str) -> Result<PageResponse, String> {
    let mut at = Url::parse(url).map_err(|error| format!("not a URL: {error}"))?;
    for _ in 0..HOPS {
        let page = fetch(&at, None).await?;
        let Some(location) = page
            .location
            .as_deref()
            .filter(|_| (300..400).contains(&page.status))
        else {
            return Ok(page);
        };
        at = at
            .join(location)
            .map_err(|error| format!("a redirect is no URL: {error}"))?;
    }
    Err("too many redirects".to_owned())
}

/// One GET, with an `Authorization` header if given.
///
/// # Errors
/// Not loopback, no connection, no HTTP; in words.
pub async fn fetch(url: &Url, authorization: Option<&str>) -> Result<PageResponse, String> {
    let sent = Sent {
        authorization,
        body: None,
    };
    send(url, sent).await
}

/// One GET, or a POST when there is a body.
///
/// # Errors
/// As [`fetch`].
pub async fn send(url: &Url, sent: Sent<'_>) -> Result<PageResponse, String> {
    match tokio::time::timeout(DEADLINE, exchange(url, sent)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(format!("no answer within {} s", DEADLINE.as_secs())),
    }
}

async fn exchange(url: &Url, sent: Sent<'_>) -> Result<PageResponse, String> {
    let host = url
        .host_str()
        .filter(|host| matches!(*host, "127.0.0.1" | "[::1]"));
    let (Some(host), Some(port), "http") = (host, url.port_or_known_default(), url.scheme()) else {
        return Err("the demo's browser stays on this machine".to_owned());
    };
    let said = |error: std::io::Error| format!("no page from port {port}: {error}");
    let mut stream = TcpStream::connect((host.trim_matches(['[', ']']), port))
        .await
        .map_err(said)?;
    let query = url
        .query()
        .map(|query| format!("?{query}"))
        .unwrap_or_default();
    let credential = sent
        .authorization
        .map(|value| format!("Authorization: {value}\r\n"))
        .unwrap_or_default();
    let (method, kind, body) = match sent.body {
        Some((kind, body)) => {
            let length = body.len();
            let head = format!("Content-Type: {kind}\r\nContent-Length: {length}\r\n");
            ("POST", head, body)
        }
        None => ("GET", String::new(), ""),
    };
    let request = format!(
        "{method} {}{query} HTTP/1.1\r\nHost: {host}:{port}\r\nAccept: */*\r\n{credential}{kind}Connection: close\r\n\r\n{body}",
        url.path()
    );
    stream.write_all(request.as_bytes()).await.map_err(said)?;
    let mut answer = Vec::new();
    let read = stream.take(MOST).read_to_end(&mut answer).await;
    // A peer may reset after its answer: what came counts.
    parse(&answer).ok_or_else(|| match read {
        Err(error) => said(error),
        Ok(_) => format!("port {port} did not answer in HTTP"),
    })
}

fn parse(answer: &[u8]) -> Option<PageResponse> {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(answer).ok()? else {
        return None;
    };
    let location = response
        .headers
        .iter()
        .find(|h| h.name.eq_ignore_ascii_case("location"));
    Some(PageResponse {
        status: response.code?,
        location: location.map(|h| String::from_utf8_lossy(h.value).into_owned()),
        body: String::from_utf8_lossy(answer.get(start..)?).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::{fetch, parse};

    #[test]
    fn a_redirect_is_read_with_its_target() {
        let page =
            parse(b"HTTP/1.1 302 Found\r\nlocation: /next\r\ncontent-length: 0\r\n\r\n").unwrap();
        assert_eq!(
            (page.status, page.location.as_deref()),
            (302, Some("/next"))
        );
    }

    #[tokio::test]
    async fn it_never_leaves_this_machine() {
        for url in [
            "http://example.com/",
            "https://127.0.0.1/",
            "http://127.0.0.2/",
        ] {
            assert!(fetch(&url.parse().unwrap(), None).await.is_err(), "{url}");
        }
    }
}
