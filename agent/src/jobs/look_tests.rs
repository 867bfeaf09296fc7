//! Looks at single tags, against a registry double.

use portolan_doubles::Content;
use portolan_doubles::content::Image;
use portolan_doubles::faults::{Fault, Gate, Rule};
use portolan_shared::model::{FindingCode, RepositoryOutcome, RunState, Scope};
use tokio_util::sync::CancellationToken;

use super::tests::Scene;
use super::{JobEnd, SyncJob};

const COMPLETE: JobEnd = JobEnd::Closed(RunState::Complete);

/// Two repositories with two images each, and all of it in the control plane.
async fn scene() -> (Scene, SyncJob) {
    let mut content = Content::new();
    for repository in ["acme/app", "acme/web"] {
        for tag in ["1", "2"] {
            let mut shelf = content.shelf(repository);
            let image = shelf.image(&Image::new(&format!("{repository}:{tag}")));
            shelf.tag(tag, &image);
        }
    }
    let scene = Scene::new(content).await;
    let job = scene.job();
    assert_eq!(scene.run(job.clone(), CancellationToken::new()).await, COMPLETE);
    (scene, job)
}

async fn look(scene: &Scene, job: &SyncJob, lines: &[&str]) -> JobEnd {
    let scope = Scope::of_lines(lines).unwrap().normal();
    let job = SyncJob { scope, ..job.clone() };
    scene.run(job, CancellationToken::new()).await
}

/// What was asked below the repositories: method and path.
fn asked(scene: &Scene) -> Vec<String> {
    let seen = scene.registry.log().seen();
    let below = seen
        .iter()
        .filter(|seen| seen.path().starts_with("/v2/acme/") || seen.path().contains("_catalog"));
    // Of requests that were sent again with a token, the last counts.
    let mut asked: Vec<String> = below
        .map(|seen| format!("{} {}", seen.method, seen.path()))
        .collect();
    asked.dedup();
    asked
}

fn push(scene: &Scene, repository: &str, tag: &str, seed: &str) -> portolan_shared::model::Digest {
    scene.registry.change(|content| {
        let mut shelf = content.shelf(repository);
        let image = shelf.image(&Image::new(seed));
        shelf.tag(tag, &image);
        image
    })
}

fn tags(scene: &Scene, repository: &str) -> Vec<String> {
    let state = scene.control_plane.state();
    state.repositories[repository].tags.keys().cloned().collect()
}

#[tokio::test]
async fn one_tag_costs_one_head_if_it_has_not_changed_and_its_content_if_it_has() {
    let (scene, job) = scene().await;
    scene.control_plane.new_run();
    scene.registry.log().clear();
    assert_eq!(look(&scene, &job, &["acme/app:1"]).await, COMPLETE);
    assert_eq!(asked(&scene), ["HEAD /v2/acme/app/manifests/1"]);
    let others = scene.registry.log().count(|seen| seen.path() == "/v2/");
    assert_eq!(
        scene.registry.log().total(),
        others + 1,
        "and what it takes to be let in"
    );
    assert!(others <= 3);

    let image = push(&scene, "acme/app", "1", "moved");
    push(&scene, "acme/app", "2", "nobody says so");
    scene.control_plane.new_run();
    scene.registry.log().clear();
    assert_eq!(look(&scene, &job, &["acme/app:1"]).await, COMPLETE);
    let asked = asked(&scene);
    assert_eq!(
        asked[..2],
        [
            "HEAD /v2/acme/app/manifests/1".to_owned(),
            format!("GET /v2/acme/app/manifests/{image}")
        ]
    );
    assert!(
        asked[2].starts_with("GET /v2/acme/app/blobs/") && asked.len() <= 4,
        "{asked:?}"
    );
    let state = scene.control_plane.state();
    let stored = &state.repositories["acme/app"].tags;
    let content = scene.registry.content();
    assert_eq!(Some(&stored["1"]), content.resolve("acme/app", "1"));
    assert_ne!(Some(&stored["2"]), content.resolve("acme/app", "2"));
    assert!(state.closed.as_ref().unwrap().facts.detection.is_some());
}

#[tokio::test]
async fn a_tag_that_was_deleted_is_gone_and_one_that_cannot_be_asked_for_is_not() {
    let (scene, job) = scene().await;
    scene.registry.change(|content| {
        content.shelf("acme/app").untag("1");
    });
    let fails = scene
        .registry
        .faults()
        .add(Rule::on("/acme/app/"), Fault::unavailable());
    scene.control_plane.new_run();
    assert_eq!(
        look(&scene, &job, &["acme/app:1"]).await,
        JobEnd::Closed(RunState::Failed)
    );
    assert_eq!(tags(&scene, "acme/app"), ["1", "2"]);
    let (outcome, _) = scene.control_plane.state().coverage["acme/app"];
    assert_eq!(outcome, RepositoryOutcome::Failed);

    scene.registry.faults().remove(fails);
    scene.control_plane.new_run();
    assert_eq!(look(&scene, &job, &["acme/app:1"]).await, COMPLETE);
    assert_eq!(tags(&scene, "acme/app"), ["2"]);

    // Of a repository that the registry does not know nothing is said: it may hide what may not be seen.
    scene.control_plane.new_run();
    let unknown = look(&scene, &job, &["acme/never:1"]).await;
    assert_eq!(unknown, JobEnd::Closed(RunState::Partial));
    assert!(
        !scene
            .control_plane
            .state()
            .repositories
            .contains_key("acme/never")
    );
}

#[tokio::test]
async fn a_tag_whose_manifest_was_lost_is_not_gone() {
    let (scene, job) = scene().await;
    scene.registry.change(|content| {
        let digest = content.resolve("acme/app", "1").unwrap().clone();
        content.shelf("acme/app").lose(&digest);
    });
    scene.control_plane.new_run();
    assert_eq!(
        look(&scene, &job, &["acme/app:1"]).await,
        JobEnd::Closed(RunState::Failed)
    );
    assert_eq!(scene.failure(), Some(FindingCode::ManifestMissing));
    assert_eq!(tags(&scene, "acme/app"), ["1", "2"]);
}

#[tokio::test]
async fn two_jobs_at_one_registry_do_not_read_the_same_repository_at_once() {
    let (scene, job) = scene().await;
    let old = push(&scene, "acme/app", "1", "old");
    let gate = Gate::new();
    let held = Rule::on(&format!("/acme/app/manifests/{old}"));
    scene.registry.faults().add(held, Fault::Hold(gate.clone()));
    scene.control_plane.new_run();
    scene.registry.log().clear();
    let heads = || {
        asked(&scene)
            .iter()
            .filter(|asked| *asked == "HEAD /v2/acme/app/manifests/1")
            .count()
    };
    let whole = scene.run(job.clone(), CancellationToken::new());
    let event = async {
        // The whole sync has seen the old image, and fetches it.
        gate.arrived(1).await;
        let before = heads();
        let new = push(&scene, "acme/app", "1", "new");
        let other = async {
            // Another repository is nobody's turn.
            assert_eq!(look(&scene, &job, &["acme/web:1"]).await, COMPLETE);
            assert_eq!(heads(), before, "the look at the first one waits");
            gate.open();
        };
        let (end, ()) = tokio::join!(look(&scene, &job, &["acme/app:1"]), other);
        assert_eq!(end, COMPLETE);
        new
    };
    let (end, new) = tokio::join!(whole, event);
    assert_eq!(end, COMPLETE);
    assert_eq!(
        scene.control_plane.state().repositories["acme/app"].tags["1"],
        new
    );
}

#[tokio::test]
async fn a_job_that_is_cancelled_gives_its_turns_back() {
    let (scene, job) = scene().await;
    let old = push(&scene, "acme/app", "1", "old");
    let gate = Gate::new();
    let held = Rule::on(&format!("/acme/app/manifests/{old}")).once();
    scene.registry.faults().add(held, Fault::Hold(gate.clone()));
    let cancel = CancellationToken::new();
    scene.control_plane.new_run();
    let whole = scene.run(job.clone(), cancel.clone());
    let event = async {
        gate.arrived(1).await;
        let new = push(&scene, "acme/app", "1", "new");
        cancel.cancel();
        assert_eq!(look(&scene, &job, &["acme/app:1"]).await, COMPLETE);
        new
    };
    let (end, new) = tokio::join!(whole, event);
    assert_eq!(end, JobEnd::Cancelled);
    assert_eq!(
        scene.control_plane.state().repositories["acme/app"].tags["1"],
        new
    );
}
