//! A raw client: keys, connections and messages of a sensor, without any of the agent's manners.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use hyper_util::rt::TokioIo;
use portolan_proto::v1::enrolment_client::EnrolmentClient;
use portolan_proto::v1::session_client::SessionClient;
use portolan_proto::v1::upload_client::UploadClient;
use portolan_proto::{enrolment_message, v1};
use portolan_shared::model::{SensorId, TenantId};
use portolan_shared::secret::EnrolmentToken;
use portolan_shared::tls::{ClientIdentity, ControlPlaneTrust, control_plane_client};
use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::ClientConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::net::TcpSocket;
use tokio_rustls::TlsConnector;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};

use crate::scene::Scene;

/// The keys of a machine.
pub(crate) struct Keys {
    pub(crate) identity: Ed25519KeyPair,
    pub(crate) tls: KeyPair,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            identity: Ed25519KeyPair::generate().unwrap(),
            tls: KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap(),
        }
    }

    /// A request to enrol with this token, signed.
    pub(crate) fn request(&self, token: &EnrolmentToken) -> v1::EnrolRequest {
        let request = v1::EnrolRequest {
            invitation_id: token.invitation.as_bytes().to_vec().into(),
            secret: token.secret.expose().to_vec().into(),
            csr_der: csr(&self.tls).into(),
            identity_public_key: self.identity.public_key().as_ref().to_vec().into(),
            host: Some(v1::HostFacts {
                hostname: "host".into(),
                ..v1::HostFacts::default()
            }),
            protocol: Some(v1::VersionRange { min: 1, max: 1 }),
            signature: Vec::new().into(),
        };
        self.sign(token, request)
    }

    /// Signs a request anew.
    pub(crate) fn sign(&self, token: &EnrolmentToken, mut request: v1::EnrolRequest) -> v1::EnrolRequest {
        let message = enrolment_message(token.invitation, &request, token.pins[0]);
        request.signature = self.identity.sign(&message).as_ref().to_vec().into();
        request
    }
}

pub(crate) fn csr(key: &KeyPair) -> Vec<u8> {
    let request = CertificateParams::default().serialize_request(key).unwrap();
    request.der().to_vec()
}

/// An enrolled sensor.
pub(crate) struct Sensor {
    pub(crate) id: SensorId,
    pub(crate) tenant: TenantId,
    pub(crate) keys: Arc<Keys>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) past: Arc<Mutex<Past>>,
}

/// What a sensor remembers of its last session.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) continuity_token: Vec<u8>,
    pub(crate) epoch: u64,
}

impl Sensor {
    /// Invites and enrols a sensor of this name.
    pub(crate) async fn enrol(scene: &Scene, name: &str) -> Self {
        Self::enrol_with(scene, &scene.invite(name).await).await
    }

    pub(crate) async fn enrol_with(scene: &Scene, token: &EnrolmentToken) -> Self {
        let keys = Arc::new(Keys::new());
        let request = keys.request(token);
        let response = enrol(scene, token, request).await.unwrap();
        Self::from_response(&keys, &response)
    }

    pub(crate) fn from_response(keys: &Arc<Keys>, response: &v1::EnrolResponse) -> Self {
        let der = |bytes: &[u8]| CertificateDer::from(bytes.to_vec());
        let certificate = response.certificate.as_ref().unwrap();
        Self {
            id: SensorId::from_slice(&response.sensor_id).unwrap(),
            tenant: TenantId::from_slice(&response.tenant_id).unwrap(),
            keys: Arc::clone(keys),
            chain: certificate.chain_der.iter().map(|bytes| der(bytes)).collect(),
            roots: response
                .trust
                .as_ref()
                .unwrap()
                .roots_der
                .iter()
                .map(|bytes| der(bytes))
                .collect(),
            past: Arc::new(Mutex::new(Past {
                continuity_token: response.continuity_token.to_vec(),
                epoch: 0,
            })),
        }
    }

    /// The TLS configuration of this sensor.
    pub(crate) fn tls(&self, scene: &Scene) -> ClientConfig {
        self.tls_with(scene, self.chain.clone())
    }

    /// The same with another chain for the same key.
    pub(crate) fn tls_with(&self, scene: &Scene, chain: Vec<CertificateDer<'static>>) -> ClientConfig {
        let identity = ClientIdentity {
            chain,
            key: PrivateKeyDer::try_from(self.keys.tls.serialize_der()).unwrap(),
        };
        let trust = ControlPlaneTrust::Roots(self.roots.clone());
        let clock = Arc::clone(&scene.app().clock);
        control_plane_client(trust, Some(identity), clock).unwrap()
    }

    pub(crate) async fn channel(&self, scene: &Scene) -> Channel {
        connect(scene, self.tls(scene)).await.unwrap()
    }

    pub(crate) async fn session(&self, scene: &Scene) -> SessionClient<Channel> {
        SessionClient::new(self.channel(scene).await)
    }

    pub(crate) async fn upload(&self, scene: &Scene) -> UploadClient<Channel> {
        UploadClient::new(self.channel(scene).await)
    }

    /// Whether a new connection of this sensor gets anywhere at all.
    pub(crate) async fn can_call(&self, scene: &Scene) -> Result<(), Status> {
        let channel = connect(scene, self.tls(scene)).await?;
        let request = v1::ReportCoverageRequest::default();
        match UploadClient::new(channel).report_coverage(request).await {
            // The fence is missing: somebody inside has read the message.
            Err(status) if status.message().contains("fence") => Ok(()),
            Err(status) => Err(status),
            Ok(_) => panic!("a call without a fence was accepted"),
        }
    }
}

/// The TLS configuration of somebody who has only a token.
pub(crate) fn stranger(scene: &Scene, token: &EnrolmentToken) -> ClientConfig {
    let clock = Arc::clone(&scene.app().clock);
    control_plane_client(ControlPlaneTrust::Pins(token.pins.clone()), None, clock).unwrap()
}

/// One connection to the sensors' listener.
pub(crate) async fn connect(scene: &Scene, tls: ClientConfig) -> Result<Channel, Status> {
    connect_from(scene, tls, "127.0.0.1").await
}

/// The same from an address of the loopback network.
pub(crate) async fn connect_from(scene: &Scene, tls: ClientConfig, source: &str) -> Result<Channel, Status> {
    let source = SocketAddr::new(source.parse().unwrap(), 0);
    let address = scene.control_plane().bound().sensors;
    let connector = TlsConnector::from(Arc::new(tls));
    let connect = tower::service_fn(move |_| {
        let connector = connector.clone();
        async move {
            let socket = TcpSocket::new_v4()?;
            socket.bind(source)?;
            let tcp = socket.connect(address).await?;
            tcp.set_nodelay(true)?;
            let name = ServerName::from(address.ip());
            std::io::Result::Ok(TokioIo::new(connector.connect(name, tcp).await?))
        }
    });
    Endpoint::from_static("https://control-plane.test")
        .connect_with_connector(connect)
        .await
        .map_err(|error| Status::unavailable(format!("{error:?}")))
}

/// Sends a request to enrol over a connection of its own.
pub(crate) async fn enrol(
    scene: &Scene,
    token: &EnrolmentToken,
    request: v1::EnrolRequest,
) -> Result<v1::EnrolResponse, Status> {
    let channel = connect(scene, stranger(scene, token)).await?;
    let answer = EnrolmentClient::new(channel).enrol(request).await?;
    Ok(answer.into_inner())
}
