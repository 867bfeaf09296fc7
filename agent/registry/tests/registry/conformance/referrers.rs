//! Referrers.

use portolan_registry::ReferrersSource;

use crate::client::{client, repository};
use crate::referrers::{INDEX, SUBJECT, found_at, index, is_tag, subject};
use crate::server::{Answer, Server};

#[tokio::test]
async fn c43_an_empty_list() {
    let server = Server::start(|heard| {
        assert!(!is_tag(&heard.path), "the API has answered");
        index(&[])
    })
    .await;
    let found = found_at(&server).await;
    assert_eq!(
        (found.source, found.complete, found.referrers.len()),
        (ReferrersSource::Api, true, 0)
    );
}

#[tokio::test]
async fn c44_no_api_then_the_fallback_index() {
    let server = Server::start(|heard| {
        if is_tag(&heard.path) {
            index(&["sig", "sbom"]).with("content-type", INDEX)
        } else {
            Answer::status(404)
        }
    })
    .await;
    let found = found_at(&server).await;
    assert_eq!(
        (found.source, found.complete, found.referrers.len()),
        (ReferrersSource::Tag, true, 2)
    );
}

#[tokio::test]
async fn c48_paged() {
    let server = Server::start(|heard| match heard.parameter("page").as_deref() {
        None => index(&["a", "b"]).with("link", r#"</elsewhere?page=2>; rel="next""#),
        Some("2") => index(&["b", "c"]).with("link", r#"</elsewhere?page=3>; rel="next""#),
        _ => index(&[]).with("link", r#"</elsewhere?page=3>; rel="next""#),
    })
    .await;
    let found = found_at(&server).await;
    assert_eq!((found.referrers.len(), found.complete), (3, true));
    let server = Server::start(|_| index(&["a"]).with("link", r#"<?x=1>; rel="next""#)).await;
    let found = found_at(&server).await;
    assert_eq!((found.referrers.len(), found.complete), (1, false), "a circle");
}

#[tokio::test]
async fn c47_bad_request_unauthorised_without_challenge_and_others_mean_no_api() {
    for (status, headers) in [
        (404, vec![]),
        (400, vec![]),
        (401, vec![]),
        (405, vec![]),
        (303, vec![("location", "https://web.invalid/login".to_owned())]),
    ] {
        let server = Server::start(move |heard| {
            if is_tag(&heard.path) {
                index(&["sig"]).with("content-type", INDEX)
            } else {
                Answer {
                    headers: headers.clone(),
                    ..Answer::status(status)
                }
            }
        })
        .await;
        let client = client(&server.url());
        for _ in 0..5 {
            let found = client.referrers(&repository(), &subject(), None).await.unwrap();
            assert_eq!(
                (found.source, found.referrers.len()),
                (ReferrersSource::Tag, 1),
                "{status}"
            );
        }
        assert_eq!(
            server.count("/v2/a/b/referrers/"),
            3,
            "{status}: then the API is given up"
        );
        let before = server.heard().len();
        let found = client
            .referrers(&repository(), &subject(), Some(false))
            .await
            .unwrap();
        assert_eq!(found.source, ReferrersSource::Nowhere);
        assert_eq!(
            server.heard().len(),
            before,
            "a tag that is not listed is not asked for"
        );
    }
}

#[tokio::test]
async fn c45_fallback_tag_that_resolves_to_the_subject() {
    // GitLab: the subject is an index, so nothing but its digest tells.
    for content_type in [INDEX, "application/json"] {
        let server = Server::start(move |heard| {
            if is_tag(&heard.path) {
                Answer::json(SUBJECT).with("content-type", content_type)
            } else {
                Answer::status(404)
            }
        })
        .await;
        let found = found_at(&server).await;
        assert_eq!(
            (found.source, found.referrers.len()),
            (ReferrersSource::Nowhere, 0)
        );
    }
    // An image under that tag is no list of referrers either.
    let server = Server::start(|heard| {
        if is_tag(&heard.path) {
            Answer::json(r#"{"schemaVersion":2,"config":{},"layers":[]}"#)
                .with("content-type", "application/vnd.oci.image.manifest.v1+json")
        } else {
            Answer::status(404)
        }
    })
    .await;
    let found = found_at(&server).await;
    assert_eq!(found.source, ReferrersSource::Nowhere);
}

#[tokio::test]
async fn c46_see_other_to_another_site() {
    let site = Server::start(|_| index(&["planted"])).await;
    let location = site.url_as("web.example.net");
    let server = Server::start(move |heard| {
        if is_tag(&heard.path) {
            Answer::status(404)
        } else {
            Answer::status(303).with("location", location.clone())
        }
    })
    .await;
    let found = found_at(&server).await;
    assert_eq!(
        (found.source, found.referrers.len()),
        (ReferrersSource::Nowhere, 0)
    );
    assert_eq!(site.heard().len(), 0, "nobody follows");
}

#[tokio::test]
async fn c49_unfiltered_whatever_was_asked() {
    let server = Server::start(|_| index(&["sig", "sbom", "other"])).await;
    let found = found_at(&server).await;
    let types: Vec<&str> = found
        .referrers
        .iter()
        .map(|referrer| referrer.artifact_type.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(
        types,
        [
            "application/vnd.test.sig",
            "application/vnd.test.sbom",
            "application/vnd.test.other"
        ]
    );
    assert!(
        server
            .heard()
            .iter()
            .all(|heard| heard.parameter("artifactType").is_none()),
        "a filter that servers may ignore is not asked for"
    );
}
