//! What has to be true of a client of GitLab's registry, against both of its hosts and in both of its modes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::future::join_all;
use portolan_doubles::content::FIXTURE_MANIFEST;
use portolan_doubles::registry::BlobServing;
use portolan_doubles::web::{GitLab, Mode};
use portolan_doubles::{Content, RegistryDouble};
use portolan_registry::{Access, Credential, Fault, Head, Registry, RegistryClient};
use portolan_shared::model::{Digest, FindingCode, ListingMethod, ReferenceTarget, RepositoryName, TagName};
use portolan_shared::process::{Shutdown, Tasks};
use portolan_shared::secret::Secret;

use crate::client::access;
use crate::gitlab::{climb, wanted};

const DIGEST: &str = "sha256:fbeba785391a3009a62758bd247cdb2142e1c7b8645b023c6f33c425b7dcd6ae";
pub(crate) const CONFIG: &str = "sha256:53335d84e97889dc5f00af1bffa104aeab44003305259f9c7ee02acfabf1b49c";

pub(crate) struct Fixture {
    pub(crate) gitlab: GitLab,
    _tasks: Tasks,
}

impl Fixture {
    pub(crate) async fn start(mode: Mode) -> Self {
        let tasks = Tasks::new(Shutdown::new());
        let builder = GitLab::builder(Content::gitlab_fixture()).mode(mode);
        let gitlab = builder.start(None, &tasks).await.unwrap();
        Self {
            gitlab,
            _tasks: tasks,
        }
    }

    pub(crate) fn access(&self, url: &str, (username, secret): (&str, &str)) -> Access {
        let mut access = access(url);
        access.credentials = Arc::new(Credential::Login {
            username: username.into(),
            secret: Secret::new(secret.into()),
        });
        access
    }

    pub(crate) fn client(&self, login: (&str, &str)) -> RegistryClient {
        RegistryClient::new(self.access(&self.gitlab.registry_url(), login)).unwrap()
    }

    pub(crate) async fn open(&self, login: (&str, &str)) -> Registry {
        Registry::open(self.client(login)).await.unwrap()
    }

    /// Requests that came to a path of the web host that begins so.
    pub(crate) fn asked_web(&self, path: &str) -> usize {
        let log = self.gitlab.web().log();
        log.count(|seen| seen.path().starts_with(path))
    }

    pub(crate) fn token_requests(&self) -> usize {
        self.gitlab.web().tokens().requests().len()
    }

    pub(crate) fn registry(&self) -> &RegistryDouble {
        self.gitlab.registry()
    }
}

pub(crate) fn name(text: &str) -> RepositoryName {
    text.parse().unwrap()
}

/// In the place of a digest that the registry does not tell, for it serves no manifest of schema 1.
const UNRESOLVED: &str = "schema 1";

/// What is in a registry: tags and what they point to, by repository.
type Inventory = BTreeMap<String, BTreeMap<String, String>>;

async fn inventory(registry: &Registry, names: &[String]) -> Inventory {
    let mut inventory = Inventory::new();
    for repository in names {
        let repository = name(repository);
        let mut tags = BTreeMap::new();
        let mut list = registry.tags(&repository);
        while let Some(page) = list.next_page().await.unwrap() {
            for tag in page.tags {
                let digest = match tag.digest {
                    Some(digest) => digest.to_string(),
                    None => resolved(registry, &repository, &tag.tag).await,
                };
                tags.insert(tag.tag.to_string(), digest);
            }
        }
        inventory.insert(repository.to_string(), tags);
    }
    inventory
}

/// What the tag points to; [`UNRESOLVED`] if that is in schema 1.
async fn resolved(registry: &Registry, repository: &RepositoryName, tag: &TagName) -> String {
    let target = ReferenceTarget::Tag(tag.clone());
    match registry.client().head_manifest(repository, &target, None).await {
        Ok(Head::Found(found)) => found.digest.to_string(),
        Err(error) if matches!(error.fault(), Fault::Schema1) => UNRESOLVED.to_owned(),
        other => panic!("{repository}:{tag}: {other:?}"),
    }
}

pub(crate) async fn read_all(registry: &Registry) -> Inventory {
    let (names, _, _) = climb(registry.repositories(&wanted(&[]))).await;
    inventory(registry, &names).await
}

#[tokio::test]
async fn a01_nothing_but_reading_is_ever_asked_for() {
    for mode in [Mode::Database, Mode::Filesystem] {
        let fixture = Fixture::start(mode).await;
        for login in [GitLab::FULL, GitLab::REGISTRY_ONLY, GitLab::DEPLOY, GitLab::ADMIN] {
            let registry = fixture.open(login).await;
            read_all(&registry).await;
            registry.facts().await;
        }
        assert!(fixture.gitlab.web().tokens().asked_beyond_reading().is_empty());
        for log in [fixture.registry().log(), fixture.gitlab.web().log()] {
            assert_eq!(
                log.count(|seen| !matches!(seen.method.as_str(), "GET" | "HEAD")),
                0
            );
        }
    }
}

#[tokio::test]
async fn a02_one_token_a_repository_however_many_ask() {
    let fixture = Fixture::start(Mode::Filesystem).await;
    // Schema 1 is answered with 400, as a token that has ended is elsewhere: another one is asked for then.
    fixture.registry().change(|content| {
        content.shelf("acme/shop/api").untag("legacy");
    });
    let registry = fixture.open(GitLab::FULL).await;
    let api = name("acme/shop/api");
    let target = ReferenceTarget::Tag("1.0.0".parse().unwrap());
    let (one, two) = (&api, &target);
    let asked = (0..40).map(|_| registry.client().head_manifest(one, two, None));
    for outcome in join_all(asked).await {
        outcome.unwrap();
    }
    inventory(&registry, &["acme/shop/api".into()]).await;
    let tokens = fixture.gitlab.web().tokens();
    assert_eq!(tokens.calls_for("repository:acme/shop/api:pull"), 1);
    assert_eq!(
        fixture.token_requests(),
        2,
        "one to log in, one for the repository"
    );
}

#[tokio::test]
async fn a03_a_refused_login_is_left_alone() {
    for (login, code) in [
        (("reader", "glpat-wrong"), FindingCode::AuthenticationFailed),
        (("reader", GitLab::DEPLOY.1), FindingCode::GitLabDeployTokenName),
        (GitLab::TWO_FACTOR, FindingCode::GitLabTwoFactor),
        (GitLab::EXPIRED, FindingCode::CredentialExpired),
        (GitLab::REVOKED, FindingCode::CredentialRevoked),
        (GitLab::NO_SCOPE, FindingCode::GitLabScopeMissing),
        (GitLab::REPOSITORY_SCOPE, FindingCode::GitLabScopeMissing),
        (GitLab::JOB, FindingCode::CredentialOfJob),
    ] {
        let fixture = Fixture::start(Mode::Database).await;
        let client = fixture.client(login);
        let error = Registry::open(client.clone()).await.err().unwrap();
        assert_eq!(error.finding().code, code, "{error:?}");
        for _ in 0..3 {
            Registry::open(client.clone()).await.err().unwrap();
        }
        assert!(fixture.token_requests() <= 1, "{code}");
        let log = fixture.gitlab.web().log();
        let refused = log.count(|seen| seen.path().starts_with("/api/") && seen.status == Some(401));
        assert!(refused <= 1, "{code}");
    }
}

#[tokio::test]
async fn a03_what_stands_in_front_is_told_from_the_credential() {
    let stripped = Fixture::start(Mode::Database).await;
    stripped
        .gitlab
        .web()
        .switch(|switches| switches.authorization_stripped = true);
    let disabled = Fixture::start(Mode::Database).await;
    disabled
        .gitlab
        .web()
        .switch(|switches| switches.registry_enabled = false);
    let banned = Fixture::start(Mode::Database).await;
    banned.gitlab.web().tokens().set_ban_after(Some(0));
    for (fixture, code) in [
        (stripped, FindingCode::GitLabAuthorizationStripped),
        (disabled, FindingCode::GitLabRegistryDisabled),
    ] {
        let error = Registry::open(fixture.client(GitLab::FULL)).await.err().unwrap();
        assert_eq!(error.finding().code, code, "{error:?}");
    }
    // The first failure is the wrong secret's own; the next one meets the ban.
    Registry::open(banned.client(("reader", "glpat-wrong")))
        .await
        .err()
        .unwrap();
    let error = Registry::open(banned.client(GitLab::FULL)).await.err().unwrap();
    assert_eq!(error.finding().code, FindingCode::AddressBanned, "{error:?}");
}

#[tokio::test]
async fn a04_a_project_out_of_sight_is_no_wrong_password() {
    let fixture = Fixture::start(Mode::Database).await;
    let registry = fixture.open(GitLab::FULL).await;
    let error = registry.tags(&name("acme/hidden")).next_page().await.unwrap_err();
    assert!(error.is_denied() && !error.concerns_whole_registry(), "{error:?}");
    let finding = registry.explain(&error).await;
    assert_eq!(finding.code, FindingCode::GitLabProjectNotVisible);
    assert!(finding.seen.contains("acme/hidden"));
    assert_eq!(
        registry
            .tags(&name("acme/shop/api"))
            .next_page()
            .await
            .unwrap()
            .unwrap()
            .tags
            .len(),
        5
    );
}

#[tokio::test]
async fn a05_the_web_address_leads_to_the_registry() {
    let fixture = Fixture::start(Mode::Database).await;
    for signs_in in [false, true] {
        fixture
            .gitlab
            .web()
            .switch(|switches| switches.signs_in = signs_in);
        let access = fixture.access(fixture.gitlab.web_url(), GitLab::FULL);
        let error = Registry::open(RegistryClient::new(access).unwrap())
            .await
            .err()
            .unwrap();
        assert!(matches!(error.fault(), Fault::WebAddress { .. }), "{error:?}");
        let finding = error.finding();
        assert_eq!(finding.code, FindingCode::GitLabWebAddress);
        let offered = format!("its registry is at https://{}", fixture.gitlab.image_prefix());
        assert!(finding.seen.contains(&offered), "{finding}");
    }
    assert_eq!(
        fixture.registry().log().total(),
        0,
        "nothing is asked where nobody was sent"
    );
}

#[tokio::test]
async fn a06_only_next_is_followed_and_only_here() {
    let fixture = Fixture::start(Mode::Database).await;
    fixture.registry().change(|content| {
        let mut many = content.shelf("acme/shop/many");
        let digest = many.raw_manifest(&portolan_shared::model::MediaType::OCI_MANIFEST, FIXTURE_MANIFEST);
        for number in 0..2_500 {
            many.tag(&format!("t{number:04}"), &digest);
        }
    });
    let registry = fixture.open(GitLab::FULL).await;
    let found = inventory(&registry, &["acme/shop/many".into()]).await;
    assert_eq!(found["acme/shop/many"].len(), 2_500);
    let pages = fixture
        .registry()
        .log()
        .count(|seen| seen.path().starts_with("/gitlab/v1/") && seen.status == Some(200));
    assert_eq!(pages, 3);
    assert_eq!(
        fixture
            .registry()
            .log()
            .count(|seen| seen.target.contains("before=")),
        0
    );
}

#[tokio::test]
async fn a07_what_may_be_absent_is_not_missed() {
    let fixture = Fixture::start(Mode::Filesystem).await;
    let registry = fixture.open(GitLab::FULL).await;
    let found = inventory(&registry, &["acme/shop".into()]).await;
    assert!(found["acme/shop"].is_empty(), "tags: null");
    fixture.gitlab.set_mode(Mode::Database);
    let registry = fixture.open(GitLab::FULL).await;
    let mut list = registry.tags(&name("acme/shop/api"));
    let page = list.next_page().await.unwrap().unwrap();
    let by_name = |wanted: &str| page.tags.iter().find(|tag| tag.tag.as_str() == wanted).unwrap();
    assert_eq!(
        by_name("1.0.0").pushed_at.unwrap().to_string(),
        "2026-01-05T00:00:00Z",
        "the later of created and updated"
    );
    assert!(by_name("multi").digest.is_some() && by_name("1.0.1").pushed_at.is_some());
}

#[tokio::test]
async fn a08_storage_never_sees_the_login() {
    let fixture = Fixture::start(Mode::Database).await;
    fixture
        .registry()
        .behave(|behaviour| behaviour.blobs = BlobServing::Redirect);
    let registry = fixture.open(GitLab::FULL).await;
    let digest: Digest = CONFIG.parse().unwrap();
    let config = registry
        .client()
        .get_blob(&name("acme/shop/api"), &digest, 1024)
        .await
        .unwrap();
    assert_eq!(config.len(), 294);
    let seen = fixture.registry().storage_log().seen();
    assert!(!seen.is_empty() && seen.iter().all(|seen| seen.authorization.is_none()));
}

#[tokio::test]
async fn a09_both_modes_show_the_same() {
    let mut seen = Vec::new();
    for mode in [Mode::Database, Mode::Filesystem] {
        let fixture = Fixture::start(mode).await;
        let registry = fixture.open(GitLab::FULL).await;
        let found = read_all(&registry).await;
        assert_eq!(found["acme/shop/api"]["1.0.0"], DIGEST);
        let method = registry.listings()[0].method;
        let heads = fixture.registry().log().count(|seen| seen.method == "HEAD");
        match mode {
            Mode::Database => assert_eq!((method, heads), (ListingMethod::GitLabV1, 0)),
            Mode::Filesystem => {
                assert_eq!(method, ListingMethod::TagsList);
                assert!(heads > 0);
                let asked = fixture
                    .registry()
                    .log()
                    .count(|seen| seen.path().starts_with("/gitlab/"));
                assert!(asked <= 1, "at most once in the whole registry");
            }
        }
        legacy_is_served_in_neither(&registry).await;
        seen.push(found);
    }
    // Schema 1: `/gitlab/v1/` lists the digest of every tag from its database (G4), while `/v2/` answers 400 MANIFEST_INVALID
    // for the manifest, to HEAD as to GET (R14), and a HEAD is all that there is without the database. So both modes show the
    // tag, one of them knows what it points to, and neither can read it. Nothing else differs.
    let [database, filesystem] = &mut seen[..] else {
        panic!("two modes")
    };
    let legacy = |found: &mut Inventory| found.get_mut("acme/shop/api").unwrap().remove("legacy").unwrap();
    assert!(legacy(database).starts_with("sha256:"));
    assert_eq!(legacy(filesystem), UNRESOLVED);
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0]["acme/shop/api"].len(), 4);
    assert_eq!(seen[0].keys().collect::<Vec<_>>(), ["acme/shop", "acme/shop/api"]);
}

async fn legacy_is_served_in_neither(registry: &Registry) {
    let (repository, tag) = (name("acme/shop/api"), "legacy".parse().unwrap());
    let target = ReferenceTarget::Tag(tag);
    let error = registry
        .client()
        .get_manifest_of(&repository, &target)
        .await
        .unwrap_err();
    assert!(matches!(error.fault(), Fault::Schema1), "{error:?}");
}
