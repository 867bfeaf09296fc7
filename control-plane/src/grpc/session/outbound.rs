//! Messages on their way to a sensor: a queue that is bounded in number and bytes, and gives no room to a peer that does not read.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use futures::Stream;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body;
use prost::Message as _;
use tokio::sync::Notify;
use tonic::Status;

/// Messages that wait: the sender waits above.
const MESSAGES: usize = 64;
/// Bytes that wait: the sender waits above, unless the queue is empty.
const BYTES: usize = 1024 * 1024;

#[derive(Default)]
struct Inner {
    waiting: VecDeque<(usize, Box<v1::ControlMessage>)>,
    bytes: usize,
    seq: u64,
    end: Option<Option<Box<Status>>>,
    gone: bool,
    reader: Option<Waker>,
}

/// The sending end.
#[derive(Clone, Default)]
pub(super) struct Outbound(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    room: Notify,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The peer is gone: nothing can be sent any more.
#[derive(Debug)]
pub(super) struct Gone;

impl Outbound {
    /// A queue, and the stream that empties it.
    pub(super) fn new() -> (Self, OutboundStream) {
        let outbound = Self::default();
        let stream = OutboundStream(Arc::clone(&outbound.0));
        (outbound, stream)
    }

    /// Sends a message; waits while the queue is full.
    pub(super) async fn send(&self, body: Body) -> Result<(), Gone> {
        let mut body = Some(body);
        loop {
            let room = self.0.room.notified();
            if self.try_send(&mut body)? {
                return Ok(());
            }
            room.await;
        }
    }

    fn try_send(&self, body: &mut Option<Body>) -> Result<bool, Gone> {
        let mut inner = self.0.lock();
        if inner.gone {
            return Err(Gone);
        }
        let message = v1::ControlMessage {
            seq: inner.seq + 1,
            body: body.take(),
        };
        let size = message.encoded_len();
        let full =
            inner.waiting.len() >= MESSAGES || (inner.bytes + size > BYTES && !inner.waiting.is_empty());
        if full {
            *body = message.body;
            return Ok(false);
        }
        inner.seq += 1;
        inner.bytes += size;
        inner.waiting.push_back((size, Box::new(message)));
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
        Ok(true)
    }

    /// Ends the stream after what is waiting, with a status unless all is well.
    pub(super) fn end(&self, status: Option<Status>) {
        let mut inner = self.0.lock();
        inner.end.get_or_insert(status.map(Box::new));
        if let Some(reader) = inner.reader.take() {
            reader.wake();
        }
    }

    /// Returns once the peer has taken everything, or is gone.
    pub(super) async fn drained(&self) {
        loop {
            let room = self.0.room.notified();
            {
                let inner = self.0.lock();
                if inner.gone || inner.waiting.is_empty() {
                    return;
                }
            }
            room.await;
        }
    }
}

/// The stream of messages that tonic sends.
pub(in crate::grpc) struct OutboundStream(Arc<Shared>);

impl Stream for OutboundStream {
    type Item = Result<v1::ControlMessage, Status>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inner = self.0.lock();
        if let Some((size, message)) = inner.waiting.pop_front() {
            inner.bytes -= size;
            drop(inner);
            self.0.room.notify_one();
            return Poll::Ready(Some(Ok(*message)));
        }
        match inner.end.as_mut() {
            Some(status) => Poll::Ready(status.take().map(|status| Err(*status))),
            None => {
                inner.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for OutboundStream {
    fn drop(&mut self) {
        self.0.lock().gone = true;
        self.0.room.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::{FutureExt as _, StreamExt as _};

    fn drain() -> Body {
        Body::Drain(v1::Drain {
            reconnect_after_ms: 1,
        })
    }

    #[tokio::test]
    async fn numbers_messages_and_ends_after_them() {
        let (outbound, stream) = Outbound::new();
        outbound.send(drain()).await.unwrap();
        outbound.send(drain()).await.unwrap();
        outbound.end(Some(Status::aborted("over")));
        outbound.end(None);
        let all: Vec<_> = stream.collect().await;
        assert_eq!(all[0].as_ref().unwrap().seq, 1);
        assert_eq!(all[1].as_ref().unwrap().seq, 2);
        assert_eq!(all[2].as_ref().unwrap_err().message(), "over");
        assert_eq!(all.len(), 3);
    }

    #[tokio::test]
    async fn the_sender_waits_at_the_bound_and_goes_on_when_there_is_room() {
        let (outbound, mut stream) = Outbound::new();
        for _ in 0..MESSAGES {
            outbound.send(drain()).now_or_never().unwrap().unwrap();
        }
        assert!(outbound.send(drain()).now_or_never().is_none());
        let waiting = outbound.clone();
        let (sent, taken) = futures::join!(waiting.send(drain()), stream.next());
        sent.unwrap();
        assert_eq!(taken.unwrap().unwrap().seq, 1);

        let (outbound, _stream) = Outbound::new();
        let large = || {
            Body::Refuse(v1::Refuse {
                text: "x".repeat(BYTES / 2),
                ..v1::Refuse::default()
            })
        };
        outbound.send(large()).now_or_never().unwrap().unwrap();
        assert!(outbound.send(large()).now_or_never().is_none());
    }

    #[tokio::test]
    async fn nothing_can_be_sent_to_a_peer_that_is_gone() {
        let (outbound, stream) = Outbound::new();
        drop(stream);
        assert!(outbound.send(drain()).await.is_err());
        outbound.drained().await;
    }
}
