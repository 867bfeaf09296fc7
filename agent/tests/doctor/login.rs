//! Credentials and tokens. After one refusal the credential is shown to the token service no more: every scenario counts.

use std::sync::Arc;

use portolan_doubles::faults::{Fault, Rule};
use portolan_doubles::token::Account;
use portolan_doubles::web::GitLab;
use portolan_doubles::{Content, RegistryDouble, TokenService};
use portolan_registry::doctor::Question;
use portolan_registry::{CredentialSource, Environment};
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
    tokens_of_five_minutes: TokenLifetime at Scopes = as_login(GitLab::FULL, |_| {});
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
    assert_eq!(
        scopes.verdict,
        Verdict::Passed,
        "information alone worries nobody"
    );
    found(&diagnosis, Stage::Scopes, FindingCode::TokenLifetime);
}
