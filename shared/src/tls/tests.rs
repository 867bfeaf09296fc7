//! The roles against each other, over handshakes in memory.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::{Arc, Mutex};

use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName};
use rustls::sign::CertifiedKey;
use rustls::{ClientConnection, ServerConnection};

use super::*;
use crate::model::{SensorId, TenantId};
use crate::process::{Clock, ManualClock, SeededRng};

const NOW: i64 = 1_800_000_000;
const DEPLOYMENT: &str = "portolan.test";

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        validity(&mut params, NOW - 86_400, NOW + 10 * 365 * 86_400);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn root(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn pin(&self) -> SpkiPin {
        SpkiPin::of_certificate(self.0.der()).unwrap()
    }

    fn issue(
        &self,
        change: impl FnOnce(&mut CertificateParams),
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        validity(&mut params, NOW - 300, NOW + 86_400);
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.0).unwrap();
        (
            leaf.der().clone(),
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
    }

    fn server(&self, name: &str) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        self.issue(|params| {
            params.subject_alt_names = vec![SanType::DnsName(name.try_into().unwrap())];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        })
    }

    fn sensor(
        &self,
        uri: &str,
        usage: ExtendedKeyUsagePurpose,
    ) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        self.issue(|params| {
            params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
            params.extended_key_usages = vec![usage];
            params.serial_number = Some(SerialNumber::from_slice(&[0x41; 16]));
        })
    }
}

fn validity(params: &mut CertificateParams, from: i64, to: i64) {
    params.not_before = time_of(from);
    params.not_after = time_of(to);
}

fn time_of(seconds: i64) -> time::OffsetDateTime {
    time::OffsetDateTime::from_unix_timestamp(seconds).unwrap()
}

#[derive(Default)]
struct Denied(Mutex<BTreeSet<SensorId>>);

impl DeniedSensors for Denied {
    fn is_denied(&self, sensor: SensorId) -> bool {
        self.0.lock().unwrap().contains(&sensor)
    }
}

struct Scene {
    server_ca: Authority,
    sensor_ca: Authority,
    denied: Arc<Denied>,
    clock: Arc<ManualClock>,
    tenant: TenantId,
    sensor: SensorId,
}

impl Scene {
    fn new() -> Self {
        let rng = SeededRng::new(5);
        Self {
            server_ca: Authority::new("Portolan server root"),
            sensor_ca: Authority::new("Portolan sensor root"),
            denied: Arc::default(),
            clock: Arc::new(ManualClock::at_unix_seconds(NOW)),
            tenant: TenantId::random(&rng),
            sensor: SensorId::random(&rng),
        }
    }

    fn uri(&self) -> String {
        sensor_uri(DEPLOYMENT, self.tenant, self.sensor)
    }

    /// Shakes hands between a server that presents `chain` and a client; gives what the server learnt, or why it failed.
    fn shake(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        trust: ControlPlaneTrust,
        identity: Option<ClientIdentity>,
    ) -> Result<Option<PeerIdentity>, rustls::Error> {
        let signing = provider().key_provider.load_private_key(key).unwrap();
        let certificate = Arc::new(SwappableCertificate::new(Arc::new(CertifiedKey::new(
            chain, signing,
        ))));
        let verifier = SensorVerifier::new(
            DEPLOYMENT.into(),
            vec![self.sensor_ca.root()],
            Arc::clone(&self.denied) as Arc<dyn DeniedSensors>,
        );
        let clock = || Arc::clone(&self.clock) as Arc<dyn Clock>;
        let server = sensor_server(certificate, Arc::new(verifier), clock()).unwrap();
        let client = control_plane_client(trust, identity, clock()).unwrap();
        let name = ServerName::try_from("cp.example.com").unwrap();
        let mut client = ClientConnection::new(Arc::new(client), name).unwrap();
        let mut server = ServerConnection::new(Arc::new(server)).unwrap();
        for _ in 0..8 {
            let mut bytes = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut bytes).unwrap();
            }
            let mut cursor = Cursor::new(bytes);
            while (cursor.position() as usize) < cursor.get_ref().len() {
                server.read_tls(&mut cursor).unwrap();
                server.process_new_packets()?;
            }
            let mut bytes = Vec::new();
            while server.wants_write() {
                server.write_tls(&mut bytes).unwrap();
            }
            let mut cursor = Cursor::new(bytes);
            while (cursor.position() as usize) < cursor.get_ref().len() {
                client.read_tls(&mut cursor).unwrap();
                client.process_new_packets()?;
            }
        }
        assert!(!client.is_handshaking() && !server.is_handshaking());
        assert_eq!(client.handshake_kind(), Some(rustls::HandshakeKind::Full));
        let presented = server.peer_certificates().and_then(<[_]>::first);
        Ok(presented.map(|der| PeerIdentity::from_certificate(DEPLOYMENT, der).unwrap()))
    }

    fn by_pin(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<(), TrustFailure> {
        let trust = ControlPlaneTrust::Pins(vec![self.server_ca.pin()]);
        self.shake(chain, key, trust, None).map(|_| ()).map_err(failure)
    }

    fn with_identity(
        &self,
        identity: (CertificateDer<'static>, PrivateKeyDer<'static>),
    ) -> Result<Option<PeerIdentity>, rustls::Error> {
        let (leaf, key) = self.server_ca.server("cp.example.com");
        let trust = ControlPlaneTrust::Roots(vec![self.server_ca.root()]);
        let identity = ClientIdentity {
            chain: vec![identity.0],
            key: identity.1,
        };
        self.shake(vec![leaf, self.server_ca.root()], key, trust, Some(identity))
    }
}

fn failure(error: rustls::Error) -> TrustFailure {
    TrustFailure::in_error(&std::io::Error::other(error))
        .expect("a failure of trust")
        .clone()
}

#[test]
fn the_pinned_root_is_trusted_and_a_stranger_is_only_that() {
    let scene = Scene::new();
    let (leaf, key) = scene.server_ca.server("cp.example.com");
    assert!(scene.by_pin(vec![leaf, scene.server_ca.root()], key).is_ok());
}

#[test]
fn t01_a_valid_certificate_of_another_authority_is_refused_by_name() {
    let scene = Scene::new();
    let other = Authority::new("Inspecting Proxy CA");
    let (leaf, key) = other.server("cp.example.com");
    let text = scene
        .by_pin(vec![leaf, other.root()], key)
        .unwrap_err()
        .to_string();
    assert!(text.contains("Inspecting Proxy CA"), "{text}");
    assert!(text.contains(&scene.server_ca.pin().to_string()[..16]), "{text}");
}

#[test]
fn t02_a_foreign_leaf_with_the_genuine_root_appended_and_a_genuine_leaf_for_another_name_are_refused() {
    let scene = Scene::new();
    let attacker = Authority::new("Portolan server root");
    let (leaf, key) = attacker.server("cp.example.com");
    let refused = scene.by_pin(vec![leaf, scene.server_ca.root()], key).unwrap_err();
    assert!(
        matches!(
            refused,
            TrustFailure::Chain { .. } | TrustFailure::Stranger { .. }
        ),
        "{refused:?}"
    );
    let (leaf, key) = scene.server_ca.server("other.example.com");
    let refused = scene.by_pin(vec![leaf, scene.server_ca.root()], key).unwrap_err();
    assert!(
        matches!(&refused, TrustFailure::Name { names, .. } if names.contains("other.example.com")),
        "{refused:?}"
    );
}

#[test]
fn t17_a_wrong_clock_is_named_with_both_times() {
    let scene = Scene::new();
    for jump in [-7_200, 2 * 86_400] {
        scene.clock.jump_to(Timestamp::from_second(NOW + jump).unwrap());
        let (leaf, key) = scene.server_ca.server("cp.example.com");
        let refused = scene.by_pin(vec![leaf, scene.server_ca.root()], key).unwrap_err();
        let TrustFailure::Clock {
            local, not_before, ..
        } = &refused
        else {
            panic!("{refused:?}")
        };
        assert_eq!(local.as_second(), NOW + jump);
        assert_eq!(not_before.as_second(), NOW - 300);
    }
}

#[test]
fn a_sensor_is_known_by_its_certificate() {
    let scene = Scene::new();
    let sensor = scene
        .sensor_ca
        .sensor(&scene.uri(), ExtendedKeyUsagePurpose::ClientAuth);
    let identity = scene.with_identity(sensor).unwrap().unwrap();
    assert_eq!(
        (identity.tenant, identity.sensor, identity.serial),
        (scene.tenant, scene.sensor, [0x41; 16])
    );
}

#[test]
fn what_is_not_a_sensor_of_this_deployment_is_refused() {
    let scene = Scene::new();
    let client = ExtendedKeyUsagePurpose::ClientAuth;
    let foreign = format!(
        "spiffe://elsewhere/tenant/{}/sensor/{}",
        scene.tenant, scene.sensor
    );
    assert!(
        scene
            .with_identity(scene.sensor_ca.sensor(&foreign, client.clone()))
            .is_err()
    );
    assert!(
        scene
            .with_identity(
                scene
                    .sensor_ca
                    .sensor(&format!("{}/x", scene.uri()), client.clone())
            )
            .is_err()
    );
    assert!(
        scene
            .with_identity(
                scene
                    .sensor_ca
                    .sensor(&scene.uri(), ExtendedKeyUsagePurpose::ServerAuth)
            )
            .is_err()
    );
    assert!(
        scene
            .with_identity(Authority::new("Portolan sensor root").sensor(&scene.uri(), client.clone()))
            .is_err()
    );
    assert!(
        scene
            .with_identity(scene.server_ca.sensor(&scene.uri(), client.clone()))
            .is_err()
    );
    let long = scene.sensor_ca.issue(|params| {
        params.subject_alt_names = vec![SanType::URI(scene.uri().as_str().try_into().unwrap())];
        params.extended_key_usages = vec![client.clone()];
        params.serial_number = Some(SerialNumber::from_slice(&[0x41; 16]));
        validity(params, NOW - 300, NOW + 8 * 86_400);
    });
    assert!(scene.with_identity(long).is_err());
}

#[test]
fn expired_and_denied_sensors_are_refused_at_every_handshake() {
    let scene = Scene::new();
    let sensor = || {
        scene
            .sensor_ca
            .sensor(&scene.uri(), ExtendedKeyUsagePurpose::ClientAuth)
    };
    assert!(scene.with_identity(sensor()).is_ok());
    scene.denied.0.lock().unwrap().insert(scene.sensor);
    assert!(matches!(
        scene.with_identity(sensor()),
        Err(rustls::Error::InvalidCertificate(
            rustls::CertificateError::Revoked
        ))
    ));
    scene.denied.0.lock().unwrap().clear();
    let expired = scene.sensor_ca.issue(|params| {
        params.subject_alt_names = vec![SanType::URI(scene.uri().as_str().try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.serial_number = Some(SerialNumber::from_slice(&[0x41; 16]));
        validity(params, NOW - 86_400, NOW - 1);
    });
    assert!(matches!(
        scene.with_identity(expired),
        Err(rustls::Error::InvalidCertificate(
            rustls::CertificateError::Expired
        ))
    ));
}
