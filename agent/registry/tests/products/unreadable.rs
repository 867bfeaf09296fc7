//! Answers that cannot be read, that somebody else gave, or that a stranger would be given: none of them is a whole list.

use portolan_doubles::network::Server;
use portolan_registry::{Credential, Fault, Registry, RegistryClient};
use portolan_shared::model::{FindingCode, Flavour};
use portolan_shared::secret::Secret;

use super::hostile::{DIGEST, Liar, answer, list_names, tags_of};
use super::inventory::{access, tasks};

#[tokio::test]
async fn rows_that_cannot_be_read_make_a_list_of_tags_fail() {
    for rows in [
        r#"[7]"#.to_owned(),
        format!(r#"[{{"digest":"{DIGEST}","tags":[{{"name":"1"}}]}},{{"digest":5}}]"#),
        format!(r#"[{{"digest":"{DIGEST}","tags":[{{"name":"1"}},4]}}]"#),
    ] {
        let harbor = Liar::start(Flavour::Harbor, move |path, query| {
            let first = query.get("page").is_none_or(|page| page == "1");
            match path {
                path if path.ends_with("/artifacts") && first => rows.clone(),
                path if path.ends_with("/tags/list") => r#"{"tags":["1","2"]}"#.to_owned(),
                path if path.ends_with("/projects") && first => r#"[{"name":"acme"},7]"#.to_owned(),
                path if path.ends_with("/repositories") && first => r#"[{"name":"acme/shop"}]"#.to_owned(),
                _ => "[]".to_owned(),
            }
        })
        .await;
        let registry = harbor.open(|_| {}).await;
        assert_eq!(tags_of(&registry).await, (2, None));
        assert_eq!(registry.listings()[0].given_up, 1);
        let (found, steps) = list_names(&registry, &[]).await;
        assert_eq!((found, steps[0].complete), (1, false));
        let why = steps[0].finding.as_ref().unwrap().code;
        assert_eq!(why, FindingCode::ListingIncomplete);
    }
}

#[tokio::test]
async fn a_cursor_of_the_wrong_kind_is_no_end() {
    let quay = Liar::start(Flavour::Quay, |path, _| match path {
        "/api/v1/repository" => {
            r#"{"repositories":[{"namespace":"acme","name":"shop"}],"next_page":{"a":1}}"#.to_owned()
        }
        "/v2/_catalog" => r#"{"repositories":[]}"#.to_owned(),
        path if path.ends_with("/tags/list") => r#"{"tags":["1","2"]}"#.to_owned(),
        _ => r#"{"tags":[{"name":"1"}],"has_additional":"yes"}"#.to_owned(),
    })
    .await;
    let registry = quay.open(|_| {}).await;
    let (_, steps) = list_names(&registry, &["acme/**"]).await;
    assert!(!steps[0].complete && steps[0].finding.is_some());
    assert_eq!(tags_of(&registry).await, (2, None), "by the general way");
    assert_eq!(registry.listings()[0].given_up, 1);
}

#[tokio::test]
async fn a_login_that_an_api_does_not_take_is_never_left_out() {
    for login in [
        Credential::IdentityToken(Secret::new("identity".to_owned())),
        Credential::RegistryToken(Secret::new("registry".to_owned())),
    ] {
        let harbor = Liar::start(Flavour::Harbor, |path, _| match path {
            path if path.ends_with("/tags/list") => r#"{"tags":["private"]}"#.to_owned(),
            _ => "[]".to_owned(),
        })
        .await;
        let client = RegistryClient::new(access(&harbor.server.url(), Some(login))).unwrap();
        let registry = Registry::open(client).await.unwrap();
        assert_eq!(
            tags_of(&registry).await,
            (1, None),
            "not what a stranger is shown"
        );
        assert_eq!(registry.listings()[0].given_up, 1);
        assert_eq!(harbor.count("/artifacts"), 0);
    }
}

#[tokio::test]
async fn what_another_host_lists_is_not_the_registrys() {
    let storage = Liar::start(Flavour::Zot, |_, _| {
        r#"{"repositories":["other/x"],"tags":["other"]}"#.to_owned()
    })
    .await;
    let to = storage.server.url();
    let tasks = tasks();
    let router = axum::Router::new().fallback(move |request: axum::extract::Request| {
        let path = request.uri().path().to_owned();
        let to = format!("{to}{path}");
        async move {
            if path == "/v2/" {
                return answer(200, &[], "{}".to_owned());
            }
            answer(
                if path.starts_with("/v2/") { 307 } else { 404 },
                &[("location", to)],
                String::new(),
            )
        }
    });
    let server = Server::start("a registry that sends away", None, router, &tasks)
        .await
        .unwrap();
    let client = RegistryClient::new(access(&server.url(), None)).unwrap();
    let name = "acme/shop".parse().unwrap();
    let mut tags = client.tags(&name);
    let refused = tags.next_page().await.unwrap_err();
    assert!(matches!(refused.fault(), Fault::Redirect { .. }), "{refused:?}");
    let refused = client.catalog().next_page().await.unwrap_err();
    assert!(matches!(refused.fault(), Fault::Redirect { .. }), "{refused:?}");

    let to = storage.server.url();
    let router = axum::Router::new().fallback(move || {
        let to = format!("{to}/v2/");
        async move { answer(307, &[("location", to)], String::new()) }
    });
    let server = Server::start("a root that sends away", None, router, &tasks)
        .await
        .unwrap();
    let client = RegistryClient::new(access(&server.url(), None)).unwrap();
    let refused = client.ping().await.unwrap_err();
    assert!(matches!(refused.fault(), Fault::Redirect { .. }), "{refused:?}");
    assert!(Registry::open(client).await.is_err());
}
