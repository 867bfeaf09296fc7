//! Credentials and tokens. After one refusal the credential is shown to the token service no more: every scenario counts.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portolan_doubles::content::Image;
use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::registry::{Behaviour, Flavour};
use portolan_doubles::token::Account;
use portolan_doubles::web::GitLab;
use portolan_doubles::{Content, RegistryDouble, TokenService};
use portolan_registry::doctor::Question;
use portolan_registry::{
    Credential, CredentialError, CredentialSource, Credentials, Environment, Purpose, RefusedLogins,
    RegistryClient,
};
use portolan_shared::model::{Diagnosis, FindingCode, RepositoryPatterns, Stage, Verdict};
use portolan_shared::process::{Clock as _, SystemClock};

use crate::scene::{
    Names, PickyGate, Scene, ask, examine, examine_repository, found, provoked, report, with_login,
};

provoked! {
    a_wrong_secret: AuthenticationFailed at Token = wrong_secret();
    a_wrong_token_of_gitlab: AuthenticationFailed at Token = as_login(("reader", "glpat-ZZZZZZZZZZZZZZZZZZZZ"), |_| {});
    a_token_service_on_a_strange_host: RealmRefused at Challenge = strange_realm();
    a_deploy_token_with_somebodys_login: GitLabDeployTokenName at Token = as_login(("reader", GitLab::DEPLOY.1), |_| {});
    a_password_with_two_factors_on: GitLabTwoFactor at Token = as_login(GitLab::TWO_FACTOR, |_| {});
    read_repository_in_place_of_read_registry: GitLabScopeMissing at Token = as_login(GitLab::REPOSITORY_SCOPE, |_| {});
    no_scope_for_registries_at_all: GitLabScopeMissing at Token = as_login(GitLab::NO_SCOPE, |_| {});
    a_proxy_drops_authorization: GitLabAuthorizationStripped at Token = as_login(GitLab::FULL, |gitlab| {
        gitlab.web().switch(|switches| switches.authorization_stripped = true);
    });
    an_older_gitlab_cannot_tell_which: GitLabAccessForbidden at Token = as_login(GitLab::NO_SCOPE, |gitlab| {
        gitlab.web().switch(|switches| switches.token_self = false);
    });
    the_address_is_banned: AddressBanned at Token = as_login(GitLab::FULL, |gitlab| {
        gitlab.web().tokens().set_ban_after(Some(0));
    });
    a_fresh_token_is_refused: TokenRefused at Token = as_login(GitLab::FULL, |gitlab| {
        gitlab.registry().faults().add(Rule::on("/v2/"), Fault::InvalidToken);
    });
    a_login_page_in_the_token_services_place: TokenUnreadable at Token = as_login(GitLab::FULL, |gitlab| {
        let page = Fault::Answer { status: 200, code: "", retry_after: None };
        gitlab.web().faults().add(Rule::on("/jwt/auth"), page);
    });
    tokens_that_end_before_the_walk: TokenLifetime at Tags = slow_registry(Duration::from_secs(2));
    one_more_after_64_refusals: CredentialHeldBack at Token = too_many_refused();
    an_expired_token: CredentialExpired at Token = as_login(GitLab::EXPIRED, |_| {});
    a_revoked_token: CredentialRevoked at Token = as_login(GitLab::REVOKED, |_| {});
    a_runners_token: CredentialUnfit at Token = as_login(("reader", "glrt-LLLLLLLLLLLLLLLLLLLL"), |_| {});
    a_jobs_token: CredentialOfJob at Token = as_login(GitLab::JOB, |_| {});
    an_access_token_with_a_deploy_tokens_name: CredentialNameUnusual at Token = as_login((GitLab::DEPLOY.0, GitLab::FULL.1), |_| {});
    a_token_that_ends_soon: CredentialExpiresSoon at Token = as_login(GitLab::FULL, |gitlab| {
        let day = SystemClock.now() + jiff::SignedDuration::from_hours(5 * 24);
        let day = day.strftime("%Y-%m-%d").to_string();
        gitlab.web().change(|instance| instance.credential(GitLab::FULL.1).expires_at = Some(day));
    });
    a_deploy_token_is_not_shown_to_the_api: NativeApiNotAsked at Discovery = one_name_and_a_pattern();
    a_stranger_at_gitlab: CredentialNeeded at Scopes = as_stranger();
    a_credential_that_is_not_there: CredentialUnavailable at Token = missing_file();
    a_sealed_credential_that_was_withdrawn: CredentialRefused at Token = withdrawn();
    a_token_service_that_a_sealed_credential_is_not_bound_to: CredentialUnbound at Challenge = unbound();
}

/// Examines a GitLab, changed like this, with this login.
async fn as_login(login: (&str, &str), change: impl FnOnce(&GitLab)) -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    change(&gitlab);
    let diagnosis = scene.examine_as(&gitlab, login).await;
    let text = serde_json::to_string(&diagnosis).unwrap();
    assert!(!text.contains(login.1), "a secret is never shown: {text}");
    if !diagnosis.is_sound() {
        let shown = gitlab.web().tokens().requests();
        let with_login = shown.iter().filter(|request| request.login.is_some()).count();
        assert!(with_login <= 1, "shown again after a refusal: {shown:?}");
    }
    diagnosis
}

async fn as_stranger() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let diagnosis = examine_repository(scene.access(&gitlab.registry_url()), "acme/shop/api").await;
    assert!(!diagnosis.is_sound());
    diagnosis
}

async fn one_name_and_a_pattern() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let patterns = vec!["acme/*".to_owned(), "acme/shop/api".to_owned()];
    let question = Question {
        patterns: RepositoryPatterns::new(patterns).unwrap(),
        ..Question::default()
    };
    let access = with_login(scene.access(&gitlab.registry_url()), GitLab::DEPLOY);
    let diagnosis = ask(access, question).await;
    let asked = gitlab.web().log().count(|seen| seen.path().starts_with("/api/"));
    assert_eq!(asked, 0, "it would count as a failed login");
    diagnosis
}

async fn wrong_secret() -> Diagnosis {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .basic("reader", "right")
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let diagnosis = examine(with_login(scene.access(&registry.url()), ("reader", "wrong"))).await;
    let with_login = |seen: &portolan_doubles::network::Seen| seen.authorization.is_some();
    assert_eq!(registry.log().count(with_login), 1, "it is not tried again");
    diagnosis
}

/// A sealed credential of which nothing is left.
struct Withdrawn;

#[async_trait]
impl Credentials for Withdrawn {
    async fn current(&self) -> Result<Option<Credential>, CredentialError> {
        Err(CredentialError::Sealed("was withdrawn"))
    }
}

async fn withdrawn() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let mut access = scene.access(&gitlab.registry_url());
    access.credentials = Arc::new(Withdrawn);
    let diagnosis = examine(access).await;
    let finding = found(&diagnosis, Stage::Token, FindingCode::CredentialRefused);
    assert!(
        finding.seen.contains("the sealed credential was withdrawn"),
        "{finding}"
    );
    diagnosis
}

/// As the agent has it for a sealed credential: the binding says no before the policy is asked.
async fn unbound() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let mut access = with_login(scene.access(&gitlab.registry_url()), GitLab::FULL);
    access.gate = Arc::new(PickyGate {
        refused: vec![Purpose::Realm],
        rule: Some("credential:realm"),
        ..PickyGate::default()
    });
    let diagnosis = examine(access).await;
    let finding = found(&diagnosis, Stage::Challenge, FindingCode::CredentialUnbound);
    assert!(finding.seen.contains("(rule credential:realm)"), "{finding}");
    assert!(
        gitlab.web().tokens().requests().is_empty(),
        "the login was not sent"
    );
    diagnosis
}

async fn strange_realm() -> Diagnosis {
    let scene = Scene::new();
    let tokens = TokenService::builder()
        .account(Account::new("reader", "secret"))
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .tokens(&tokens)
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let mut access = scene.access(&format!("http://registry.test:{}", registry.address().port()));
    access.gate = Arc::new(PickyGate {
        loopback: true,
        ..PickyGate::default()
    });
    access.resolver = Names::one("registry.test", [127, 0, 0, 1]);
    let diagnosis = examine(with_login(access, ("reader", "secret"))).await;
    assert_eq!(tokens.requests().len(), 0, "the login stays here");
    diagnosis
}

async fn missing_file() -> Diagnosis {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let mut access = scene.access(&gitlab.registry_url());
    access.credentials = Arc::new(CredentialSource::new(
        "file:/nowhere/to/be/found".parse().unwrap(),
        access.url.clone(),
        Environment::default(),
        Arc::new(SystemClock),
    ));
    let diagnosis = examine(access).await;
    let text = serde_json::to_string(&diagnosis).unwrap();
    assert!(
        !text.contains("nowhere"),
        "what references say is for the local log: {text}"
    );
    diagnosis
}

#[tokio::test]
async fn a_refusal_ends_the_examination_and_is_the_last_of_its_kind() {
    let diagnosis = as_login(GitLab::TWO_FACTOR, |_| {}).await;
    for stage in [Stage::Scopes, Stage::Discovery, Stage::Config] {
        let report = report(&diagnosis, stage);
        assert_eq!(report.verdict, Verdict::Skipped);
        assert_eq!(report.seen, ["not reached: token failed"]);
    }
}

#[tokio::test]
async fn what_the_product_says_of_the_credential_becomes_facts() {
    let scene = Scene::new();
    let gitlab = scene.gitlab().await;
    let access = with_login(scene.access(&gitlab.registry_url()), GitLab::FULL);
    let diagnosis = examine_repository(access, "acme/shop/api").await;
    let facts = diagnosis.facts.credential.as_ref().unwrap();
    assert_eq!(facts.scopes, ["read_api", "read_registry"]);
    let scopes = report(&diagnosis, Stage::Scopes);
    assert!(
        scopes.seen.iter().any(|line| line == "acme/shop/api: pull"),
        "{scopes:?}"
    );
    assert!(scopes.seen.iter().any(|line| line == "lives 300 s"), "{scopes:?}");
}

/// A registry that takes its time over a list of 1,000 tags, and whose tokens live so long.
async fn slow_registry(life: Duration) -> Diagnosis {
    let scene = Scene::new();
    let mut content = Content::new();
    let mut shelf = content.shelf("acme/shop");
    let image = shelf.image(&Image::new("shop"));
    for number in 0..1_000 {
        shelf.tag(&format!("v{number}"), &image);
    }
    let tokens = TokenService::builder()
        .account(Account::new("reader", "secret").reads_everything().catalog())
        .lifetime(life)
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let plain = Behaviour {
        flavour: Flavour::Plain,
        ..Behaviour::default()
    };
    let registry = RegistryDouble::builder(content)
        .tokens(&tokens)
        .behaviour(plain)
        .start(None, &scene.tasks)
        .await
        .unwrap();
    // Sixteen at once, a thousand requests that take a third of this on average still need more than four seconds.
    let delay = Fault::Delay(Duration::from_millis(200));
    registry.faults().add(Rule::on("/tags/list"), delay);
    examine(with_login(scene.access(&registry.url()), ("reader", "secret"))).await
}

#[tokio::test]
async fn the_life_of_a_token_is_judged_by_the_walk() {
    let diagnosis = slow_registry(Duration::from_secs(2)).await;
    let finding = found(&diagnosis, Stage::Tags, FindingCode::TokenLifetime);
    assert!(finding.seen.contains("tokens live 2 s, and about "), "{finding}");
    assert!(finding.seen.contains("(1001 requests of "), "{finding}");
    let tags = report(&diagnosis, Stage::Tags);
    assert_eq!(tags.verdict, Verdict::Passed, "information alone worries nobody");
    let comfortable = slow_registry(Duration::from_secs(3_600)).await;
    assert!(comfortable.is_sound(), "{comfortable:?}");
    let text = serde_json::to_string(&comfortable).unwrap();
    assert!(!text.contains(FindingCode::TokenLifetime.as_str()), "{text}");
}

/// 64 wrong passwords, and then one that is right.
async fn too_many_refused() -> Diagnosis {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .basic("reader", "right")
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let refused = Arc::new(RefusedLogins::default());
    let access = |secret: &str| {
        let mut access = with_login(scene.access(&registry.url()), ("reader", secret));
        access.refused = Arc::clone(&refused);
        access
    };
    for number in 0..64 {
        let client = RegistryClient::new(access(&number.to_string())).unwrap();
        client
            .tags(&"acme/shop/api".parse().unwrap())
            .next_page()
            .await
            .unwrap_err();
    }
    let shown = || registry.log().count(|seen| seen.authorization.is_some());
    assert_eq!(shown(), 64);
    let diagnosis = examine(access("right")).await;
    assert_eq!(shown(), 64, "not sent");
    diagnosis
}
