//! The registry double's storage, and what refers to what.

use std::collections::BTreeSet;

use portolan_doubles::registry::{Behaviour, BlobServing, Referrers};
use portolan_doubles::{Content, RegistryDouble};
use portolan_shared::model::Digest;
use reqwest::StatusCode;

use crate::client::{Scene, header, json};
use crate::registry_double::Registry;

const CONFIG: &str = "sha256:53335d84e97889dc5f00af1bffa104aeab44003305259f9c7ee02acfabf1b49c";

#[tokio::test]
async fn storage_refuses_a_second_credential() {
    let registry = Registry::new().await;
    let path = format!("/v2/acme/shop/api/blobs/{CONFIG}");
    let direct = registry.get(&path).await;
    assert_eq!(header(&direct, "docker-content-digest"), CONFIG, "R15");
    registry
        .double
        .behave(|behaviour| behaviour.blobs = BlobServing::Redirect);
    let answer = registry.get(&path).await;
    assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT, "R16");
    let location = header(&answer, "location");
    assert!(
        location.contains(&registry.double.storage_address().to_string()),
        "R16 {location}"
    );
    let with = registry
        .scene
        .client
        .get(&location)
        .bearer_auth(&registry.token)
        .send()
        .await
        .unwrap();
    assert_eq!(with.status(), StatusCode::BAD_REQUEST, "R17");
    let without = registry
        .scene
        .client
        .get(&location)
        .send()
        .await
        .unwrap()
        .bytes()
        .await
        .unwrap();
    assert_eq!(Digest::sha256_of(&without).to_string(), CONFIG, "R17");
    let seen = registry.double.storage_log().seen();
    assert_eq!(
        seen.iter()
            .map(|seen| seen.authorization.is_some())
            .collect::<Vec<_>>(),
        [true, false]
    );
}

#[tokio::test]
async fn referrers_by_api_and_by_fallback_tag_agree() {
    let scene = Scene::new();
    let content = Content::every_kind(false);
    let subject = content.resolve("acme/kinds", "image").unwrap().to_string();
    let behaviour = Behaviour {
        referrers: Referrers::Api,
        ..Behaviour::default()
    };
    let double = RegistryDouble::builder(content)
        .behaviour(behaviour)
        .start(scene.tls(), &scene.tasks)
        .await
        .unwrap();
    let url = format!("{}/v2/acme/kinds/referrers/{subject}", double.url());
    let kinds = |index: &serde_json::Value| -> BTreeSet<String> {
        let all = index["manifests"].as_array().unwrap();
        all.iter()
            .map(|entry| entry["artifactType"].as_str().unwrap().to_owned())
            .collect()
    };
    let by_api = json(scene.get(&url).send().await.unwrap()).await;
    // Five that were attached, and BuildKit's attestation of the same image in the index.
    assert_eq!(by_api["manifests"].as_array().unwrap().len(), 6);
    let tag = format!(
        "{}/v2/acme/kinds/manifests/{}",
        double.url(),
        subject.replace(':', "-")
    );
    let by_tag = json(scene.get(&tag).send().await.unwrap()).await;
    assert_eq!(by_api["manifests"], by_tag["manifests"]);
    let filtered = scene
        .get(&url)
        .query(&[("artifactType", "application/spdx+json")])
        .send()
        .await
        .unwrap();
    assert_eq!(header(&filtered, "oci-filters-applied"), "artifactType");
    assert_eq!(
        kinds(&json(filtered).await),
        BTreeSet::from(["application/spdx+json".to_owned()])
    );
    let nothing = format!(
        "{}/v2/acme/kinds/referrers/sha256:{}",
        double.url(),
        "0".repeat(64)
    );
    assert_eq!(
        json(scene.get(&nothing).send().await.unwrap()).await["manifests"],
        serde_json::json!([])
    );
    double.behave(|behaviour| behaviour.referrers = Referrers::Missing);
    let answer = scene.get(&url).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::NOT_FOUND, "R19");
    assert_eq!(answer.text().await.unwrap().trim(), "404 page not found", "R19");
    double.change(|content| {
        content.shelf("acme/kinds").untag(&subject.replace(':', "-"));
    });
    assert_eq!(
        scene.get(&tag).send().await.unwrap().status(),
        StatusCode::NOT_FOUND
    );
    double.behave(|behaviour| behaviour.fallback_is_subject = true);
    assert_eq!(
        header(&scene.get(&tag).send().await.unwrap(), "docker-content-digest"),
        subject
    );
}
