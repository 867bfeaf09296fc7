//! What can be seen.

use portolan_doubles::registry::{Behaviour, Flavour};
use portolan_doubles::web::{FormerPaths, GitLab, Instance, Project, RegistryAccess};
use portolan_doubles::{Content, RegistryDouble};
use portolan_registry::doctor::Question;
use portolan_shared::model::{Diagnosis, FindingCode, RepositoryPatterns, Stage, Verdict};

use crate::scene::{Scene, ask, examine, examine_repository, found, provoked, report, with_login};
use crate::scripted::{self, Answer};

provoked! {
    no_right_to_a_repository: Denied at Tags = closed("/v2/acme/shop/tags/list", Some("acme/shop"));
    no_right_to_anything_by_the_token: Denied at Scopes = by_token();
    a_project_that_is_not_visible: GitLabProjectNotVisible at Scopes = gitlab(GitLab::FULL, Some("acme/hidden"));
    a_project_without_a_registry: GitLabProjectRegistryOff at Scopes = changed(
        |instance| instance.project("acme/shop").registry = RegistryAccess::Disabled,
        Some("acme/shop/api"),
    );
    a_repository_of_a_path_that_no_image_can_have: GitLabPathUnsupported at Scopes = unsupported(Some("acme/tools-"));
    a_project_of_a_path_that_no_image_can_have: GitLabPathUnsupported at Discovery = unsupported(None);
    a_project_that_has_moved: RepositoryMoved at Scopes = moved(FormerPaths::Redirected);
    a_project_that_has_moved_without_a_redirect: RepositoryMoved at Scopes = moved(FormerPaths::Described);
    the_catalog_is_for_others: CatalogDenied at Discovery = closed("/v2/_catalog", None);
    there_is_no_catalog: CatalogUnsupported at Discovery = open(|behaviour| behaviour.catalog = false, None);
    a_token_that_may_not_use_the_api: NativeApiRefused at Discovery = gitlab(GitLab::REGISTRY_ONLY, None);
    a_deploy_token_finds_nothing_by_itself: NamesNeeded at Discovery = gitlab(GitLab::DEPLOY, None);
    only_the_roots_of_projects: ViewIsPartial at Discovery = gitlab(GitLab::REGISTRY_ONLY, None);
    nothing_is_there: NothingVisible at Discovery = empty();
    patterns_that_want_nothing: FilterMatchesNothing at Discovery = unwanted();
    a_catalog_that_goes_in_circles: ListingIncomplete at Discovery = in_circles();
    names_that_nobody_can_ask_for: NameMalformed at Tags = malformed();
    a_repository_that_is_not_there: RepositoryMissing at Tags = open(|_| {}, Some("acme/nowhere"));
}

/// A registry of no particular product that refuses this path.
async fn closed(refused: &'static str, repository: Option<&str>) -> Diagnosis {
    let scene = Scene::new();
    let url = scripted::registry(&scene.tasks, move |_, path| {
        (path == refused).then(|| Answer::error(403, "DENIED", "requested access to the resource is denied"))
    })
    .await;
    let diagnosis = match repository {
        Some(repository) => examine_repository(scene.access(&url), repository).await,
        None => examine(scene.access(&url)).await,
    };
    assert!(!diagnosis.is_sound());
    diagnosis
}

/// A token service that grants nothing, as it says itself.
async fn by_token() -> Diagnosis {
    let scene = Scene::new();
    let url = scripted::registry(&scene.tasks, |_, path| match path {
        "/v2/" => Some(
            Answer::error(401, "UNAUTHORIZED", "authentication required")
                .with("www-authenticate", "Bearer realm=\"/token\",service=\"registry\""),
        ),
        // {"sub":"reader","iat":1000,"exp":1600,"access":[]}
        "/token" => Some(Answer::json(
            200,
            r#"{"token":"e30.eyJzdWIiOiJyZWFkZXIiLCJpYXQiOjEwMDAsImV4cCI6MTYwMCwiYWNjZXNzIjpbXX0.c2ln"}"#,
        )),
        _ => None,
    })
    .await;
    examine_repository(with_login(scene.access(&url), ("reader", "secret")), "acme/shop").await
}

async fn in_circles() -> Diagnosis {
    let scene = Scene::new();
    let url = scripted::registry(&scene.tasks, |_, path| {
        let page = Answer::json(200, r#"{"repositories":["acme/shop"]}"#);
        (path == "/v2/_catalog")
            .then(|| page.with("link", "</v2/_catalog?last=acme%2Fshop&n=1>; rel=\"next\""))
    })
    .await;
    examine(scene.access(&url)).await
}

async fn gitlab(login: (&str, &str), repository: Option<&str>) -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let access = with_login(scene.access(&gitlab.registry_url()), login);
    match repository {
        Some(repository) => examine_repository(access, repository).await,
        None => examine(access).await,
    }
}

/// Somebody's token at a GitLab whose instance was changed like this.
async fn changed(change: impl FnOnce(&mut Instance), repository: Option<&str>) -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    gitlab.web().change(change);
    examine_at(&scene, &gitlab, repository).await
}

async fn examine_at(scene: &Scene, gitlab: &GitLab, repository: Option<&str>) -> Diagnosis {
    let access = with_login(scene.access(&gitlab.registry_url()), GitLab::FULL);
    match repository {
        Some(repository) => examine_repository(access, repository).await,
        None => examine(access).await,
    }
}

async fn unsupported(repository: Option<&str>) -> Diagnosis {
    let tools = |instance: &mut Instance| instance.projects.push(Project::new(50, "acme/Tools-"));
    let diagnosis = changed(tools, repository).await;
    assert_eq!(
        diagnosis.is_sound(),
        repository.is_none(),
        "it stands in nobody's way but its own"
    );
    diagnosis
}

async fn moved(answer: FormerPaths) -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    gitlab.web().switch(|switches| switches.former_paths = answer);
    let to = "Acme/Platform/Shop";
    gitlab
        .web()
        .change(|instance| instance.move_project("acme/shop", to));
    let diagnosis = examine_at(&scene, &gitlab, Some("acme/shop/api")).await;
    let seen = &found(&diagnosis, Stage::Scopes, FindingCode::RepositoryMoved).seen;
    assert!(seen.contains("acme/platform/shop/api"), "{seen}");
    assert!(!diagnosis.is_sound());
    diagnosis
}

/// A registry that is open to everybody.
async fn open(change: impl FnOnce(&mut Behaviour), repository: Option<&str>) -> Diagnosis {
    let scene = Scene::new();
    let mut behaviour = Behaviour {
        flavour: Flavour::Plain,
        ..Behaviour::default()
    };
    change(&mut behaviour);
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .behaviour(behaviour)
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let access = scene.access(&registry.url());
    match repository {
        Some(repository) => examine_repository(access, repository).await,
        None => examine(access).await,
    }
}

async fn empty() -> Diagnosis {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::new())
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(scene.access(&registry.url())).await;
    assert!(diagnosis.is_sound(), "an empty registry is a sound one");
    assert_eq!(report(&diagnosis, Stage::Tags).verdict, Verdict::Skipped);
    diagnosis
}

async fn unwanted() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let access = with_login(scene.access(&gitlab.registry_url()), GitLab::FULL);
    let question = Question {
        patterns: RepositoryPatterns::new(vec!["nothing/like/*".to_owned()]).unwrap(),
        ..Question::default()
    };
    ask(access, question).await
}

async fn malformed() -> Diagnosis {
    let scene = Scene::new();
    let url = scripted::registry(&scene.tasks, |_, path| {
        let tags = r#"{"name":"acme/shop","tags":["good","not a tag",".neither"]}"#;
        path.ends_with("/tags/list").then(|| Answer::json(200, tags))
    })
    .await;
    examine(scene.access(&url)).await
}

#[tokio::test]
async fn a_deploy_token_is_sound_once_its_repository_is_named() {
    let diagnosis = gitlab(GitLab::DEPLOY, Some("acme/shop/api")).await;
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    let discovery = report(&diagnosis, Stage::Discovery);
    assert!(discovery.seen[0].contains("explicit"), "{discovery:?}");
}

#[tokio::test]
async fn a_repository_that_cannot_be_read_is_a_failure_when_it_was_asked_for() {
    let diagnosis = gitlab(GitLab::FULL, Some("acme/hidden")).await;
    assert!(!diagnosis.is_sound());
    let tags = diagnosis.first_failure().unwrap();
    assert_eq!(tags.stage, Stage::Tags);
    let codes: Vec<FindingCode> = tags.findings.iter().map(|finding| finding.code).collect();
    assert_eq!(codes, [FindingCode::GitLabProjectNotVisible]);
}

#[tokio::test]
async fn a_moved_project_is_one_that_is_not_visible_to_whom_may_not_ask() {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    gitlab
        .web()
        .change(|instance| instance.move_project("acme/shop", "acme/platform"));
    for login in [GitLab::DEPLOY, GitLab::REGISTRY_ONLY] {
        gitlab.web().log().clear();
        let access = with_login(scene.access(&gitlab.registry_url()), login);
        let diagnosis = examine_repository(access, "acme/shop/api").await;
        found(&diagnosis, Stage::Scopes, FindingCode::GitLabProjectNotVisible);
        let asked = gitlab
            .web()
            .log()
            .count(|seen| seen.path().starts_with("/api/v4/projects"));
        assert!(asked <= 1, "one refusal is enough: {asked}");
    }
}

#[tokio::test]
async fn discovery_says_which_view_the_credential_has() {
    let change = |instance: &mut Instance| {
        let mut off = Project::new(60, "acme/off");
        off.registry = RegistryAccess::Disabled;
        instance.projects.push(off);
    };
    let diagnosis = changed(change, None).await;
    let seen = &report(&diagnosis, Stage::Discovery).seen;
    assert_eq!(
        seen[0],
        "2 repositories by gitlab.projects: all that this way shows to the credential"
    );
    assert!(
        seen[1].starts_with("gitlab.projects: 2 repositories (discovery.partial_view: "),
        "{seen:?}"
    );
    assert_eq!(
        seen[2],
        "    of the projects in which the owner is a Reporter or more: 1 with a registry, 1 with it switched off (acme/off)"
    );
    let diagnosis = gitlab(GitLab::REGISTRY_ONLY, None).await;
    let seen = &report(&diagnosis, Stage::Discovery).seen;
    assert!(
        seen[0].ends_with("there may be more, which no way that is open to the credential shows"),
        "{seen:?}"
    );
    let view = "    of the projects of the owner: 1 with the role of a Reporter or more";
    assert!(seen.iter().any(|line| line == view), "{seen:?}");
}

#[tokio::test]
async fn the_first_page_of_a_catalog_is_enough() {
    let scene = Scene::new();
    let mut content = Content::new();
    for number in 0..50 {
        let mut shelf = content.shelf(&format!("many/r{number:02}"));
        let image = shelf.image(&portolan_doubles::content::Image::new("one"));
        shelf.tag("latest", &image);
    }
    let registry = RegistryDouble::builder(content)
        .behaviour(Behaviour {
            flavour: Flavour::Plain,
            page: 5,
            ..Behaviour::default()
        })
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(scene.access(&registry.url())).await;
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    let pages = registry.log().count(|seen| seen.path().ends_with("/_catalog"));
    assert!(pages <= 3, "{pages} pages");
    found_nothing(&diagnosis, FindingCode::ViewIsPartial);
}

fn found_nothing(diagnosis: &Diagnosis, code: FindingCode) {
    let any = diagnosis
        .stages
        .iter()
        .flat_map(|report| &report.findings)
        .any(|finding| finding.code == code);
    assert!(!any, "{diagnosis:#?}");
}

#[tokio::test]
async fn a_stranger_who_is_refused_is_told_so() {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let diagnosis = examine_repository(scene.access(&gitlab.registry_url()), "acme/open").await;
    let token = report(&diagnosis, Stage::Token);
    assert_eq!(
        token.seen[0], "no credential was given: asked as a stranger",
        "{token:?}"
    );
    let diagnosis = examine_repository(scene.access(&gitlab.registry_url()), "acme/shop/api").await;
    assert!(!diagnosis.is_sound());
}
