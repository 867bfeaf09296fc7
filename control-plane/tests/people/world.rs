//! A control plane without a network: the router over a database in a temporary folder, with a clock that moves when told.

use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode, header};
use futures::future::BoxFuture;
use http_body_util::BodyExt as _;
use portolan::app::{
    App, AuditKey, AuditPace, Courier, EventTally, Failure, FailureWord, Letter, Pepper, Reply, Signals,
    WebhookTests,
};
use portolan::web;
use portolan_shared::model::{
    ApiTokenId, HostFacts, InvitationId, RegistryId, RunId, SensorId, TenantId, WebhookUrl,
};
use portolan_shared::process::{ManualClock, SeededRng, Shutdown, Tasks};
use portolan_shared::secret::SecretBytes;
use portolan_shared::tls::SpkiPin;
use portolan_store::sqlite::SqliteStore;
use portolan_store::{
    AuditEntry, AuditSeverity, Certificate, ContinuityHash, EnrolmentClaim, EnrolmentOutcome, Fence,
    MachineFacts, NewInvitation, Role, SessionOpening, SessionOutcome, Store, Tenant, TokenHash,
};
use serde_json::Value;
use tower::ServiceExt as _;

/// The continuity token of every sensor.
const TOKEN: ContinuityHash = ContinuityHash([9; 32]);

pub(crate) const NOW: i64 = 1_800_000_000;

pub(crate) struct World {
    pub(crate) app: Arc<App>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) router: Router,
    pub(crate) tenant: TenantId,
    pub(crate) admin: String,
    pub(crate) operator: String,
    pub(crate) viewer: String,
    /// An admin of another tenant.
    pub(crate) neighbour: String,
    _folder: tempfile::TempDir,
    pub(crate) breaths: AtomicU32,
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&self.bytes)))
    }

    pub(crate) fn header(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// The status and the code of an error.
    pub(crate) fn refusal(&self) -> (u16, String) {
        let code = self.json()["code"].as_str().unwrap().to_owned();
        (self.status.as_u16(), code)
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with_courier(Arc::new(Nobody)).await
    }

    /// With somebody who brings messages to webhooks.
    pub(crate) async fn with_courier(courier: Arc<dyn Courier>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = SqliteStore::open(&folder.path().join("portolan.db"))
            .await
            .unwrap();
        let clock = Arc::new(ManualClock::at_unix_seconds(NOW));
        let app = Arc::new(App {
            courier,
            ..app_over(Arc::new(store), Arc::clone(&clock), 1)
        });
        let tenant = add_tenant(&app, "acme").await;
        let other = add_tenant(&app, "neighbours").await;
        let router = web::router(Arc::clone(&app), || Ok(()));
        Self {
            tenant,
            admin: token(&app, tenant, "admin", Role::Admin).await,
            operator: token(&app, tenant, "operator", Role::Operator).await,
            viewer: token(&app, tenant, "viewer", Role::Viewer).await,
            neighbour: token(&app, other, "neighbour", Role::Admin).await,
            app,
            clock,
            router,
            breaths: AtomicU32::new(0),
            _folder: folder,
        }
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        Answer {
            status: head.status,
            headers: head.headers,
            bytes: body.collect().await.unwrap().to_bytes().to_vec(),
        }
    }

    pub(crate) async fn ask(&self, token: &str, method: Method, path: &str, body: Option<Value>) -> Answer {
        self.send(request(Some(token), method, path, body)).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(&self.viewer, Method::GET, path, None).await
    }

    /// Audit entries of what people did, newest first; that they came at all is no deed.
    pub(crate) async fn done_by_people(&self) -> Vec<Value> {
        let audit = self.get("/api/v1/audit").await.json();
        let entries = audit["items"].as_array().unwrap().iter();
        let by_people = entries.filter(|entry| entry["actor"] != "system" && entry["action"] != "token.use");
        by_people.cloned().collect()
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(&self.admin, Method::POST, path, Some(body)).await
    }

    /// Enrols a sensor as a machine would, without the wire.
    pub(crate) async fn sensor(&self, name: &str) -> SensorId {
        enrol(&self.app, self.tenant, name, None).await
    }

    /// Enrols a sensor whose identity key the test knows.
    pub(crate) async fn sensor_with_key(&self, name: &str, identity_public_key: [u8; 32]) -> SensorId {
        enrol(&self.app, self.tenant, name, Some(identity_public_key)).await
    }

    /// Opens a session for a sensor.
    pub(crate) async fn session(&self, sensor: SensorId) -> u64 {
        let record = self.app.store.sensor(self.tenant, sensor).await.unwrap().unwrap();
        let opening = SessionOpening {
            tenant: self.tenant,
            sensor,
            serial: record.current.serial,
            host: record.host,
            policy_hash: Some([3; 32]),
            policy_summary: "1 registry".to_owned(),
            notify_url: Some("https://agent.example:5443/notify".to_owned()),
            looks_beside: true,
            clock_skew_ms: 12,
            machine: MachineFacts::default(),
            shown: Some(TOKEN),
            sent: TOKEN,
            now: self.app.clock.now(),
        };
        match self.app.store.open_session(&opening).await.unwrap() {
            SessionOutcome::Opened(opened) => opened.epoch,
            refused => panic!("{refused:?}"),
        }
    }

    /// Adds a registry over the API.
    pub(crate) async fn registry(&self, name: &str, url: &str, sensor: &str) -> RegistryId {
        let body = serde_json::json!({"name": name, "url": url, "sensors": [sensor]});
        let answer = self.post("/api/v1/registries", body).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{:?}", answer.json());
        answer.json()["id"].as_str().unwrap().parse().unwrap()
    }

    /// Queues a run over the API and leases it as the dispatcher would.
    pub(crate) async fn leased_run(&self, registry: &str, sensor: SensorId, epoch: u64) -> Fence {
        let path = format!("/api/v1/registries/{registry}/runs");
        let answer = self.post(&path, serde_json::json!({})).await;
        assert!(answer.status.is_success(), "{:?}", answer.json());
        let run: RunId = answer.json()["run"]["id"].as_str().unwrap().parse().unwrap();
        let lease = self
            .app
            .store
            .lease_run(self.tenant, run, sensor, epoch, self.app.clock.now())
            .await
            .unwrap()
            .expect("the run was just queued");
        Fence {
            tenant: self.tenant,
            sensor,
            session_epoch: epoch,
            attempt: lease.attempt,
        }
    }
}

pub(crate) fn request(token: Option<&str>, method: Method, path: &str, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    match body {
        Some(body) => request
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_string())),
        None => request.body(Body::empty()),
    }
    .unwrap()
}

/// A courier who takes every letter and brings it nowhere.
#[derive(Debug)]
struct Nobody;

impl Courier for Nobody {
    fn judge(&self, _: &WebhookUrl) -> Result<(), String> {
        Ok(())
    }

    fn bring(&self, _: Letter) -> BoxFuture<'_, Reply> {
        Box::pin(async {
            Reply::Failed(Failure {
                word: FailureWord::Connect,
                detail: "nobody is written to".to_owned(),
            })
        })
    }
}

/// A control plane over this database. Another seed is another replica.
pub(crate) fn app_over(store: Arc<dyn Store>, clock: Arc<ManualClock>, seed: u64) -> App {
    App {
        store,
        clock,
        rng: Arc::new(SeededRng::new(seed)),
        pepper: Pepper::new(&SecretBytes::new(vec![7; Pepper::BYTES])),
        audit_key: AuditKey::from_seed(&SecretBytes::new(vec![9; AuditKey::BYTES])).unwrap(),
        pace: AuditPace::default(),
        event_tally: EventTally::default(),
        courier: Arc::new(Nobody),
        webhook_tests: WebhookTests::default(),
        promises: Arc::default(),
        tasks: Tasks::new(Shutdown::new()),
        deployment: "test".to_owned(),
        sensor_url: "https://portolan.example.com:7443".to_owned(),
        server_pins: vec![SpkiPin([1; 32])],
        signals: Signals::default(),
    }
}

async fn add_tenant(app: &App, name: &str) -> TenantId {
    let id = TenantId::generate(&*app.clock, &*app.rng);
    let tenant = Tenant {
        id,
        name: name.to_owned(),
        created_at: app.clock.now(),
    };
    app.store.add_tenant(&tenant).await.unwrap();
    id
}

pub(crate) async fn token(app: &App, tenant: TenantId, name: &str, role: Role) -> String {
    let (_, text): (ApiTokenId, _) = app.mint_api_token(tenant, name, role, None).await.unwrap();
    text.expose().to_owned()
}

/// An audit entry, for what a test does by itself.
pub(crate) fn note(at: jiff::Timestamp) -> AuditEntry {
    AuditEntry {
        at,
        actor: "system".to_owned(),
        action: "sensor.invite".to_owned(),
        object: "invitation:a-test".to_owned(),
        severity: AuditSeverity::Info,
        details: serde_json::json!({}),
    }
}

pub(crate) async fn enrol(app: &App, tenant: TenantId, name: &str, identity: Option<[u8; 32]>) -> SensorId {
    let id = InvitationId::random(&*app.rng);
    let now = app.clock.now();
    let invitation = NewInvitation {
        id,
        tenant,
        hash: TokenHash([9; 32]),
        sensor_name: name.to_owned(),
        created_by: "admin".to_owned(),
        created_at: now,
        expires_at: now + jiff::SignedDuration::from_hours(1),
    };
    app.store.add_invitation(&invitation, &note(now)).await.unwrap();
    let identity_public_key = identity.unwrap_or_else(|| {
        let mut key = [0; 32];
        app.rng.fill(&mut key);
        key
    });
    let mut serial = [0; 16];
    app.rng.fill(&mut serial);
    let claim = EnrolmentClaim {
        invitation: id,
        hash: TokenHash([9; 32]),
        identity_public_key,
        new_sensor: SensorId::generate(&*app.clock, &*app.rng),
        certificate: Certificate {
            serial,
            not_after: now + jiff::SignedDuration::from_hours(24 * 30),
        },
        host: HostFacts {
            hostname: "host-1".to_owned(),
            os: "linux".to_owned(),
            architecture: "amd64".to_owned(),
            agent_version: "0.1.0".to_owned(),
        },
        sent: TOKEN,
        source: "192.0.2.7".to_owned(),
        now,
    };
    match app.store.enrol(&claim, &|_| None).await.unwrap() {
        EnrolmentOutcome::Enrolled { sensor, .. } => sensor,
        other => panic!("not enrolled: {other:?}"),
    }
}
