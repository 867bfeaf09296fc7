//! Manifests and configs.

use portolan_doubles::content::Image;
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::registry::{Behaviour, Flavour};
use portolan_doubles::web::{GitLab, Project};
use portolan_doubles::{Content, RegistryDouble};
use portolan_shared::model::{Diagnosis, MediaType, Stage, Verdict};

use crate::scene::{Scene, examine, examine_repository, provoked, report, with_login};
use crate::scripted::{self, Answer};

provoked! {
    a_tag_without_a_manifest: ManifestMissing at Manifest = faulty("/manifests/", Fault::manifest_unknown());
    a_manifest_above_its_bound: ManifestTooLarge at Manifest = too_large();
    a_manifest_that_is_none: ManifestMalformed at Manifest = malformed();
    an_index_whose_image_is_gone: ManifestChildMissing at Manifest = child_missing();
    indexes_without_end: ManifestTooDeep at Manifest = too_deep();
    an_image_of_an_old_docker: ManifestSchema1 at Manifest = refused(400, "MANIFEST_INVALID", "Schema 1 manifest not supported");
    a_policy_holds_the_image_back: ManifestBlocked at Manifest = refused(412, "PROJECTPOLICYVIOLATION", "not signed");
    content_that_is_not_its_digest: DigestMismatch at Manifest = faulty("/manifests/sha256", Fault::Garble);
    a_config_that_is_gone: ConfigUnreadable at Config = faulty("/blobs/", Fault::Answer { status: 404, code: "BLOB_UNKNOWN", retry_after: None });
    a_cleanup_policy_without_a_pattern: GitLabCleanupMatchesNothing at Tags = cleanup(None);
    a_cleanup_policy_with_a_bad_pattern: GitLabCleanupInvalid at Tags = cleanup(Some("(?=look)"));
}

/// One repository, filled like this, in a registry that is open to everybody.
async fn holding(fill: impl FnOnce(&mut portolan_doubles::content::Shelf<'_>)) -> (Scene, RegistryDouble) {
    let scene = Scene::new();
    let mut content = Content::new();
    fill(&mut content.shelf("acme/shop"));
    let registry = RegistryDouble::builder(content)
        .behaviour(Behaviour {
            flavour: Flavour::Plain,
            ..Behaviour::default()
        })
        .start(None, &scene.tasks)
        .await
        .unwrap();
    (scene, registry)
}

async fn one_image() -> (Scene, RegistryDouble) {
    holding(|shelf| {
        let image = shelf.image(&Image::new("one"));
        shelf.tag("latest", &image);
    })
    .await
}

async fn faulty(path: &str, fault: Fault) -> Diagnosis {
    let (scene, registry) = one_image().await;
    registry.faults().add(Rule::on(path), fault);
    let diagnosis = examine(scene.access(&registry.url())).await;
    assert!(!diagnosis.is_sound(), "{diagnosis:#?}");
    diagnosis
}

async fn too_large() -> Diagnosis {
    let (scene, registry) = one_image().await;
    let mut access = scene.access(&registry.url());
    access.limits.manifest_bytes = 100;
    examine(access).await
}

async fn malformed() -> Diagnosis {
    let (scene, registry) = holding(|shelf| {
        let manifest = shelf.raw_manifest(&MediaType::OCI_MANIFEST, r#"{"schemaVersion":2,"layers":"none"}"#);
        shelf.tag("latest", &manifest);
    })
    .await;
    examine(scene.access(&registry.url())).await
}

async fn child_missing() -> Diagnosis {
    let (scene, registry) = holding(|shelf| {
        let image = shelf.image(&Image::new("one"));
        let index = shelf.index(std::slice::from_ref(&image));
        shelf.tag("latest", &index).lose(&image);
    })
    .await;
    examine(scene.access(&registry.url())).await
}

async fn too_deep() -> Diagnosis {
    let (scene, registry) = holding(|shelf| {
        let mut inner = shelf.image(&Image::new("one"));
        for _ in 0..6 {
            inner = shelf.index(std::slice::from_ref(&inner));
        }
        shelf.tag("latest", &inner);
    })
    .await;
    examine(scene.access(&registry.url())).await
}

async fn refused(status: u16, code: &'static str, message: &'static str) -> Diagnosis {
    let scene = Scene::new();
    let url = scripted::registry(&scene.tasks, move |_, path| {
        path.contains("/manifests/")
            .then(|| Answer::error(status, code, message))
    })
    .await;
    examine(scene.access(&url)).await
}

async fn cleanup(pattern: Option<&str>) -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    gitlab
        .web()
        .change(|instance| set_policy(instance.project("acme/shop"), pattern));
    let access = with_login(scene.access(&gitlab.registry_url()), GitLab::FULL);
    let diagnosis = examine_repository(access, "acme/shop/api").await;
    assert!(diagnosis.is_sound(), "a remark, no failure: {diagnosis:#?}");
    diagnosis
}

fn set_policy(project: &mut Project, pattern: Option<&str>) {
    let mut policy = Project::default_policy();
    policy["enabled"] = true.into();
    policy["name_regex"] = pattern.into();
    project.expiration_policy = Some(policy);
}

#[tokio::test]
async fn the_next_tag_is_tried_when_one_cannot_be_read() {
    let (scene, registry) = holding(|shelf| {
        let bad = shelf.raw_manifest(&MediaType::OCI_MANIFEST, "[]");
        let image = shelf.image(&Image::new("one"));
        shelf.tag("a-bad-one", &bad).tag("good", &image);
    })
    .await;
    let diagnosis = examine(scene.access(&registry.url())).await;
    assert_eq!(report(&diagnosis, Stage::Manifest).verdict, Verdict::Warned);
    assert_eq!(report(&diagnosis, Stage::Config).verdict, Verdict::Passed);
}

#[tokio::test]
async fn a_config_that_is_not_an_images_is_read_and_left_alone() {
    let (scene, registry) = holding(|shelf| {
        let chart = shelf.helm_chart("shop", "1.0.0");
        shelf.tag("1.0.0", &chart);
    })
    .await;
    let diagnosis = examine(scene.access(&registry.url())).await;
    let config = report(&diagnosis, Stage::Config);
    assert_eq!(config.verdict, Verdict::Passed, "{config:?}");
    assert!(
        config.seen.iter().any(|line| line.contains("not an image's")),
        "{config:?}"
    );
}
