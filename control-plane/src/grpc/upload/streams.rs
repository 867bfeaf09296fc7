//! The two calls whose request is a stream.

use std::sync::Arc;
use std::time::Duration;

use portolan_proto::convert::{self, FieldError, Refusal};
use portolan_proto::v1;
use portolan_shared::model::{Reason, limits};
use portolan_shared::tls::PeerIdentity;
use portolan_store::{Fence, RepositoryCommit};
use tonic::{Code, Status, Streaming};

use super::read;
use crate::app::{Batch, BatchError, IngestError, TagSet};
use crate::grpc::door::Door;
use crate::grpc::gate::Call;
use crate::grpc::refusal::Refuser;

/// Time between two messages of one stream: refused after.
const PATIENCE: Duration = Duration::from_secs(30);
/// Messages of one stream: refused above. Content comes to a message a mebibyte, tags to one a thousand; this leaves room for small ones.
const MESSAGES: u32 = 20_000;

/// One call with a stream of requests.
pub(super) struct Incoming<'a, T> {
    pub(super) door: &'a Arc<Door>,
    pub(super) call: &'a Call,
    pub(super) identity: PeerIdentity,
    pub(super) stream: Streaming<T>,
    pub(super) messages: u32,
}

impl<T> Incoming<'_, T> {
    fn refuse(&self) -> Refuser<'_> {
        self.door.refuser(self.call)
    }

    fn field(&self, error: &FieldError) -> Refusal {
        self.refuse().field(error)
    }

    async fn next(&mut self) -> Result<Option<T>, Refusal> {
        let message = match tokio::time::timeout(PATIENCE, self.stream.message()).await {
            Ok(Ok(message)) => message,
            Ok(Err(status)) if status.code() == Code::OutOfRange => {
                return Err(self.refuse().with(Reason::MessageTooLarge, status.message()));
            }
            Ok(Err(status)) => return Err(self.refuse().bare(&status)),
            Err(_) => {
                let text = "the stream stood still";
                return Err(self.refuse().with(Reason::SlowConsumer, text));
            }
        };
        self.door.admits(&self.identity).map_err(|reason| {
            self.refuse()
                .with(reason, format!("the sensor is not let in: {reason}"))
        })?;
        self.messages += 1;
        if self.messages > MESSAGES {
            let text = "the stream has too many messages";
            return Err(self.refuse().with(Reason::ProtocolViolation, text));
        }
        Ok(message)
    }

    fn first_fence(&self, wire: Option<&v1::Fence>) -> Result<Fence, Refusal> {
        fence(&self.identity, wire).map_err(|error| self.field(&error))
    }
}

/// The fence of a sensor's message: who it is comes from the certificate, never from the message.
pub(super) fn fence(identity: &PeerIdentity, wire: Option<&v1::Fence>) -> Result<Fence, FieldError> {
    let (attempt, session_epoch) = convert::fence(wire)?;
    Ok(Fence {
        tenant: identity.tenant,
        sensor: identity.sensor,
        session_epoch,
        attempt,
    })
}

/// Takes a whole batch in, then stores it.
pub(super) async fn put_content(
    mut incoming: Incoming<'_, v1::PutContentRequest>,
) -> Result<v1::PutContentResponse, Status> {
    let (fence, batch) = take_batch(&mut incoming).await.map_err(Refusal::into_status)?;
    let door = incoming.door;
    let stored = door
        .app
        .put_content(&door.meters, &fence, batch)
        .await
        .map_err(|error| incoming.refuse().ingest(&error).into_status())?;
    Ok(v1::PutContentResponse { stored })
}

async fn take_batch(incoming: &mut Incoming<'_, v1::PutContentRequest>) -> Result<(Fence, Batch), Refusal> {
    let mut fence = None;
    let mut batch = Batch::new();
    while let Some(message) = incoming.next().await? {
        let fence = match fence {
            Some(fence) => fence,
            None => *fence.insert(incoming.first_fence(message.fence.as_ref())?),
        };
        for item in message.items {
            let part = read::part(item).map_err(|error| incoming.field(&error))?;
            if let Err(error) = batch.push(part) {
                if let BatchError::Mismatch(digest) = &error {
                    let noted = incoming.door.app.note_mismatch(&fence, digest).await;
                    noted.map_err(|error| incoming.refuse().store(&error))?;
                }
                return Err(incoming.refuse().ingest(&IngestError::Batch(error)));
            }
        }
    }
    let fence = fence.ok_or_else(|| incoming.field(&FieldError::missing("fence")))?;
    Ok((fence, batch))
}

/// Takes a whole tag set in, then commits it.
pub(super) async fn commit_repository(
    mut incoming: Incoming<'_, v1::CommitRepositoryRequest>,
) -> Result<v1::CommitRepositoryResponse, Status> {
    let (fence, commit) = take_commit(&mut incoming).await.map_err(Refusal::into_status)?;
    let door = incoming.door;
    let committed = door
        .app
        .commit_repository(&door.meters, &fence, &commit)
        .await
        .map_err(|error| incoming.refuse().store(&error).into_status())?;
    Ok(v1::CommitRepositoryResponse {
        appeared: committed.appeared,
        moved: committed.moved,
        vanished: committed.vanished,
    })
}

async fn take_commit(
    incoming: &mut Incoming<'_, v1::CommitRepositoryRequest>,
) -> Result<(Fence, RepositoryCommit), Refusal> {
    let mut head = None;
    let mut tags = TagSet::new();
    let end = loop {
        let Some(message) = incoming.next().await? else {
            return Err(incoming.field(&FieldError::missing("end")));
        };
        if head.is_none() {
            let fence = incoming.first_fence(message.fence.as_ref())?;
            let repository = convert::repository("repository", &message.repository)
                .map_err(|error| incoming.field(&error))?;
            head = Some((fence, repository));
        }
        if message.tags.len() > limits::TAGS_PER_PAGE {
            return Err(incoming.field(&FieldError::new("tags", "has more than 1,000 items")));
        }
        for tag in &message.tags {
            let tag = convert::tag(tag).map_err(|error| incoming.field(&error))?;
            tags.push(tag)
                .map_err(|error| incoming.refuse().ingest(&IngestError::TagSet(error)))?;
        }
        if let Some(end) = message.end {
            break end;
        }
    };
    if incoming.next().await?.is_some() {
        return Err(incoming.field(&FieldError::new("end", "must be in the last message")));
    }
    let check = || -> Result<_, FieldError> {
        Ok((
            convert::state_hash("end.state_hash", &end.state_hash)?,
            read::committed_outcome(&end.outcome)?,
        ))
    };
    let (state_hash, outcome) = check().map_err(|error| incoming.field(&error))?;
    let tags = tags
        .finish(state_hash)
        .map_err(|error| incoming.refuse().ingest(&IngestError::TagSet(error)))?;
    let (fence, repository) = head.ok_or_else(|| incoming.field(&FieldError::missing("fence")))?;
    Ok((
        fence,
        RepositoryCommit {
            repository,
            tags,
            state_hash,
            outcome,
            finding: convert::optional_finding(end.finding.as_ref()),
        },
    ))
}
