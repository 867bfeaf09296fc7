//! Every product that is known is examined to its end with a credential that reads it.

use portolan_doubles::Content;
use portolan_doubles::content::{Attested, Image};
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::products::{
    ArtifactoryDouble, ArtifactoryKind, GiteaAge, GiteaDouble, Google, Harbor, HubDouble, NexusDouble,
    NexusKind, Quay, Zot,
};
use portolan_doubles::registry::{Behaviour, Flavour as Plays};
use portolan_doubles::token::Account;
use portolan_doubles::web::GitLab;
use portolan_doubles::{RegistryDouble, TokenService};
use portolan_registry::Access;
use portolan_registry::doctor::Question;
use portolan_shared::model::{
    CredentialKind, Diagnosis, Finding, FindingCode, Flavour, RepositoryPatterns, Severity, Stage, Verdict,
};

use crate::scene::{Scene, ask, examine, examine_repository, found, provoked, report, with_login};

provoked! {
    a_group_shows_what_its_members_hold: MergedPassedOver at Discovery = nexus();
    an_owner_has_to_be_named_to_gitea: NativeApiNotAsked at Discovery = gitea();
}

const LOGIN: (&str, &str) = ("reader", "s3cret");

#[track_caller]
fn is_sound(diagnosis: &Diagnosis, flavour: Flavour) {
    let detection = diagnosis.facts.detection.as_ref().unwrap();
    assert_eq!(detection.flavour, flavour, "{diagnosis:#?}");
    assert!(diagnosis.is_sound(), "{diagnosis:#?}");
    assert_eq!(
        report(diagnosis, Stage::Config).verdict,
        Verdict::Passed,
        "{diagnosis:#?}"
    );
}

/// Sound, of this product, and no finding is an error.
#[track_caller]
fn has_no_error(diagnosis: &Diagnosis, flavour: Flavour) {
    is_sound(diagnosis, flavour);
    let findings = diagnosis.stages.iter().flat_map(|report| &report.findings);
    let errors: Vec<&Finding> = findings
        .filter(|finding| finding.code.severity() == Severity::Error)
        .collect();
    assert!(errors.is_empty(), "{errors:#?}");
}

/// The login is known to be of this kind and owner.
#[track_caller]
fn is_login(diagnosis: &Diagnosis, kind: CredentialKind, owner: &str) {
    let credential = diagnosis.facts.credential.as_ref().unwrap();
    assert_eq!(
        (credential.kind, credential.owner.as_deref()),
        (kind, Some(owner))
    );
}

/// The login is refused, once, with this code, and nothing is asked after that.
#[track_caller]
fn is_refused(diagnosis: &Diagnosis, code: FindingCode) {
    let failure = diagnosis.first_failure().unwrap();
    assert_eq!(failure.stage, Stage::Token, "{diagnosis:#?}");
    found(diagnosis, Stage::Token, code);
    for stage in [Stage::Discovery, Stage::Tags, Stage::Config] {
        assert_eq!(report(diagnosis, stage).verdict, Verdict::Skipped);
    }
}

/// Everything that these patterns want is asked for.
async fn examine_wanted(access: Access, patterns: &[&str]) -> Diagnosis {
    let patterns = patterns.iter().map(ToString::to_string).collect();
    let question = Question {
        patterns: RepositoryPatterns::new(patterns).unwrap(),
        ..Question::default()
    };
    ask(access, question).await
}

/// What an examination has seen at a stage.
fn seen(diagnosis: &Diagnosis, stage: Stage) -> String {
    report(diagnosis, stage).seen.join("\n")
}

#[tokio::test]
async fn harbor() {
    let scene = Scene::new();
    let product = Harbor::new().administrator(LOGIN.0, LOGIN.1);
    let double = product
        .start(Content::gitlab_fixture(), None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(with_login(scene.access(&double.url()), LOGIN)).await;
    is_sound(&diagnosis, Flavour::Harbor);
}

#[tokio::test]
async fn zot() {
    let scene = Scene::new();
    let product = Zot::new().account(LOGIN.0, LOGIN.1, &["**"]);
    let double = product
        .start(Content::gitlab_fixture(), None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(with_login(scene.access(&double.url()), LOGIN)).await;
    is_sound(&diagnosis, Flavour::Zot);
}

async fn gitea() -> Diagnosis {
    let scene = Scene::new();
    let double = GiteaDouble::start(
        Content::gitlab_fixture(),
        GiteaAge::Newer,
        LOGIN,
        &["acme"],
        None,
        &scene.tasks,
    )
    .await
    .unwrap();
    let diagnosis = examine(with_login(scene.access(&double.stage().url()), LOGIN)).await;
    is_sound(&diagnosis, Flavour::Gitea);
    diagnosis
}

async fn nexus() -> Diagnosis {
    let scene = Scene::new();
    let mut content = Content::new();
    let mut shelf = content.shelf("hosted/shop");
    let image = shelf.image(&Image::new("one"));
    shelf.tag("latest", &image);
    let repositories = [
        ("hosted", NexusKind::Hosted),
        ("all", NexusKind::Group(vec!["hosted".to_owned()])),
    ];
    let double = NexusDouble::start(content, &repositories, LOGIN, None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(with_login(scene.access(&double.stage().url()), LOGIN)).await;
    is_sound(&diagnosis, Flavour::Nexus);
    diagnosis
}

const ROBOT: (&str, &str) = ("acme+scan", "robot-s3cret");

#[tokio::test]
async fn quay() {
    let scene = Scene::new();
    let quay = Quay::new().robot("acme", "scan", ROBOT.1).public("acme/shop/api");
    let double = quay
        .start(Content::gitlab_fixture(), None, &scene.tasks)
        .await
        .unwrap();
    let access = scene.access(&double.url());
    let diagnosis = examine(with_login(access.clone(), ROBOT)).await;
    has_no_error(&diagnosis, Flavour::Quay);
    is_login(&diagnosis, CredentialKind::Robot, ROBOT.0);
    // The robot's name says where to look; its secret is nothing that the API takes.
    assert!(
        seen(&diagnosis, Stage::Discovery).contains("quay.repositories: 1 repositories"),
        "{diagnosis:#?}"
    );
    found(&diagnosis, Stage::Discovery, FindingCode::ViewIsPartial);
    let shown = |seen: &portolan_doubles::network::Seen| {
        seen.path().starts_with("/api/") && seen.authorization.is_some()
    };
    assert_eq!(double.log().count(shown), 0);

    for wrong in [(ROBOT.0, "another"), ("acme+other", ROBOT.1), ("scan", ROBOT.1)] {
        let diagnosis = examine(with_login(access.clone(), wrong)).await;
        is_refused(&diagnosis, FindingCode::AuthenticationFailed);
    }
}

#[tokio::test]
async fn artifactory() {
    let scene = Scene::new();
    let mut content = Content::new();
    for name in ["docker-local/shop", "docker-prod/shop"] {
        let mut shelf = content.shelf(name);
        let image = shelf.image(&Image::new(name));
        shelf.tag("latest", &image);
    }
    let members = ["docker-local", "docker-prod"].map(str::to_owned).to_vec();
    let repositories = [
        ("docker-local", ArtifactoryKind::Local),
        ("docker-prod", ArtifactoryKind::Local),
        ("docker", ArtifactoryKind::Virtual(members)),
    ];
    let double = ArtifactoryDouble::start(content, &repositories, LOGIN, None, &scene.tasks)
        .await
        .unwrap();
    let access = scene.access(&format!("{}/artifactory", double.stage().url()));
    let diagnosis = examine(with_login(access.clone(), LOGIN)).await;
    has_no_error(&diagnosis, Flavour::Artifactory);
    is_login(&diagnosis, CredentialKind::Unknown, LOGIN.0);
    let detection = diagnosis.facts.detection.as_ref().unwrap();
    assert_eq!(detection.version.as_deref(), Some("7.90.9"));
    // All of the instance in one connection, and what merges them passed over.
    let discovery = seen(&diagnosis, Stage::Discovery);
    assert!(
        discovery.contains("artifactory.repositories: 2 repositories"),
        "{discovery}"
    );
    found(&diagnosis, Stage::Discovery, FindingCode::MergedPassedOver);
    let second = examine_repository(with_login(access.clone(), LOGIN), "docker-prod/shop").await;
    has_no_error(&second, Flavour::Artifactory);
    is_login(&second, CredentialKind::Unknown, LOGIN.0);

    // At the instance's address nobody asks for a login before the list of repositories is asked for.
    double.stage().log().clear();
    let diagnosis = examine(with_login(access.clone(), (LOGIN.0, "another"))).await;
    assert_eq!(diagnosis.first_failure().unwrap().stage, Stage::Discovery);
    found(&diagnosis, Stage::Discovery, FindingCode::AuthenticationFailed);
    let refused = double.stage().log().count(|seen| seen.status == Some(401));
    assert_eq!(refused, 1, "it is not tried again");
    // At a repository's it is asked for at once.
    let access = scene.access(&double.port("docker-local").url());
    let diagnosis = examine(with_login(access, (LOGIN.0, "another"))).await;
    is_refused(&diagnosis, FindingCode::AuthenticationFailed);
}

#[tokio::test]
async fn docker_hub() {
    let scene = Scene::new();
    let mut content = Content::new();
    let mut shelf = content.shelf("acme/shop");
    let index = shelf.multi_arch(&Image::new("shop"), &["linux/amd64", "linux/arm64"], Attested::No);
    shelf.tag("latest", &index);
    let double = HubDouble::start(content, LOGIN, None, &scene.tasks)
        .await
        .unwrap();
    let access = scene.access(&double.registry().url());
    let diagnosis = examine_repository(with_login(access.clone(), LOGIN), "acme/shop").await;
    has_no_error(&diagnosis, Flavour::DockerHub);
    is_login(&diagnosis, CredentialKind::Unknown, LOGIN.0);
    // It counts manifests that are read, and not tags that are asked for.
    assert_eq!(double.pulls(), 2, "the index and one image: {diagnosis:#?}");

    // With one left the index is read and the image is not.
    double.behave(|manners| manners.pulls = 99);
    let diagnosis = examine_repository(with_login(access.clone(), LOGIN), "acme/shop").await;
    let failure = diagnosis.first_failure().unwrap();
    assert_eq!(failure.stage, Stage::Manifest, "{failure:#?}");
    found(&diagnosis, Stage::Manifest, FindingCode::RateLimited);
    assert_eq!(double.pulls(), 100);

    let diagnosis = examine_repository(with_login(access, (LOGIN.0, "another")), "acme/shop").await;
    is_refused(&diagnosis, FindingCode::AuthenticationFailed);
}

#[tokio::test]
async fn google() {
    let scene = Scene::new();
    let token = ("oauth2accesstoken", "ya29.s3cret");
    let double = Google::new()
        .access_token(token.1, &["acme"])
        .start(Content::gitlab_fixture(), None, &scene.tasks)
        .await
        .unwrap();
    let access = scene.access(&double.url());
    let diagnosis = examine_wanted(with_login(access.clone(), token), &["acme/**"]).await;
    has_no_error(&diagnosis, Flavour::Google);
    is_login(&diagnosis, CredentialKind::OauthToken, token.0);
    assert!(
        seen(&diagnosis, Stage::Discovery).contains("google.children"),
        "{diagnosis:#?}"
    );
    assert!(
        seen(&diagnosis, Stage::Tags).contains("google.tags_list"),
        "{diagnosis:#?}"
    );

    let diagnosis = examine_wanted(with_login(access, (token.0, "ya29.ended")), &["acme/**"]).await;
    is_refused(&diagnosis, FindingCode::AuthenticationFailed);
}

#[tokio::test]
async fn distribution_with_somebodys_token_service() {
    let scene = Scene::new();
    let tokens = TokenService::builder()
        .called("registry.example.com", "/auth")
        .account(Account::new(LOGIN.0, LOGIN.1).administrator())
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let double = RegistryDouble::builder(Content::gitlab_fixture())
        .tokens(&tokens)
        .behaviour(Behaviour {
            flavour: Plays::Plain,
            ..Behaviour::default()
        })
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let access = scene.access(&double.url());
    let diagnosis = examine(with_login(access.clone(), LOGIN)).await;
    has_no_error(&diagnosis, Flavour::Distribution);
    is_login(&diagnosis, CredentialKind::Unknown, LOGIN.0);
    assert!(
        seen(&diagnosis, Stage::Discovery).contains("catalog: 3 repositories"),
        "{diagnosis:#?}"
    );
    assert!(
        seen(&diagnosis, Stage::Tags).contains("tags_list"),
        "{diagnosis:#?}"
    );
    assert!(tokens.asked_beyond_reading().is_empty());

    let diagnosis = examine(with_login(access, (LOGIN.0, "another"))).await;
    is_refused(&diagnosis, FindingCode::AuthenticationFailed);
    let wrong = tokens
        .requests()
        .iter()
        .filter(|asked| asked.status == 401)
        .count();
    assert_eq!(wrong, 1, "it is not tried again");
}

#[tokio::test]
async fn gitlab_behind_a_proxy_that_lets_no_list_of_tags_through() {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let nothing = Fault::Answer {
        status: 405,
        code: "",
        retry_after: None,
    };
    gitlab.registry().faults().add(Rule::on("/tags/list"), nothing);
    let access = scene.access(&gitlab.registry_url());
    let read = examine_repository(with_login(access.clone(), GitLab::FULL), "acme/shop/api").await;
    has_no_error(&read, Flavour::GitLab);
    let tags = seen(&read, Stage::Tags);
    assert!(
        tags.contains("5 tags on the first page, by gitlab.rest"),
        "{tags}"
    );
    for way in ["gitlab.v1", "tags_list"] {
        assert!(tags.contains(&format!("{way} was refused")), "{tags}");
    }
    // Whoever may not ask the API is told what the list itself answers.
    let failed = examine_repository(with_login(access, GitLab::DEPLOY), "acme/shop/api").await;
    assert_eq!(failed.first_failure().unwrap().stage, Stage::Tags);
    found(&failed, Stage::Tags, FindingCode::Protocol);
}
