//! The way up for one attempt: calls that are tried again until they are answered, or the attempt is over.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures::future::BoxFuture;
use portolan_proto::convert::{
    Refusal, bits, content_kind_to_wire, coverage_to_wire, discovery_step_to_wire, facts_to_wire,
    final_progress_to_wire, finding_to_wire, listing_step_to_wire, repository_state_to_wire,
};
use portolan_proto::v1;
use portolan_proto::v1::upload_client::UploadClient;
use portolan_shared::model::{
    AttemptRef, ContentKind, CoverageEntry, Digest, Reason, RepositoryName, RunState, limits,
};
use portolan_shared::process::{Clock, Rng};
use prost::Message;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tonic::{Response, Status};

use super::channel::Channel;
use super::failure::Failure;
use super::reconnect::Decorrelated;
use super::upload_link::{SessionRef, UploadLink};
use super::upload_pack as pack;
use crate::inventory::{Closing, ContentItem, ListedRepository, RepositoryTags, Upload, UploadError};

/// One call, its stream of up to eight MiB included.
const CALL_WITHIN: Duration = Duration::from_secs(120);
/// So often the control plane may fail by itself on one call before the call is given up.
const INTERNAL_TRIES: u32 = 8;

/// Makes the ways up.
#[derive(Clone)]
pub(super) struct Uploads {
    link: Arc<UploadLink>,
    rng: Arc<dyn Rng>,
    clock: Arc<dyn Clock>,
}

impl Uploads {
    pub(super) fn new(link: Arc<UploadLink>, rng: Arc<dyn Rng>, clock: Arc<dyn Clock>) -> Self {
        Self { link, rng, clock }
    }

    /// The way up for one attempt, until `ended` says why it is over.
    pub(super) fn for_attempt(
        &self,
        attempt: AttemptRef,
        ended: watch::Receiver<Option<Reason>>,
    ) -> GrpcUpload {
        GrpcUpload {
            session: self.link.session(),
            link: Arc::clone(&self.link),
            rng: Arc::clone(&self.rng),
            clock: Arc::clone(&self.clock),
            attempt,
            ended,
            held: Mutex::new(None),
            bytes: Arc::default(),
        }
    }
}

/// [`Upload`] over gRPC.
pub(super) struct GrpcUpload {
    link: Arc<UploadLink>,
    rng: Arc<dyn Rng>,
    clock: Arc<dyn Clock>,
    session: watch::Receiver<Option<SessionRef>>,
    attempt: AttemptRef,
    ended: watch::Receiver<Option<Reason>>,
    /// Keeps the shared connection open between calls.
    held: Mutex<Option<Arc<Channel>>>,
    bytes: Arc<AtomicU64>,
}

type Answer<T> = BoxFuture<'static, Result<Response<T>, Status>>;
type Client = UploadClient<Channel>;

/// What came of one try.
enum Try<T> {
    Done(T),
    Over(UploadError),
    /// The session is not the current one any more: wait for a newer one than this.
    Stale(u64),
    Again {
        asked: Option<Duration>,
        internal: bool,
    },
}

impl GrpcUpload {
    async fn call<T>(
        &self,
        once: impl Fn(Client, v1::Fence) -> Answer<T> + Send + Sync,
    ) -> Result<T, UploadError> {
        let mut delays = Decorrelated::new(Duration::from_millis(500), Duration::from_secs(30));
        let mut newer_than = 0;
        let mut internal = 0;
        loop {
            let tried = self.unless_ended(async {
                let session = self.session_after(newer_than).await;
                self.try_once(&session, &once).await
            });
            match tried.await? {
                Try::Done(answer) => return Ok(answer),
                Try::Over(error) => return Err(error),
                Try::Stale(epoch) => newer_than = epoch,
                Try::Again {
                    asked,
                    internal: by_itself,
                } => {
                    internal += u32::from(by_itself);
                    if internal >= INTERNAL_TRIES {
                        return Err(UploadError::Refused {
                            reason: Reason::Internal,
                            text: format!("it failed by itself {internal} times"),
                        });
                    }
                    let delay = delays.next(&*self.rng);
                    self.unless_ended(sleep(asked.unwrap_or(delay))).await?;
                }
            }
        }
    }

    /// The first session with an epoch above `epoch`.
    async fn session_after(&self, epoch: u64) -> SessionRef {
        let mut session = self.session.clone();
        loop {
            let current = session.borrow_and_update().clone();
            match current {
                Some(current) if current.epoch > epoch => return current,
                _ => {}
            }
            if session.changed().await.is_err() {
                // The uplink has ended; whoever waits here is told so by `ended`.
                std::future::pending::<()>().await;
            }
        }
    }

    async fn unless_ended<T>(&self, work: impl Future<Output = T>) -> Result<T, UploadError> {
        let mut ended = self.ended.clone();
        tokio::select! {
            biased;
            over = ended.wait_for(Option::is_some) => {
                let reason = over.ok().and_then(|reason| *reason).unwrap_or(Reason::Cancelled);
                Err(UploadError::Fenced(reason))
            }
            done = work => Ok(done),
        }
    }

    async fn try_once<T>(
        &self,
        session: &SessionRef,
        once: impl Fn(Client, v1::Fence) -> Answer<T>,
    ) -> Try<T> {
        const LATER: Option<Duration> = None;
        let channel = match self.link.channel(&session.endpoint).await {
            Ok(channel) => channel,
            Err(failure) => {
                tracing::debug!(failure = failure.with_causes(), "no upload connection");
                return Try::Again {
                    asked: LATER,
                    internal: false,
                };
            }
        };
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&channel));
        let fence = v1::Fence {
            attempt: Some(self.attempt.into()),
            session_epoch: session.epoch,
        };
        let client = UploadClient::with_origin((*channel).clone(), channel.origin())
            .max_decoding_message_size(limits::SESSION_MESSAGE_BYTES)
            .max_encoding_message_size(limits::UPLOAD_MESSAGE_BYTES);
        match timeout(CALL_WITHIN, once(client, fence)).await {
            Ok(Ok(answer)) => Try::Done(answer.into_inner()),
            Ok(Err(status)) => match Refusal::in_status(&status) {
                Some(refusal) => self.refused(refusal, session.epoch, &channel).await,
                None => {
                    let failure: Failure = channel.failure(&status);
                    tracing::debug!(attempt = %self.attempt, failure = failure.with_causes(), "an upload call failed");
                    self.link.broken(&channel).await;
                    Try::Again {
                        asked: LATER,
                        internal: false,
                    }
                }
            },
            Err(_) => {
                self.link.broken(&channel).await;
                Try::Again {
                    asked: LATER,
                    internal: false,
                }
            }
        }
    }

    async fn refused<T>(&self, refusal: Refusal, epoch: u64, channel: &Arc<Channel>) -> Try<T> {
        tracing::debug!(attempt = %self.attempt, reason = %refusal.reason, text = refusal.text, "an upload call was refused");
        let again = |internal| Try::Again {
            asked: refusal.retry_after,
            internal,
        };
        match refusal.reason {
            Reason::StaleSession => Try::Stale(epoch),
            Reason::StaleAttempt | Reason::Cancelled => Try::Over(UploadError::Fenced(refusal.reason)),
            Reason::SensorRevoked
            | Reason::IdentityUnknown
            | Reason::SensorSuspended
            | Reason::SensorQuarantined
            | Reason::IdentityConflict
            | Reason::NeedsApproval => Try::Over(UploadError::Fenced(refusal.reason)),
            Reason::Overloaded | Reason::SlowConsumer | Reason::StorageUnavailable => again(false),
            // Another connection may lead to another replica, or carry the certificate that is current by now.
            Reason::Draining | Reason::CertificateExpired | Reason::CertificateNotCurrent => {
                self.link.broken(channel).await;
                again(false)
            }
            Reason::Internal => again(true),
            Reason::TokenInvalid
            | Reason::TokenAlreadyBound
            | Reason::MessageTooLarge
            | Reason::ProtocolViolation
            | Reason::VersionUnsupported
            | Reason::Policy
            | Reason::CredentialRefused
            | Reason::Unsupported => Try::Over(UploadError::Refused {
                reason: refusal.reason,
                text: refusal.text,
            }),
        }
    }

    /// Counts a message that is about to be sent.
    fn counted<M: Message>(bytes: &AtomicU64, message: M) -> M {
        bytes.fetch_add(message.encoded_len() as u64, Ordering::Relaxed);
        message
    }

    fn stream<M, I>(&self, messages: I) -> impl tokio_stream::Stream<Item = M> + use<M, I>
    where
        M: Message + 'static,
        I: IntoIterator<Item = M>,
    {
        let bytes = Arc::clone(&self.bytes);
        tokio_stream::StreamExt::map(tokio_stream::iter(messages), move |message| {
            Self::counted(&bytes, message)
        })
    }

    fn answers(bitmap: &v1::Bitmap, expected: usize) -> Result<Vec<bool>, UploadError> {
        bits(bitmap, expected).map_err(|error| UploadError::Refused {
            reason: Reason::ProtocolViolation,
            text: error.to_string(),
        })
    }
}

#[async_trait]
impl Upload for GrpcUpload {
    async fn pending_repositories(&self, repositories: &[RepositoryName]) -> Result<Vec<bool>, UploadError> {
        let names: Vec<String> = repositories.iter().map(ToString::to_string).collect();
        let once = |mut client: Client, fence| -> Answer<v1::Bitmap> {
            let request = v1::PendingRepositoriesRequest {
                fence: Some(fence),
                repositories: names.clone(),
            };
            let request = Self::counted(&self.bytes, request);
            Box::pin(async move { client.pending_repositories(request).await })
        };
        Self::answers(&self.call(once).await?, repositories.len())
    }

    async fn offer_repositories(&self, listed: &[ListedRepository]) -> Result<Vec<bool>, UploadError> {
        let once = |mut client: Client, fence| -> Answer<v1::Bitmap> {
            // What is tried again has grown older.
            let now = self.clock.uptime();
            let states = listed
                .iter()
                .map(|listed| repository_state_to_wire(&listed.offered(now)));
            let request = v1::OfferRepositoriesRequest {
                fence: Some(fence),
                repositories: states.collect(),
            };
            let request = Self::counted(&self.bytes, request);
            Box::pin(async move { client.offer_repositories(request).await })
        };
        Self::answers(&self.call(once).await?, listed.len())
    }

    async fn offer_digests(&self, kind: ContentKind, digests: &[Digest]) -> Result<Vec<bool>, UploadError> {
        let kind = i32::from(content_kind_to_wire(kind));
        let offered: Vec<bytes::Bytes> = digests.iter().map(|digest| digest.to_bytes().into()).collect();
        let once = |mut client: Client, fence| -> Answer<v1::Bitmap> {
            let request = v1::OfferDigestsRequest {
                fence: Some(fence),
                kind,
                digests: offered.clone(),
            };
            let request = Self::counted(&self.bytes, request);
            Box::pin(async move { client.offer_digests(request).await })
        };
        Self::answers(&self.call(once).await?, digests.len())
    }

    async fn put_content(&self, items: &[ContentItem]) -> Result<u32, UploadError> {
        if items.is_empty() {
            return Ok(0);
        }
        let once = |mut client: Client, fence| -> Answer<v1::PutContentResponse> {
            let messages = self.stream(pack::content(&fence, items));
            Box::pin(async move { client.put_content(messages).await })
        };
        Ok(self.call(once).await?.stored)
    }

    async fn commit_repository(&self, repository: &Arc<RepositoryTags>) -> Result<(), UploadError> {
        let once = |mut client: Client, fence| -> Answer<v1::CommitRepositoryResponse> {
            let messages = pack::tags(fence, Arc::clone(repository), Arc::clone(&self.clock));
            let messages = self.stream(messages);
            Box::pin(async move { client.commit_repository(messages).await })
        };
        self.call(once).await.map(drop)
    }

    async fn report_coverage(&self, entries: &[CoverageEntry]) -> Result<(), UploadError> {
        let once = |mut client: Client, fence| -> Answer<v1::Ack> {
            let request = coverage_to_wire(fence, entries);
            let request = Self::counted(&self.bytes, request);
            Box::pin(async move { client.report_coverage(request).await })
        };
        self.call(once).await.map(drop)
    }

    async fn close_run(&self, closing: &Closing) -> Result<RunState, UploadError> {
        let once = |mut client: Client, fence| -> Answer<v1::CloseRunResponse> {
            let mut request = v1::CloseRunRequest {
                fence: Some(fence),
                discovery: closing.discovery.iter().map(discovery_step_to_wire).collect(),
                discovery_complete: closing.discovery_complete,
                found: closing.found,
                filtered: closing.filtered,
                tags: closing.tags,
                failure: closing.failure.as_ref().map(finding_to_wire),
                progress: Some(final_progress_to_wire(&closing.progress)),
                listings: closing.listings.iter().map(listing_step_to_wire).collect(),
                facts: Some(facts_to_wire(&closing.facts)),
                tags_filtered: closing.tags_filtered,
            };
            // The number is part of what it counts: the second time, its own length no longer changes.
            for _ in 0..2 {
                let own = request.encoded_len() as u64;
                if let Some(progress) = &mut request.progress {
                    progress.bytes_up = self.bytes_sent() + own;
                }
            }
            let request = Self::counted(&self.bytes, request);
            Box::pin(async move { client.close_run(request).await })
        };
        let state = self.call(once).await?.state;
        state.parse().map_err(|text| UploadError::Refused {
            reason: Reason::ProtocolViolation,
            text,
        })
    }

    fn bytes_sent(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}
