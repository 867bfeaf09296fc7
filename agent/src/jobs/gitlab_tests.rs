//! Jobs against a GitLab double: both modes, and the credentials that careful administrators give.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use portolan_doubles::web::Mode;
use portolan_doubles::{Content, GitLab};
use portolan_registry::{Environment, Limits, SystemResolver};
use portolan_shared::model::{
    AttemptRef, Budget, CaTrust, CredentialKind, Digest, FindingCode, Flavour, ListingMethod, RegistryId,
    RegistryTarget, RepositoryPatterns, RunId, RunProgress, RunState, Scope, TagFilter,
};
use portolan_shared::process::{ProxyRules, Shutdown, SystemClock, SystemRng, Tasks, Uptime};
use portolan_shared::tls::SystemRoots;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{JobControl, JobEnd, Jobs as _, RegistryAccess, RegistryJobs, SyncJob};
use crate::inventory::tests::ControlPlane;
use crate::inventory::{Closing, Lease, Upload};
use crate::policy::LivePolicy;

struct Scene {
    gitlab: GitLab,
    jobs: RegistryJobs,
    control_plane: Arc<ControlPlane>,
    target: RegistryTarget,
    _folder: TempDir,
}

impl Scene {
    async fn new(content: Content, mode: Mode, (user, secret): (&str, &str)) -> Self {
        let tasks = Tasks::new(Shutdown::new());
        let gitlab = GitLab::builder(content)
            .mode(mode)
            .start(None, &tasks)
            .await
            .unwrap();
        let port = gitlab.registry().address().port();
        let folder = tempfile::tempdir().unwrap();
        let policy = folder.path().join("policy.toml");
        let allowed = format!(
            "version = 1\n[[allow]]\nhost = \"127.0.0.1\"\nports = [{port}]\nrealms = [\"127.0.0.1\"]\nplaintext = true\n"
        );
        std::fs::write(&policy, allowed).unwrap();
        let jobs = RegistryJobs::new(RegistryAccess {
            policy: Arc::new(LivePolicy::load(&policy).unwrap()),
            system_roots: SystemRoots::none(),
            certs_dir: None,
            environment: Environment::new([
                ("ACME_USERNAME".to_owned(), user.to_owned()),
                ("ACME_SECRET".to_owned(), secret.to_owned()),
            ]),
            resolver: Arc::new(SystemResolver),
            proxy: ProxyRules::default(),
            limits: Limits::default(),
            data_dir: None,
            clock: Arc::new(SystemClock),
            rng: Arc::new(SystemRng),
        });
        let target = RegistryTarget {
            registry: RegistryId::generate(&SystemClock, &SystemRng),
            url: gitlab.registry_url().parse().unwrap(),
            ca: CaTrust::default(),
            repositories: RepositoryPatterns::all(),
            credential: Some("env:ACME".parse().unwrap()),
            tags: TagFilter::default(),
            budget: Budget::default(),
            requests_left: None,
        };
        Self {
            gitlab,
            jobs,
            control_plane: Arc::default(),
            target,
            _folder: folder,
        }
    }

    /// Syncs and gives how the run ended, with its account.
    async fn sync(&self) -> (RunState, Closing) {
        self.control_plane.new_run();
        let job = SyncJob {
            attempt: AttemptRef {
                run: RunId::generate(&SystemClock, &SystemRng),
                attempt: 1,
            },
            target: self.target.clone(),
            login: None,
            scope: Scope::default(),
            resumed: false,
            look: false,
        };
        let control = JobControl {
            cancel: CancellationToken::new(),
            lease: Lease::new(
                watch::Sender::new(Uptime(Duration::MAX)).subscribe(),
                Arc::new(SystemClock),
            ),
            progress: watch::Sender::new(RunProgress::default()),
        };
        let upload: Arc<dyn Upload> = Arc::<ControlPlane>::clone(&self.control_plane);
        let JobEnd::Closed(state) = self.jobs.run(job, upload, control).await else {
            panic!("the run was not closed")
        };
        (state, self.control_plane.state().closed.clone().unwrap())
    }

    fn stored(&self) -> BTreeMap<String, BTreeMap<String, Digest>> {
        let state = self.control_plane.state();
        let repositories = state.repositories.iter();
        repositories
            .map(|(name, had)| (name.clone(), had.tags.clone()))
            .collect()
    }

    fn heads(&self) -> usize {
        self.gitlab.registry().log().count(|seen| seen.method == "HEAD")
    }
}

#[tokio::test]
async fn both_modes_come_to_the_same_and_one_asks_for_no_tag() {
    let mut stored = Vec::new();
    for (mode, method) in [
        (Mode::Database, ListingMethod::GitLabV1),
        (Mode::Filesystem, ListingMethod::TagsList),
    ] {
        let scene = Scene::new(Content::demo(), mode, GitLab::FULL).await;
        let (state, closing) = scene.sync().await;
        assert_eq!(state, RunState::Complete, "{mode:?}: {closing:?}");
        let used: Vec<ListingMethod> = closing.listings.iter().map(|step| step.method).collect();
        assert!(used.contains(&method), "{mode:?}: {used:?}");
        assert_eq!(scene.heads() == 0, mode == Mode::Database);
        assert_eq!(closing.facts.detection.unwrap().flavour, Flavour::GitLab);
        let credential = closing.facts.credential.unwrap();
        assert_eq!(credential.kind, CredentialKind::PersonalAccessToken);
        stored.push(scene.stored());
    }
    assert_eq!(stored[0], stored[1]);
    assert!(stored[0].len() > 30);
}

#[tokio::test]
async fn the_newest_tags_are_known_where_the_registry_keeps_times_and_all_are_kept_where_not() {
    let mut content = Content::new();
    let mut shelf = content.shelf("acme/shop");
    for (tag, day) in [("a", 1), ("b", 3), ("c", 2)] {
        let image = shelf.image(&portolan_doubles::content::Image::new(tag));
        shelf
            .tag(tag, &image)
            .pushed(tag, &format!("2026-01-0{day}T00:00:00Z"), None);
    }
    for (mode, kept, note) in [
        (Mode::Database, vec!["b"], None),
        (
            Mode::Filesystem,
            vec!["a", "b", "c"],
            Some(FindingCode::FilterTimesUnknown),
        ),
    ] {
        let mut scene = Scene::new(content.clone(), mode, GitLab::FULL).await;
        scene.target.tags.newest = NonZeroU32::new(1);
        let (state, closing) = scene.sync().await;
        assert_eq!(state, RunState::Complete);
        assert_eq!(scene.stored()["acme/shop"].keys().collect::<Vec<_>>(), kept);
        assert_eq!(closing.tags_filtered as usize, 3 - kept.len());
        let had = scene.control_plane.state().repositories["acme/shop"].clone();
        assert_eq!(had.finding, note);
    }
}

#[tokio::test]
async fn a_deploy_token_reads_what_is_named_and_is_told_what_it_needs_otherwise() {
    let mut content = Content::new();
    let image = content
        .shelf("acme/shop")
        .image(&portolan_doubles::content::Image::new("shop"));
    content.shelf("acme/shop").tag("1", &image);
    let mut scene = Scene::new(content, Mode::Database, GitLab::DEPLOY).await;
    let (state, closing) = scene.sync().await;
    assert_eq!(state, RunState::Failed);
    assert_eq!(
        closing.failure.map(|finding| finding.code),
        Some(FindingCode::NamesNeeded),
        "{:?}",
        closing.discovery
    );
    scene.target.repositories = RepositoryPatterns::new(vec!["acme/shop".into()]).unwrap();
    let (state, _) = scene.sync().await;
    assert_eq!(state, RunState::Complete);
    assert_eq!(scene.stored()["acme/shop"].len(), 1);
}

#[tokio::test]
async fn a_token_without_a_scope_fails_the_run_with_what_it_lacks() {
    let mut scene = Scene::new(Content::demo(), Mode::Database, GitLab::NO_SCOPE).await;
    for patterns in [vec![], vec!["acme/shop/api".to_owned()]] {
        scene.target.repositories = RepositoryPatterns::new(patterns).unwrap();
        let (state, closing) = scene.sync().await;
        assert_eq!(state, RunState::Failed);
        assert_eq!(
            closing.failure.map(|finding| finding.code),
            Some(FindingCode::GitLabScopeMissing),
            "{:?}",
            closing.discovery
        );
    }
}
