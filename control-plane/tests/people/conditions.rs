//! Entity tags.

use axum::http::{HeaderValue, Method, StatusCode, header};
use serde_json::json;

use crate::shop::Shop;
use crate::world::{Answer, World, request};

async fn with_header(
    world: &World,
    method: Method,
    path: &str,
    name: header::HeaderName,
    value: &str,
    body: Option<serde_json::Value>,
) -> Answer {
    let mut request = request(Some(&world.admin), method, path, body);
    request
        .headers_mut()
        .insert(name, HeaderValue::from_str(value).unwrap());
    world.send(request).await
}

#[tokio::test]
async fn what_has_not_changed_is_not_sent_again() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    let run = format!("/api/v1/runs/{}", shop.run);
    for path in [
        "/api/v1/sensors",
        "/api/v1/registries/gl",
        run.as_str(),
        "/api/v1/images/raw?reference=gl/acme/shop:1.0",
        "/api/v1/openapi.json",
    ] {
        let first = world.ask(&world.admin, Method::GET, path, None).await;
        let tag = first.header(header::ETAG).unwrap().to_owned();
        let again = with_header(&world, Method::GET, path, header::IF_NONE_MATCH, &tag, None).await;
        assert_eq!(again.status, StatusCode::NOT_MODIFIED, "{path}");
        assert!(again.bytes.is_empty(), "{path}");
        assert_eq!(again.header(header::ETAG), Some(tag.as_str()), "{path}");
    }
    let list = world.get("/api/v1/sensors").await;
    let tag = list.header(header::ETAG).unwrap().to_owned();
    world.sensor("berlin-2").await;
    let changed = with_header(
        &world,
        Method::GET,
        "/api/v1/sensors",
        header::IF_NONE_MATCH,
        &tag,
        None,
    )
    .await;
    assert_eq!(changed.status, StatusCode::OK);
    assert_ne!(changed.header(header::ETAG), Some(tag.as_str()));
}

#[tokio::test]
async fn a_change_between_reading_and_writing_is_not_lost() {
    let world = World::new().await;
    Shop::open(&world).await;
    let path = "/api/v1/registries/gl";
    let seen = world.get(path).await.header(header::ETAG).unwrap().to_owned();
    let mine = with_header(
        &world,
        Method::PATCH,
        path,
        header::IF_MATCH,
        &seen,
        Some(json!({"concurrency": 4})),
    )
    .await;
    assert_eq!(mine.json()["concurrency"], 4);
    let late = with_header(
        &world,
        Method::PATCH,
        path,
        header::IF_MATCH,
        &seen,
        Some(json!({"concurrency": 8})),
    )
    .await;
    assert_eq!(late.refusal(), (412, "out_of_date".to_owned()));
    assert_eq!(world.get(path).await.json()["concurrency"], 4);

    // What runs note on a registry is no change of it.
    let seen = world.get(path).await.header(header::ETAG).unwrap().to_owned();
    world.post("/api/v1/registries/gl/runs", json!({})).await;
    let after = with_header(
        &world,
        Method::PATCH,
        path,
        header::IF_MATCH,
        &seen,
        Some(json!({"concurrency": 8})),
    )
    .await;
    assert_eq!(after.status, StatusCode::OK);
    let nonsense = with_header(
        &world,
        Method::PATCH,
        path,
        header::IF_MATCH,
        "\"x\"",
        Some(json!({})),
    )
    .await;
    assert_eq!(nonsense.refusal(), (422, "invalid".to_owned()));
}
