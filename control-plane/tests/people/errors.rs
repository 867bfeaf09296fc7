//! The one form of errors, and what every answer has.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderValue, Method, Request, StatusCode, header};
use portolan_shared::model::limits;
use serde_json::json;

use crate::world::{World, request};

#[tokio::test]
async fn every_error_has_code_message_and_request_id() {
    let world = World::new().await;
    let plain = |method: Method, path: &str, kind: &'static str, body: Body| {
        Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {}", world.admin))
            .header(header::CONTENT_TYPE, kind)
            .body(body)
            .unwrap()
    };
    let json = "application/json";
    let cases = [
        (
            plain(Method::GET, "/nothing", json, Body::empty()),
            404,
            "no_such_route",
        ),
        (
            plain(Method::GET, "/api/v1/nothing", json, Body::empty()),
            404,
            "no_such_route",
        ),
        (
            plain(Method::PUT, "/api/v1/sensors", json, Body::empty()),
            405,
            "method_not_allowed",
        ),
        (
            plain(Method::GET, "/api/v1/sensors/none", json, Body::empty()),
            404,
            "not_found",
        ),
        (
            plain(Method::GET, "/api/v1/runs/not-an-id", json, Body::empty()),
            404,
            "not_found",
        ),
        (
            plain(Method::GET, "/api/v1/sensors/%ff", json, Body::empty()),
            400,
            "malformed_request",
        ),
        (
            plain(Method::POST, "/api/v1/tokens", json, Body::from("{")),
            400,
            "malformed_request",
        ),
        (
            plain(Method::POST, "/api/v1/tokens", "text/plain", Body::from("{}")),
            415,
            "unsupported_media_type",
        ),
        (
            plain(Method::POST, "/api/v1/tokens", json, Body::from("{}")),
            422,
            "invalid",
        ),
        (
            plain(Method::GET, "/api/v1/sensors?limit=0", json, Body::empty()),
            422,
            "invalid",
        ),
        (
            plain(Method::GET, "/api/v1/sensors?limit=1001", json, Body::empty()),
            422,
            "invalid",
        ),
        (
            plain(Method::GET, "/api/v1/sensors?cursor=zz", json, Body::empty()),
            422,
            "invalid",
        ),
        (
            plain(Method::GET, "/api/v1/sensors?cursor=00", json, Body::empty()),
            422,
            "invalid",
        ),
        (
            plain(Method::GET, "/api/v1/runs?state=asleep", json, Body::empty()),
            422,
            "invalid",
        ),
        (
            plain(
                Method::GET,
                "/api/v1/repositories?regsitry=gl",
                json,
                Body::empty(),
            ),
            422,
            "invalid",
        ),
    ];
    for (request, status, code) in cases {
        let at = format!("{} {}", request.method(), request.uri());
        let answer = world.send(request).await;
        assert_eq!(answer.refusal(), (status, code.to_owned()), "{at}");
        let body = answer.json();
        assert_eq!(body["request_id"].as_str(), answer.header("x-request-id"), "{at}");
        assert!(!body["message"].as_str().unwrap().is_empty(), "{at}");
        assert_eq!(
            answer.header(header::X_CONTENT_TYPE_OPTIONS),
            Some("nosniff"),
            "{at}"
        );
    }
}

#[tokio::test]
async fn a_limit_that_is_none_is_answered_by_its_bounds_everywhere() {
    let world = World::new().await;
    for list in [
        "sensors?",
        "runs?",
        "repositories?",
        "tags?repository=x&",
        "history?reference=x&",
        "placements?digest=x&",
    ] {
        for limit in ["abc", "-1", "0", "1001", "100000", ""] {
            let path = format!("/api/v1/{list}limit={limit}");
            let answer = world.get(&path).await;
            assert_eq!(answer.refusal(), (422, "invalid".to_owned()), "{path}");
            let bounds = json!({"field": "limit", "minimum": 1, "maximum": 1_000});
            assert_eq!(answer.json()["details"], bounds, "{path}");
            assert_eq!(answer.json()["message"], "limit: expected 1 to 1000", "{path}");
        }
    }
    for limit in [1, 1_000] {
        let answer = world.get(&format!("/api/v1/sensors?limit={limit}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{limit}");
    }
}

#[tokio::test]
async fn a_request_id_is_taken_over_only_if_it_is_harmless() {
    let world = World::new().await;
    for (given, kept) in [("abc-1.2_3", true), ("a b", false), ("{evil}", false)] {
        let mut request = request(Some(&world.viewer), Method::GET, "/api/v1/whoami", None);
        request
            .headers_mut()
            .insert("x-request-id", HeaderValue::from_static(given));
        let answer = world.send(request).await;
        assert_eq!(answer.header("x-request-id") == Some(given), kept, "{given}");
    }
    let long = "x".repeat(65);
    let mut request = request(Some(&world.viewer), Method::GET, "/api/v1/whoami", None);
    request
        .headers_mut()
        .insert("x-request-id", HeaderValue::from_str(&long).unwrap());
    assert_ne!(
        world.send(request).await.header("x-request-id"),
        Some(long.as_str())
    );
}

#[tokio::test]
async fn a_body_at_its_bound_is_read_and_one_above_it_is_not() {
    let world = World::new().await;
    let of_length = |length: usize| {
        let start = r#"{"name":"big","role":"nobody"}"#;
        let body = format!("{start}{}", " ".repeat(length - start.len()));
        Request::post("/api/v1/tokens")
            .header(header::AUTHORIZATION, format!("Bearer {}", world.admin))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body))
            .unwrap()
    };
    let at = world.send(of_length(limits::REST_BODY_BYTES)).await;
    assert_eq!(at.refusal(), (422, "invalid".to_owned()));
    let above = world.send(of_length(limits::REST_BODY_BYTES + 1)).await;
    assert_eq!(above.refusal(), (413, "body_too_large".to_owned()));
}

#[tokio::test]
async fn unknown_members_are_refused_and_named() {
    let world = World::new().await;
    world.sensor("berlin-1").await;
    let body = json!({
        "name": "gl", "url": "https://h", "sensors": ["berlin-1"], "password": "hunter2",
    });
    let answer = world.post("/api/v1/registries", body).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let message = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(
        message.contains("password") && !message.contains("hunter2"),
        "{message}"
    );
}

#[tokio::test]
async fn a_fault_of_the_store_is_told_without_its_reason() {
    let world = World::new().await;
    world.app.store.close().await;
    let answer = world.get("/api/v1/whoami").await;
    assert_eq!(answer.refusal(), (503, "unavailable".to_owned()));
    assert_eq!(
        answer.json()["message"],
        "the database does not answer; try again"
    );
    assert_eq!(answer.header(header::RETRY_AFTER), Some("2"));
    let ready = world.send(request(None, Method::GET, "/readyz", None)).await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    let live = world.send(request(None, Method::GET, "/livez", None)).await;
    assert_eq!(live.status, StatusCode::OK);
}

#[tokio::test]
async fn readiness_is_not_life() {
    let mut world = World::new().await;
    let ask =
        async |world: &World, path: &str| world.send(request(None, Method::GET, path, None)).await.status;
    assert_eq!(ask(&world, "/readyz").await, StatusCode::OK);
    world.router = portolan::web::router(Arc::clone(&world.app), || Err("stopping"));
    assert_eq!(ask(&world, "/readyz").await, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ask(&world, "/livez").await, StatusCode::OK);
}

#[tokio::test]
async fn no_other_origin_is_let_in() {
    let world = World::new().await;
    let mut request = request(Some(&world.viewer), Method::GET, "/api/v1/whoami", None);
    request.headers_mut().insert(
        header::ORIGIN,
        HeaderValue::from_static("https://evil.example.com"),
    );
    let answer = world.send(request).await;
    assert_eq!(answer.header(header::ACCESS_CONTROL_ALLOW_ORIGIN), None);
}
