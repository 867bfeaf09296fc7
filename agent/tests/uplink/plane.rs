//! The control plane: its certificates, its listener, what it remembers.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use jiff::{SignedDuration, Timestamp};
use portolan_agent::keyring::StateDir;
use portolan_agent::settings::ProxySettings;
use portolan_agent::uplink::{Connector, EnrolError, EnrolOutcome, Enroller};
use portolan_proto::v1;
use portolan_shared::model::{HostFacts, InvitationId, Reason, SensorId, TenantId};
use portolan_shared::process::{Clock, Shutdown, SystemClock, SystemRng, Tasks};
use portolan_shared::secret::{EnrolmentToken, SecretBytes};
use portolan_shared::tls::{
    DeniedSensors, SensorVerifier, SpkiPin, SwappableCertificate, provider, sensor_server,
};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tonic::Status;
use v1::enrolment_server::EnrolmentServer;
use v1::sealing_server::SealingServer;
use v1::session_server::SessionServer;
use v1::upload_server::UploadServer;

use crate::clock::ShiftedClock;
use crate::opened::Opened;
use crate::sealing::{Keeper, Published};
use crate::services::Double;
use crate::tokens::Tokens;

pub const DEPLOYMENT: &str = "test";

pub const DAY: SignedDuration = SignedDuration::from_hours(24);

type Script = Arc<dyn Fn(&str, &v1::Fence) -> Result<(), Status> + Send + Sync>;

/// What a call is answered with before it is carried out.
pub struct Scripts {
    /// The host of the address that enrolled sensors are given.
    pub host: &'static str,
    pub enrol: Box<dyn Fn(usize) -> Result<(), Status> + Send + Sync>,
    pub open: Box<dyn Fn(usize) -> Result<(), Status> + Send + Sync>,
    pub recover: Box<dyn Fn(usize) -> Recovery + Send + Sync>,
    pub upload: Script,
}

/// How a wish for a recovery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recovery {
    /// By the continuity token that is shown.
    Judged,
    /// A person has approved it.
    Approved,
    /// As judged, and the answer is lost on the way.
    Lost,
    Refused(Reason),
}

impl Default for Scripts {
    fn default() -> Self {
        Self {
            host: "127.0.0.1",
            enrol: Box::new(|_| Ok(())),
            open: Box::new(|_| Ok(())),
            recover: Box::new(|_| Recovery::Judged),
            upload: Arc::new(|_, _| Ok(())),
        }
    }
}

pub struct Shared {
    pub issuer: Issuer<'static, KeyPair>,
    pub root: CertificateDer<'static>,
    pub address: SocketAddr,
    pub sensor: SensorId,
    pub tenant: TenantId,
    /// How much of a certificate's life is left when it is issued.
    pub left: SignedDuration,
    pub clock: Arc<ShiftedClock>,
    pub tokens: Tokens,
    /// The challenge that was given last.
    pub nonce: Mutex<Vec<u8>>,
    pub asked_to_recover: AtomicUsize,
    pub recoveries: AtomicUsize,
    pub asked_who: AtomicUsize,
    pub scripts: Scripts,
    pub enrolments: mpsc::UnboundedSender<v1::EnrolRequest>,
    pub opened: mpsc::UnboundedSender<Opened>,
    pub calls: AtomicUsize,
    pub opens: AtomicUsize,
    pub renewals: AtomicUsize,
    /// Bytes of upload messages, streams aside.
    pub uploaded: AtomicU64,
    /// The progress with which a run was closed.
    pub closed: Mutex<Option<v1::JobProgress>>,
    pub shut: Arc<Shut>,
    /// Public key of the sensor that enrolled.
    pub identity: Mutex<Vec<u8>>,
    /// What it said of its sealing key.
    pub published: Published,
    /// What a sensor that asks is told.
    pub standing: AtomicI32,
}

pub struct ControlPlane {
    shared: Arc<Shared>,
    pub tasks: Tasks,
    pub enrolments: mpsc::UnboundedReceiver<v1::EnrolRequest>,
    pub opened: mpsc::UnboundedReceiver<Opened>,
}

/// Whether sensors are shut out.
#[derive(Default)]
pub struct Shut(AtomicBool);
impl DeniedSensors for Shut {
    fn is_denied(&self, _: SensorId) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

impl ControlPlane {
    pub async fn start(scripts: Scripts, left: SignedDuration) -> Self {
        Self::start_at(scripts, left, Arc::default()).await
    }

    /// A control plane with this clock.
    pub async fn start_at(scripts: Scripts, left: SignedDuration, clock: Arc<ShiftedClock>) -> Self {
        let shut = Arc::new(Shut::default());
        let root_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, "Portolan test root");
        let root = params.self_signed(&root_key).unwrap().der().clone();
        let issuer = Issuer::new(params, root_key);

        let server_key = KeyPair::generate().unwrap();
        let names = BTreeSet::from(["127.0.0.1", scripts.host]);
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.not_before = std::time::SystemTime::from(now() - SignedDuration::from_hours(1)).into();
        params.not_after = std::time::SystemTime::from(now() + SignedDuration::from_hours(24 * 7)).into();
        let leaf = params.signed_by(&server_key, &issuer).unwrap();
        let key = provider()
            .key_provider
            .load_private_key(PrivateKeyDer::try_from(server_key.serialize_der()).unwrap())
            .unwrap();
        let chain = vec![leaf.der().clone(), root.clone()];
        let certificate = Arc::new(rustls::sign::CertifiedKey::new(chain, key));
        let verifier = SensorVerifier::new(
            DEPLOYMENT.to_owned(),
            vec![root.clone()],
            Arc::clone(&shut) as Arc<dyn DeniedSensors>,
        );
        let config = sensor_server(
            Arc::new(SwappableCertificate::new(certificate)),
            Arc::new(verifier),
            Arc::clone(&clock) as Arc<dyn Clock>,
        )
        .unwrap();

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (enrolments, enrolled) = mpsc::unbounded_channel();
        let (opened, sessions) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            issuer,
            root,
            address: listener.local_addr().unwrap(),
            sensor: SensorId::random(&SystemRng),
            tenant: TenantId::random(&SystemRng),
            left,
            clock,
            tokens: Tokens::default(),
            nonce: Mutex::default(),
            asked_to_recover: AtomicUsize::new(0),
            recoveries: AtomicUsize::new(0),
            asked_who: AtomicUsize::new(0),
            scripts,
            enrolments,
            opened,
            calls: AtomicUsize::new(0),
            opens: AtomicUsize::new(0),
            renewals: AtomicUsize::new(0),
            uploaded: AtomicU64::new(0),
            closed: Mutex::default(),
            shut,
            identity: Mutex::default(),
            published: Published::default(),
            standing: AtomicI32::new(0),
        });
        let tasks = Tasks::new(Shutdown::new());
        let acceptor = TlsAcceptor::from(Arc::new(config));
        tasks.spawn(
            "control plane",
            serve(listener, acceptor, Arc::clone(&shared), tasks.clone()),
        );
        Self {
            shared,
            tasks,
            enrolments: enrolled,
            opened: sessions,
        }
    }

    pub fn token(&self) -> EnrolmentToken {
        EnrolmentToken {
            url: format!("https://{}", self.shared.address),
            pins: vec![SpkiPin::of_certificate(&self.shared.root).unwrap()],
            invitation: InvitationId::random(&SystemRng),
            secret: SecretBytes::new(vec![7; 32]),
            expires_at: Timestamp::from_second(4_000_000_000).unwrap(),
        }
    }

    pub fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Calls of any kind so far.
    pub fn calls(&self) -> usize {
        self.shared.calls.load(Ordering::SeqCst)
    }

    /// From now on TLS is refused to sensors, and whoever asks why is told this.
    pub fn shut_out(&self, standing: v1::Reason) {
        self.shared.standing.store(standing.into(), Ordering::SeqCst);
        self.shared.shut.0.store(true, Ordering::SeqCst);
    }

    /// Lets sensors in again.
    pub fn let_in(&self) {
        self.shared.shut.0.store(false, Ordering::SeqCst);
    }

    /// Whoever asks is told this from now on.
    pub fn say_of_it(&self, standing: v1::Reason) {
        self.shared.standing.store(standing.into(), Ordering::SeqCst);
    }

    /// Wishes for a recovery, and recoveries.
    pub fn recoveries(&self) -> (usize, usize) {
        let shared = &self.shared;
        let count = |counter: &AtomicUsize| counter.load(Ordering::SeqCst);
        (count(&shared.asked_to_recover), count(&shared.recoveries))
    }

    /// How often it was asked what it thinks of the sensor.
    pub fn asked_who(&self) -> usize {
        self.shared.asked_who.load(Ordering::SeqCst)
    }

    /// Calls that were meant to open a session.
    pub fn opens(&self) -> usize {
        self.shared.opens.load(Ordering::SeqCst)
    }

    pub fn renewals(&self) -> usize {
        self.shared.renewals.load(Ordering::SeqCst)
    }

    /// The progress with which a run was closed, and the bytes of all upload messages but streams.
    pub fn closed(&self) -> (v1::JobProgress, u64) {
        let progress = self.shared.closed.lock().unwrap().clone().unwrap();
        (progress, self.shared.uploaded.load(Ordering::SeqCst))
    }

    pub async fn enrol(&self, data_dir: &Path, token: &EnrolmentToken) -> Result<EnrolOutcome, EnrolError> {
        self.enrol_at(data_dir, token, Arc::new(SystemClock)).await
    }

    /// Enrols on a machine with this clock.
    pub async fn enrol_at(
        &self,
        data_dir: &Path,
        token: &EnrolmentToken,
        clock: Arc<dyn Clock>,
    ) -> Result<EnrolOutcome, EnrolError> {
        let enroller = Enroller {
            connector: Connector::new(ProxySettings::default(), Arc::clone(&clock), self.tasks.clone()),
            clock,
            rng: Arc::new(SystemRng),
            host: HostFacts::default(),
        };
        enroller.enrol(&StateDir::open(data_dir).unwrap(), token).await
    }

    /// Waits for the next session that an agent opens.
    pub async fn session(&mut self) -> Opened {
        self.opened.recv().await.unwrap()
    }
}

pub fn now() -> Timestamp {
    SystemClock.now()
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, shared: Arc<Shared>, tasks: Tasks) {
    let routes = tonic::service::Routes::new(EnrolmentServer::new(Double(Arc::clone(&shared))))
        .add_service(SessionServer::new(Double(Arc::clone(&shared))))
        .add_service(SealingServer::new(Keeper(Arc::clone(&shared))))
        .add_service(UploadServer::new(Double(shared)))
        .prepare();
    let shutdown = tasks.shutdown().clone();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shutdown.draining() => return,
        };
        let (stream, _) = accepted.unwrap();
        let (acceptor, routes, shutdown) = (acceptor.clone(), routes.clone(), shutdown.clone());
        tasks.spawn("connection", async move {
            if let Ok(tls) = acceptor.accept(stream).await {
                let service = TowerToHyperService::new(routes);
                let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(tls), service);
                tokio::select! {
                    _ = connection => {}
                    () = shutdown.draining() => {}
                }
            }
        });
    }
}
