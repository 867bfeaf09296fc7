//! What metrics tell of registries.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use portolan::app::Meters;
use portolan::wiring::metrics_router;
use tower::ServiceExt as _;

use crate::shop::Shop;
use crate::world::{World, note};

async fn get(world: &World, path: &str) -> (StatusCode, String, String) {
    let meters = Arc::new(Meters::new().unwrap());
    let router = metrics_router(meters, Arc::clone(&world.app));
    let request = Request::get(path).body(Body::empty()).unwrap();
    let answer = router.oneshot(request).await.unwrap();
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    let format = headers.get("content-type").map(|format| format.to_str().unwrap());
    (
        status,
        format.unwrap_or_default().to_owned(),
        String::from_utf8(body.to_vec()).unwrap(),
    )
}

/// What Prometheus is told.
pub(crate) async fn scrape(world: &World) -> String {
    let (status, format, text) = get(world, "/metrics").await;
    assert_eq!(
        (status, format.as_str()),
        (StatusCode::OK, "text/plain; version=0.0.4")
    );
    text
}

#[tokio::test]
async fn the_age_of_the_last_success_is_told_over_http() {
    let world = World::new().await;
    Shop::open(&world).await;
    let age = "portolan_registry_last_success_age_seconds{registry=\"gl\",tenant=\"acme\"}";
    for seconds in [0, 90] {
        world.clock.advance(Duration::from_secs(seconds));
        let text = scrape(&world).await;
        let line = format!("{age} {seconds}");
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    let text = scrape(&world).await;
    assert!(
        text.lines()
            .any(|line| line.starts_with("portolan_denials_age_seconds ")),
        "{text}"
    );
    assert_eq!(get(&world, "/").await.0, StatusCode::NOT_FOUND);
}

/// Whoever changes a registry that nobody has seen for long ends no alert with it, and has seen nothing of it yet.
#[tokio::test]
async fn the_age_goes_on_when_it_is_changed_what_is_to_be_seen() {
    let world = World::new().await;
    Shop::open(&world).await;
    world.clock.advance(Duration::from_secs(60));
    let patterns = serde_json::json!({"repositories": ["acme/**"]});
    let path = "/api/v1/registries/gl";
    let changed = world
        .ask(&world.operator, Method::PATCH, path, Some(patterns))
        .await;
    assert_eq!(changed.status, StatusCode::OK, "{:?}", changed.json());
    world.clock.advance(Duration::from_secs(60));
    let freshness = &world.get(path).await.json()["freshness"];
    assert_eq!(
        (&freshness["state"], &freshness["age_seconds"]),
        (&serde_json::json!("changed"), &serde_json::Value::Null)
    );
    let text = world.app.registry_figures().await;
    let age = "portolan_registry_last_success_age_seconds{registry=\"gl\",tenant=\"acme\"} 120";
    assert!(text.lines().any(|shown| shown == age), "{age} in {text}");
    assert!(text.contains("also if it was changed since"), "{text}");
}

#[tokio::test]
async fn metrics_tell_ages_and_never_a_secret() {
    let world = World::new().await;
    let shop = Shop::open(&world).await;
    world
        .registry("never", "https://never.example.com", "berlin-1")
        .await;
    world.clock.advance(Duration::from_secs(60));
    let text = world.app.registry_figures().await;
    for line in [
        "portolan_registry_last_success_age_seconds{registry=\"gl\",tenant=\"acme\"} 60",
        "portolan_registry_last_success_timestamp_seconds{registry=\"gl\",tenant=\"acme\"} 1800000000",
        "portolan_registry_last_success_age_seconds{registry=\"never\",tenant=\"acme\"} 60",
        "portolan_registry_last_success_timestamp_seconds{registry=\"never\",tenant=\"acme\"} 0",
        "portolan_registry_series_left_out 0",
    ] {
        assert!(text.lines().any(|shown| shown == line), "{line} in {text}");
    }
    assert!(
        !text.contains("next_start_timestamp_seconds{") && !text.contains("example.com"),
        "{text}"
    );
    let (tenant, gl) = (world.tenant, shop.registry);
    let gone = world
        .app
        .store
        .remove_registry(tenant, gl, &note(world.app.clock.now()), &|_| None)
        .await;
    assert!(gone.unwrap().is_some());
    assert!(
        !world.app.registry_figures().await.contains("\"gl\""),
        "what was removed is gone at once"
    );
}
