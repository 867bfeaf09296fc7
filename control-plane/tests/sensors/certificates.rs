//! Certificates that are not those of a sensor in good standing.

use std::sync::Arc;
use std::time::Duration;

use portolan_proto::v1;
use portolan_proto::v1::upload_client::UploadClient;
use portolan_shared::model::Reason;
use portolan_shared::tls::sensor_uri;
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
    SerialNumber,
};
use rustls::client::Resumption;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::Status;

use crate::scene::{GIVE_UP, Scene, is_transport};
use crate::sensor::{Sensor, connect};
use crate::session::{hello, open};

/// What a certificate is made from; begins as one that would be let in.
struct Forged {
    usages: Vec<ExtendedKeyUsagePurpose>,
    uris: Vec<String>,
    from: i64,
    to: i64,
}

impl Forged {
    fn good(scene: &Scene, sensor: &Sensor) -> Self {
        let now = scene.app().clock.now().as_second();
        Self {
            usages: vec![ExtendedKeyUsagePurpose::ClientAuth],
            uris: vec![sensor_uri(&scene.app().deployment, sensor.tenant, sensor.id)],
            from: now - 300,
            to: now + 3_600,
        }
    }

    fn issue(&self, sensor: &Sensor, issuer: &Issuer<'_, KeyPair>) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::ExplicitNoCa;
        params.extended_key_usages.clone_from(&self.usages);
        let uri = |uri: &String| SanType::URI(uri.as_str().try_into().unwrap());
        params.subject_alt_names = self.uris.iter().map(uri).collect();
        params.serial_number = Some(SerialNumber::from_slice(&[0x41; 16]));
        let at = |seconds: i64| {
            rcgen::date_time_ymd(1970, 1, 1) + Duration::from_secs(seconds.try_into().unwrap())
        };
        (params.not_before, params.not_after) = (at(self.from), at(self.to));
        params.signed_by(&sensor.keys.tls, issuer).unwrap().der().clone()
    }
}

/// The control plane's own issuing CA, as whoever stole the data folder has it.
fn genuine(scene: &Scene) -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let pem = std::fs::read(scene.folder.path().join("data/ca/sensor-issuing.pem")).unwrap();
    let certificate = CertificateDer::from_pem_slice(&pem).unwrap();
    let key = KeyPair::try_from(&PrivateKeyDer::from_pem_slice(&pem).unwrap()).unwrap();
    let issuer = Issuer::from_ca_cert_der(&certificate, key).unwrap();
    (certificate, issuer)
}

async fn try_with(scene: &Scene, sensor: &Sensor, chain: Vec<CertificateDer<'static>>) -> Result<(), Status> {
    let channel = connect(scene, sensor.tls_with(scene, chain)).await?;
    let request = v1::ReportCoverageRequest::default();
    UploadClient::new(channel)
        .report_coverage(request)
        .await
        .map(|_| ())
}

#[tokio::test]
async fn certificates_that_are_not_a_sensor_s_are_refused_in_the_handshake() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let (issuing, issuer) = genuine(&scene);
    let chain = |forged: &Forged| vec![forged.issue(&sensor, &issuer), issuing.clone()];
    let good = || Forged::good(&scene, &sensor);

    let status = try_with(&scene, &sensor, chain(&good())).await.unwrap_err();
    assert!(!is_transport(&status), "the forgery itself is let in: {status:?}");

    let uri = &good().uris[0];
    let cases = [
        (
            "for servers",
            Forged {
                usages: vec![ExtendedKeyUsagePurpose::ServerAuth],
                ..good()
            },
        ),
        (
            "for servers too",
            Forged {
                usages: vec![
                    ExtendedKeyUsagePurpose::ClientAuth,
                    ExtendedKeyUsagePurpose::ServerAuth,
                ],
                ..good()
            },
        ),
        (
            "expired",
            Forged {
                from: good().from - 7_200,
                to: good().from,
                ..good()
            },
        ),
        (
            "not valid yet",
            Forged {
                from: good().to,
                to: good().to + 60,
                ..good()
            },
        ),
        (
            "too long",
            Forged {
                to: good().from + 8 * 86_400,
                ..good()
            },
        ),
        (
            "nameless",
            Forged {
                uris: Vec::new(),
                ..good()
            },
        ),
        (
            "two names",
            Forged {
                uris: vec![uri.clone(), uri.clone()],
                ..good()
            },
        ),
        (
            "of another deployment",
            Forged {
                uris: vec![sensor_uri("portolan-other", sensor.tenant, sensor.id)],
                ..good()
            },
        ),
    ];
    for (what, forged) in cases {
        let status = try_with(&scene, &sensor, chain(&forged)).await.unwrap_err();
        assert!(is_transport(&status), "{what}: {status:?}");
    }

    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().der().clone();
    let other = Issuer::new(params, key);
    let strange = vec![good().issue(&sensor, &other), root];
    let status = try_with(&scene, &sensor, strange).await.unwrap_err();
    assert!(is_transport(&status), "of another CA: {status:?}");

    sensor.can_call(&scene).await.unwrap();
}

#[tokio::test]
async fn t10_a_session_ends_with_its_certificate_and_a_reconnect_is_refused() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut session = open(&scene, &sensor).await;
    session.hello(hello(&[])).await;
    scene.clock.advance(Duration::from_secs(24 * 3_600 + 240));
    session.heartbeat(&[]).await;
    assert!(
        session.ack().await.renewed.is_empty(),
        "four minutes late is on time"
    );
    scene.clock.advance(Duration::from_secs(90));
    session.heartbeat(&[]).await;
    assert_eq!(session.end().await, Some(Reason::CertificateExpired));
    assert!(is_transport(&sensor.can_call(&scene).await.unwrap_err()));
}

#[tokio::test]
async fn no_session_is_ever_resumed() {
    let scene = Scene::new().await;
    let sensor = Sensor::enrol(&scene, "berlin").await;
    let mut tls = sensor.tls(&scene);
    tls.resumption = Resumption::in_memory_sessions(8);
    let connector = TlsConnector::from(Arc::new(tls));
    let address = scene.control_plane().bound().sensors;
    for _ in 0..2 {
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::from(address.ip());
        let mut stream = connector.connect(name, tcp).await.unwrap();
        // The server's settings frame comes after whatever it would send to resume by.
        let mut byte = [0];
        tokio::time::timeout(GIVE_UP, stream.read_exact(&mut byte))
            .await
            .unwrap()
            .unwrap();
        let (_, state) = stream.get_ref();
        assert_eq!(state.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert_eq!(state.tls13_tickets_received(), 0);
        assert_eq!(state.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    }
}
