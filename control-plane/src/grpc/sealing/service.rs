//! The calls of the sealing service.

use std::sync::Arc;
use std::time::Duration;

use portolan_proto::convert::{self, FieldError, Refusal};
use portolan_proto::v1;
use portolan_proto::v1::sealing_server::Sealing;
use portolan_shared::model::{CredentialId, Reason};
use portolan_shared::secret::sealed::{SealingKeyId, SignedSealingKey, Wrap};
use tonic::{Request, Response, Status};

use crate::app::PublishError;
use crate::grpc::door::Door;
use crate::grpc::refusal::Refuser;

/// When to ask again for sealed values that may not be handed out now, at the earliest.
const UNGRANTED: Duration = Duration::from_secs(5);

pub(in crate::grpc) struct SealingService(pub(in crate::grpc) Arc<Door>);

#[tonic::async_trait]
impl Sealing for SealingService {
    async fn publish_key(
        &self,
        request: Request<v1::SealingKeyStatement>,
    ) -> Result<Response<v1::SealingKeyAccepted>, Status> {
        let (call, door) = (Door::call(&request)?, &self.0);
        let identity = door.current(&call).await?;
        let refuse = door.refuser(&call);
        let wire = request.get_ref();
        let key = SignedSealingKey::parse(&wire.statement, &wire.signature).map_err(|error| {
            refuse
                .field(&FieldError::new("statement", error.to_string()))
                .into_status()
        })?;
        let mut wait = None;
        let rate = || {
            door.publication_rate(identity.sensor).map_err(|until| {
                wait = Some(until);
                PublishError::Refused(Reason::Overloaded)
            })
        };
        let published = door.app.publish_sealing_key(&identity, &key, rate).await;
        match (published, wait) {
            (Ok(outdated_wraps), _) => Ok(Response::new(v1::SealingKeyAccepted { outdated_wraps })),
            (Err(_), Some(wait)) => {
                let text = "too many sealing keys within an hour";
                Err(refuse.later(Reason::Overloaded, text, wait).into_status())
            }
            (Err(error), None) => Err(not_published(&refuse, &error).into_status()),
        }
    }

    async fn outdated_wraps(
        &self,
        request: Request<v1::OutdatedWrapsRequest>,
    ) -> Result<Response<v1::OutdatedWrapsResponse>, Status> {
        let (call, door) = (Door::call(&request)?, &self.0);
        let identity = door.current(&call).await?;
        if !door.denials.is_fresh() {
            let text = "the database does not answer";
            let refusal = door
                .refuser(&call)
                .later(Reason::StorageUnavailable, text, UNGRANTED);
            return Err(refusal.into_status());
        }
        let found = door.app.outdated_wraps(&identity).await;
        let found = found.map_err(|error| door.refuser(&call).store(&error).into_status())?;
        Ok(Response::new(v1::OutdatedWrapsResponse {
            wraps: found.iter().map(convert::sealed_to_wire).collect(),
        }))
    }

    async fn rewrap(
        &self,
        request: Request<v1::RewrapRequest>,
    ) -> Result<Response<v1::RewrapResponse>, Status> {
        let (call, door) = (Door::call(&request)?, &self.0);
        let identity = door.current(&call).await?;
        let refuse = door.refuser(&call);
        let asked = read(request.get_ref()).map_err(|error| refuse.field(&error).into_status())?;
        let replaced = door
            .app
            .rewrap(&identity, asked.version, asked.replaced, &asked.wrap)
            .await;
        let replaced = replaced.map_err(|error| refuse.store(&error).into_status())?;
        Ok(Response::new(v1::RewrapResponse { replaced }))
    }
}

/// What a sensor wants to be replaced, by what.
struct Asked {
    version: (CredentialId, u64),
    replaced: SealingKeyId,
    wrap: Wrap,
}

fn read(wire: &v1::RewrapRequest) -> Result<Asked, FieldError> {
    let credential = CredentialId::from_slice(&wire.credential_id);
    let replaced = SealingKeyId::from_slice(&wire.replaced_key_id);
    Ok(Asked {
        version: (
            credential.map_err(|error| FieldError::new("credential_id", error.to_string()))?,
            wire.version,
        ),
        replaced: replaced.map_err(|error| FieldError::new("replaced_key_id", error.to_string()))?,
        wrap: Wrap::parse(&wire.wrap).map_err(|error| FieldError::new("wrap", error.to_string()))?,
    })
}

fn not_published(refuse: &Refuser<'_>, error: &PublishError) -> Refusal {
    match error {
        PublishError::Statement(inner) => refuse.with(Reason::ProtocolViolation, inner.to_string()),
        PublishError::Life => refuse.with(Reason::ProtocolViolation, error.to_string()),
        PublishError::Refused(reason) => refuse.with(*reason, error.to_string()),
        PublishError::Store(inner) => refuse.store(inner),
    }
}
