//! A body on its way: counted, and cut when the identity ends.

use crate::count::Tally;
use crate::push::Commands;
use crate::source::{Target, TokenSource};
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Full, Limited, combinators::UnsyncBoxBody};
use oam_model::refusal::Refusal;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

/// How often the right to an open transfer is asked for again: where no feed tells, this is how the end is found.
pub const CONFIRM: Duration = Duration::from_secs(30);

/// So long a child may take to hear of a cut; then its connection is dropped, whether it reads or not. With this an end
/// is one within a second.
pub const GRACE: Duration = Duration::from_millis(250);

/// The identity's end: none while it lives.
pub type EndWatch = watch::Receiver<Option<Arc<Refusal>>>;

/// What a body may fail with.
pub type BodyError = Box<dyn Error + Send + Sync>;

/// The body of an answer.
pub type AnswerBody = UnsyncBoxBody<Bytes, BodyError>;

/// The transfer was cut.
#[derive(Debug)]
pub struct Cut;

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the identity ended")
    }
}

impl Error for Cut {}

/// Which way a body goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the child to the hub.
    Out,
    /// From the hub to the child.
    Back,
}

/// Resolves with the refusal when the identity ends, also when it has ended already. When nobody could tell any more it
/// counts as ended.
pub async fn ended(mut end: EndWatch) -> Arc<Refusal> {
    let gone = || {
        Arc::new(Refusal::unavailable(
            "the gateway is stopping",
            "start the command again",
        ))
    };
    match end.wait_for(Option::is_some).await {
        Ok(refusal) => refusal.clone().unwrap_or_else(gone),
        Err(_) => gone(),
    }
}

/// Looks after one transfer: the identity's end cuts it, and so does the end of the right to it, which is asked for
/// again from time to time. Dropping the last of it stops the looking.
#[derive(Clone)]
pub struct Watch {
    end: EndWatch,
    /// The end of the right to this transfer.
    right: EndWatch,
    _stops: Arc<Stops>,
}

struct Stops(AbortHandle);

impl Drop for Stops {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Watch {
    /// Begins to look after a transfer for `target`; asks for its token again `every` so long. When the right to it has
    /// ended and the transfer is not over soon, `connection` is told to end.
    pub fn begin(
        end: EndWatch,
        (source, target): (Arc<dyn TokenSource>, Target),
        every: Duration,
        connection: Arc<Notify>,
    ) -> Self {
        let (lost, right) = watch::channel(None);
        let looking = tokio::spawn(async move {
            let refusal = loop {
                tokio::time::sleep(every).await;
                match Arc::clone(&source).token(target.clone()).await {
                    Err(refusal) if !refusal.code.passes() => break Arc::new(refusal),
                    // What says nothing about the right decides nothing: the hub has the request's token already.
                    Ok(_) | Err(_) => {}
                }
            };
            let _ = lost.send(Some(refusal));
            // A body is not asked for its next piece while the child takes none, so it would not see the cut.
            tokio::time::sleep(GRACE).await;
            connection.notify_one();
        });
        Self {
            end,
            right,
            _stops: Arc::new(Stops(looking.abort_handle())),
        }
    }

    /// Resolves when the transfer is to be cut: at its first poll where the identity has ended by then, so that nothing
    /// that is polled behind it goes on.
    pub fn over(&self) -> impl Future<Output = Arc<Refusal>> + Send + Sync + use<> {
        let (end, right) = (ended(self.end.clone()), ended(self.right.clone()));
        async move {
            tokio::select! {
                biased;
                refusal = end => refusal,
                refusal = right => refusal,
            }
        }
    }
}

/// A body that passes; nothing of it is kept.
pub struct Passing<B> {
    inner: B,
    end: Pin<Box<dyn Future<Output = Arc<Refusal>> + Send + Sync>>,
    _watch: Watch,
    tally: Arc<Tally>,
    direction: Direction,
    commands: Option<Commands>,
}

impl<B> Passing<B> {
    /// Counts `inner` in `tally`, and cuts it when `watch` says so.
    pub fn new(inner: B, watch: &Watch, tally: Arc<Tally>, direction: Direction) -> Self {
        Self {
            inner,
            end: Box::pin(watch.over()),
            _watch: watch.clone(),
            tally,
            direction,
            commands: None,
        }
    }

    /// Reads along which refs a push is about.
    #[must_use]
    pub fn reading_refs(mut self) -> Self {
        self.commands = Some(Commands::default());
        self
    }
}

impl<B> Body for Passing<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        // First, so that not one more byte leaves once the end is known.
        if self.end.as_mut().poll(context).is_ready() {
            return Poll::Ready(Some(Err(Box::new(Cut))));
        }
        let frame = std::task::ready!(Pin::new(&mut self.inner).poll_frame(context));
        if let Some(Ok(frame)) = &frame {
            let data = frame.data_ref().cloned().unwrap_or_default();
            let length = data.len();
            let refs = self.commands.as_mut().map(|commands| commands.take(&data));
            for name in refs.into_iter().flatten() {
                self.tally.changes(name);
            }
            match self.direction {
                Direction::Out => self.tally.sent(length),
                Direction::Back => self.tally.received(length),
            }
        }
        Poll::Ready(frame.map(|frame| frame.map_err(Into::into)))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// A body that is at hand.
pub fn whole(bytes: impl Into<Bytes>) -> AnswerBody {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// Reads a body that may have so many bytes. `None`: it has more, or broke off.
pub async fn read<B>(body: B, most: usize) -> Option<Bytes>
where
    B: Body,
    B::Error: Into<BodyError>,
{
    let collected = Limited::new(body, most).collect().await.ok()?;
    Some(collected.to_bytes())
}
