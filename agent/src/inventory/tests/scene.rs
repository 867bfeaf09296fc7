//! A registry, a control plane, and walks between them.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use portolan_shared::model::{
    Digest, Finding, FindingCode, RegistryId, RepositoryOutcome, RepositoryPatterns, RunProgress, RunState,
    Scope, TagFilter,
};
use portolan_shared::process::{ManualClock, Uptime};
use tokio::sync::watch;

use super::control_plane::{ControlPlane, Stored};
use super::registry::{MemoryRegistry, Request};
use crate::inventory::{Closing, Lease, Pace, RepositoryTurns, Steering, Terms, UploadError, Walk, Walked};

/// Leases that end then or before are ...
pub(super) const NEVER: Uptime = Uptime(Duration::ZERO);
/// ... or are not in doubt.
pub(super) const ALWAYS: Uptime = Uptime(Duration::MAX);

/// When attempts begin.
pub(super) const NOW: Timestamp = Timestamp::constant(1_000_000_000, 0);

pub(super) struct Scene {
    pub(super) registry: MemoryRegistry,
    pub(super) control_plane: ControlPlane,
    pub(super) walk: Walk,
    pub(super) progress: watch::Receiver<RunProgress>,
    /// Until when the walk may ask.
    pub(super) asks_until: watch::Sender<Uptime>,
    pub(super) clock: Arc<ManualClock>,
    report: watch::Sender<RunProgress>,
    pub(super) ended: watch::Sender<Option<Finding>>,
    turns: Arc<RepositoryTurns>,
}

impl Scene {
    pub(super) fn new() -> Self {
        Self::of(MemoryRegistry::default())
    }

    pub(super) fn of(registry: MemoryRegistry) -> Self {
        let (report, progress) = watch::channel(RunProgress::default());
        Self {
            registry,
            control_plane: ControlPlane::default(),
            walk: Walk {
                patterns: RepositoryPatterns::all(),
                tags: TagFilter::default(),
                began: NOW,
                scope: Scope::default(),
                resumed: false,
                pace: Pace {
                    linger: Duration::ZERO,
                    repository_linger: Duration::ZERO,
                    batch_linger: Duration::ZERO,
                    ..Pace::default()
                },
                terms: Terms::unbounded(),
            },
            progress,
            asks_until: watch::Sender::new(ALWAYS),
            clock: Arc::new(ManualClock::at_unix_seconds(1_000_000)),
            report,
            ended: watch::Sender::new(None),
            turns: RepositoryTurns::new(),
        }
    }

    pub(super) fn patterns(&mut self, patterns: &[&str]) {
        let patterns = patterns.iter().map(ToString::to_string).collect();
        self.walk.patterns = RepositoryPatterns::new(patterns).unwrap();
    }

    /// What is read of the registry: `REPOSITORY` or `REPOSITORY:TAG`, each.
    pub(super) fn scope(&mut self, lines: &[&str]) {
        self.walk.scope = Scope::of_lines(lines).unwrap().normal();
    }

    pub(super) async fn attempt(&self) -> Result<Walked, UploadError> {
        self.attempt_at(&self.walk, &self.ended).await
    }

    /// An attempt beside others.
    pub(super) async fn attempt_at(
        &self,
        walk: &Walk,
        ended: &watch::Sender<Option<Finding>>,
    ) -> Result<Walked, UploadError> {
        let steering = Steering {
            lease: Lease::new(self.asks_until.subscribe(), Arc::clone(&self.clock) as _),
            progress: self.report.clone(),
            ended: ended.subscribe(),
            turns: self.turns.of(RegistryId::from_slice(&[7; 16]).unwrap()),
        };
        walk.run(&self.registry, &self.control_plane, steering).await
    }

    /// A whole run of its own; gives how it ended and what it asked of the registry.
    pub(super) async fn run(&self) -> (RunState, Vec<Request>) {
        self.control_plane.new_run();
        self.registry.take_log();
        let state = self.attempt().await.unwrap().state;
        (state, self.registry.take_log())
    }

    pub(super) fn manifest(&self, digest: &Digest) -> Option<Stored> {
        self.control_plane.state().manifests.get(digest).copied()
    }

    pub(super) fn facts(&self, digest: &Digest) -> Option<Stored> {
        self.control_plane.state().facts.get(digest).copied()
    }

    /// Outcome and finding of a repository that was committed.
    pub(super) fn committed(&self, repository: &str) -> Option<(RepositoryOutcome, Option<FindingCode>)> {
        let state = self.control_plane.state();
        state
            .repositories
            .get(repository)
            .map(|had| (had.outcome, had.finding))
    }

    /// Outcome and finding of a repository that was not.
    pub(super) fn reported(&self, repository: &str) -> Option<(RepositoryOutcome, Option<FindingCode>)> {
        self.control_plane.state().coverage.get(repository).copied()
    }

    pub(super) fn closing(&self) -> Closing {
        self.control_plane.state().closed.clone().unwrap()
    }

    /// The tag sets that are stored.
    pub(super) fn tag_sets(&self) -> Vec<(String, Vec<(String, Digest)>)> {
        let state = self.control_plane.state();
        state
            .repositories
            .iter()
            .map(|(name, had)| (name.clone(), had.tags.clone().into_iter().collect()))
            .collect()
    }

    /// The tag sets as the registry has them.
    pub(super) fn true_tag_sets(&self) -> Vec<(String, Vec<(String, Digest)>)> {
        let repositories = self.registry.repositories.lock().unwrap();
        repositories
            .iter()
            .map(|(name, tags)| (name.clone(), tags.clone().into_iter().collect()))
            .collect()
    }
}

/// What was fetched, by digest, each as often as it was.
pub(super) fn fetched(log: &[Request]) -> Vec<Digest> {
    let mut digests: Vec<Digest> = log
        .iter()
        .filter_map(|request| match request {
            Request::Manifest(_, digest) | Request::Config(_, digest) => Some(digest.clone()),
            _ => None,
        })
        .collect();
    digests.sort();
    digests
}

/// Whether anything comes twice in a sorted list.
pub(super) fn has_repeats(sorted: &[Digest]) -> bool {
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}
