//! What stands between the listener and HTTP: a connection is let in or not, and one whose peer takes
//! nothing of what is written is given up.

use super::connections::{ConnectionGuard, Lane};
use crate::state::Issuer;
use axum::extract::Extension;
use axum::middleware::AddExtension;
use axum_server::accept::Accept;
use oam_policy::rate::Rate;
use oam_system::clock;
use std::future::{Future, Ready, ready};
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tower_layer::Layer;

/// A peer that takes nothing for this long is gone.
const STUCK: Duration = Duration::from_secs(10);
/// A connection of the reserve ends after this.
const RESERVED: Duration = Duration::from_secs(2);
/// How often the log says that connections are turned away.
const SAID: Rate = Rate::new(1, 1);

/// Lets connections in.
#[derive(Clone)]
pub struct Gate {
    issuer: Arc<Issuer>,
    stuck: Duration,
}

impl Gate {
    /// The gate of this issuer.
    pub const fn new(issuer: Arc<Issuer>) -> Self {
        Self {
            issuer,
            stuck: STUCK,
        }
    }

    fn admit(&self, stream: &TcpStream) -> io::Result<Arc<ConnectionGuard>> {
        let peer = stream.peer_addr()?.ip();
        let live_config = self.issuer.peek_live_config();
        let proxy = live_config
            .proxies
            .iter()
            .any(|network| network.contains(&peer.to_canonical()));
        drop(live_config);
        let connection = self.issuer.connections.admit(peer, proxy);
        let (shed, outcome) = match connection {
            Some(connection) => {
                let shed = (connection.lane() == Lane::Reserve).then_some("told");
                (shed, Ok(Arc::new(connection)))
            }
            None => (
                Some("closed"),
                Err(io::Error::from(io::ErrorKind::QuotaExceeded)),
            ),
        };
        if let Some(how) = shed {
            self.issuer.metrics.connection_shed(how);
            let now = clock::steady();
            if self.issuer.said.ask(SAID, &"connections", now).is_ok() {
                tracing::warn!(
                    %peer,
                    open = self.issuer.connections.open(),
                    "too many connections: some are turned away"
                );
            }
        }
        outcome
    }
}

impl<S> Accept<TcpStream, S> for Gate {
    type Stream = Guarded<TcpStream>;
    type Service = AddExtension<S, Arc<ConnectionGuard>>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        ready(self.admit(&stream).map(|connection| {
            let reserved = connection.lane() == Lane::Reserve;
            let guarded = Guarded {
                stream,
                stuck: self.stuck,
                blocked: None,
                ends: reserved.then(|| Box::pin(sleep(RESERVED))),
                _connection: Arc::clone(&connection),
            };
            (guarded, Extension(connection).layer(service))
        }))
    }
}

/// A stream that fails when its peer takes nothing. It holds its place until it is closed.
pub struct Guarded<S> {
    stream: S,
    stuck: Duration,
    /// Runs while a write waits.
    blocked: Option<Pin<Box<Sleep>>>,
    /// The end of a connection of the reserve.
    ends: Option<Pin<Box<Sleep>>>,
    _connection: Arc<ConnectionGuard>,
}

impl<S> Guarded<S> {
    /// What became of a write: one that waits is waited for so long.
    fn written<T>(
        &mut self,
        polled: Poll<io::Result<T>>,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.blocked = None;
            return polled;
        }
        let stuck = self.stuck;
        let blocked = self.blocked.get_or_insert_with(|| Box::pin(sleep(stuck)));
        timed_out(blocked, context)
    }
}

fn timed_out<T>(timer: &mut Pin<Box<Sleep>>, context: &mut Context<'_>) -> Poll<io::Result<T>> {
    match timer.as_mut().poll(context) {
        Poll::Ready(()) => Poll::Ready(Err(io::Error::from(io::ErrorKind::TimedOut))),
        Poll::Pending => Poll::Pending,
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_read(context, buffer);
        match (&polled, &mut self.ends) {
            (Poll::Pending, Some(ends)) => timed_out(ends, context),
            _ => polled,
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.written(polled, context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.written(polled, context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_flush(context);
        self.written(polled, context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let polled = Pin::new(&mut self.stream).poll_shutdown(context);
        self.written(polled, context)
    }
}

#[cfg(test)]
mod tests {
    use super::Guarded;
    use crate::http::connections::ConnectionLimiter;
    use std::io::ErrorKind;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::time::Duration;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    fn guarded<S>(stream: S, stuck: Duration) -> (Guarded<S>, Arc<ConnectionLimiter>) {
        let limiter = Arc::new(ConnectionLimiter::new(1, 1));
        let connection = limiter.admit(IpAddr::V4(Ipv4Addr::LOCALHOST), false);
        let guarded = Guarded {
            stream,
            stuck,
            blocked: None,
            ends: None,
            _connection: Arc::new(connection.unwrap()),
        };
        (guarded, limiter)
    }

    #[tokio::test]
    async fn a_peer_that_never_reads_is_given_up_and_its_place_is_free() {
        let (near, _far) = duplex(64);
        let (mut stream, limiter) = guarded(near, Duration::from_millis(20));
        let fault = stream.write_all(&[7; 100]).await.unwrap_err();
        assert_eq!(fault.kind(), ErrorKind::TimedOut);
        drop(stream);
        assert_eq!(limiter.open(), 0);
    }

    #[tokio::test]
    async fn a_peer_that_reads_slowly_is_served() {
        let (near, mut far) = duplex(64);
        let (mut stream, _limiter) = guarded(near, Duration::from_mins(1));
        let reader = tokio::spawn(async move {
            let mut taken = 0;
            while taken < 640 {
                tokio::task::yield_now().await;
                taken += far.read(&mut [0; 64]).await.unwrap();
            }
        });
        stream.write_all(&[7; 640]).await.unwrap();
        reader.await.unwrap();
    }
}
