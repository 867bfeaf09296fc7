//! The calls of the upload service.

use std::sync::Arc;

use portolan_proto::v1::upload_server::Upload;
use portolan_proto::{convert, v1};
use portolan_shared::tls::PeerIdentity;
use portolan_store::{Fence, StoreError};
use tonic::{Request, Response, Status, Streaming};

use super::read;
use super::rooms::{NoRoom, Room};
use super::streams::{self, Incoming, fence, no_room};
use crate::app::SessionCommand;
use crate::grpc::door::Door;
use crate::grpc::gate::Call;

pub(in crate::grpc) struct UploadService(pub(in crate::grpc) Arc<Door>);

impl UploadService {
    /// Who calls, and with which fence.
    async fn caller(&self, call: &Call, wire: Option<&v1::Fence>) -> Result<(PeerIdentity, Fence), Status> {
        let identity = self.0.current(call).await?;
        let fence =
            fence(&identity, wire).map_err(|error| self.0.refuser(call).field(&error).into_status())?;
        Ok((identity, fence))
    }

    /// Room for a call whose one message is there already.
    async fn room(&self, call: &Call, identity: &PeerIdentity) -> Result<Room, Status> {
        let room = self
            .0
            .uploads
            .at_once(identity, self.has_shown(call, identity))
            .await;
        room.map_err(|NoRoom| no_room(&self.0.refuser(call)).into_status())
    }

    /// Whether a fence of the sensor's session was shown on this connection before.
    fn has_shown(&self, call: &Call, identity: &PeerIdentity) -> bool {
        call.connection.has_shown(self.0.standing(identity.sensor))
    }

    /// What the store answers to a call with this fence, which has held if it is no error.
    fn answer<T>(&self, call: &Call, fence: &Fence, answer: Result<T, StoreError>) -> Result<T, Status> {
        match answer {
            Ok(answer) => {
                call.connection.showed(fence.session_epoch);
                Ok(answer)
            }
            Err(error) => Err(self.0.refuser(call).store(&error).into_status()),
        }
    }

    /// A call whose request is a stream, from which nothing was read yet.
    async fn incoming<'a, T>(
        &'a self,
        call: &'a Call,
        request: Request<Streaming<T>>,
    ) -> Result<Incoming<'a, T>, Status> {
        let identity = self.0.current(call).await?;
        let has_shown = self.has_shown(call, &identity);
        let anteroom = self.0.uploads.begin(identity.sensor, has_shown).await;
        let anteroom = anteroom.map_err(|NoRoom| no_room(&self.0.refuser(call)).into_status())?;
        let stream = request.into_inner();
        Ok(Incoming::new(&self.0, call, identity, stream, anteroom))
    }
}

#[tonic::async_trait]
impl Upload for UploadService {
    async fn pending_repositories(
        &self,
        request: Request<v1::PendingRepositoriesRequest>,
    ) -> Result<Response<v1::Bitmap>, Status> {
        let (call, door) = (Door::call(&request)?, &self.0);
        let (identity, fence) = self.caller(&call, request.get_ref().fence.as_ref()).await?;
        let _room = self.room(&call, &identity).await?;
        let refuse = door.refuser(&call);
        let repositories = read::repositories(&request.get_ref().repositories)
            .map_err(|error| refuse.field(&error).into_status())?;
        let pending = door
            .app
            .pending_repositories(&door.meters, &fence, &repositories)
            .await;
        let pending = self.answer(&call, &fence, pending)?;
        Ok(Response::new(convert::bitmap(&pending)))
    }

    async fn offer_repositories(
        &self,
        request: Request<v1::OfferRepositoriesRequest>,
    ) -> Result<Response<v1::Bitmap>, Status> {
        let (call, door) = (Door::call(&request)?, &self.0);
        let (identity, fence) = self.caller(&call, request.get_ref().fence.as_ref()).await?;
        let _room = self.room(&call, &identity).await?;
        let refuse = door.refuser(&call);
        let offered = read::offered(&request.get_ref().repositories)
            .map_err(|error| refuse.field(&error).into_status())?;
        let changed = door.app.offer_repositories(&door.meters, &fence, &offered).await;
        let changed = self.answer(&call, &fence, changed)?;
        Ok(Response::new(convert::bitmap(&changed)))
    }

    async fn offer_digests(
        &self,
        request: Request<v1::OfferDigestsRequest>,
    ) -> Result<Response<v1::Bitmap>, Status> {
        let (call, door) = (Door::call(&request)?, &self.0);
        let (identity, fence) = self.caller(&call, request.get_ref().fence.as_ref()).await?;
        let _room = self.room(&call, &identity).await?;
        let refuse = door.refuser(&call);
        let field = |error| refuse.field(&error).into_status();
        let kind = convert::content_kind(request.get_ref().kind()).map_err(field)?;
        let digests = read::digests(&request.get_ref().digests).map_err(field)?;
        let wanted = door.app.offer_digests(&door.meters, &fence, kind, &digests).await;
        let wanted = self.answer(&call, &fence, wanted)?;
        Ok(Response::new(convert::bitmap(&wanted)))
    }

    async fn put_content(
        &self,
        request: Request<Streaming<v1::PutContentRequest>>,
    ) -> Result<Response<v1::PutContentResponse>, Status> {
        let call = Door::call(&request)?;
        let incoming = self.incoming(&call, request).await?;
        streams::put_content(incoming).await.map(Response::new)
    }

    async fn commit_repository(
        &self,
        request: Request<Streaming<v1::CommitRepositoryRequest>>,
    ) -> Result<Response<v1::CommitRepositoryResponse>, Status> {
        let call = Door::call(&request)?;
        let incoming = self.incoming(&call, request).await?;
        streams::commit_repository(incoming).await.map(Response::new)
    }

    async fn report_coverage(
        &self,
        request: Request<v1::ReportCoverageRequest>,
    ) -> Result<Response<v1::Ack>, Status> {
        let (call, door) = (Door::call(&request)?, &self.0);
        let (identity, fence) = self.caller(&call, request.get_ref().fence.as_ref()).await?;
        let _room = self.room(&call, &identity).await?;
        let refuse = door.refuser(&call);
        let entries =
            read::coverage(request.get_ref()).map_err(|error| refuse.field(&error).into_status())?;
        let stored = door.app.report_coverage(&door.meters, &fence, &entries).await;
        self.answer(&call, &fence, stored)?;
        Ok(Response::new(v1::Ack {}))
    }

    async fn close_run(
        &self,
        request: Request<v1::CloseRunRequest>,
    ) -> Result<Response<v1::CloseRunResponse>, Status> {
        let (call, door) = (Door::call(&request)?, &self.0);
        let (identity, fence) = self.caller(&call, request.get_ref().fence.as_ref()).await?;
        let _room = self.room(&call, &identity).await?;
        let refuse = door.refuser(&call);
        let closing = read::closing(request.get_ref()).map_err(|error| refuse.field(&error).into_status())?;
        let progress = request.get_ref().progress.as_ref().map(convert::progress);
        let closed = door
            .app
            .close_run(&door.meters, &fence, &closing, progress.as_ref())
            .await;
        let closed = self.answer(&call, &fence, closed)?;
        // Its slot is free now, not only with the next heartbeat.
        if let Some(session) = door.sessions.of(identity.sensor) {
            session.tell(SessionCommand::Ended(fence.attempt));
        }
        Ok(Response::new(v1::CloseRunResponse {
            state: closed.state.as_str().to_owned(),
        }))
    }
}
