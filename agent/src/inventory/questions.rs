//! Offers of many callers, gathered into few.
//!
//! Each caller asks about a few items and waits; a loop puts the questions together, sends one offer at a time and hands the answers back.
//! While an offer is on its way the next one gathers.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::pace::{Pace, lingered};
use super::pool::Pool;
use super::upload::{Upload, UploadError};

/// Sends one offer.
pub(super) type Offer<T> =
    for<'u> fn(&'u dyn Upload, &'u [T]) -> BoxFuture<'u, Result<Vec<bool>, UploadError>>;

type Question<T> = (Vec<T>, oneshot::Sender<Vec<bool>>);

/// Questions that wait to be taken up; whoever comes later waits to be heard.
const QUEUE: usize = 256;

/// Where questions are asked.
pub(super) struct Questions<T> {
    sender: mpsc::Sender<Question<T>>,
    pool: Arc<Pool>,
}

/// Puts questions together and sends them.
pub(super) struct Gathering<T> {
    receiver: mpsc::Receiver<Question<T>>,
    offer: Offer<T>,
    bound: usize,
    company: usize,
    linger: Duration,
}

/// `bound` is the most items that one offer may have, and that one caller may ask about; `linger` is how long an offer waits
/// for company.
pub(super) fn questions<T: Send + Sync>(
    offer: Offer<T>,
    bound: usize,
    linger: Duration,
    pace: &Pace,
    pool: &Arc<Pool>,
) -> (Questions<T>, Gathering<T>) {
    let (sender, receiver) = mpsc::channel(QUEUE);
    let questions = Questions {
        sender,
        pool: Arc::clone(pool),
    };
    let gathering = Gathering {
        receiver,
        offer,
        bound,
        company: pace.company,
        linger,
    };
    (questions, gathering)
}

impl<T: Send + Sync> Questions<T> {
    /// For each item the answer to the offer. Never returns when the offer fails: that ends the whole walk.
    pub(super) async fn ask(&self, items: Vec<T>) -> Vec<bool> {
        if items.is_empty() {
            return Vec::new();
        }
        let _work = self.pool.work();
        let (reply, answers) = oneshot::channel();
        if self.sender.send((items, reply)).await.is_ok()
            && let Ok(answers) = answers.await
        {
            return answers;
        }
        std::future::pending().await
    }
}

impl<T: Send + Sync> Gathering<T> {
    /// Works until nobody can ask any more.
    pub(super) async fn run(mut self, upload: &dyn Upload) -> Result<(), UploadError> {
        let mut left_over = None;
        loop {
            let first = match left_over.take() {
                Some(question) => question,
                None => match self.receiver.recv().await {
                    Some(question) => question,
                    None => return Ok(()),
                },
            };
            let (mut items, mut replies) = (Vec::new(), Vec::new());
            take_up(first, &mut items, &mut replies);
            let enough = lingered(self.linger);
            tokio::pin!(enough);
            while items.len() < self.bound {
                let next = tokio::select! {
                    biased;
                    next = self.receiver.recv() => next,
                    () = &mut enough, if items.len() < self.company => None,
                    () = std::future::ready(()), if items.len() >= self.company => None,
                };
                match next {
                    Some(question) if items.len() + question.0.len() > self.bound => {
                        left_over = Some(question);
                        break;
                    }
                    Some(question) => take_up(question, &mut items, &mut replies),
                    None => break,
                }
            }
            let mut answers = (self.offer)(upload, &items).await?.into_iter();
            for (count, reply) in replies {
                // Whoever does not wait any more needs no answer.
                let _ = reply.send(answers.by_ref().take(count).collect());
            }
        }
    }
}

fn take_up<T>(
    (asked, reply): Question<T>,
    items: &mut Vec<T>,
    replies: &mut Vec<(usize, oneshot::Sender<Vec<bool>>)>,
) {
    replies.push((asked.len(), reply));
    items.extend(asked);
}
