//! The address of GitLab's web interface, given in the registry's place.

use portolan_registry::{Fault, Registry, RegistryClient, RegistryError};
use portolan_shared::model::{Finding, FindingCode};

use crate::client::client;
use crate::gitlab::{DEPLOY, TOKEN, client_of, paths};
use crate::server::{Answer, Heard, Server};

/// GitLab's web interface with its dependency proxy.
fn web(heard: &Heard) -> Answer {
    let host = heard.header("host").unwrap_or_default();
    match heard.path.as_str() {
        "/v2/" => Answer::status(401).with("content-type", "text/plain").with(
            "www-authenticate",
            format!(r#"Bearer realm="http://{host}/jwt/auth",service="dependency_proxy""#),
        ),
        "/jwt/auth" => Answer::json(r#"{"token":"good for the dependency proxy"}"#),
        "/api/v4/projects" if heard.header("authorization").is_some() => Answer::json(
            r#"[{"id":1,"container_registry_image_prefix":null},
                {"id":42,"container_registry_image_prefix":"registry.example.com:5050/acme/shop"}]"#,
        ),
        "/api/v4/version" => Answer::json(r#"{"message":"401 Unauthorized"}"#).but(401),
        _ => Answer::json(r#"{"message":"404 Not Found"}"#).but(404),
    }
}

async fn refused(client: RegistryClient) -> RegistryError {
    let error = Registry::open(client).await.err().unwrap();
    assert!(matches!(error.fault(), Fault::WebAddress { .. }), "{error:?}");
    assert!(error.concerns_whole_registry());
    error
}

fn told(error: &RegistryError) -> Finding {
    let finding = error.finding();
    assert_eq!(finding.code, FindingCode::GitLabWebAddress);
    finding
}

#[tokio::test]
async fn a05_the_web_address_is_named_and_the_registry_offered() {
    let server = Server::start(web).await;
    let error = refused(client_of(&server, "reader", TOKEN)).await;
    let finding = told(&error);
    assert!(
        finding.seen.contains("web interface")
            && finding
                .seen
                .contains("its registry is at https://registry.example.com:5050"),
        "{finding}"
    );
    assert_eq!(
        server.count("/jwt/auth"),
        0,
        "no token of the wrong service is fetched"
    );
}

#[tokio::test]
async fn projects_that_anybody_may_see_tell_as_well() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects" if heard.query.contains("membership") => Answer::json("[]"),
        _ => web(heard),
    })
    .await;
    let error = refused(client_of(&server, "reader", TOKEN)).await;
    assert!(told(&error).seen.contains("https://registry.example.com:5050"));
}

#[tokio::test]
async fn where_the_api_does_not_tell_usual_places_are_offered_and_not_tried() {
    for (username, secret, api_calls) in [
        ("gitlab+deploy-token-1", DEPLOY, 0),
        ("reader", "glpat-not-allowed", 1),
        ("reader", "glrt-runner", 0),
    ] {
        let server = Server::start(|heard| match heard.path.as_str() {
            "/api/v4/projects" => crate::gitlab::scope_missing(),
            _ => web(heard),
        })
        .await;
        let error = refused(client_of(&server, username, secret)).await;
        let finding = told(&error);
        assert!(
            finding.seen.contains("https://127.0.0.1:5050")
                && finding.seen.contains("https://127.0.0.1:4567"),
            "{finding}"
        );
        assert_eq!(server.count("/api/v4/projects"), api_calls, "{username}");
    }
}

#[tokio::test]
async fn a_stranger_is_told_by_a_public_project_with_images() {
    let public = |heard: &Heard| match heard.path.as_str() {
        "/api/v4/projects" => {
            assert_eq!(heard.header("authorization"), None);
            assert!(heard.query.contains("visibility=public"), "{}", heard.query);
            Answer::json(
                r#"[{"id":1,"path_with_namespace":"acme/closed"},{"id":2,"path_with_namespace":"acme/open"},{"id":3},{"id":4}]"#,
            )
        }
        "/api/v4/projects/2/registry/repositories" => {
            Answer::json(r#"[{"id":9,"path":"acme/open","location":"registry.example.com:5050/acme/open"}]"#)
        }
        _ => web(heard),
    };
    let server = Server::start(public).await;
    let error = refused(client(&server.url())).await;
    assert!(told(&error).seen.contains("https://registry.example.com:5050"));
    assert_eq!(
        paths(&server),
        [
            "/v2/",
            "/api/v4/projects",
            "/api/v4/projects/1/registry/repositories",
            "/api/v4/projects/2/registry/repositories",
        ]
    );
}

#[tokio::test]
async fn a_stranger_to_whom_nothing_is_told_asks_a_few_times_and_is_offered_the_usual_places() {
    let server = Server::start(|heard| match heard.path.as_str() {
        "/api/v4/projects" => Answer::json(r#"[{"id":1},{"id":2},{"id":3},{"id":4}]"#),
        path if path.starts_with("/api/v4/projects/") => Answer::json("[]"),
        _ => web(heard),
    })
    .await;
    let error = refused(client(&server.url())).await;
    assert!(told(&error).seen.contains("https://127.0.0.1:5050"));
    assert_eq!(server.count("/api/"), 4);

    let closed = Server::start(web).await;
    told(&refused(client(&closed.url())).await);
    assert_eq!(paths(&closed), ["/v2/", "/api/v4/projects"]);
}

#[tokio::test]
async fn pages_for_people_and_empty_answers_are_recognised_too() {
    let signs_in = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::status(302).with("location", "/users/sign_in"),
        "/users/sign_in" => Answer::status(200)
            .with("content-type", "text/html")
            .body("<html>"),
        _ => web(heard),
    })
    .await;
    let older = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::status(404)
            .with("content-type", "text/html; charset=utf-8")
            .with("set-cookie", "_gitlab_session=0123; path=/")
            .body("<html>"),
        _ => web(heard),
    })
    .await;
    let behind_a_front = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::status(404)
            .with("content-type", "text/html")
            .body("<html>"),
        _ => web(heard),
    })
    .await;
    let empty = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::status(200).with("content-type", "text/plain; charset=utf-8"),
        _ => web(heard),
    })
    .await;
    for server in [&signs_in, &older, &behind_a_front, &empty] {
        let error = refused(client_of(server, "reader", TOKEN)).await;
        assert!(told(&error).seen.contains("https://registry.example.com:5050"));
    }
}

#[tokio::test]
async fn what_is_not_gitlab_is_not_taken_for_it() {
    let page = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::status(404)
            .with("content-type", "text/html")
            .body("<html>"),
        _ => Answer::status(404),
    })
    .await;
    let error = Registry::open(client_of(&page, "reader", TOKEN))
        .await
        .err()
        .unwrap();
    assert!(!matches!(error.fault(), Fault::WebAddress { .. }), "{error:?}");
    assert_eq!(
        page.count("/api/v4/projects"),
        0,
        "the login is not sent on a guess"
    );

    let open = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::status(200).with("content-type", "text/plain"),
        _ => Answer::status(404),
    })
    .await;
    Registry::open(client(&open.url())).await.unwrap();

    let registry = Server::start(|heard| match heard.path.as_str() {
        "/v2/" => Answer::status(200).with("docker-distribution-api-version", "registry/2.0"),
        _ => Answer::status(404),
    })
    .await;
    Registry::open(client(&registry.url())).await.unwrap();
}
