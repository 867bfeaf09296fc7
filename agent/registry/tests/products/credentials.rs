//! What is known of credentials beside what they open.

use data_encoding::BASE64URL_NOPAD;
use portolan_doubles::Content;
use portolan_doubles::products::{ArtifactoryDouble, ArtifactoryKind, NexusDouble, NexusKind};
use portolan_registry::Login;
use portolan_shared::model::CredentialKind;

use super::harbor::start;
use super::inventory::{login, open, tasks};

#[tokio::test]
async fn when_a_robot_ends_is_said_to_whom_may_ask() {
    let harbor = start(1).await;
    harbor.with(|harbor| {
        harbor.ends("robot$ci", 1_800_000_000);
        harbor.ends("robot$acme+scan", 1_900_000_000);
        harbor.let_list_robots("robot$ci");
    });
    let end = async |name: &str, secret: &str| {
        let registry = open(&harbor.url(), Some(login(name, secret))).await;
        let facts = registry.credential().await.unwrap().unwrap();
        assert_eq!(facts.owner.as_deref(), Some(name));
        facts.expires_at.map(jiff::Timestamp::as_second)
    };
    assert_eq!(end("robot$ci", "robot-secret").await, Some(1_800_000_000));
    let refused = || {
        harbor
            .log()
            .count(|seen| seen.path() == "/api/v2.0/robots" && seen.status == Some(403))
    };
    assert_eq!(refused(), 0);
    assert_eq!(
        end("robot$acme+scan", "scan-secret").await,
        None,
        "it may not ask"
    );
    assert_eq!(refused(), 1);
    harbor.with(|harbor| harbor.let_list_robots("robot$acme+scan"));
    assert_eq!(end("robot$acme+scan", "scan-secret").await, Some(1_900_000_000));
    harbor.with(|harbor| harbor.ends("robot$ci", -1));
    assert_eq!(end("robot$ci", "robot-secret").await, None, "never");
    harbor.log().clear();
    assert_eq!(end("jane", "jane-secret").await, None);
    assert_eq!(
        harbor.log().count(|seen| seen.path() == "/api/v2.0/robots"),
        0,
        "users are none"
    );
}

#[tokio::test]
async fn a_secret_that_says_when_it_ends_is_taken_at_its_word() {
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let jwt = format!(
        "{}.{}.c2lnbmVk",
        part(r#"{"alg":"none"}"#),
        part(r#"{"exp":1800000000}"#)
    );
    for (secret, end) in [(jwt.as_str(), Some(1_800_000_000)), ("password", None)] {
        let kinds = [("hosted", NexusKind::Hosted)];
        let nexus = NexusDouble::start(Content::new(), &kinds, ("reader", secret), None, &tasks())
            .await
            .unwrap();
        let url = format!("{}/repository/hosted", nexus.stage().url());
        let registry = open(&url, Some(login("reader", secret))).await;
        let facts = registry.facts().await.credential.unwrap();
        assert_eq!(facts.expires_at.map(jiff::Timestamp::as_second), end);
        assert_eq!(
            (facts.kind, facts.owner.as_deref()),
            (CredentialKind::Password, Some("reader"))
        );
        assert!(!format!("{facts:?}").contains(secret));
    }
}

#[tokio::test]
async fn it_says_so_behind_a_token_service_too() {
    let part = |text: &str| BASE64URL_NOPAD.encode(text.as_bytes());
    let jwt = format!(
        "{}.{}.c2lnbmVk",
        part(r#"{"alg":"RS256"}"#),
        part(r#"{"exp":1800000000}"#)
    );
    let keys = [("local", ArtifactoryKind::Local)];
    for (secret, end) in [(jwt.as_str(), Some(1_800_000_000)), ("reference-token", None)] {
        let artifactory = ArtifactoryDouble::start(Content::new(), &keys, ("reader", secret), None, &tasks())
            .await
            .unwrap();
        let url = format!("{}/artifactory/api/docker/local", artifactory.stage().url());
        let registry = open(&url, Some(login("reader", secret))).await;
        assert!(
            matches!(registry.login(), Login::Bearer { .. }),
            "{:?}",
            registry.login()
        );
        let facts = registry.facts().await.credential.unwrap();
        assert_eq!(facts.expires_at.map(jiff::Timestamp::as_second), end);
        assert!(!format!("{facts:?}").contains(secret));
    }
}

#[tokio::test]
async fn a_stranger_has_no_credential() {
    let harbor = start(1).await;
    assert_eq!(open(&harbor.url(), None).await.facts().await.credential, None);
}
