//! Logins that this machine changes while they are in use, and several logins for one host.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portolan_registry::{Access, CredentialSource, Environment, Fault, RefusedLogins, RegistryClient};
use portolan_shared::model::CredentialReference;

use crate::auth::{content, read};
use crate::client::{BASIC, access};
use crate::server::{Answer, Heard, Server};

fn client(server: &Server, reference: CredentialReference, refused: &Arc<RefusedLogins>) -> RegistryClient {
    let access = access(&server.url());
    let source = CredentialSource::new(
        reference,
        access.url.clone(),
        Environment::default(),
        Arc::clone(&access.clock),
    );
    RegistryClient::new(Access {
        credentials: Arc::new(source),
        refused: Arc::clone(refused),
        ..access
    })
    .unwrap()
}

fn file(path: &Path) -> CredentialReference {
    CredentialReference::File(path.display().to_string())
}

/// How often this login was sent.
fn sent(server: &Server, basic: &str) -> usize {
    let heard = server.heard();
    heard
        .iter()
        .filter(|heard| heard.header("authorization") == Some(basic))
        .count()
}

/// `reader:old`.
const OLD: &str = "Basic cmVhZGVyOm9sZA==";

#[tokio::test]
async fn a_file_that_is_changed_is_used_at_once_and_a_refused_login_is_sent_once() {
    for basic in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        std::fs::write(&path, "reader:old\n").unwrap();
        let rotated = path.clone();
        let server = Server::start(move |heard| {
            let refused = |heard: &Heard| {
                if heard.header("authorization") == Some(OLD) {
                    // The registry takes another login from now on, and this machine is given it in the same moment.
                    std::fs::write(&rotated, "reader:s3cret\n").unwrap();
                }
                Answer::status(401)
            };
            match (heard.path.as_str(), heard.header("authorization")) {
                ("/token", Some(BASIC)) => Answer::json(r#"{"token":"t"}"#),
                ("/token", _) => refused(heard),
                (_, Some("Bearer t")) => content(heard),
                (_, Some(BASIC)) if basic => content(heard),
                _ if basic => refused(heard).with("www-authenticate", "Basic realm=\"r\""),
                _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\""),
            }
        })
        .await;
        let client = client(&server, file(&path), &Arc::default());
        read(&client).await.unwrap();
        read(&client).await.unwrap();
        assert_eq!(sent(&server, OLD), 1, "basic: {basic}");
    }
}

#[tokio::test]
async fn a_login_that_was_good_and_is_changed_at_both_ends_is_missed_by_no_request() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("login");
    std::fs::write(&path, "reader:old\n").unwrap();
    let changed = Arc::new(AtomicBool::new(false));
    let is_changed = Arc::clone(&changed);
    let server = Server::start(move |heard| {
        let good = if is_changed.load(Ordering::SeqCst) {
            BASIC
        } else {
            OLD
        };
        match heard.header("authorization") {
            Some(login) if login == good => content(heard),
            _ => Answer::status(401).with("www-authenticate", "Basic realm=\"r\""),
        }
    })
    .await;
    let client = client(&server, file(&path), &Arc::default());
    read(&client).await.unwrap();
    std::fs::write(&path, "reader:s3cret\n").unwrap();
    changed.store(true, Ordering::SeqCst);
    read(&client).await.unwrap();
    assert_eq!((sent(&server, OLD), sent(&server, BASIC)), (2, 1));
}

#[tokio::test]
async fn a_refused_file_is_tried_again_only_when_it_changes() {
    for basic in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("login");
        std::fs::write(&path, "reader:old\n").unwrap();
        let server = Server::start(
            move |heard| match (heard.path.as_str(), heard.header("authorization")) {
                ("/token", Some(BASIC)) => Answer::json(r#"{"token":"t"}"#),
                ("/token", _) => Answer::status(401),
                (_, Some("Bearer t")) => content(heard),
                (_, Some(BASIC)) if basic => content(heard),
                _ if basic => Answer::status(401).with("www-authenticate", "Basic realm=\"r\""),
                _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\""),
            },
        )
        .await;
        let memory = Arc::default();
        let first = client(&server, file(&path), &memory);
        for _ in 0..3 {
            let error = read(&first).await.unwrap_err();
            assert!(matches!(error.fault(), Fault::LoginRefused { .. }), "{error:?}");
        }
        // Written anew with the same content: another file, and the same login.
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "reader:old\n").unwrap();
        read(&first).await.unwrap_err();
        read(&client(&server, file(&path), &memory)).await.unwrap_err();
        assert_eq!(sent(&server, OLD), 1, "basic: {basic}");
        std::fs::write(&path, "reader:s3cret\n").unwrap();
        read(&first).await.unwrap();
        assert_eq!(
            (sent(&server, OLD), sent(&server, BASIC) > 0),
            (1, true),
            "basic: {basic}"
        );
    }
}

#[tokio::test]
async fn each_repository_is_read_with_the_login_of_the_longest_path() {
    for basic in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.json");
        let server = Server::start(move |heard| {
            let scope = heard.parameter("scope").unwrap_or_default();
            let wants = if heard.path.contains("team/app") || scope.contains("team/app") {
                OLD
            } else {
                BASIC
            };
            match (heard.path.as_str(), heard.header("authorization")) {
                ("/token", Some(login)) if login == wants => {
                    Answer::json(format!(r#"{{"token":"{wants}"}}"#))
                }
                ("/token", _) => Answer::status(401),
                (_, Some(login)) if basic && login == wants => Answer::json(r#"{"tags":["1"]}"#),
                (_, Some(token)) if token.strip_prefix("Bearer ") == Some(wants) => {
                    Answer::json(r#"{"tags":["1"]}"#)
                }
                _ if basic => Answer::status(401).with("www-authenticate", "Basic realm=\"r\""),
                _ => Answer::status(401).with("www-authenticate", "Bearer realm=\"/token\""),
            }
        })
        .await;
        let host = server.address;
        let json = format!(
            r#"{{"auths":{{"{host}/team/app":{{"auth":"{}"}},"{host}":{{"auth":"{}"}}}}}}"#,
            &OLD[6..],
            &BASIC[6..]
        );
        std::fs::write(&path, json).unwrap();
        let reference = CredentialReference::DockerConfig(Some(path.display().to_string()));
        let client = client(&server, reference, &Arc::default());
        for repository in [
            "team/app/api",
            "team/other",
            "team/app",
            "team/other",
            "team/app/api",
        ] {
            let name = repository.parse().unwrap();
            let tags = client.tags(&name).next_page().await;
            assert!(tags.is_ok(), "{repository}, basic: {basic}: {tags:?}");
        }
    }
}
