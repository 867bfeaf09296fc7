//! The calls of the session service.

use std::sync::Arc;
use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::session_server::Session;
use portolan_shared::model::Reason;
use tonic::{Request, Response, Status, Streaming};

use super::outbound::{Outbound, OutboundStream};
use super::stream::SessionStream;
use crate::ca::RequestedKey;
use crate::grpc::door::Door;
use crate::grpc::enrolment::bundle;

pub(in crate::grpc) struct SessionService(pub(in crate::grpc) Arc<Door>);

#[tonic::async_trait]
impl Session for SessionService {
    type OpenStream = OutboundStream;

    async fn open(
        &self,
        request: Request<Streaming<v1::SensorMessage>>,
    ) -> Result<Response<OutboundStream>, Status> {
        let call = Door::call(&request)?;
        let (connection, identity) = self.0.sensor(&call)?;
        let (outbound, stream) = Outbound::new();
        let session = SessionStream::new(Arc::clone(&self.0), call, connection, identity, outbound);
        self.0.tasks.spawn("session", session.run(request.into_inner()));
        Ok(Response::new(stream))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::CertificateBundle>, Status> {
        let call = Door::call(&request)?;
        let door = &self.0;
        let identity = door.current(&call).await?;
        let refuse = door.refuser(&call);
        if !door.has_session(&identity) {
            // Two that have one certificate meet at its session; a renewal beside it would be seen by nobody.
            let text = "a renewal goes with the sensor's session";
            return Err(refuse.with(Reason::StaleSession, text).into_status());
        }
        if !door.denials.is_fresh() {
            let text = "the database does not answer";
            let wait = Duration::from_secs(5);
            return Err(refuse.later(Reason::StorageUnavailable, text, wait).into_status());
        }
        let key = RequestedKey::from_der(&request.get_ref().csr_der)
            .map_err(|error| refuse.request(error).into_status())?;
        if key.odd {
            tracing::warn!(sensor = %identity.sensor, "a renewal asked for names or extensions; they were ignored");
        }
        let issued = door
            .app
            .renew(&door.authority, &identity, &key, call.connection.remote.ip())
            .await
            .map_err(|error| refuse.renewal(&error).into_status())?;
        Ok(Response::new(bundle(door, &issued)))
    }
}
