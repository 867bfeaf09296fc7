//! Jobs against a registry double with a private CA and a token service.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use portolan_doubles::tls::Alpn;
use portolan_doubles::token::Account;
use portolan_doubles::{Content, PrivateCa, RegistryDouble, TokenService, content};
use portolan_registry::{Environment, Limits, SystemResolver};
use portolan_shared::model::{
    AttemptRef, Budget, CaTrust, Digest, FindingCode, Flavour, ProbeId, Reason, RegistryId, RegistryTarget,
    RepositoryPatterns, RunId, RunProgress, RunState, Scope, Stage, TagFilter,
};
use portolan_shared::process::{ProxyRules, Shutdown, SystemClock, SystemRng, Tasks, Uptime};
use portolan_shared::tls::SystemRoots;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{JobControl, JobEnd, Jobs as _, ProbeJob, RegistryAccess, RegistryJobs, SyncJob};
use crate::inventory::tests::{ControlPlane, Trouble};
use crate::inventory::{Lease, Upload};
use crate::policy::LivePolicy;

pub(super) struct Scene {
    pub(super) registry: RegistryDouble,
    pub(super) tokens: TokenService,
    ca: PrivateCa,
    pub(super) jobs: RegistryJobs,
    pub(super) policy: Arc<LivePolicy>,
    pub(super) control_plane: Arc<ControlPlane>,
    _folder: TempDir,
}

impl Scene {
    /// A registry on loopback that the policy allows; `reader` may read everything.
    pub(super) async fn new(content: Content) -> Self {
        Self::with_secret(content, "glpat-0").await
    }

    /// The same, where this machine holds another secret.
    async fn with_secret(content: Content, secret: &str) -> Self {
        let tasks = Tasks::new(Shutdown::new());
        let ca = PrivateCa::new("Acme", &SystemClock).unwrap();
        let leaf = ca.leaf(&["127.0.0.1"]).unwrap();
        let tokens = TokenService::builder()
            .account(Account::new("reader", "glpat-0").administrator())
            .start(Some(leaf.server_config(Alpn::Both).unwrap()), &tasks)
            .await
            .unwrap();
        let registry = RegistryDouble::builder(content)
            .tokens(&tokens)
            .start(Some(leaf.server_config(Alpn::Both).unwrap()), &tasks)
            .await
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.toml");
        let ports = [registry.address().port(), tokens.address().port()];
        std::fs::write(
            &policy,
            format!(
                "version = 1\n[[allow]]\nhost = \"127.0.0.1\"\nports = {ports:?}\nrealms = [\"127.0.0.1\"]\n"
            ),
        )
        .unwrap();
        let policy = Arc::new(LivePolicy::load(&policy).unwrap());
        let jobs = RegistryJobs::new(RegistryAccess {
            policy: Arc::clone(&policy),
            system_roots: SystemRoots::none(),
            certs_dir: None,
            environment: Environment::new([
                ("ACME_USERNAME".to_owned(), "reader".to_owned()),
                ("ACME_SECRET".to_owned(), secret.to_owned()),
            ]),
            resolver: Arc::new(SystemResolver),
            proxy: ProxyRules::default(),
            limits: Limits::default(),
            data_dir: None,
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
        });
        Self {
            registry,
            tokens,
            ca,
            jobs,
            policy,
            control_plane: Arc::default(),
            _folder: folder,
        }
    }

    pub(super) fn job(&self) -> SyncJob {
        SyncJob {
            attempt: AttemptRef {
                run: RunId::generate(&SystemClock, &SystemRng),
                attempt: 1,
            },
            target: RegistryTarget {
                registry: RegistryId::generate(&SystemClock, &SystemRng),
                url: self.registry.url().parse().unwrap(),
                ca: CaTrust {
                    bundle_pem: Some(self.ca.root_pem()),
                    only_bundle: true,
                },
                repositories: RepositoryPatterns::all(),
                credential: Some("env:ACME".parse().unwrap()),
                tags: TagFilter::default(),
                budget: Budget::default(),
                requests_left: None,
            },
            login: None,
            scope: Scope::default(),
            resumed: false,
            look: false,
        }
    }

    pub(super) fn probe(&self) -> ProbeJob {
        ProbeJob {
            probe: ProbeId::generate(&SystemClock, &SystemRng),
            target: self.job().target,
            login: None,
            repository: None,
            within: Duration::from_secs(60),
        }
    }

    pub(super) async fn run(&self, job: SyncJob, cancel: CancellationToken) -> JobEnd {
        let control = JobControl {
            cancel,
            lease: Lease::new(
                watch::Sender::new(Uptime(Duration::MAX)).subscribe(),
                Arc::new(SystemClock),
            ),
            progress: watch::Sender::new(RunProgress::default()),
        };
        let upload: Arc<dyn Upload> = Arc::<ControlPlane>::clone(&self.control_plane);
        self.jobs.run(job, upload, control).await
    }

    pub(super) fn failure(&self) -> Option<FindingCode> {
        let state = self.control_plane.state();
        let closing = state.closed.as_ref()?;
        closing.failure.as_ref().map(|finding| finding.code)
    }
}

#[tokio::test]
async fn a_whole_registry_is_read_and_no_secret_of_its_configs_leaves() {
    let scene = Scene::new(Content::every_kind(false)).await;
    let end = scene.run(scene.job(), CancellationToken::new()).await;
    let state = scene.control_plane.state();
    let short: Vec<_> = state
        .repositories
        .values()
        .map(|had| (had.outcome, &had.finding))
        .collect();
    assert_eq!(
        end,
        JobEnd::Closed(RunState::Complete),
        "{short:?} {:?}",
        state.coverage
    );
    let stored: BTreeMap<(String, String), Digest> = state
        .repositories
        .iter()
        .flat_map(|(name, had)| {
            let tags = had.tags.iter();
            tags.map(move |(tag, digest)| ((name.clone(), tag.clone()), digest.clone()))
        })
        .collect();
    assert_eq!(stored, scene.registry.content().expected());
    assert!(!state.facts_json.is_empty());
    for facts in &state.facts_json {
        assert!(!facts.contains(content::CANARY), "{facts}");
    }
}

#[tokio::test]
async fn what_the_policy_does_not_allow_is_not_admitted_and_not_contacted() {
    let scene = Scene::new(Content::demo()).await;
    assert!(scene.jobs.admit(&scene.job().target).is_ok());
    let mut job = scene.job();
    job.target.url = "https://127.0.0.1:1".parse().unwrap();
    let refusal = scene.jobs.admit(&job.target).unwrap_err();
    let mut reaching = scene.job();
    reaching.target.credential = Some("file:/etc/shadow".parse().unwrap());
    let reached = scene.jobs.admit(&reaching.target).unwrap_err();
    assert_eq!(
        (reached.reason, reached.rule.as_str()),
        (Reason::Policy, "policy:allow[1]")
    );
    assert_eq!(reached.finding.code, FindingCode::PolicyRefused);
    assert!(
        reached.finding.seen.contains("file:/etc/shadow") && reached.finding.seen.contains("policy.toml")
    );
    reaching.target.credential = Some("file:/run/secrets/gitlab".parse().unwrap());
    scene.jobs.admit(&reaching.target).unwrap();
    reaching.target.credential = Some("file:/etc/hostname".parse().unwrap());
    assert_eq!(
        scene.run(reaching, CancellationToken::new()).await,
        JobEnd::Closed(RunState::Failed)
    );
    assert_eq!(scene.failure(), Some(FindingCode::PolicyRefused));
    assert_eq!(scene.registry.connections(), 0);
    assert_eq!(
        (refusal.reason, refusal.finding.code),
        (Reason::Policy, FindingCode::PolicyRefused)
    );
    assert!(refusal.rule.starts_with("policy:"), "{}", refusal.rule);
    // The policy may have changed since.
    assert_eq!(
        scene.run(job, CancellationToken::new()).await,
        JobEnd::Closed(RunState::Failed)
    );
    assert_eq!(scene.failure(), Some(FindingCode::PolicyRefused));
    assert_eq!(scene.registry.connections(), 0);
}

#[tokio::test]
async fn trust_that_does_not_suffice_fails_the_run_with_its_reason() {
    let scene = Scene::new(Content::demo()).await;
    let other = PrivateCa::new("Other", &SystemClock).unwrap();
    for (bundle, code) in [
        (other.root_pem(), FindingCode::TlsPrivateCa),
        ("no certificate".to_owned(), FindingCode::TlsFailed),
    ] {
        let mut job = scene.job();
        job.target.ca.bundle_pem = Some(bundle);
        assert_eq!(
            scene.run(job, CancellationToken::new()).await,
            JobEnd::Closed(RunState::Failed)
        );
        assert_eq!(scene.failure(), Some(code));
        scene.control_plane.new_run();
    }
}

#[tokio::test]
async fn a_credential_that_is_not_there_fails_the_run_with_its_reason() {
    let scene = Scene::new(Content::demo()).await;
    let mut job = scene.job();
    job.target.credential = Some("env:NOBODY".parse().unwrap());
    assert_eq!(
        scene.run(job, CancellationToken::new()).await,
        JobEnd::Closed(RunState::Failed)
    );
    assert_eq!(scene.failure(), Some(FindingCode::CredentialUnavailable));
}

#[tokio::test]
async fn t58_a_cancelled_job_asks_the_registry_nothing_more() {
    let scene = Scene::new(Content::demo()).await;
    let cancel = CancellationToken::new();
    let running = scene.run(scene.job(), cancel.clone());
    let cancelling = async {
        while scene.registry.log().total() < 50 {
            tokio::task::yield_now().await;
        }
        cancel.cancel();
    };
    let (end, ()) = tokio::join!(running, cancelling);
    assert_eq!(end, JobEnd::Cancelled);
    assert!(scene.control_plane.state().closed.is_none());
    let end = scene.run(scene.job(), cancel).await;
    assert_eq!(
        end,
        JobEnd::Cancelled,
        "not even when it was cancelled before it began"
    );
}

#[tokio::test]
async fn the_control_plane_has_the_last_word() {
    let scene = Scene::new(Content::demo()).await;
    *scene.control_plane.trouble.lock().unwrap() = Trouble::LostAt(2);
    assert_eq!(
        scene.run(scene.job(), CancellationToken::new()).await,
        JobEnd::Fenced
    );
    *scene.control_plane.trouble.lock().unwrap() = Trouble::RefusedAt(1);
    scene.control_plane.new_run();
    let JobEnd::Failed(finding) = scene.run(scene.job(), CancellationToken::new()).await else {
        panic!("a refused upload fails the attempt")
    };
    assert_eq!(finding.code, FindingCode::Internal);
}

#[tokio::test]
async fn requests_end_with_the_budget_and_what_was_not_read_is_told() {
    let scene = Scene::new(Content::demo()).await;
    let sent = |scene: &Scene| scene.registry.log().total() + scene.tokens.log().total();
    let mut job = scene.job();
    job.target.requests_left = Some(150);
    assert_eq!(
        scene.run(job, CancellationToken::new()).await,
        JobEnd::Closed(RunState::Partial)
    );
    assert_eq!(sent(&scene), 150);
    assert_eq!(scene.failure(), None, "something was read");
    let spent = |scene: &Scene| {
        let state = scene.control_plane.state();
        let codes = state.coverage.values().map(|(_, code)| *code);
        codes
            .filter(|code| *code == Some(FindingCode::BudgetSpent))
            .count()
    };
    assert!(spent(&scene) > 5);
    scene.control_plane.new_run();
    let mut job = scene.job();
    job.target.requests_left = Some(0);
    assert_eq!(
        scene.run(job, CancellationToken::new()).await,
        JobEnd::Closed(RunState::Failed)
    );
    assert_eq!(scene.failure(), Some(FindingCode::BudgetSpent));
    assert_eq!(sent(&scene), 150, "nothing was sent");
}

#[tokio::test]
async fn a_refused_login_is_not_tried_again_by_the_next_job() {
    let scene = Scene::with_secret(Content::demo(), "glpat-wrong").await;
    let logins = |scene: &Scene| {
        scene
            .tokens
            .log()
            .count(|seen| seen.authorization.as_deref() == Some("basic"))
    };
    for _ in 0..3 {
        assert_eq!(
            scene.run(scene.job(), CancellationToken::new()).await,
            JobEnd::Closed(RunState::Failed)
        );
        assert!(scene.failure().is_some());
        assert_eq!(logins(&scene), 1, "addresses that keep trying are banned");
        scene.control_plane.new_run();
    }
    let diagnosis = scene.jobs.probe(scene.probe()).await;
    assert!(!diagnosis.is_sound());
    assert_eq!(logins(&scene), 1);
}

#[tokio::test]
async fn a_run_tells_what_the_registry_is() {
    let scene = Scene::new(Content::demo()).await;
    scene.run(scene.job(), CancellationToken::new()).await;
    let closing = scene.control_plane.state().closed.clone().unwrap();
    let detection = closing.facts.detection.unwrap();
    assert_eq!(detection.flavour, Flavour::GitLab, "{detection:?}");
    let registry = scene.registry.address().to_string();
    let served = closing.facts.certificates.iter();
    assert!(
        served.clone().any(|certificate| certificate.host == registry),
        "{:?}",
        closing.facts.certificates
    );
    let listed: u64 = closing.listings.iter().map(|step| step.repositories).sum();
    assert_eq!(listed, scene.registry.content().repositories().len() as u64);
}

#[tokio::test]
async fn a_probe_looks_at_the_registry_with_the_same_means() {
    let scene = Scene::new(Content::demo()).await;
    let diagnosis = scene.jobs.probe(scene.probe()).await;
    let stages: Vec<Stage> = diagnosis.stages.iter().map(|report| report.stage).collect();
    assert_eq!(stages, Stage::ALL);
    assert!(diagnosis.is_sound(), "{:?}", diagnosis.first_failure());
    let policy = &diagnosis.stages[0].seen;
    assert!(
        policy.iter().any(|line| line.contains("policy:allow[1]")),
        "{policy:?}"
    );

    let mut closed = scene.probe();
    closed.target.ca.bundle_pem = Some("no certificate".to_owned());
    let diagnosis = scene.jobs.probe(closed).await;
    let failure = diagnosis.first_failure().unwrap();
    assert_eq!(
        (failure.stage, failure.findings[0].code),
        (Stage::Tls, FindingCode::TlsFailed)
    );

    let connections = scene.registry.connections();
    let mut forbidden = scene.probe();
    forbidden.target.url = "https://127.0.0.1:1".parse().unwrap();
    let diagnosis = scene.jobs.probe(forbidden).await;
    let failure = diagnosis.first_failure().unwrap();
    assert_eq!(
        (failure.stage, failure.findings[0].code),
        (Stage::Policy, FindingCode::PolicyRefused)
    );
    assert_eq!(scene.registry.connections(), connections);
}
