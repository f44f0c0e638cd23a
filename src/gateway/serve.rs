//! Connections of the child.

use crate::body::{GRACE, ended};
use crate::forward::Gateway;
use crate::peer::{self, Stranger};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::{Notify, Semaphore};

/// Connections at a time; more wait in the system's backlog.
const MOST: usize = 256;
/// Time for a request's head, and for which a connection may be idle.
const HEAD: Duration = Duration::from_mins(1);
/// Most that is read of a connection at once, bytes, and so the longest head: one limit is both. At a quarter of it
/// uploads lost a quarter of their rate.
const MOST_AT_ONCE: usize = 256 * 1024;
/// After a failed accept (no descriptors), so that it does not spin.
const PAUSE: Duration = Duration::from_millis(50);

/// After the end of the identity all that was open is dropped this much later, also what a connection's own end waits for.
const DROPPED: Duration = GRACE.saturating_add(Duration::from_millis(100));
// A cut is promised within a second.
const _: () = assert!(DROPPED.as_millis() < 500);

/// A gateway that is ready to serve: one runtime for what is open while the identity lives, and one that refuses
/// what comes later. The first goes with all that is in it, because a connection to a hub that reads nothing does not close
/// before its buffers are empty.
pub struct GatewayServer {
    gateway: Arc<Gateway>,
    serving: (Runtime, TcpListener),
    refusing: (Runtime, TcpListener),
}

impl GatewayServer {
    /// Makes ready to serve connections to `listener`, which does not block.
    ///
    /// # Errors
    /// The system has no descriptors for it.
    pub fn new(listener: std::net::TcpListener, gateway: Arc<Gateway>) -> io::Result<Self> {
        let ready = |listener| {
            let runtime = Builder::new_current_thread().enable_all().build()?;
            let inside = runtime.enter();
            let listener = TcpListener::from_std(listener)?;
            drop(inside);
            Ok::<_, io::Error>((runtime, listener))
        };
        Ok(Self {
            serving: ready(listener.try_clone()?)?,
            refusing: ready(listener)?,
            gateway,
        })
    }

    /// Where other work for the gateway may run: until its end, and a moment longer.
    pub fn handle(&self) -> Handle {
        self.serving.0.handle().clone()
    }

    /// Serves on this thread, and does not come back.
    pub fn run(self) {
        let Self {
            gateway,
            serving: (serving, listener),
            refusing: (refusing, later),
        } = self;
        serving.block_on(async {
            tokio::select! {
                () = serve(listener, Arc::clone(&gateway)) => {}
                _ = ended(gateway.end.clone()) => {}
            }
        });
        thread::spawn(move || {
            // A timer is made within its runtime.
            let dropped = {
                let _inside = serving.enter();
                tokio::time::sleep(DROPPED)
            };
            serving.block_on(dropped);
            serving.shutdown_background();
        });
        refusing.block_on(serve(later, gateway));
    }
}

/// Answers connections until it is dropped. Runs on a current-thread or any other runtime with I/O and time.
pub async fn serve(listener: TcpListener, gateway: Arc<Gateway>) {
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let gateway = Arc::clone(&gateway);
                tokio::spawn(async move {
                    connection(stream, peer, gateway).await;
                    drop(place);
                });
            }
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, gateway: Arc<Gateway>) {
    let _ = stream.set_nodelay(true);
    let own = gateway.own();
    let stranger = tokio::task::spawn_blocking(move || peer::check(peer, own)).await;
    let stranger = stranger.unwrap_or(Err(Stranger::Unknown)).err();
    if stranger == Some(Stranger::OtherUser) {
        gateway.counts().turned_away();
        return;
    }
    let cut = Arc::new(Notify::new());
    let end = gateway.end.clone();
    // What comes after the end is told so, and nothing of the hub's is in it.
    let late = end.borrow().is_some();
    let service = {
        let cut = Arc::clone(&cut);
        service_fn(move |request| {
            let (gateway, cut) = (Arc::clone(&gateway), Arc::clone(&cut));
            async move {
                Ok::<_, Infallible>(match stranger {
                    None => gateway.answer(request, cut).await,
                    Some(stranger) => gateway.refuse(stranger, &request),
                })
            }
        })
    };
    let mut serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MOST_AT_ONCE)
        .serve_connection(TokioIo::new(stream), service);
    let reset = tokio::select! {
        // What goes wrong here the child sees as a broken connection, and there is nobody else to tell. A transfer that the
        // end cut is one of these.
        done = &mut serving => done.is_err() && !late && end.borrow().is_some(),
        () = cut.notified() => true,
        _ = ended(end.clone()), if !late => {
            // An idle one closes at once, another when the child has read what there is.
            std::pin::Pin::new(&mut serving).graceful_shutdown();
            !matches!(tokio::time::timeout(GRACE, &mut serving).await, Ok(Ok(())))
        }
    };
    if reset {
        // What the child has not taken by now, and what the system holds for it, is not sent behind the end either.
        let _ = serving.into_parts().io.into_inner().set_zero_linger();
    }
}
