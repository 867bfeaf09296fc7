//! The policy behind every gate that a job's requests meet in an agent: the audit's, the credential's, and the job's own.

use std::sync::Arc;

use futures::FutureExt as _;
use portolan_doubles::Content;
use portolan_registry::{Gate, Hop, Purpose};
use portolan_shared::model::{FindingCode, RepositoryOutcome, RunState, SensorId, Stage};
use portolan_shared::process::{ProxyRules, SeededRng, SystemClock};
use tokio_util::sync::CancellationToken;

use super::gate::JobGate;
use super::passage::Passage;
use super::tests::Scene;
use super::{JobEnd, Jobs as _};
use crate::audit::{AuditLog, AuditedGate};
use crate::credentials::bench::Bench;
use crate::credentials::{BoundGate, SealedVault};

const REGISTRY: Hop<'static> = Hop {
    https: true,
    host: "127.0.0.1",
    port: 443,
    purpose: Purpose::Registry,
};

/// The gate of an audited job with a sealed credential.
fn chain(scene: &Scene, folder: &std::path::Path) -> Arc<dyn Gate> {
    let sensor = SensorId::random(&SeededRng::new(4));
    let log = AuditLog::open(folder, sensor, Arc::new(SystemClock)).unwrap();
    let bench = Bench::new();
    let vault = SealedVault::new(
        Arc::clone(&bench.keyring),
        Arc::clone(&scene.policy),
        Arc::clone(&bench.clock) as _,
    );
    let target = scene.job().target;
    let wire = bench.seal_password(&bench.binding(&target), "x");
    let login = vault.take(&wire, &target).unwrap();
    let passage = Passage::new(target.url.clone(), ProxyRules::default());
    let meters = Arc::clone(&scene.jobs.meters);
    let own = Arc::new(JobGate::new(Arc::clone(&scene.policy), passage, None, meters));
    let bound = Arc::new(BoundGate::new(own, login));
    let registry = target.url.authority();
    Arc::new(AuditedGate::new(
        bound,
        &log,
        Arc::new(SystemClock),
        registry,
        ProxyRules::default(),
    ))
}

#[tokio::test]
async fn every_limit_holds_behind_every_gate() {
    let scene = Scene::new(Content::demo()).await;
    let folder = tempfile::tempdir().unwrap();
    let gate = chain(&scene, folder.path());
    scene.narrow("concurrency = 1\nrequests_per_second = 1\nburst = 1\nbytes_per_job = 100");
    let first = gate.place().now_or_never().unwrap();
    assert!(gate.place().now_or_never().is_none(), "one in flight");
    drop(first);
    assert!(gate.place().now_or_never().is_some());
    assert!(gate.ready().now_or_never().is_some());
    assert!(gate.ready().now_or_never().is_none(), "one in a second");
    gate.received(&REGISTRY, 100).unwrap();
    let refused = gate.received(&REGISTRY, 1).unwrap_err();
    assert_eq!(refused.rule, "policy:allow[1].bytes_per_job");
}

#[tokio::test]
async fn a_narrower_policy_ends_a_running_job_and_the_next_one_keeps_to_it() {
    let scene = Scene::new(Content::demo()).await;
    let all: Vec<String> = scene
        .registry
        .content()
        .repositories()
        .keys()
        .map(ToString::to_string)
        .collect();
    let running = scene.run(scene.job(), CancellationToken::new());
    let narrowing = async {
        while scene.registry.log().total() < 50 {
            tokio::task::yield_now().await;
        }
        scene.narrow(&format!("repositories = [\"!{}\"]", all[0]));
    };
    let (end, ()) = tokio::join!(running, narrowing);
    assert_eq!(end, JobEnd::Closed(RunState::Partial));
    let not_read = |scene: &Scene| {
        let state = scene.control_plane.state();
        let refused = state
            .coverage
            .iter()
            .filter(|(_, (_, code))| *code == Some(FindingCode::PolicyRefused));
        let mut names: Vec<_> = refused
            .map(|(name, (outcome, _))| (name.clone(), *outcome))
            .collect();
        names.sort();
        names
    };
    assert!(!not_read(&scene).is_empty());
    scene.control_plane.new_run();
    scene.run(scene.job(), CancellationToken::new()).await;
    assert_eq!(not_read(&scene), [(all[0].clone(), RepositoryOutcome::Refused)]);
}

#[tokio::test]
async fn a_policy_that_ends_everything_ends_a_probe() {
    let scene = Scene::new(Content::demo()).await;
    let probing = scene.jobs.probe(scene.probe());
    let ending = async {
        while scene.registry.log().total() < 1 {
            tokio::task::yield_now().await;
        }
        std::fs::write(scene.policy.path(), "").unwrap();
        scene.policy.reload().unwrap();
    };
    let (diagnosis, ()) = tokio::join!(probing, ending);
    let failure = diagnosis.first_failure().unwrap();
    assert_eq!(failure.stage, Stage::Policy);
    assert!(
        failure.findings[0].seen.starts_with("policy:changed"),
        "{failure:?}"
    );
}
