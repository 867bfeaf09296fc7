//! Enrolment: one token in, one sensor out, however often it is tried.

use std::sync::Arc;
use std::time::Duration;

use data_encoding::HEXLOWER;
use portolan_proto::convert::{Refusal, id};
use portolan_proto::v1::enrolment_client::EnrolmentClient;
use portolan_proto::{PROTOCOL, enrolment_message, v1};
use portolan_shared::model::{HostFacts, Reason, SensorId, TenantId, limits, printable};
use portolan_shared::process::{Clock, RetryPolicy, Rng};
use portolan_shared::secret::EnrolmentToken;
use portolan_shared::tls::{ControlPlaneTrust, TrustFailure};
use tokio::time::{sleep, timeout};

use super::channel::{Channel, Connector, Windows};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::issued;
use crate::keyring::{Enrolled, Enrolment, Keyring, KeyringError, NewIdentity, StateDir};

/// Enrolment did not happen. Trying again with the same token is safe unless said otherwise.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The state directory.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// The server is not the one that the token was made by. Nothing was sent to it.
    #[error("the enrolment was stopped before anything was sent")]
    Untrusted(#[source] TrustFailure),
    /// The token is of no use.
    #[error(
        "the control plane does not accept this enrolment token: it is unknown, expired, withdrawn or already used; make a new one with \
         `portolan sensor invite`"
    )]
    TokenInvalid,
    /// Somebody else was first.
    #[error(
        "this enrolment token is genuine, but another machine used it first. If that was not you, the token was stolen: look for the other \
         sensor in the control plane and revoke it, then make a new token with `portolan sensor invite`"
    )]
    TokenAlreadyBound,
    /// Anything else, after some tries.
    #[error("the enrolment did not succeed; run the same command again, it continues where it was")]
    Failed(#[source] Failure),
}

/// What enrolment needs.
pub struct Enroller {
    /// Makes the connection.
    pub connector: Connector,
    /// For times.
    pub clock: Arc<dyn Clock>,
    /// For the wait between tries.
    pub rng: Arc<dyn Rng>,
    /// What is told of this machine.
    pub host: HostFacts,
}

/// How an enrolment ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolOutcome {
    /// As whom.
    pub enrolled: Enrolled,
    /// The directory was enrolled with this very token before.
    pub before: bool,
}

const CALL_WITHIN: Duration = Duration::from_secs(10);
const TRIES: RetryPolicy = RetryPolicy {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(8),
    retries: 3,
};
const MAX_ENDPOINTS: usize = 8;

impl Enroller {
    /// Enrols this directory with a token.
    pub async fn enrol(&self, dir: &StateDir, token: &EnrolmentToken) -> Result<EnrolOutcome, EnrolError> {
        if let Some(Enrolment::Enrolled(enrolled)) = Keyring::enrolment_in(dir)?
            && enrolled.invitation == token.invitation
        {
            return Ok(EnrolOutcome {
                enrolled,
                before: true,
            });
        }
        let new = NewIdentity::prepare(dir, token.invitation)?;
        let answer = self.ask(&new, token).await?;
        let (enrolled, certificate, trust) = self.read(&answer, &new, token).map_err(EnrolError::Failed)?;
        let continuity = issued::continuity(&answer.continuity_token).map_err(EnrolError::Failed)?;
        new.complete(dir, &enrolled, &certificate, &trust, &continuity)?;
        Ok(EnrolOutcome {
            enrolled,
            before: false,
        })
    }

    async fn ask(&self, new: &NewIdentity, token: &EnrolmentToken) -> Result<v1::EnrolResponse, EnrolError> {
        let mut retry = TRIES.start();
        loop {
            let failure = match self.ask_once(new, token).await {
                Ok(answer) => return Ok(answer),
                Err(Failure::Untrusted { source, .. }) => return Err(EnrolError::Untrusted(source)),
                Err(failure) => failure,
            };
            let asked = match &failure {
                Failure::Refused(Refusal {
                    reason: Reason::TokenInvalid,
                    ..
                }) => return Err(EnrolError::TokenInvalid),
                Failure::Refused(Refusal {
                    reason: Reason::TokenAlreadyBound,
                    ..
                }) => {
                    return Err(EnrolError::TokenAlreadyBound);
                }
                Failure::Refused(Refusal {
                    reason: Reason::Overloaded | Reason::Draining | Reason::StorageUnavailable,
                    retry_after,
                    ..
                }) => retry_after.map(|wait| wait.min(Duration::from_secs(60))),
                Failure::Refused(_) | Failure::Protocol(_) | Failure::Local(_) => {
                    return Err(EnrolError::Failed(failure));
                }
                _ => None,
            };
            let Some(delay) = retry.next_delay(&*self.rng, asked) else {
                return Err(EnrolError::Failed(failure));
            };
            tracing::warn!(failure = failure.with_causes(), ?delay, "trying again");
            sleep(delay).await;
        }
    }

    async fn ask_once(
        &self,
        new: &NewIdentity,
        token: &EnrolmentToken,
    ) -> Result<v1::EnrolResponse, Failure> {
        let to: Endpoint = token.url.parse().map_err(Failure::Local)?;
        let trust = ControlPlaneTrust::Pins(token.pins.clone());
        let channel = self.connector.connect(&to, trust, None, Windows::SESSION).await?;
        let request = self.request(new, token, &channel);
        let mut client = EnrolmentClient::with_origin(channel.clone(), channel.origin())
            .max_decoding_message_size(limits::SESSION_MESSAGE_BYTES)
            .max_encoding_message_size(limits::ENROL_BYTES);
        match timeout(CALL_WITHIN, client.enrol(request)).await {
            Ok(Ok(answer)) => Ok(answer.into_inner()),
            Ok(Err(status)) => Err(channel.failure(&status)),
            Err(_) => Err(Failure::Timeout {
                what: "the enrolment",
                seconds: CALL_WITHIN.as_secs(),
            }),
        }
    }

    fn request(&self, new: &NewIdentity, token: &EnrolmentToken, channel: &Channel) -> v1::EnrolRequest {
        let mut request = v1::EnrolRequest {
            invitation_id: token.invitation.as_bytes().to_vec().into(),
            secret: token.secret.expose().to_vec().into(),
            csr_der: new.signing_request.clone().into(),
            identity_public_key: new.identity.public_key().to_vec().into(),
            host: Some(self.host.clone().into()),
            protocol: Some(v1::VersionRange {
                min: PROTOCOL,
                max: PROTOCOL,
            }),
            signature: Vec::new().into(),
        };
        let message = enrolment_message(token.invitation, &request, channel.anchor());
        request.signature = new.identity.sign(&message).into();
        request
    }

    fn read(
        &self,
        answer: &v1::EnrolResponse,
        new: &NewIdentity,
        token: &EnrolmentToken,
    ) -> Result<
        (
            Enrolled,
            crate::keyring::StoredCertificate,
            crate::keyring::TrustBundle,
        ),
        Failure,
    > {
        let wrong = |what: &str| Failure::Protocol(what.to_owned());
        let sensor = id("sensor_id", &answer.sensor_id, SensorId::from_slice)?;
        let tenant = id("tenant_id", &answer.tenant_id, TenantId::from_slice)?;
        let bundle = answer
            .certificate
            .as_ref()
            .ok_or_else(|| wrong("no certificate"))?;
        let leaf = bundle.chain_der.first().ok_or_else(|| wrong("no certificate"))?;
        let deployment = issued::deployment_in(leaf).ok_or_else(|| wrong("a certificate without a name"))?;
        let now = self.clock.now();
        let certificate = issued::certificate(bundle, &new.tls, &deployment, sensor, tenant, now)?;
        let trust = issued::trust(answer.trust.as_ref().ok_or_else(|| wrong("no trust bundle"))?)?;
        if !trust.pins().iter().any(|pin| token.pins.contains(pin)) {
            return Err(wrong("a trust bundle without the root that the token names"));
        }
        if answer.endpoints.is_empty()
            || answer.endpoints.len() > MAX_ENDPOINTS
            || answer
                .endpoints
                .iter()
                .any(|text| text.parse::<Endpoint>().is_err())
        {
            return Err(wrong("endpoints that are none"));
        }
        let enrolled = Enrolled {
            invitation: token.invitation,
            sensor,
            tenant,
            name: printable(&answer.sensor_name, 128),
            deployment,
            endpoints: answer.endpoints.clone(),
            identity: HEXLOWER.encode(new.identity.public_key()),
            at: now,
        };
        Ok((enrolled, certificate, trust))
    }
}
