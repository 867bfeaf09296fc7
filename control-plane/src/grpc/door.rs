//! What all services of the listener share, and the listener itself.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use portolan_proto::convert::FieldError;
use portolan_proto::v1::enrolment_server::EnrolmentServer;
use portolan_proto::v1::sealing_server::SealingServer;
use portolan_proto::v1::session_server::SessionServer;
use portolan_proto::v1::upload_server::UploadServer;
use portolan_shared::model::{InvitationId, Reason, SensorId, limits};
use portolan_shared::process::{Tasks, Uptime};
use portolan_shared::tls::{
    DeniedSensors, PeerIdentity, SensorVerifier, SwappableCertificate, sensor_server,
};
use portolan_store::{Denial, StoreError};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_rustls::TlsAcceptor;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Server;
use tonic::{Request, Status};

use super::connection::{Acceptor, Connection, Connections, Purpose, Serial};
use super::enrolment::EnrolmentService;
use super::gate::{Call, GateLayer};
use super::refusal::Refuser;
use super::sealing::SealingService;
use super::session::SessionService;
use super::upload::{Rooms, UploadService};
use crate::app::{App, Denials, Meters, Sessions};
use crate::ca::Authority;
use crate::fair::{Bucket, Buckets};
use crate::settings::{DoorLimits, RateLimit};

/// How long after its end a certificate is honoured on connections that are open: clocks differ.
const CERTIFICATE_GRACE: SignedDuration = SignedDuration::from_mins(5);
/// Time for the farewell to a sensor that is shut out, before its connections are cut.
const FAREWELL: Duration = Duration::from_millis(100);
/// Accepted connections that wait to be served.
const ACCEPTED: usize = 64;
/// How long a call of the upload service waits for room: refused after.
const UPLOAD_WAIT: Duration = Duration::from_secs(30);
/// Streams on one connection: refused above.
const STREAMS: u32 = 16;
/// Headers of one call, in bytes: refused above.
const HEADERS: u32 = 16 * 1024;
/// What a peer may send on one stream before it was read.
const STREAM_WINDOW: u32 = 512 * 1024;
/// What a peer may send on one connection before it was read.
const CONNECTION_WINDOW: u32 = 4 * 1024 * 1024;
/// How often an idle connection is asked whether it is alive.
const PING: Duration = Duration::from_secs(20);
/// How long the answer may take.
const PONG: Duration = Duration::from_secs(10);

/// New sealing keys of one sensor: six an hour.
const PUBLICATIONS: RateLimit = RateLimit::new(6.0 / 3_600.0, 6.0);
/// Entries of the audit log that say that one sensor has too many connections: one an hour.
const CROWDS: RateLimit = RateLimit::new(1.0 / 3_600.0, 1.0);
/// Entries of the audit log that say that somebody showed a sensor's identity and went away when asked: one an hour.
const SIGHTINGS: RateLimit = RateLimit::new(1.0 / 3_600.0, 1.0);

/// What the door works with.
pub struct DoorParts {
    /// The use cases.
    pub app: Arc<App>,
    /// Issues certificates.
    pub authority: Arc<Authority>,
    /// Who is connected.
    pub sessions: Arc<Sessions>,
    /// Who is shut out.
    pub denials: Arc<Denials>,
    /// What is counted.
    pub meters: Arc<Meters>,
    /// Owner of all tasks.
    pub tasks: Tasks,
    /// What is let through.
    pub limits: DoorLimits,
}

/// The sensors' door.
pub struct Door {
    pub(super) app: Arc<App>,
    pub(super) authority: Arc<Authority>,
    pub(super) sessions: Arc<Sessions>,
    pub(crate) denials: Arc<Denials>,
    pub(super) meters: Arc<Meters>,
    pub(super) tasks: Tasks,
    pub(super) limits: DoorLimits,
    pub(super) connections: Arc<Connections>,
    pub(super) uploads: Rooms,
    enrol_all: Mutex<Bucket>,
    enrol_address: Buckets<IpAddr>,
    enrol_invitation: Buckets<InvitationId>,
    sessions_all: Mutex<Bucket>,
    sessions_address: Buckets<IpAddr>,
    publications: Buckets<SensorId>,
    crowds: Buckets<SensorId>,
    sightings: Buckets<SensorId>,
}

impl Door {
    /// A door that nobody has come through yet.
    #[must_use]
    pub fn new(parts: DoorParts) -> Arc<Self> {
        let now = parts.app.clock.uptime();
        let bucket = |limit: RateLimit| Mutex::new(Bucket::new(limit, now));
        Arc::new(Self {
            enrol_all: bucket(parts.limits.enrol_all),
            enrol_address: Buckets::new(parts.limits.enrol_address),
            enrol_invitation: Buckets::new(parts.limits.enrol_invitation),
            sessions_all: bucket(parts.limits.sessions_all),
            sessions_address: Buckets::new(parts.limits.sessions_address),
            publications: Buckets::new(PUBLICATIONS),
            crowds: Buckets::new(CROWDS),
            sightings: Buckets::new(SIGHTINGS),
            app: parts.app,
            authority: parts.authority,
            sessions: parts.sessions,
            denials: parts.denials,
            meters: parts.meters,
            tasks: parts.tasks,
            uploads: Rooms::new(parts.limits.uploads, UPLOAD_WAIT),
            limits: parts.limits,
            connections: Arc::new(Connections::new()),
        })
    }

    /// Serves until draining begins and every connection is gone. A connection that does not go must be cut from outside.
    pub fn serve(
        self: &Arc<Self>,
        listener: TcpListener,
        certificate: Arc<SwappableCertificate>,
    ) -> Result<impl Future<Output = ()> + Send + use<>, rustls::Error> {
        let verifier = SensorVerifier::new(
            self.authority.deployment().to_owned(),
            vec![self.authority.sensor_root().clone()],
            Arc::clone(&self.denials) as Arc<dyn DeniedSensors>,
        );
        let tls = sensor_server(certificate, Arc::new(verifier), Arc::clone(&self.app.clock))?;
        let acceptor = Arc::new(Acceptor {
            tls: TlsAcceptor::from(Arc::new(tls)),
            door: Arc::clone(self),
        });
        let (accepted, incoming) = mpsc::channel(ACCEPTED);
        let enrolment = EnrolmentServer::new(EnrolmentService(Arc::clone(self)))
            .max_decoding_message_size(limits::ENROL_BYTES)
            .max_encoding_message_size(limits::HELLO_BYTES);
        let session = SessionServer::new(SessionService(Arc::clone(self)))
            .max_decoding_message_size(limits::SESSION_MESSAGE_BYTES)
            .max_encoding_message_size(limits::SESSION_MESSAGE_BYTES);
        let sealing = SealingServer::new(SealingService(Arc::clone(self)))
            .max_decoding_message_size(limits::HELLO_BYTES)
            .max_encoding_message_size(limits::SESSION_MESSAGE_BYTES);
        let upload = UploadServer::new(UploadService(Arc::clone(self)))
            .max_decoding_message_size(limits::UPLOAD_MESSAGE_BYTES)
            .max_encoding_message_size(limits::UPLOAD_MESSAGE_BYTES);
        let server = Server::builder()
            .max_concurrent_streams(STREAMS)
            .http2_max_header_list_size(HEADERS)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_keepalive_interval(Some(PING))
            .http2_keepalive_timeout(Some(PONG))
            .layer(GateLayer(Arc::clone(self)))
            .add_service(enrolment)
            .add_service(session)
            .add_service(sealing)
            .add_service(upload);
        let shutdown = self.tasks.shutdown().clone();
        Ok(async move {
            let draining = shutdown.clone();
            let accept = acceptor.run(listener, accepted);
            let serve = server.serve_with_incoming_shutdown(ReceiverStream::new(incoming), async move {
                draining.cutting().await;
            });
            let ((), served) = futures::join!(accept, serve);
            if let Err(error) = served {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the sensors' listener failed"
                );
                shutdown.start_drain();
            }
        })
    }

    /// Shuts a sensor out: a word of farewell, then its connections are cut. Nothing is done for one that is let in again.
    pub fn shut_out(self: &Arc<Self>, denial: &Denial) {
        let sensor = denial.sensor;
        let Some(reason) = denial.reason else {
            return;
        };
        if let Some(session) = self.sessions.of(sensor) {
            session.end(reason);
        }
        let connections = Arc::clone(&self.connections);
        self.tasks.spawn("shut out", async move {
            tokio::time::sleep(FAREWELL).await;
            connections.cut(sensor);
        });
    }

    /// Who is connected.
    #[must_use]
    pub fn sessions(&self) -> Arc<Sessions> {
        Arc::clone(&self.sessions)
    }

    /// What is counted.
    #[must_use]
    pub fn meters(&self) -> Arc<Meters> {
        Arc::clone(&self.meters)
    }

    /// The connections.
    #[must_use]
    pub fn connections(&self) -> &Connections {
        &self.connections
    }

    /// Whether a sensor that is connected may still do anything; asked at every call and every message.
    pub(super) fn admits(&self, identity: &PeerIdentity) -> Result<(), Reason> {
        let ends = identity.not_after.saturating_add(CERTIFICATE_GRACE);
        if self.app.clock.now() >= ends.unwrap_or(identity.not_after) {
            return Err(Reason::CertificateExpired);
        }
        self.denials.reason(identity.sensor).map_or(Ok(()), Err)
    }

    /// Whether a certificate is that of the sensor's session, or one that a session could be opened with. The first use of another voids it,
    /// long before it ends.
    async fn is_current(&self, identity: &PeerIdentity) -> Result<bool, StoreError> {
        if let Some(session) = self.sessions.of(identity.sensor) {
            return Ok(session.serial == identity.serial);
        }
        self.opens_sessions(identity).await
    }

    /// Whether a session could be opened with a certificate.
    async fn opens_sessions(&self, identity: &PeerIdentity) -> Result<bool, StoreError> {
        // A sensor that is not there has no fence that holds: that says so.
        let good = self.good_serials(identity).await?;
        Ok(good.is_none_or(|good| good.contains(&identity.serial)))
    }

    /// The certificates that a session of the sensor could be opened with; `None` if there is no such sensor.
    pub(super) async fn good_serials(
        &self,
        identity: &PeerIdentity,
    ) -> Result<Option<Vec<Serial>>, StoreError> {
        let held = self.app.store.sensor(identity.tenant, identity.sensor).await?;
        Ok(held.map(|held| {
            let good = std::iter::once(&held.current).chain(&held.new);
            good.map(|certificate| certificate.serial).collect()
        }))
    }

    /// Whether a connection with this certificate may be used for something. TLS asks only whether the certificate has ended: one that was
    /// replaced is not to hold a place. A database that fails refuses nobody here; the call itself says so.
    pub(super) async fn may_claim(&self, identity: &PeerIdentity, purpose: Purpose) -> bool {
        let good = match purpose {
            Purpose::Session if self.has_session(identity) => return true,
            // A session with the next certificate takes the place of the one with the present certificate.
            Purpose::Session => self.opens_sessions(identity).await,
            Purpose::Upload => self.is_current(identity).await,
        };
        good.unwrap_or(true)
    }

    /// Whether the sensor's session is here, and was opened with this certificate.
    pub(super) fn has_session(&self, identity: &PeerIdentity) -> bool {
        let session = self.sessions.of(identity.sensor);
        session.is_some_and(|session| session.serial == identity.serial)
    }

    /// The session of a sensor that stands, if it is here.
    pub(super) fn standing(&self, sensor: SensorId) -> Option<u64> {
        self.sessions.of(sensor).map(|session| session.epoch)
    }

    /// Whether the audit log is to say that somebody showed this sensor's identity and did not answer. Once an hour.
    pub(super) fn may_note_sighting(&self, sensor: SensorId) -> bool {
        self.sightings.take(sensor, self.app.clock.uptime()).is_ok()
    }

    /// Notes in the audit log that a sensor has more connections than it can use, and where they come from. Once an hour.
    pub(super) async fn note_crowd(&self, identity: &PeerIdentity, sources: &[SocketAddr]) {
        if self
            .crowds
            .take(identity.sensor, self.app.clock.uptime())
            .is_err()
        {
            return;
        }
        let noted = self.app.crowded(identity.tenant, identity.sensor, sources).await;
        if let Err(error) = noted {
            tracing::error!(
                sensor = %identity.sensor,
                error = &error as &dyn std::error::Error,
                "that a sensor has too many connections was not noted"
            );
        }
    }

    /// When a certificate is no longer honoured, on the clock that does not jump.
    pub(super) fn certificate_ends(&self, identity: &PeerIdentity) -> Uptime {
        let left = identity
            .not_after
            .saturating_add(CERTIFICATE_GRACE)
            .unwrap_or(identity.not_after)
            .duration_since(self.app.clock.now());
        let left = Duration::try_from(left).unwrap_or(Duration::ZERO);
        Uptime(self.app.clock.uptime().0.saturating_add(left))
    }

    /// Lets an enrolment call through, or says when to come back.
    pub(super) fn enrolment_rate(&self, address: IpAddr) -> Result<(), Duration> {
        let now = self.app.clock.uptime();
        self.enrol_address.take(address, now)?;
        take(&self.enrol_all, now)
    }

    /// Lets an enrolment with this invitation through, or says when to come back.
    pub(super) fn invitation_rate(&self, invitation: InvitationId) -> Result<(), Duration> {
        self.enrol_invitation.take(invitation, self.app.clock.uptime())
    }

    /// Lets a new session through, or says when to come back.
    pub(super) fn session_rate(&self, address: IpAddr) -> Result<(), Duration> {
        let now = self.app.clock.uptime();
        self.sessions_address.take(address, now)?;
        take(&self.sessions_all, now)
    }

    /// Lets a new sealing key of this sensor through, or says when to come back.
    pub(super) fn publication_rate(&self, sensor: SensorId) -> Result<(), Duration> {
        self.publications.take(sensor, self.app.clock.uptime())
    }

    /// Over which time sensors should spread their return, so that this process can take them all.
    pub(super) fn spread(&self) -> Duration {
        let fleet = u32::try_from(self.sessions.count()).unwrap_or(u32::MAX);
        let seconds = f64::from(fleet) / (0.6 * self.limits.sessions_all.per_second.max(0.1));
        Duration::from_secs_f64(seconds.clamp(1.0, 120.0))
    }

    /// Makes refusals for a call.
    pub(super) fn refuser<'a>(&'a self, call: &'a Call) -> Refuser<'a> {
        Refuser {
            clock: self.app.clock.as_ref(),
            rng: self.app.rng.as_ref(),
            request_id: &call.request_id,
        }
    }

    /// The call that a request is, as the gate let it through.
    pub(super) fn call<T>(request: &Request<T>) -> Result<Call, Status> {
        let call = request.extensions().get::<Call>();
        call.cloned()
            .ok_or_else(|| Status::internal("the call did not come through the gate"))
    }

    /// Who calls, if the certificate is the current one: a connection may have been made with it before another took its place.
    pub(super) async fn current(&self, call: &Call) -> Result<PeerIdentity, Status> {
        let (_, identity) = self.sensor(call)?;
        let refuse = self.refuser(call);
        match self.is_current(&identity).await {
            Ok(true) => Ok(identity),
            Ok(false) => {
                let text = "the sensor has another certificate now";
                Err(refuse.with(Reason::CertificateNotCurrent, text).into_status())
            }
            Err(error) => Err(refuse.store(&error).into_status()),
        }
    }

    /// The connection and identity of a sensor's call.
    pub(super) fn sensor(&self, call: &Call) -> Result<(Arc<Connection>, PeerIdentity), Status> {
        match call.connection.identity {
            Some(identity) => Ok((Arc::clone(&call.connection), identity)),
            None => Err(self
                .refuser(call)
                .field(&FieldError::missing("client certificate"))
                .into_status()),
        }
    }
}

fn take(bucket: &Mutex<Bucket>, now: Uptime) -> Result<(), Duration> {
    bucket.lock().unwrap_or_else(PoisonError::into_inner).take(now)
}
