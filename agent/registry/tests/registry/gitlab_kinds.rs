//! What each kind of GitLab's credentials finds and says of itself, and that none of them is ever shown.

use portolan_doubles::Log;
use portolan_doubles::registry::BlobServing;
use portolan_doubles::web::{GitLab, Mode};
use portolan_registry::Registry;
use portolan_shared::model::{CredentialKind, DiscoveryMethod, FindingCode};

use crate::gitlab::{climb, wanted};
use crate::gitlab_double::{CONFIG, Fixture, name, read_all};

#[tokio::test]
async fn every_kind_of_credential_finds_what_it_can_see() {
    use DiscoveryMethod as By;
    let everything = ["acme/shop", "acme/shop/api"];
    for (login, patterns, names, last) in [
        (GitLab::FULL, &[][..], &everything[..], By::GitLabProjects),
        (GitLab::BOT, &[][..], &everything[..], By::GitLabProjects),
        (GitLab::PROJECT_BOT, &[][..], &everything[..], By::GitLabProjects),
        (GitLab::OAUTH, &[][..], &everything[..], By::GitLabProjects),
        (GitLab::REGISTRY_ONLY, &[][..], &["acme/shop"][..], By::Catalog),
        (
            GitLab::REGISTRY_ONLY,
            &["acme/*", "acme/shop/api"][..],
            &everything[..],
            By::Explicit,
        ),
        (GitLab::DEPLOY, &[][..], &[][..], By::Explicit),
        (
            GitLab::DEPLOY,
            &["acme/shop/api"][..],
            &["acme/shop/api"][..],
            By::Explicit,
        ),
    ] {
        let fixture = Fixture::start(Mode::Database).await;
        let registry = fixture.open(login).await;
        let (mut found, steps, _) = climb(registry.repositories(&wanted(patterns))).await;
        found.sort();
        assert_eq!(found, names, "{}: {steps:?}", login.0);
        assert_eq!(steps.last().unwrap().method, last, "{}: {steps:?}", login.0);
        if login == GitLab::DEPLOY {
            assert_eq!(fixture.asked_web("/api/"), 0);
        }
    }
}

/// The registry's list of what is below a path takes a token for `PATH/*`, which GitLab issues to itself alone (G11): it
/// would give 401 whoever asks. So nothing is tried below a pattern's fixed part, in neither mode, and what to do is said instead.
#[tokio::test]
async fn a_deploy_token_with_a_pattern_asks_for_nothing_and_is_told_what_to_do() {
    for mode in [Mode::Database, Mode::Filesystem] {
        let fixture = Fixture::start(mode).await;
        let registry = fixture.open(GitLab::DEPLOY).await;
        let asked = fixture.registry().log().total();
        let (found, steps, complete) = climb(registry.repositories(&wanted(&["acme/shop/*"]))).await;
        assert_eq!((found.len(), complete), (0, false));
        let step = |method| steps.iter().find(|step| step.method == method).unwrap();
        let groups = step(DiscoveryMethod::GitLabGroups).finding.as_ref().unwrap();
        assert_eq!(groups.code, FindingCode::NativeApiNotAsked);
        for part in [
            "below acme/shop ",
            "name each repository in full",
            "a token with read_api",
        ] {
            assert!(groups.seen.contains(part), "{groups}");
        }
        let last = step(DiscoveryMethod::Explicit).finding.as_ref().unwrap();
        assert_eq!(last.code, FindingCode::NamesNeeded);

        // But the catalog, which it turns out not to be for, nothing.
        let log = fixture.registry().log();
        let catalog = log.count(|seen| seen.path() == "/v2/_catalog");
        assert_eq!(log.total() - asked, catalog, "{:?}", log.seen());
        assert_eq!(fixture.asked_web("/api/"), 0);
        assert!(fixture.gitlab.web().tokens().asked_beyond_reading().is_empty());

        // Doing as it says helps.
        for (login, patterns) in [(GitLab::DEPLOY, "acme/shop/api"), (GitLab::FULL, "acme/shop/*")] {
            let registry = fixture.open(login).await;
            let (found, ..) = climb(registry.repositories(&wanted(&[patterns]))).await;
            assert!(found.contains(&"acme/shop/api".to_owned()), "{found:?}");
        }
    }
}

#[tokio::test]
async fn kinds_and_scopes_are_read_from_the_token_itself() {
    let fixture = Fixture::start(Mode::Database).await;
    for (login, kind, scopes) in [
        (GitLab::FULL, CredentialKind::PersonalAccessToken, 2),
        (GitLab::BOT, CredentialKind::GroupAccessToken, 2),
        (GitLab::PROJECT_BOT, CredentialKind::ProjectAccessToken, 2),
        (GitLab::REGISTRY_ONLY, CredentialKind::PersonalAccessToken, 1),
        (GitLab::DEPLOY, CredentialKind::DeployToken, 0),
        (GitLab::OAUTH, CredentialKind::OauthToken, 0),
    ] {
        let registry = fixture.open(login).await;
        let facts = registry.facts().await.credential.unwrap();
        assert_eq!((facts.kind, facts.scopes.len()), (kind, scopes), "{}", login.0);
        assert!(registry.remarks().await.is_empty());
    }
}

#[tokio::test]
async fn a11_nothing_secret_is_logged() {
    let log = Log::of_the_product();
    let _listening = log.listen();
    let fixture = Fixture::start(Mode::Database).await;
    fixture
        .registry()
        .behave(|behaviour| behaviour.blobs = BlobServing::Redirect);
    for login in [
        GitLab::FULL,
        GitLab::DEPLOY,
        GitLab::EXPIRED,
        GitLab::NO_SCOPE,
        GitLab::TWO_FACTOR,
    ] {
        match Registry::open(fixture.client(login)).await {
            Ok(registry) => {
                read_all(&registry).await;
                let shown = format!("{:?} {:?}", registry.facts().await, registry.client());
                let digest = CONFIG.parse().unwrap();
                let _ = registry
                    .client()
                    .get_blob(&name("acme/shop/api"), &digest, 1024)
                    .await;
                let hidden = registry.tags(&name("acme/hidden")).next_page().await.unwrap_err();
                log.add(&format!("{shown} {hidden:?} {}", registry.explain(&hidden).await));
            }
            Err(error) => log.add(&format!("{error:?} {error} {}", error.finding())),
        }
    }
    let text = log.text();
    assert!(text.contains("recognised"), "the log was listened to: {text}");
    for (_, secret) in [
        GitLab::FULL,
        GitLab::DEPLOY,
        GitLab::EXPIRED,
        GitLab::NO_SCOPE,
        GitLab::TWO_FACTOR,
    ] {
        assert!(!text.contains(secret), "a secret in {text}");
    }
    for trace in ["eyJ", "Bearer ey", "X-Amz-Signature"] {
        assert!(!text.contains(trace), "{trace} in {text}");
    }
}
