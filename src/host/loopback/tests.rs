use super::{Browser, Callback, CallbackPage, Loopback, NoCallback};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const LONG: Duration = Duration::from_secs(30);

async fn bound() -> (Loopback, String) {
    let loopback = Loopback::bind(0, "/callback").await.unwrap();
    let host = format!("127.0.0.1:{}", loopback.port);
    (loopback, host)
}

async fn ask(host: &str, request: &str) -> String {
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

fn get(host: &str, target: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nAccept: */*\r\n\r\n")
}

async fn finished(
    waited: Result<(Callback, Browser), NoCallback>,
    page: &CallbackPage,
) -> Callback {
    let (callback, browser) = waited.ok().unwrap();
    browser.show(page).await;
    callback
}

#[tokio::test]
async fn the_browser_hears_the_outcome_after_everything_else_and_the_port_is_closed() {
    let (loopback, host) = bound().await;
    assert_eq!(loopback.redirect_uri(), format!("http://{host}/callback"));
    let request = get(
        &host,
        "/callback?code=c%2B1&state=s&iss=https%3A%2F%2Fidp.example",
    );
    let browser = async {
        let text = ask(&host, &request).await;
        assert!(TcpStream::connect(&host).await.is_err(), "still listening");
        text
    };
    let agent = async {
        finished(
            loopback.wait("s", LONG).await,
            &CallbackPage::signed_in("acme", "ada@<acme>"),
        )
        .await
    };
    let (text, callback) = tokio::join!(browser, agent);
    assert_eq!(callback.code.unwrap().expose(), "c+1");
    assert_eq!(callback.iss.as_deref(), Some("https://idp.example"));
    assert!(callback.error.is_none());
    for needed in [
        "HTTP/1.1 200 OK\r\n",
        "Referrer-Policy: no-referrer\r\n",
        "Cache-Control: no-store\r\n",
        "X-Content-Type-Options: nosniff\r\n",
        "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline';",
        "<h1 class=\"good\">You are signed in to acme</h1><p>As ada@&lt;acme&gt;.</p>",
        "OAM, organization access management",
        "<code>oam status</code>",
    ] {
        assert!(text.contains(needed), "{needed}");
    }
    assert!(!text.contains("c+1") && !text.contains("c%2B1"));
}

#[tokio::test]
async fn everything_but_the_expected_request_is_refused_and_the_wait_goes_on() {
    let (loopback, host) = bound().await;
    let ok = "/callback?code=c&state=right";
    let long = format!("/callback?state=right&code={}", "a".repeat(9000));
    let visitor = async {
        for (request, status) in [
            (get(&host, "/favicon.ico"), 404),
            (get(&host, "/callback/?code=c&state=right"), 404),
            (get(&host, "/?code=c&state=right"), 404),
            (get("evil.example", ok), 400),
            (get(&format!("{host}.evil.example"), ok), 400),
            (get("localhost", ok), 400),
            (format!("GET {ok} HTTP/1.1\r\n\r\n"), 400),
            (
                format!("GET {ok} HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n"),
                400,
            ),
            (get(&host, ok).replace("GET", "POST"), 405),
            (get(&host, ok).replace("GET", "HEAD"), 405),
            (get(&host, "/callback?code=c&state=wrong"), 400),
            (get(&host, "/callback?code=c"), 400),
            (get(&host, "/callback?error=access_denied"), 400),
            (get(&host, "/callback?code=c&state=right&state=right"), 400),
            (get(&host, "/callback?code=c&code=d&state=right"), 400),
            (get(&host, &long), 400),
            ("\u{1}\u{2}garbage\r\n\r\n".to_owned(), 400),
        ] {
            let answer = ask(&host, &request).await;
            let begin = format!("HTTP/1.1 {status} ");
            assert!(answer.starts_with(&begin), "{request} {answer}");
            assert!(!answer.contains("right"), "echoed");
        }
        // A connection opened ahead of need, and one that dawdles, hinder nobody.
        let idle = TcpStream::connect(&host).await.unwrap();
        let mut slow = TcpStream::connect(&host).await.unwrap();
        slow.write_all(b"GET /call").await.unwrap();
        let answer = ask(&host, &get(&host, ok)).await;
        drop((idle, slow));
        answer
    };
    let page = CallbackPage::failed(
        "the provider said <script>alert(1)</script>\r\nX",
        "try \"again\"",
    );
    let agent = async { finished(loopback.wait("right", LONG).await, &page).await };
    let (answer, callback) = tokio::join!(visitor, agent);
    assert_eq!(callback.code.unwrap().expose(), "c");
    assert!(answer.contains("&lt;script&gt;") && !answer.contains("<script"));
    assert!(answer.contains("<h1 class=\"bad\">Sign-in failed</h1>"));
}

#[tokio::test]
async fn an_error_of_the_provider_arrives_with_its_state() {
    let (loopback, host) = bound().await;
    let request = get(
        &host,
        "/callback?error=access_denied&error_description=x&state=s",
    );
    let agent = async {
        finished(
            loopback.wait("s", LONG).await,
            &CallbackPage::signed_in("a", "b"),
        )
        .await
    };
    let (_, callback) = tokio::join!(ask(&host, &request), agent);
    assert_eq!(callback.error.as_deref(), Some("access_denied"));
    assert!(callback.code.is_none());
}

#[tokio::test]
async fn the_wait_ends_at_its_limit() {
    let (loopback, host) = bound().await;
    let waited = loopback.wait("s", Duration::ZERO).await;
    assert_eq!(waited.err(), Some(NoCallback::Silence));
    assert!(TcpStream::connect(&host).await.is_err());
}

#[tokio::test]
async fn dropping_the_wait_closes_the_port_and_open_connections() {
    let (loopback, host) = bound().await;
    let mut waiting = Box::pin(loopback.wait("s", LONG));
    let mut stream = tokio::select! {
        _ = &mut waiting => panic!("nobody came"),
        stream = TcpStream::connect(&host) => stream.unwrap(),
    };
    drop(waiting);
    assert!(TcpStream::connect(&host).await.is_err());
    let mut rest = Vec::new();
    assert!(matches!(
        stream.read_to_end(&mut rest).await,
        Ok(0) | Err(_)
    ));
}

#[tokio::test]
async fn a_taken_port_is_said() {
    let (loopback, _host) = bound().await;
    let second = Loopback::bind(loopback.port, "/callback").await;
    assert_eq!(second.err().unwrap(), "address in use");
}
