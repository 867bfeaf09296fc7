//! Sealed credentials from the session to a registry whose token service is on another host.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use portolan_agent::credentials::SealedLogin;
use portolan_agent::inventory::Upload;
use portolan_agent::jobs::{JobControl, JobEnd, JobRefusal, Jobs, ProbeJob, SyncJob};
use portolan_agent::wiring::{Agent, AgentHandle};
use portolan_doubles::tls::Alpn;
use portolan_doubles::token::Account;
use portolan_doubles::{Content, PrivateCa, RegistryDouble, TokenService};
use portolan_proto::convert::probe_report;
use portolan_proto::v1;
use portolan_proto::v1::control_message::Body as Down;
use portolan_proto::v1::sensor_message::Body as Up;
use portolan_shared::model::{
    AttemptRef, CredentialId, Diagnosis, FindingCode, ProbeId, RegistryId, RegistryTarget, RegistryUrl,
    RunId, TenantId,
};
use portolan_shared::process::{Clock as _, Shutdown, SystemClock, SystemRng, Tasks};
use portolan_shared::secret::sealed::{BoundHosts, CredentialBinding, Scheme};

use tokio::sync::mpsc;

use crate::agent::{offer, parts};
use crate::opened::Opened;
use crate::plane::{ControlPlane, DAY, Scripts};

const LOGIN: (&str, &str) = ("reader", "glpat-plaintext-of-a-password");

struct Scene {
    plane: ControlPlane,
    session: Opened,
    handle: AgentHandle,
    registry: RegistryDouble,
    tokens: TokenService,
    id: RegistryId,
    ca_pem: String,
    tasks: Tasks,
    folder: tempfile::TempDir,
}

fn write_policy(folder: &Path, registry: u16, realm: u16) {
    let text = format!(
        "version = 1\n[[allow]]\nhost = \"localhost\"\nports = [{registry}]\naddresses = [\"127.0.0.0/8\", \"::1/128\"]\n\
         realms = [\"127.0.0.1:{realm}\"]\n"
    );
    std::fs::write(folder.join("policy.toml"), text).unwrap();
}

impl Scene {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
        plane.enrol(folder.path(), &plane.token()).await.unwrap();
        let ca = PrivateCa::new("Acme", &SystemClock).unwrap();
        let leaf = ca.leaf(&["127.0.0.1", "localhost"]).unwrap();
        let doubles = Tasks::new(Shutdown::new());
        let tokens = TokenService::builder()
            .account(Account::new(LOGIN.0, LOGIN.1).administrator())
            .start(Some(leaf.server_config(Alpn::Both).unwrap()), &doubles)
            .await
            .unwrap();
        let registry = RegistryDouble::builder(Content::demo())
            .tokens(&tokens)
            .start(Some(leaf.server_config(Alpn::Both).unwrap()), &doubles)
            .await
            .unwrap();
        write_policy(folder.path(), registry.address().port(), tokens.address().port());
        let parts = parts(folder.path());
        let tasks = parts.tasks.clone();
        let (handle, agent) = Agent::build(parts).await.unwrap();
        tasks.spawn("agent", async move {
            agent.run().await;
        });
        let mut session = plane.session().await;
        session.welcome(1, true).await;
        Self {
            plane,
            session,
            handle,
            registry,
            tokens,
            id: RegistryId::random(&SystemRng),
            ca_pem: ca.root_pem(),
            tasks,
            folder,
        }
    }

    fn target(&self) -> v1::RegistryTarget {
        v1::RegistryTarget {
            registry_id: self.id.as_bytes().to_vec().into(),
            url: format!("https://localhost:{}", self.registry.address().port()),
            ca_bundle_pem: self.ca_pem.clone(),
            only_ca_bundle: true,
            concurrency: 4,
            ..v1::RegistryTarget::default()
        }
    }

    /// What fits, without a host beside the registry's own.
    fn binding(&self) -> CredentialBinding {
        let url: RegistryUrl = self.target().url.parse().unwrap();
        CredentialBinding {
            tenant: self.plane.shared().tenant,
            registry: self.id,
            scheme: (&url).into(),
            host: (&url).into(),
            realm_hosts: BoundHosts::default(),
            storage_hosts: BoundHosts::default(),
            credential: CredentialId::random(&SystemRng),
            version: 1,
            created_at: SystemClock.now().into(),
            expires_at: None,
        }
    }

    async fn probe(&mut self, credential: Option<v1::SealedCredential>) -> Diagnosis {
        let offer = v1::ProbeOffer {
            probe_id: ProbeId::random(&SystemRng).as_bytes().to_vec().into(),
            registry: Some(self.target()),
            repository: String::new(),
            seconds_left: 120,
            credential,
        };
        self.session.say(Down::ProbeOffer(offer)).await;
        match self.session.hear().await {
            Some(Up::ProbeReport(report)) => probe_report(&report).unwrap().1,
            other => panic!("{other:?} is no report"),
        }
    }

    async fn reject(&mut self, credential: v1::SealedCredential) -> v1::JobReject {
        let attempt = AttemptRef {
            run: RunId::random(&SystemRng),
            attempt: 1,
        };
        let offer = v1::JobOffer {
            attempt: Some(attempt.into()),
            lease_ms: 60_000,
            registry: Some(self.target()),
            resumed: false,
            look: false,
            credential: Some(credential),
            job: Some(v1::job_offer::Job::Sync(v1::SyncJob::default())),
        };
        self.session.say(Down::JobOffer(offer)).await;
        match self.session.hear().await {
            Some(Up::JobReject(reject)) => reject,
            other => panic!("{other:?} is no rejection"),
        }
    }

    fn contacts(&self) -> (usize, usize) {
        (self.registry.connections(), self.tokens.log().total())
    }

    async fn stop(self) {
        self.tasks.shutdown().start_drain();
        self.tasks.ended().await;
    }
}

#[tokio::test]
async fn a_credential_sealed_for_the_accepted_hosts_reads_a_registry_and_no_other_host_sees_it() {
    let mut scene = Scene::new().await;
    let realm = scene.tokens.address().to_string();
    // As nobody, to learn the hosts that are to be accepted.
    let anonymous = scene.probe(None).await;
    assert_eq!(anonymous.facts.realm_hosts, std::slice::from_ref(&realm));

    let mut binding = scene.binding();
    let unbound = scene.plane.seal(&binding, LOGIN).await;
    let before = scene.tokens.log().total();
    let diagnosis = scene.probe(Some(unbound)).await;
    let finding = &diagnosis.first_failure().unwrap().findings[0];
    assert_eq!(finding.code, FindingCode::CredentialUnbound, "{diagnosis:#?}");
    assert_eq!(scene.tokens.log().total(), before, "it is not asked for a token");

    binding.version = 2;
    binding.realm_hosts = BoundHosts::new([realm.parse().unwrap()]).unwrap();
    let bound = scene.plane.seal(&binding, LOGIN).await;
    let diagnosis = scene.probe(Some(bound)).await;
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    let logins: Vec<_> = scene
        .tokens
        .requests()
        .into_iter()
        .filter_map(|seen| seen.login)
        .collect();
    assert!(!logins.is_empty() && logins.iter().all(|login| login == LOGIN.0));

    // Nothing of it is on disk, in clear, and the status shows what it was sealed to.
    for (name, content) in crate::agent::state_files(scene.folder.path()) {
        let found = content
            .windows(LOGIN.1.len())
            .any(|part| part == LOGIN.1.as_bytes());
        assert!(!found, "{name}");
    }
    let sensor = scene.handle.status().sensor.unwrap();
    assert_eq!(sensor.fingerprint.unwrap().len(), 23);
    assert!(sensor.sealing_key.unwrap().known);
    scene.stop().await;
}

/// What is said of a change, and the change.
type Swap = (&'static str, fn(&mut CredentialBinding));

#[tokio::test]
async fn t33_a_credential_of_which_one_field_was_changed_is_rejected_and_nothing_is_contacted() {
    let mut scene = Scene::new().await;
    let good = scene.binding();
    let swaps: [Swap; 9] = [
        ("tenant", |b| b.tenant = TenantId::random(&SystemRng)),
        ("registry", |b| b.registry = RegistryId::random(&SystemRng)),
        ("scheme", |b| b.scheme = Scheme::Http),
        ("host", |b| {
            b.host = format!("evil.example:{}", b.host.port()).parse().unwrap();
        }),
        ("port", |b| b.host = "localhost:1".parse().unwrap()),
        ("ciphertext", |b| {
            b.realm_hosts = BoundHosts::new(["evil.example".parse().unwrap()]).unwrap();
        }),
        ("ciphertext", |b| {
            b.storage_hosts = BoundHosts::new(["evil.example".parse().unwrap()]).unwrap();
        }),
        ("ciphertext", |b| b.credential = CredentialId::random(&SystemRng)),
        ("ciphertext", |b| b.version += 1),
    ];
    let before = scene.contacts();
    for (field, swap) in swaps {
        let mut wire = scene.plane.seal(&good, LOGIN).await;
        let mut changed = good.clone();
        swap(&mut changed);
        wire.binding = changed.encode().into();
        let reject = scene.reject(wire).await;
        assert_eq!(reject.reason(), v1::Reason::CredentialRefused, "{field}");
        assert_eq!(reject.rule, format!("credential:{field}"));
        assert_eq!(reject.finding.unwrap().code, "credential.refused");
    }
    assert_eq!(scene.contacts(), before);
    scene.stop().await;
}

#[tokio::test]
async fn t34_a_credential_of_another_registry_is_refused_before_its_host_is_contacted() {
    let mut scene = Scene::new().await;
    let mut other = scene.binding();
    other.registry = RegistryId::random(&SystemRng);
    other.host = "registry.example:443".parse().unwrap();
    let sealed = scene.plane.seal(&other, LOGIN).await;
    let before = scene.contacts();
    let reject = scene.reject(sealed.clone()).await;
    assert_eq!(
        (reject.reason(), reject.rule.as_str()),
        (v1::Reason::CredentialRefused, "credential:registry")
    );
    let diagnosis = scene.probe(Some(sealed)).await;
    let finding = &diagnosis.first_failure().unwrap().findings[0];
    assert_eq!(finding.code, FindingCode::CredentialRefused);
    assert_eq!(scene.contacts(), before);
    scene.stop().await;
}

/// Jobs that keep what they were given, and do nothing else until they are told to stop.
struct Holding(mpsc::UnboundedSender<Arc<SealedLogin>>);

#[async_trait]
impl Jobs for Holding {
    fn admit(&self, _: &RegistryTarget) -> Result<(), JobRefusal> {
        Ok(())
    }

    async fn run(&self, job: SyncJob, _: Arc<dyn Upload>, control: JobControl) -> JobEnd {
        self.0.send(job.login.unwrap()).unwrap();
        control.cancel.cancelled().await;
        JobEnd::Cancelled
    }

    async fn probe(&self, _: ProbeJob) -> Diagnosis {
        panic!("no probe is offered")
    }
}

/// Waits until no plain text is in memory.
async fn is_wiped(login: &SealedLogin) {
    while login.is_open() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn another_version_is_taken_over_by_a_running_job_and_what_is_withdrawn_is_wiped() {
    for reason in [
        v1::Reason::SensorSuspended,
        v1::Reason::SensorQuarantined,
        v1::Reason::SensorRevoked,
        v1::Reason::Unspecified,
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut plane = ControlPlane::start(Scripts::default(), DAY).await;
        plane.enrol(folder.path(), &plane.token()).await.unwrap();
        std::fs::write(
            folder.path().join("policy.toml"),
            "version = 1\n[[allow]]\nhost = \"h\"\n",
        )
        .unwrap();
        let (given, mut taken) = mpsc::unbounded_channel();
        let parts = parts(folder.path());
        let tasks = parts.tasks.clone();
        let (_handle, agent) = Agent::build_with(parts, |_, _, _| Arc::new(Holding(given)))
            .await
            .unwrap();
        tasks.spawn("agent", async move {
            agent.run().await;
        });
        let mut session = plane.session().await;
        session.welcome(1, true).await;
        let (attempt, Down::JobOffer(mut offer)) = offer("h") else {
            panic!("an offer is an offer");
        };
        let url: RegistryUrl = "https://h".parse().unwrap();
        let mut binding = CredentialBinding {
            tenant: plane.shared().tenant,
            registry: RegistryId::from_slice(&offer.registry.as_ref().unwrap().registry_id).unwrap(),
            scheme: (&url).into(),
            host: (&url).into(),
            realm_hosts: BoundHosts::default(),
            storage_hosts: BoundHosts::default(),
            credential: CredentialId::random(&SystemRng),
            version: 1,
            created_at: SystemClock.now().into(),
            expires_at: None,
        };
        offer.credential = Some(plane.seal(&binding, LOGIN).await);
        session.say(Down::JobOffer(offer)).await;
        let login = taken.recv().await.unwrap();
        assert!(login.is_open());

        binding.version = 2;
        let credential = Some(plane.seal(&binding, ("reader", "next")).await);
        let newer = v1::CredentialOffer {
            attempt: Some(attempt.into()),
            credential,
        };
        session.say(Down::CredentialOffer(newer)).await;
        while login.binding().version != 2 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        if reason == v1::Reason::Unspecified {
            let withdrawal = v1::CredentialWithdrawal {
                credential_ids: vec![binding.credential.as_bytes().to_vec().into()],
            };
            session.say(Down::CredentialWithdrawal(withdrawal)).await;
        } else {
            session.goodbye(reason).await;
        }
        is_wiped(&login).await;
        tasks.shutdown().start_cut();
        tasks.ended().await;
    }
}
