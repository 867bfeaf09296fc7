//! Registries with nothing wrong.

use std::sync::{Mutex, PoisonError};

use portolan_doubles::registry::{Behaviour, BlobServing, Flavour};
use portolan_doubles::web::{GitLab, Mode};
use portolan_doubles::{Content, RegistryDouble};
use portolan_registry::doctor::{Question, diagnose};
use portolan_shared::model::{self, Stage, StageReport, Verdict};

use crate::scene::{Scene, examine, examine_repository, report, with_login};

#[tokio::test]
async fn gitlab_is_sound_with_its_database_and_without() {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    for mode in [Mode::Database, Mode::Filesystem] {
        gitlab.set_mode(mode);
        let access = with_login(scene.access(&gitlab.registry_url()), GitLab::FULL);
        let diagnosis = examine_repository(access, "acme/shop/api").await;
        assert!(diagnosis.is_sound(), "{diagnosis:#?}");
        let detection = diagnosis.facts.detection.as_ref().unwrap();
        assert_eq!(detection.flavour, model::Flavour::GitLab);
        for stage in [
            Stage::Tcp,
            Stage::Api,
            Stage::Discovery,
            Stage::Tags,
            Stage::Manifest,
            Stage::Config,
        ] {
            assert_eq!(
                report(&diagnosis, stage).verdict,
                Verdict::Passed,
                "{diagnosis:#?}"
            );
        }
        let tags = report(&diagnosis, Stage::Tags).seen.join("\n");
        let method = match mode {
            Mode::Database => "gitlab.v1",
            Mode::Filesystem => "tags_list",
        };
        assert!(tags.contains(method), "{tags}");
    }
    assert!(gitlab.web().tokens().asked_beyond_reading().is_empty());
}

#[tokio::test]
async fn everything_is_found_by_itself() {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let diagnosis = scene.examine_as(&gitlab, GitLab::FULL).await;
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    let manifest = report(&diagnosis, Stage::Manifest);
    assert_eq!(manifest.verdict, Verdict::Passed, "{diagnosis:#?}");
}

#[tokio::test]
async fn storage_elsewhere_is_named() {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .behaviour(Behaviour {
            flavour: Flavour::Plain,
            blobs: BlobServing::Redirect,
            ..Behaviour::default()
        })
        .start(Some(scene.server(None)), &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(scene.access(&registry.url())).await;
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    let storage = registry.storage_address().to_string();
    let config = report(&diagnosis, Stage::Config);
    assert!(config.seen[0].contains(&storage), "{config:?}");
    let hosts: Vec<&str> = diagnosis
        .facts
        .certificates
        .iter()
        .map(|facts| facts.host.as_str())
        .collect();
    assert_eq!(
        hosts,
        [registry.address().to_string(), storage],
        "both certificates are known"
    );
}

#[tokio::test]
async fn stages_are_told_as_they_end_and_tags_are_resolved_by_head() {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let told: Mutex<Vec<StageReport>> = Mutex::default();
    let watch = |report: &StageReport| {
        told.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(report.clone());
    };
    let diagnosis = diagnose(scene.access(&registry.url()), Question::default(), &watch).await;
    assert_eq!(told.into_inner().unwrap(), diagnosis.stages);
    let by_tag = |seen: &portolan_doubles::network::Seen| {
        seen.method == "GET"
            && seen.path().contains("/manifests/")
            && !seen.path().contains("/manifests/sha256:")
    };
    assert_eq!(registry.log().count(by_tag), 0, "a GET would count as a pull");
}
