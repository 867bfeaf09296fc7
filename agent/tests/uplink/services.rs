//! The gRPC services of the control plane.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use jiff::SignedDuration;
use portolan_proto::v1;
use portolan_shared::model::{InvitationId, Reason, SensorId};
use portolan_shared::process::{Clock as _, Rng as _, SystemRng};
use portolan_shared::tls::{SpkiPin, sensor_uri};
use rcgen::{
    CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, SanType, SerialNumber,
};
use rustls_pki_types::CertificateSigningRequestDer;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, Streaming};
use v1::enrolment_server::Enrolment;
use v1::session_server::Session;
use v1::upload_server::Upload;

use crate::agent::refusal;
use crate::opened::Opened;
use crate::plane::{DEPLOYMENT, Recovery, Shared};

pub struct Double(pub Arc<Shared>);

impl Double {
    fn certificate(&self, csr_der: &[u8]) -> v1::CertificateBundle {
        let shared = &self.0;
        let csr = CertificateSigningRequestDer::from(csr_der.to_vec());
        let mut csr = CertificateSigningRequestParams::from_der(&csr).unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        let uri = sensor_uri(DEPLOYMENT, shared.tenant, shared.sensor);
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let mut serial = SensorId::random(&SystemRng).as_bytes().to_vec();
        serial[0] = 0x10;
        params.serial_number = Some(SerialNumber::from(serial));
        let now = shared.clock.now();
        let end = now + SignedDuration::from_hours(24);
        params.not_before = std::time::SystemTime::from(now - SignedDuration::from_mins(5)).into();
        params.not_after = std::time::SystemTime::from(end).into();
        csr.params = params;
        let leaf = csr.signed_by(&shared.issuer).unwrap();
        v1::CertificateBundle {
            chain_der: vec![leaf.der().to_vec().into()],
            not_after_ms: end.as_millisecond(),
            server_time_ms: (end - shared.left).as_millisecond(),
        }
    }

    fn check_enrolment(&self, request: &v1::EnrolRequest) {
        let invitation = InvitationId::from_slice(&request.invitation_id).unwrap();
        let root = SpkiPin::of_certificate(&self.0.root).unwrap();
        let message = portolan_proto::enrolment_message(invitation, request, root);
        UnparsedPublicKey::new(&ED25519, request.identity_public_key.to_vec())
            .verify(&message, &request.signature)
            .expect("the request is signed by its identity key, for this root");
        *self.0.identity.lock().unwrap() = request.identity_public_key.to_vec();
    }

    fn check_signature(&self, message: &[u8], signature: &[u8]) {
        let identity = self.0.identity.lock().unwrap().clone();
        UnparsedPublicKey::new(&ED25519, identity)
            .verify(message, signature)
            .expect("it is signed by the identity key");
    }

    /// Each challenge is good once.
    fn check_nonce(&self, nonce: &[u8]) {
        let given = std::mem::take(&mut *self.0.nonce.lock().unwrap());
        assert!(!nonce.is_empty() && given == nonce);
    }

    fn call(&self) -> usize {
        self.0.calls.fetch_add(1, Ordering::SeqCst)
    }

    fn upload(
        &self,
        method: &str,
        fence: Option<&v1::Fence>,
        request: &impl prost::Message,
    ) -> Result<(), Status> {
        self.call();
        let bytes = request.encoded_len() as u64;
        self.0.uploaded.fetch_add(bytes, Ordering::SeqCst);
        (self.0.scripts.upload)(method, fence.unwrap())
    }
}

#[tonic::async_trait]
impl Enrolment for Double {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let n = self.call();
        let request = request.into_inner();
        self.check_enrolment(&request);
        self.0.enrolments.send(request.clone()).unwrap();
        (self.0.scripts.enrol)(n)?;
        Ok(Response::new(v1::EnrolResponse {
            sensor_id: self.0.sensor.as_bytes().to_vec().into(),
            tenant_id: self.0.tenant.as_bytes().to_vec().into(),
            certificate: Some(self.certificate(&request.csr_der)),
            trust: Some(v1::TrustBundle {
                version: 1,
                roots_der: vec![self.0.root.to_vec().into()],
            }),
            endpoints: vec![format!(
                "https://{}:{}",
                self.0.scripts.host,
                self.0.address.port()
            )],
            sensor_name: "hamburg".to_owned(),
            continuity_token: self.0.tokens.send().into(),
        }))
    }

    async fn recover(
        &self,
        request: Request<v1::RecoverRequest>,
    ) -> Result<Response<v1::RecoverResponse>, Status> {
        let n = self.0.asked_to_recover.fetch_add(1, Ordering::SeqCst);
        self.call();
        let request = request.into_inner();
        assert_eq!(request.sensor_id, self.0.sensor.as_bytes().as_slice());
        self.check_nonce(&request.nonce);
        let root = SpkiPin::of_certificate(&self.0.root).unwrap();
        let message = portolan_proto::recovery_message(self.0.sensor, &request, root);
        self.check_signature(&message, &request.signature);
        let answer = (self.0.scripts.recover)(n);
        if let Recovery::Refused(reason) = answer {
            return Err(refusal(reason));
        }
        if answer == Recovery::Approved {
            self.0.tokens.begin_again();
        } else if !self.0.tokens.shown(&request.continuity_token) {
            return Err(refusal(Reason::IdentityConflict));
        }
        let continuity_token = self.0.tokens.send();
        self.0.recoveries.fetch_add(1, Ordering::SeqCst);
        let mut bundle = self.certificate(&request.csr_der);
        bundle.server_time_ms = self.0.clock.now().as_millisecond();
        if answer == Recovery::Lost {
            return Err(Status::unavailable("a proxy says"));
        }
        Ok(Response::new(v1::RecoverResponse {
            certificate: Some(bundle),
            continuity_token: continuity_token.into(),
        }))
    }

    async fn challenge(
        &self,
        _: Request<v1::ChallengeRequest>,
    ) -> Result<Response<v1::ChallengeResponse>, Status> {
        self.call();
        let mut nonce = vec![0; 32];
        SystemRng.fill(&mut nonce);
        *self.0.nonce.lock().unwrap() = nonce.clone();
        Ok(Response::new(v1::ChallengeResponse {
            nonce: nonce.into(),
            server_time_ms: self.0.clock.now().as_millisecond(),
        }))
    }

    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        self.call();
        let request = request.into_inner();
        let root = SpkiPin::of_certificate(&self.0.root).unwrap();
        self.check_nonce(&request.nonce);
        let message = portolan_proto::who_am_i_message(self.0.sensor, &request.nonce, root);
        self.check_signature(&message, &request.signature);
        self.0.asked_who.fetch_add(1, Ordering::SeqCst);
        Ok(Response::new(v1::WhoAmIResponse {
            reason: self.0.standing.load(Ordering::SeqCst),
            server_time_ms: self.0.clock.now().as_millisecond(),
            ..v1::WhoAmIResponse::default()
        }))
    }
}

#[tonic::async_trait]
impl Session for Double {
    type OpenStream = ReceiverStream<Result<v1::ControlMessage, Status>>;

    async fn open(
        &self,
        request: Request<Streaming<v1::SensorMessage>>,
    ) -> Result<Response<Self::OpenStream>, Status> {
        self.call();
        (self.0.scripts.open)(self.0.opens.fetch_add(1, Ordering::SeqCst))?;
        let mut up = request.into_inner();
        let (down, messages) = mpsc::channel(64);
        let opened = self.0.opened.clone();
        let first = up.message().await?.and_then(|message| message.body);
        let Some(v1::sensor_message::Body::Hello(hello)) = first else {
            return Err(Status::invalid_argument("no hello"));
        };
        let fits = self.0.tokens.shown(&hello.continuity_token);
        opened
            .send(Opened {
                hello,
                up,
                down,
                seq: 0,
                fits,
                shared: Arc::clone(&self.0),
            })
            .unwrap();
        Ok(Response::new(ReceiverStream::new(messages)))
    }

    async fn renew(
        &self,
        request: Request<v1::RenewRequest>,
    ) -> Result<Response<v1::CertificateBundle>, Status> {
        self.call();
        self.0.renewals.fetch_add(1, Ordering::SeqCst);
        let mut bundle = self.certificate(&request.into_inner().csr_der);
        // The next one is not due soon.
        bundle.server_time_ms = self.0.clock.now().as_millisecond();
        Ok(Response::new(bundle))
    }
}

#[tonic::async_trait]
impl Upload for Double {
    async fn pending_repositories(
        &self,
        request: Request<v1::PendingRepositoriesRequest>,
    ) -> Result<Response<v1::Bitmap>, Status> {
        let request = request.into_inner();
        self.upload("pending", request.fence.as_ref(), &request)?;
        let all = vec![true; request.repositories.len()];
        Ok(Response::new(portolan_proto::convert::bitmap(&all)))
    }

    async fn offer_repositories(
        &self,
        request: Request<v1::OfferRepositoriesRequest>,
    ) -> Result<Response<v1::Bitmap>, Status> {
        let request = request.into_inner();
        self.upload("offer", request.fence.as_ref(), &request)?;
        let all = vec![true; request.repositories.len()];
        Ok(Response::new(portolan_proto::convert::bitmap(&all)))
    }

    async fn offer_digests(
        &self,
        request: Request<v1::OfferDigestsRequest>,
    ) -> Result<Response<v1::Bitmap>, Status> {
        let request = request.into_inner();
        self.upload("digests", request.fence.as_ref(), &request)?;
        let all = vec![true; request.digests.len()];
        Ok(Response::new(portolan_proto::convert::bitmap(&all)))
    }

    async fn put_content(
        &self,
        _: Request<Streaming<v1::PutContentRequest>>,
    ) -> Result<Response<v1::PutContentResponse>, Status> {
        Err(Status::unimplemented("not in this double"))
    }

    async fn commit_repository(
        &self,
        _: Request<Streaming<v1::CommitRepositoryRequest>>,
    ) -> Result<Response<v1::CommitRepositoryResponse>, Status> {
        Err(Status::unimplemented("not in this double"))
    }

    async fn report_coverage(
        &self,
        request: Request<v1::ReportCoverageRequest>,
    ) -> Result<Response<v1::Ack>, Status> {
        let request = request.into_inner();
        self.upload("coverage", request.fence.as_ref(), &request)?;
        Ok(Response::new(v1::Ack {}))
    }

    async fn close_run(
        &self,
        request: Request<v1::CloseRunRequest>,
    ) -> Result<Response<v1::CloseRunResponse>, Status> {
        let request = request.into_inner();
        self.upload("close", request.fence.as_ref(), &request)?;
        *self.0.closed.lock().unwrap() = request.progress;
        Ok(Response::new(v1::CloseRunResponse {
            state: "complete".to_owned(),
        }))
    }
}
