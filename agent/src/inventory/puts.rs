//! Content on its way up, in the order in which it came.
//!
//! One batch at a time, so that whatever is queued after something else is stored after it, or with it: a manifest that is queued after
//! everything below it can never be held without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use portolan_shared::model::limits;
use tokio::sync::{Notify, mpsc, watch};

use super::pace::{Pace, lingered};
use super::pool::{Held, Pool, Work};
use super::upload::{ContentItem, Upload, UploadError};

/// Items that wait to be sent; their bytes are bounded by the pool.
const QUEUE: usize = 1_024;

struct Queued {
    item: ContentItem,
    bytes: usize,
    /// Kept until the item is stored.
    held: Option<Held>,
    work: Work,
}

/// Where content is queued.
pub(super) struct Puts {
    sender: mpsc::Sender<Queued>,
    queued: AtomicU64,
    stored: watch::Receiver<u64>,
    hurry: Arc<Notify>,
    pool: Arc<Pool>,
}

/// Sends what was queued.
pub(super) struct Sending {
    receiver: mpsc::Receiver<Queued>,
    stored: watch::Sender<u64>,
    /// Somebody waits for what is queued.
    hurry: Arc<Notify>,
    pace: Pace,
}

pub(super) fn puts(pace: Pace, pool: &Arc<Pool>) -> (Puts, Sending) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let (done, stored) = watch::channel(0);
    let hurry = Arc::new(Notify::new());
    let puts = Puts {
        sender,
        queued: AtomicU64::new(0),
        stored,
        hurry: Arc::clone(&hurry),
        pool: Arc::clone(pool),
    };
    let sending = Sending {
        receiver,
        stored: done,
        hurry,
        pace,
    };
    (puts, sending)
}

impl Puts {
    /// Queues an item behind all others.
    pub(super) async fn push(&self, item: ContentItem, held: Option<Held>) {
        let queued = Queued {
            bytes: size(&item),
            item,
            held,
            work: self.pool.work(),
        };
        if self.sender.send(queued).await.is_ok() {
            self.queued.fetch_add(1, Ordering::AcqRel);
        } else {
            // Sending has failed, which ends the whole walk.
            std::future::pending::<()>().await;
        }
    }

    /// Returns once everything that has been queued so far is stored.
    pub(super) async fn all_stored(&self) {
        let until = self.queued.load(Ordering::Acquire);
        if *self.stored.borrow() < until {
            self.hurry.notify_one();
        }
        if self
            .stored
            .clone()
            .wait_for(|stored| *stored >= until)
            .await
            .is_err()
        {
            std::future::pending::<()>().await;
        }
    }
}

/// Returns when a batch has waited long enough for company.
async fn enough(pace: Pace, hurry: &Notify) {
    tokio::select! {
        () = lingered(pace.batch_linger) => {}
        () = async {
            hurry.notified().await;
            lingered(pace.linger).await;
        } => {}
    }
}

/// Bytes of an item beside its content: digest, media type and framing.
const FRAMING: usize = 512;

fn size(item: &ContentItem) -> usize {
    FRAMING
        + match item {
            ContentItem::Manifest { bytes, .. } => bytes.len(),
            ContentItem::ImageFacts { json, .. } => json.len(),
            ContentItem::Unavailable { .. } => 0,
        }
}

impl Sending {
    /// Works until nobody can queue any more.
    pub(super) async fn run(mut self, upload: &dyn Upload) -> Result<(), UploadError> {
        let mut left_over = None;
        loop {
            let first = match left_over.take() {
                Some(queued) => queued,
                None => match self.receiver.recv().await {
                    Some(queued) => queued,
                    None => return Ok(()),
                },
            };
            let mut bytes = first.bytes;
            let mut batch = vec![first];
            let enough = enough(self.pace, &self.hurry);
            tokio::pin!(enough);
            while bytes < self.pace.batch_bytes && batch.len() < limits::DIGESTS_PER_OFFER {
                let next = tokio::select! {
                    biased;
                    next = self.receiver.recv() => next,
                    () = &mut enough => None,
                };
                match next {
                    Some(queued) if bytes + queued.bytes > limits::BATCH_BYTES => {
                        left_over = Some(queued);
                        break;
                    }
                    Some(queued) => {
                        bytes += queued.bytes;
                        batch.push(queued);
                    }
                    None => break,
                }
            }
            self.send(upload, batch).await?;
        }
    }

    async fn send(&self, upload: &dyn Upload, batch: Vec<Queued>) -> Result<(), UploadError> {
        let count = batch.len() as u64;
        let (mut items, mut kept) = (Vec::with_capacity(batch.len()), Vec::with_capacity(batch.len()));
        for queued in batch {
            items.push(queued.item);
            kept.push((queued.held, queued.work));
        }
        upload.put_content(&items).await?;
        drop((items, kept));
        self.stored.send_modify(|stored| *stored += count);
        Ok(())
    }
}
