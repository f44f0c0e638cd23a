//! The small hub.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::any;
use bytes::Bytes;
use http_body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use tokio::sync::mpsc;

/// What the hub saw: first line and headers, one a line.
pub(super) type Seen = Arc<Mutex<Vec<String>>>;

/// A hub that tells what it saw and answers all with `answer`.
pub(super) fn telling(
    answer: impl Fn(&Request) -> Response + Clone + Send + Sync + 'static,
) -> (Router, Seen) {
    let seen = Seen::default();
    let told = Arc::clone(&seen);
    let handler = move |request: Request| {
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            for piece in [name.as_str(), ": ", value.to_str().unwrap(), "\n"] {
                text += piece;
            }
        }
        let response = answer(&request);
        let told = Arc::clone(&told);
        async move {
            let body = axum::body::to_bytes(request.into_body(), 1 << 20)
                .await
                .unwrap();
            told.lock()
                .unwrap()
                .push(text + &String::from_utf8_lossy(&body));
            response
        }
    };
    (Router::new().fallback(any(handler)), seen)
}

/// A body whose pieces come when a test sends them.
pub(super) struct Fed(pub(super) mpsc::Receiver<Bytes>);

impl http_body::Body for Fed {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        self.0
            .poll_recv(context)
            .map(|piece| piece.map(|piece| Ok(Frame::data(piece))))
    }
}

/// A response with this body.
pub(super) fn with(status: u16, body: impl Into<Body>) -> Response {
    Response::builder()
        .status(status)
        .body(body.into())
        .unwrap()
}
