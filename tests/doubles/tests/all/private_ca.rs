//! The authority's certificates, as a client judges them.

use portolan_doubles::MiddleBox;
use portolan_doubles::tls::{Alpn, LeafFault};
use reqwest::StatusCode;

use crate::client::Scene;

/// The text of a failure with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        text.push_str(": ");
        text.push_str(&source.to_string());
        next = source.source();
    }
    text
}

#[tokio::test]
async fn every_faulty_certificate_is_refused_for_its_own_reason() {
    let scene = Scene::new();
    let reasons = [
        (LeafFault::Expired, "expired"),
        (LeafFault::NotYetValid, "not valid yet"),
        (LeafFault::WrongName, "not valid for name"),
        (LeafFault::CommonNameOnly, "not valid for"),
        (LeafFault::MissingIntermediate, "UnknownIssuer"),
        (LeafFault::SelfSigned, "UnknownIssuer"),
    ];
    for (fault, reason) in reasons {
        let leaf = scene.ca.faulty_leaf(&[], Some(fault)).unwrap();
        let config = leaf.server_config(Alpn::Both).unwrap();
        let server = MiddleBox::start(Some(config), StatusCode::OK, &scene.tasks)
            .await
            .unwrap();
        let error = scene
            .client
            .get(format!("https://{}/", server.address()))
            .send()
            .await
            .unwrap_err();
        let text = chain(&error);
        assert!(text.contains(reason), "{fault:?}: {text}");
        assert_eq!(server.requests(), 0, "{fault:?}");
    }
}

#[tokio::test]
async fn a_sound_certificate_is_accepted_by_address_and_by_name_with_either_protocol() {
    let scene = Scene::new();
    for (alpn, version) in [
        (Alpn::Both, reqwest::Version::HTTP_2),
        (Alpn::Http1, reqwest::Version::HTTP_11),
        (Alpn::Http2, reqwest::Version::HTTP_2),
        (Alpn::Silent, reqwest::Version::HTTP_11),
    ] {
        let config = scene.leaf.server_config(alpn).unwrap();
        let server = MiddleBox::start(Some(config), StatusCode::OK, &scene.tasks)
            .await
            .unwrap();
        for host in ["127.0.0.1", "localhost"] {
            let url = format!("https://{host}:{}/", server.address().port());
            assert_eq!(
                scene.client.get(url).send().await.unwrap().version(),
                version,
                "{alpn:?}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_dropped_stops_and_all_tasks_end() {
    let scene = Scene::new();
    let server = MiddleBox::start(scene.tls(), StatusCode::OK, &scene.tasks)
        .await
        .unwrap();
    let url = format!("https://{}/", server.address());
    scene.client.get(&url).send().await.unwrap();
    drop(server);
    // The listener closes as its task ends; nothing else runs on these tasks.
    scene.tasks.ended().await;
    assert!(scene.client.get(&url).send().await.is_err());
    assert!(!scene.tasks.any_failed());
}
