//! Why a repository of GitLab cannot be read, beside the credential's rights: what the API says of its project.

use portolan_doubles::web::{FormerPaths, GitLab, Mode, Project, RegistryAccess};
use portolan_registry::Registry;
use portolan_shared::model::{Finding, FindingCode};

use crate::gitlab::{climb, wanted};
use crate::gitlab_double::Fixture;

/// The finding that reading the tags of this repository ends with.
async fn why(registry: &Registry, repository: &str) -> Finding {
    let tags = registry.tags(&repository.parse().unwrap()).next_page().await;
    registry.explain(&tags.unwrap_err()).await
}

#[tokio::test]
async fn a_moved_project_is_named_by_its_new_path_however_the_old_one_is_answered() {
    for answer in [FormerPaths::Redirected, FormerPaths::Described] {
        let fixture = Fixture::start(Mode::Database).await;
        let web = fixture.gitlab.web();
        web.switch(|switches| switches.former_paths = answer);
        web.change(|instance| instance.move_project("acme/shop", "Acme/Platform"));
        let registry = fixture.open(GitLab::FULL).await;
        for (old, new) in [
            ("acme/shop/api", "acme/platform/api"),
            ("acme/shop", "acme/platform"),
        ] {
            let finding = why(&registry, old).await;
            assert_eq!(finding.code, FindingCode::RepositoryMoved, "{finding}");
            assert!(finding.seen.ends_with(&format!("is {new} now")), "{finding}");
        }
    }
}

#[tokio::test]
async fn a_project_without_a_registry_is_told_from_one_out_of_sight() {
    let fixture = Fixture::start(Mode::Database).await;
    fixture
        .gitlab
        .web()
        .change(|instance| instance.project("acme/shop").registry = RegistryAccess::Disabled);
    let registry = fixture.open(GitLab::FULL).await;
    for (repository, code) in [
        ("acme/shop/api", FindingCode::GitLabProjectRegistryOff),
        ("acme/hidden", FindingCode::GitLabProjectNotVisible),
        ("acme/tools-/api", FindingCode::GitLabPathUnsupported),
        ("_acme/tools", FindingCode::GitLabPathUnsupported),
    ] {
        let finding = why(&registry, repository).await;
        assert_eq!(finding.code, code, "{finding}");
        assert!(
            finding
                .seen
                .contains(repository.split_once('/').unwrap().1.split('/').next().unwrap())
        );
    }
}

#[tokio::test]
async fn only_so_many_are_looked_up_and_none_after_a_refusal() {
    let fixture = Fixture::start(Mode::Database).await;
    let asked = || fixture.asked_web("/api/v4/projects/acme");
    let registry = fixture.open(GitLab::FULL).await;
    for number in 0..40 {
        let finding = why(&registry, &format!("acme/gone{number}")).await;
        assert_eq!(finding.code, FindingCode::GitLabProjectNotVisible);
    }
    assert_eq!(asked(), 32);
    fixture.gitlab.web().log().clear();
    for login in [GitLab::REGISTRY_ONLY, GitLab::DEPLOY] {
        let registry = fixture.open(login).await;
        for _ in 0..3 {
            why(&registry, "acme/hidden").await;
        }
    }
    assert_eq!(asked(), 1, "by the token that may only pull, once");
}

#[tokio::test]
async fn a_listed_project_whose_path_takes_no_images_takes_nothing_from_the_list() {
    let fixture = Fixture::start(Mode::Database).await;
    fixture
        .gitlab
        .web()
        .change(|instance| instance.projects.push(Project::new(50, "acme/tools-")));
    let registry = fixture.open(GitLab::FULL).await;
    let (names, _, complete) = climb(registry.repositories(&wanted(&[]))).await;
    assert!(complete);
    assert_eq!(names, ["acme/shop", "acme/shop/api"]);
}
