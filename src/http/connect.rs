//! Connections for large bodies: by TLS a read takes what the socket has, and gives all records that came whole.
//!
//! The TLS layer alone takes at most one record of 16 KiB from the socket at a time and gives one at a time, so its owner
//! is woken for each and asks the kernel several times.

use crate::proxy::ProxyWay;
use http::Uri;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use std::error::Error;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncBufRead, AsyncRead, AsyncWrite, BufReader, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tower_service::Service;

/// What is taken from the socket of a TLS connection at once, bytes.
const FROM_SOCKET: usize = 128 * 1024;
/// What of a body is sealed before it goes to the socket, bytes.
const SEALED: usize = 256 * 1024;
/// What is copied in one go, bytes. From 2,112 on glibc before 2.39 takes `rep movsb`, which is thirty times slower on
/// AMD's processors where the target lies just behind the source within a page (glibc's bug 30994): for records it often does.
const COPIED: usize = 2048;
/// After so long without a word a peer is asked whether it lives.
const PROBE: Duration = Duration::from_secs(15);
const PROBES: u32 = 3;
/// For so long what was sent may stay without an acknowledgement.
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);

type Fault = Box<dyn Error + Send + Sync>;
type Making<T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send>>;

/// Bytes both ways.
trait Io: AsyncWrite + Send + Unpin {
    /// As [`AsyncRead::poll_read`].
    fn poll_some(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>>;
}

impl Io for TcpStream {
    fn poll_some(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.poll_read(context, buffer)
    }
}

impl Io for TlsStream<BufReader<Link>> {
    fn poll_some(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let opened = ready!(self.as_mut().poll_fill_buf(context))?;
        let count = opened.len().min(buffer.remaining());
        for piece in opened[..count].chunks(COPIED) {
            buffer.put_slice(piece);
        }
        self.consume(count);
        Poll::Ready(Ok(()))
    }
}

/// Makes connections.
#[derive(Clone)]
pub(crate) struct Connector {
    steps: Steps,
    proxy: Option<Arc<ProxyWay>>,
    within: Duration,
}

impl Connector {
    /// By TLS where an address wants it, through a proxy where one is in the way, `within` so long.
    pub(crate) fn new(
        tls: Option<ClientConfig>,
        proxy: Option<ProxyWay>,
        within: Duration,
    ) -> Self {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(within));
        tcp.set_keepalive(Some(PROBE));
        tcp.set_keepalive_interval(Some(PROBE));
        tcp.set_keepalive_retries(Some(PROBES));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let tls = tls.map(|config| TlsConnector::from(Arc::new(config)));
        Self {
            steps: Steps { tcp, tls },
            proxy: proxy.map(Arc::new),
            within,
        }
    }
}

impl Service<Uri> for Connector {
    type Response = TokioIo<Link>;
    type Error = Fault;
    type Future = Making<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.steps.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let (mut steps, proxy, within) = (self.steps.clone(), self.proxy.clone(), self.within);
        Box::pin(async move {
            let making = async {
                let through = proxy.and_then(|proxy| proxy.before(&to));
                let Some((address, credential)) = through else {
                    return steps.call(to).await;
                };
                if !matches!(address.scheme_str(), Some("http" | "https")) {
                    return Err("the proxy is none of HTTP".into());
                }
                let mut tunnel = Tunnel::new(address, steps.clone());
                if let Some(credential) = credential {
                    tunnel = tunnel.with_auth(credential);
                }
                let way = tunnel.call(to.clone()).await?;
                steps.secured(way.into_inner(), &to).await
            };
            let made = tokio::time::timeout(within, making).await;
            made.unwrap_or_else(|_| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
    }
}

/// TCP, and TLS over it.
#[derive(Clone)]
struct Steps {
    tcp: HttpConnector,
    tls: Option<TlsConnector>,
}

impl Steps {
    /// By TLS, where the address says so.
    async fn secured(&self, way: Link, to: &Uri) -> Result<TokioIo<Link>, Fault> {
        if to.scheme_str() != Some("https") {
            return Ok(TokioIo::new(way));
        }
        let tls = self.tls.as_ref().ok_or("no TLS is set up")?;
        let host = to.host().unwrap_or_default();
        let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned())?;
        let buffered = BufReader::with_capacity(FROM_SOCKET, way);
        let mut secured = tls.connect(name, buffered).await?;
        secured.get_mut().1.set_buffer_limit(Some(SEALED));
        Ok(TokioIo::new(Link::new(secured)))
    }
}

impl Service<Uri> for Steps {
    type Response = TokioIo<Link>;
    type Error = Fault;
    type Future = Making<Self::Response>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let mut steps = self.clone();
        Box::pin(async move {
            let stream = steps.tcp.call(to.clone()).await?.into_inner();
            steps.secured(Link::new(stream), &to).await
        })
    }
}

/// A connection whose reads take all that is there.
pub(crate) struct Link {
    inner: Box<dyn Io>,
    /// Came behind bytes that were given first.
    fault: Option<io::Error>,
}

impl Link {
    fn new(inner: impl Io + 'static) -> Self {
        Self {
            inner: Box::new(inner),
            fault: None,
        }
    }
}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(fault) = self.fault.take() {
            return Poll::Ready(Err(fault));
        }
        ready!(Pin::new(&mut *self.inner).poll_some(context, buffer))?;
        let mut had = 0;
        // What says nothing more now is asked again later; the end says so again.
        while buffer.filled().len() > had && buffer.remaining() > 0 {
            had = buffer.filled().len();
            match Pin::new(&mut *self.inner).poll_some(context, buffer) {
                Poll::Ready(Ok(())) | Poll::Pending => {}
                Poll::Ready(Err(fault)) => self.fault = Some(fault),
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::{Io, Link};
    use std::collections::VecDeque;
    use std::io;
    use std::pin::Pin;
    use std::task::{Context, Poll};
    use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

    /// What a socket gives, piece by piece, and then nothing now.
    struct Pieces(VecDeque<io::Result<&'static [u8]>>);

    impl Io for Pieces {
        fn poll_some(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            buffer: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match self.0.pop_front() {
                None => Poll::Pending,
                Some(Err(fault)) => Poll::Ready(Err(fault)),
                Some(Ok(bytes)) => {
                    buffer.put_slice(bytes);
                    Poll::Ready(Ok(()))
                }
            }
        }
    }

    impl AsyncWrite for Pieces {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Ok(bytes.len().min(2)))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    fn broken() -> io::Error {
        io::Error::from(io::ErrorKind::ConnectionReset)
    }

    #[tokio::test]
    async fn a_read_gives_all_that_is_there_and_a_fault_behind_it_with_the_next() {
        let pieces: [io::Result<&[u8]>; 4] = [Ok(b"ab"), Ok(b"c"), Ok(b"def"), Err(broken())];
        let mut link = Link::new(Pieces(pieces.into()));
        let mut buffer = [0; 100];
        assert_eq!(link.read(&mut buffer).await.unwrap(), 6);
        assert_eq!(&buffer[..6], b"abcdef");
        let fault = link.read(&mut buffer).await.unwrap_err();
        assert_eq!(fault.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_full_buffer_the_end_and_a_fault_at_once_are_told_as_they_come() {
        let pieces: [io::Result<&[u8]>; 5] = [Ok(b"abc"), Ok(b"d"), Ok(b""), Ok(b""), Ok(b"no")];
        let mut link = Link::new(Pieces(pieces.into()));
        let mut three = [0; 3];
        assert_eq!(link.read(&mut three).await.unwrap(), 3);
        assert_eq!(link.read(&mut three).await.unwrap(), 1);
        assert_eq!(link.read(&mut three).await.unwrap(), 0);
        link.write_all(b"abc").await.unwrap();
        let mut link = Link::new(Pieces([Err(broken())].into()));
        assert!(link.read(&mut three).await.is_err());
    }
}
