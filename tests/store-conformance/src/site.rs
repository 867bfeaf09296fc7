//! The usual starting point of a case.

use portolan_shared::model::{
    AttemptRef, Budget, CaTrust, CredentialReference, HostFacts, InvitationId, RegistryId, RepositoryOutcome,
    RepositoryPatterns, RunId, RunTrigger, Scope, SensorId, TagFilter, TenantId,
};
use portolan_shared::process::SystemRng;
use portolan_store::{
    AuditEntry, AuditSeverity, Certificate, ContinuityHash, EnrolmentClaim, EnrolmentOutcome, Fence,
    LostLease, MachineFacts, NewInvitation, NewRegistry, NewRun, PageRequest, QueueOutcome, RegistryChange,
    RegistryRecord, RepositoryFilter, RunClosing, Schedule, SessionOpening, SessionOutcome, StandingChange,
    Store, Tenant, TokenHash, When,
};

pub use crate::values::{at, commit_of, digest, image_of, observation, state_hash};
pub(crate) use crate::values::{bytes, index_of, name, put};

/// Takes away whatever leases have run out by this second.
pub async fn requeue_expired(store: &dyn Store, seconds: i64) -> Vec<LostLease> {
    let expired = store.expired_leases(at(seconds)).await.unwrap();
    store.requeue_expired(at(seconds), &expired).await.unwrap()
}

/// A tenant with one sensor in session and one registry, which no other case knows.
#[derive(Debug, Clone)]
pub struct Site {
    /// The tenant.
    pub tenant: TenantId,
    /// Its sensor.
    pub sensor: SensorId,
    /// The sensor's session.
    pub epoch: u64,
    /// The sensor's certificate.
    pub serial: [u8; 16],
    /// The registry, read by the sensor.
    pub registry: RegistryId,
}

pub(crate) fn certificate() -> Certificate {
    Certificate {
        serial: bytes(),
        not_after: at(86_400),
    }
}

/// An audit entry, for what needs one.
#[must_use]
pub fn note() -> AuditEntry {
    AuditEntry {
        at: at(0),
        actor: "system".to_owned(),
        action: "test".to_owned(),
        object: "nothing".to_owned(),
        severity: AuditSeverity::Info,
        details: serde_json::json!({}),
    }
}

/// [`note`], whatever came of it.
pub fn noted<T>(_: &T) -> Option<AuditEntry> {
    Some(note())
}

/// How many entries the audit log of a tenant has.
pub(crate) async fn entries(store: &dyn Store, tenant: TenantId) -> u64 {
    let newest = PageRequest {
        after: None,
        limit: 1,
    };
    let page = store.audit(tenant, &newest).await.unwrap();
    page.items.first().map_or(0, |record| record.seq)
}

pub(crate) async fn tenant(store: &dyn Store) -> TenantId {
    let id = TenantId::random(&SystemRng);
    let tenant = Tenant {
        id,
        name: id.to_string(),
        created_at: at(0),
    };
    store.add_tenant(&tenant).await.unwrap();
    id
}

pub(crate) fn invitation(tenant: TenantId, sensor_name: &str) -> NewInvitation {
    NewInvitation {
        id: InvitationId::random(&SystemRng),
        tenant,
        hash: TokenHash(bytes()),
        sensor_name: sensor_name.to_owned(),
        created_by: "admin".to_owned(),
        created_at: at(0),
        expires_at: at(3_600),
    }
}

pub(crate) fn claim(invitation: &NewInvitation) -> EnrolmentClaim {
    EnrolmentClaim {
        invitation: invitation.id,
        hash: invitation.hash,
        identity_public_key: bytes(),
        new_sensor: SensorId::random(&SystemRng),
        certificate: certificate(),
        host: HostFacts {
            hostname: "edge-1".to_owned(),
            ..HostFacts::default()
        },
        sent: token(),
        source: "192.0.2.7".to_owned(),
        now: at(1),
    }
}

/// Enrols a sensor of this name; gives it and the serial number of its certificate.
pub(crate) async fn sensor(store: &dyn Store, tenant: TenantId, sensor_name: &str) -> (SensorId, [u8; 16]) {
    let invitation = invitation(tenant, sensor_name);
    store.add_invitation(&invitation, &note()).await.unwrap();
    let claim = claim(&invitation);
    match store.enrol(&claim, &noted).await.unwrap() {
        EnrolmentOutcome::Enrolled { sensor, .. } => (sensor, claim.certificate.serial),
        other => panic!("{other:?}"),
    }
}

pub(crate) fn opening(tenant: TenantId, sensor: SensorId, serial: [u8; 16]) -> SessionOpening {
    SessionOpening {
        tenant,
        sensor,
        serial,
        host: HostFacts {
            agent_version: "0.1.0".to_owned(),
            ..HostFacts::default()
        },
        policy_hash: Some([4; 32]),
        policy_summary: "1 registry".to_owned(),
        notify_url: Some("https://agent.example:5443/notify".to_owned()),
        looks_beside: true,
        clock_skew_ms: -12,
        machine: MachineFacts::default(),
        shown: Some(token()),
        sent: token(),
        now: at(2),
    }
}

/// The continuity token of sensors to whom continuity does not matter.
pub(crate) fn token() -> ContinuityHash {
    ContinuityHash([9; 32])
}

/// Revokes a sensor.
pub(crate) async fn revoke(store: &dyn Store, tenant: TenantId, sensor: SensorId, seconds: i64) -> bool {
    store
        .change_standing(tenant, sensor, StandingChange::Revoke, at(seconds), &note())
        .await
        .unwrap()
}

pub(crate) async fn session(store: &dyn Store, tenant: TenantId, sensor: SensorId, serial: [u8; 16]) -> u64 {
    match store
        .open_session(&opening(tenant, sensor, serial))
        .await
        .unwrap()
    {
        SessionOutcome::Opened(opened) => opened.epoch,
        refused => panic!("{refused:?}"),
    }
}

pub(crate) fn registry(tenant: TenantId, registry_name: &str, sensors: &[SensorId]) -> NewRegistry {
    NewRegistry {
        id: RegistryId::random(&SystemRng),
        tenant,
        name: registry_name.parse().unwrap(),
        url: "https://registry.example.com:5050".parse().unwrap(),
        ca: CaTrust {
            bundle_pem: Some("-----BEGIN CERTIFICATE-----".to_owned()),
            only_bundle: true,
        },
        repositories: RepositoryPatterns::all(),
        tags: TagFilter::default(),
        credential: Some(CredentialReference::Environment("GITLAB".to_owned())),
        budget: Budget::default(),
        schedule: Schedule::default(),
        sensors: sensors.to_vec(),
    }
}

impl Site {
    /// Makes one.
    pub async fn new(store: &dyn Store) -> Self {
        let tenant = tenant(store).await;
        let (sensor, serial) = sensor(store, tenant, "edge").await;
        let epoch = session(store, tenant, sensor, serial).await;
        let new = registry(tenant, "gl", &[sensor]);
        store.add_registry(&new, at(2), &note()).await.unwrap();
        Self {
            tenant,
            sensor,
            epoch,
            serial,
            registry: new.id,
        }
    }

    /// The same sensor with another registry: a registry has one leased run at a time.
    pub async fn beside(&self, store: &dyn Store, registry_name: &str) -> Self {
        let mut beside = self.clone();
        let new = registry(self.tenant, registry_name, &[self.sensor]);
        store.add_registry(&new, at(2), &note()).await.unwrap();
        beside.registry = new.id;
        beside
    }

    /// Queues a run of the whole registry.
    pub async fn queue(&self, store: &dyn Store, seconds: i64) -> RunId {
        self.queue_scope(store, &[], seconds).await
    }

    /// Queues a run of some repositories.
    pub async fn queue_scope(&self, store: &dyn Store, repositories: &[&str], seconds: i64) -> RunId {
        let run = self.new_run(repositories, seconds);
        assert_eq!(
            store.queue_run(&run, &note()).await.unwrap(),
            QueueOutcome::Queued
        );
        run.id
    }

    pub(crate) fn new_run(&self, repositories: &[&str], seconds: i64) -> NewRun {
        NewRun {
            id: RunId::random(&SystemRng),
            tenant: self.tenant,
            registry: self.registry,
            trigger: RunTrigger::Manual,
            scope: Scope {
                repositories: repositories.iter().map(|text| name(text)).collect(),
                ..Scope::default()
            },
            requested_by: "admin".to_owned(),
            now: at(seconds),
        }
    }

    /// A run that events asked for, of these lines of a scope.
    pub(crate) fn event_run(&self, lines: &[&str], seconds: i64) -> NewRun {
        NewRun {
            trigger: RunTrigger::Event,
            scope: Scope::of_lines(lines).unwrap(),
            requested_by: "push events".to_owned(),
            ..self.new_run(&[], seconds)
        }
    }

    /// Queues a run that events asked for, of these lines of a scope.
    pub async fn queue_look(&self, store: &dyn Store, lines: &[&str], seconds: i64) -> RunId {
        let run = self.event_run(lines, seconds);
        let queued = store.queue_run(&run, &note()).await.unwrap();
        assert_eq!(queued, QueueOutcome::Queued);
        run.id
    }

    /// Queues a run that events asked for, and leases it.
    pub(crate) async fn start_event_run(&self, store: &dyn Store, lines: &[&str], seconds: i64) -> Fence {
        let run = self.queue_look(store, lines, seconds).await;
        self.lease(store, run, seconds).await
    }

    /// Gives the registry another schedule.
    pub(crate) async fn read(&self, store: &dyn Store, schedule: Schedule, seconds: i64) {
        let change = RegistryChange {
            schedule: Some(schedule),
            ..RegistryChange::default()
        };
        let (tenant, registry) = (self.tenant, self.registry);
        let changed = store.change_registry(tenant, registry, &change, None, at(seconds), &noted);
        changed.await.unwrap();
    }

    /// Reads the registry on push from then on.
    pub(crate) async fn read_on_push(&self, store: &dyn Store, seconds: i64) {
        let schedule = Schedule {
            when: When::OnPush,
            ..Schedule::default()
        };
        self.read(store, schedule, seconds).await;
    }

    /// Leases a queued run to the sensor.
    pub async fn lease(&self, store: &dyn Store, run: RunId, seconds: i64) -> Fence {
        let lease = store
            .lease_run(self.tenant, run, self.sensor, self.epoch, at(seconds))
            .await
            .unwrap()
            .unwrap();
        self.fence(lease.attempt)
    }

    /// Queues a run of the whole registry and leases it.
    pub async fn start(&self, store: &dyn Store, seconds: i64) -> Fence {
        let run = self.queue(store, seconds).await;
        self.lease(store, run, seconds).await
    }

    pub(crate) fn fence(&self, attempt: AttemptRef) -> Fence {
        Fence {
            tenant: self.tenant,
            sensor: self.sensor,
            session_epoch: self.epoch,
            attempt,
        }
    }

    pub(crate) async fn reconnect(&mut self, store: &dyn Store) {
        self.epoch = session(store, self.tenant, self.sensor, self.serial).await;
    }

    pub(crate) async fn set(&self, store: &dyn Store, change: RegistryChange) {
        store
            .change_registry(self.tenant, self.registry, &change, None, at(3), &noted)
            .await
            .unwrap();
    }

    /// The registry as it is stored.
    pub(crate) async fn record(&self, store: &dyn Store) -> RegistryRecord {
        store.registry(self.tenant, self.registry).await.unwrap().unwrap()
    }

    /// Starts a run, puts the manifests that the tags point to, commits, and closes it as complete.
    pub(crate) async fn sync(
        &self,
        store: &dyn Store,
        repositories: &[(&str, &[(&str, &str)])],
        seconds: i64,
    ) -> Fence {
        let fence = self.start(store, seconds).await;
        for (repository, tags) in repositories {
            let content: Vec<_> = tags.iter().map(|(_, content)| put(image_of(content))).collect();
            store.put_content(&fence, &content, at(seconds)).await.unwrap();
            let commit = commit_of(repository, tags, RepositoryOutcome::Listed);
            store
                .commit_repository(&fence, &commit, at(seconds))
                .await
                .unwrap();
        }
        store
            .close_run(&fence, &whole(repositories.len() as u64), at(seconds))
            .await
            .unwrap();
        fence
    }
}

/// The closing of a run whose discovery was complete.
pub(crate) fn whole(found: u64) -> RunClosing {
    RunClosing {
        discovery_complete: true,
        found,
        ..RunClosing::default()
    }
}

/// Commits a repository with one tag as listed.
pub(crate) async fn commit_listed(store: &dyn Store, fence: &Fence, repository: &str, seconds: i64) {
    let commit = commit_of(repository, &[("1", "one")], RepositoryOutcome::Listed);
    store
        .commit_repository(fence, &commit, at(seconds))
        .await
        .unwrap();
}

/// Names of the repositories that have not vanished.
pub(crate) async fn present(store: &dyn Store, site: &Site) -> Vec<String> {
    let found = store
        .repositories(site.tenant, &RepositoryFilter::default(), &PageRequest::first())
        .await
        .unwrap();
    found
        .items
        .into_iter()
        .map(|record| record.name.as_str().to_owned())
        .collect()
}
