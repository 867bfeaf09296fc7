//! A control plane in this process, and its administrator.

use std::sync::Arc;
use std::time::Duration;

use portolan::app::{App, Caller, RegistryInput, WantedStanding};
use portolan::settings::{DoorLimits, RateLimit, ServerArgs, Settings};
use portolan::wiring::{ControlPlane, Deps, StartError};
use portolan_proto::convert::Refusal;
use portolan_shared::model::{Budget, CaTrust, Reason, RegistryId, RepositoryPatterns, RunId, TagFilter};
use portolan_shared::process::SystemRng;
use portolan_shared::secret::EnrolmentToken;
use portolan_store::{AuditEntry, AuditSeverity, RunRecord, Schedule};
use tempfile::TempDir;
use tonic::{Code, Status};

use crate::clock::AheadClock;

/// How long anything may take before a test gives up.
pub(crate) const GIVE_UP: Duration = Duration::from_secs(30);

/// A control plane with a data folder of its own.
pub(crate) struct Scene {
    pub(crate) folder: TempDir,
    pub(crate) clock: Arc<AheadClock>,
    pub(crate) admin: Caller,
    limits: DoorLimits,
    control_plane: Option<ControlPlane>,
}

/// Limits that no test reaches by accident.
pub(crate) fn wide() -> DoorLimits {
    let much = RateLimit::new(10_000.0, 10_000.0);
    DoorLimits {
        enrol_address: much,
        enrol_invitation: much,
        enrol_all: much,
        sessions_all: much,
        sessions_address: much,
        strangers: 2_000,
        drain: Duration::from_secs(2),
        ..DoorLimits::default()
    }
}

impl Scene {
    /// Shuts a sensor out for good.
    pub(crate) async fn revoke(&self, sensor: &str) {
        let revoked = self
            .app()
            .change_standing(&self.admin, sensor, WantedStanding::Revoked);
        revoked.await.unwrap();
    }

    pub(crate) async fn new() -> Self {
        Self::with(wide()).await
    }

    pub(crate) async fn with(limits: DoorLimits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AheadClock::default());
        let control_plane = start(&folder, &clock, &limits).await;
        let token = std::fs::read_to_string(control_plane.admin_token_path()).unwrap();
        let admin = control_plane
            .app()
            .authenticate(token.trim(), None)
            .await
            .unwrap();
        Self {
            folder,
            clock,
            admin,
            limits,
            control_plane: Some(control_plane),
        }
    }

    pub(crate) fn control_plane(&self) -> &ControlPlane {
        self.control_plane.as_ref().unwrap()
    }

    pub(crate) fn app(&self) -> &Arc<App> {
        self.control_plane().app()
    }

    /// Kills the control plane and starts it again, on other ports.
    pub(crate) async fn restart(&mut self) {
        self.control_plane.take().unwrap().kill().await;
        self.control_plane = Some(start(&self.folder, &self.clock, &self.limits).await);
    }

    /// Kills the control plane.
    pub(crate) async fn kill(&mut self) {
        self.control_plane.take().unwrap().kill().await;
    }

    /// Starts a control plane that was killed.
    pub(crate) async fn start(&mut self) -> Result<(), StartError> {
        self.control_plane = Some(try_start(&self.folder, &self.clock, &self.limits).await?);
        Ok(())
    }

    /// Stops the control plane in good order.
    pub(crate) async fn stop(&mut self) -> bool {
        self.control_plane.take().unwrap().stop().await
    }

    /// An enrolment token for a sensor of this name.
    pub(crate) async fn invite(&self, name: &str) -> EnrolmentToken {
        let invited = self.app().invite_sensor(&self.admin, name, None).await.unwrap();
        EnrolmentToken::parse(invited.token.expose()).unwrap()
    }

    /// Adds a registry that a sensor of this name reads, and queues a run of it.
    pub(crate) async fn queue_run(&self, registry: &str, sensor: &str) -> RunId {
        self.add_registry_of(registry, &[sensor], "manual").await;
        let queued = self.app().queue_run(&self.admin, registry, Vec::new()).await;
        queued.unwrap().run.id
    }

    /// Adds a registry that a sensor of this name reads when this schedule says.
    pub(crate) async fn add_registry(&self, registry: &str, sensor: &str, schedule: &str) -> RegistryId {
        self.add_registry_of(registry, &[sensor], schedule).await
    }

    /// Adds a registry that sensors of these names read.
    pub(crate) async fn add_registry_of(
        &self,
        registry: &str,
        sensors: &[&str],
        schedule: &str,
    ) -> RegistryId {
        let input = RegistryInput {
            id: None,
            sealed: None,
            name: registry.parse().unwrap(),
            url: "https://registry.example".parse().unwrap(),
            ca: CaTrust {
                bundle_pem: None,
                only_bundle: false,
            },
            repositories: RepositoryPatterns::all(),
            tags: TagFilter::default(),
            credential: None,
            budget: Budget::default(),
            sensors: sensors.iter().map(|sensor| (*sensor).to_owned()).collect(),
            schedule: Schedule {
                when: schedule.parse().unwrap(),
                ..Schedule::default()
            },
        };
        let added = self.app().add_registry(&self.admin, input).await.unwrap();
        added.registry.id
    }

    pub(crate) async fn run(&self, id: RunId) -> RunRecord {
        self.app().run(&self.admin, id).await.unwrap()
    }

    /// Actions of the audit log, newest first.
    pub(crate) async fn audit(&self) -> Vec<AuditEntry> {
        let page = portolan_store::PageRequest::first();
        let page = self.app().audit_log(&self.admin, &page).await.unwrap();
        page.items.into_iter().map(|record| record.entry).collect()
    }
}

async fn start(folder: &TempDir, clock: &Arc<AheadClock>, limits: &DoorLimits) -> ControlPlane {
    try_start(folder, clock, limits).await.unwrap()
}

async fn try_start(
    folder: &TempDir,
    clock: &Arc<AheadClock>,
    limits: &DoorLimits,
) -> Result<ControlPlane, StartError> {
    let mut settings = Settings::read(ServerArgs {
        data_dir: Some(folder.path().join("data")),
        listen_sensors: Some("127.0.0.1:0".to_owned()),
        listen_http: Some("127.0.0.1:0".to_owned()),
        ..ServerArgs::default()
    })
    .unwrap();
    settings.sensors.limits = limits.clone();
    let deps = Deps {
        clock: Arc::<AheadClock>::clone(clock),
        rng: Arc::new(SystemRng),
    };
    ControlPlane::start(settings, deps).await
}

/// An audit entry, for what needs one.
pub(crate) fn note(at: jiff::Timestamp) -> AuditEntry {
    AuditEntry {
        at,
        actor: "system".to_owned(),
        action: "test".to_owned(),
        object: "nothing".to_owned(),
        severity: AuditSeverity::Info,
        details: serde_json::json!({}),
    }
}

/// Waits until something holds.
pub(crate) async fn eventually<F: Future<Output = bool>>(what: &str, mut holds: impl FnMut() -> F) {
    let waiting = async {
        while !holds().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(
        tokio::time::timeout(GIVE_UP, waiting).await.is_ok(),
        "never came: {what}"
    );
}

/// The reason of a refusal, which the control plane must have given itself.
pub(crate) fn reason(status: &Status) -> Reason {
    match Refusal::in_status(status) {
        Some(refusal) => {
            assert!(!refusal.request_id.is_empty());
            refusal.reason
        }
        None => panic!("an error without a reason: {status:?}"),
    }
}

/// Whether a call failed below gRPC: the connection was never made, or is gone.
pub(crate) fn is_transport(status: &Status) -> bool {
    if Refusal::in_status(status).is_some() {
        return false;
    }
    let transport = matches!(
        status.code(),
        Code::Unavailable | Code::Unknown | Code::Internal | Code::Cancelled
    );
    assert!(transport, "{status:?}");
    true
}
