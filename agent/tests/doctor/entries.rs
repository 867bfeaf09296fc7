//! Several logins for one host.

use std::sync::Arc;

use portolan_doubles::{Content, RegistryDouble};
use portolan_registry::{CredentialSource, Environment};
use portolan_shared::model::Stage;
use portolan_shared::process::SystemClock;

use crate::scene::{Scene, examine, examine_repository, report};

#[tokio::test]
async fn the_entry_that_the_login_was_found_under_is_named_and_its_content_is_not() {
    let scene = Scene::new();
    let registry = RegistryDouble::builder(Content::gitlab_fixture())
        .basic("reader", "right")
        .start(None, &scene.tasks)
        .await
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.json");
    let host = registry.address();
    // reader:right, twice.
    let auth = r#"{"auth":"cmVhZGVyOnJpZ2h0"}"#;
    let json = format!(r#"{{"auths":{{"{host}":{auth},"{host}/acme/shop":{auth}}}}}"#);
    std::fs::write(&config, json).unwrap();
    let access = || {
        let mut access = scene.access(&registry.url());
        access.credentials = Arc::new(CredentialSource::new(
            format!("docker-config:{}", config.display()).parse().unwrap(),
            access.url.clone(),
            Environment::default(),
            Arc::new(SystemClock),
        ));
        access
    };
    let of_host = format!("the login is that of the entry {host}");
    let general = examine(access()).await;
    let token = report(&general, Stage::Token);
    assert!(token.seen.contains(&of_host), "{token:?}");
    let particular = examine_repository(access(), "acme/shop/api").await;
    let token = report(&particular, Stage::Token);
    let of_repository = format!("acme/shop/api has a login of its own, that of the entry {host}/acme/shop");
    assert!(
        token.seen.contains(&of_host) && token.seen.contains(&of_repository),
        "{token:?}"
    );
    let text = serde_json::to_string(&particular).unwrap();
    assert!(
        !text.contains("cmVhZGVyOnJpZ2h0") && !text.contains("config.json"),
        "{text}"
    );
}
