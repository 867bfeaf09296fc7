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
use super::rooms::{Anteroom, NoRoom, Room};
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
    door: &'a Arc<Door>,
    call: &'a Call,
    identity: PeerIdentity,
    stream: Streaming<T>,
    messages: u32,
    /// Until the first message has shown for which attempt this is.
    anteroom: Option<Anteroom>,
    /// From then on.
    room: Option<Room>,
}

impl<'a, T> Incoming<'a, T> {
    pub(super) fn new(
        door: &'a Arc<Door>,
        call: &'a Call,
        identity: PeerIdentity,
        stream: Streaming<T>,
        anteroom: Anteroom,
    ) -> Self {
        Self {
            door,
            call,
            identity,
            stream,
            messages: 0,
            anteroom: Some(anteroom),
            room: None,
        }
    }

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

    /// The fence of the first message. What comes after is taken in only for an attempt that is leased to this sensor now: without one,
    /// a stream takes no room from others.
    async fn admit(&mut self, wire: Option<&v1::Fence>) -> Result<Fence, Refusal> {
        let fence = fence(&self.identity, wire).map_err(|error| self.field(&error))?;
        let current = self.door.app.check_fence(&fence).await;
        current.map_err(|error| self.refuse().store(&error))?;
        self.call.connection.showed(fence.session_epoch);
        if let Some(anteroom) = self.anteroom.take() {
            let room = self.door.uploads.enter(fence.tenant, anteroom).await;
            self.room = Some(room.map_err(|NoRoom| no_room(&self.refuse()))?);
        }
        Ok(fence)
    }

    /// A stream that was not taken in within its deadline.
    fn too_slow(&self) -> Status {
        let text = "the stream took too long";
        self.refuse().with(Reason::SlowConsumer, text).into_status()
    }
}

/// Come back when others are done.
pub(super) fn no_room(refuse: &Refuser<'_>) -> Refusal {
    let text = "too many uploads at the same time";
    refuse.later(Reason::Overloaded, text, Duration::from_secs(2))
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
    let deadline = incoming.door.limits.upload_deadline;
    let (fence, batch) = match tokio::time::timeout(deadline, take_batch(&mut incoming)).await {
        Ok(taken) => taken.map_err(Refusal::into_status)?,
        Err(_) => return Err(incoming.too_slow()),
    };
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
    let mut empty = false;
    while let Some(message) = incoming.next().await? {
        let fence = match fence {
            Some(fence) => fence,
            None => *fence.insert(incoming.admit(message.fence.as_ref()).await?),
        };
        if empty {
            return Err(incoming.field(&carries_nothing("items")));
        }
        empty = message.items.is_empty();
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

/// Every message but the last has to bring the upload further.
fn carries_nothing(field: &'static str) -> FieldError {
    FieldError::new(field, "is empty in a message that is not the last")
}

/// Takes a whole tag set in, then commits it.
pub(super) async fn commit_repository(
    mut incoming: Incoming<'_, v1::CommitRepositoryRequest>,
) -> Result<v1::CommitRepositoryResponse, Status> {
    let deadline = incoming.door.limits.upload_deadline;
    let (fence, commit) = match tokio::time::timeout(deadline, take_commit(&mut incoming)).await {
        Ok(taken) => taken.map_err(Refusal::into_status)?,
        Err(_) => return Err(incoming.too_slow()),
    };
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
            let fence = incoming.admit(message.fence.as_ref()).await?;
            let repository = convert::repository("repository", &message.repository)
                .map_err(|error| incoming.field(&error))?;
            let only = read::only(&message.only).map_err(|error| incoming.field(&error))?;
            head = Some((fence, repository, only));
        } else if !message.only.is_empty() {
            return Err(incoming.field(&FieldError::new("only", "must be in the first message")));
        }
        if message.tags.is_empty() && message.left_out.is_empty() && message.end.is_none() {
            return Err(incoming.field(&carries_nothing("tags")));
        }
        if message.tags.len() > limits::TAGS_PER_PAGE {
            return Err(incoming.field(&FieldError::new("tags", "has more than 1,000 items")));
        }
        let left_out = read::left_out(&message.left_out).map_err(|error| incoming.field(&error))?;
        for tag in &message.tags {
            let tag = convert::tag(tag).map_err(|error| incoming.field(&error))?;
            tags.push(tag)
                .map_err(|error| incoming.refuse().ingest(&IngestError::TagSet(error)))?;
        }
        for tag in left_out {
            tags.leave_out(tag)
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
            convert::age("end.listed_seconds_ago", end.listed_seconds_ago)?,
        ))
    };
    let (state_hash, outcome, age) = check().map_err(|error| incoming.field(&error))?;
    let (tags, left_out) = tags
        .finish(state_hash)
        .map_err(|error| incoming.refuse().ingest(&IngestError::TagSet(error)))?;
    let (fence, repository, only) = head.ok_or_else(|| incoming.field(&FieldError::missing("fence")))?;
    Ok((
        fence,
        RepositoryCommit {
            repository,
            only,
            tags,
            left_out,
            state_hash,
            outcome,
            finding: convert::optional_finding(end.finding.as_ref()),
            age,
        },
    ))
}
